"""From which chance on it pays to act, by what errors cost the user; the sealed rows only say what that would be worth.

The threshold comes from the costs alone (Elkan 2001: act when the expected gain of acting is above that of waiting), so
no sealed label has a part in it; it is right as far as the probabilities can be read as chances (tools/calibration.py).
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract, Costs
from tools.intervals import Information, of_difference
from tools.measuring import positive
from tools.metrics import Array
from tools.predictions import Predictions
from tools.resampling import Truth, how_much_is_known, redrawn_in, resampled, strata

RESAMPLES = 400
MOST_DRAWN = 8_000_000
STEPS = 51


class Worth(BaseModel):
    """Mean value of a row under one rule, in the user's unit, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """"threshold", "half" (act from 50 % on), "everyone", "no one"."""
    value: float
    ci_low: float
    ci_high: float


class Decision(BaseModel):
    """What the costs say about acting, and what the sealed rows say it would be worth."""

    model_config = ConfigDict(frozen=True)

    costs: Costs
    threshold: float
    """Act when the chance is at least this."""
    acted: float
    """Share of sealed rows."""
    worth: tuple[Worth, ...]
    gain: Worth
    """Of the threshold over the better of acting on everyone and on no one, paired."""
    curve: tuple[tuple[float, float], ...]
    """(threshold, value per row) on the sealed rows; to look at, not to choose from."""
    sentence: str


def optimal(costs: Costs) -> float:
    """p* = FP / (FP + FN + gain of a true positive)."""
    return costs.false_positive / (costs.false_positive + costs.false_negative + costs.true_positive)


def decision(
    truth: Truth, predictions: Predictions, contract: Contract, *, calibrated: bool | None = None, seed: int = 0
) -> Decision | None:
    """None for anything but two classes with probabilities and costs; `calibrated`: None when it is not known."""
    costs = contract.costs
    if costs is None or contract.task != "binary" or predictions.probabilities is None:
        return None
    code = positive(contract)
    chance, is_positive = predictions.probabilities[:, code], truth.codes == code
    threshold = optimal(costs)
    acts = {
        "threshold": chance >= threshold,
        "half": chance >= 0.5,
        "everyone": np.ones(len(chance), dtype=bool),
        "no one": np.zeros(len(chance), dtype=bool),
    }
    values = {rule: _values(acting, is_positive, costs) for rule, acting in acts.items()}
    drawn, known = _drawn(values, truth, contract, seed)
    worth = tuple(_worth(rule, float(values[rule].mean()), drawn[rule], known) for rule in values)
    simple = max(("everyone", "no one"), key=lambda rule: float(values[rule].mean()))
    gain = _worth(
        simple, float((values["threshold"] - values[simple]).mean()), drawn["threshold"] - drawn[simple], known
    )
    return Decision(
        costs=costs,
        threshold=threshold,
        acted=float(acts["threshold"].mean()),
        worth=worth,
        gain=gain,
        curve=tuple(
            (float(at), float(_values(chance >= at, is_positive, costs).mean())) for at in np.linspace(0, 1, STEPS)
        ),
        sentence=_sentence(threshold, float(acts["threshold"].mean()), worth[0], gain, contract, calibrated),
    )


def _values(acting: NDArray[np.bool_], is_positive: NDArray[np.bool_], costs: Costs) -> Array:
    """Of each row in the user's unit."""
    acted = np.where(is_positive, costs.true_positive, -costs.false_positive)
    waited = np.where(is_positive, -costs.false_negative, 0.0)
    return np.asarray(np.where(acting, acted, waited), dtype=np.float64)


def _drawn(
    values: dict[str, Array], truth: Truth, contract: Contract, seed: int
) -> tuple[dict[str, Array], Information]:
    blocks = redrawn_in(truth, contract)
    count = int(np.clip(MOST_DRAWN / len(truth.codes), 100, RESAMPLES))
    table = np.column_stack(list(values.values()))
    means = np.array(
        [
            np.einsum("i,ij->j", weights, table) / weights.sum()
            for weights in resampled(blocks, strata(truth, contract), count, seed, how_much_is_known(contract))
        ]
    )
    units = len(np.unique(blocks.unit))
    return dict(zip(values, means.T, strict=True)), Information(units, units, units)


def _worth(rule: str, value: float, drawn: Array, known: Information) -> Worth:
    low, high = of_difference(value, drawn, known)
    return Worth(rule=rule, value=value, ci_low=low, ci_high=high)


def _sentence(
    threshold: float, acted: float, worth: Worth, gain: Worth, contract: Contract, calibrated: bool | None
) -> str:
    name = contract.classes[positive(contract)]
    simple = "acting on every row" if gain.rule == "everyone" else "never acting"
    if gain.ci_low > 0:
        compared = f"{gain.value:,.4g} more than {simple} ({gain.ci_low:,.4g} to {gain.ci_high:,.4g})"
    elif gain.ci_high < 0:
        compared = f"{-gain.value:,.4g} less than {simple} ({gain.ci_low:,.4g} to {gain.ci_high:,.4g}): do that instead"
    else:
        compared = f"which cannot be told from {simple} (difference {gain.ci_low:,.4g} to {gain.ci_high:,.4g})"
    sentence = (
        f"By your costs it pays to treat a row as “{name}” from a chance of {threshold:.1%} on (from the costs alone, "
        f"not tuned on the sealed rows): {acted:.1%} of the sealed rows, worth {worth.value:,.4g} per row "
        f"(95 % interval {worth.ci_low:,.4g} to {worth.ci_high:,.4g}), {compared}."
    )
    if calibrated is False:
        sentence += " The chances cannot be read as they are, so a better threshold may exist."
    return sentence
