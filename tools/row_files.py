"""Tables written row by row to the kinds of file that people ask for: whole or not at all, whatever their length."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAX_XLSX_ROWS = 1_048_575
Write = Callable[[pa.Table], None]
"""Appends rows; every table has the columns of the first one."""


class FormatError(ValueError):
    """The rows cannot go into a file of this kind; the message is a sentence for the user."""


@contextmanager
def open_rows(out: Path) -> Iterator[Write]:
    """A writer for `out` by its extension (one of `FORMATS`). The file appears when the block ends well, complete.

    The block writes at least one table, be it without rows. Raises `FormatError` and OSError.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with _KINDS[out.suffix.lower()](partial) as write:
            yield write
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _delimited(delimiter: str) -> Callable[[Path], AbstractContextManager[Write]]:
    @contextmanager
    def opened(path: Path) -> Iterator[Write]:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            first = True

            def write(table: pa.Table) -> None:
                nonlocal first
                if first:
                    writer.writerow(table.column_names)
                    first = False
                for row in _rows(table):
                    writer.writerow(["" if value is None else _text(value) for value in row])

            yield write

    return opened


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    writer: pq.ParquetWriter | None = None

    def write(table: pa.Table) -> None:
        nonlocal writer
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _xlsx(path: Path) -> Iterator[Write]:
    """Text stays text: a value that begins with = must not become a formula."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet, rows = book.create_sheet("predictions"), 0

    def write(table: pa.Table) -> None:
        nonlocal rows
        if not rows:
            sheet.append([_cell(sheet, name) for name in table.column_names])
            rows = 1
        rows += table.num_rows
        if rows > MAX_XLSX_ROWS + 1:
            raise FormatError(f"An Excel sheet holds {MAX_XLSX_ROWS:,} rows, the table has more; use .csv.")
        for row in _rows(table):
            sheet.append([_cell(sheet, value) for value in row])

    try:
        yield write
    finally:
        book.save(path)  # also after a failure: its own temporary file goes away only then


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils.exceptions import IllegalCharacterError

    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        value = str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, str):
        return value
    try:
        made = WriteOnlyCell(sheet, value[:32_767])
    except IllegalCharacterError:
        made = WriteOnlyCell(sheet, "".join(letter for letter in value if letter.isprintable())[:32_767])
    made.data_type = "s"
    return made


def _json(lines: bool) -> Callable[[Path], AbstractContextManager[Write]]:
    @contextmanager
    def opened(path: Path) -> Iterator[Write]:
        with path.open("w", encoding="utf-8") as file:
            number = 0

            def write(table: pa.Table) -> None:
                nonlocal number
                for record in records(table):
                    before = "" if lines else ",\n " if number else "\n "
                    file.write(before + json.dumps(record, ensure_ascii=False) + ("\n" if lines else ""))
                    number += 1

            file.write("" if lines else "[")
            yield write
            file.write("" if lines else "\n]\n")

    return opened


def records(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows as JSON can hold them: dates as ISO 8601, what is no finite number as null."""
    for row in _rows(table):
        yield dict(zip(table.column_names, map(_plain, row), strict=True))


def _plain(value: Any) -> Any:
    value = _text(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


_KINDS: Mapping[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".parquet": _parquet,
    ".xlsx": _xlsx,
    ".json": _json(lines=False),
    ".ndjson": _json(lines=True),
}
FORMATS = tuple(_KINDS)
