"""The measures that a model is judged by: one registry, each knows its tasks, what it needs and which way is better.

Conventions: for binary tasks y_true is 0/1 with 1 the positive class, probabilities are P(positive), labels 0/1. For
several classes y_true and labels are codes 0..k-1, probabilities are (rows, k). For numbers both are float. Every
measure takes row weights, so that a bootstrap resample is a vector of counts and never a copied table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tools.contract import Task

Array = NDArray[np.float64]
Needs = Literal["probability", "label", "value"]
Weighted = Callable[[Array], float]
"""Row weights (any non-negative numbers, not all zero) -> the measure; NaN where it is not defined."""
Prepare = Callable[[Array, Array, int], Weighted]
"""(y_true, prediction, number of classes; 0 for numbers) -> the measure as a function of the row weights."""

Loss = Callable[[Array, Array], Array]
"""(y_true, prediction) -> one value per row."""

RARE_SHARE = 0.10
"""Below this share of the rarer class ROC-AUC flatters (Davis & Goadrich 2006), so precision-recall leads."""


@dataclass(frozen=True)
class Metric:
    """One measure; `prepare` sorts once, then answers for any row weights."""

    name: str
    label: str
    """For people, e.g. "ROC-AUC"."""
    tasks: frozenset[Task]
    greater_is_better: bool
    needs: Needs
    prepare: Prepare
    chance: float | None = None
    """The value of a guess that ignores the features, where it does not depend on the table."""
    decimals: int = 3
    bounded: tuple[float, float] | None = None
    by_class: bool = False
    """What it can say is limited by the rarest class, not by the rows."""
    loss: Loss | None = None
    """For a mean of something per row (or the root of one): that something."""

    def compute(self, y_true: NDArray[Any], prediction: NDArray[Any], classes: int = 2) -> float:
        """The measure over all rows with equal weight; NaN where it is not defined (e.g. AUC with one class)."""
        y = np.asarray(y_true, dtype=np.float64)
        return self.prepare(y, np.asarray(prediction, dtype=np.float64), classes)(np.ones(len(y)))

    def format(self, value: float) -> str:
        """As text for people: 4 significant digits for open scales, `decimals` places for bounded ones."""
        if not np.isfinite(value):
            return "–"
        if self.bounded:
            return f"{value:.{self.decimals}f}"
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"

    def better(self, left: float, right: float) -> float:
        """How much `left` is better than `right` (negative: worse), in units of the measure."""
        return left - right if self.greater_is_better else right - left


def _ratio(above: float, below: float, empty: float = float("nan")) -> float:
    return float(above / below) if below > 0 else empty


def _dot(left: Array, right: Array) -> float:
    """Without BLAS: its threads wait for each other, which made a bootstrap ten times slower on a busy machine."""
    return float(np.einsum("i,i->", left, right))


def _mean_of(loss: Array) -> Weighted:
    return lambda weights: _ratio(_dot(weights, loss), float(weights.sum()))


def _area_under_roc(positive: Array, score: Array) -> Weighted:
    """Mann-Whitney: the share of (positive, negative) pairs in the right order, ties count half."""
    is_positive = positive > 0.5
    order = np.argsort(score[~is_positive], kind="stable")
    negatives = np.flatnonzero(~is_positive)[order]
    positives = np.flatnonzero(is_positive)
    below = np.searchsorted(score[negatives], score[positives], side="left")
    not_above = np.searchsorted(score[negatives], score[positives], side="right")

    def auc(weights: Array) -> float:
        cumulated = np.concatenate(([0.0], np.cumsum(weights[negatives])))
        wins = 0.5 * (cumulated[below] + cumulated[not_above])
        positive_weights = weights[positives]
        return _ratio(_dot(positive_weights, wins), float(positive_weights.sum() * cumulated[-1]))

    return auc


def _average_precision_of(positive: Array, score: Array) -> Weighted:
    """Sum of precision times step in recall over the distinct scores, from the highest down."""
    order = np.argsort(-score, kind="stable")
    hits = positive[order]
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))

    def average_precision(weights: Array) -> float:
        sorted_weights = weights[order]
        true_positives = np.cumsum(sorted_weights * hits)[ends]
        found = np.cumsum(sorted_weights)[ends]
        precision = np.divide(true_positives, found, out=np.zeros_like(found), where=found > 0)
        return _ratio(_dot(np.diff(true_positives, prepend=0.0), precision), float(true_positives[-1]))

    return average_precision


def _each_class(measure: Callable[[Array, Array], Weighted]) -> Prepare:
    """One class against the rest, averaged over the classes that occur (binary: the positive class alone)."""

    def prepare(y_true: Array, probability: Array, classes: int) -> Weighted:
        if probability.ndim == 1:
            return measure(y_true, probability)
        present = [code for code in range(probability.shape[1]) if np.any(y_true == code)]
        parts = [measure((y_true == code).astype(np.float64), probability[:, code]) for code in present]

        def average(weights: Array) -> float:
            values = np.array([part(weights) for part in parts])
            defined = values[np.isfinite(values)]
            return float(defined.mean()) if len(defined) else float("nan")

        return average

    return prepare


def _full(probability: Array) -> Array:
    return np.column_stack([1.0 - probability, probability]) if probability.ndim == 1 else probability


def _mean_loss(loss: Loss) -> Prepare:
    return lambda y_true, prediction, classes: _mean_of(loss(y_true, prediction))


def _log_loss(y_true: Array, probability: Array) -> Array:
    table = _full(probability)
    table = table / table.sum(axis=1, keepdims=True)
    given_to_truth = table[np.arange(len(y_true)), y_true.astype(np.intp)]
    return np.asarray(-np.log(np.clip(given_to_truth, 1e-15, 1.0)))


def _brier(y_true: Array, probability: Array) -> Array:
    """Binary: squared error of P(positive); several classes: summed over the classes (Brier 1950)."""
    if probability.ndim == 1:
        return np.asarray((probability - y_true) ** 2)
    truth = np.eye(probability.shape[1])[y_true.astype(np.intp)]
    return np.asarray(((probability - truth) ** 2).sum(axis=1))


def _squared(y_true: Array, value: Array) -> Array:
    return np.asarray((y_true - value) ** 2)


def _absolute(y_true: Array, value: Array) -> Array:
    return np.abs(y_true - value)


Counts = NDArray[np.float64]
"""Weighted confusion matrix: [true, predicted]."""


def _from_counts(rule: Callable[[Counts], float]) -> Prepare:
    def prepare(y_true: Array, label: Array, classes: int) -> Weighted:
        cell = (y_true * classes + label).astype(np.intp)

        def measure(weights: Array) -> float:
            return rule(
                np.bincount(cell, weights, minlength=classes * classes).astype(np.float64).reshape(classes, classes)
            )

        return measure

    return prepare


def _per_class(rule: Callable[[float, float, float], float]) -> Callable[[Counts], float]:
    """A rule of (hits, predicted, actual): for the positive class, or averaged over the classes that occur."""

    def measure(counts: Counts) -> float:
        hits, predicted, actual = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
        values = [rule(*map(float, triple)) for triple in zip(hits, predicted, actual, strict=True)]
        if len(counts) == 2:
            return values[1]
        occurs = [value for value, rows in zip(values, actual, strict=True) if rows > 0]
        return float(np.mean(occurs)) if occurs else float("nan")

    return measure


def _balanced_accuracy(counts: Counts) -> float:
    actual = counts.sum(axis=1)
    return float(np.mean((counts.diagonal() / np.where(actual > 0, actual, 1.0))[actual > 0]))


def _rmse(y_true: Array, value: Array, classes: int = 0) -> Weighted:
    mean_square = _mean_of(_squared(y_true, value))
    return lambda weights: float(np.sqrt(mean_square(weights)))


def _r2(y_true: Array, value: Array, classes: int = 0) -> Weighted:
    centred = y_true - y_true.mean()  # the same R², without the cancellation of large means
    square_error = (y_true - value) ** 2

    def r2(weights: Array) -> float:
        total = float(weights.sum())
        spread = _dot(weights, centred**2) - _dot(weights, centred) ** 2 / total
        return 1.0 - _ratio(_dot(weights, square_error), spread)

    return r2


def _mape(y_true: Array, value: Array, classes: int = 0) -> Weighted:
    """Rows whose true value is zero have no relative error and are left out."""
    nonzero = y_true != 0
    relative = np.abs(y_true - value)[nonzero] / np.abs(y_true[nonzero])
    return lambda weights: _ratio(_dot(weights[nonzero], relative), float(weights[nonzero].sum()))


def _median_absolute_error(y_true: Array, value: Array, classes: int = 0) -> Weighted:
    error = np.abs(y_true - value)
    order = np.argsort(error, kind="stable")
    ranked = error[order]

    def median(weights: Array) -> float:
        cumulated = np.cumsum(weights[order])
        half = cumulated[-1] / 2.0
        low, high = np.searchsorted(cumulated, half, side="left"), np.searchsorted(cumulated, half, side="right")
        return float((ranked[low] + ranked[min(high, len(ranked) - 1)]) / 2.0)

    return median


BINARY: frozenset[Task] = frozenset({"binary"})
CLASSES: frozenset[Task] = frozenset({"binary", "multiclass"})
NUMBERS: frozenset[Task] = frozenset({"regression"})
UNIT = (0.0, 1.0)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "roc_auc",
            "ROC-AUC",
            CLASSES,
            True,
            "probability",
            _each_class(_area_under_roc),
            0.5,
            bounded=UNIT,
            by_class=True,
        ),
        Metric(
            "average_precision",
            "PR-AUC (average precision)",
            CLASSES,
            True,
            "probability",
            _each_class(_average_precision_of),
            bounded=UNIT,
            by_class=True,
        ),
        Metric("log_loss", "log-loss", CLASSES, False, "probability", _mean_loss(_log_loss), loss=_log_loss),
        Metric(
            "brier", "Brier score", CLASSES, False, "probability", _mean_loss(_brier), bounded=(0.0, 2.0), loss=_brier
        ),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            CLASSES,
            True,
            "label",
            _from_counts(_balanced_accuracy),
            bounded=UNIT,
            by_class=True,
        ),
        Metric(
            "accuracy",
            "accuracy",
            CLASSES,
            True,
            "label",
            _from_counts(lambda counts: _ratio(float(counts.trace()), float(counts.sum()))),
            bounded=UNIT,
        ),
        Metric(
            "f1",
            "F1",
            CLASSES,
            True,
            "label",
            _from_counts(_per_class(lambda hits, predicted, actual: _ratio(2 * hits, predicted + actual, 0.0))),
            bounded=UNIT,
            by_class=True,
        ),
        Metric(
            "precision",
            "precision",
            CLASSES,
            True,
            "label",
            _from_counts(_per_class(lambda hits, predicted, actual: _ratio(hits, predicted, 0.0))),
            bounded=UNIT,
            by_class=True,
        ),
        Metric(
            "recall",
            "recall",
            CLASSES,
            True,
            "label",
            _from_counts(_per_class(lambda hits, predicted, actual: _ratio(hits, actual, 0.0))),
            bounded=UNIT,
            by_class=True,
        ),
        Metric("rmse", "RMSE", NUMBERS, False, "value", _rmse, loss=_squared),
        Metric("mae", "MAE", NUMBERS, False, "value", _mean_loss(_absolute), loss=_absolute),
        Metric("r2", "R²", NUMBERS, True, "value", _r2, bounded=(-np.inf, 1.0)),
        Metric("mape", "MAPE", NUMBERS, False, "value", _mape),
        Metric("median_absolute_error", "median absolute error", NUMBERS, False, "value", _median_absolute_error),
    )
}


def default_metric(task: Task, class_counts: Mapping[str, int] | None = None) -> tuple[str, tuple[str, ...]]:
    """The field's measure for the task and what is reported beside it: (metric, also)."""
    if task == "regression":
        return "rmse", ("mae", "r2", "median_absolute_error")
    if task == "multiclass":
        return "log_loss", ("balanced_accuracy", "accuracy", "f1", "roc_auc")
    counts = [count for count in (class_counts or {}).values() if count > 0]
    if counts and min(counts) < RARE_SHARE * sum(counts):
        return "average_precision", ("roc_auc", "log_loss", "brier", "balanced_accuracy", "f1")
    return "roc_auc", ("average_precision", "log_loss", "brier", "balanced_accuracy", "f1")


def metrics_for(task: Task) -> tuple[Metric, ...]:
    """Every measure that fits the task, in the order of the registry."""
    return tuple(metric for metric in METRICS.values() if task in metric.tasks)
