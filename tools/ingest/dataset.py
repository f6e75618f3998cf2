"""A table that was read: typed Parquet, its columns, and the account of what had to be repaired or rejected."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

ColumnType = Literal["integer", "number", "boolean", "date", "datetime", "text"]
"""integer: int64; number: float64; date: date32; datetime: microseconds, without zone; text: UTF-8."""


@dataclass(frozen=True)
class Column:
    """One column of the table as it is stored."""

    name: str
    type: ColumnType
    original: str = ""
    """The name in the file, when it had to be changed; "" otherwise."""
    note: str = ""
    """What a person should know about how it was read, e.g. an assumption about day and month; "" otherwise."""


@dataclass(frozen=True)
class Rejected:
    """A row that is not in the table."""

    line: int
    """Physical line of the file, from 1."""
    reason: str
    text: str
    """The row as it was, cut to 200 characters."""


@dataclass(frozen=True)
class Dataset:
    """A typed Parquet table with its account."""

    id: str
    """SHA-256 (hex) of the Parquet file: equal tables have equal ids."""
    path: Path
    name: str
    """The file's name, for people."""
    rows: int
    columns: tuple[Column, ...]
    account: tuple[str, ...] = ()
    """What was repaired, assumed or rejected, a sentence each; empty: nothing."""
    rejected: tuple[Rejected, ...] = ()
    """The first rejected rows (at most 100)."""
    rejected_total: int = 0
    source: str = ""
    """What the file was, e.g. "CSV, comma, UTF-8"."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; LookupError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise LookupError(f"No column {name!r} in {self.name}")

    def head(self, n: int = 5) -> list[dict[str, Any]]:
        """The first rows as Python values (int, float, bool, date, datetime, str, None)."""
        if n <= 0:
            return []
        with pq.ParquetFile(self.path) as table:
            batch = next(table.iter_batches(batch_size=n), None)
        return [] if batch is None else batch.to_pylist()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values; `from_json` gives the same Dataset back."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Dataset":
        """The Dataset that `to_json` wrote."""
        columns = tuple(Column(**column) for column in value["columns"])
        rejected = tuple(Rejected(**row) for row in value["rejected"])
        changed = {"path": Path(value["path"]), "columns": columns, "rejected": rejected}
        return cls(**{**value, **changed, "account": tuple(value["account"])})
