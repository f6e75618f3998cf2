"""How far the truth may be from a prediction: split conformal prediction, calibrated on the sealed rows after scoring.

Regression: the distance of prediction and truth (Papadopoulos, Proedrou, Vovk & Gammerman 2002), in ranges of the
prediction where there are rows enough (Mondrian; Boström & Johansson 2020), so that dear houses get wider intervals
than cheap ones. Classes: one minus the probability of the true class (LAC; Sadinle, Lei & Wasserman 2019), for each
class by itself where each has rows enough (label-conditional; Vovk 2012), so that a rare class is not passed over.

The ceil((n + 1) * level)-th smallest of n scores holds the next one with at least this probability, whatever the model
and the distribution are, if the rows are exchangeable (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023). With
these very n rows it holds a share that follows a Beta distribution (ibid. 3.2).

Why the sealed rows and not the out-of-fold predictions of training: those are the script's own claim, and the final
model is none of the fold models (jackknife+ and CV+, Barber, Candès, Ramdas & Tibshirani 2021, would keep them all).
The score is computed before and does not change.
"""

import json
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy import stats

from tools.contract import Contract, SplitRule, Task
from tools.metrics import Array
from tools.predictions import Predictions, read_predictions

FILE = "conformal.json"
LEVELS = (*(round(0.50 + 0.01 * step, 2) for step in range(50)), 0.995, 0.999)
LOWEST, HIGHEST, USUAL = LEVELS[0], LEVELS[-1], 0.9
FEWEST_ROWS = 9
"""Fewer cannot tell anything at the usual level."""
ROWS_PER_RANGE, MOST_RANGES = 200, 10
ROWS_PER_CLASS = 50
MAX_BYTES = 5_000_000


class ConformalError(ValueError):
    """conformal.json is not what we write; the message is a sentence for the user."""


class Conformal(BaseModel):
    """conformal.json: what tools/rowwise.py needs to draw an interval or a set."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    version: Literal[1] = 1
    task: Task
    classes: tuple[str, ...] = ()
    rows: int = Field(ge=1)
    """Sealed rows that it rests on."""
    split: SplitRule
    levels: tuple[float, ...] = LEVELS
    edges: tuple[float, ...] = ()
    """Numbers only: where one range of the prediction ends and the next begins."""
    quantiles: tuple[tuple[float | None, ...], ...]
    """Per range of the prediction, per class, or once: the quantile at each level; None: too few rows for it."""
    sizes: tuple[int, ...]
    """Sealed rows of each."""
    floor: float | None = None
    """Zero where no known value is negative: then no interval reaches below."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Conformal":
        groups = len(self.quantiles)
        expected = {len(self.edges) + 1} if self.task == "regression" else {1, len(self.classes)}
        increasing = all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False))
        if (
            (self.task == "regression") == bool(self.classes)
            or groups not in expected
            or groups != len(self.sizes)
            or not increasing
            or self.levels != LEVELS
        ):
            raise ValueError("the parts contradict each other")
        if any(len(stored) != len(self.levels) for stored in self.quantiles):
            raise ValueError("a quantile for each level is needed")
        return self

    @property
    def parts(self) -> dict[str, Any]:
        """JSON-ready, as `tools.rowwise` wants it."""
        return self.model_dump(mode="json")

    def certain(self, level: float) -> tuple[float, float]:
        """The share of new rows that is held lies in between with 95 % probability, given these sealed rows."""
        place = math.ceil((self.rows + 1) * level - 1e-9)
        if place > self.rows:
            return level, 1.0
        low, high = stats.beta.ppf([0.025, 0.975], place, self.rows + 1 - place)
        return float(low), float(high)

    def promise(self, level: float) -> str:
        """What an interval of this level means, in a sentence or two."""
        what = "interval holds the true value" if self.task == "regression" else "set holds the true class"
        low, high = self.certain(level)
        whole = f"Of new rows like the {self.rows:,} sealed ones, the {what} for {level:.4g} or more on average"
        whole = whole.replace(f"{level:.4g}", f"{100 * level:.4g} %")
        sentence = f"{whole} (split conformal; with so many rows between {low:.1%} and {high:.1%})."
        return f"{sentence} {_WEAKER.get(self.split, '')}".strip()


_WEAKER: dict[str, str] = {
    "time": "The sealed rows were the latest ones: as the world moves on from them, it holds less.",
    "predefined": "The sealed rows were chosen by a column of the table: it holds for rows that are like them.",
    "group": "Rows of one group resemble each other, so fewer groups than rows stand behind it and it is rougher.",
}


def conformal(labels: Path, predictions: Path, train: Path, contract: Contract) -> Conformal | None:
    """From the sealed labels and what the model said about these rows; None where nothing can be drawn from them.

    Raises `PredictionsRefused` for a file that is no set of predictions.
    """
    truth = pq.read_table(labels, columns=["row", "target"]).sort_by("row").column("target")
    found = read_predictions(predictions, contract, len(truth))
    if len(truth) < FEWEST_ROWS:
        return None
    if contract.task == "regression":
        values = np.asarray(truth.to_numpy(), dtype=np.float64)
        lowest = min(float(values.min()), _lowest(train, contract.target))
        return of_numbers(values, found.values, contract.split.rule, floor=0.0 if lowest >= 0 else None)
    place = {label: code for code, label in enumerate(contract.classes)}
    return of_classes(np.array([place[label] for label in truth.to_pylist()]), found, contract)


def _lowest(train: Path, target: str) -> float:
    found = pc.min(pq.read_table(train, columns=[target]).column(target)).as_py()
    return math.inf if found is None else float(found)


def of_numbers(truth: Array, predicted: Array, split: SplitRule, *, floor: float | None = None) -> Conformal:
    """Distances, within ranges of the prediction that hold equally many rows."""
    ranges = int(np.clip(len(truth) // ROWS_PER_RANGE, 1, MOST_RANGES))
    edges = np.unique(np.quantile(predicted, np.arange(1, ranges) / ranges)) if ranges > 1 else np.empty(0)
    edges = edges[edges > predicted.min()]
    group = np.searchsorted(edges, predicted, side="right")
    distance = np.abs(truth - predicted)
    parts = [distance[group == number] for number in range(len(edges) + 1)]
    return Conformal(
        task="regression",
        rows=len(truth),
        split=split,
        edges=tuple(edges.tolist()),
        quantiles=tuple(map(quantiles, parts)),
        sizes=tuple(map(len, parts)),
        floor=floor,
    )


def of_classes(truth: NDArray[np.int64], predicted: Predictions, contract: Contract) -> Conformal | None:
    """One minus the probability of the true class; None for a model without probabilities."""
    if predicted.probabilities is None:
        return None
    score = 1 - predicted.probabilities[np.arange(len(truth)), truth]
    parts = [score[truth == code] for code in range(len(contract.classes))]
    if min(map(len, parts)) < ROWS_PER_CLASS:
        parts = [score]
    return Conformal(
        task=contract.task,
        classes=contract.classes,
        rows=len(truth),
        split=contract.split.rule,
        quantiles=tuple(map(quantiles, parts)),
        sizes=tuple(map(len, parts)),
    )


def quantiles(scores: Array) -> tuple[float | None, ...]:
    """At each level the ceil((n + 1) * level)-th smallest score; None where there are too few."""
    ordered = np.sort(scores)
    places = [math.ceil((len(ordered) + 1) * level - 1e-9) for level in LEVELS]
    return tuple(float(ordered[place - 1]) if place <= len(ordered) else None for place in places)


def conformal_text(found: Conformal) -> str:
    """conformal.json"""
    return json.dumps(found.parts, ensure_ascii=False) + "\n"


def read_conformal(path: Path) -> Conformal:
    """conformal.json, checked; raises `ConformalError`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConformalError(f"{FILE} of the model is far larger than it can be.")
        return Conformal.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError, RecursionError, OSError) as problem:
        if isinstance(problem, ConformalError):
            raise
        raise ConformalError(f"{FILE} of the model is damaged; take the model folder from the run again.") from problem
