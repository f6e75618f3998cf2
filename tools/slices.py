"""Where does it fail? Errors on the sealed rows by value of a column and by quarter of a number, with sizes.

A slice is reported only when its mean error differs from that of the other rows beyond chance after Holm's correction
(1979) for all slices that were looked at, so that noise does not become a story.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tools.contract import Contract
from tools.measuring import positive
from tools.metrics import METRICS, Array
from tools.predictions import Predictions
from tools.resampling import Truth, redrawn_in

MOST_LEVELS = 12
FEWEST_ROWS = 25
FEWEST_UNITS = 12
"""Of a slice, inside and outside: fewer say nothing."""
MOST_COLUMNS = 60
MOST_REPORTED = 8
LEVEL = 0.05
NOTEWORTHY = 1.15
"""The error inside is at least this many times the one outside."""
MATTERS = 0.005
"""And larger by this much: of log-loss, of a share, or in standard deviations of the target; on a model that is nearly
perfect some group is always many times worse than others, and nobody would notice."""

Unit = Literal["log-loss", "wrong answers", "absolute error"]


class Slice(BaseModel):
    """Rows that have something in common."""

    model_config = ConfigDict(frozen=True)

    column: str
    rows_are: str
    """In words: “contract” is “month”, “age” from 61 to 80."""
    rows: int
    share: float
    error: float
    ci_low: float
    ci_high: float
    elsewhere: float
    """The same of all other rows."""
    p: float
    """Holm-corrected for all slices looked at."""


class Slices(BaseModel):
    """What was looked at, and what stands out."""

    model_config = ConfigDict(frozen=True)

    of: Unit
    """What `error` is a mean of."""
    looked_at: int
    failing: tuple[Slice, ...]
    """The largest error first."""
    table: tuple[Slice, ...]
    """The slices of the columns in which errors differ most, failing or not, for a look."""
    sentence: str


def slices(features: Path, truth: Truth, predictions: Predictions, contract: Contract) -> Slices:
    """By the features of the sealed rows (Parquet, in row order)."""
    unit, error = _error(truth, predictions, contract)
    blocks = redrawn_in(truth, contract).unit
    found = [
        one
        for column, words, inside in _candidates(features, contract)
        if (one := _measured(column, words, inside, error, blocks)) is not None
    ]
    corrected = _holm(found)
    least = MATTERS * (float(np.std(truth.codes)) if unit == "absolute error" else 1.0)
    failing = sorted(
        (
            one
            for one in corrected
            if one.p < LEVEL and one.error > max(NOTEWORTHY * one.elsewhere, one.elsewhere + least)
        ),
        key=lambda one: -one.error,
    )[:MOST_REPORTED]
    return Slices(
        of=unit,
        looked_at=len(found),
        failing=tuple(failing),
        table=tuple(sorted(corrected, key=lambda one: (one.p, -one.error))[: 2 * MOST_REPORTED]),
        sentence=_sentence(failing, len(found), unit),
    )


def _error(truth: Truth, predictions: Predictions, contract: Contract) -> tuple[Unit, Array]:
    """One number per row; larger is worse."""
    if contract.task == "regression":
        return "absolute error", np.abs(truth.codes - predictions.values)
    if predictions.probabilities is None:
        return "wrong answers", (truth.codes != predictions.values).astype(float)
    loss = METRICS["log_loss"].loss
    assert loss is not None, "log-loss is a mean of losses"
    if contract.task == "binary":
        code = positive(contract)
        return "log-loss", loss((truth.codes == code).astype(float), predictions.probabilities[:, code])
    return "log-loss", loss(truth.codes, predictions.probabilities)


def _candidates(features: Path, contract: Contract) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """(column, its rows in words, whether each row is one of them)."""
    roles = {plan.name: plan.role for plan in contract.columns if plan.use}
    there = [name for name in pq.read_schema(features).names if roles.get(name) in ("number", "category", "boolean")]
    table = pq.read_table(features, columns=there[:MOST_COLUMNS])
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        missing = np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)
        if missing.any():
            yield name, f"“{name}” is missing", missing
        levels = pc.value_counts(column.drop_null()).to_pylist()
        if 2 <= len(levels) <= MOST_LEVELS:
            for level in sorted((item["values"] for item in levels), key=str):
                yield name, f"“{name}” is “{_shown(level)}”", _equal(column, level)
        elif roles[name] == "number" and len(levels) > MOST_LEVELS:
            yield from _quarters(name, column)


def _shown(level: Any) -> str:
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)[:60]


def _equal(column: pa.Array, level: Any) -> NDArray[np.bool_]:
    same = pc.fill_null(pc.equal(column, pa.scalar(level, column.type)), False)
    return np.asarray(same.to_numpy(zero_copy_only=False), dtype=bool)


def _quarters(name: str, column: pa.Array) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    try:
        numbers = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return
    edges = np.unique(np.nanquantile(numbers[np.isfinite(numbers)], [0, 0.25, 0.5, 0.75, 1]))
    for place, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        last = place == len(edges) - 2
        inside = (numbers >= low) & ((numbers <= high) if last else (numbers < high))
        yield name, f"“{name}” is {low:,.4g} to {'' if last else 'under '}{high:,.4g}", inside


def _measured(
    column: str, words: str, inside: NDArray[np.bool_], error: Array, unit: NDArray[np.int64]
) -> Slice | None:
    """Difference of two means with an error by unit (linearised ratio means, as in survey statistics)."""
    rows = int(inside.sum())
    units = min(len(np.unique(unit[inside])), len(np.unique(unit[~inside])))
    if min(rows, len(error) - rows) < FEWEST_ROWS or units < FEWEST_UNITS:
        return None
    here, elsewhere = float(error[inside].mean()), float(error[~inside].mean())
    spread_here = _standard_error(np.where(inside, error - here, 0.0) / rows, unit)
    pull = np.where(inside, (error - here) / rows, -(error - elsewhere) / (len(error) - rows))
    spread = _standard_error(pull, unit)
    if spread == 0:
        p = float(np.isclose(here, elsewhere))
    else:
        p = float(2 * stats.t.sf(abs(here - elsewhere) / spread, units - 1))
    reach = float(stats.t.ppf(0.975, units - 1)) * spread_here
    return Slice(
        column=column,
        rows_are=words,
        rows=rows,
        share=rows / len(error),
        error=here,
        ci_low=max(0.0, here - reach),
        ci_high=here + reach,
        elsewhere=elsewhere,
        p=p,
    )


def _standard_error(pull: Array, unit: NDArray[np.int64]) -> float:
    sums = np.bincount(np.unique(unit, return_inverse=True)[1], pull)
    return float(np.sqrt((sums**2).sum() * len(sums) / max(1, len(sums) - 1)))


def _holm(found: list[Slice]) -> list[Slice]:
    """Holm's step-down correction (1979); that of statsmodels collects garbage at each call, a fifth of a second."""
    smallest_first = sorted(found, key=lambda one: one.p)
    raised = [min(1.0, one.p * (len(found) - place)) for place, one in enumerate(smallest_first)]
    corrected = dict(zip(map(id, smallest_first), itertools.accumulate(raised, max), strict=True))
    return [one.model_copy(update={"p": corrected[id(one)]}) for one in found]


def _sentence(failing: list[Slice], looked_at: int, unit: Unit) -> str:
    if not looked_at:
        return "The sealed rows are too few, or have no columns, to see where the model fails."
    if not failing:
        return (
            f"No group of rows stands out: in none of {looked_at} (values of columns, quarters of numbers) is the "
            "error larger than elsewhere beyond chance and by an amount that matters."
        )
    named = "; ".join(
        f"{one.rows_are} ({one.rows:,} rows: {_number(one.error, unit)}, elsewhere {_number(one.elsewhere, unit)})"
        for one in failing[:3]
    )
    what = {"log-loss": "log-loss", "wrong answers": "share of wrong answers", "absolute error": "mean absolute error"}
    stand = "1 stands" if len(failing) == 1 else f"{len(failing)} stand"
    return (
        f"It fails most where {named}. That is the {what[unit]}; of {looked_at} groups {stand} out after correction "
        "for looking at so many."
    )


def _number(value: float, unit: Unit) -> str:
    return f"{value:.1%}" if unit == "wrong answers" else f"{value:,.4g}"
