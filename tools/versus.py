"""Two models on the same sealed rows: keep the old one, replace it, or neither can be said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.metrics import METRICS
from tools.score import Difference, Score, Truth, read_truth, score
from tools.seal import RELIABLE_HOLDOUT, Sealed

Verdict = Literal["replace", "keep", "no difference", "too few rows", "not compared"]
OLD = "the old model"
MIN_PER_CLASS = 5
"""Sealed rows of the rarer of two classes; below, one row decides."""
MIN_UNITS = 10
"""Groups or blocks of time that can be redrawn; below, their bootstrap says little (Cameron, Gelbach & Miller 2008)."""
FORGETTABLE = "no better than guessing"


class Versus(BaseModel):
    """The scorer's words about both models, and what follows."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    sentence: str
    old: Score
    new: Score
    difference: Difference
    """New against old, paired; positive: the new one is better."""
    rows: int
    looks: int = 1
    """How often these sealed rows have been scored."""


def versus(
    sealed: Sealed, old: Path, new: Path, contract: Contract, baselines: Mapping[str, Path], *, looks: int = 1
) -> Versus:
    """Judge two files of predictions; raises `PredictionsRefused` for one that is none."""
    first = score(sealed.holdout_labels, old, contract, baselines=baselines)
    second = score(sealed.holdout_labels, new, contract, baselines=baselines, earlier={OLD: old})
    difference = second.earlier[0]
    truth = read_truth(sealed.holdout_labels, contract)
    few = too_few(truth, contract)
    verdict = "too few rows" if few else _verdict(difference)
    sentence = _sentence(verdict, first, second, difference, contract, few)
    return Versus(
        verdict=verdict,
        sentence=sentence,
        old=first,
        new=second,
        difference=difference,
        rows=second.rows,
        looks=looks,
    )


def too_few(truth: Truth, contract: Contract) -> str:
    """Why these rows cannot decide between two models; "" when they can."""
    rows = len(truth.codes)
    if rows < RELIABLE_HOLDOUT:
        return f"{rows} sealed rows are too few (at least {RELIABLE_HOLDOUT} are needed)"
    if contract.task == "binary":
        counts = np.bincount(truth.codes.astype(np.int64), minlength=2)
        if counts.min() < MIN_PER_CLASS:
            label = contract.classes[int(counts.argmin())]
            return f"only {int(counts.min())} sealed rows are “{label}” (at least {MIN_PER_CLASS} are needed)"
    units = len(np.unique(truth.unit))
    if units < MIN_UNITS:
        what = "blocks of time" if contract.split.rule == "time" else "groups"
        return f"the sealed rows are only {units} {what} (at least {MIN_UNITS} are needed)"
    return ""


def _verdict(difference: Difference) -> Verdict:
    if difference.ci_low > 0:
        return "replace"
    return "keep" if difference.ci_high < 0 else "no difference"


def _sentence(verdict: Verdict, old: Score, new: Score, difference: Difference, contract: Contract, few: str) -> str:
    metric = METRICS[contract.metric]
    values = metric.format(old.metric.value), metric.format(new.metric.value)
    both = (
        f"On {new.rows:,} fresh sealed rows the old model's {metric.label} is {values[0]} and the retrained "
        f"one's {values[1]}"
    )
    low, high = _amount(difference.ci_low), _amount(difference.ci_high)
    apart = f"{_amount(difference.value)} (95 % interval {low} to {high}, more is better)"
    match verdict:
        case "replace":
            said = f"{both}: the retrained one is better by {apart}. Replace the old one."
        case "keep":
            said = f"{both}: retraining is worse, {apart}. Keep the old one."
        case "too few rows":
            said = f"{both}, but {few}, so there is no verdict. Keep the old one until there are more rows."
        case _:
            ends = (("gain", difference.ci_high), ("loss", -difference.ci_low))
            unseen = " or ".join(f"a {name} of up to {_amount(size)}" for name, size in ends if size > 0)
            same = f" {unseen[:1].upper()}{unseen[1:]} would look the same, so nothing" if unseen else " Nothing"
            said = f"{both}: no difference that these rows can show, {apart}.{same} speaks for replacing the old one."
    return said + _guessing(old, new)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _guessing(old: Score, new: Score) -> str:
    """A winner that only guesses is no model to use."""
    match (old.comparison == "guess", new.comparison == "guess"):
        case (True, True):
            return f" Both are {FORGETTABLE} on these rows: neither should be used."
        case (True, False):
            return f" The old one is {FORGETTABLE} on these rows."
        case (False, True):
            return f" The retrained one is {FORGETTABLE} on these rows."
        case _:
            return ""
