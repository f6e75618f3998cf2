"""Counts of every column by hand-written SQL: a few passes over the Parquet file, wide tables in batches."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from tools.ingest import Column, ColumnType
from tools.ingest.asking import CELL, NARROW, Question, ask
from tools.ingest.engine import identifier, tally

LARGE = 1_000_000
"""Above so many rows distinct values and quantiles are estimated (HyperLogLog, t-digest)."""
QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
TAME = 1e150
"""Squares of larger values overflow; the standard deviation leaves them out."""


@dataclass(frozen=True)
class Facts:
    """What was counted of one column."""

    column: Column
    rows: int
    filled: int = 0
    distinct: int = 0
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    infinite: int = 0
    fractions: int = 0
    length: float | None = None
    """Mean characters of a text."""
    words: float | None = None
    """Mean words of a text."""
    spellings: int = 0
    """Different texts when case and blanks around them are ignored."""
    padded: int = 0
    """Texts with blanks around them."""
    is_sorted: bool = False
    steps_up: float | None = None

    @property
    def distinct_exact(self) -> bool:
        """`distinct` is no estimate."""
        return self.rows <= LARGE

    @property
    def is_numeric(self) -> bool:
        """Stored as a number."""
        return self.column.type in ("integer", "number")

    @property
    def is_whole(self) -> bool:
        """Numbers without fractions."""
        return self.is_numeric and self.filled > self.infinite and not self.fractions

    @property
    def unique_share(self) -> float:
        """distinct / filled, at most 1."""
        return min(1.0, self.distinct / self.filled) if self.filled else 0.0

    @property
    def low(self) -> float | None:
        """The smallest finite number."""
        return self.minimum if isinstance(self.minimum, float) else None

    @property
    def high(self) -> float | None:
        """The largest finite number."""
        return self.maximum if isinstance(self.maximum, float) else None


def gather_facts(engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column], rows: int) -> list[Facts]:
    """The facts of all columns, in their order."""
    told: dict[str, dict[str, Any]] = {column.name: {} for column in columns}
    for alike in by_type(columns):
        questions = [Question(c.name, key, sql) for c in alike for key, sql in _questions(c.type, rows).items()]
        for (name, key), answer in ask(engine, relation, questions, identifier, rows).items():
            told[name][key] = answer
    found = [_facts(column, rows, told[column.name]) for column in columns]
    steps = _steps_up(engine, relation, [facts.column for facts in found if _may_be_sorted(facts)])
    up = [steps.get(facts.column.name) for facts in found]
    return [
        replace(facts, is_sorted=share in (0.0, 1.0), steps_up=share) for facts, share in zip(found, up, strict=True)
    ]


def by_type(columns: Sequence[Column]) -> list[list[Column]]:
    """Columns whose cells can stand in one list."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.type, []).append(column)
    return list(groups.values())


def _questions(kind: ColumnType, rows: int) -> Mapping[str, str]:
    distinct = f"count(DISTINCT {CELL})" if rows <= LARGE else f"approx_count_distinct({CELL})"
    common = {"filled": f"count({CELL})", "distinct": distinct}
    match kind:
        case "integer" | "number":
            return common | _number_questions(rows)
        case "date" | "datetime":
            return common | {"minimum": f"min({CELL})", "maximum": f"max({CELL})"}
        case "text":
            return common | _text_questions(rows)
        case _:
            return common


def _number_questions(rows: int) -> dict[str, str]:
    finite = f"FILTER (WHERE isfinite({CELL}::DOUBLE))"
    tame = f"FILTER (WHERE abs({CELL}::DOUBLE) < {TAME})"
    shares = ", ".join(str(share) for share in QUANTILES.values())
    quantile = "quantile_cont" if rows <= LARGE else "approx_quantile"
    return {
        "minimum": f"min({CELL}::DOUBLE) {finite}",
        "maximum": f"max({CELL}::DOUBLE) {finite}",
        "mean": f"avg({CELL}::DOUBLE) {tame}",
        "std": f"stddev_samp({CELL}::DOUBLE) {tame}",
        "quantiles": f"{quantile}({CELL}::DOUBLE, [{shares}]) {finite}",
        "infinite": tally(f"isinf({CELL}::DOUBLE)"),
        "fractions": tally(f"isfinite({CELL}::DOUBLE) AND {CELL}::DOUBLE <> floor({CELL}::DOUBLE)"),
    }


def _text_questions(rows: int) -> dict[str, str]:
    plain = f"lower(trim({CELL}))"
    return {
        "length": f"avg(length({CELL}))",
        "words": f"avg(1 + length({CELL}) - length(replace({CELL}, ' ', '')))",
        "padded": tally(f"{CELL} <> trim({CELL})"),
        "spellings": f"count(DISTINCT {plain})" if rows <= LARGE else f"approx_count_distinct({plain})",
    }


def _facts(column: Column, rows: int, told: dict[str, Any]) -> Facts:
    plain = {key: as_plain(value) for key, value in told.items() if key != "quantiles"}
    quantiles = tuple(float(value) for value in told.get("quantiles") or ())
    for key in ("minimum", "maximum"):
        if isinstance(plain.get(key), int):
            plain[key] = float(plain[key])
    return Facts(column, rows, quantiles=quantiles, **plain)


def as_plain(value: Any) -> Any:
    """What JSON can hold: ISO text for dates, None for numbers that are not finite."""
    if isinstance(value, dt.date):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _may_be_sorted(facts: Facts) -> bool:
    return facts.distinct > 1 and facts.column.type in ("integer", "date", "datetime")


def _steps_up(engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column]) -> dict[str, float]:
    """Of the steps between neighbouring rows the share that goes up; of a wide table for the dates and some others."""
    asked = sorted(columns, key=lambda column: column.type == "integer")[:NARROW]
    if not asked:
        return {}
    names = [identifier(column.name) for column in asked]
    before = ", ".join(f"{name} AS n{i}, lag({name}) OVER () AS p{i}" for i, name in enumerate(names))
    tests = ", ".join(f"{tally(f'n{i} < p{i}')}, {tally(f'n{i} > p{i}')}" for i in range(len(names)))
    counts = engine.execute(f"SELECT {tests} FROM (SELECT {before} FROM {relation})").fetchall()[0]
    pairs = zip(asked, counts[0::2], counts[1::2], strict=True)
    return {column.name: rises / (rises + falls) for column, falls, rises in pairs if rises + falls}
