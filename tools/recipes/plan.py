"""How much a training script does, by the size of the table and the budget alone: the same seed, the same model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.contract import Contract

LEAST_TO_STACK, LEAST_TO_SIEVE, MOST_TO_SEARCH = 1000, 3000, 120_000
"""Rows: of fewer no model is stacked, or left out after one fold; of more a sample is searched."""
MOST_TO_SHARE = 10_000_000
"""Cells from which one fit at a time takes all cores."""
UNKNOWN = 10_000
"""Rows that are assumed where nobody knows."""
BOOSTED = ("lightgbm", "xgboost", "catboost")


@dataclass(frozen=True)
class Plan:
    """The parameters of a script that are work."""

    FOLDS: int
    TURNS: int
    ROUNDS: int
    RATE: float
    TREES: int
    LEAF: int
    STEPS: int
    STRENGTHS: dict[str, list[float]]
    EPOCHS: int


def plan(
    contract: Contract, kinds: Mapping[str, Sequence[str]], *, seconds: float, cores: int, rows: int | None
) -> Plan:
    """About half of the budget on ordinary cores (constants are seconds there), as others are slower."""
    rows = min(rows or UNKNOWN, MOST_TO_SEARCH)
    regression, wide = contract.task == "regression", width(kinds)
    several = contract.task == "multiclass"
    outputs = len(contract.classes) if several else 1  # trees of each round
    folds = 5 if rows <= 60_000 or rows == MOST_TO_SEARCH else 10
    boosted = sum(name in contract.candidates for name in BOOSTED) + ("lightgbm" in contract.candidates)
    share = 0.5 * seconds * cores / folds / (boosted + 1)  # for one fit
    one_round = outputs * (4e-4 + 48 * wide * min(255, rows / 3) * 3e-9 + rows * wide * 4e-9)
    one_tree = 2e-3 + rows * np.log2(rows + 1) * np.sqrt(wide) * (3e-8 if regression else 9e-9)
    compact = contract.profile == "compact"
    most = 300 if rows <= 2000 else (int(3000 / outputs) + 60) if compact else 2000
    rounds, trees = int(np.clip(share / one_round, 60, most)), int(np.clip(share / one_tree, 25, 200))
    strengths = [1.0, 0.1, 10.0] if rows * wide * outputs < 1_000_000 else [1.0]
    return Plan(
        FOLDS=folds,
        TURNS=1 if rows > 300 or contract.split.rule in ("time", "group") or compact else 2 if rows > 100 else 3,
        ROUNDS=rounds,
        RATE=round(float(np.clip(50 / rounds, 0.03 if regression or rows >= 2000 else 0.1, 0.15)), 3),
        TREES=trees,
        LEAF=int(np.clip(rows * trees / 1e6, 1, 5)),
        STEPS=int(np.clip(3e8 / rows / wide / outputs, 50, 500)),
        STRENGTHS={kind: list(strengths) for kind in ("linear", "linear_quantiles")},
        EPOCHS=int(np.clip(1e6 * share / rows / (50 + wide), 3, 100)),
    )


def less(told: Mapping[str, Any], share: float) -> dict[str, int | float]:
    """The work of a script in a share of its time: fewer rounds at a higher rate, fewer trees and epochs."""
    if share >= 1 or not all(isinstance(told.get(name), int | float) for name in ("ROUNDS", "RATE", "TREES", "EPOCHS")):
        return {}
    rounds = max(min(60, told["ROUNDS"]), int(told["ROUNDS"] * share))
    rate = round(min(max(0.15, told["RATE"]), told["RATE"] * told["ROUNDS"] / rounds), 3)
    trees, epochs = max(min(25, told["TREES"]), int(told["TREES"] * share)), max(3, int(told["EPOCHS"] * share))
    return {"ROUNDS": rounds, "RATE": rate, "TREES": trees, "EPOCHS": min(epochs, told["EPOCHS"])}


def width(kinds: Mapping[str, Sequence[str]]) -> int:
    """How many columns the matrix of a model has, about."""
    wide = {"NUMBERS": 1, "CATEGORIES": 2, "DATES": 7, "TEXTS": 80}
    return sum(columns * len(kinds[kind]) for kind, columns in wide.items())
