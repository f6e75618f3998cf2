"""The closer look at a result: calibration, threshold, slices, more rows, and the score of the training rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.calibration import Calibration, calibration
from tools.contract import Contract
from tools.learning import Learning, learning
from tools.metrics import METRICS
from tools.predictions import read_predictions
from tools.score import Score, read_truth
from tools.slices import Slices, slices
from tools.threshold import Decision, decision


class Optimism(BaseModel):
    """The best score on training rows against the sealed rows."""

    model_config = ConfigDict(frozen=True)

    model: str
    cv_score: float
    optimistic: bool
    """It lies beyond the interval of the sealed rows, on the better side."""
    sentence: str


class Honest(BaseModel):
    """None: does not apply."""

    model_config = ConfigDict(frozen=True)

    calibration: Calibration | None = None
    decision: Decision | None = None
    slices: Slices | None = None
    learning: Learning | None = None
    optimism: Optimism | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is known, the most useful first."""
        parts = (self.optimism, self.decision, self.calibration, self.slices, self.learning)
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
        optimism=optimism(score, leaderboard),
    )


def optimism(score: Score, leaderboard: Sequence[Mapping[str, Any]]) -> Optimism | None:
    """None when no model has a cross-validated score."""
    metric, own = METRICS[score.metric.name], score.metric
    scored = [row for row in leaderboard if isinstance(row.get("cv_score"), int | float)]
    if not scored:
        return None
    best = max(scored, key=lambda row: metric.better(float(row["cv_score"]), own.value))
    found = float(best["cv_score"])
    beyond = found > own.ci_high if metric.greater_is_better else found < own.ci_low
    there = f"cross-validation on the training rows said {metric.format(found)} for the best model"
    sealed = f"{metric.label} {metric.format(own.value)} ({metric.format(own.ci_low)} to {metric.format(own.ci_high)})"
    if beyond:
        sentence = (
            f"Expect {sealed} on new rows, not what the training rows promise: {there}, which is beyond the interval "
            "of the sealed rows. It was the best of several, or the sealed rows differ from the training rows."
        )
    else:
        sentence = f"Expect {sealed} on new rows; {there}, which is not too good for that."
    return Optimism(model=str(best.get("model", ""))[:80], cv_score=found, optimistic=beyond, sentence=sentence)
