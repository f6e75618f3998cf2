"""Whether 30 % means 30 %: reliability, Brier score in its parts, expected calibration error with an interval.

Two classes: of the positive class's probability; several: of the predicted class's (top-label calibration).
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tools.contract import Contract
from tools.intervals import Information, of_difference
from tools.measuring import positive
from tools.metrics import Array
from tools.predictions import Predictions
from tools.resampling import Truth, redrawn_in, resampled

RESAMPLES = 400
MOST_DRAWN = 8_000_000
FEWEST_ROWS = 50
"""Fewer rows say nothing about calibration."""
ROWS_PER_BIN, MOST_BINS = 25, 15
CERTAIN = 0.05
"""The model is called miscalibrated when a calibrated one would show so large an error this rarely."""
NOTEWORTHY = 0.02
"""A smaller expected calibration error is real on a million rows, and of no importance."""

Verdict = Literal["calibrated", "too sure", "not sure enough", "too high", "too low", "unclear"]
_WORDS: dict[Verdict, str] = {
    "too sure": "it is too sure of itself, so high chances are too high and low ones too low",
    "not sure enough": "it is not sure enough, so high chances are too low and low ones too high",
    "too high": "its chances are too high on the whole",
    "too low": "its chances are too low on the whole",
    "unclear": "its chances are wrong in places (see the curve)",
}


class Bin(BaseModel):
    """Rows of similar predicted chance, and how often it came true (Wilson interval)."""

    model_config = ConfigDict(frozen=True)

    predicted: float
    observed: float
    ci_low: float
    ci_high: float
    rows: int


class Calibration(BaseModel):
    """What the sealed rows say about the probabilities."""

    model_config = ConfigDict(frozen=True)

    of: str
    """Whose chance it is: the positive class, or "the predicted class"."""
    bins: tuple[Bin, ...]
    brier: float
    """Of two outcomes: mean squared error of the chance; = reliability - resolution + uncertainty + within."""
    reliability: float
    """Murphy (1973): what miscalibration costs."""
    resolution: float
    uncertainty: float
    within: float
    """What is lost by looking at bins (Stephenson, Coelho & Jolliffe 2008); small."""
    ece: float
    """Expected calibration error: mean distance of predicted and observed, freed of the estimated bias."""
    ci_low: float
    ci_high: float
    chance: float
    """Probability that a calibrated model shows so large an error (consistency resampling, Bröcker & Smith 2007)."""
    slope: float | None
    """Of the outcome on the log-odds (Cox 1958): below 1 the model is too sure."""
    verdict: Verdict
    sentence: str


def calibration(truth: Truth, predictions: Predictions, contract: Contract, *, seed: int = 0) -> Calibration | None:
    """None without probabilities, for numbers, and for fewer than fifty rows."""
    if predictions.probabilities is None or contract.task == "regression" or len(truth.codes) < FEWEST_ROWS:
        return None
    said, came_true, of = chances(truth, predictions, contract)
    place = _bins(said)
    error = _Error(said, came_true, place)
    blocks = redrawn_in(truth, contract)
    draws = int(np.clip(MOST_DRAWN / len(said), 100, RESAMPLES))
    drawn = np.array([error(weights) for weights in resampled(blocks, None, draws, seed)])
    null = _of_calibrated(said, place, draws, seed)
    value = error(np.ones(len(said)))
    chance = float((1 + (null >= value).sum()) / (1 + len(null)))
    # Noise in the bins makes the error look larger, and resampling does so once more: that much is taken off.
    ece = max(0.0, 2 * value - float(drawn.mean()))
    units = len(np.unique(blocks.unit))
    low, high = of_difference(ece, drawn - drawn.mean() + ece, Information(units, units, units))
    limits = max(0.0, low), high
    verdict = _verdict(said, came_true, chance, ece)
    return Calibration(
        of=of,
        bins=_reliability(said, came_true, place),
        brier=float(((said - came_true) ** 2).mean()),
        **_murphy(said, came_true, place),
        ece=ece,
        ci_low=limits[0],
        ci_high=limits[1],
        chance=chance,
        slope=_cox(said, came_true),
        verdict=verdict,
        sentence=_sentence(verdict, ece, limits, of),
    )


def chances(truth: Truth, predictions: Predictions, contract: Contract) -> tuple[Array, Array, str]:
    """(what was said, whether it came true, of what) per row."""
    assert predictions.probabilities is not None, "asked by the caller"
    if contract.task == "binary":
        code = positive(contract)
        return predictions.probabilities[:, code], (truth.codes == code).astype(float), contract.classes[code]
    best = predictions.probabilities.argmax(axis=1)
    return predictions.probabilities.max(axis=1), (best == truth.codes).astype(float), "the predicted class"


def _bins(said: Array) -> Array:
    """Bins of equally many rows; equal chances stay together, because a row's place says nothing."""
    count = int(np.clip(len(said) // ROWS_PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(said, np.linspace(0, 1, count + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, said, side="right"), return_inverse=True)[1].astype(float)


class _Error:
    """Expected calibration error as a function of row weights."""

    def __init__(self, said: Array, came_true: Array, place: Array) -> None:
        self._gap, self._place = said - came_true, place.astype(np.intp)

    def __call__(self, weights: Array) -> float:
        sums = np.bincount(self._place, weights * self._gap)
        return float(np.abs(sums).sum() / weights.sum())


def _of_calibrated(said: Array, place: Array, draws: int, seed: int) -> Array:
    """The same error for outcomes that happen exactly as often as said."""
    generator = np.random.default_rng([seed, 1])
    ones = np.ones(len(said))
    return np.array(
        [_Error(said, (generator.random(len(said)) < said).astype(float), place)(ones) for _ in range(draws)]
    )


def _murphy(said: Array, came_true: Array, place: Array) -> dict[str, float]:
    bins = place.astype(np.intp)
    rows = np.bincount(bins)
    share = rows / len(said)
    predicted, observed = np.bincount(bins, said) / rows, np.bincount(bins, came_true) / rows
    overall = float(came_true.mean())
    reliability = float(share @ (predicted - observed) ** 2)
    resolution = float(share @ (observed - overall) ** 2)
    uncertainty = overall * (1 - overall)
    brier = float(((said - came_true) ** 2).mean())
    return {
        "reliability": reliability,
        "resolution": resolution,
        "uncertainty": uncertainty,
        "within": brier - (reliability - resolution + uncertainty),
    }


def _reliability(said: Array, came_true: Array, place: Array) -> tuple[Bin, ...]:
    found = []
    for number in range(int(place.max()) + 1):
        inside = place == number
        hits, rows = int(came_true[inside].sum()), int(inside.sum())
        low, high = stats.binomtest(hits, rows).proportion_ci(method="wilson")
        predicted = float(said[inside].mean())
        found.append(Bin(predicted=predicted, observed=hits / rows, ci_low=float(low), ci_high=float(high), rows=rows))
    return tuple(found)


def _cox(said: Array, came_true: Array) -> float | None:
    """Slope of a logistic regression of the outcome on the log-odds; None where it is not determined."""
    from sklearn.linear_model import LogisticRegression

    odds = np.log(np.clip(said, 1e-6, 1 - 1e-6) / np.clip(1 - said, 1e-6, 1))
    if len(np.unique(came_true)) < 2 or float(odds.std()) < 1e-3:
        return None
    return float(LogisticRegression(C=1e6).fit(odds[:, None], came_true).coef_[0, 0])


def _verdict(said: Array, came_true: Array, chance: float, ece: float) -> Verdict:
    if chance >= CERTAIN or ece < NOTEWORTHY:
        return "calibrated"
    offset = float((said - came_true).mean())
    if abs(offset) > 0.8 * ece:
        return "too high" if offset > 0 else "too low"
    slope = _cox(said, came_true)
    if slope is None or 0.85 < slope < 1.15:
        return "unclear"
    return "too sure" if slope < 1 else "not sure enough"


def _sentence(verdict: Verdict, ece: float, limits: tuple[float, float], of: str) -> str:
    whose = f"“{of}”" if of != "the predicted class" else of
    by = f"by {ece:.1%} on average (95 % interval {limits[0]:.1%} to {limits[1]:.1%})"
    if verdict == "calibrated":
        return (
            f"The chances of {whose} can be read as they are: beyond what chance alone does, predicted and observed "
            f"shares differ {by}."
        )
    return f"The chances of {whose} cannot be read as they are: {_WORDS[verdict]}; they are off {by}."
