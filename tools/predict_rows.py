"""Rows through a saved model: part by part, each with its prediction, an interval or a set, and what is unusual.

A file larger than memory is no trouble: one part of it is in memory at a time, and what was predicted is on the disk.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tools.conformal import USUAL
from tools.ingest.errors import counted
from tools.ingest.names import clean_names
from tools.predict import Model, PredictError, Prediction, check_level, check_output, fit
from tools.predictions import Predictions
from tools.row_files import MAX_XLSX_ROWS, FormatError, Write, open_rows, records
from tools.rowwise import class_sets, faults, in_words, interval, remarks
from tools.unusual import Unusual

ROWS_AT_ONCE = 10_000
CELLS_AT_ONCE = 2_000_000
MOST_BY_HAND = 10_000
"""Rows given as JSON."""
PREVIEW = 20

Ask = Callable[[pa.Table | Sequence[Mapping[str, Any]]], Awaitable[Predictions]]
"""The model in its sandbox: rows in, predictions out."""


@dataclass(frozen=True)
class Wishes:
    """How to predict."""

    level: float = USUAL
    """Of intervals and sets."""
    strict: bool = False
    """Stop when a row is unlike those of training, before anything is predicted."""
    fill_missing: bool = False
    """A column that is not there counts as missing in every row."""


@dataclass
class Predicted:
    """What became of a table."""

    rows: int = 0
    columns: tuple[str, ...] = ()
    """The columns that were added."""
    unusual: Unusual = field(default_factory=Unusual)
    classes: dict[str, int] = field(default_factory=dict)
    """Rows per predicted class."""
    breadth: float = 0.0
    """Sum of the widths of the intervals, or of the sizes of the sets."""
    open_rows: int = 0
    """Rows whose interval has no ends, because too few rows were sealed for the level."""
    first: list[dict[str, Any]] = field(default_factory=list)
    """The first rows with what was added, JSON-ready."""
    keep: int = PREVIEW
    """How many of them."""


async def predict_table(ready: Prediction, ask: Ask, out: Path, wishes: Wishes) -> Predicted:
    """Predict the table into `out`, part by part; the file is written whole or not at all.

    Columns added: `prediction`; for classes `p_<class>` and `set`; for numbers `lower` and `upper`; `warnings`.
    Raises `PredictError` (kind of file; a row unlike training when `strict`), OSError, and what `ask` raises.
    """
    check_output(out)
    check_level(wishes.level)
    if out.suffix.lower() == ".xlsx" and ready.dataset.rows > MAX_XLSX_ROWS:
        raise PredictError(
            f"An Excel sheet holds {MAX_XLSX_ROWS:,} rows, the table has {ready.dataset.rows:,}; use .csv."
        )
    if wishes.strict:
        _refuse_unusual(ready)
    done = Predicted()
    try:
        with open_rows(out) as write:
            for table in _parts(ready.dataset.path):
                await _predict_part(ready.model, ask, table, wishes, done, write)
    except FormatError as problem:
        raise PredictError(str(problem)) from problem
    return done


async def predict_rows(
    model: Model, rows: Sequence[Mapping[str, Any]], ask: Ask, wishes: Wishes, out: Path | None = None
) -> tuple[Predicted, tuple[str, ...]]:
    """Predict rows that came as JSON; (what became of them, notes). `out` as for `predict_table`."""
    check_level(wishes.level)
    given = list(dict.fromkeys(str(name) for row in rows for name in row))
    name = "The row" if len(rows) == 1 else "The table"
    notes = fit(model, given, name, fill_missing=wishes.fill_missing).notes
    table = _table_of(rows, given)
    unusual = Unusual()
    unusual.add(faults(_frame(model, table), model.known), len(table))
    if wishes.strict and unusual.flagged:
        raise PredictError(_unusual_sentence(unusual))
    done = Predicted(keep=len(rows))
    with open_rows(out) if out else nullcontext(lambda _: None) as write:
        await _predict_part(model, ask, table, wishes, done, write, as_given=rows)
    return done, notes


def rows_of(text: str) -> tuple[Mapping[str, Any], ...]:
    """Rows from JSON: an object, or a list of objects. Raises `PredictError`."""
    try:
        found = json.loads(text, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be kept
    except (ValueError, RecursionError) as problem:
        raise PredictError(f'The row is no JSON ({problem}); give an object such as {{"age": 42}}.') from problem
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(row, dict) and row for row in rows):
        raise PredictError('A row is an object with a value for each column, such as {"age": 42, "city": "Oslo"}.')
    if len(rows) > MOST_BY_HAND:
        raise PredictError(f"{len(rows):,} rows are too many to give as JSON; put them into a file.")
    return tuple(rows)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _table_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pa.Table:
    """As they are where a column is of one sort, else as text."""
    columns = {}
    for name, shown in zip(names, clean_names(tuple(names))[0], strict=True):
        values = [row.get(name) for row in rows]
        try:
            columns[shown] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            columns[shown] = pa.array([None if value is None else str(value) for value in values], pa.string())
        if pa.types.is_nested(columns[shown].type):
            columns[shown] = pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.table(columns)


def _refuse_unusual(ready: Prediction) -> None:
    unusual = Unusual()
    for table in _parts(ready.dataset.path, ready.model.needed):
        unusual.add(faults(_frame(ready.model, table), ready.model.known), table.num_rows)
    if unusual.flagged:
        raise PredictError(_unusual_sentence(unusual))


def _unusual_sentence(unusual: Unusual) -> str:
    rows = f"{unusual.flagged:,} of {counted(unusual.rows, 'row')}"
    some = " ".join(unusual.sentences[:5])
    return f"Nothing was predicted, as you asked to be strict: {rows} are unlike those of training: {some}"


def _parts(path: Path, only: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """A Parquet file of ours in parts of a bounded size; at least one, be it without rows."""
    with pq.ParquetFile(path) as source:
        columns = None if only is None else [name for name in only if name in source.schema_arrow.names]
        each = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(1, len(source.schema_arrow.names))))
        found = False
        for batch in source.iter_batches(batch_size=each, columns=columns):
            found = True
            yield pa.Table.from_batches([batch])
        if not found:
            yield source.schema_arrow.empty_table()


async def _predict_part(
    model: Model,
    ask: Ask,
    table: pa.Table,
    wishes: Wishes,
    done: Predicted,
    write: Write,
    as_given: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    found = await ask(table if as_given is None else as_given)
    odd = faults(_frame(model, table), model.known)
    done.unusual.add(odd, table.num_rows)
    added = {**_said(model, found), **_beside(model, found, wishes.level, done)}
    if model.known:
        added["warnings"] = pa.array(remarks(odd, table.num_rows), pa.string())
    for code, label in enumerate(model.contract.classes):
        done.classes[label] = done.classes.get(label, 0) + int((found.values == code).sum())
    names = []
    for name, values in added.items():
        names.append(_free(name, table.column_names))
        table = table.append_column(names[-1], values)
    if len(done.first) < done.keep:
        done.first += list(records(table.slice(0, done.keep - len(done.first))))
    done.rows, done.columns = done.rows + table.num_rows, tuple(names)
    write(table)


def _frame(model: Model, table: pa.Table) -> pd.DataFrame:
    there = [name for name in model.needed if name in table.column_names]
    frame: pd.DataFrame = table.select(there).to_pandas(date_as_object=False)
    return frame


def _said(model: Model, found: Predictions) -> dict[str, pa.Array]:
    """What the model itself says."""
    classes = model.contract.classes
    if not classes:
        return {"prediction": pa.array(found.values)}
    added = {"prediction": pa.array(classes, pa.string()).take(pa.array(found.values.astype(np.int64)))}
    if found.probabilities is not None:
        added |= {f"p_{label}": pa.array(found.probabilities[:, code]) for code, label in enumerate(classes)}
    return added


def _beside(model: Model, found: Predictions, level: float, done: Predicted) -> dict[str, pa.Array]:
    """The interval or the set of each row."""
    held = model.conformal
    if held is None or (held.classes and found.probabilities is None):
        return {}
    if held.classes:
        assert found.probabilities is not None, "checked above"
        sets = class_sets(found.probabilities, held.parts, level)
        done.breadth += float(sets.sum())
        return {"set": pa.array(in_words(sets, held.classes), pa.string())}
    lower, upper = interval(found.values, held.parts, level)
    ends = np.isfinite(upper)
    done.breadth += float((upper - lower)[ends].sum())
    done.open_rows += int((~ends).sum())
    return {"lower": pa.array(lower, from_pandas=True), "upper": pa.array(upper, from_pandas=True)}


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that the table does not have yet."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def account(model: Model, done: Predicted, level: float) -> tuple[str, ...]:
    """What the user should know about the predictions, a sentence each, the most telling first."""
    said = []
    if done.unusual.flagged:
        rows = f"{done.unusual.flagged:,} of {counted(done.rows, 'row')}"
        verb = "is" if done.unusual.flagged == 1 else "are"
        said.append(f"{rows} {verb} unlike those of training; the column “warnings” says how.")
    said += done.unusual.sentences
    if not model.known:
        said.append("The model folder does not say what training was like, so rows cannot be held against it.")
    held = model.conformal
    if held is None:
        said.append("The model has no intervals: it gives no probabilities, or too few rows were sealed.")
    elif done.open_rows:
        said.append(
            f"{held.rows:,} sealed rows are too few for intervals of {100 * level:.4g} %; ask for a lower level."
        )
    elif held.classes:
        said.append(f"The sets hold {done.breadth / max(1, done.rows):.2f} classes on average. {held.promise(level)}")
    else:
        said.append(f"The intervals are {done.breadth / max(1, done.rows):.4g} wide on average. {held.promise(level)}")
    return tuple(said)


def summary(model: Model, done: Predicted, level: float, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The same for programs, JSON-ready."""
    held = model.conformal
    promised: dict[str, Any] | None = None
    if held is not None:
        low, high = held.certain(level)
        mean = done.breadth / max(1, done.rows - done.open_rows)
        promised = {"level": level, "calibrated_on": held.rows, "split": held.split, "holds": [low, high]}
        promised |= {"mean_classes" if held.classes else "mean_width": mean, "promise": held.promise(level)}
        promised["rows_without"] = done.open_rows
    return {
        "rows": done.rows,
        "target": model.schema.target,
        "task": model.schema.task,
        "columns_added": list(done.columns),
        "classes": done.classes,
        "interval": promised,
        "rows_with_warnings": done.unusual.flagged,
        "warnings": done.unusual.json,
        "notes": list(notes),
    }
