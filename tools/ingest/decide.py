"""From text to types, decided by every cell of a column: a column is typed only when nothing is lost.

A sample only tells which columns are surely text, so that the whole of them need not be looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from tools.ingest.asking import Question, ask
from tools.ingest.cells import Verdict, is_value, matches, trimmed
from tools.ingest.classes import Counts, as_counts, class_question
from tools.ingest.dates import DateReading, date_questions, date_reading, iso_questions, iso_reading, judge_dates
from tools.ingest.errors import counted, shortened
from tools.ingest.numbers import PLAIN, NumberStyle, chosen_style, judge_numbers, plain_question, style_questions
from tools.ingest.raw import Raw
from tools.ingest.shapes import BOOLEAN, DATE, NUMBER

SAMPLE_ROWS = 5_000
PROMISING = 0.5
"""With less of one kind in the sample, the column is text whatever comes later."""
NEARLY = 0.8
"""A column of which so much looks like numbers (or dates) is worth a sentence when it has to stay text."""
MOST_EXAMPLES = 50
"""For so many columns the account shows values; each costs a query."""


@dataclass(frozen=True)
class _Table:
    """What every step needs."""

    engine: duckdb.DuckDBPyConnection
    raw: Raw
    names: Mapping[str, str]
    """Raw column -> name."""
    padded: frozenset[str] = frozenset()
    """Columns with cells that have blanks around them."""

    def text(self, column: str) -> str:
        """SQL: the cell without blanks around it."""
        return trimmed(column) if column in self.padded else column

    def ask(self, questions: Sequence[Question]) -> dict[str, dict[str, Any]]:
        """column -> key -> answer."""
        found: dict[str, dict[str, Any]] = {question.column: {} for question in questions}
        for (column, key), answer in ask(self.engine, self.raw.relation, questions, self.text, self.raw.rows).items():
            found[column][key] = answer
        return found

    def classes(self, questions: Sequence[Question]) -> dict[str, Counts]:
        """column -> cells per class."""
        return {column: as_counts(told.get("classes")) for column, told in self.ask(questions).items()}


def decide_types(engine: duckdb.DuckDBPyConnection, raw: Raw, names: Sequence[str]) -> list[Verdict]:
    """One verdict per column of a text table."""
    table, counts = _counted(_Table(engine, raw, {f"c{index}": name for index, name in enumerate(names)}))
    verdicts = _numbers(table, counts) | _dates(table, counts)
    verdicts |= _others(table, {column: found for column, found in counts.items() if column not in verdicts})
    return [verdicts.get(column, Verdict(column, "text")) for column in table.names]


def _counted(table: _Table) -> tuple[_Table, dict[str, Counts]]:
    """The classes of every cell, of columns that a sample does not show to be text."""
    worth = _worth_asking(table) if table.raw.rows > SAMPLE_ROWS else list(table.names)
    counts = table.classes([class_question(column) for column in worth])
    trimming = replace(table, padded=frozenset(column for column, found in counts.items() if found.padded))
    return trimming, counts | trimming.classes([class_question(column) for column in sorted(trimming.padded)])


def _worth_asking(table: _Table) -> list[str]:
    relation = f"(SELECT * FROM {table.raw.relation} LIMIT {SAMPLE_ROWS})"
    told = ask(table.engine, relation, [class_question(column) for column in table.names], trimmed, SAMPLE_ROWS)
    return [column for column in table.names if _is_open(as_counts(told.get((column, "classes"))))]


def _is_open(counts: Counts) -> bool:
    """It may still become something else than text."""
    kinds = (counts.numbers + counts.zero + counts.loose, counts.boolean, counts.date)
    return max(kinds) >= PROMISING * counts.values


def _numbers(table: _Table, counts: Mapping[str, Counts]) -> dict[str, Verdict]:
    """Columns of which every value is a number, plainly written or in one other style."""
    found = {
        column: _judged(table, column, PLAIN, seen, seen)
        for column, seen in counts.items()
        if seen.values and seen.numbers == seen.values
    }
    loose = [c for c, seen in counts.items() if seen.loose and seen.loose + seen.numbers == seen.values]
    told = table.ask([question for column in loose for question in style_questions(column)])
    styles: dict[str, NumberStyle] = {}
    for column in loose:
        style = chosen_style(told[column], counts[column].values, table.raw.decimal_comma)
        if style is not None:
            styles[column] = style
    plain = table.classes([plain_question(column, style) for column, style in styles.items()])
    for column, style in styles.items():
        found[column] = _judged(table, column, style, plain[column], counts[column])
    return found


def _judged(table: _Table, column: str, style: NumberStyle, plain: Counts, seen: Counts) -> Verdict:
    name = table.names[column]
    return judge_numbers(column, table.text(column), name, style, plain, _gaps(name, seen, "number"))


def _dates(table: _Table, counts: Mapping[str, Counts]) -> dict[str, Verdict]:
    """Columns of which every value looks like a date."""
    readings = _readings(
        table, {c: seen.values for c, seen in counts.items() if seen.date and seen.date == seen.values}
    )
    votes = {reading.votes_day_first for reading in readings.values()} - {None}
    day_first = votes.pop() if len(votes) == 1 else None
    return {
        column: judge_dates(
            table.engine,
            table.raw.relation,
            table.names[column],
            reading,
            day_first,
            _gaps(table.names[column], counts[column], "date"),
        )
        for column, reading in readings.items()
    }


def _readings(table: _Table, values: Mapping[str, int]) -> dict[str, DateReading]:
    """Column -> how its dates can be read; ISO 8601 is asked first, for it is cheap and common."""
    readings: dict[str, DateReading] = {}
    for column, answers in table.ask([q for each in values for q in iso_questions(each)]).items():
        if reading := iso_reading(column, table.text(column), answers, values[column]):
            readings[column] = reading
    rest = [column for column in values if column not in readings]
    for column, answers in table.ask([q for each in rest for q in date_questions(each)]).items():
        readings[column] = date_reading(column, table.text(column), answers, values[column])
    return readings


def _others(table: _Table, counts: Mapping[str, Counts]) -> dict[str, Verdict]:
    """Booleans, codes with leading zeros, and what stays text."""
    found: dict[str, Verdict] = {}
    for column, seen in counts.items():
        name = table.names[column]
        if seen.boolean and seen.boolean == seen.values:
            text = table.text(column)
            value = f"CASE WHEN {matches(text, BOOLEAN)} THEN lower({text}) = 'true' END"
            found[column] = Verdict(value, "boolean", _gaps(name, seen, "boolean"))
        elif seen.zero and seen.zero + seen.numbers == seen.values:
            kept = (
                f"Column '{name}' was kept as text: {counted(seen.zero, 'value')} with leading zeros would lose them."
            )
            found[column] = Verdict(column, "text", (kept,), "leading zeros kept")
        else:
            found[column] = Verdict(column, "text", _stayed_text(table, column, seen, len(found) < MOST_EXAMPLES))
    return found


def _gaps(name: str, counts: Counts, kind: str) -> tuple[str, ...]:
    """What becomes missing because the column is typed."""
    found = []
    if counts.token:
        tokens = counted(counts.token, "value")
        found.append(f"Column '{name}': {tokens} such as 'NA' or '-' read as missing, since all others are {kind}s.")
    if counts.blank:
        found.append(f"Column '{name}': {counted(counts.blank, 'blank value')} read as missing.")
    return tuple(found)


def _stayed_text(table: _Table, column: str, counts: Counts, with_examples: bool) -> tuple[str, ...]:
    """A sentence for a column that is nearly numbers or dates."""
    for fitting, shape, kind in ((counts.numbers, NUMBER, "number"), (counts.date, DATE, "date")):
        if counts.values and NEARLY * counts.values <= fitting < counts.values:
            shown = _examples(table, column, shape) if with_examples else ""
            verb = f"is not a {kind}" if counts.values - fitting == 1 else f"are not {kind}s"
            others = counted(counts.values - fitting, "value")
            return (f"Column '{table.names[column]}' stays text: {others}{shown} {verb}.",)
    return ()


def _examples(table: _Table, column: str, shape: str) -> str:
    text = table.text(column)
    query = f"SELECT DISTINCT {text} FROM {table.raw.relation} WHERE {is_value(text)} AND NOT {matches(text, shape)}"
    rows = table.engine.execute(f"{query} ORDER BY 1 LIMIT 3").fetchall()
    shown = [f"'{shortened(str(row[0]), 30)}'" for row in rows]
    return f" such as {', '.join(shown)}"
