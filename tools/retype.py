"""A column in the type that it had in training; what cannot be read that way becomes missing and is counted."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tools.ingest import ColumnType
from tools.seal import label_text

_TYPES: tuple[tuple[str, ColumnType], ...] = (
    ("int", "integer"),
    ("double", "number"),
    ("bool", "boolean"),
    ("date", "date"),
    ("timestamp", "datetime"),
)
_YES, _NO = {"true", "yes", "y", "t", "1"}, {"false", "no", "n", "f", "0"}


@dataclass(frozen=True)
class Retyped:
    """The column, and what it cost."""

    column: pa.ChunkedArray
    unreadable: int
    """Values that became missing."""
    example: str
    """One of them."""
    changed: bool = False
    """It had a type of another sort."""


def retyped(column: pa.ChunkedArray, stored: str) -> Retyped:
    """Bring a column into the type that Arrow calls `stored`; whole numbers and fractions count as one sort."""
    if str(column.type) == stored:
        return Retyped(column, 0, "")
    if pa.types.is_null(column.type):
        return Retyped(column.cast(_arrow(stored)), 0, "")
    if stored in ("int64", "double"):
        return _as_numbers(column)
    if stored == "bool":
        return _as_booleans(column)
    if stored.startswith(("date", "timestamp")):
        return _as_dates(column, stored)
    return Retyped(label_text(column), 0, "", changed=True)


def column_type(stored: str) -> ColumnType:
    """What ingestion calls the type that Arrow calls `stored`."""
    return next((kind for prefix, kind in _TYPES if stored.startswith(prefix)), "text")


def _arrow(stored: str) -> pa.DataType:
    known = {"int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_(), "date32[day]": pa.date32()}
    return known.get(stored, pa.timestamp("us") if stored.startswith("timestamp") else pa.string())


def _as_numbers(column: pa.ChunkedArray) -> Retyped:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return Retyped(column.cast(pa.float64(), safe=False), 0, "")
    if pa.types.is_boolean(column.type):
        return Retyped(column.cast(pa.int8()).cast(pa.float64()), 0, "", changed=True)
    if not pa.types.is_string(column.type):
        return _lost(column, pa.chunked_array([pa.nulls(len(column), pa.float64())]))
    read = pd.to_numeric(column.to_pandas(), errors="coerce")
    return _lost(column, pa.chunked_array([pa.Array.from_pandas(read.astype("float64"))]))


def _as_booleans(column: pa.ChunkedArray) -> Retyped:
    words = label_text(column)
    plain = [None if word is None else word.strip().casefold() for word in words.to_pylist()]
    values = [True if word in _YES else False if word in _NO else None for word in plain]
    return _lost(column, pa.chunked_array([pa.array(values, pa.bool_())]))


def _as_dates(column: pa.ChunkedArray, stored: str) -> Retyped:
    wanted = _arrow(stored)
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return Retyped(column.cast(pa.timestamp("us")), 0, "", changed=False)
    if not pa.types.is_string(column.type):
        return _lost(column, pa.chunked_array([pa.nulls(len(column), wanted)]))
    read = pd.to_datetime(column.to_pandas(), errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    return _lost(column, pa.chunked_array([pa.Array.from_pandas(read)]).cast(pa.timestamp("us"), safe=False))


def _lost(before: pa.ChunkedArray, after: pa.ChunkedArray) -> Retyped:
    gone = pc.and_(before.is_valid(), after.is_null())
    lost = before.filter(gone)
    return Retyped(after, len(lost), str(lost[0].as_py()) if len(lost) else "", changed=True)
