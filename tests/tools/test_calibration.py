"""Calibration: a model that is right about its chances, one that exaggerates, one that is too timid, and noise."""

import numpy as np
import pytest

from tools.calibration import Calibration, calibration
from tools.contract import Contract, Split
from tools.predictions import Predictions
from tools.resampling import Truth


def plan(classes: tuple[str, ...] = ("no", "yes")) -> Contract:
    return Contract(
        request="", row_unit="one row", task="binary" if len(classes) == 2 else "multiclass", target="y",
        classes=classes, positive_class="yes" if len(classes) == 2 else None, columns=(), metric="log_loss",
        split=Split(rule="stratified"),
    )  # fmt: skip


def judged(sure: float, shift: float = 0.0, rows: int = 2000, seed: int = 0) -> Calibration:
    """A model that says `sure` times the true log-odds, plus `shift`."""
    random = np.random.default_rng(seed)
    odds = 1.5 * random.normal(size=rows)
    truth = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    said = 1 / (1 + np.exp(-(sure * odds + shift)))
    model = Predictions((said > 0.5).astype(float), np.column_stack([1 - said, said]))
    found = calibration(Truth(truth, np.arange(rows)), model, plan())
    assert found is not None
    return found


def test_true_chances_are_called_so() -> None:
    found = judged(1.0)
    assert found.verdict == "calibrated"
    assert found.ece < 0.02
    assert found.slope == pytest.approx(1.0, abs=0.15)
    assert "can be read as they are" in found.sentence
    inside = [one.ci_low <= one.predicted <= one.ci_high for one in found.bins]
    assert sum(inside) >= len(inside) - 2


@pytest.mark.parametrize(
    ("sure", "shift", "verdict"),
    [(3.0, 0.0, "too sure"), (0.35, 0.0, "not sure enough"), (1.0, 1.2, "too high"), (1.0, -1.2, "too low")],
)
def test_wrong_chances_are_named(sure: float, shift: float, verdict: str) -> None:
    found = judged(sure, shift)
    assert found.verdict == verdict
    assert found.chance < 0.01
    assert found.ci_low > 0.02
    assert found.ci_low <= found.ece <= found.ci_high
    assert "cannot be read as they are" in found.sentence


def test_noise_in_small_tables_is_not_reported_as_miscalibration() -> None:
    alarms = sum(judged(1.0, rows=120, seed=seed).verdict != "calibrated" for seed in range(40))
    assert alarms <= 5


def test_the_interval_holds_the_error_that_a_million_rows_show() -> None:
    large = judged(2.0, rows=200_000)
    held = [judged(2.0, rows=600, seed=seed) for seed in range(30)]
    assert sum(one.ci_low <= large.ece <= one.ci_high for one in held) >= 25
    assert np.mean([one.ece for one in held]) == pytest.approx(large.ece, abs=0.02)


def test_the_parts_of_the_brier_score_add_up() -> None:
    found = judged(2.0)
    whole = found.reliability - found.resolution + found.uncertainty + found.within
    assert found.brier == pytest.approx(whole)
    assert abs(found.within) < 0.01
    assert found.reliability > 5 * judged(1.0).reliability


def test_several_classes_are_judged_by_the_predicted_one() -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet([1, 1, 1], 3000)
    truth = np.array([random.choice(3, p=row) for row in chances]).astype(float)
    model = Predictions(chances.argmax(axis=1).astype(float), chances)
    found = calibration(Truth(truth, np.arange(3000)), model, plan(("a", "b", "c")))
    assert found is not None
    assert (found.of, found.verdict) == ("the predicted class", "calibrated")


def test_it_does_not_apply_without_chances_or_with_few_rows() -> None:
    truth, labels = Truth(np.tile([0.0, 1.0], 100), np.arange(200)), Predictions(np.tile([0.0, 1.0], 100), None)
    assert calibration(truth, labels, plan()) is None
    few = Predictions(labels.values[:20], np.full((20, 2), 0.5))
    assert calibration(Truth(truth.codes[:20], truth.unit[:20]), few, plan()) is None


def test_the_same_chance_for_all_rows_is_one_bin() -> None:
    truth = np.tile([0.0, 1.0], 200)
    found = calibration(Truth(truth, np.arange(400)), Predictions(truth, np.full((400, 2), 0.5)), plan())
    assert found is not None
    assert len(found.bins) == 1
    assert found.slope is None
    assert found.verdict == "calibrated"
