"""JSON and NDJSON into the raw relation: objects opened into a.b, lists kept as JSON text."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from tools.ingest.dataset import Rejected
from tools.ingest.errors import IngestError, counted
from tools.ingest.limits import MIB, Limits
from tools.ingest.raw import Raw, RawTable
from tools.ingest.text import TextFile

DEEPEST = 10
"""Objects nested deeper than this are kept as JSON text."""
SURROGATE = re.compile("[\ud800-\udfff]")
Pairs = list[tuple[str, Any]]
SHAPES = "a list of objects, an object of equally long lists, or one object per line"


@dataclass
class _Fields:
    """The columns met so far: path in the object -> index."""

    limits: Limits
    index: dict[tuple[str, ...], int] = field(default_factory=dict)
    nested: bool = False
    lists: bool = False
    replaced: int = 0
    """Texts with half a surrogate pair, which no encoding can hold."""

    repeated: int = 0
    """Objects in which a field occurs more than once."""

    def object(self, pairs: Pairs) -> dict[str, Any]:
        """One JSON object; of a field that is there twice the last value counts, as in most readers."""
        made = dict(pairs)
        self.repeated += len(made) < len(pairs)
        return made

    def flatten(self, record: dict[str, Any]) -> dict[int, str | None]:
        """One record as cells."""
        cells: dict[int, str | None] = {}
        self._open((), record, cells)
        return cells

    def _open(self, path: tuple[str, ...], record: dict[str, Any], cells: dict[int, str | None]) -> None:
        for key, value in record.items():
            here = (*path, key)
            if isinstance(value, dict) and value and len(here) < DEEPEST:
                self.nested = True
                self._open(here, value, cells)
            else:
                self.lists |= isinstance(value, list)
                cells[self._column(here)] = self._text(value)

    def _text(self, value: Any) -> str | None:
        """A JSON value as the text that types back to it."""
        if value is None or (isinstance(value, float) and value != value):
            return None
        if isinstance(value, float):
            return repr(value)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not text.isascii() and SURROGATE.search(text):
            self.replaced += 1
            return SURROGATE.sub("\ufffd", text)
        return text

    def _column(self, path: tuple[str, ...]) -> int:
        if path not in self.index and len(self.index) >= self.limits.columns:
            raise IngestError(
                f"The objects have more than {self.limits.columns:,} different fields; "
                f"write them as rows with the same fields."
            )
        return self.index.setdefault(path, len(self.index))

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the order in which they turned up."""
        return tuple(".".join(path) for path in self.index)

    def account(self) -> list[str]:
        """What was done to nested values."""
        said = ["Nested objects were opened into columns such as 'a.b'."] if self.nested else []
        said += ["Lists inside records were kept as JSON text."] if self.lists else []
        if self.repeated:
            said.append(
                f"{counted(self.repeated, 'object')} with a field that is there twice; its last value was kept."
            )
        return said + ([f"{counted(self.replaced, 'broken character')} replaced by \ufffd."] if self.replaced else [])


def read_json(engine: duckdb.DuckDBPyConnection, text: TextFile, name: str, limits: Limits) -> Raw:
    """Records from one document or from one object per line."""
    table, fields = RawTable(engine, limits), _Fields(limits)
    if _is_by_line(text):
        return _read_lines(table, fields, text, name)
    if text.path.stat().st_size > limits.json_document:
        raise IngestError(
            f"The JSON file {name} is larger than {limits.json_document // MIB} MB in one piece; "
            f"write one object per line (NDJSON), which has no such limit."
        )
    records, account = _records(_parsed(text.path, name, fields), name)
    for record in records:
        table.add(fields.flatten(record))
    table.flush()
    return _raw(table, fields, name, f"JSON, {text.encoding}", (*text.account, *account))


def _raw(table: RawTable, fields: _Fields, name: str, source: str, account: tuple[str, ...]) -> Raw:
    if not table.rows:
        raise IngestError(f"The file {name} is valid JSON but holds no records; write {SHAPES}.")
    if not fields.index:
        raise IngestError(f"The records of {name} have no fields; write {SHAPES}.")
    return Raw("raw", fields.names, table.rows, source, account=(*account, *fields.account()))


def _is_by_line(text: TextFile) -> bool:
    """The first line is a whole object and something follows it."""
    first, _, rest = text.head.lstrip().partition("\n")
    try:
        return isinstance(json.loads(first), dict) and bool(rest.strip())
    except (ValueError, RecursionError):
        return False


def _read_lines(table: RawTable, fields: _Fields, text: TextFile, name: str) -> Raw:
    rejected: list[Rejected] = []
    total = 0
    with text.path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            record, reason = _line_record(line, fields)
            if record is not None:
                table.add(fields.flatten(record))
                continue
            total += 1
            if len(rejected) < table.limits.rejected_shown:
                rejected.append(Rejected(number, reason, line[:200].rstrip("\n")))
    table.flush()
    account = list(text.account)
    if total:
        first = rejected[0]
        account.append(
            f"{counted(total, 'line')} could not be read and {'is' if total == 1 else 'are'} not in the table; "
            f"the first is line {first.line} ({first.reason})."
        )
    raw = _raw(table, fields, name, f"NDJSON, {text.encoding}", tuple(account))
    return replace(raw, rejected=tuple(rejected), rejected_total=total)


def _line_record(line: str, fields: _Fields) -> tuple[dict[str, Any] | None, str]:
    try:
        value = json.loads(line, object_pairs_hook=fields.object)
    except RecursionError:
        return None, "nested too deeply"
    except ValueError:
        return None, "not valid JSON"
    return (value, "") if isinstance(value, dict) else (None, "not an object")


def _parsed(path: Path, name: str, fields: _Fields) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=fields.object)
    except RecursionError:
        raise IngestError(f"The JSON file {name} is nested too deeply to be a table; write {SHAPES}.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise IngestError(f"The file {name} is not valid JSON: {error.msg} ({where}).") from None
    except ValueError:
        raise IngestError(f"The JSON file {name} holds a number with thousands of digits; write it as text.") from None


def _records(document: Any, name: str) -> tuple[Iterator[dict[str, Any]], list[str]]:
    """The document's rows as objects, and how they were found."""
    if isinstance(document, list):
        return _listed(document, name), []
    if not isinstance(document, dict):
        raise IngestError(f"The JSON file {name} holds a single value, not a table; write {SHAPES}.")
    if (split := _split_orient(document)) is not None:
        return split, []
    if _is_by_column(document):
        return _by_column(document), []
    if found := _wrapped(document):
        path, rows = found
        return _listed(rows, name), [
            f"The records were found under '{'.'.join(path)}'; what stands beside them was left out."
        ]
    return iter([document]), []


def _listed(rows: list[Any], name: str) -> Iterator[dict[str, Any]]:
    if all(isinstance(row, dict) for row in rows):
        return iter(rows)
    if all(isinstance(row, list) for row in rows):
        return _from_lists(rows)
    if any(isinstance(row, dict | list) for row in rows):
        raise IngestError(f"The JSON file {name} mixes objects with other values in one list; write {SHAPES}.")
    return ({"value": row} for row in rows)


def _from_lists(rows: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """Lists of cells; the first one is the header when it is all text and the next is not."""
    first = rows[0] if rows else []
    named = bool(first) and all(isinstance(cell, str) for cell in first) and len(set(first)) == len(first)
    header = [str(cell) for cell in first] if named else []
    for row in rows[1:] if named else rows:
        names = header + [f"column_{number}" for number in range(len(header) + 1, len(row) + 1)]
        yield dict(zip(names, row, strict=False))


def _split_orient(document: dict[str, Any]) -> Iterator[dict[str, Any]] | None:
    """pandas' orient="split": {"columns": […], "data": [[…], …]}."""
    columns, data = document.get("columns"), document.get("data")
    if not isinstance(columns, list) or not isinstance(data, list) or not data:
        return None
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        return None
    return (dict(zip(map(str, columns), row, strict=True)) for row in data)


def _is_by_column(document: dict[str, Any]) -> bool:
    values = list(document.values())
    if values and all(isinstance(value, list) for value in values):
        plain = not any(isinstance(cell, dict) for value in values for cell in value[:1])
        return len({len(value) for value in values}) == 1 and (plain or len(values) > 1)
    if len(values) and all(isinstance(value, dict) and value for value in values):
        keys = [tuple(value) for value in values]
        return len(set(keys)) == 1 and all(key.isdigit() for key in keys[0])
    return False


def _by_column(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    columns = [list(value.values()) if isinstance(value, dict) else value for value in document.values()]
    return (dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True))


def _wrapped(document: dict[str, Any], depth: int = 3) -> tuple[tuple[str, ...], list[Any]] | None:
    """The longest list of objects below the top."""
    found: list[tuple[tuple[str, ...], list[Any]]] = []
    for key, value in document.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            found.append(((key,), value))
        elif isinstance(value, dict) and depth > 1 and (inner := _wrapped(value, depth - 1)):
            found.append(((key, *inner[0]), inner[1]))
    return max(found, key=lambda pair: len(pair[1]), default=None)
