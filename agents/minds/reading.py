"""What a model says of a wish, held against the table and made into a `Request`. Nothing here asks anybody."""

import re
from typing import Literal

from pydantic import BaseModel

from agents.language.filling import Outcome, fitting_metric
from agents.language.values import value_of
from agents.minds.asking import in_line
from agents.state import Question, Request
from tools.metrics import METRICS
from tools.schema import Schema

LEAST_SECONDS, MOST_SECONDS = 1.0, 86_400.0
UNSAID_SECONDS = 600.0
"""A longer time has to stand in the message as a number."""
USELESS = ("constant", "empty")


class Wanted(BaseModel):
    """The fields of an answer that this file holds against the table."""

    reason: str
    missing: str
    question: str
    choices: list[str]
    kind: str
    target: str | None
    exclude: list[str]
    use_again: list[str]
    include: list[str]
    task: Literal["classification", "regression"] | None
    positive_class: str | None
    metric: str | None
    split_rule: Literal["random", "stratified", "time", "group"] | None
    split_column: str | None
    budget_seconds: float | None
    profile: Literal["best", "compact", "explainable"] | None
    row: int | None
    column: str | None


def objection(said: Wanted, schema: Schema, earlier: Request | None) -> str:
    """What contradicts the table; "" when nothing does. Names columns that the model gave, never a value."""
    if said.kind in ("several", "profile", "analyse", "help"):
        return ""
    if said.kind == "unsupported":
        return "" if said.missing.strip() else "missing: say what the table would need"
    if said.kind in ("revise", "why", "explain") and earlier is None:
        return f"kind: nothing was asked for before, so {said.kind!r} cannot be meant"
    if said.kind == "why":
        return ""
    if said.kind == "explain":
        return _unknown("column", [said.column] if said.column else [], schema) or _row(said, schema)
    if said.question.strip():
        unknown = _unknown("choices", said.choices, schema)
        return unknown or ("" if len(set(said.choices)) > 1 else "choices: name the columns between which you doubt")
    return _target(said, schema, earlier) or _wishes(said, schema, earlier)


def _target(said: Wanted, schema: Schema, earlier: Request | None) -> str:
    if said.target is None and said.kind == "revise":
        return ""
    column = schema.get(said.target or "")
    if column is None:
        return f"target: there is no column {said.target!r}; give a name from the list, or the kind unsupported"
    if column.role in USELESS:
        return f"target: {said.target!r} has only one value, nothing can be predicted of it"
    return ""


def _wishes(said: Wanted, schema: Schema, earlier: Request | None) -> str:
    for field, names in (("exclude", said.exclude), ("use_again", said.use_again), ("include", said.include)):
        if unknown := _unknown(field, names, schema):
            return unknown
    if said.metric is not None and said.metric not in METRICS:
        return f"metric: {said.metric!r} is none of the listed names"
    if said.split_rule in ("time", "group") and schema.get(said.split_column or "") is None:
        return f"split_column: the rule {said.split_rule!r} needs the name of a column from the list"
    if said.budget_seconds is not None and not LEAST_SECONDS <= said.budget_seconds <= MOST_SECONDS:
        return "budget_seconds: give seconds from 1 to 86400, or null"
    target = said.target or (earlier.target if earlier else None)
    left = [one.name for one in schema.columns if one.name not in (target, *said.exclude) and one.role not in USELESS]
    return "" if left else "exclude: no column would be left to predict from"


def _unknown(field: str, names: list[str], schema: Schema) -> str:
    gone = [name for name in names if schema.get(name) is None]
    return f"{field}: there is no column {gone[0]!r}" if gone else ""


def _row(said: Wanted, schema: Schema) -> str:
    if said.row is None or (said.row >= 1 and (schema.rows is None or said.row <= schema.rows)):
        return ""
    return f"row: there is no row {said.row}"


def which_of(said: Wanted, text: str, schema: Schema, understood: Outcome, earlier: Request | None) -> Question:
    """Two honest readings: the user is asked, in the model's words and with columns that exist."""
    choices = tuple(dict.fromkeys(said.choices))
    so_far = _base(text, understood, earlier).model_copy(update={"target": None})
    return Question(text=in_line(said.question, 300) + "?", choices=choices, field="target", so_far=so_far)


def wished(said: Wanted, who: str, text: str, schema: Schema, understood: Outcome, earlier: Request | None) -> Request:
    """The request, with what was taken for what as an assumption that the user can correct."""
    base = _base(text, understood, earlier)
    target = said.target or base.target or (earlier.target if earlier else None)
    moved = earlier is not None and earlier.target is not None and earlier.target != target
    fresh = {"positive_class": None, "task": None, "metric": None} if moved else {}
    kept = [name for name in base.exclude if name not in said.use_again]
    named = tuple(dict.fromkeys(name for name in said.include if name != target))
    update = {
        **fresh,
        "target": target,
        "exclude": tuple(dict.fromkeys(name for name in [*kept, *said.exclude] if name != target)),
        "include": tuple(name for name in (named or base.include) if name not in (target, *said.exclude)),
        "alternatives": (earlier.target,) if moved and earlier and earlier.target else base.alternatives,
        "assumptions": tuple(dict.fromkeys([_taken(said, who, target, earlier), *base.assumptions])),
    }
    wishes = {
        "task": said.task,
        "metric": said.metric,
        "positive_class": _class(said, target, schema),
        "split_rule": said.split_rule,
        "split_column": said.split_column if said.split_rule in ("time", "group") else None,
        "budget_seconds": _seconds(said, text),
        "profile": said.profile,
    }
    given: dict[str, object] = {name: value for name, value in wishes.items() if value is not None}
    if said.split_rule is not None:
        given["split_column"] = wishes["split_column"]
    return fitting_metric(base.model_copy(update={**update, **given}), schema)


def _base(text: str, understood: Outcome, earlier: Request | None) -> Request:
    """What the message adds to: the request that the expert has begun, the earlier one, or a fresh one."""
    if isinstance(understood, Question):
        begun = understood.so_far
    elif earlier is not None and earlier.target is not None:
        begun = earlier.model_copy(update={"kind": "revise", "reply": "", "explain": None, "assumptions": ()})
    else:
        begun = understood if understood.kind in ("model", "revise") else Request(kind="model", text=text)
    return begun.model_copy(update={"text": text})


def _taken(said: Wanted, who: str, target: str | None, earlier: Request | None) -> str:
    why = f"({who}: {in_line(said.reason)})"
    if earlier is not None and earlier.target is not None:
        if earlier.target != target:
            return f"I predict “{target}” now instead of “{earlier.target}” {why}."
        return f"I change the earlier request for “{target}” as you say {why}."
    return f"I take “{target}” to be what you mean {why}."


def _class(said: Wanted, target: str | None, schema: Schema) -> str | None:
    """The class that the person's word means; looked up here, since no model is told what is in the cells."""
    column = schema.get(target or "")
    return value_of(column, said.positive_class) if column and said.positive_class else None


def _seconds(said: Wanted, text: str) -> float | None:
    """A time that the message says; without a number in it only a short one is believed."""
    seconds = said.budget_seconds
    if seconds is None or seconds <= UNSAID_SECONDS:
        return seconds
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]
    return seconds if any(seconds in (number, 60 * number, 3600 * number) for number in numbers) else None
