"""The parser's second mind: asked only where the expert understood nothing or would have to ask the user.

What it proposes is a request for a model over columns that exist; everything else it says changes nothing. So a model
that is weak or lies can at most name a column that the user sees and corrects at the contract gate.
"""

from typing import Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.language.filling import Outcome, fitting_metric
from agents.llm.egress import shown
from agents.llm.spending import Spending
from agents.models import Models, Told
from agents.state import Question, Request
from prompts.render import render
from tools.metrics import METRICS
from tools.schema import Schema


class Understood(BaseModel):
    """What the user wants, as far as this table can give it."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one sentence, which words of the user point to which column")
    answerable: bool = Field(description="false when no column of the table holds what the user wants to predict")
    missing: str = Field(description="when not answerable: what the table would need; otherwise empty")
    target: str | None = Field(description="name of the column to predict, exactly as in the list")
    exclude: list[str] = Field(description="names of columns that the user does not want to be used")
    task: Literal["classification", "regression"] | None = Field(description="only when the user says so")
    metric: str | None = Field(description="only when the user names a measure; one of the listed names")


def in_doubt(understood: Outcome) -> bool:
    """Whether the expert would ask, or has not understood a word."""
    if isinstance(understood, Question):
        return understood.field == "target"
    at_a_loss = render("not_understood", said="\n", example="").split("\n", 1)[0]
    return understood.kind == "unsupported" and understood.reply.startswith(at_a_loss)


async def understand(
    text: str, schema: Schema, understood: Outcome, models: Models, spending: Spending, tell: Told
) -> tuple[Outcome, str]:
    """The request that the model makes of the sentence; the expert's own outcome where it makes none that holds.

    Also why the expert decides, in one sentence; "" when it does not.
    """
    near = understood.choices if isinstance(understood, Question) else ()
    view = shown(schema, near)
    asked = [
        SystemMessage(render("parser", metrics=", ".join(METRICS), columns=view.text)),
        HumanMessage(text[:4000]),
    ]
    found = await models.decide(
        "reasoning", asked, Understood, spending, check=lambda it: objection(it, schema), tell=tell
    )
    if found.value is None:
        return understood, f"{found.trouble} The built-in expert decides."
    if not found.value.answerable:
        return understood, f"{found.endpoint} finds no column for this: {' '.join(found.value.missing.split())[:200]}"
    return _as_request(found.value, text, schema, understood, found.endpoint), ""


def objection(said: Understood, schema: Schema) -> str:
    """What contradicts the table; "" when nothing does."""
    if not said.answerable:
        return "" if said.missing.strip() else "missing: say what the table would need"
    if said.target is None or schema.get(said.target) is None:
        return f"target: there is no column {said.target!r}; give a name from the list, or answerable: false"
    if unknown := [name for name in said.exclude if schema.get(name) is None]:
        return f"exclude: there is no column {unknown[0]!r}"
    column = schema.get(said.target)
    if column is not None and column.role in ("constant", "empty"):
        return f"target: {said.target!r} has only one value, nothing can be predicted of it"
    if said.metric is not None and said.metric not in METRICS:
        return f"metric: {said.metric!r} is none of the listed names"
    return ""


def _as_request(said: Understood, text: str, schema: Schema, understood: Outcome, who: str) -> Request:
    base = understood.so_far if isinstance(understood, Question) else Request(kind="model", text=text)
    sentence = f"I take “{said.target}” to be what you mean ({who}: {' '.join(said.reason.split())[:200]})."
    return fitting_metric(
        base.model_copy(
            update={
                "kind": base.kind if base.kind in ("model", "revise") else "model",
                "text": text,
                "target": said.target,
                "task": said.task or base.task,
                "metric": said.metric or base.metric,
                "exclude": tuple(dict.fromkeys([*base.exclude, *(n for n in said.exclude if n != said.target)])),
                "include": tuple(name for name in base.include if name != said.target),
                "assumptions": (sentence, *base.assumptions),
            }
        ),
        schema,
    )
