"""How rows depend on each other: near-copies, a counter that numbers them, whether neighbours are alike."""

from collections.abc import Sequence

import duckdb

from tools.ingest.engine import identifier
from tools.profiling.model import ColumnProfile

FEWEST_COLUMNS = 4
"""In a table of fewer columns rows are alike by chance."""
MOST_COLUMNS = 300
"""Of a wide table the first ones tell."""


def near_duplicates(
    engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[ColumnProfile], rows: int
) -> int:
    """Rows equal to an earlier one in every column but ids and dates, numbers with fractions to two digits."""
    used = [column for column in columns if column.role in ("number", "category", "boolean", "text")][:MOST_COLUMNS]
    if len(used) < FEWEST_COLUMNS or sum(column.distinct > 2 for column in used) < FEWEST_COLUMNS:
        return 0
    cells = ", ".join(_rough(column) for column in used)
    found = engine.execute(f"SELECT count(DISTINCT hash({cells})) FROM {relation}").fetchall()
    return rows - int(found[0][0])


def _rough(column: ColumnProfile) -> str:
    name = identifier(column.name)
    if column.type != "number" or column.is_integer_valued:
        return name
    value = f"{name}::DOUBLE"
    # a string of two digits and the power of ten: rounding by log10 would leave binary crumbs
    return f"CASE WHEN isfinite({value}) THEN printf('%.1e', {value}) ELSE {value}::VARCHAR END"


def counters(columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """Whole numbers that go up (or down) from row to row, a different one in each row."""
    return tuple(
        column
        for column in columns
        if column.is_sorted and column.is_integer_valued and column.missing == 0 and column.unique_share >= 0.999
    )


def with_likeness(
    engine: duckdb.DuckDBPyConnection, relation: str, columns: tuple[ColumnProfile, ...]
) -> tuple[ColumnProfile, ...]:
    """Where a counter numbers the rows: how alike each column's neighbours are, so that its order can be judged."""
    numbering = {column.name for column in counters(columns)}
    asked = [column for column in columns if column.name not in numbering and column.distinct > 1][:MOST_COLUMNS]
    if not numbering or not asked:
        return columns
    before = ", ".join(f"{_cell(c)} AS n{i}, lag({_cell(c)}) OVER () AS p{i}" for i, c in enumerate(asked))
    tests = ", ".join(_alike(column, i) for i, column in enumerate(asked))
    found = engine.execute(f"SELECT {tests} FROM (SELECT {before} FROM {relation})").fetchall()[0]
    alike = {column.name: _likeness(column, value) for column, value in zip(asked, found, strict=True)}
    return tuple(column.model_copy(update={"like_the_row_before": alike.get(column.name)}) for column in columns)


def _is_measured(column: ColumnProfile) -> bool:
    return column.is_numeric and column.distinct > 2


def _cell(column: ColumnProfile) -> str:
    name = identifier(column.name)
    return f"CASE WHEN abs({name}::DOUBLE) < 1e150 THEN {name}::DOUBLE END" if _is_measured(column) else name


def _alike(column: ColumnProfile, place: int) -> str:
    """Correlation of numbers with the row before; of anything else the share that is equal."""
    now, before = f"n{place}", f"p{place}"
    return f"corr({now}, {before})" if _is_measured(column) else f"avg(({now} = {before})::INT)"


def _likeness(column: ColumnProfile, value: float | None) -> float | None:
    if value is None or value != value:
        return None
    if _is_measured(column):
        return round(value, 4)
    filled = sum(item.count for item in column.top)
    if not column.top_complete or not filled:
        return None
    chance = sum((item.count / filled) ** 2 for item in column.top)
    return round((value - chance) / (1 - chance), 4) if chance < 1 else None
