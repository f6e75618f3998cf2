"""Many aggregates over many columns, in few queries.

Planning time grows faster than the number of expressions, so a wide table is turned into (column, cell) pairs and asked
per group: 10 000 columns cost seconds instead of minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

CELL = "@cell"
"""Stands for the cell in a question's SQL."""
NARROW = 300
"""More columns than this are never asked side by side."""
SLIM = 30
"""So few columns always are; in between, when there are more cells than `MANY_CELLS`: planning is then a small part."""
MANY_CELLS = 5_000_000
AT_ONCE = 1_500
"""Expressions in one query."""

Answers = dict[tuple[str, str], Any]


@dataclass(frozen=True)
class Question:
    """One aggregate over one column."""

    column: str
    """SQL of the column."""
    key: str
    sql: str
    """The aggregate, with `CELL` where the cell stands."""


def ask(
    engine: duckdb.DuckDBPyConnection,
    relation: str,
    questions: Sequence[Question],
    prepare: Callable[[str], str],
    rows: int,
) -> Answers:
    """(column, key) -> answer; `prepare` makes the cell from the column, and all cells have one type.

    Of a column without any value there may be no answer.
    """
    columns = list(dict.fromkeys(question.column for question in questions))
    if not is_wide(len(columns), rows):
        return _side_by_side(engine, relation, questions, prepare)
    answers: Answers = {}
    for alike, asked in _alike(questions):
        answers |= _per_group(engine, relation, alike, asked, prepare)
    return answers


def is_wide(columns: int, rows: int) -> bool:
    """Better asked as (column, cell) pairs."""
    return columns > NARROW or (columns > SLIM and columns * rows < MANY_CELLS)


def _side_by_side(
    engine: duckdb.DuckDBPyConnection, relation: str, questions: Sequence[Question], prepare: Callable[[str], str]
) -> Answers:
    answers: Answers = {}
    for start in range(0, len(questions), AT_ONCE):
        batch = questions[start : start + AT_ONCE]
        columns = {column: f"q{i}" for i, column in enumerate(dict.fromkeys(question.column for question in batch))}
        inner = ", ".join(f"{prepare(column)} AS {alias}" for column, alias in columns.items())
        asked = ", ".join(question.sql.replace(CELL, columns[question.column]) for question in batch)
        row = engine.execute(f"SELECT {asked} FROM (SELECT {inner} FROM {relation})").fetchall()[0]
        for question, answer in zip(batch, row, strict=True):
            answers[question.column, question.key] = answer
    return answers


def _alike(questions: Sequence[Question]) -> Iterator[tuple[list[str], tuple[tuple[str, str], ...]]]:
    """Columns of which the same is asked, and what is asked: pairs of key and SQL."""
    per_column: dict[str, list[tuple[str, str]]] = {}
    for question in questions:
        per_column.setdefault(question.column, []).append((question.key, question.sql))
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for column, asked in per_column.items():
        groups.setdefault(tuple(asked), []).append(column)
    for pairs, columns in groups.items():
        yield columns, pairs


def _per_group(
    engine: duckdb.DuckDBPyConnection,
    relation: str,
    columns: list[str],
    asked: tuple[tuple[str, str], ...],
    prepare: Callable[[str], str],
) -> Answers:
    inner = ", ".join(f"{prepare(column)} AS q{index}" for index, column in enumerate(columns))
    long = f"(UNPIVOT (SELECT {inner} FROM {relation}) ON COLUMNS(*) INTO NAME place VALUE cell)"
    aggregates = ", ".join(sql.replace(CELL, "cell") for _, sql in asked)
    rows = engine.execute(f"SELECT place, {aggregates} FROM {long} GROUP BY place").fetchall()
    return {
        (columns[int(place[1:])], key): answer
        for place, *told in rows
        for (key, _), answer in zip(asked, told, strict=True)
    }
