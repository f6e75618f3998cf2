"""Values of columns in a sentence: "churn = Yes", "class 1", "the positive class is malignant"."""

import re

from agents.language.columns import ColumnIndex
from agents.language.marking import Marked
from agents.language.words import ATOM, keys, stem
from tools.schema import SchemaColumn


def values_in(text: str, marked: Marked, index: ColumnIndex) -> tuple[str, tuple[str, str] | None]:
    """Take "churn = Yes" and "class 1" apart: the text keeps the column, the value is returned."""
    hits: list[tuple[str, str]] = []
    for sign, atom in marked.atoms.items():
        column = index.column(atom.columns[0])
        if len(atom.columns) != 1 or column is None:
            continue
        text, value = _value_after(text, sign, column)
        if value is not None:
            hits.append((column.name, value))
    return text, hits[0] if hits else None


def _value_after(text: str, sign: str, column: SchemaColumn) -> tuple[str, str | None]:
    found = re.search(
        (
            rf"{sign}\s*(==?|\bis\b|\bequals?(?:\s+to)?\b|:|\bbeing\b|\bof\b)?\s*[\"']?([\w.+-]+(?:\s+[\w.+-]+){{0,"
            rf"3}})"
        ),
        text,
    )
    if not found:
        return text, None
    said = found.group(2).split()
    for size in range(len(said), 0, -1):
        candidate = " ".join(said[:size]).rstrip(".")
        value = value_of(column, candidate)
        if value is None and found.group(1) in ("=", "==") and not column.values and size == 1:
            value = candidate
        if (
            value is not None
            and not found.group(1)
            and re.match(rf"no\s+(?:the\s+)?{ATOM}", text[found.start(2) :], re.I)
        ):
            return text, None
        if value is not None:
            end = found.start(2) + len(candidate)
            return f"{text[: found.start() + 1]} {text[end:].lstrip(chr(34) + chr(39))}", value
    return text, None


_TRUTHS = (
    frozenset(["1", "yes", "y", "true", "t", "positive", "1.0"]),
    frozenset(["0", "no", "n", "false", "f", "negative", "0.0"]),
)


def value_of(column: SchemaColumn, said: str) -> str | None:
    """The value of a column with few values that these words mean, as the table writes it."""
    if column.role in ("id", "text", "date") or (column.distinct or 0) > 50:
        return None
    wanted = said.strip(" \"'.").casefold()
    exact = next((value for value in column.values if value.casefold() == wanted), None)
    if exact is not None:
        return exact
    truth = next((group for group in _TRUTHS if wanted in group), frozenset())
    same = [value for value in column.values if value.casefold() in truth]
    if len(same) == 1 or len(wanted) < 4:
        return same[0] if same else None
    root = "".join(stem(key) for key in keys(wanted))
    return next((value for value in column.values if root and "".join(stem(key) for key in keys(value)) == root), None)
