"""One pass over every cell: each falls into exactly one class, the first that fits."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from tools.ingest.asking import CELL, Question
from tools.ingest.cells import is_token, matches, trimmed
from tools.ingest.shapes import BOOLEAN, DATE, INFINITE, INTEGER, LEADING_ZERO, LOOSE, NUMBER, PHONE

SHORT_INTEGER = "-?(0|[1-9][0-9]{0,14})"
"""Exact both as a 64-bit integer and as a floating-point number."""


@dataclass(frozen=True)
class Counts:
    """Cells of a column per class; missing ones are in none."""

    short: int = 0
    """Integers of at most 15 digits."""
    phone: int = 0
    """A plus sign before many digits."""
    long: int = 0
    """Longer integers, exact in 64 bits and as floating-point numbers."""
    long_inexact: int = 0
    """Longer integers, exact in 64 bits only."""
    huge: int = 0
    """Integers beyond 64 bits that a floating-point number happens to hold."""
    huge_inexact: int = 0
    decimal: int = 0
    overflow: int = 0
    """Too large for a floating-point number."""
    infinite: int = 0
    padded: int = 0
    """Blanks around something that may be of another class without them: ask again, trimmed."""
    blank: int = 0
    token: int = 0
    """Words for "no value"."""
    zero: int = 0
    """Digits that begin with a needless zero."""
    boolean: int = 0
    date: int = 0
    loose: int = 0
    """Perhaps a number with marks, commas or units."""
    other: int = 0

    @property
    def integers(self) -> int:
        """Plain integers of any length."""
        return self.short + self.phone + self.long + self.long_inexact + self.huge + self.huge_inexact

    @property
    def numbers(self) -> int:
        """Plain numbers of any kind."""
        return self.integers + self.decimal + self.overflow + self.infinite

    @property
    def values(self) -> int:
        """Cells that say something whatever the type."""
        return self.numbers + self.zero + self.boolean + self.date + self.loose + self.other


def class_question(column: str, text: str = CELL) -> Question:
    """How many cells are in which class; `text` is SQL for the cell. Trimming all cells would double the time."""
    double = f"try_cast({text} AS DOUBLE)"
    exact = f"try_cast({double} AS HUGEINT) IS NOT DISTINCT FROM try_cast({text} AS HUGEINT)"
    fits = f"try_cast({text} AS BIGINT) IS NOT NULL"
    integer = (
        f"CASE WHEN {matches(text, PHONE)} THEN {_code('phone')} WHEN {fits} AND {exact} THEN {_code('long')} "
        f"WHEN {fits} THEN {_code('long_inexact')} WHEN {exact} THEN {_code('huge')} ELSE {_code('huge_inexact')} END"
    )
    finite = f"CASE WHEN isinf({double}) THEN {_code('overflow')} ELSE {_code('decimal')} END"
    code = (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN {matches(text, SHORT_INTEGER)} THEN {_code('short')} "
        f"WHEN {matches(text, INTEGER)} THEN {integer} WHEN {matches(text, NUMBER)} THEN {finite} "
        f"WHEN {text} <> {trimmed(text)} THEN {_code('padded')} "
        f"WHEN {text} = '' THEN {_code('blank')} WHEN {is_token(text)} THEN {_code('token')} "
        f"WHEN {matches(text, LEADING_ZERO)} THEN {_code('zero')} "
        f"WHEN {matches(text, BOOLEAN)} THEN {_code('boolean')} "
        f"WHEN {matches(text, DATE)} THEN {_code('date')} WHEN {matches(text, LOOSE)} THEN {_code('loose')} "
        f"WHEN {matches(text, INFINITE)} THEN {_code('infinite')} ELSE {_code('other')} END"
    )
    return Question(column, "classes", f"histogram({code})")


def as_counts(answer: Mapping[int, int] | None) -> Counts:
    """The answer to `class_question`; None when the column has no cell at all."""
    told = answer or {}
    return Counts(**{name: told.get(code, 0) for code, name in enumerate(_NAMES)})


_NAMES = tuple(field.name for field in fields(Counts))


def _code(name: str) -> str:
    return f"{_NAMES.index(name)}::TINYINT"
