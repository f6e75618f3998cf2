"""CSV, TSV and their relatives into the raw relation: every cell as the text it is, every bad row listed."""

import shutil
from dataclasses import replace
from pathlib import Path

import duckdb

from tools.ingest.asking import NARROW
from tools.ingest.careful import read_carefully
from tools.ingest.dataset import Rejected
from tools.ingest.dialect import NONE, Layout, find_layout
from tools.ingest.engine import tally, text_literal
from tools.ingest.errors import IngestError, counted, shortened
from tools.ingest.limits import Limits
from tools.ingest.raw import Raw, too_wide
from tools.ingest.text import TextFile

PAD_SHARE = 0.1
"""When more rows than this are short, the writer left out empty cells at the end."""
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank", NONE: "one column"}
REASONS = {
    "TOO MANY COLUMNS": "more cells than the header",
    "MISSING COLUMNS": "fewer cells than the header",
    "UNQUOTED VALUE": "a quote that does not end",
    "LINE SIZE OVER MAXIMUM": "longer than a record may be",
    "INVALID ENCODING": "not valid text",
}


def read_delimited(engine: duckdb.DuckDBPyConnection, text: TextFile, name: str, limits: Limits) -> Raw:
    """The raw table of a text file."""
    layout = find_layout(text.head)
    if layout.width > limits.columns:
        raise too_wide(layout.width, limits)
    raw = None if _needs_care(text, layout) else _read_fast(engine, text, layout, limits)
    if raw is None:
        raw = read_carefully(engine, text.path, layout, limits)
    raw = _without_empty_tail(engine, raw, layout.width)
    if raw.rows == 0:
        raise _no_rows(name, layout, raw)
    return _described(raw, text, layout)


def _without_empty_tail(engine: duckdb.DuckDBPyConnection, raw: Raw, width: int) -> Raw:
    """Spreadsheets export rows of nothing but delimiters below the table."""
    if raw.rows == 0:
        return raw
    value = f"coalesce({', '.join(f'c{index}' for index in range(width))})"
    empty = _one(engine, f"SELECT {tally(f'{value} IS NULL')} FROM raw")
    if not empty:
        return raw
    numbered = f"SELECT row_number() OVER () AS place, {value} AS value FROM raw"
    last = _one(engine, f"SELECT coalesce(max(place), 0) FROM ({numbered}) WHERE value IS NOT NULL")
    if last == raw.rows:
        return raw
    said = f"{counted(raw.rows - last, 'empty row')} at the end left out."
    return replace(raw, relation=f"(SELECT * FROM raw LIMIT {last})", rows=last, account=(*raw.account, said))


def _needs_care(text: TextFile, layout: Layout) -> bool:
    return text.mixed_newlines or layout.dialect.delimiter == " "


def _read_fast(engine: duckdb.DuckDBPyConnection, text: TextFile, layout: Layout, limits: Limits) -> Raw | None:
    """By the engine's parser; None when the file needs the careful one."""
    body, skip = _body(text.path, layout)
    if body is None:
        return Raw("raw", layout.names, 0, "")
    scan = _scan(body, layout, skip, limits)
    try:  # a wide table is parsed once into the engine instead of once per question
        if layout.width > NARROW:
            engine.execute(f"CREATE TABLE raw AS {scan}")
        else:
            engine.execute(f"CREATE VIEW raw AS {scan}")
        rows = _one(engine, "SELECT count(*) FROM (SELECT c0 FROM raw)")
        rejects = _rejects(engine, layout.first_line - 1 - skip)
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        _drop(engine)
        return None
    if _should_reread(rejects, rows):
        _drop(engine)
        return None
    kept = tuple(rejects[: limits.rejected_shown])
    return Raw("raw", layout.names, rows, "", rejected=kept, rejected_total=len(rejects))


def _body(path: Path, layout: Layout) -> tuple[Path | None, int]:
    """The file from the first data row on, or the file itself and the one plain header line to skip."""
    above = layout.head_text
    lines = layout.first_line - 1
    if lines <= 1 and not set("\"'\\") & set(above):
        return (path, lines) if len(above.encode()) < path.stat().st_size else (None, 0)
    target = path.with_name("body")
    with path.open("rb") as file, target.open("wb") as out:
        file.seek(len(above.encode()))
        shutil.copyfileobj(file, out, 1024 * 1024)
    return (target, 0) if target.stat().st_size else (None, 0)


def _scan(body: Path, layout: Layout, skip: int, limits: Limits) -> str:
    dialect = layout.dialect
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(layout.width))
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(skip),
        "delim": text_literal(dialect.delimiter),
        "quote": text_literal(dialect.quote),
        "escape": text_literal(dialect.escape),
        "columns": f"{{{columns}}}",
        "strict_mode": "true",
        "store_rejects": "true",
        "max_line_size": str(limits.line),
    }
    listed = ", ".join(f"{option}={value}" for option, value in options.items())
    return f"SELECT * FROM read_csv({text_literal(str(body))}, {listed})"


def _rejects(engine: duckdb.DuckDBPyConnection, offset: int) -> list[Rejected]:
    """One entry per bad line, in file order."""
    found = engine.execute(
        "SELECT line, any_value(error_type::VARCHAR), any_value(csv_line) FROM reject_errors GROUP BY line ORDER BY 1"
    ).fetchall()
    return [
        Rejected(int(line) + offset, REASONS.get(kind, kind.lower()), (row or "")[:200]) for line, kind, row in found
    ]


def _should_reread(rejects: list[Rejected], rows: int) -> bool:
    """An open quote swallowed lines after it, or so many rows are short that they are meant so."""
    swallowed = any("\n" in row.text.strip() or "\r" in row.text.strip() for row in rejects)
    return swallowed or _are_short(rejects, rows)


def _are_short(rejects: list[Rejected], rows: int) -> bool:
    short = sum(row.reason == REASONS["MISSING COLUMNS"] for row in rejects)
    return short > PAD_SHARE * (rows + len(rejects))


def _drop(engine: duckdb.DuckDBPyConnection) -> None:
    for kind in ("VIEW", "TABLE"):
        try:
            engine.execute(f"DROP {kind} IF EXISTS raw")
        except duckdb.CatalogException:
            continue  # raw is of the other kind


def _one(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(engine.execute(query).fetchall()[0][0])  # fetchone would leave the scan, and its rejects, unfinished


def _no_rows(name: str, layout: Layout, raw: Raw) -> IngestError:
    if raw.rejected_total:
        first = raw.rejected[0]
        return IngestError(
            f"No row of {name} could be read: {counted(raw.rejected_total, 'row')} rejected, "
            f"the first in line {first.line} ({first.reason}): '{shortened(first.text)}'."
        )
    columns = counted(layout.width, "column")
    return IngestError(f"The file {name} has a header ({columns}) but no rows below it.")


def _described(raw: Raw, text: TextFile, layout: Layout) -> Raw:
    delimiter = layout.dialect.delimiter
    kind = "TSV" if delimiter == "\t" else "CSV"
    source = f"{kind}, {DELIMITERS.get(delimiter, repr(delimiter))}, {text.encoding}"
    account = (*text.account, *layout.account, *raw.account, *_rejected_account(raw))
    headers = layout.names or ("",) * layout.width
    return replace(raw, source=source, account=account, headers=headers, decimal_comma=delimiter == ";")


def _rejected_account(raw: Raw) -> list[str]:
    if not raw.rejected_total:
        return []
    first = raw.rejected[0]
    return [
        f"{counted(raw.rejected_total, 'row')} could not be read and {'is' if raw.rejected_total == 1 else 'are'} "
        f"not in the table; the first is line {first.line} ({first.reason})."
    ]
