"""How good a table is for a blueprint, 0 to 100: 100 minus the points of named parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tools.blueprints.matching import Match
from tools.blueprints.model import Column
from tools.profile import Profile

Part = tuple[str, float, str]
"""Name, points lost, sentence."""
_MOST = {"value": 10.0, "features": 25.0, "gaps": 20.0, "rules": 25.0, "the table": 20.0}
"""Each part can cost so much and no more."""


def quality(
    match: Match, profile: Profile, table: Path, missing_features: tuple[str, ...]
) -> tuple[float, tuple[Part, ...]]:
    """The score and what it lost, the costliest first; `missing_features` cannot be computed for want of columns."""
    parts = [part for part in _parts(match, profile, table, missing_features) if part[1] > 0]
    parts = sorted(parts, key=lambda part: (-part[1], part[0]))
    return round(max(0.0, 100.0 - sum(points for _, points, _ in parts)), 1), tuple(parts)


def _part(name: str, points: float, sentence: str) -> Part:
    return name, round(min(points, _MOST[name]), 1), sentence


def _parts(match: Match, profile: Profile, table: Path, missing_features: tuple[str, ...]) -> Iterator[Part]:
    acting = match.blueprint.acting
    if acting and acting.value_from and not any(name in match.columns for name in acting.value_from):
        yield _part("value", 10, f"No column says what a row is worth ({_some(acting.value_from)}).")
    total = len(match.blueprint.features)
    yield _part(
        "features",
        30 * len(missing_features) / max(total, 1),
        f"{len(missing_features)} of {total} computed columns lack their sources: {_some(missing_features)}.",
    )
    yield _gaps(match, profile)
    broken = dict(_broken(match, table)) if profile.rows else {}
    cost = sum(min(8.0, 2.0 + 40.0 * rows / profile.rows) for rows in broken.values())
    yield _part("rules", cost, f"Values that cannot be right: {'; '.join(broken)}.")
    said = " ".join(part.sentence for part in profile.quality_parts if part.name != "gaps")
    points = sum(part.points_lost for part in profile.quality_parts if part.name != "gaps")
    yield _part("the table", points, said or "The table itself is sound.")


def _gaps(match: Match, profile: Profile) -> Part:
    known = match.blueprint.columns
    matched = [column for name, column in match.columns.items() if not known[name].after_outcome]
    shares = {column: profile.column(column).missing_share for column in matched}
    worst = max(shares, key=lambda name: shares[name], default="")
    mean = sum(shares.values()) / max(len(shares), 1)
    said = f"{mean:.1%} of the cells in matched columns are missing, most in “{worst}” ({shares.get(worst, 0):.1%})."
    return _part("gaps", 80 * mean, said)


def _broken(match: Match, table: Path) -> Iterator[tuple[str, int]]:
    """(what is wrong, rows) for every rule that some row breaks."""
    ruled = {name: column for name, column in match.columns.items() if _has_rules(match.blueprint.columns[name])}
    if not ruled:
        return
    data = pq.read_table(table, columns=sorted(set(ruled.values())))
    for name, column in ruled.items():
        yield from _of_column(match.blueprint.columns[name], column, data.column(column))


def _has_rules(column: Column) -> bool:
    return column.rules.model_fields_set != set()


def _of_column(column: Column, name: str, values: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    rules, known = column.rules, values.drop_null()
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if numeric and rules.min is not None and (rows := _count(pc.less(known, rules.min))):
        yield f"{_rows(rows)} of “{name}” below {rules.min:g}", rows
    if numeric and rules.max is not None and (rows := _count(pc.greater(known, rules.max))):
        yield f"{_rows(rows)} of “{name}” above {rules.max:g}", rows
    if rules.values and not numeric and (rows := _odd(known, rules.values)):
        yield f"{_rows(rows)} of “{name}” with another value than the usual ones", rows
    if rules.unique and (rows := len(known) - int(pc.count_distinct(known).as_py())):
        yield f"{_rows(rows)} of “{name}” that stand there more than once", rows
    if rules.not_missing and values.null_count:
        yield f"{_rows(values.null_count)} of “{name}” missing", values.null_count


def _odd(known: pa.ChunkedArray, expected: tuple[str, ...]) -> int:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(known.cast(pa.string())))
    return len(known) - _count(pc.is_in(words, value_set=pa.array([value.lower() for value in expected])))


def _count(mask: Any) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _rows(rows: int) -> str:
    return f"{rows:,} value{'' if rows == 1 else 's'}"


def _some(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    shown = ", ".join(name.replace("_", " ") for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
