"""SQL over cells that are still text, and what a column is judged to be."""

from dataclasses import dataclass

from tools.ingest.dataset import ColumnType
from tools.ingest.engine import text_literal
from tools.ingest.shapes import MISSING

BLANKS = text_literal(" \t\n\r\u00a0")
MISSING_SQL = f"({', '.join(text_literal(token) for token in MISSING)})"


@dataclass(frozen=True)
class Verdict:
    """How one column is stored."""

    expression: str
    """SQL over the raw column."""
    type: ColumnType
    sentences: tuple[str, ...] = ()
    note: str = ""


def trimmed(column: str) -> str:
    """SQL: the cell without blanks around it."""
    return f"trim({column}, {BLANKS})"


def is_token(text: str) -> str:
    """SQL: the cell is a word for "no value"."""
    return f"(length({text}) < 9 AND lower({text}) IN {MISSING_SQL})"


def is_value(text: str) -> str:
    """SQL: the cell says something."""
    return f"({text} <> '' AND NOT {is_token(text)})"


def matches(text: str, shape: str) -> str:
    """SQL: the cell has this shape."""
    return f"regexp_full_match({text}, {text_literal(shape)})"
