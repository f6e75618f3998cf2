"""The parser's second mind: asked where the expert understood nothing, would have to ask, or cannot read it.

What it proposes is a request over columns that exist and that a plan can be made of (reading.py holds it); everything
else it says changes nothing. So a model that is weak or lies can at most name a column that the user sees and corrects
at the contract gate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import ConfigDict, Field, model_validator

from agents.language.filling import Outcome
from agents.language.intents import NO_ANALYSES
from agents.language.replies import small_talk, spoken, suggestion
from agents.language.tongue import is_foreign, named_columns
from agents.llm.egress import as_line, shown
from agents.minds.asking import Asker, in_line
from agents.minds.reading import Wanted, objection, which_of, wished
from agents.state import Explain, Question, Request
from prompts.render import render
from tools.metrics import METRICS
from tools.schema import Schema

MOST_CHARACTERS = 4_000
"""Of a message that a model is given."""
MODELLING = ("model", "revise")
AT_A_LOSS = render("not_understood", said="\n", example="").split("\n", 1)[0]
"""How the expert begins when it has not understood a word."""


class Understood(Wanted):
    """What the person wants, as far as this table can give it."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one sentence, which words point to which column or wish")
    missing: str = Field(description="when unsupported: what the table would need, in English; otherwise empty")
    question: str = Field(description="when two columns fit equally well: the question; otherwise empty")
    choices: list[str] = Field(description="the columns that the question is about, names exactly as in the list")
    kind: Literal[
        "model", "revise", "why", "explain", "profile", "analyse", "several", "help", "unsupported"
    ]  # after the reasons, so that they come first in the answer
    target: str | None = Field(description="the column to predict, name exactly as in the list")
    exclude: list[str] = Field(description="columns that are not to be used")
    use_again: list[str] = Field(description="columns that were left out and are to be used again")
    include: list[str] = Field(description="the only columns to be used, where the person names them")
    task: Literal["classification", "regression"] | None
    positive_class: str | None = Field(description="the class that matters, in the person's own word")
    metric: str | None = Field(description="one of the listed measures")
    split_rule: Literal["random", "stratified", "time", "group"] | None
    split_column: str | None = Field(description="for time: what says when; for group: what rows share")
    budget_seconds: float | None = Field(description="how long it may take")
    profile: Literal["best", "compact", "explainable"] | None
    row: int | None = Field(description="for explain: the number of the row")
    column: str | None = Field(description="for explain: the column")

    @model_validator(mode="before")
    @classmethod
    def _nothing_said(cls, value: Any) -> Any:
        """What a model leaves out it has nothing to say about; defaults in the form would be refused by servers."""
        if not isinstance(value, dict):
            return value
        kind = "unsupported" if value.get("answerable") is False else "model"
        empty: dict[str, Any] = dict.fromkeys(cls.model_fields)
        empty |= {"reason": "", "missing": "", "question": "", "kind": kind}
        empty |= {"choices": [], "exclude": [], "use_again": [], "include": []}
        return {**empty, **{name: said for name, said in value.items() if said is not None}}


@dataclass(frozen=True)
class Reading:
    """What is made of a message."""

    outcome: Outcome
    said: str = ""
    """One sentence why the expert decides, where it does."""
    several: bool = False
    """The model takes it for several requests."""


def in_doubt(understood: Outcome, text: str = "", schema: Schema | None = None) -> bool:
    """Whether the expert would ask, has not understood a word, or reads a language that it does not know."""
    if isinstance(understood, Question) or understood.kind == "unsupported":
        return isinstance(understood, Question) or understood.reply.startswith(AT_A_LOSS) or _foreign(text, schema)
    return understood.kind in (*MODELLING, "profile", "help") and _foreign(text, schema)


def _foreign(text: str, schema: Schema | None) -> bool:
    return schema is not None and is_foreign(text, schema)


async def understand(
    text: str,
    schema: Schema,
    understood: Outcome,
    ask: Asker,
    earlier: Request | None = None,
    *,
    answers: bool = False,
    can_be_planned: Callable[[Request], bool] = lambda _: True,
) -> Reading:
    """What the model makes of the message; the expert's own outcome where it makes nothing that holds.

    `earlier`: the request that the message may change. `answers`: the message is the answer to the question that
    `understood` is. `can_be_planned`: a plan can be made of the request.
    """
    near = understood.choices if isinstance(understood, Question) else ()
    view = shown(schema, near, ask.rows)
    before = _told_question(near) if answers else _told_earlier(earlier)
    asked = [
        SystemMessage(render("parser", metrics=", ".join(METRICS), columns=view.text, earlier=before)),
        HumanMessage(text[:MOST_CHARACTERS]),
    ]
    heard = await ask.decide("reasoning", asked, Understood, lambda it: objection(it, schema, earlier), about=view)
    if heard.value is None:
        return Reading(understood, f"{heard.trouble} The built-in expert decides.")
    if heard.value.kind == "several":
        return Reading(understood, several=True)
    found = _made_of(heard.value, heard.who, text, schema, understood, earlier)
    if isinstance(found, str):
        return Reading(understood, found)
    if isinstance(found, Request) and found.kind in MODELLING and not can_be_planned(found):
        return Reading(understood, f"No plan can be made of what {heard.who} understood. The built-in expert decides.")
    return Reading(found)


def _told_question(choices: tuple[str, ...]) -> str:
    """That the person was asked for the target, among columns; the words of the question are ours and say no more."""
    listed = as_line(choices)
    return f"The program has asked which column to predict, and offered these in order: {listed}. This is the answer."


def _told_earlier(earlier: Request | None) -> str:
    """The request that a correction is about: names of columns and wishes, never a value of a cell."""
    if earlier is None or earlier.target is None:
        return "There is no earlier request."
    told = {
        "target": earlier.target,
        "not_used": earlier.exclude,
        "only_used": earlier.include,
        "task": earlier.task,
        "metric": earlier.metric,
        "split": earlier.split_rule,
        "split_column": earlier.split_column,
        "budget_seconds": earlier.budget_seconds,
        "profile": earlier.profile,
        "other_columns_that_were_meant_perhaps": earlier.alternatives,
    }
    known = {name: value for name, value in told.items() if value}
    return f"The earlier request, as JSON: {as_line(known)}"


def _made_of(
    said: Understood, who: str, text: str, schema: Schema, understood: Outcome, earlier: Request | None
) -> Outcome | str:
    """The outcome, or why the expert's stands in one sentence."""
    sure = _named_target(understood, text, schema)
    elsewhere = (*said.exclude, *said.use_again, *said.include)
    if earlier is not None and earlier.target != sure and said.kind in MODELLING and sure in elsewhere:
        sure = None  # the model has heard the name, in another part than the expert gave it
    if said.kind == "unsupported":
        return _abstained(said, who, text, schema, understood)
    if said.kind in MODELLING:
        if said.question and not sure:
            return which_of(said, text, schema, understood, earlier)
        if sure and said.target not in (None, *named_columns(text, schema)):
            return f"{who} takes another column than the one that you name. The built-in expert decides."
        if said.question:
            return f"{who} would ask which column is meant. You name “{sure}”."
        return wished(said, who, text, schema, understood, earlier)
    if sure:
        return f"{who} sees no request for a model in this, but you name “{sure}”. The built-in expert decides."
    return _in_words(said, text, schema, earlier)


def _named_target(understood: Outcome, text: str, schema: Schema) -> str | None:
    """The target that the expert found, where it stands in the message by its very name."""
    found = isinstance(understood, Request) and understood.kind in MODELLING and understood.target
    return found if found and found in named_columns(text, schema) else None


def _abstained(said: Understood, who: str, text: str, schema: Schema, understood: Outcome) -> Outcome | str:
    """No model is promised that the table cannot give; what the expert would have asked is asked all the same."""
    missing = in_line(said.missing, 300)
    if isinstance(understood, Question):
        question = f"This table cannot answer that, as {who} reads it: {missing}. {understood.text}"
        return understood.model_copy(update={"text": question})
    if understood.kind in MODELLING and _named_target(understood, text, schema):
        return f"{who} finds no column for this ({missing}), but you name one. The built-in expert decides."
    reply = render("cannot_answer", who=who, missing=missing, example=suggestion(schema))
    return spoken("unsupported", text, reply)


def _in_words(said: Understood, text: str, schema: Schema, earlier: Request | None) -> Request:
    """What is answered, not trained."""
    match said.kind:
        case "why":
            return small_talk("why", text, schema, earlier)
        case "profile":
            return small_talk("profile", text, schema, earlier)
        case "explain" if earlier is not None:
            return spoken("explain", text, "", earlier).model_copy(update={"explain": _explain(said)})
        case "analyse":
            reply = render("unsupported", cannot=NO_ANALYSES, example=suggestion(schema))
            return spoken("unsupported", text, reply)
        case _:
            return small_talk("help", text, schema, earlier)


def _explain(said: Understood) -> Explain:
    if said.row is not None:
        return Explain(about="row", row=said.row)
    return Explain(about="column", columns=(said.column,)) if said.column else Explain(about="model")
