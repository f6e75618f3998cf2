"""Several comparisons at once: intervals and ties that hold for all of them together.

Single-step max-T (Westfall & Young 1993; Hothorn, Bretz & Westfall 2008): on each resample the farthest of all
differences counts, in units of its own error, so that looking at many is paid for, and differences that rise and fall
together cost little. A candidate is among the best when no other is better beyond that (Hsu 1981).
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tools.intervals import LEVEL
from tools.metrics import Array

NOTHING = 1e-12
"""Differences with a smaller error are no comparisons: two models say the same."""


def critical(drawn: Array) -> float:
    """How many standard errors hold all differences at once: (resamples, differences) -> the quantile of the largest.

    At least that of a single comparison; NaN resamples are left out.
    """
    single = float(stats.norm.ppf(0.5 + LEVEL / 2))
    defined = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(defined):
        return single
    errors = defined.std(axis=0)
    moving = errors > NOTHING
    if not moving.any():
        return single
    strays = np.abs(defined[:, moving] - defined[:, moving].mean(axis=0)) / errors[moving]
    return max(single, float(np.quantile(strays.max(axis=1), LEVEL)))


def widening(drawn: Array) -> float:
    """How much wider than one by one the intervals of all differences must be to hold together."""
    return critical(drawn) / float(stats.norm.ppf(0.5 + LEVEL / 2))


def among_the_best(values: Array, drawn: Array) -> NDArray[np.bool_]:
    """Candidates that none of the others beats: values (candidates) and drawn (resamples, candidates), more is better.

    All pairs are compared, because which one looks best was found on the same rows.
    """
    best, reach = np.ones(len(values), dtype=bool), reaches(drawn)
    for one, other in combinations(range(len(values)), 2):
        gap = values[one] - values[other]
        if abs(gap) > reach[one, other] + NOTHING:
            best[other if gap > 0 else one] = False
    return best


def reaches(drawn: Array) -> Array:
    """Half the width of the interval of each pair's difference, for all pairs together: (candidates, candidates)."""
    count = drawn.shape[1]
    half = np.zeros((count, count))
    pairs = list(combinations(range(count), 2))
    if pairs:
        gaps = np.column_stack([drawn[:, one] - drawn[:, other] for one, other in pairs])
        half[tuple(zip(*pairs, strict=True))] = critical(gaps) * np.nanstd(gaps, axis=0)
    return half + half.T
