"""Permutation importance on sealed rows: how much worse the measure gets when one column is shuffled.

The sandbox predicts with each column shuffled in turn (tools/recipes/importance.py) and never sees a label; here, on
the trusted side, those predictions are judged (Breiman 2001; Fisher, Rudin & Dominici 2019).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.metrics import METRICS, Array, Metric
from tools.predictions import (
    Predictions,
    PredictionsRefused,
    feature_codes,
    predictions_in,
    read_predictions,
    read_untrusted,
    whole,
)
from tools.score import LEVEL, Truth, prepared, read_truth, resampled

REPEATS = 3
"""Times that a column is shuffled, as `recipes.importance_for` fills it in."""
MAX_ROWS = 2_000
"""Sealed rows that are predicted anew each time, as `recipes.importance_for` fills it in."""
MOST_CELLS = 20_000_000
"""Values in one file (160 MB); the program stops before it has written more."""
RESAMPLES = 100


class Importance(BaseModel):
    """One column: what shuffling it costs, in units of the measure (positive: the model needs the column)."""

    model_config = ConfigDict(frozen=True)

    column: str
    drop: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class _Shuffled:
    """What the model said about the same rows, each time with one column shuffled."""

    rows: NDArray[np.int64]
    """Positions in the sealed rows, ascending."""
    by_feature: dict[int, list[Predictions]]
    """Position in the contract's features -> one set of predictions per repeat, in the order of `rows`."""


def importance(
    labels_path: Path, predictions_path: Path, permuted_path: Path, contract: Contract, *, seed: int = 0
) -> tuple[Importance, ...]:
    """Columns by importance, the largest first; columns for which there was no time are absent.

    Raises `PredictionsRefused` for a file that is not what the importance program writes.
    """
    truth = read_truth(labels_path, contract)
    model = read_predictions(predictions_path, contract, len(truth.codes))
    shuffled = _read(permuted_path, contract, len(truth.codes))
    found = _judged(shuffled, truth, model, contract, seed)
    return tuple(sorted(found, key=lambda item: -item.drop))


def importance_and_note(
    labels_path: Path, predictions_path: Path, permuted_path: Path, contract: Contract, *, seed: int = 0
) -> tuple[tuple[Importance, ...], str | None]:
    """Like `importance`, but a refused file is no error: (columns, a note for the report about what is not there)."""
    try:
        found = importance(labels_path, predictions_path, permuted_path, contract, seed=seed)
    except PredictionsRefused as refused:
        return (), f"Importance could not be computed: {refused}"
    return found, measured_note(len(found), contract)


def measured_note(measured: int, contract: Contract) -> str | None:
    """What the report says when not every column was measured; None when all were."""
    columns = len(contract.features)
    if measured >= columns:
        return None
    return f"Importance of {measured} of {columns} columns; there was no time for the rest."


def _read(path: Path, contract: Contract, rows: int) -> _Shuffled:
    """Each column's repeats over one and the same sample of rows, every row once, or the file is refused."""
    each = min(rows, MAX_ROWS)
    most = min(len(contract.features) * REPEATS * each, max(each, MOST_CELLS // (4 + len(contract.classes))))
    table = read_untrusted(path, contract, {"feature": "text", "repeat": "whole", "row": "whole"}, most, exactly=False)
    feature, repeat, row = feature_codes(table, contract), whole(table, "repeat"), whole(table, "row")
    _within(repeat, REPEATS, "repeats")
    _within(row, rows, "rows")
    key = (feature * REPEATS + repeat) * rows + row
    order = np.argsort(key, kind="stable")
    key = key[order]
    if (np.diff(key) == 0).any():
        raise PredictionsRefused("A row is predicted twice with the same column shuffled.")
    kinds, sizes = np.unique(key // rows, return_counts=True)
    sample = (key % rows).reshape(-1, each) if (sizes == each).all() else None
    if sample is None or (sample != sample[:1]).any():
        raise PredictionsRefused(f"Every column must be shuffled over the same {each} rows.")
    everything, by_feature = predictions_in(table, contract), dict[int, list[Predictions]]()
    for place, kind in enumerate(kinds):
        part = _take(everything, order[place * each : (place + 1) * each])
        by_feature.setdefault(int(kind) // REPEATS, []).append(part)
    return _Shuffled(sample[0] if len(sample) else np.arange(0), by_feature)


def _within(values: NDArray[np.int64], count: int, what: str) -> None:
    if len(values) and (values.min() < 0 or values.max() >= count):
        raise PredictionsRefused(f"The {what} must be 0 to {count - 1}.")


def _take(predictions: Predictions, rows: NDArray[np.intp] | NDArray[np.int64]) -> Predictions:
    probabilities = predictions.probabilities
    return Predictions(predictions.values[rows], None if probabilities is None else probabilities[rows])


def _metric(contract: Contract, model: Predictions) -> Metric:
    """The measure of the contract; labels alone move too rarely, so probabilities are asked where there are some."""
    metric = METRICS[contract.metric]
    if metric.needs == "label" and model.probabilities is not None:
        return METRICS["roc_auc" if contract.task == "binary" else "log_loss"]
    return metric


def _judged(shuffled: _Shuffled, truth: Truth, model: Predictions, contract: Contract, seed: int) -> list[Importance]:
    """Mean over the repeats of (measure as it is - measure with the column shuffled), resampled over rows."""
    if not shuffled.by_feature:
        return []
    metric, rows = _metric(contract, model), shuffled.rows
    if metric.needs == "probability" and any(one.probabilities is None for one in _all(shuffled)):
        raise PredictionsRefused(f"The shuffled rows have no probabilities, which {metric.label} needs.")
    part = Truth(truth.codes[rows], truth.unit[rows])
    weights = [np.ones(len(rows)), *resampled(part, None, RESAMPLES, seed)]

    def measured(predictions: Predictions) -> Array:
        measure = prepared(metric, part.codes, predictions, contract)
        return np.array([measure(times) for times in weights])

    before, sign = measured(_take(model, rows)), 1.0 if metric.greater_is_better else -1.0
    found = []
    for code, repeats in shuffled.by_feature.items():
        after = np.mean([measured(predictions) for predictions in repeats], axis=0)
        found.append(_importance(contract.features[code], sign * (before - after), metric))
    return found


def _all(shuffled: _Shuffled) -> list[Predictions]:
    return [predictions for repeats in shuffled.by_feature.values() for predictions in repeats]


def _importance(column: str, drops: Array, metric: Metric) -> Importance:
    """From the drop on the rows themselves (first) and on each resample of them."""
    value, drawn = float(drops[0]), drops[1:]
    if not np.isfinite(value):
        raise PredictionsRefused(f"{metric.label} is not defined on the rows that were shuffled.")
    low, high = np.nanpercentile(drawn, LEVEL) if np.isfinite(drawn).any() else (value, value)
    return Importance(column=column, drop=value, ci_low=min(float(low), value), ci_high=max(float(high), value))
