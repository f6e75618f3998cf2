"""How sealed rows are redrawn: as the hold-out was drawn, so that the spread of the resamples is that of new tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.contract import Contract
from tools.metrics import Array

MOST_BLOCKS = 20
"""Redrawn after a split by time."""


@dataclass(frozen=True)
class Truth:
    """Labels of the sealed rows as the measures need them."""

    codes: Array
    """Class codes in the order of `contract.classes`, or numbers."""
    unit: NDArray[np.int64]
    """Rows of one unit depend on each other and are redrawn together."""


def redrawn_in(truth: Truth, contract: Contract) -> Truth:
    """The same rows with the units that are redrawn: in order of time few and long ones."""
    if contract.split.rule != "time":
        return truth
    _, unit = np.unique(truth.unit, return_inverse=True)
    units = int(unit.max()) + 1
    return Truth(truth.codes, (unit * min(units, MOST_BLOCKS) // units).astype(np.int64))


def how_much_is_known(contract: Contract) -> float | None:
    """How many times more rows than the sealed ones tell how frequent each class is, after a stratified split."""
    return 1.0 / contract.split.holdout_fraction if contract.split.rule == "stratified" else None


def strata(truth: Truth, contract: Contract) -> NDArray[np.int64] | None:
    """Class per row where rows are redrawn within classes: as the split did, or where a class could vanish."""
    if contract.task == "regression" or len(np.unique(truth.unit)) < len(truth.unit):
        return None
    codes = truth.codes.astype(np.int64)
    smallest = int(np.bincount(codes)[np.unique(codes)].min())
    return codes if contract.split.rule == "stratified" or smallest < 10 else None


def resampled(
    truth: Truth, strata: NDArray[np.int64] | None, count: int, seed: int, share_known: float | None = None
) -> Iterator[Array]:
    """Row weights of `count` bootstrap resamples: how often each row was drawn.

    With `share_known` the strata weigh as they may in a table of so many times the rows, otherwise as they are here.
    """
    generator = np.random.default_rng(seed)
    _, unit = np.unique(truth.unit, return_inverse=True)
    units, rows = int(unit.max()) + 1, len(unit)
    if strata is None:
        for _ in range(count):
            times = np.bincount(generator.integers(0, units, units, dtype=np.int32), minlength=units)
            yield (times if units == rows else times[unit]).astype(np.float64)
        return
    order = np.argsort(strata, kind="stable")
    _, first, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    start, size = np.repeat(first, sizes), np.repeat(sizes, sizes)
    weights = np.empty(rows)
    for _ in range(count):
        picked = start + (generator.random(rows, dtype=np.float32) * size).astype(np.int64)
        weights[order] = np.bincount(np.minimum(picked, start + size - 1), minlength=rows)
        if share_known is not None:
            known = round(rows * share_known)
            drawn = generator.multinomial(known, sizes / rows) * (rows / known)
            weights[order] *= np.repeat(np.maximum(drawn, 1.0) / sizes, sizes)
        yield weights
