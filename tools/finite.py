"""Only numbers are reported: JSON knows no infinity, and a reader can do nothing with one."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from tools.predictions import PredictionsRefused
from tools.score import Difference, Scalar, Score

_Figures = TypeVar("_Figures", bound=Scalar | Difference)


def finite(found: Score) -> Score:
    """The score without further measures and comparisons that are not finite; a note names what was left out.

    Raises `PredictionsRefused` when the deciding measure, its baseline or their difference is not finite.
    """
    for deciding in (found.metric, found.baseline, found.difference):
        if not _is_finite(deciding):
            raise PredictionsRefused(
                f"{found.metric.label} of these predictions is not a finite number with a finite interval, so they "
                "cannot be judged: they are out of all proportion to the sealed values, or the measure is not defined "
                "there; choose another measure, or look at what the model predicts."
            )
    left_out = [item.label for item in found.also if not _is_finite(item)]
    verb = "has no finite value" if len(left_out) == 1 else "have no finite values"
    note = (f"{' and '.join(left_out)} {verb} on these rows and cannot be reported.",) if left_out else ()
    parts = {"also": _only(found.also), "baselines": _only(found.baselines), "earlier": _only(found.earlier)}
    return found.model_copy(update={**parts, "notes": (*found.notes, *note)})


def _only(figures: Sequence[_Figures]) -> tuple[_Figures, ...]:
    return tuple(item for item in figures if _is_finite(item))


def _is_finite(item: Scalar | Difference) -> bool:
    numbers: Iterable[float] = (item.value, item.ci_low, item.ci_high)
    return all(map(math.isfinite, numbers))
