"""A request in one sentence, then its assumptions."""

from collections.abc import Callable

from agents.language.models import with_words
from agents.language.time_limit import duration
from agents.language.words import quoted
from agents.state import Request
from tools.schema import Schema


def summary(request: Request, schema: Schema) -> str:
    """What will be done, in one sentence, then the assumptions."""
    if request.kind in ("help", "unsupported"):
        return request.reply
    if request.kind == "prepare":
        return "I will say how a model's script prepares the columns."
    if request.kind == "analyse":
        return "I will have a script answer this from the data."
    if request.kind == "profile":
        return "I will describe the table."
    if request.kind == "why":
        return f"I will explain the result for “{request.target}”."
    if request.kind == "explain":
        return f"I will ask the model of “{request.target}” what it relies on."
    wishes = [piece for describe in _PIECES if (piece := describe(request, schema))]
    start = f"I will predict “{request.target}”{_values_of(request, schema)} from {_features(request, schema)}"
    sentence = ", ".join([start, *wishes]) + "."
    return " ".join([sentence, *request.assumptions])


def _values_of(request: Request, schema: Schema) -> str:
    column = schema.get(request.target or "")
    if (
        column is None
        or request.task == "regression"
        or column.distinct is None
        or not 2 <= column.distinct <= 5
        or len(column.values) < column.distinct
    ):
        return ""
    return f" ({quoted(sorted(column.values), 'or')})"


def _features(request: Request, schema: Schema) -> str:
    if request.include:
        return (
            quoted(request.include) if len(request.include) <= 6 else f"{len(request.include)} columns that you named"
        )
    unfit = {column.name for column in schema.columns if column.role in ("id", "constant", "empty")}
    count = sum(
        1 for name in schema.names if name != request.target and name not in request.exclude and name not in unfit
    )
    return f"{count} column{'' if count == 1 else 's'}"


_PIECES: tuple[Callable[[Request, Schema], str], ...] = (
    lambda request, _: (
        f"without {quoted(request.exclude)}"
        if 0 < len(request.exclude) <= 6
        else f"without {len(request.exclude)} columns"
        if request.exclude
        else ""
    ),
    lambda request, _: {
        "regression": "as a number",
        "binary": "as two classes",
        "multiclass": "as classes",
        "classification": "as classes",
    }.get(request.task or "", ""),
    lambda request, _: f"with “{request.positive_class}” as the positive class" if request.positive_class else "",
    lambda request, _: f"judged by {request.metric}" if request.metric else "",
    lambda request, _: (
        {
            "time": "held out by time",
            "group": "held out by group",
            "random": "held out at random",
            "stratified": "held out with equal shares of classes",
            "predefined": "held out as the table marks it",
        }.get(request.split_rule or "", "")
        + (f" (“{request.split_column}”)" if request.split_column else "")
    ),
    lambda request, _: f"with {quoted(request.candidates)} only" if request.candidates else "",
    lambda request, _: with_words(request.model),
    lambda request, _: {
        "compact": "small and fast",
        "explainable": "so that a person can read it",
        "best": "as good as possible",
    }.get(request.profile or "", ""),
    lambda request, _: f"with costs {request.costs.replace(',', ', ')}" if request.costs else "",
    lambda request, _: f"in at most {duration(request.budget_seconds)}" if request.budget_seconds else "",
)
