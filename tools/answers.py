"""What a model at work is asked and what it answers: rows as Arrow or JSON, numbers back, checked like a file of them.

tools/recipes/worker.py is the other side, in the sandbox, so an answer is untrusted: a line of JSON and plain numbers,
never read by anything that builds objects.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, ValidationError

from tools.contract import Contract
from tools.predictions import Predictions, PredictionsRefused, predictions_of, readable

REQUEST_BYTES = 32 * 2**20
"""A larger table is asked in parts."""
ANSWER_BYTES = 64 * 2**20
MOST_ROWS = 10_000
"""Of one request: a slow model has the time limit of an answer for each so many."""
SEED = 0
"""Of the generators that a model may draw from: an answer does not depend on what was asked before."""
_HEAD_BYTES = 16_384

Rows: TypeAlias = Path | pa.Table | Sequence[Mapping[str, Any]]
"""A Parquet file of ours, a table, or a few rows as they come from JSON."""
_Table: TypeAlias = pa.Table | list[Mapping[str, Any]]


class ModelFailed(Exception):
    """The model could not answer; the message is a sentence or two for the user."""


class _Head(BaseModel):
    """The first line of an answer."""

    columns: int = Field(default=0, ge=0, le=1_000_000, strict=True)
    unknown: str = Field(default="", max_length=1000)
    error: str | None = Field(default=None, max_length=2000)


async def table_of(rows: Rows, contract: Contract) -> _Table:
    """The columns that the model was trained on, as far as they are there."""
    if isinstance(rows, Path):
        return await asyncio.to_thread(_read, rows, contract)
    if isinstance(rows, pa.Table):
        return rows.select([name for name in contract.features if name in rows.column_names])
    return _as_trained([{name: row[name] for name in contract.features if name in row} for row in rows], contract)


def _as_trained(rows: list[dict[str, Any]], contract: Contract) -> list[Mapping[str, Any]]:
    """Text where training had text, whatever the JSON says: a ticket 7 is the ticket "7".

    A category may be a number in the table (a class 1, 2 or 3), so it stays what it is unless that cannot be.
    """
    roles = {column.name: column.role for column in contract.columns if column.role not in ("number", "date")}
    for name in [name for name in contract.features if name in roles]:
        kinds = {type(row[name]) for row in rows if row.get(name) is not None}
        if roles[name] == "text" or (len(kinds) > 1 and not kinds <= {int, float}) or kinds & {dict, list}:
            for row in rows:
                row[name] = _word(row.get(name))
    return list(rows)


def _word(value: Any) -> str | None:
    """One spelling for each value, the one that the training programs use: 1 and 1.0 are "1"."""
    if value is None or value != value:  # NaN
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read(path: Path, contract: Contract) -> pa.Table:
    there = set(pq.read_schema(path).names)
    return pq.read_table(path, columns=[name for name in contract.features if name in there])


async def requests(table: _Table, contract: Contract) -> AsyncIterator[tuple[bytes, int]]:
    """(request, its number of rows), one after the other, request and answer of a bounded size."""
    for part in _parts(table, contract):
        yield (_in_words(part) if isinstance(part, list) else await asyncio.to_thread(_in_arrow, part)), len(part)


def most_bytes(rows: int, contract: Contract) -> int:
    """Of the answer for so many rows."""
    return rows * _row_bytes(contract) + _HEAD_BYTES


def _row_bytes(contract: Contract) -> int:
    return 8 * (1 + len(contract.classes))


def _parts(table: _Table, contract: Contract) -> Iterator[_Table]:
    each = max(1, min(MOST_ROWS, ANSWER_BYTES // _row_bytes(contract)))
    if isinstance(table, pa.Table) and table.nbytes:
        each = max(1, min(each, REQUEST_BYTES * len(table) // table.nbytes))
    return (table[start : start + each] for start in range(0, len(table), each))


def _head(kind: str, rows: int) -> bytes:
    return json.dumps({"kind": kind, "rows": rows, "seed": SEED}).encode() + b"\n"


def _in_words(rows: list[Mapping[str, Any]]) -> bytes:
    """A few rows as JSON, which costs less than a table of one row."""
    return _head("rows", len(rows)) + json.dumps(rows, default=str).encode()


def _in_arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    sink.write(_head("table", len(table)))
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(memoryview(sink.getvalue()))


def read_answer(answer: bytes, contract: Contract, rows: int) -> Predictions:
    """The predictions in an answer. Raises `ModelFailed` (the model's own words) and `PredictionsRefused`."""
    end = answer.find(b"\n", 0, _HEAD_BYTES)
    try:
        head = _Head.model_validate(json.loads(answer[:end] if end >= 0 else b""))
    except (ValidationError, ValueError, RecursionError) as problem:
        raise PredictionsRefused("The answer of the saved model is not what our program writes.") from problem
    if head.error is not None:
        raise ModelFailed(readable(head.error, 500))
    if head.columns not in (1, 1 + len(contract.classes)):
        given = f"{head.columns - 1} probabilities for {len(contract.classes)} classes"
        raise PredictionsRefused(f"The model gave {given}.")
    if len(answer) - end - 1 != 8 * head.columns * rows:
        raise PredictionsRefused(f"The answer of the saved model has not the size of predictions for {rows} rows.")
    numbers = np.frombuffer(answer, "<f8", offset=end + 1).reshape(rows, head.columns)
    return predictions_of(numbers, contract, head.unknown)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The parts of one table put together again."""
    if not parts:
        return Predictions(np.empty(0), None)
    values = np.concatenate([part.values for part in parts])
    soft = [part.probabilities for part in parts if part.probabilities is not None]
    if soft and len(soft) < len(parts):
        raise PredictionsRefused("The model gave probabilities for some of the rows only.")
    return Predictions(values, np.concatenate(soft) if soft else None)
