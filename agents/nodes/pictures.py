"""A picture that came along instead of a table: asked about, looked at by a model, and made a table of.

A picture leaves whole, with every value in it, so in the egress mode “schema” the user is asked before it goes, and in
“off” it never does. The table that comes of it is a CSV file like any other and is read like one.
"""

import asyncio
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.context import Context
from agents.events import Answered, Decided
from agents.minds.asking import asker, in_line
from agents.minds.vision import Seen, account, look
from agents.scribe import Scribe
from agents.state import Decision, Pending, Question, Request, State
from prompts.render import render
from tools.ingest import IngestError
from tools.pictures import Picture, PictureError, kind_of, read_picture, refusal

FIELD = "picture"
"""Of the question whether a picture may leave."""
SEND, KEEP = "Send it", "Do not send it"
_YES = ("send", "yes", "ok", "okay", "sure", "y ", "go ahead", "do it")
_NO = ("do not", "don't", "no", "keep", "never", "stop", "cancel")


def is_picture(path: Path) -> bool:
    """Whether a file is for the eye; raises IngestError for pages and pictures that are not read."""
    if not path.is_file():
        return False
    kind = kind_of(path)
    if kind == "refused":
        raise IngestError(refusal(path))
    return kind == "picture"


async def read_off(state: State, source: Path, scribe: Scribe, context: Context) -> dict[str, Any]:
    """One step: ask whether it may leave, or let a model look at it. Raises IngestError."""
    if not context.models.has("vision"):
        raise IngestError(_nobody(source, context))
    try:
        picture = await asyncio.to_thread(read_picture, source)
    except PictureError as problem:
        raise IngestError(str(problem)) from problem
    who = context.models.roles["vision"][0].name
    known = state.get("picture") or {}
    if known.get("path") != str(source) or known.get("who") != who or not known.get("agreed"):
        said = render("picture_leaves", file=source.name, who=who, size=f"{picture.width} by {picture.height}")
        fresh = {"path": str(source), "who": who, "agreed": True}
        if context.models.egress == "sample":
            await scribe.status("IN_PROGRESS", said.split(". ")[0])
            return {"picture": fresh}
        if not state.get("send_pictures"):
            return _ask(state, f"{said} May it?", {**fresh, "agreed": False})
        await scribe.say(Decided("", "question", "answer", "policy", f"{said} That was agreed to in advance."))
        return {"picture": fresh}
    return await _look(state, source, picture, scribe, context)


def _ask(state: State, text: str, picture: dict[str, Any]) -> dict[str, Any]:
    so_far = Request(kind="profile", text=state.get("message", ""))
    question = Question(text=text, choices=(SEND, KEEP), field=FIELD, so_far=so_far)
    pending = Pending(gate="question", title=text)
    return {"files": [], "picture": picture, "question": question.model_dump(), "pending": pending}


async def agreed(decision: Decision, state: State, scribe: Scribe) -> dict[str, Any]:
    """What the user has said to the question, as the next state."""
    said, picture = f"{(decision.answer or '').strip().lower()} ", state.get("picture") or {}
    done = {"question": None, "pending": None}
    if said.startswith(_NO):
        await scribe.say(Answered("The picture stays on this machine, and nothing was read of it.", "notice"))
        await scribe.status("SKIPPED", "not read")
        back = state.get("reopen")
        gone = {**done, "picture": None}
        return {**gone, "pending": back, "reopen": None} if back else {**gone, "outcome": "rejected"}
    if said.startswith(_YES):
        return {**done, "files": [picture["path"]], "picture": {**picture, "agreed": True}}
    question = Question.model_validate(state["question"])
    return {"pending": Pending(gate="question", title=question.text)}  # neither: asked again


def _nobody(source: Path, context: Context) -> str:
    if context.models.egress == "off":
        return (
            f"{source.name} is a picture, and nothing may leave this machine (MODELWRIGHT_EGRESS=off), so nobody can "
            "read it. Bring the data as a table."
        )
    return (
        f"{source.name} is a picture, and no language model that reads pictures is configured. Set "
        "MODELWRIGHT_VISION__BASE_URL and MODELWRIGHT_VISION__MODEL, or bring the data as a table."
    )


async def _look(state: State, source: Path, picture: Picture, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS", f"looking at {source.name}")
    digest = hashlib.sha256(picture.data).hexdigest()[:16]
    asked = asker(state, context, scribe)
    found = await look(
        picture, state.get("message", ""), replace(asked, kept=asked.kept / f"picture-{digest}" if asked.kept else None)
    )
    if found.seen is None:
        raise IngestError(f"{source.name} could not be read: {found.trouble}")
    if found.seen.kind == "neither":
        raise IngestError(
            f"{found.who} sees no chart and no table in {source.name}: {in_line(found.seen.description, 300)}. "
            "Bring a picture of one, or the data as a table."
        )
    path = context.folder / "uploads" / f"picture-{digest}" / f"{source.stem[:80]}.csv"
    await asyncio.to_thread(_write, found.seen, path)
    told = {"description": found.seen.description, "who": found.who, "kind": found.seen.kind}
    read = {"path": str(source), "agreed": True, "csv": str(path), "account": account(found), **told}
    return {"files": [str(path)], "picture": read}


def _write(seen: Seen, path: Path) -> None:
    """A CSV file; one name is one column, whatever spaces stood in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([" ".join(name.split()) for name in seen.columns])
        writer.writerows([" ".join(cell.split()) for cell in row] for row in seen.rows)
    partial.replace(path)


def account_of(state: State, source: Path) -> Sequence[str]:
    """What has to be said of a table that was read off a picture; nothing of any other."""
    picture = state.get("picture") or {}
    return picture["account"] if picture.get("csv") == str(source) else ()


def assumption_of(state: State) -> tuple[str, ...]:
    """For the plan: what the values are worth."""
    picture = state.get("picture") or {}
    if not picture.get("csv"):
        return ()
    return (f"The values were read off a picture by {picture['who']} and may be wrong; compare them with it.",)
