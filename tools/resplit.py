"""What another split would have promised: a quick model on random rows, on later rows, on entities it has not met.

The program (tools/recipes/resplit.py) runs in the sandbox on training rows and leaves predictions; everything that is
said about them is computed here. Later rows are judged from several origins, which is a rolling-origin evaluation
(Tashman 2000): each origin gets as many rows to learn from as its random counterpart, so only the order differs.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.measuring import Scalar
from tools.metrics import METRICS, Array, Metric
from tools.predictions import Predictions, PredictionsRefused, read_some
from tools.seal import Sealed
from tools.training_truth import compared, in_blocks, measured, training_labels

MOST_ORIGINS = 12
FEWEST_ROWS = 30
"""Fewer rows than this say nothing."""
NOTEWORTHY = 0.02
"""Of a score between 0 and 1, or as a share of a loss: a smaller gap is no reason for another split."""

Finding = Literal["differ", "agree"]


class Origin(BaseModel):
    """The score on the rows after one moment, learned from those before."""

    model_config = ConfigDict(frozen=True)

    learned_from: int
    judged: int
    value: float
    ci_low: float
    ci_high: float


class Later(BaseModel):
    """Random rows against later rows, the same model learned from as many rows."""

    model_config = ConfigDict(frozen=True)

    column: str
    metric: str
    at_random: Scalar
    later: Scalar
    origins: tuple[Origin, ...]
    """Oldest first."""
    finding: Finding
    sentence: str


class Unseen(BaseModel):
    """Rows of entities that training may know against rows of entities that it cannot know; the same rows twice."""

    model_config = ConfigDict(frozen=True)

    column: str
    metric: str
    known: Scalar
    unseen: Scalar
    gap: float
    """How much better with known entities, paired, and its interval."""
    gap_low: float
    gap_high: float
    finding: Finding
    sentence: str


class Resplit(BaseModel):
    """None: the table has no such order, no such entities, or too few rows."""

    model_config = ConfigDict(frozen=True)

    later: Later | None = None
    unseen: Unseen | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is known, in sentences."""
        return tuple(part.sentence for part in (self.later, self.unseen) if part is not None)


def resplit(folder: Path, contract: Contract, sealed: Sealed) -> Resplit:
    """Judge what the program left; a file that is missing or unsound takes its comparison away and raises nothing."""
    if sealed.order is None or not folder.is_dir():
        return Resplit()
    labels, order = training_labels(sealed.train, contract), pq.read_table(sealed.order)
    later, unseen = None, None
    try:
        if contract.split.ordered_by and "moment" in order.column_names:
            later = _later(folder, contract, labels, order.column("moment").to_numpy())
    except PredictionsRefused:
        later = None
    try:
        if contract.split.repeats and "entity" in order.column_names:
            unseen = _unseen(folder, contract, labels, order.column("entity").to_numpy())
    except PredictionsRefused:
        unseen = None
    return Resplit(later=later, unseen=unseen)


def _later(folder: Path, contract: Contract, labels: Array, moments: Array) -> Later | None:
    parts, origins = [], []
    for number in range(1, MOST_ORIGINS + 1):
        there = [folder / f"{name}_{number}.parquet" for name in ("random", "later")]
        if not all(path.is_file() for path in there):
            continue
        (drawn, at_random), (rows, later) = (read_some(path, contract, len(labels)) for path in there)
        order = np.argsort(moments[rows], kind="stable")
        rows, later = rows[order], _taken(later, order)
        parts.append((drawn, at_random, rows, later))
        if one := _origin(contract, labels, rows, later, int((moments < moments[rows[0]]).sum())):
            origins.append(one)
    if not parts:
        return None
    drawn, rows = np.concatenate([part[0] for part in parts]), np.concatenate([part[2] for part in parts])
    if min(len(drawn), len(rows)) < FEWEST_ROWS or not _judgeable(contract, labels[rows], labels[drawn]):
        return None
    random_score = measured(labels[drawn], _joined([part[1] for part in parts]), contract, rule="random")
    later_score = measured(
        labels[rows], _joined([part[3] for part in parts]), contract, rule="time", unit=in_blocks(len(rows))
    )
    metric, column = METRICS[contract.metric], contract.split.ordered_by or ""
    finding: Finding = "differ" if _differ(metric, random_score, later_score) else "agree"
    return Later(
        column=column,
        metric=metric.name,
        at_random=random_score,
        later=later_score,
        origins=tuple(origins),
        finding=finding,
        sentence=_later_words(finding, metric, random_score, later_score, contract, len(parts)),
    )


def _origin(
    contract: Contract, labels: Array, rows: NDArray[np.int64], model: Predictions, before: int
) -> Origin | None:
    if len(rows) < FEWEST_ROWS or not _judgeable(contract, labels[rows]):
        return None
    try:
        one = measured(labels[rows], model, contract, rule="time", unit=in_blocks(len(rows)))
    except PredictionsRefused:
        return None
    return Origin(learned_from=before, judged=len(rows), value=one.value, ci_low=one.ci_low, ci_high=one.ci_high)


def _unseen(folder: Path, contract: Contract, labels: Array, entity: NDArray[np.int64]) -> Unseen | None:
    there = [folder / f"{name}.parquet" for name in ("mixed", "unseen")]
    if not all(path.is_file() for path in there):
        return None
    (rows, mixed), (same, apart) = (read_some(path, contract, len(labels)) for path in there)
    if len(rows) < FEWEST_ROWS or not np.array_equal(rows, same) or not _judgeable(contract, labels[rows]):
        return None
    known, unseen, gap = compared(labels[rows], mixed, apart, contract, unit=entity[rows])
    metric = METRICS[contract.metric]
    finding: Finding = "differ" if gap.ci_low > 0 and _notable(metric, known.value, unseen.value) else "agree"
    return Unseen(
        column=contract.split.repeats or "",
        metric=metric.name,
        known=known,
        unseen=unseen,
        gap=gap.value,
        gap_low=gap.ci_low,
        gap_high=gap.ci_high,
        finding=finding,
        sentence=_unseen_words(finding, metric, known, unseen, contract),
    )


def _judgeable(contract: Contract, *parts: Array) -> bool:
    """Classes can be told apart only where there are two of them."""
    return contract.task == "regression" or all(len(np.unique(part)) > 1 for part in parts)


def _taken(model: Predictions, rows: NDArray[np.intp]) -> Predictions:
    return Predictions(model.values[rows], None if model.probabilities is None else model.probabilities[rows])


def _joined(models: list[Predictions]) -> Predictions:
    chances = [model.probabilities for model in models if model.probabilities is not None]
    together = np.concatenate(chances) if len(chances) == len(models) else None
    return Predictions(np.concatenate([model.values for model in models]), together)


def _notable(metric: Metric, promised: float, held: float) -> bool:
    """Worse by more than a trifle: in points of a score up to 1, or as a share of a loss."""
    if metric.greater_is_better:
        return promised - held > NOTEWORTHY
    return held > promised * (1 + 2 * NOTEWORTHY)


def _differ(metric: Metric, at_random: Scalar, later: Scalar) -> bool:
    """The later rows are worse by more than both intervals leave open (they are of different rows, so unpaired)."""
    sign = 1.0 if metric.greater_is_better else -1.0
    low = at_random.value - at_random.ci_low if sign > 0 else at_random.ci_high - at_random.value
    high = later.ci_high - later.value if sign > 0 else later.value - later.ci_low
    gap = sign * (at_random.value - later.value)
    return gap > float(np.hypot(low, high)) and _notable(metric, at_random.value, later.value)


def _told(metric: Metric, one: Scalar) -> str:
    return f"{metric.format(one.value)} ({metric.format(one.ci_low)} to {metric.format(one.ci_high)})"


def _later_words(
    finding: Finding, metric: Metric, at_random: Scalar, later: Scalar, contract: Contract, origins: int
) -> str:
    name, column = metric.label, contract.split.ordered_by
    after = f"after {origins} moment{'s' if origins > 1 else ''}"
    if finding == "agree":
        return (
            f"Order in time (“{column}”) makes no decisive difference for a quick model: {name} {_told(metric, later)} "
            f"on later rows ({after}), {_told(metric, at_random)} on random ones."
        )
    said = (
        f"A random split would have promised {name} {_told(metric, at_random)}; on later rows "
        f"(by “{column}”, {after}) it is {_told(metric, later)}, of the same quick model learned from as many rows."
    )
    if contract.split.rule == "time":
        return f"{said} The sealed rows are the latest, so the score tells of later rows."
    return f"{said} The sealed rows are not the latest: say “split by {column}” if the model will predict later rows."


def _unseen_words(finding: Finding, metric: Metric, known: Scalar, unseen: Scalar, contract: Contract) -> str:
    name, column = metric.label, contract.split.repeats
    if finding == "agree":
        return (
            f"Knowing a “{column}” from training makes no decisive difference for a quick model: {name} "
            f"{_told(metric, known)} with it, {_told(metric, unseen)} for ones not met before."
        )
    said = (
        f"For a “{column}” that training has not met, a quick model reaches {name} {_told(metric, unseen)} instead of "
        f"{_told(metric, known)} on the same rows."
    )
    if contract.split.rule == "group":
        return f"{said} The sealed rows hold only such ones."
    return f"{said} Say “grouped by {column}” if the model will meet new ones."
