"""Measures of predictions for training rows, computed here from labels that are ours, not from what a script says."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.contract import Contract, SplitRule
from tools.measuring import Scalar
from tools.metrics import METRICS, Array
from tools.predictions import Predictions, PredictionsRefused
from tools.resampling import Truth
from tools.score import MODEL, Difference, judge

RESAMPLES = 400
"""Enough for a figure that stands beside the score."""


def training_labels(train: Path, contract: Contract) -> Array:
    """The target of every training row: numbers, or class codes in the order of `contract.classes`."""
    column = pq.read_table(train, columns=[contract.target]).column(0)
    if contract.task == "regression":
        return np.asarray(column.to_numpy(), dtype=np.float64)
    codes = {label: code for code, label in enumerate(contract.classes)}
    return np.array([codes[label] for label in column.to_pylist()], dtype=np.float64)


def measured(
    labels: Array, model: Predictions, contract: Contract, *, rule: SplitRule, unit: NDArray[np.int64] | None = None
) -> Scalar:
    """The contract's measure with its interval; rows are redrawn as `rule` says, those of one `unit` together.

    Raises `PredictionsRefused` where it has no finite value on these rows.
    """
    truth, asked = _truth(labels, contract, rule, unit)
    metric = METRICS[contract.metric]
    judged = judge([(MODEL, metric)], {MODEL: model}, truth, asked, RESAMPLES, contract.seed)
    return _finite(judged.scalar(MODEL, metric))


def compared(
    labels: Array, better: Predictions, worse: Predictions, contract: Contract, *, unit: NDArray[np.int64]
) -> tuple[Scalar, Scalar, Difference]:
    """Two sets of predictions of the same rows, each measured, and the paired difference (positive: `better` is)."""
    truth, asked = _truth(labels, contract, "group", unit)
    metric, given = METRICS[contract.metric], {MODEL: better, "other": worse}
    judged = judge([(name, metric) for name in given], given, truth, asked, RESAMPLES, contract.seed)
    known, other = _finite(judged.scalar(MODEL, metric)), _finite(judged.scalar("other", metric))
    return known, other, judged.difference(metric, "other")


def _finite(one: Scalar) -> Scalar:
    if not np.isfinite([one.value, one.ci_low, one.ci_high]).all():
        raise PredictionsRefused(f"{one.label} has no finite value on these rows.")
    return one


def in_blocks(rows: int) -> NDArray[np.int64]:
    """Units of consecutive rows, as after a split by time."""
    return np.asarray(np.arange(rows) // max(1, round(rows ** (1 / 3))), dtype=np.int64)


def _truth(
    labels: Array, contract: Contract, rule: SplitRule, unit: NDArray[np.int64] | None
) -> tuple[Truth, Contract]:
    asked = contract.model_copy(update={"split": contract.split.model_copy(update={"rule": rule})})
    return Truth(labels, np.arange(len(labels)) if unit is None else unit), asked
