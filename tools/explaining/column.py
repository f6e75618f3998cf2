"""How does a column influence the answer? Partial dependence (Friedman 2001) and single curves (ICE, Goldstein 2015).

Every row is asked about again with the column set to one value after another. The band is a 95 % interval of the mean
over the rows asked; what the model itself is unsure of is not in it. Values are ones that training rows have.
"""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from tools.explaining.asking import ExplainError, Model, Quantity, piled, quantity
from tools.explaining.background import Background
from tools.explaining.row import shown
from tools.metrics import Array
from tools.predictions import Predictions
from tools.reference import numbers

GRID = 20
"""Values of a number or date."""
MOST_LEVELS = 12
ROWS = 200
MOST_LINES = 30
_REACH = 1.96

Kind = Literal["number", "date", "category"]


class Point(BaseModel):
    """The answers when every row has this value."""

    model_config = ConfigDict(frozen=True)

    value: str
    at: float | None
    """Place on the axis: the number, days since 1970 for dates; None for categories."""
    mean: float
    ci_low: float
    ci_high: float
    low: float
    """A tenth of the rows have an answer below."""
    high: float


class Dependence(BaseModel):
    """One column."""

    model_config = ConfigDict(frozen=True)

    column: str
    kind: Kind
    of: str
    points: tuple[Point, ...]
    lines: tuple[tuple[float, ...], ...] = ()
    """Single rows, an answer per point."""
    rows: int
    sentence: str


async def dependence(model: Model, column: str, rows: pa.Table, background: Background) -> Dependence:
    """Ask about `rows` (their features) with the values of `column` that the background has.

    Raises `ExplainError` for a column that the model does not use, for text, and where there is but one value.
    """
    kind = _kind(model, column)
    values = _values(background.rows.column(column), kind)
    if len(values) < 2:
        raise ExplainError(f"The training rows hold fewer than two values of “{column}”, so nothing can be varied.")
    sample = rows.slice(0, ROWS)
    pile = piled([sample, background.rows.take(pa.array(values))], model.contract)
    count, place = len(sample), model.features.index(column)
    source = np.tile(np.arange(count)[:, None], (len(values), len(model.features)))
    source[:, place] = np.repeat(np.arange(count, count + len(values)), count)
    said = await model.said(pile, source)
    what = _most_moved(model, said, len(values))
    lines = what.of(said).reshape(len(values), count)
    grid = background.rows.column(column).take(pa.array(values))
    points = _points(grid, kind, lines)
    return Dependence(
        column=column,
        kind=kind,
        of=what.label,
        points=points,
        lines=tuple(tuple(float(one) for one in lines[:, row]) for row in range(min(MOST_LINES, count))),
        rows=count,
        sentence=_sentence(column, kind, points, what),
    )


def _kind(model: Model, column: str) -> Kind:
    if column not in model.features:
        known = ", ".join(f"“{name}”" for name in model.features[:12])
        raise ExplainError(f"The model does not use “{column}”; it uses {known}.")
    match model.role(column):
        case "number" | "date" as kind:
            return kind
        case "text" | "id":
            raise ExplainError(
                f"“{column}” is free text, which has no order and no fixed values to vary; its weight as a whole is in "
                "the explanation of the model."
            )
        case _:
            return "category"


def _values(column: pa.ChunkedArray, kind: Kind) -> list[int]:
    """Rows of the background that hold the values to ask about."""
    if kind == "category":
        return _levels(column)
    found = numbers(column, kind)
    there = np.flatnonzero(~np.isnan(found))
    if not len(there):
        return []
    ordered = there[np.argsort(found[there], kind="stable")]
    inner = ordered[int(0.01 * len(ordered)) : len(ordered) - int(0.01 * len(ordered))]
    _, first = np.unique(found[inner], return_index=True)
    distinct = inner[first]
    picked = np.unique(np.round(np.linspace(0, len(distinct) - 1, GRID)).astype(int))
    if len(distinct) > GRID:
        quantiles = inner[np.round(np.linspace(0, len(inner) - 1, GRID)).astype(int)]
        _, once = np.unique(found[quantiles], return_index=True)
        return [int(place) for place in quantiles[once]]
    return [int(place) for place in distinct[picked]]


def _levels(column: pa.ChunkedArray) -> list[int]:
    """The first row of each of the most frequent categories, the most frequent first."""
    whole = column.combine_chunks()
    counted = sorted(
        pc.value_counts(whole.drop_null()).to_pylist(), key=lambda one: (-one["counts"], str(one["values"]))
    )
    return [int(pc.index(whole, one["values"]).as_py()) for one in counted[:MOST_LEVELS]]


def _most_moved(model: Model, said: Predictions, values: int) -> Quantity:
    """What is shown; of several classes the one whose chance moves most."""
    if model.contract.task != "multiclass":
        return quantity(model.contract, said)
    each = [quantity(model.contract, said, code) for code in range(len(model.contract.classes))]
    spread = [float(np.ptp(what.of(said).reshape(values, -1).mean(axis=1))) for what in each]
    return each[int(np.argmax(spread))]


def _points(grid: pa.ChunkedArray, kind: Kind, lines: Array) -> tuple[Point, ...]:
    places = numbers(grid, kind) if kind != "category" else None
    reach = _REACH * lines.std(axis=1, ddof=1) / np.sqrt(lines.shape[1]) if lines.shape[1] > 1 else np.zeros(len(lines))
    low, high = np.percentile(lines, [10, 90], axis=1)
    return tuple(
        Point(
            value=shown(value),
            at=None if places is None else float(places[number]),
            mean=float(lines[number].mean()),
            ci_low=float(lines[number].mean() - reach[number]),
            ci_high=float(lines[number].mean() + reach[number]),
            low=float(low[number]),
            high=float(high[number]),
        )
        for number, value in enumerate(grid.to_pylist())
    )


def _sentence(column: str, kind: Kind, points: tuple[Point, ...], what: Quantity) -> str:
    best, worst = max(points, key=lambda one: one.mean), min(points, key=lambda one: one.mean)
    if best.mean - worst.mean < 0.005 * max(abs(best.mean), abs(worst.mean), 1e-12):
        return f"“{column}” alone hardly moves {what.label}: it stays near {what.shown(best.mean)} whatever the value."
    if kind == "category":
        return (
            f"On average {what.label} is highest where “{column}” is “{best.value}” ({what.shown(best.mean)}) and "
            f"lowest where it is “{worst.value}” ({what.shown(worst.mean)})."
        )
    first, last = points[0], points[-1]
    span = f"from {first.value} to {last.value}"
    if {best, worst} == {first, last}:
        way = "rises" if last.mean > first.mean else "falls"
        ends = f"from {what.shown(first.mean)} to {what.shown(last.mean)}"
        return f"As “{column}” goes {span}, {what.label} {way} on average {ends}{_steady(points)}."
    return (
        f"As “{column}” goes {span}, {what.label} is highest near {best.value} ({what.shown(best.mean)}) and "
        f"lowest near {worst.value} ({what.shown(worst.mean)})."
    )


def _steady(points: tuple[Point, ...]) -> str:
    """Where most of the way is gone in one step, that is said."""
    means = np.array([point.mean for point in points])
    steps = np.abs(np.diff(means))
    place = int(steps.argmax())
    if len(steps) < 4 or steps[place] < 0.5 * abs(means[-1] - means[0]):
        return ""
    return f", most of it between {points[place].value} and {points[place + 1].value}"
