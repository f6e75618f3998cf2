"""Requests that ask for words, not for a model: what is said then."""

from agents.language.intents import Intent
from agents.language.target import conventional, ranked
from agents.state import Request
from prompts.render import render
from tools.schema import Schema


def spoken(kind: str, text: str, reply: str, earlier: Request | None = None) -> Request:
    if earlier is None:
        return Request.model_validate({"kind": kind, "text": text, "reply": reply})
    return earlier.model_copy(update={"kind": kind, "text": text, "reply": reply, "assumptions": ()})


def suggestion(schema: Schema) -> str:
    name, _ = conventional(schema)
    offered = ranked(schema)
    return f"predict {name or (offered[0] if offered else 'price')}"


def small_talk(intent: Intent, text: str, schema: Schema, earlier: Request | None) -> Request:
    example = suggestion(schema)
    match intent:
        case "profile":
            return spoken("profile", text, "", earlier)
        case "why" if earlier is not None:
            return spoken("why", text, "", earlier)
        case "again" if earlier is not None:
            return spoken("revise", text, "", earlier)
        case "why":
            return spoken("help", text, render("nothing_yet", example=example))
        case "again" | "yes" if earlier is None:
            return spoken("help", text, render("no_earlier", example=example))
        case "greeting" | "thanks":
            return spoken(
                "help", text, render("greeting", example=example) if intent == "greeting" else render("thanks")
            )
        case _:
            return spoken("help", text, render("help", example=example))
