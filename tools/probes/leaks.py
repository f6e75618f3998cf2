"""When is a column, or a sum of columns, the target in other words? Rules over figures, without words.

A strong column is no leak by itself: one measurement can separate the classes of an honest table. So a column is
weighed against all the others without it. What is honestly known leaves traces in other columns too, a leak stands
alone: take it away and the model collapses. The thresholds were set on half of the tables of benchmarks/leaks.py; its
figures are told apart for the other half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.probes.evidence import Identity, Weighed

Reason = Literal["copy", "collapse", "given away", "filled", "code", "class", "same unit", "order", "where filled"]


@dataclass(frozen=True)
class Leak:
    """Why a column is one."""

    reason: Reason
    column: Weighed
    class_code: int | None = None


def leak_of(column: Weighed, classes: Sequence[float]) -> Leak | None:
    """The first rule that the column breaks. `classes`: the share of each class; empty for numbers."""
    return _class_leak(column, classes) if classes else _number_leak(column)


def _class_leak(one: Weighed, classes: Sequence[float]) -> Leak | None:
    majority = max(classes)
    if (one.one_to_one - majority) / max(1 - majority, 1e-9) >= 0.93 and one.left <= 0.35:
        return Leak("code", one)
    if one.left <= 0.15 and one.others_left >= max(0.2, 2 * one.left):
        return Leak("copy", one)
    if one.left <= 0.5 and one.left <= 0.5 * one.others_left:
        return Leak("collapse", one)
    if one.given >= max(15, 0.025 * one.rows) and one.given_right >= 0.985 and one.given_gain >= 0.12:
        return Leak("given away", one)
    surprise = one.given * -math.log(min(majority, 0.999))
    if one.view == "filled or not" and one.given >= 15 and one.given_right >= 0.995 and surprise >= 12:
        return Leak("filled", one)
    for single in one.classes:
        if single.rows >= 15 and single.left <= 0.15 and single.left <= 0.4 * single.others_left:
            return Leak("class", one, single.code)
    return None


def _number_leak(one: Weighed) -> Leak | None:
    if one.left <= 0.03 and one.others_left >= 2.5 * one.left:
        return Leak("copy", one)
    if one.left <= 0.35 and one.left <= 0.4 * one.others_left:
        return Leak("collapse", one)
    if one.same >= 0.8 and one.left <= 0.6 * one.others_left:
        return Leak("same unit", one)
    if one.rank_left <= 0.2 and one.rank_left <= 0.62 * one.others_rank_left:
        return Leak("order", one)
    if one.filled and one.filled_left <= 0.4 and one.filled_left <= 0.35 * one.filled_others_left:
        return Leak("where filled", one)
    return None


def is_identity(found: Identity, *, is_number: bool) -> bool:
    """A sum or product that is exact, or nearly so with weights of one size, or that nothing else comes near.

    One column is no sum: whether it is a near-copy is `leak_of`'s question. Classes that lie well apart are nearly a
    sum of what was measured, so for them it has to be exact or nearly.
    """
    left = 1 - found.r2
    if len(found.columns) < 2:
        return False
    if not is_number:
        return left <= 0.01 or (_alike(found.weights) and left <= 0.1)
    if left <= 0.005 and found.others_left >= max(0.03, 2 * left):
        return True
    if _alike(found.weights) and left <= 0.25 and left <= 0.5 * found.others_left:
        return True
    return left <= 0.07 and left <= 0.25 * found.others_left


def _alike(weights: Sequence[float]) -> bool:
    sizes = [abs(weight) for weight in weights]
    return min(sizes) > 0 and max(sizes) <= 1.15 * min(sizes)
