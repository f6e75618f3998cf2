"""Which values a column has: the frequent ones, and the shape of a number's distribution."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from tools.ingest.asking import CELL, Question, ask, is_wide
from tools.ingest.engine import identifier
from tools.profiling.facts import Facts, by_type
from tools.profiling.model import Histogram, ValueCount

TOP = 100
FEW = 50
"""Columns with at most so many values are counted together in one query; others one by one."""
MOST_SINGLY = 300
MOST_BINS = 40


def count_values(
    engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Facts]
) -> dict[str, tuple[ValueCount, ...]]:
    """The most frequent values of each column, at most 100."""
    few = [facts for facts in columns if facts.distinct <= FEW]
    many = [facts for facts in columns if facts.distinct > FEW][:MOST_SINGLY]
    return {
        **_together(engine, relation, few),
        **{facts.column.name: _singly(engine, relation, facts) for facts in many},
    }


def _together(
    engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Facts]
) -> dict[str, tuple[ValueCount, ...]]:
    found: dict[str, tuple[ValueCount, ...]] = {}
    for alike in by_type([facts.column for facts in columns]):
        questions = [Question(column.name, "", f"histogram({CELL})") for column in alike]
        for (name, _), counts in ask(engine, relation, questions, identifier, columns[0].rows).items():
            found[name] = _ranked(list((counts or {}).items()))
    return found


def _singly(engine: duckdb.DuckDBPyConnection, relation: str, facts: Facts) -> tuple[ValueCount, ...]:
    name = identifier(facts.column.name)
    query = (
        f"SELECT {name}, count(*) FROM {relation} WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}"
    )
    return _ranked([(row[0], row[1]) for row in engine.execute(query).fetchall()])


def _ranked(pairs: list[tuple[Any, int]]) -> tuple[ValueCount, ...]:
    ordered = sorted(((as_label(value), count) for value, count in pairs), key=lambda pair: (-pair[1], pair[0]))
    return tuple(ValueCount(value=value, count=count) for value, count in ordered[:TOP])


def as_label(value: Any) -> str:
    """A value as a class label: 1 and 1.0 are "1", booleans "True"/"False", dates ISO 8601."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)


def histograms(engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Facts]) -> dict[str, Histogram]:
    """One histogram per numeric column that has at least one finite value."""
    drawn = {facts.column.name: edges for facts in columns if (edges := bin_edges(facts))}
    counted = _wide_bins if drawn and is_wide(len(drawn), columns[0].rows) else _narrow_bins
    return {
        name: Histogram(edges=edges, counts=tuple(bins.get(i, 0) for i in range(len(edges) - 1)))
        for name, edges, bins in counted(engine, relation, drawn)
    }


Drawn = Mapping[str, tuple[float, ...]]
Bins = list[tuple[str, tuple[float, ...], dict[int, int]]]


def _narrow_bins(engine: duckdb.DuckDBPyConnection, relation: str, drawn: Drawn) -> Bins:
    if not drawn:
        return []
    asked = ", ".join(f"histogram({_bin(identifier(name), *_scale(edges))})" for name, edges in drawn.items())
    row = engine.execute(f"SELECT {asked} FROM {relation}").fetchall()[0]
    return [(name, edges, bins or {}) for (name, edges), bins in zip(drawn.items(), row, strict=True)]


def _wide_bins(engine: duckdb.DuckDBPyConnection, relation: str, drawn: Drawn) -> Bins:
    """As (column, cell) pairs beside a small table of scales: ten thousand expressions would take minutes to plan."""
    names = list(drawn)
    scales = [_scale(drawn[name]) for name in names]
    places = pa.array([f"q{index}" for index in range(len(names))])
    parts = [pa.array([scale[part] for scale in scales]) for part in range(3)]
    engine.register("scales", pa.table([places, *parts], names=["place", "low", "width", "last"]))
    inner = ", ".join(f"{identifier(name)}::DOUBLE AS q{index}" for index, name in enumerate(names))
    long = f"(UNPIVOT (SELECT {inner} FROM {relation}) ON COLUMNS(*) INTO NAME place VALUE cell)"
    query = f"SELECT place, histogram({_bin('cell', 'low', 'width', 'last')}) FROM {long} JOIN scales USING (place)"
    rows = engine.execute(f"{query} GROUP BY place").fetchall()
    engine.unregister("scales")
    return [(names[int(place[1:])], drawn[names[int(place[1:])]], bins or {}) for place, bins in rows]


def bin_edges(facts: Facts) -> tuple[float, ...]:
    """Equal bins by Freedman and Diaconis' rule, at most 40; whole numbers with few values get a bin each."""
    low, high = facts.low, facts.high
    if not facts.is_numeric or low is None or high is None or not math.isfinite(high - low):
        return ()
    if high == low:
        margin = max(0.5, 1e-9 * abs(low))  # beyond 2**52 a half is lost in rounding
        edges = [low - margin, low + margin]
    elif facts.is_whole and high - low < MOST_BINS:
        edges = [low - 0.5 + step for step in range(int(high - low) + 2)]
    else:
        bins = _bins(facts, low, high)
        edges = [*(low + (high - low) * step / bins for step in range(bins)), high]
    if all(left < right for left, right in itertools.pairwise(edges)):
        return tuple(edges) if math.isfinite(edges[-1] - edges[0]) else ()
    return (low, high)


def _bins(facts: Facts, low: float, high: float) -> int:
    quartiles = facts.quantiles
    spread = quartiles[4] - quartiles[2] if len(quartiles) > 4 else 0.0
    width = 2 * spread / max(facts.filled, 1) ** (1 / 3)
    return min(MOST_BINS, max(5, math.ceil((high - low) / width))) if width > (high - low) / 1e6 else MOST_BINS


def _scale(edges: tuple[float, ...]) -> tuple[float, float, int]:
    """Where the first bin begins, how wide each is, the number of the last."""
    return edges[0], (edges[-1] - edges[0]) / (len(edges) - 1), len(edges) - 2


def _bin(value: str, low: float | str, width: float | str, last: int | str) -> str:
    """SQL: the number of the bin, NULL for what is not finite."""
    place = f"floor(({value}::DOUBLE - ({low}::DOUBLE)) / ({width}::DOUBLE))"
    return f"CASE WHEN isfinite({value}::DOUBLE) THEN greatest(0, least({last}, {place}::BIGINT)) END"
