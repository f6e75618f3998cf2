"""The supervisor's second mind: takes a message apart that the expert cannot, in any language.

Each step has to be made of the user's own words, so that no work comes in that nobody asked for. The plan is shown at a
gate before any of it is done, like the expert's.
"""

from collections.abc import Sequence

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.language.steps import kind_of
from agents.llm.egress import as_line, shown
from agents.minds.asking import Asker, in_line
from agents.plan import MOST_CHARACTERS, MOST_STEPS, Plan, Step, StepKind, drawn_up
from prompts.render import render
from tools.schema import Schema

MOST_OF_A_MESSAGE = 4_000
OWN_WORDS = 0.7
"""Share of a step's pairs of letters that have to stand in the message."""


class PlannedStep(BaseModel):
    """One request of the message."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="the request in the person's own words and language")
    kind: StepKind = Field(description="model: predict a column; profile: describe the table; other: none of these")
    needs: list[int] = Field(description="numbers, from 1, of earlier requests without which it makes no sense")


class Planned(BaseModel):
    """The requests in the order in which they are done."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one sentence, what the requests are")
    steps: list[PlannedStep]


async def planned(text: str, schema: Schema, ask: Asker, present: Sequence[Step] = ()) -> tuple[Plan | None, str]:
    """The plan that a model makes of a message, None where it is one request; and in one sentence why there is none.

    `present`: the plan that the message is to change.
    """
    view = shown(schema, rows=ask.rows)
    now = [step.text for step in present]
    said = f"The present plan, which the message is about: {as_line(now)}" if now else ""
    asked = [
        SystemMessage(render("supervisor", columns=view.text, present=said, most=str(MOST_STEPS))),
        HumanMessage(text[:MOST_OF_A_MESSAGE]),
    ]
    source = " ".join([text, *now])
    heard = await ask.decide("reasoning", asked, Planned, lambda it: objection(it, source), about=view)
    if heard.value is None:
        return None, f"{heard.trouble} The message is taken for one request."
    steps = heard.value.steps
    if len(steps) < 2 and not present:
        return None, ""
    texts = [(_clean(step.text), kind_of(_clean(step.text), schema) or step.kind) for step in steps]
    needs = [[number - 1 for number in step.needs] for step in steps]
    plan = drawn_up(texts, heard.who, needs)
    return plan.model_copy(update={"reason": in_line(heard.value.reason)}), ""


def objection(said: Planned, source: str) -> str:
    """What cannot be a plan for this message; "" when it can."""
    if not 1 <= len(said.steps) <= MOST_STEPS:
        return f"steps: give 1 to {MOST_STEPS}"
    for number, step in enumerate(said.steps, start=1):
        text = _clean(step.text)
        if not text or len(text) > MOST_CHARACTERS:
            return f"steps: number {number} needs a text of at most {MOST_CHARACTERS:,} letters"
        if any(not 1 <= one < number for one in step.needs):
            return f"steps: number {number} can only need earlier ones"
        if _share_of_own_words(text, source) < OWN_WORDS:
            return f"steps: number {number} says what the person did not; use their words"
    if len({_clean(step.text).casefold() for step in said.steps}) < len(said.steps):
        return "steps: one is there twice"
    return ""


def _share_of_own_words(text: str, source: str) -> float:
    """By pairs of letters, since not every language has blanks between its words."""
    mine = _pairs(text)
    return len(mine & _pairs(source)) / len(mine) if mine else 0.0


def _pairs(text: str) -> set[str]:
    letters = "".join(letter for letter in text.casefold() if letter.isalnum())
    return {letters[at : at + 2] for at in range(max(1, len(letters) - 1))} if letters else set()


def _clean(text: str) -> str:
    return " ".join(text.split())
