"""95 % intervals of a measure from its bootstrap resamples, by the scale on which the measure behaves.

The percentile bootstrap (Efron 1979) covers too rarely where rows are few, a class is rare, errors are skewed or a
score is near its end (benchmarks/honesty.py has the figures). Therefore:

- shares and areas: Wilson (1927) with the number of rows that would give the bootstrap's standard error (Korn &
  Graubard 1998; of areas Kottas, Kuss & Zapf 2014), freed of the bootstrap's estimate of bias;
- means of shares, one per class (balanced accuracy, macro precision; F1 by way of the share of hits among all that are
  true or called so, Takahashi et al. 2022): Wilson's limits of each, put together (Zou & Donner 2008);
- average precision: the logit interval of Boyd, Eng & Page (2013), whose error counts the positives, because the
  resamples of few positives hardly differ in what is not there;
- mean losses: on the log scale the studentized bootstrap (Hall 1988; DiCiccio & Efron 1996), Student's interval from
  the resamples and from the rows, whichever reaches farther at each end. A few large errors decide and may be absent,
  so the upper end is that of the same rows and one more that is as bad as the worst of them (of squares: twice as
  bad), in the way of Agresti & Coull's (1998) added rows;
- R²: on the log scale of 1 - R² Student's interval or the percentiles, from below or above, whichever reach farther;
- medians and differences: percentiles, set outwards as Student's quantile is beyond the normal one (Hesterberg 2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tools.metrics import Array, Metric

LEVEL = 0.95
FARTHEST = 4.0
"""Standard errors to either side at most: a handful of rows can make a studentized interval endless."""
NOTHING = 1e-9
"""A smaller error is rounding."""
NAMED = (
    "95 % intervals: of shares and areas Wilson's with the effective number of rows, of average precision Boyd's on "
    "the logit scale, of mean losses studentized on the log scale with one more row as bad as the worst, of R² "
    "Student's on the log scale, of differences paired percentiles"
)


@dataclass(frozen=True)
class Information:
    """How much the sealed rows can say about one set of predictions."""

    units: int
    """Rows, groups or blocks that were redrawn."""
    scarcest: int
    """Units of the rarer of two classes, or of a typical one of several; `units` for numbers."""
    called: int
    """Units that were predicted to be positive, or to be of a typical class; `units` for numbers."""
    shares: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Measure -> (right, counted) per class whose shares it is a mean of; empty where rows hang together."""
    averaged: int = 1
    """Classes over which a measure of one class against the rest is averaged."""

    def counted(self, metric: Metric) -> int:
        """Units that the measure looks at."""
        if metric.name == "precision":
            return self.called
        return self.scarcest if metric.by_class else self.units


@dataclass(frozen=True)
class Studentized:
    """Standard error of the logarithm of a mean loss, for any weights of the rows."""

    sums: Array
    """Of the loss, per unit."""
    sizes: Array
    first: NDArray[np.intp]
    """A row of each unit, whose weight is the unit's."""
    power: float = 1.0
    """0.5 for the root of a mean."""

    def __call__(self, weights: Array) -> float:
        times = weights[self.first]
        rows, total = _dot(times, self.sizes), _dot(times, self.sums)
        if rows <= 0 or total <= 0:
            return float("nan")
        spread = _dot(times, (self.sums - total / rows * self.sizes) ** 2)
        return self.power * float(np.sqrt(spread)) / total

    def one_worse(self) -> tuple[float, float]:
        """(mean or its root, standard error of its logarithm) with one more unit that is as bad as the worst.

        Of squared errors twice as bad: they have heavier tails, so the worst to come is farther from the worst so far.
        """
        worst = float(self.sums.max()) / self.power
        sums, sizes = np.append(self.sums, worst), np.append(self.sizes, self.sizes.mean())
        places = np.arange(len(sums))
        more = Studentized(sums, sizes, places, self.power)
        return float(sums.sum() / sizes.sum()) ** self.power, more(np.ones(len(sums)))


def _dot(left: Array, right: Array) -> float:
    """Without BLAS, as in tools/metrics.py."""
    return float(np.einsum("i,i->", left, right))


def studentized(loss: Array, unit: NDArray[np.int64], *, root: bool) -> Studentized:
    """Of the mean of `loss` (or its root) over rows that are redrawn by `unit`."""
    _, first, place = np.unique(unit, return_index=True, return_inverse=True)
    sums, sizes = (np.asarray(np.bincount(place, of), dtype=np.float64) for of in (loss, np.ones(len(loss))))
    return Studentized(sums, sizes, first, 0.5 if root else 1.0)


@dataclass(frozen=True)
class Draws:
    """A measure on each resample."""

    values: Array
    errors: Array | None = None
    """Its standard error there, on the log scale; for mean losses."""
    error: float = field(default=float("nan"))
    """The same on the rows themselves."""
    worse: tuple[float, float] = (float("nan"), float("nan"))
    """Value and error with one more bad unit; for mean losses."""


def interval(metric: Metric, value: float, drawn: Draws, known: Information) -> tuple[float, float]:
    """Of a measure that has `value` on all rows; it always holds the value itself."""
    defined = drawn.values[np.isfinite(drawn.values)]
    if not len(defined) or not np.isfinite(value):
        return value, value
    if metric.bounded == (0.0, 1.0):
        return _of_share_or_mean(metric, value, defined, known)
    if drawn.errors is not None:
        ways = (
            _of_loss(value, drawn),
            _of_positive(value, defined, known.units - 1),
            _of_rows(value, drawn, known.units - 1),
        )
        return _farthest(ways)
    if metric.bounded == (-np.inf, 1.0):
        low, high = _farthest(
            (_of_positive(1.0 - value, 1.0 - defined, known.units - 1), _reflected(1.0 - value, 1.0 - defined, known))
        )
        return 1.0 - high, 1.0 - low
    return of_difference(value, defined, known)


def of_difference(value: float, drawn: Array, known: Information) -> tuple[float, float]:
    """Of a paired difference (or a median): percentiles, set outwards."""
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return value, value
    low, high = _outer_percentiles(defined, known)
    return min(low, value), max(high, value)


def _outer_percentiles(drawn: Array, known: Information) -> tuple[float, float]:
    """Set outwards as Student's quantile is beyond the normal one."""
    freedom = max(1, known.units - 1)
    outer = stats.norm.cdf(-_quantile(freedom) * np.sqrt((freedom + 1) / freedom))
    low, high = np.quantile(drawn, [outer, 1.0 - outer])
    return float(low), float(high)


def _farthest(ways: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in ways), max(high for _, high in ways)


def corrected(value: float, limits: tuple[float, float], looks: int, known: Information) -> tuple[float, float]:
    """The interval at the level that a look at the same rows for the `looks`-th time needs (Bonferroni)."""
    freedom = max(1, known.units - 1)
    wider = _quantile(freedom, (1.0 - LEVEL) / max(1, looks)) / _quantile(freedom)
    return value - wider * (value - limits[0]), value + wider * (limits[1] - value)


def _quantile(freedom: int, outside: float = 1.0 - LEVEL) -> float:
    return float(stats.t.ppf(1.0 - outside / 2, freedom))


def _error(drawn: Array, freedom: int) -> float:
    """Standard error; the bootstrap's own is too small by the share of one unit."""
    return float(np.std(drawn) * np.sqrt((freedom + 1) / freedom))


def _of_share_or_mean(metric: Metric, value: float, drawn: Array, known: Information) -> tuple[float, float]:
    counted = known.counted(metric)
    if counted == 0:
        return 0.0, 1.0
    parts = known.shares.get(metric.name, ())
    if metric.name == "average_precision" and 0.0 < value < 1.0:
        low, high = _of_average_precision(value, counted * known.averaged)
    elif not parts:
        low, high = _of_share(value, drawn, counted)
    else:
        low, high = _of_mean_of_shares(parts, twice=metric.name == "f1")
        if len(parts) > 2:
            both = _of_share(value, drawn, counted)
            low, high = min(low, both[0]), max(high, both[1])
    return max(0.0, min(low, value)), min(1.0, max(high, value))


def _of_share(value: float, drawn: Array, counted: int) -> tuple[float, float]:
    freedom = max(1, counted - 1)
    error = _error(drawn, freedom)
    if value in (0.0, 1.0):
        return _wilson(value, float(counted), stats.norm.ppf(0.5 + LEVEL / 2) ** 2)
    if error < NOTHING:
        return value, value
    middle = float(np.clip(2 * value - drawn.mean(), value - error, value + error))
    middle = float(np.clip(middle, 0.5 * value, 0.5 + 0.5 * value))
    return _wilson(middle, middle * (1.0 - middle) / error**2, _quantile(freedom) ** 2)


def _of_average_precision(value: float, positives: int) -> tuple[float, float]:
    error = stats.norm.ppf(0.5 + LEVEL / 2) / np.sqrt(positives * value * (1.0 - value))
    ends = special.expit(special.logit(value) + np.array([-error, error]))
    return float(ends[0]), float(ends[1])


def _wilson(value: float, rows: float, square: float) -> tuple[float, float]:
    centre = (value + square / (2 * rows)) / (1 + square / rows)
    half = np.sqrt(square * (value * (1 - value) / rows + square / (4 * rows**2))) / (1 + square / rows)
    return float(centre - half), float(centre + half)


def _of_mean_of_shares(parts: tuple[tuple[int, int], ...], *, twice: bool) -> tuple[float, float]:
    """`twice`: of each share j the F1 is 2j / (1 + j), j being hits among all that are true or called so."""
    square = float(stats.norm.ppf(0.5 + LEVEL / 2) ** 2)
    limits = np.array(
        [
            (right / rows, *_wilson(right / rows, float(rows), square)) if rows else (0.0, 0.0, 1.0)
            for right, rows in parts
        ]
    )
    share, low, high = (2 * limits / (1 + limits) if twice else limits).T
    down, up = float(np.sqrt(((share - low) ** 2).sum())), float(np.sqrt(((high - share) ** 2).sum()))
    mean = float(share.mean())
    return mean - down / len(parts), mean + up / len(parts)


def _of_loss(value: float, drawn: Draws) -> tuple[float, float]:
    """Studentized: the resamples tell how far a mean strays in units of its own error."""
    assert drawn.errors is not None, "asked by the caller"
    defined = (drawn.values > 0) & (drawn.errors > 0) & np.isfinite(drawn.errors)
    if value <= 0 or not defined.any() or not drawn.error > NOTHING:
        return value, value
    strays = (np.log(drawn.values[defined]) - np.log(value)) / drawn.errors[defined]
    outside = 100 * (1.0 - LEVEL) / 2
    low, high = np.clip(np.percentile(strays, [outside, 100 - outside]), -FARTHEST, FARTHEST)
    ends = value * np.exp(-high * drawn.error), value * np.exp(-low * drawn.error)
    return min(float(ends[0]), value), max(float(ends[1]), value)


def _of_rows(value: float, drawn: Draws, freedom: int) -> tuple[float, float]:
    """Student's on the log scale from the rows themselves; above as if one more bad unit had been seen."""
    if value <= 0 or not drawn.error > NOTHING:
        return value, value
    reach = min(_quantile(max(1, freedom)), FARTHEST)
    worse, error = drawn.worse
    above = float(worse * np.exp(reach * error)) if np.isfinite(worse * error) else value
    return value * float(np.exp(-reach * drawn.error)), max(value, above)


def _reflected(value: float, drawn: Array, known: Information) -> tuple[float, float]:
    """Percentiles of the logarithm as they are, and mirrored at the value (the basic bootstrap)."""
    positive = drawn[drawn > 0]
    if value <= 0 or not len(positive):
        return value, value
    low, high = _outer_percentiles(np.log(positive / value), known)
    return value * float(np.exp(min(low, -high))), value * float(np.exp(max(high, -low)))


def _of_positive(value: float, drawn: Array, freedom: int) -> tuple[float, float]:
    """Student's interval of the logarithm."""
    positive = drawn[drawn > 0]
    if value <= 0 or not len(positive):
        return value, value
    freedom = max(1, freedom)
    factor = float(np.exp(_quantile(freedom) * _error(np.log(positive), freedom)))
    return value / factor, value * factor
