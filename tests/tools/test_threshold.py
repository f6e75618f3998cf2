"""The threshold: from the costs alone, worth what arithmetic says, and never tuned on the sealed rows."""

import numpy as np
import pytest

from agents.planning.costs import read_costs
from tests.tools.test_calibration import plan
from tools.contract import ContractError, Costs
from tools.predictions import Predictions
from tools.resampling import Truth
from tools.threshold import decision, optimal

COSTS = Costs(false_positive=1, false_negative=5)


def scene(rows: int = 4000, signal: float = 1.5, seed: int = 0) -> tuple[Truth, Predictions]:
    random = np.random.default_rng(seed)
    odds = signal * random.normal(size=rows) - 1.0
    said = 1 / (1 + np.exp(-odds))
    truth = (random.random(rows) < said).astype(float)
    return Truth(truth, np.arange(rows)), Predictions((said > 0.5).astype(float), np.column_stack([1 - said, said]))


def test_the_threshold_is_that_of_the_costs() -> None:
    assert optimal(COSTS) == pytest.approx(1 / 6)
    assert optimal(Costs(false_positive=1, true_positive=1)) == pytest.approx(0.5)
    assert optimal(Costs(false_positive=2, false_negative=3, true_positive=5)) == pytest.approx(0.2)


def test_it_does_not_depend_on_sealed_labels() -> None:
    truth, model = scene()
    turned = Truth(1 - truth.codes, truth.unit)
    contract = plan().model_copy(update={"costs": COSTS})
    one, other = decision(truth, model, contract), decision(turned, model, contract)
    assert one is not None
    assert other is not None
    assert one.threshold == other.threshold
    assert one.acted == other.acted
    assert one.worth != other.worth


def test_the_worth_is_that_of_the_rows_and_better_than_simple_rules() -> None:
    truth, model = scene()
    found = decision(truth, model, plan().model_copy(update={"costs": COSTS}), calibrated=True)
    assert found is not None
    assert model.probabilities is not None
    acting = model.probabilities[:, 1] >= 1 / 6
    false, missed = (acting & (truth.codes == 0)).sum(), (~acting & (truth.codes == 1)).sum()
    worth = {one.rule: one for one in found.worth}
    assert worth["threshold"].value == pytest.approx(-(false + 5 * missed) / len(acting))
    assert worth["everyone"].value == pytest.approx(-(truth.codes == 0).mean())
    assert worth["no one"].value == pytest.approx(-5 * truth.codes.mean())
    assert worth["threshold"].value > worth["half"].value
    assert found.gain.ci_low > 0
    assert max(value for _, value in found.curve) <= worth["threshold"].value + 0.03
    assert "16.7%" in found.sentence
    assert "not tuned on the sealed rows" in found.sentence
    assert "cannot be read" not in found.sentence


def test_a_model_without_signal_gains_nothing() -> None:
    truth, model = scene(signal=0.0)
    found = decision(truth, model, plan().model_copy(update={"costs": COSTS}), calibrated=False)
    assert found is not None
    assert found.gain.ci_low <= 0 <= found.gain.ci_high
    assert "cannot be told from acting on every row" in found.sentence
    assert "a better threshold may exist" in found.sentence


def test_without_costs_or_chances_there_is_no_threshold() -> None:
    truth, model = scene(200)
    assert decision(truth, model, plan()) is None
    assert decision(truth, Predictions(model.values, None), plan().model_copy(update={"costs": COSTS})) is None


@pytest.mark.parametrize("said", ["FP=1, FN=5", "fp=1;fn=5", {"FP": 1, "FN": 5}, {"false_positive": 1, "FN": "5"}])
def test_costs_are_read_as_people_write_them(said: object) -> None:
    assert read_costs(said, plan()) == COSTS


def test_costs_can_be_taken_out_again() -> None:
    assert read_costs("", plan()) is None
    assert read_costs(None, plan()) is None


@pytest.mark.parametrize(
    "said", ["a lot", "FP=1", "FP=-1, FN=5", "FP=0, FN=1", "FP=1, FX=5", "FP=one, FN=2", "FP=nan,FN=1"]
)
def test_costs_that_do_not_fit_are_refused_with_a_way_out(said: str) -> None:
    with pytest.raises(ContractError, match="FP=1, FN=5"):
        read_costs(said, plan())


def test_costs_need_two_classes() -> None:
    with pytest.raises(ContractError, match="two classes"):
        read_costs("FP=1, FN=5", plan(("a", "b", "c")))
