"""Which answer is wanted when the question is what would change it: another class, or a number to reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.explaining.asking import ExplainError, Model, amount, piled
from tools.explaining.background import Background
from tools.metrics import Array
from tools.predictions import Predictions


@dataclass(frozen=True)
class Goal:
    """The answer that is wanted."""

    words: str
    code: int | None = None
    """A class; None with numbers and for any other class."""
    other_than: int | None = None
    least: float | None = None
    most: float | None = None

    def reached(self, said: Predictions) -> NDArray[np.bool_]:
        """Per row."""
        if self.code is not None:
            return np.asarray(said.values == self.code)
        if self.other_than is not None:
            return np.asarray(said.values != self.other_than)
        low = -np.inf if self.least is None else self.least
        high = np.inf if self.most is None else self.most
        return np.asarray((said.values >= low) & (said.values <= high))

    def nearness(self, said: Predictions) -> Array:
        """Per row; larger is nearer."""
        if said.probabilities is not None and self.code is not None:
            return np.asarray(said.probabilities[:, self.code])
        if said.probabilities is not None and self.other_than is not None:
            return np.asarray(1 - said.probabilities[:, self.other_than])
        if self.least is not None:
            return said.values
        return -said.values if self.most is not None else self.reached(said).astype(np.float64)


async def goal_of(model: Model, own: Predictions, background: Background, wanted: str | None) -> Goal:
    """What to search for. `own`: what the model says about the row; raises `ExplainError` for what cannot be wanted."""
    if model.contract.classes:
        return _class_goal(model, int(own.values[0]), wanted)
    here = float(own.values[0])
    if wanted is not None:
        try:
            number = float(wanted.replace(",", "").replace("_", ""))
        except ValueError:
            raise ExplainError(f"“{wanted}” is no number; say which {model.contract.target} it should reach.") from None
        if not np.isfinite(number):
            raise ExplainError(f"“{wanted}” cannot be reached; say a finite number.")
        return _reach(model, number, here)
    pile = piled([background.rows], model.contract)
    rows = np.tile(np.arange(len(pile))[:, None], (1, len(model.features)))
    low, middle, high = np.percentile((await model.said(pile, rows)).values, [25, 50, 75])
    step = max(high - low, 1e-9 * max(1.0, abs(here))) / 2
    return _reach(model, float(here + step if here < middle else here - step), here)


def _reach(model: Model, number: float, here: float) -> Goal:
    target = model.contract.target
    if number >= here:
        return Goal(f"a predicted {target} of at least {amount(number)}", least=number)
    return Goal(f"a predicted {target} of at most {amount(number)}", most=number)


def _class_goal(model: Model, here: int, wanted: str | None) -> Goal:
    classes = model.contract.classes
    if wanted is None:
        if len(classes) == 2:
            return Goal(f"the answer “{classes[1 - here]}”", code=1 - here)
        return Goal(f"any other answer than “{classes[here]}”", other_than=here)
    exact = [code for code, label in enumerate(classes) if label == wanted]
    found = exact or [code for code, label in enumerate(classes) if label.casefold() == wanted.strip().casefold()]
    if not found:
        known = ", ".join(f"“{label}”" for label in classes[:8])
        raise ExplainError(f"There is no class “{wanted}”; the model answers with {known}.")
    if found[0] == here:
        raise ExplainError(f"The model says “{classes[here]}” for this row already.")
    return Goal(f"the answer “{classes[found[0]]}”", code=found[0])
