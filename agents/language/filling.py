"""Fills the fields of a request from a reading; asks where no value is honest."""

import re

from agents.language.columns import ColumnIndex
from agents.language.reading import Reading, looks_like_time
from agents.language.target import MOST_CHOICES, Target, names_of, ranked
from agents.language.values import value_of
from agents.state import Question, Request
from tools.contract import Task
from tools.metrics import METRICS, default_metric
from tools.schema import Schema, SchemaColumn

_I = re.IGNORECASE
_MARKS = " .,;:?!\"'"
_OR_NOT = re.compile(r"\bor\s+not\b", _I)
_WHETHER = re.compile(r"^(?:will\b|if\b|whether\b)|\b(?:if|whether)(?:\s+or\s+not)?$", _I)
SURELY_NUMBERS = 50
"""A column with more different numbers is not taken for classes."""
Outcome = Request | Question


def filled(base: Request, reading: Reading, schema: Schema) -> Request:
    """Everything but the target, for a request that starts anew."""
    said = list(reading.assumptions)
    said += [*reading.exclude.assumptions, *reading.include.assumptions, *reading.restore.assumptions]
    said += [
        f"No column is like “{reading.marked.spoken(name)}”, so nothing is left out for it."
        for name in reading.exclude.unknown
    ]
    said += [
        f"No column is like “{reading.marked.spoken(name)}”, so it cannot be used." for name in reading.include.unknown
    ]
    if reading.odd_metric:
        said.append(
            f"“{reading.marked.spoken(reading.odd_metric)}” is no measure that I know, so I judge by the usual "
            f"one for the task."
        )
    return base.model_copy(
        update={
            "exclude": tuple(name for name in reading.exclude.names if name not in reading.restore.names),
            "include": tuple(name for name in reading.include.names if name not in reading.exclude.names),
            "metric": reading.metric,
            "budget_seconds": reading.budget_seconds,
            "candidates": reading.candidates or (),
            "model": reading.model,
            "profile": reading.profile,
            "split_rule": reading.split_rule,
            "split_column": reading.split_columns[0] if len(reading.split_columns) == 1 else None,
            "holdout_fraction": reading.holdout_fraction,
            "seed": reading.seed,
            "assumptions": tuple(said),
        }
    )


def complete(base: Request, target: Target, reading: Reading, schema: Schema) -> Outcome:
    """Put the target in and settle what depends on it; may end in a question about the split or the positive class."""
    assert target.column is not None
    said = [*target.assumptions, *base.assumptions]
    exclude = tuple(name for name in base.exclude if name != target.column)
    if target.column in base.exclude:
        said.append(f"“{target.column}” is what I predict, so it is no feature anyway.")
    request = base.model_copy(
        update={
            "target": target.column,
            "exclude": exclude,
            "include": tuple(name for name in base.include if name != target.column),
            "task": _task(reading, target.column, schema) or base.task,
            "alternatives": target.alternatives,
            "assumptions": tuple(dict.fromkeys(said)),
        }
    )
    request = _with_positive(request, target, reading, schema)
    request = fitting_metric(_not_whether(request, reading, schema), schema)
    return _with_split(request, reading, schema)


def _not_whether(request: Request, reading: Reading, schema: Schema) -> Request:
    """ "will they tip or not?" over amounts: how much is predicted, not whether."""
    column = schema.get(request.target or "")
    asked = _OR_NOT.search(request.text) or any(_WHETHER.search(clause.cue) for clause in reading.targets[:1])
    if not asked or column is None or not _is_amount(column):
        return request
    said = f"“{column.name}” holds numbers, so I predict how much, not whether."
    return request.model_copy(update={"assumptions": (*request.assumptions, said)})


def _task(reading: Reading, name: str, schema: Schema) -> str | None:
    """A wish as words or as the verb: classify, regress."""
    wish = reading.task
    cues = " ".join(clause.cue for clause in reading.targets)
    if wish is None and re.search(r"\bclassif|\bcategori[sz]e", cues):
        wish = "classes"
    if wish is None and re.search(r"\bregress", cues):
        wish = "regression"
    if wish != "classes":
        return wish
    column = schema.get(name)
    if column is None or column.distinct is None:
        return "classification"
    return "binary" if column.distinct == 2 else "multiclass"


def _with_positive(request: Request, target: Target, reading: Reading, schema: Schema) -> Request:
    column = schema.get(request.target or "")
    if column is None:
        return request
    named, said = reading.positive or (None, target.value)
    if said is None:
        return request
    if named is not None and named != column.name:
        sentence = f"I do not filter rows yet, so rows with any value of “{named}” are used."
        return request.model_copy(update={"assumptions": (*request.assumptions, sentence)})
    value = value_of(column, said) or (said if named is not None else None)
    if value is not None and value.casefold() != said.strip(" .\"'").casefold():
        sentence = f"I take “{said}” to mean the value “{value}” of “{column.name}”."
        request = request.model_copy(update={"assumptions": (*request.assumptions, sentence)})
    if value is None:
        sentence = f"“{said}” is no value of “{column.name}” that I know, so I choose the positive class myself."
        return request.model_copy(update={"assumptions": (*request.assumptions, sentence)})
    return request.model_copy(update={"positive_class": value})


def times(schema: Schema, target: str | None) -> tuple[str, ...]:
    """Columns that say when: dates if there are any, otherwise columns with such a name."""
    found = [column for column in schema.columns if looks_like_time(column) and column.name != target]
    return tuple(column.name for column in found if column.role == "date") or tuple(column.name for column in found)


def _with_split(request: Request, reading: Reading, schema: Schema) -> Outcome:
    """Settle the column of a split by time or group; a question when several would do."""
    if request.split_rule not in ("time", "group") or request.split_column is not None:
        return request
    found = reading.split_columns or (times(schema, request.target) if request.split_rule == "time" else ())
    if len(found) > 1:
        ask = "says when a row happened" if request.split_rule == "time" else "tells which rows belong together"
        return Question(
            text=f"Which column {ask}: {names_of(found[:6])}?", choices=found[:6], field="split_column", so_far=request
        )
    if found:
        said = f"“{found[0]}” says when a row happened, so I split by it."
        return request.model_copy(update={"split_column": found[0], "assumptions": (*request.assumptions, said)})
    said = "No column says when a row happened, so the rows cannot be split by time; I choose the split myself."
    return request.model_copy(update={"split_rule": None, "assumptions": (*request.assumptions, said)})


def which_target(base: Request, target: Target, schema: Schema) -> Question:
    if target.several:
        text = f"I predict one column at a time. Which one first: {names_of(target.choices)}?"
    else:
        text = (
            f"“{target.said.strip(_MARKS)}” fits {len(target.choices)} columns equally well. Which one should I "
            f"predict: {names_of(target.choices)}?"
        )
    return Question(text=text, choices=target.choices, field="target", so_far=base)


def named_nothing(base: Request, target: Target, index: ColumnIndex) -> Question:
    """Words for a target that fit no column: we ask, and offer first what comes near."""
    near = tuple(match.column for match in index.find(target.said, for_target=True) if match.how != "value")
    usual = (*near, *ranked(index.schema, base.exclude))
    choices = tuple(dict.fromkeys(name for name in usual if name not in base.exclude))[:MOST_CHOICES]
    text = f"I find no column for “{target.said.strip(_MARKS)}”. Which column should I predict?"
    if re.fullmatch(r"(?:everything|all(?:\s+(?:the\s+)?columns)?|anything)", target.said.strip(), _I):
        text = "I predict one column at a time. Which one first?"
    return Question(text=text, choices=choices, field="target", so_far=base)


def fitting_metric(request: Request, schema: Schema) -> Request:
    """The request without a measure that cannot judge its target; what is used instead is said."""
    if request.metric is None:
        return request
    column, measure = schema.get(request.target or ""), METRICS[request.metric]
    if request.task is None and column is not None and "regression" in measure.tasks and _is_coded(column):
        said = f"{measure.label} judges numbers, so I predict “{column.name}” as a number."
        return request.model_copy(update={"task": "regression", "assumptions": (*request.assumptions, said)})
    kind = _kind_of(request, column)
    if kind is None or kind in measure.tasks:
        return request
    usual = METRICS[default_metric(kind)[0]].label
    rare = f", or by {METRICS['average_precision'].label} if one class is rare," if kind == "binary" else ""
    said = (
        f"{measure.label} does not fit “{request.target}”, whose values are "
        f"{'numbers' if kind == 'regression' else 'classes'}, so I judge by {usual}{rare} instead."
    )
    return request.model_copy(update={"metric": None, "assumptions": (*request.assumptions, said)})


def _is_amount(column: SchemaColumn) -> bool:
    return column.role == "number" and (column.distinct is None or column.distinct > SURELY_NUMBERS)


def _is_coded(column: SchemaColumn) -> bool:
    """Numbers that could be classes or numbers: grades, codes, counts."""
    numeric = column.type in ("integer", "number") or (bool(column.values) and all(map(_is_number, column.values)))
    return numeric and column.role in ("number", "category") and 2 < (column.distinct or 0) <= SURELY_NUMBERS


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(?:\.\d+)?", text))


def _kind_of(request: Request, column: SchemaColumn | None) -> Task | None:
    """The task, as far as the look of the target settles it."""
    if request.task in ("binary", "multiclass", "regression"):
        return request.task
    if column is None:
        return None
    if column.distinct == 2:
        return "binary"
    if _is_amount(column):
        return "regression"
    return "multiclass" if column.role == "category" and not _is_coded(column) else None
