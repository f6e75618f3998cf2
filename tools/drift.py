"""Have the columns moved since training? Each against the training rows, as `tools/reference.py` describes them.

PSI (population stability index) says how much, with the bands that credit scoring uses (Siddiqi 2006: below 0.1 small,
0.1 to 0.25 moderate, above large); what PSI chance alone gives is (bins - 1)(1/n + 1/m) (Yurdakul 2018). Whether it is
more than chance is asked of tests: Kolmogorov-Smirnov for numbers, dates and text lengths (its distance is taken at the
stored quantiles, so it can only be too small), chi-squared for categories, Fisher's exact test for gaps and (with Esty
1983) for categories that training never saw. All p-values of a table are judged together (Benjamini-Hochberg 1995,
5 %), so a table in which nothing has moved raises an alarm at most one time in twenty, however many columns it has.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tools.reference import Array, ColumnReference, Reference, binned, numbers
from tools.seal import class_counts

Size = Literal["none", "small", "moderate", "large"]
"""none: nothing that these rows can tell from chance; small: certain, but below the bands."""
SIZES: tuple[Size, ...] = ("none", "small", "moderate", "large")
Test = Literal["values", "missing", "new categories"]
Counts = Sequence[int] | NDArray[np.int64]

FALSE_ALARMS = 0.05
PSI_BANDS = (0.1, 0.25)
KS_BANDS = (0.1, 0.25)
SHARE_BANDS = (0.05, 0.2)
"""Of gaps and of new categories, in shares of the rows."""
BARS = 20
"""Categories with a bar of their own in PSI and in pictures; the rest is one."""
ENOUGH = 5.0
"""Rows expected in a cell of the chi-squared test (Cochran 1954)."""
MIN_ROWS = 5
FLOOR = 0.5
"""Added to each count, so that an empty bin has a share that has a logarithm."""
OTHERS, UNKNOWN = "all others", "not in training"


class Tested(BaseModel):
    """One question about a column."""

    model_config = ConfigDict(frozen=True)

    test: Test
    p: float
    q: float = 1.0
    """p after Benjamini-Hochberg over all questions about the table."""
    effect: float
    """PSI or KS distance, whichever says more, or the change in shares."""
    size: Size = "none"


class ColumnDrift(BaseModel):
    """One column: what was measured, and one sentence when it has moved."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    is_target: bool
    size: Size
    psi: float | None
    psi_by_chance: float | None
    ks: float | None
    """Largest distance between the two distributions, 0 to 1; None for categories."""
    missing_before: float
    missing_now: float
    new: dict[str, int] = {}
    """Categories that training never saw and their rows, the most frequent first, at most 20."""
    new_rows: int = 0
    vanished: tuple[str, ...] = ()
    """Categories that had to be expected in so many rows and are not there, at most 20."""
    outside: int = 0
    """Rows below the smallest or above the largest value of the training rows."""
    bars: tuple[tuple[str, float, float], ...] = ()
    """Bin or category, share before, share now."""
    tests: tuple[Tested, ...] = ()
    sentence: str = ""


class Drift(BaseModel):
    """All columns, those that have moved most first."""

    model_config = ConfigDict(frozen=True)

    rows_before: int
    rows_now: int
    size: Size
    """Of the column that has moved most."""
    sentence: str
    columns: tuple[ColumnDrift, ...]

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """Columns whose change is more than chance, the largest first."""
        return tuple(column for column in self.columns if column.size != "none")


def drift(reference: Reference, now: pa.Table, target: str | None = None) -> Drift:
    """Compare each column of the reference that `now` has; `target` is told apart in words.

    `now` has the columns in the types of training (`tools.replay.conform`).
    """
    there = [column for column in reference.columns if column.name in now.column_names]
    found = [_measured(column, now.column(column.name), is_target=column.name == target) for column in there]
    judged = _judged(found)
    ranked = sorted(judged, key=lambda one: (-SIZES.index(one.size), -(one.psi or 0.0), one.name))
    worst = ranked[0].size if ranked else "none"
    return Drift(
        rows_before=reference.rows,
        rows_now=now.num_rows,
        size=worst,
        sentence=_overall(ranked, now.num_rows),
        columns=tuple(ranked),
    )


def psi(before: Counts, now: Counts) -> float:
    """Population stability index of two rows of counts over the same bins."""
    shares = [np.asarray(counts, dtype=np.float64) + FLOOR for counts in (before, now)]
    old, new = (counts / counts.sum() for counts in shares)
    return float(np.sum((new - old) * np.log(new / old)))


def by_chance(bins: int, before: int, now: int) -> float:
    """Expected PSI of two samples of one distribution."""
    return (bins - 1) * (1 / max(before, 1) + 1 / max(now, 1))


def _measured(before: ColumnReference, column: pa.ChunkedArray, *, is_target: bool) -> ColumnDrift:
    if before.kind == "category":
        return _category(before, class_counts(column), len(column), is_target=is_target)
    return _number(before, numbers(column, before.kind), is_target=is_target)


def _number(before: ColumnReference, values: Array, *, is_target: bool) -> ColumnDrift:
    filled = np.sort(values[~np.isnan(values)])
    common = _common(before, len(values), len(filled), is_target)
    gaps = _gaps(before, len(values), len(filled))
    if min(before.filled, len(filled)) < MIN_ROWS or before.minimum is None or before.maximum is None:
        return ColumnDrift(**common, psi=None, psi_by_chance=None, ks=None, tests=gaps)
    counts = binned(filled, before.uppers)
    stability = psi(before.counts, counts)
    distance, p = _kolmogorov_smirnov(before, filled)
    size = max(_size(stability, PSI_BANDS), _size(distance, KS_BANDS), key=SIZES.index)
    return ColumnDrift(
        **common,
        psi=stability,
        psi_by_chance=by_chance(len(counts), before.filled, len(filled)),
        ks=distance,
        outside=int(((filled < before.minimum) | (filled > before.maximum)).sum()),
        bars=_bins(before, counts),
        tests=(Tested(test="values", p=p, effect=distance, size=size), *gaps),
        sentence=_moved_number(before, filled),
    )


def _common(before: ColumnReference, rows: int, filled: int, is_target: bool) -> dict[str, Any]:
    return {
        "name": before.name,
        "kind": before.kind,
        "is_target": is_target,
        "size": "none",
        "missing_before": before.missing / max(before.rows, 1),
        "missing_now": (rows - filled) / max(rows, 1),
    }


def _kolmogorov_smirnov(before: ColumnReference, filled: Array) -> tuple[float, float]:
    """Distance at the stored quantiles, and its p-value by the limiting distribution."""
    here = np.searchsorted(filled, np.asarray(before.points), side="right") / len(filled)
    distance = float(np.abs(here - np.asarray(before.below)).max())
    effective = before.filled * len(filled) / (before.filled + len(filled))
    return distance, float(stats.kstwobign.sf(distance * np.sqrt(effective)))


def _gaps(before: ColumnReference, rows: int, filled: int) -> tuple[Tested, ...]:
    missing = rows - filled
    if not rows or not before.rows or not (missing or before.missing):
        return ()
    p = stats.fisher_exact([[missing, filled], [before.missing, before.filled]]).pvalue
    change = abs(missing / rows - before.missing / before.rows)
    return (Tested(test="missing", p=float(p), effect=change, size=_size(change, SHARE_BANDS)),)


def _category(before: ColumnReference, counts: dict[str, int], rows: int, *, is_target: bool) -> ColumnDrift:
    filled = sum(counts.values())
    common = _common(before, rows, filled, is_target)
    gaps = _gaps(before, rows, filled)
    new = {label: n for label, n in counts.items() if label not in before.levels} if before.complete else {}
    new = dict(sorted(new.items(), key=lambda item: (-item[1], item[0])))
    unseen = sum(new.values())
    common |= {"ks": None, "new": _first(new), "new_rows": unseen}
    if min(before.filled, filled) < MIN_ROWS:
        return ColumnDrift(**common, psi=None, psi_by_chance=None, tests=gaps)
    bars = _bars(before, counts)
    stability = psi([old for _, old, _ in bars], [now for *_, now in bars])
    tests = [Tested(test="values", p=_chi_squared(before, counts), effect=stability, size=_size(stability, PSI_BANDS))]
    if unseen:
        p, share = _unexpected(before, unseen, filled), unseen / filled
        tests.append(Tested(test="new categories", p=p, effect=share, size=_size(share, SHARE_BANDS)))
    return ColumnDrift(
        **common,
        psi=stability,
        psi_by_chance=by_chance(len(bars), before.filled, filled),
        vanished=_vanished(before, counts, filled),
        bars=tuple((label, old / before.filled, now / filled) for label, old, now in bars),
        tests=(*tests, *gaps),
        sentence=_moved_category(bars, before.filled, filled),
    )


def _first(counts: dict[str, int]) -> dict[str, int]:
    return dict(list(counts.items())[:BARS])


def _bars(before: ColumnReference, counts: dict[str, int]) -> list[tuple[str, int, int]]:
    """Rows before and now of the most frequent categories of training, and of all others together."""
    shown = list(before.levels)[:BARS]
    bars = [(label, before.levels[label], counts.get(label, 0)) for label in shown]
    others = (before.filled - sum(old for _, old, _ in bars), sum(counts.values()) - sum(now for *_, now in bars))
    return [*bars, (OTHERS if others[0] else UNKNOWN, *others)] if any(others) else bars


def _chi_squared(before: ColumnReference, counts: dict[str, int]) -> float:
    """Homogeneity of the two rows of counts; categories with too few rows in both together count as one."""
    labels = list(dict.fromkeys((*before.levels, *(counts if before.complete else ()))))
    old = np.array([before.levels.get(label, 0) for label in labels], dtype=np.float64)
    now = np.array([counts.get(label, 0) for label in labels], dtype=np.float64)
    filled = sum(counts.values())
    expected = (old + now) * min(before.filled, filled) / (before.filled + filled)
    enough = expected >= ENOUGH
    cells = np.vstack([old[enough], now[enough]])
    rest = np.array([[before.filled - cells[0].sum()], [filled - cells[1].sum()]])
    if rest.sum():
        cells = np.hstack([cells, rest])
    return float(stats.chi2_contingency(cells).pvalue) if cells.shape[1] > 1 else 1.0


def _unexpected(before: ColumnReference, unseen: int, filled: int) -> float:
    """Are there more rows of unknown categories than categories with a single training row had let expect?

    Fisher's test is right where there are few, Esty's normal limit where many rows share what training just missed.
    """
    table = [[unseen, filled - unseen], [before.once, before.filled - before.once]]
    exact = float(stats.fisher_exact(table, alternative="greater").pvalue)
    expected, share = before.once / before.filled, unseen / filled
    variance = (before.once * (1 - expected) + 2 * before.twice + 1) / before.filled**2 + share * (1 - share) / filled
    return max(exact, float(stats.norm.sf((share - expected) / np.sqrt(variance))))


def _vanished(before: ColumnReference, counts: dict[str, int], filled: int) -> tuple[str, ...]:
    """Gone although chance would leave it out in one of a thousand tables only."""
    gone = (
        label
        for label, rows in before.levels.items()
        if label not in counts and (1 - rows / before.filled) ** filled < 0.001
    )
    return tuple(list(gone)[:BARS])


def _judged(found: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Sizes, once all questions are judged together."""
    values = [test.p for column in found for test in column.tests]
    adjusted = iter(stats.false_discovery_control(values).tolist() if values else [])
    return [_sized(column, [float(next(adjusted)) for _ in column.tests]) for column in found]


def _sized(column: ColumnDrift, adjusted: Sequence[float]) -> ColumnDrift:
    tests = tuple(
        test.model_copy(update={"q": q, "size": test.size if q <= FALSE_ALARMS else "none"})
        for test, q in zip(column.tests, adjusted, strict=True)
    )
    size: Size = max((test.size for test in tests), key=SIZES.index, default="none")
    certain = [test for test in tests if test.q <= FALSE_ALARMS]
    sentence = _sentence(column, certain, size) if certain else ""
    return column.model_copy(update={"tests": tests, "size": size, "sentence": sentence})


def _size(effect: float, bands: tuple[float, float]) -> Size:
    return "large" if effect >= bands[1] else "moderate" if effect >= bands[0] else "small"


def _sentence(column: ColumnDrift, certain: Sequence[Tested], size: Size) -> str:
    """What has moved, one sentence; `column.sentence` has the words for its values."""
    parts = []
    tests = {test.test for test in certain}
    if "values" in tests:
        measured = [f"PSI {column.psi:.2f}"] if column.psi is not None else []
        measured += [f"KS {column.ks:.2f}"] if column.ks is not None else []
        parts.append(f"{column.sentence} ({', '.join(measured)})")
    if "new categories" in tests:
        named = ", ".join(f"“{label[:40]}”" for label in list(column.new)[:3])
        parts.append(f"{column.new_rows:,} rows have categories that training never saw ({named})")
    if "missing" in tests:
        parts.append(f"missing in {column.missing_now:.1%} of the rows instead of {column.missing_before:.1%}")
    what = "the target " if column.is_target else ""
    return f"{what}“{column.name}”: {'; '.join(parts)}; {size}."


def _moved_number(before: ColumnReference, filled: Array) -> str:
    old = float(np.interp(0.5, before.below, before.points))
    now = float(np.median(filled))
    what = "median length" if before.kind == "text" else "median"
    if _shown(old, before.kind) != _shown(now, before.kind):
        return f"{what} {_shown(old, before.kind)} → {_shown(now, before.kind)}"
    spread = [np.interp(0.9, before.below, before.points) - np.interp(0.1, before.below, before.points)]
    spread.append(np.quantile(filled, 0.9) - np.quantile(filled, 0.1))
    unit = " days" if before.kind == "date" else ""
    return f"the middle 80 % span {spread[0]:.4g}{unit} → {spread[1]:.4g}{unit}"


def _shown(value: float, kind: str) -> str:
    if kind == "date":
        return str(np.datetime64(int(np.floor(value)), "D"))
    return f"{value:.4g}"


def _moved_category(bars: Sequence[tuple[str, int, int]], before: int, now: int) -> str:
    named = [bar for bar in bars if bar[0] not in (OTHERS, UNKNOWN)] or bars
    label, old, new = max(named, key=lambda bar: abs(bar[1] / before - bar[2] / now))
    return f"“{label[:40]}” {old / before:.1%} → {new / now:.1%}"


def _bins(before: ColumnReference, counts: NDArray[np.int64]) -> tuple[tuple[str, float, float], ...]:
    ends = [_shown(end, before.kind) for end in before.uppers]
    names = [f"to {end}" for end in ends] + [f"above {ends[-1]}" if ends else "all"]
    filled = max(int(counts.sum()), 1)
    return tuple(
        (name, old / before.filled, int(new) / filled)
        for name, old, new in zip(names, before.counts, counts, strict=True)
    )


def _overall(ranked: Sequence[ColumnDrift], rows: int) -> str:
    moved = [column for column in ranked if column.size != "none"]
    if not moved:
        return f"None of the {len(ranked)} columns has moved by more than chance does in {rows:,} rows."
    worse = [column for column in moved if column.size != "small"]
    named = ", ".join(f"“{column.name}” ({column.size})" for column in moved[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    word = "has" if len(moved) == 1 else "have"
    weight = "" if worse else "; all changes are small"
    return f"{len(moved)} of {len(ranked)} columns {word} moved: {named}{more}{weight}."
