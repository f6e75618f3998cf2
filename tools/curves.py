"""What the plots of a result need, computed from the sealed labels: small lists that any chart can draw."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.metrics import Array
from tools.predictions import read_predictions
from tools.score import read_truth

MOST_POINTS = 200
MOST_CLASSES = 20
MOST_DOTS = 1000
OTHER = "(other classes)"
Points = tuple[tuple[float, float], ...]


class Confusion(BaseModel):
    """Rows by true (first index) and predicted class; many classes: the rarest are put together."""

    model_config = ConfigDict(frozen=True)

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ClassCurve(BaseModel):
    """ROC and precision-recall of one class against the rest, thinned to a few hundred points."""

    model_config = ConfigDict(frozen=True)

    label: str
    roc: Points
    """(false positive rate, true positive rate)."""
    precision_recall: Points
    """(recall, precision)."""
    share: float
    """Of rows that are in this class: the precision of a guess."""


class CalibrationBin(BaseModel):
    """Rows of similar predicted probability: how often it came true. Several classes: of the predicted class."""

    model_config = ConfigDict(frozen=True)

    predicted: float
    observed: float
    rows: int


class Bar(BaseModel):
    """One bar of a histogram."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    rows: int


class Curves(BaseModel):
    """Empty parts do not apply to the task."""

    model_config = ConfigDict(frozen=True)

    confusion: Confusion | None = None
    classes: tuple[ClassCurve, ...] = ()
    """Binary: the positive class alone."""
    calibration: tuple[CalibrationBin, ...] = ()
    actual_predicted: Points = ()
    """(actual, predicted) for a sample of rows."""
    residuals: tuple[Bar, ...] = ()
    """Actual minus predicted."""


def curves(labels_path: Path, predictions_path: Path, contract: Contract, *, seed: int = 0) -> Curves:
    """Everything at once; raises `PredictionsRefused` like the scorer."""
    truth = read_truth(labels_path, contract).codes
    predictions = read_predictions(predictions_path, contract, len(truth))
    if contract.task == "regression":
        return Curves(
            actual_predicted=_sample(truth, predictions.values, seed), residuals=_bars(truth - predictions.values)
        )
    codes, labels = truth.astype(np.intp), predictions.values.astype(np.intp)
    confusion = _confusion(codes, labels, contract.classes)
    if predictions.probabilities is None:
        return Curves(confusion=confusion)
    shown = _shown_classes(codes, contract)
    return Curves(
        confusion=confusion,
        classes=tuple(_class_curve(codes == i, predictions.probabilities[:, i], contract.classes[i]) for i in shown),
        calibration=_calibration(codes, predictions.probabilities, contract),
    )


def _shown_classes(codes: NDArray[np.intp], contract: Contract) -> list[int]:
    """The positive class, or the most frequent ones; a class must occur and not be everything."""
    if contract.task == "binary":
        return [contract.classes.index(contract.positive_class or contract.classes[-1])]
    counts = np.bincount(codes, minlength=len(contract.classes))
    most = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    return sorted(int(i) for i in most if 0 < counts[i] < len(codes))


def _confusion(codes: NDArray[np.intp], labels: NDArray[np.intp], classes: tuple[str, ...]) -> Confusion:
    names = list(classes)
    if len(classes) > MOST_CLASSES:
        common = np.argsort(-np.bincount(codes, minlength=len(classes)), kind="stable")[: MOST_CLASSES - 1]
        place = np.full(len(classes), MOST_CLASSES - 1)
        place[np.sort(common)] = np.arange(MOST_CLASSES - 1)
        names = [classes[i] for i in np.sort(common)] + [OTHER]
        codes, labels = place[codes], place[labels]
    size = len(names)
    table = np.bincount(codes * size + labels, minlength=size * size).reshape(size, size)
    return Confusion(classes=tuple(names), counts=tuple(tuple(map(int, row)) for row in table))


def _class_curve(positive: NDArray[np.bool_], probability: Array, label: str) -> ClassCurve:
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))
    hits = np.cumsum(positive[order])[ends]
    called = ends + 1.0
    false = called - hits
    recall = hits / max(int(positive.sum()), 1)
    false_rate = false / max(int((~positive).sum()), 1)
    return ClassCurve(
        label=label,
        roc=((0.0, 0.0), *_thin(false_rate, recall)),
        precision_recall=_thin(recall, hits / called),
        share=float(positive.mean()),
    )


def _thin(x: Array, y: Array) -> Points:
    """At most MOST_POINTS points, evenly along the curve, ends included."""
    length = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    wanted = np.linspace(0.0, length[-1], min(MOST_POINTS, len(x)))
    kept = np.unique(np.append(np.clip(np.searchsorted(length, wanted), 0, len(x) - 1), [0, len(x) - 1]))
    return tuple((round(float(x[i]), 5), round(float(y[i]), 5)) for i in kept)


def _calibration(codes: NDArray[np.intp], probabilities: Array, contract: Contract) -> tuple[CalibrationBin, ...]:
    """Ten bins of equally many rows (fewer rows: fewer bins, at least 10 rows each)."""
    if contract.task == "binary":
        positive = contract.classes.index(contract.positive_class or contract.classes[-1])
        said, came_true = probabilities[:, positive], codes == positive
    else:
        said, came_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    order = np.argsort(said, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // 10, 1, 10)))
    return tuple(
        CalibrationBin(predicted=float(said[part].mean()), observed=float(came_true[part].mean()), rows=len(part))
        for part in parts
    )


def _sample(actual: Array, predicted: Array, seed: int) -> Points:
    rows = np.arange(len(actual))
    if len(rows) > MOST_DOTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_DOTS, replace=False))
    return tuple((float(actual[i]), float(predicted[i])) for i in rows)


def _bars(values: Array) -> tuple[Bar, ...]:
    """Thirty bars over the middle 99 %; the tails are counted in the outermost bars."""
    low, high = np.quantile(values, [0.005, 0.995])
    largest = max(abs(low), abs(high))
    if high - low <= 1e-12 * largest:  # so near to each other that thirty numbers hardly fit between them
        low, high = low - max(0.5, 1e-9 * largest), high + max(0.5, 1e-9 * largest)
    counts, edges = np.histogram(np.clip(values, low, high), bins=30, range=(float(low), float(high)))
    return tuple(
        Bar(low=float(a), high=float(b), rows=int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    )
