"""One test of a language model: a sentence, a structured answer, a code request or a picture, and what came of it.

Nothing of any table is in these questions, and nothing that a model answers is run.
"""

import ast
import base64
import io
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, Field

from agents.llm.endpoint import MODES, Endpoint, Memory, Mode, Role
from agents.llm.salvage import code_in, without_thoughts
from agents.llm.spending import Allowance, Call, Spending
from agents.llm.trouble import Trouble, remedy
from agents.models import Models
from chat_app.model_settings import ModelRole, ModelTest, TestKind
from prompts.render import render
from tools.syntax import tree_of

MOST_SHOWN = 600
"""Letters of an answer that are shown."""
SECONDS = 30.0
"""A test waits no longer, whatever the endpoint's own deadline; a model that has to be loaded first needs some."""
WORDS: Mapping[Mode, str] = {
    "json_schema": "a JSON schema",
    "tool": "a named tool",
    "json_object": "any JSON",
    "text": "words alone",
}
_OTHERWISE = "Try again, or choose another model. Without it the built-in experts decide."


class Ready(BaseModel):
    """One word, so that the form of an answer can be tested."""

    reason: str = Field(description="in three words or fewer, why you are ready")
    word: str = Field(description="exactly: ready")


class Seen(BaseModel):
    """The number that is written in the picture."""

    description: str = Field(description="in one sentence, what the picture shows")
    number: str = Field(description="its digits, as they are written")


async def try_model(
    role: ModelRole, what: TestKind, endpoint: Endpoint, memory: Memory
) -> tuple[ModelTest, list[Call]]:
    """Ask, and say what came of it; also what was spent. Never raises for what a model or a server does."""
    asked: Role = "vision" if what == "picture" else "code" if what == "code" else "reasoning"
    patient = endpoint.model_copy(update={"seconds": min(endpoint.seconds, SECONDS)})
    models = Models({asked: (patient,)}, memory, backoff=0.1)
    spending = Spending(Allowance(tokens=50_000, retries=1))
    try:
        test = await _TESTS[what](models, asked, spending)
    finally:
        await models.close()
    return _counted(replace(test, role=role, what=what, endpoint=endpoint.name), spending), spending.calls


def nobody(role: ModelRole, what: TestKind, *, off: bool) -> ModelTest:
    """The test of a role for which no model is configured, or all are switched off."""
    if off:
        switched = "Models are switched off (egress: off), so none was asked."
        return ModelTest(role, what, False, switched, "Choose the egress mode “schema” or “sample” to test it.")
    return ModelTest(
        role,
        what,
        False,
        f"No model is configured for the role “{role}”.",
        "Give it an address and a model's name. Without it the built-in experts decide.",
    )


async def _sentence(models: Models, role: Role, spending: Spending) -> ModelTest:
    began = time.monotonic()
    first: list[float] = []
    question = [HumanMessage(render("test_sentence"))]

    def heard(_: str) -> None:
        if not first:
            first.append(round(time.monotonic() - began, 3))

    said = await models.write(role, question, spending, on_text=heard)
    if isinstance(said, Trouble):
        return _failed(said)
    shown = without_thoughts(said)
    if not shown:
        return _bad("It thought, and said nothing to the reader.", said)
    return _good("It answers in words.", shown, first[0] if first else None)


async def _structured(models: Models, role: Role, spending: Spending) -> ModelTest:
    """In each way, so that it is seen which ones the server takes."""
    found, trouble = await models.probe(role, [HumanMessage(render("test_structured"))], Ready, spending)
    modes = tuple((mode, found[mode]) for mode in MODES if mode in found)
    works = [WORDS[mode] for mode, well in modes if well]
    if trouble is not None:
        return replace(_failed(trouble), modes=modes)
    if not works:
        return replace(_bad("It gives no answer of a given form, in none of the ways of asking.", ""), modes=modes)
    return replace(_good(f"It answers in a given form, asked by {', '.join(works)}.", ""), modes=modes)


async def _code(models: Models, role: Role, spending: Spending) -> ModelTest:
    said = await models.write(role, [HumanMessage(render("test_code"))], spending)
    if isinstance(said, Trouble):
        return _failed(said)
    code = code_in(said)
    try:
        named = [node.name for node in tree_of(code).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _bad("What it wrote is no Python.", code)
    if "median_of" not in named:
        return _bad("It wrote Python, but not the function that it was asked for.", code)
    return _good("It writes Python that can be read (it was not run).", code)


async def _picture(models: Models, role: Role, spending: Spending) -> ModelTest:
    number = "".join(str(1 + secrets.randbelow(9)) for _ in range(4))
    found = await models.decide(role, [_with_picture(render("test_picture"), picture_of(number))], Seen, spending)
    if found.value is None:
        assert found.trouble is not None, "a decision has a value or a trouble"
        failed = _failed(found.trouble)
        blind = "This model may not read pictures; choose one that does. Without it no picture is read."
        return replace(failed, advice=blind) if found.trouble.kind in ("rejected", "server", "invalid") else failed
    read = "".join(letter for letter in found.value.number if letter.isdigit())
    if read != number:
        return _bad(f"It read {read[:20] or 'no number'} where {number} was written.", found.value.description)
    return _good(f"It read the number {number} off a picture.", found.value.description)


_TESTS: Mapping[TestKind, Callable[[Models, Role, Spending], Awaitable[ModelTest]]] = {
    "sentence": _sentence,
    "structured": _structured,
    "code": _code,
    "picture": _picture,
}


def picture_of(text: str) -> bytes:
    """A PNG with the text in it, black on white."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (64 * len(text), 128), 255)
    ImageDraw.Draw(image).text((24, 24), text, fill=0, font=ImageFont.load_default(72))
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def _with_picture(words: str, png: bytes) -> BaseMessage:
    image = {"type": "image", "base64": base64.b64encode(png).decode(), "mime_type": "image/png"}
    return HumanMessage(content=[{"type": "text", "text": words}, image])


def _good(sentence: str, answer: str, first: float | None = None) -> ModelTest:
    return ModelTest("reasoning", "sentence", True, sentence, answer=_cut(answer), first_seconds=first)


def _bad(sentence: str, answer: str) -> ModelTest:
    return ModelTest("reasoning", "sentence", False, sentence, _OTHERWISE, answer=_cut(answer))


def _failed(trouble: Trouble) -> ModelTest:
    return ModelTest("reasoning", "sentence", False, trouble.sentence, remedy(trouble.kind))


def _counted(test: ModelTest, spending: Spending) -> ModelTest:
    calls = spending.calls
    well = [call for call in calls if call.outcome == "ok"]
    return replace(
        test,
        seconds=(well or calls)[-1].seconds if calls else 0.0,
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cost=spending.money,
        estimated=any(call.estimated for call in calls),
    )


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
