"""The slow, forgiving parser for text tables that the engine's parser gives up on.

Mixed line ends, an open quote in the middle of a file, rows that leave out their empty last cells, cells aligned by
blanks.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from tools.ingest.dataset import Rejected
from tools.ingest.dialect import Layout, open_reader
from tools.ingest.errors import counted
from tools.ingest.limits import Limits
from tools.ingest.raw import Raw, RawTable, cells_by_index

LOOKAHEAD = 500
"""A quoted cell may go on for so many lines; after that its opening quote is taken for an error."""


@dataclass
class _Tally:
    """What happened on the way."""

    padded: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    total: int = 0

    def reject(self, line: int, reason: str, text: str, limits: Limits) -> None:
        self.total += 1
        if len(self.rejected) < limits.rejected_shown:
            self.rejected.append(Rejected(line, reason, text[:200].rstrip("\r\n")))


def read_carefully(engine: duckdb.DuckDBPyConnection, path: Path, layout: Layout, limits: Limits) -> Raw:
    """The raw table; short rows are padded, rows that cannot be parsed or are too long are rejected one by one."""
    table = RawTable(engine, limits)
    tally = _Tally()
    csv.field_size_limit(limits.line)
    with path.open(encoding="utf-8", newline="") as file:
        for line, text, cells in _records(file, layout):
            if cells is None:
                tally.reject(line, "a quote that does not end or a cell that goes on after its quote", text, limits)
            elif len(cells) > layout.width and any(cell.strip() for cell in cells[layout.width :]):
                tally.reject(line, "more cells than the header", text, limits)
            elif cells:
                tally.padded += len(cells) < layout.width
                table.add(cells_by_index([*cells, *[""] * (layout.width - len(cells))][: layout.width]))
    table.flush()
    account = []
    if tally.padded:
        account.append(f"{counted(tally.padded, 'row')} had fewer cells than the header; the rest was left missing.")
    return Raw(
        "raw",
        layout.names,
        table.rows,
        "",
        account=tuple(account),
        rejected=tuple(tally.rejected),
        rejected_total=tally.total,
    )


def _records(file: io.TextIOBase, layout: Layout) -> Iterator[tuple[int, str, list[str] | None]]:
    """Line number, text and cells of each record; cells is None when the line cannot be parsed."""
    lines = enumerate(file, 1)
    waiting: deque[tuple[int, str]] = deque()
    while pair := waiting.popleft() if waiting else next(lines, None):
        number, text = pair
        if number < layout.first_line:
            continue
        taken = [pair]
        while _open(text, layout) and len(taken) < LOOKAHEAD:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            taken.append(more)
            text += more[1]
        cells = _cells(text, layout)
        if cells is None and len(taken) > 1:
            waiting.extendleft(reversed(taken[1:]))
            text = taken[0][1]
        yield number, text, cells


def _open(text: str, layout: Layout) -> bool:
    """An odd number of quotes: the record may go on in the next line."""
    quotes = text.count(layout.dialect.quote)
    if layout.dialect.backslash:
        quotes -= text.count("\\" + layout.dialect.quote)
    return quotes % 2 == 1 and _cells(text, layout) is None


def _cells(text: str, layout: Layout) -> list[str] | None:
    try:
        found = list(open_reader(text, layout.dialect, strict=True))
    except csv.Error:
        return None
    if len(found) > 1:
        return None
    cells = found[0] if found else []
    return cells[:-1] if layout.dialect.delimiter == " " and cells and not cells[-1] else cells
