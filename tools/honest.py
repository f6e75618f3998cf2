"""The closer look at a result: calibration, threshold, slices, more rows, rival models, what training rows promise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.calibration import Calibration, calibration
from tools.candidates import Candidates
from tools.contract import Contract
from tools.learning import Learning, learning
from tools.metrics import METRICS
from tools.own_estimate import OwnEstimate, too_good_by
from tools.predictions import read_predictions
from tools.score import Score, read_truth
from tools.slices import Slices, slices
from tools.threshold import Decision, decision


class Optimism(BaseModel):
    """What the training rows promise against the sealed rows: of the saved model, or else of the best candidate."""

    model_config = ConfigDict(frozen=True)

    model: str
    cv_score: float
    by: float
    """How much better than the sealed rows it is, in units of the measure."""
    ci_low: float
    ci_high: float
    """Of `by`, from the intervals of both (Zou & Donner 2008)."""
    optimistic: bool
    """`by` is above zero beyond chance."""
    sentence: str


class Honest(BaseModel):
    """None: does not apply."""

    model_config = ConfigDict(frozen=True)

    calibration: Calibration | None = None
    decision: Decision | None = None
    slices: Slices | None = None
    learning: Learning | None = None
    optimism: Optimism | None = None
    candidates: Candidates | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is known, the most useful first."""
        parts = (self.optimism, self.candidates, self.decision, self.calibration, self.slices, self.learning)
        return tuple(part.sentence for part in parts if part is not None)


def honest(
    labels: Path,
    features: Path,
    predictions: Path,
    contract: Contract,
    *,
    score: Score,
    leaderboard: Sequence[Mapping[str, Any]] = (),
    learned: Path | None = None,
    rivals: Candidates | None = None,
    own: OwnEstimate | None = None,
) -> Honest:
    """`leaderboard`: verified rows only; `learned`: outputs/learning.json. Raises `PredictionsRefused`."""
    truth = read_truth(labels, contract)
    model = read_predictions(predictions, contract, len(truth.codes))
    seed = contract.seed
    reliable = calibration(truth, model, contract, seed=seed)
    trusted = None if reliable is None else reliable.verdict == "calibrated"
    return Honest(
        calibration=reliable,
        decision=decision(truth, model, contract, calibrated=trusted, seed=seed),
        slices=slices(features, truth, model, contract),
        learning=None if learned is None else learning(learned, task=contract.task),
        optimism=optimism(score, leaderboard, rivals, own),
        candidates=rivals,
    )


def optimism(
    score: Score,
    leaderboard: Sequence[Mapping[str, Any]],
    rivals: Candidates | None = None,
    own: OwnEstimate | None = None,
) -> Optimism | None:
    """None when no model has a cross-validated score.

    `own`: what the training rows say of the saved model, measured here; where it is known it is what is compared, so
    that `own.sentence` need not be said beside this one. `rivals`: how sure the candidates' scores are themselves.
    """
    metric, seen = METRICS[score.metric.name], score.metric
    scored = [
        row for row in leaderboard if isinstance(row.get("cv_score"), int | float) and row.get("model") != "dummy"
    ]
    if not scored:
        return None
    best = max(scored, key=lambda row: metric.better(float(row["cv_score"]), seen.value))
    name, found = str(best.get("model", ""))[:80], float(best["cv_score"])
    there = f"cross-validation on the training rows said {metric.format(found)} for the best model"
    limits = _limits_of(name, found, rivals)
    if own:
        found, limits = own.metric.value, (own.metric.ci_low, own.metric.ci_high)
        told = f"{metric.format(found)} ({metric.format(limits[0])} to {metric.format(limits[1])})"
        there = f"cross-validation on {own.rows:,} training rows said {told}"
    by, low, high = too_good_by(metric, found, limits, seen)
    sealed = f"{metric.format(seen.value)} ({metric.format(seen.ci_low)} to {metric.format(seen.ci_high)})"
    if low > 0:
        apart = f"{metric.format(by)} (95 % interval {metric.format(low)} to {metric.format(high)})"
        sentence = (
            f"{there[:1].upper()}{there[1:]}, the sealed rows say {sealed}: optimistic by {apart}. Expect the "
            f"{metric.label} of the sealed rows on new ones. The best of several is a little lucky, or the sealed rows "
            "differ from the training rows."
        )
    else:
        fits = "which is not too good for that" if high >= 0 else "so the sealed rows are easier, or more rows helped"
        sentence = f"Expect {metric.label} {sealed} on new rows; {there}, {fits}."
    return Optimism(model=name, cv_score=found, by=by, ci_low=low, ci_high=high, optimistic=low > 0, sentence=sentence)


def _limits_of(name: str, value: float, rivals: Candidates | None) -> tuple[float, float]:
    """Of a cross-validated score; none when its predictions are not there."""
    known = [one for one in rivals.candidates if one.model == name] if rivals else []
    if not known:
        return value, value
    return value - (known[0].value - known[0].ci_low), value + (known[0].ci_high - known[0].value)
