"""Predict a table with a model folder: how they fit, and what the model says joined to the rows in a file.

The model is a pickle that we do not trust, so it is only ever loaded in the sandbox (tools/worker.py).
"""

import csv
import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from tools.contract import Contract
from tools.ingest import Dataset
from tools.model_folder import ModelSchema
from tools.predictions import Predictions

MAX_SCHEMA_BYTES = 5_000_000
MAX_XLSX_ROWS = 1_048_575
FORMATS = (".csv", ".tsv", ".parquet", ".xlsx", ".json", ".ndjson")


class PredictError(ValueError):
    """The model folder, the table or the output file does not fit; the message is a sentence for the user."""


@dataclass(frozen=True)
class Prediction:
    """A prediction that is ready to run: have the model in `folder` predict `dataset.path`, then call `collect`."""

    folder: Path
    contract: Contract
    dataset: Dataset
    notes: tuple[str, ...]
    """What the user should know about how the table fits, a sentence each."""


def prepare(model_dir: Path, dataset: Dataset) -> Prediction:
    """How `dataset` is predicted with the model in `model_dir`.

    Raises `PredictError` for a folder without a model, and when columns that the model needs are missing.
    """
    folder = find_model(model_dir)
    schema = read_schema(folder / "schema.json")
    return Prediction(folder, schema.contract(), dataset, _fit(schema, dataset))


def find_model(folder: Path) -> Path:
    """The folder with model.joblib: the one named, or its model/."""
    for place in (folder, folder / "model"):
        if (place / "model.joblib").is_file() and (place / "schema.json").is_file():
            return place
    if not folder.is_dir():
        raise PredictError(f"There is no model folder {str(folder)!r}; give the model/ that a run has written.")
    raise PredictError(
        f"{str(folder)!r} holds no model.joblib and schema.json; give the model/ that a run has written."
    )


def read_schema(path: Path) -> ModelSchema:
    """schema.json, checked; raises `PredictError`."""
    if path.stat().st_size > MAX_SCHEMA_BYTES:
        raise PredictError("schema.json of the model is far larger than a schema can be.")
    try:
        return ModelSchema.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError, RecursionError) as problem:  # ValueError: no text, no JSON, endless digits
        raise PredictError(
            "schema.json of the model is damaged; take the model folder from the run again."
        ) from problem


def _fit(schema: ModelSchema, dataset: Dataset) -> tuple[str, ...]:
    """Missing columns are an error with names; columns of another kind and extra ones are notes."""
    given = {column.name: column for column in dataset.columns}
    missing = [feature.name for feature in schema.features if feature.name not in given]
    if missing:
        raise PredictError(_missing_sentence(missing, list(given), dataset.name))
    notes = []
    odd = [
        feature.name
        for feature in schema.features
        if feature.role == "number" and given[feature.name].type not in ("integer", "number", "boolean")
    ]
    if odd:
        notes.append(f"{_listed(odd)} should hold numbers; what is none counts as missing.")
    undated = [f.name for f in schema.features if f.role == "date" and given[f.name].type not in ("date", "datetime")]
    if undated:
        notes.append(f"{_listed(undated)} should hold dates; what is none counts as missing.")
    needed = {feature.name for feature in schema.features}
    extra = [name for name in given if name not in needed and name != schema.target]
    if extra:
        notes.append(f"The model does not use {_listed(extra)}.")
    return tuple(notes)


def _missing_sentence(missing: list[str], given: list[str], name: str) -> str:
    hints = []
    lower = {column.casefold().strip(): column for column in given}
    for column in missing[:3]:
        close = lower.get(column.casefold().strip()) or next(
            iter(difflib.get_close_matches(column, given, 1, 0.8)), None
        )
        if close:
            hints.append(f"is {close!r} meant to be {column!r}?")
    word = "column" if len(missing) == 1 else "columns"
    asked = f" ({' '.join(hints)})" if hints else ""
    return f"{name} lacks the {word} {_listed(missing)} that the model needs{asked}; add or rename and try again."


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(f"'{' '.join(name.split())[:60]}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def check_output(out: Path) -> None:
    """Raises `PredictError` before any work is done when the file cannot be of this kind."""
    if out.suffix.lower() not in FORMATS:
        raise PredictError(f"{out.name!r} should end in one of {', '.join(FORMATS)}.")
    if out.is_dir():
        raise PredictError(f"{str(out)!r} is a folder; name a file such as predictions.csv.")


def collect(prediction: Prediction, found: Predictions, out: Path) -> int:
    """Join what the model said to the rows and write `out` by its extension; returns the number of rows.

    Columns added: `prediction`, and for classes `p_<class>`. Written whole or not at all. Raises `PredictError` (kind
    of file) or OSError.
    """
    check_output(out)
    contract = prediction.contract
    labels: pa.Array = pa.array(found.values)
    if contract.classes:
        labels = pa.array([contract.classes[int(code)] for code in found.values], pa.string())
    added = {"prediction": labels}
    if found.probabilities is not None:
        added |= {f"p_{label}": pa.array(found.probabilities[:, i]) for i, label in enumerate(contract.classes)}
    table = pq.read_table(prediction.dataset.path)
    for name, values in added.items():
        table = table.append_column(_free(name, table.column_names), values)
    _write(table, out)
    return int(table.num_rows)


def _free(name: str, taken: list[str]) -> str:
    """A name that the table does not have yet."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def _write(table: pa.Table, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        _WRITERS[out.suffix.lower()](table, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _delimited(delimiter: str) -> Callable[[pa.Table, Path], None]:
    def write(table: pa.Table, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            writer.writerow(table.column_names)
            for row in _rows(table):
                writer.writerow(["" if value is None else _text(value) for value in row])

    return write


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _xlsx(table: pa.Table, path: Path) -> None:
    """Text stays text: a value that begins with = must not become a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils.exceptions import IllegalCharacterError

    if table.num_rows > MAX_XLSX_ROWS:
        raise PredictError(f"An Excel sheet holds {MAX_XLSX_ROWS:,} rows, the table has {table.num_rows:,}; use .csv.")
    book = Workbook(write_only=True)
    sheet = book.create_sheet("predictions")

    def cell(value: Any) -> Any:
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

    for row in (tuple(table.column_names), *_rows(table)):
        sheet.append([cell(value) for value in row])
    book.save(path)


def _json(lines: bool) -> Callable[[pa.Table, Path], None]:
    def write(table: pa.Table, path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            records = (dict(zip(table.column_names, map(_plain, row), strict=True)) for row in _rows(table))
            if lines:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
                return
            file.write("[")
            for number, record in enumerate(records):
                file.write((",\n " if number else "\n ") + json.dumps(record, ensure_ascii=False))
            file.write("\n]\n")

    return write


def _plain(value: Any) -> Any:
    value = _text(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


_WRITERS: Mapping[str, Callable[[pa.Table, Path], None]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".parquet": _parquet,
    ".xlsx": _xlsx,
    ".json": _json(lines=False),
    ".ndjson": _json(lines=True),
}
