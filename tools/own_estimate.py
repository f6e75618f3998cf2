"""What the training rows alone say of the model, computed here from predictions for rows that it had not learned from.

The script leaves them in outputs/oof.parquet (out-of-fold predictions of what it saved); the labels are ours, so the
estimate and its interval are no claim of the script. It is beside the score, never in its place.
"""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract, SplitRule
from tools.measuring import Scalar
from tools.metrics import METRICS, Metric
from tools.predictions import PredictionsRefused, read_some
from tools.seal import Sealed
from tools.training_truth import in_blocks, measured, training_labels

FEWEST_ROWS = 20
How = Literal["folds of the training", "nested cross-validation"]


class OwnEstimate(BaseModel):
    """The score that the training rows promise, and whether the sealed rows agree."""

    model_config = ConfigDict(frozen=True)

    how: How
    metric: Scalar
    rows: int
    sealed: float
    inside: bool
    """It lies in the interval of the sealed score."""
    gap: Literal["none", "optimistic", "pessimistic"]
    """Beyond what both intervals leave open."""
    sentence: str


def own_estimate(
    path: Path, sealed: Sealed, contract: Contract, score: Scalar, *, how: How = "folds of the training"
) -> OwnEstimate | None:
    """None where the script left no such predictions, or unsound ones, or too few rows to say anything."""
    if not path.is_file():
        return None
    labels = training_labels(sealed.train, contract)
    try:
        rows, model = read_some(path, contract, len(labels))
        if len(rows) < FEWEST_ROWS or (contract.task != "regression" and len(np.unique(labels[rows])) < 2):
            return None
        rule, unit = _redrawn(sealed, contract, rows)
        own = measured(labels[rows], model, contract, rule=rule, unit=unit)
    except (PredictionsRefused, TypeError):  # TypeError: labels alone, where the measure needs probabilities
        return None
    metric = METRICS[contract.metric]
    gap = _gap(metric, own, score)
    return OwnEstimate(
        how=how,
        metric=own,
        rows=len(rows),
        sealed=score.value,
        inside=bool(score.ci_low <= own.value <= score.ci_high),
        gap=gap,
        sentence=_sentence(metric, own, score, gap, len(rows), how),
    )


def _redrawn(sealed: Sealed, contract: Contract, rows: NDArray[np.int64]) -> tuple[SplitRule, NDArray[np.int64] | None]:
    """As the hold-out's rows are redrawn: in blocks of time, in groups, or one by one."""
    if sealed.rule == "time":
        return "time", in_blocks(len(rows))
    if sealed.rule == "group" and sealed.groups is not None:
        return "group", np.asarray(pq.read_table(sealed.groups).column("group").to_numpy(), dtype=np.int64)[rows]
    return contract.split.rule if sealed.rule == "stratified" else "random", None


def too_good_by(metric: Metric, value: float, limits: tuple[float, float], score: Scalar) -> tuple[float, float, float]:
    """How much better a score of training rows is than that of the sealed rows, and its limits; positive: optimistic.

    The rows are different ones, so the half-widths add up as independent errors do (Zou & Donner 2008).
    """
    below, above = value - limits[0], limits[1] - value
    sealed_below, sealed_above = score.value - score.ci_low, score.ci_high - score.value
    by = metric.better(value, score.value)
    if metric.greater_is_better:
        down, rise = (below, sealed_above), (above, sealed_below)
    else:
        down, rise = (above, sealed_below), (below, sealed_above)
    return by, by - math.hypot(*down), by + math.hypot(*rise)


def _gap(metric: Metric, own: Scalar, score: Scalar) -> Literal["none", "optimistic", "pessimistic"]:
    _, low, high = too_good_by(metric, own.value, (own.ci_low, own.ci_high), score)
    return "optimistic" if low > 0 else "pessimistic" if high < 0 else "none"


def _sentence(metric: Metric, own: Scalar, score: Scalar, gap: str, rows: int, how: How) -> str:
    told = f"{metric.format(own.value)} ({metric.format(own.ci_low)} to {metric.format(own.ci_high)})"
    found = f"On {rows:,} training rows, each predicted without having been learned, {metric.label} is {told}"
    if how == "nested cross-validation":
        found = f"With its choice of models included, on outer folds, the recipe reaches {metric.label} {told}"
    sealed = metric.format(score.value)
    match gap:
        case "none":
            return f"{found}; the {sealed} of the sealed rows agrees with it."
        case "optimistic":
            return f"{found}; the sealed rows say {sealed}, so that estimate was optimistic beyond chance."
        case _:
            return f"{found}; the sealed rows are even better ({sealed}): they are easier, or more rows helped."
