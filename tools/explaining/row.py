"""Why this row? Contributions that add up from the average prediction of other rows to the prediction of this one."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.explaining.asking import ExplainError, Model, Quantity, amount, equal_cells, piled, quantity
from tools.explaining.background import Background
from tools.explaining.shapley import averaged, contributions, walks
from tools.measuring import taken
from tools.metrics import Array
from tools.predictions import Predictions

FIRST_PAIRS = 10
MOST_PAIRS = 200
PRECISE = 0.01
"""Enough when each standard error is below this part of all the way that the contributions go."""
_REACH = 1.96


class Contribution(BaseModel):
    """What the row's value of one column does to the prediction."""

    model_config = ConfigDict(frozen=True)

    column: str
    value: str
    """The row's own, as text."""
    contribution: float
    ci_low: float
    """95 %, of the sampling of walks alone."""
    ci_high: float


class Why(BaseModel):
    """One prediction taken apart."""

    model_config = ConfigDict(frozen=True)

    of: str
    """What the numbers are: the predicted chance of “yes”."""
    answer: str
    """What the model says, a class or a number."""
    base: float
    """Average over the rows compared with."""
    value: float
    contributions: tuple[Contribution, ...]
    """The strongest first; base and all of them add up to value."""
    pairs: int
    """Pairs of walks."""
    compared_with: str
    note: str = ""


def strongest(why: Why, most: int) -> tuple[tuple[Contribution, ...], tuple[Contribution, ...]]:
    """(those worth a line of their own, the rest): at most `most`, and none that is lost beside the others."""
    least = 0.002 * sum(abs(part.contribution) for part in why.contributions)
    count = max(1, min(most, sum(abs(part.contribution) > least for part in why.contributions)))
    return why.contributions[:count], why.contributions[count:]


async def why_row(model: Model, row: pa.Table, background: Background) -> tuple[Why, Quantity]:
    """Explain the one row of `row`. Raises `ExplainError`, `ModelFailed`, `PredictionsRefused`, `SandboxError`."""
    pile = piled([background.rows, row], model.contract)
    here = len(background.rows)
    pairs, own, what = await _walked(model, pile, here)
    value = float(what.of(own)[0])
    parts, errors = averaged(pairs)
    alike = np.atleast_1d(equal_cells(pile, here, np.arange(here)).all(axis=0))
    why = Why(
        of=what.label,
        answer=answered(model.contract, own),
        base=value - float(parts.sum()),
        value=value,
        contributions=_strongest_first(model, row, parts, errors),
        pairs=len(pairs),
        compared_with=background.source,
        note=_note(len(pairs), [name for name, same in zip(model.features, alike, strict=True) if same]),
    )
    return why, what


async def _walked(model: Model, pile: pa.Table, here: int) -> tuple[Array, Predictions, Quantity]:
    """(pairs, columns) of contributions, as many pairs as are needed or fit into the time; the row's own prediction.

    In few and large questions, because most models pay per call.
    """
    generator = np.random.default_rng([model.contract.seed, here])
    same = equal_cells(pile, here, np.arange(here))
    turn = generator.permutation(here)
    found: list[Array] = []
    own: Predictions | None = None
    what: Quantity | None = None
    count = FIRST_PAIRS
    while count > 0:
        starts = turn[np.arange(len(found), len(found) + count) % here]
        before = model.clock()
        plan = walks(same, starts, generator)
        steps = np.where(plan.taken, here, plan.background[:, None])
        said = await model.said(pile, np.vstack([steps, np.full(steps.shape[1], here)]))
        if own is None or what is None:
            own = taken(said, np.array([len(steps)]))
            what = _what(model, own)
        found.extend(contributions(plan, what.of(said)[:-1]))
        fits = int(0.8 * model.left / max((model.clock() - before) / count, 1e-9))
        enough = _settled(np.array(found))
        count = 0 if enough else max(0, min(fits, 4 * len(found), MOST_PAIRS - len(found)))
    assert own is not None, "asked at least once"
    assert what is not None, "asked at least once"
    return np.array(found), own, what


def _what(model: Model, own: Predictions) -> Quantity:
    what = quantity(model.contract, own, int(own.values[0]) if model.contract.classes else None)
    if not math.isfinite(float(what.of(own)[0])):
        raise ExplainError("The model's answer for this row is no finite number, so it cannot be taken apart.")
    return what


def _settled(pairs: Array) -> bool:
    """More walks would change no digit that is shown; never before a good part of the background was used."""
    if len(pairs) < 4 * FIRST_PAIRS:
        return False
    parts, errors = averaged(pairs)
    return bool(errors.max() <= PRECISE * max(np.abs(parts).sum(), 1e-12))


def _strongest_first(model: Model, row: pa.Table, parts: Array, errors: Array) -> tuple[Contribution, ...]:
    reach = _REACH * np.nan_to_num(errors)
    order = np.argsort(-np.abs(parts), kind="stable")
    return tuple(
        Contribution(
            column=model.features[place],
            value=shown(row.column(model.features[place])[0].as_py()),
            contribution=float(parts[place]),
            ci_low=float(parts[place] - reach[place]),
            ci_high=float(parts[place] + reach[place]),
        )
        for place in order
    )


def _note(pairs: int, constant: list[str]) -> str:
    said = []
    if pairs <= FIRST_PAIRS:
        said.append(f"There was time for {pairs} pairs of walks only, so the contributions are rough.")
    if constant:
        said.append(
            f"The rows compared with all have this row's value of {_some(constant)}, so it contributes nothing."
        )
    return " ".join(said)


def _some(names: list[str], most: int = 3) -> str:
    listed = ", ".join(f"“{name}”" for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


def answered(contract: Contract, predictions: Predictions, place: int = 0) -> str:
    """What the model says about one row, as text."""
    value = float(predictions.values[place])
    return contract.classes[int(value)] if contract.classes else amount(value)


def shown(value: Any, most: int = 60) -> str:
    """A cell as text for people; a gap is named."""
    if value is None or value != value:  # NaN
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    text = " ".join(str(value).split())
    text = text.removesuffix(" 00:00:00")
    return text if len(text) <= most else f"{text[: most - 1]}…"
