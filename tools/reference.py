"""What the training rows were like, in aggregate: model/reference.json, so that later rows can be held against them.

Counts, shares, quantiles and the names of categories; no row and no text of a cell that is free text or an id.
Bins are fixed here, from the training rows, and never move with what they are compared with.
"""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.contract import Contract
from tools.seal import class_counts

Array = NDArray[np.float64]
Kind = Literal["number", "date", "category", "text"]
"""How a column is compared; of text only the length."""

FILE = "reference.json"
BINS = 10
FEW_VALUES = 20
"""A number with at most so many values has a bin for each."""
MOST_POINTS = 101
ROWS_PER_POINT = 10
"""At most one stored quantile per so many rows: a small table must not be written down value by value."""
MOST_LEVELS = 1_000
MAX_BYTES = 50_000_000
_DAY = 86_400e6
"""Microseconds."""


class ReferenceError(ValueError):
    """reference.json is not what we write; the message is a sentence for the user."""


class ColumnReference(BaseModel):
    """One column of the training rows."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    type: str
    """As it was stored (Arrow's name)."""
    rows: int
    missing: int
    distinct: int
    minimum: float | None = None
    """Numbers as they are, dates in days since 1970, text by its length."""
    maximum: float | None = None
    uppers: tuple[float, ...] = ()
    """Upper ends of the bins, each included; the last bin has none."""
    counts: tuple[int, ...] = ()
    """Rows per bin: one more than `uppers`."""
    points: tuple[float, ...] = ()
    """Quantiles, each value once."""
    below: tuple[float, ...] = ()
    """Share of the rows with a value at or below each of `points`."""
    levels: dict[str, int] = {}
    """Rows per category, most frequent first, at most 1,000."""
    rest: int = 0
    """Rows of categories that are not listed."""
    once: int = 0
    """Categories that a single row has: how often an unknown one has to be expected (Good 1953)."""
    twice: int = 0
    """Categories that two rows have: how sure that is (Esty 1983)."""

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def complete(self) -> bool:
        """Every category is listed."""
        return not self.rest


class Reference(BaseModel):
    """reference.json"""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    rows: int
    columns: tuple[ColumnReference, ...]
    """The features of the contract and the target."""
    until: str | None = None
    """Only for a split by time: the latest moment of the whole table, hold-out included (ISO 8601, or a number)."""

    def column(self, name: str) -> ColumnReference:
        """LookupError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise LookupError(f"No column {name!r} in the reference")


def reference_of(train: Path, contract: Contract, table: Path | None = None) -> Reference:
    """Describe the training rows; `table` is the whole one, asked only for its latest moment in a split by time."""
    rows = pq.read_table(train)
    names = [*contract.features, contract.target]
    return Reference(
        rows=rows.num_rows,
        columns=tuple(_describe(name, rows.column(name), kind_of(name, contract)) for name in names),
        until=latest(pq.read_table(table or train), contract),
    )


def reference_text(train: Path, contract: Contract, table: Path | None = None) -> str:
    """reference.json"""
    return json.dumps(reference_of(train, contract, table).model_dump(mode="json"), ensure_ascii=False) + "\n"


def read_reference(path: Path) -> Reference:
    """reference.json, checked; raises `ReferenceError`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReferenceError(f"{FILE} of the model is far larger than it can be.")
        return Reference.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError, RecursionError, OSError) as problem:
        if isinstance(problem, ReferenceError):
            raise
        raise ReferenceError(f"{FILE} of the model is damaged; take the model folder from the run again.") from problem


def kind_of(name: str, contract: Contract) -> Kind:
    """How a feature or the target is compared."""
    if name == contract.target:
        return "number" if contract.task == "regression" else "category"
    role = next(column.role for column in contract.columns if column.name == name)
    match role:
        case "number" | "date":
            return role
        case "text" | "id":
            return "text"
        case _:
            return "category"


def latest(table: pa.Table, contract: Contract) -> str | None:
    """The last moment of a split by time; None for other splits and where the table does not have the column."""
    name = contract.split.column
    if contract.split.rule != "time" or name not in table.column_names:
        return None
    column = table.column(name)
    found = pc.max(column if not pa.types.is_floating(column.type) else pc.if_else(pc.is_finite(column), column, None))
    return None if found.as_py() is None else str(found.as_py())


def numbers(column: pa.ChunkedArray, kind: Kind) -> Array:
    """Values as numbers, one per row; NaN for missing and infinite ones, and for what is none."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if kind == "text":
        column = pc.utf8_length(column if pa.types.is_string(column.type) else column.cast(pa.string()))
    if pa.types.is_string(column.type):
        column = _from_text(column, kind)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).cast(pa.float64()), _DAY)
    found = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan"))
    values = np.asarray(found.to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _from_text(column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    """Numbers or dates that are stored as text, as the model's own program reads them."""
    words = column.to_pandas()
    if kind == "date":
        read = pd.to_datetime(words, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    else:
        read = pd.to_numeric(words, errors="coerce").astype("float64")
    return pa.chunked_array([pa.Array.from_pandas(read)])


def binned(values: Array, uppers: tuple[float, ...]) -> NDArray[np.int64]:
    """Rows per bin; missing values are in none."""
    places = np.searchsorted(np.asarray(uppers), values[~np.isnan(values)], side="left")
    return np.bincount(places, minlength=len(uppers) + 1).astype(np.int64)


def _describe(name: str, column: pa.ChunkedArray, kind: Kind) -> ColumnReference:
    stored = str(column.type)
    if kind == "category":
        return _categories(name, column, stored)
    values = numbers(column, kind)
    filled = np.sort(values[~np.isnan(values)])
    missing = len(values) - len(filled)
    if not len(filled):
        return ColumnReference(name=name, kind=kind, type=stored, rows=len(values), missing=missing, distinct=0)
    uppers, (points, below) = _uppers(filled), _points(filled)
    return ColumnReference(
        name=name,
        kind=kind,
        type=stored,
        rows=len(values),
        missing=missing,
        distinct=len(np.unique(filled)),
        minimum=float(filled[0]),
        maximum=float(filled[-1]),
        uppers=uppers,
        counts=tuple(binned(filled, uppers).tolist()),
        points=points,
        below=below,
    )


def _uppers(filled: Array) -> tuple[float, ...]:
    """Ends of the bins: deciles, or each value where there are few; the last bin is open."""
    distinct = np.unique(filled)
    few = len(distinct) <= FEW_VALUES
    ends = distinct if few else np.unique(np.quantile(filled, np.arange(1, BINS) / BINS))
    return tuple(ends[ends < distinct[-1]].tolist())


def _points(filled: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The distribution at some of its values (order statistics, so that each is a value that occurs)."""
    count = int(np.clip(len(filled) // ROWS_PER_POINT, 11, MOST_POINTS))
    points = np.unique(np.quantile(filled, np.linspace(0, 1, count), method="inverted_cdf"))
    below = np.searchsorted(filled, points, side="right") / len(filled)
    return tuple(points.tolist()), tuple(below.tolist())


def _categories(name: str, column: pa.ChunkedArray, stored: str) -> ColumnReference:
    counts = class_counts(column)
    ranked = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    listed = dict(list(ranked.items())[:MOST_LEVELS])
    filled = sum(counts.values())
    return ColumnReference(
        name=name,
        kind="category",
        type=stored,
        rows=len(column),
        missing=len(column) - filled,
        distinct=len(counts),
        levels=listed,
        rest=filled - sum(listed.values()),
        once=sum(1 for rows in counts.values() if rows == 1),
        twice=sum(1 for rows in counts.values() if rows == 2),
    )
