"""How a text table is written: delimiter, quotes, title lines, header.

The score of a dialect is CleverCSV's idea (van den Burg, Nazábal, Sutton 2019): rows of one width, times cells that
look like data. It is right where DuckDB's sniffer gives up (ragged rows, rare delimiters, quotes that come late).
"""

import csv
import io
import re
from collections import Counter, deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from tools.ingest.shapes import looks_typed

if TYPE_CHECKING:
    from _csv import Reader

COMMON = (",", ";", "\t", "|")
RARE = (":", "~", "^", "\x01", "\x1f", " ")
NONE = "\x1f"
"""Delimiter of a table with one column: a character that text does not hold."""
MOST_RECORDS = 500
MOST_TITLES = 50
YEAR = re.compile(r"(1[89]|2[01])[0-9]{2}")
"""A year over other numbers is a column's name, as in tables with one column per year."""
CLEAN = re.compile(r"[\w.+\- /:@()%$€£#'&!?]*", re.UNICODE)


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart."""

    delimiter: str
    quote: str = '"'
    escape: str = '"'

    @property
    def backslash(self) -> bool:
        """Quotes inside quotes are written with a backslash instead of doubled."""
        return self.escape == "\\"


@dataclass(frozen=True)
class Layout:
    """Where the table begins and what its columns are called."""

    dialect: Dialect
    names: tuple[str, ...]
    """Header cells as they are; empty: the table has no header."""
    width: int
    first_line: int
    """Physical line (from 1) of the first data row."""
    head_text: str
    """Everything above the first data row."""
    account: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One parsed record of the head."""

    cells: tuple[str, ...]
    end: int
    """Physical lines read up to and including it."""


def find_layout(head: str) -> Layout:
    """The likeliest reading of the first part of a text table."""
    skipped, forced = _separator_line(head)
    body = head[len(skipped) :]
    dialect = Dialect(forced) if forced else find_dialect(body)
    records = parse(body, dialect)
    layout = _layout(body, dialect, records)
    if not skipped:
        return layout
    return replace(layout, first_line=layout.first_line + 1, head_text=skipped + layout.head_text)


def find_dialect(head: str) -> Dialect:
    """The dialect with the best score; one column when nothing separates cells in most rows."""
    for delimiters in (COMMON, RARE):
        ranked = [
            (_score(parse(head, dialect), dialect.delimiter) * (1.0 if _is_regular(head, dialect) else 0.9), dialect)
            for dialect in _candidates(head, delimiters)
        ]
        best = max(ranked, key=lambda found: found[0], default=(0.0, Dialect(NONE)))
        if best[0] > 0:
            return Dialect(NONE) if _is_one_column(parse(head, best[1]), parse(head, Dialect(NONE))) else best[1]
    return Dialect(NONE)


def _is_one_column(records: list[Record], whole: list[Record]) -> bool:
    """A name of one cell over lines that are one value each, such as dates and decimals with a comma inside."""
    widths = {len(record.cells) for record in records[1:]}
    if len(records[0].cells) != 1 or widths != {2} or looks_typed(whole[0].cells[0]):
        return False
    return all(looks_typed(cell) for record in whole[1:] for cell in record.cells)


def _candidates(head: str, delimiters: tuple[str, ...]) -> list[Dialect]:
    present = [delimiter for delimiter in delimiters if delimiter in head]
    found = [Dialect(delimiter) for delimiter in present]
    found += [
        Dialect(d, "'", "'") for d in present if '"' not in head and re.search(rf"(^|{re.escape(d)})'", head, re.M)
    ]
    if '\\"' in head:
        found += [Dialect(d, '"', "\\") for d in present if not _is_regular(head, Dialect(d))]
    return found


def _score(records: list[Record], delimiter: str) -> float:
    """0: not a table of several columns in this dialect."""
    widths = Counter(len(record.cells) for record in records)
    if not widths or (delimiter in RARE and not _is_even(records)):
        return 0.0
    width, often = widths.most_common(1)[0]
    if width == 1 or often < 0.5 * len(records):
        return 0.0
    pattern = sum(count * (size - 1) / size for size, count in widths.items()) / len(records)
    consistency = often / len(records)
    cells = [cell for record in records[:100] for cell in record.cells[:200]]
    clean = sum(bool(CLEAN.fullmatch(cell.strip())) for cell in cells) / max(len(cells), 1)
    return pattern * consistency**2 * (0.05 + clean)


def _is_even(records: list[Record]) -> bool:
    """Every row has the same width; the header may lack the name of the row names. Times and prose are not so."""
    widths = [len(record.cells) for record in records]
    return len(set(widths[1:])) == 1 and widths[0] in (widths[1], widths[1] - 1 if widths[1] > 2 else widths[1])


def _is_regular(head: str, dialect: Dialect) -> bool:
    """No cell goes on after its closing quote: the sign of quotes that are escaped in another way."""
    try:
        deque(islice(open_reader(head, dialect, strict=True), MOST_RECORDS), maxlen=0)
    except csv.Error:
        return False
    return True


def parse(head: str, dialect: Dialect, most: int = MOST_RECORDS) -> list[Record]:
    """The records of the head, blank lines left out."""
    reader = open_reader(head, dialect)
    records = []
    try:
        for cells in islice(reader, most):
            if cells:
                records.append(Record(tuple(cells), reader.line_num))
    except csv.Error:
        pass  # a cell beyond the csv module's limit: what was read so far is enough to judge
    return records


def open_reader(text: str, dialect: Dialect, *, strict: bool = False) -> "Reader":
    """Python's parser for this dialect. Cells divided by blanks may be divided by several."""
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=not dialect.backslash,
        escapechar="\\" if dialect.backslash else None,
        skipinitialspace=dialect.delimiter == " ",
        strict=strict,
    )


def _separator_line(head: str) -> tuple[str, str]:
    """Excel's "sep=;" as the first line: the line and the delimiter, or two empty strings."""
    found = re.match(r"sep=(.)(\r\n|\r|\n)", head, re.IGNORECASE)
    return (found.group(0), found.group(1)) if found else ("", "")


def _layout(head: str, dialect: Dialect, records: list[Record]) -> Layout:
    width = Counter(len(record.cells) for record in records).most_common(1)[0][0]
    start = _first_wide(records, width)
    account = []
    if _has_row_names(records, start, width):
        names: tuple[str, ...] = ("row_name", *records[start - 1].cells)
        start, above, has_header = start - 1, start - 1, True
        account.append("The header has one name less than the rows have cells; the first column was called 'row_name'.")
    else:
        above = start
        has_header = looks_like_header(
            [record.cells for record in records[start:] if len(record.cells) >= width], width
        )
        names = _fitted(records[start].cells, width) if has_header else ()
    if above:
        account.append(
            f"{above} line{'s' if above > 1 else ''} above the table left out, beginning with '{_first(records)}'."
        )
    if not has_header:
        account.append("The table has no header; its columns were numbered.")
    lines = _lines_before(records, start + has_header)
    return Layout(dialect, names, width, lines + 1, _first_lines(head, lines), tuple(account))


def _first_wide(records: list[Record], width: int) -> int:
    for index, record in enumerate(records[:MOST_TITLES]):
        if len(record.cells) >= width:
            return index
    return 0


def _has_row_names(records: list[Record], start: int, width: int) -> bool:
    """R's write.table: a header that is one short, right above rows that begin with their name."""
    if start == 0 or width < 3 or len(records[start - 1].cells) != width - 1:
        return False
    above = records[start - 1].cells
    trailing = all(not record.cells[-1].strip() for record in records[start:] if len(record.cells) == width)
    return not trailing and len(set(above)) == len(above) and not any(looks_typed(cell) or not cell for cell in above)


def _fitted(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    return (*cells, *[""] * (width - len(cells)))[:width]


def _lines_before(records: list[Record], index: int) -> int:
    return records[index - 1].end if index else 0


def _first_lines(head: str, lines: int) -> str:
    return "".join(islice(io.StringIO(head, newline=""), lines))


def _first(records: list[Record]) -> str:
    return " ".join(" ".join(records[0].cells).split())[:60]


def looks_like_header(rows: list[tuple[str, ...]], width: int) -> bool:
    """Whether the first row names the columns: it differs in kind from what stands below, or does not recur there."""
    first, body = rows[0], rows[1:]
    if not body:
        return not any(looks_typed(cell) for cell in first)
    votes = sum(
        _vote(first[index] if index < len(first) else "", [row[index] for row in body]) for index in range(width)
    )
    return votes >= 0 and any(cell.strip() for cell in first)


def _vote(cell: str, below: list[str]) -> int:
    """1: the cell is a name; -1: it is data like the cells below; 0: cannot be told."""
    filled = [value for value in below if value.strip()]
    if not filled or not cell.strip():
        return 0
    typed = sum(looks_typed(value) for value in filled) > 0.5 * len(filled)
    if typed and YEAR.fullmatch(cell.strip()):
        return -1 if any(YEAR.fullmatch(value.strip()) for value in filled) else 1
    if typed:
        return -1 if looks_typed(cell) else 1
    return -1 if looks_typed(cell) or cell in filled else 0
