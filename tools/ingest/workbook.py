"""Excel workbooks into the raw relation, cell by cell as they are stored (python-calamine): no formula is computed."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import python_calamine as calamine

from tools.ingest.dialect import looks_like_header
from tools.ingest.errors import IngestError, counted, named, shortened
from tools.ingest.limits import MIB, Limits
from tools.ingest.raw import Raw, RawTable, cells_by_index, too_wide
from tools.ingest.snapshot import is_bomb

CHUNK = 1024 * 1024
EXACT = 2**53


def read_workbook(engine: duckdb.DuckDBPyConnection, path: Path, name: str, sheet: str | None, limits: Limits) -> Raw:
    """One sheet: the named one, or the first visible one that holds a table."""
    _check_size(path, name, limits)
    book = _opened(path, name)
    title, rows, others = _chosen(book, name, sheet)
    account = (
        [f"The workbook has {counted(len(others) + 1, 'sheet')}; '{title}' was read, not {named(others)}."]
        if others
        else []
    )
    return _as_raw(engine, rows, name, title, account, limits)


def _opened(path: Path, name: str) -> calamine.CalamineWorkbook:
    try:
        return calamine.CalamineWorkbook.from_path(path)
    except calamine.PasswordError:
        raise IngestError(f"The Excel file {name} is protected by a password; save it without one.") from None
    except calamine.CalamineError as error:
        why = shortened(str(error), 80)
        raise IngestError(f"The Excel file {name} is broken or incomplete ({why}); save it again.") from None


def _check_size(path: Path, name: str, limits: Limits) -> None:
    """Unpack once without keeping anything: sizes in an archive's own directory can lie."""
    if not zipfile.is_zipfile(path):
        return
    packed = path.stat().st_size
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    while chunk := file.read(CHUNK):
                        total += len(chunk)
                        if total > limits.workbook or is_bomb(packed, total, limits):
                            raise _too_large(name, limits)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError):
        raise IngestError(f"The Excel file {name} is broken or incomplete; save or download it again.") from None


def _too_large(name: str, limits: Limits) -> IngestError:
    return IngestError(
        f"The Excel file {name} unpacks to more than an Excel table may ({limits.workbook // MIB} MB); save it as CSV."
    )


def _chosen(book: calamine.CalamineWorkbook, name: str, sheet: str | None) -> tuple[str, list[list[Any]], list[str]]:
    """Title and rows of the sheet to read, and the titles of the others."""
    titles = list(book.sheet_names)
    if sheet is not None and sheet not in titles:
        raise IngestError(f"The workbook {name} has no sheet '{sheet}'; it has {named(titles)}.")
    visible = [
        meta.name
        for meta in book.sheets_metadata
        if meta.typ == calamine.SheetTypeEnum.WorkSheet and meta.visible == calamine.SheetVisibleEnum.Visible
    ]
    for title in [sheet] if sheet is not None else visible:
        rows = _rows(book, title, name)
        if rows:
            return title, rows, [other for other in titles if other != title]
    where = f"The sheet '{sheet}' of {name}" if sheet is not None else f"Every visible sheet of {name}"
    raise IngestError(f"{where} is empty.")


def _rows(book: calamine.CalamineWorkbook, title: str, name: str) -> list[list[Any]]:
    """The filled rectangle of a sheet without empty rows at its end."""
    try:
        rows = book.get_sheet_by_name(title).to_python(skip_empty_area=True)
    except calamine.CalamineError as error:
        why = shortened(str(error), 80)
        raise IngestError(f"The sheet '{title}' of {name} cannot be read ({why}); save the file again.") from None
    while rows and not any(_filled(cell) for cell in rows[-1]):
        rows.pop()
    return rows


def _filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def _as_raw(
    engine: duckdb.DuckDBPyConnection, rows: list[list[Any]], name: str, title: str, account: list[str], limits: Limits
) -> Raw:
    width = max(len(row) for row in rows)
    if width > limits.columns:
        raise too_wide(width, limits)
    start = _first_row(rows)
    if start:
        account.append(f"{counted(start, 'row')} above the table left out.")
    texts = [tuple(cell_text(cell) or "" for cell in row) for row in rows[start : start + 500]]
    header = looks_like_header(texts, width)
    if not header:
        account.append("The table has no header; its columns were numbered.")
    headers = texts[0] if header else ("",) * width
    body = rows[start + header :]
    if not body:
        raise IngestError(
            f"The sheet '{title}' of {name} has a header ({counted(width, 'column')}) but no rows below it."
        )
    kept = [index for index in range(width) if headers[index].strip() or any(_filled(row[index]) for row in body)]
    table = RawTable(engine, limits)
    for row in body:
        table.add(cells_by_index([cell_text(row[index]) for index in kept]))
    table.flush()
    return Raw(
        "raw", tuple(headers[index] for index in kept), table.rows, f"Excel, sheet '{title}'", account=tuple(account)
    )


def _first_row(rows: list[list[Any]]) -> int:
    """The first row as wide as the table: what stands above is a title."""
    counts = [sum(_filled(cell) for cell in row) for row in rows[:500]]
    usual = max(sorted(counts)[len(counts) // 2], 1)
    for index, count in enumerate(counts[:50]):
        if count >= max(0.6 * usual, min(usual, 2)):
            return index
    return 0


def cell_text(cell: Any) -> str | None:
    """A cell as the text that types back to it."""
    if not _filled(cell):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) <= EXACT else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)
