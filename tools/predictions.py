"""Predictions that a sandbox made: read as data, never executed, refused unless every row is there exactly once.

A file of some kilobytes can unfold to gigabytes, so its footer is checked before a value of it is decoded. What a page
claims in its own header no footer tells: Arrow reserves address space for it (2 GB at most), but touches no memory
before it has compared the claim with the content, which a test measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.contract import Contract
from tools.metrics import Array

Kind = Literal["whole", "number", "text"]

MAX_SUM_ERROR = 1e-3
"""How far the probabilities of a row may be from one (float32 and rounding, not more)."""
SPARE_BYTES = 1_000_000
"""Room for names and metadata beside the numbers."""
MOST_TEXT = 10_000
"""Bytes of one text in a file; class labels may be longer, then their length counts."""
LARGEST = 1e70
"""Of a predicted number: the scorer raises errors to the fourth power and adds them up."""
ROWS_PER_GROUP = 1_000
"""Honest row groups have far more rows; a million tiny ones only cost time."""

_LIMITS = {"thrift_string_size_limit": 10_000_000, "thrift_container_size_limit": 1_000_000}
_CODECS = {"UNCOMPRESSED", "SNAPPY"}
"""What our programs write. Snappy unfolds a page at most about 20 times; zstd or gzip thousands of times."""
_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY", "BIT_PACKED"}
"""What our programs write. With DELTA_BYTE_ARRAY one long text could be in every row at no cost."""
_PHYSICAL: Mapping[Kind, frozenset[str]] = {
    "whole": frozenset({"INT32", "INT64"}),
    "number": frozenset({"INT32", "INT64", "FLOAT", "DOUBLE"}),
    "text": frozenset({"BYTE_ARRAY"}),
}
_MEANT: Mapping[Kind, str] = {
    "whole": "whole numbers without gaps",
    "number": "numbers",
    "text": "class labels as text",
}


class PredictionsRefused(ValueError):
    """The file is not a set of predictions for these rows; the message is a sentence for the user."""


@dataclass(frozen=True)
class Predictions:
    """One prediction per row, in row order."""

    values: Array
    """Numbers, or class codes in the order of `contract.classes`."""
    probabilities: Array | None
    """(rows, classes), each row adding up to one; None for numbers and for models that only give labels."""


@dataclass(frozen=True)
class Texts:
    """A column of text: its distinct values, and for each row the position of its own."""

    distinct: tuple[str, ...]
    codes: NDArray[np.int64]


def read_predictions(path: Path, contract: Contract, rows: int) -> Predictions:
    """The predictions for rows 0..rows-1; raises `PredictionsRefused` for anything else."""
    table = _read_untrusted(path, contract, rows)
    order = _row_order(table, rows)
    found = _predictions_in(table, contract)
    probabilities = found.probabilities
    return Predictions(found.values[order], None if probabilities is None else probabilities[order])


def read_some(path: Path, contract: Contract, rows: int) -> tuple[NDArray[np.int64], Predictions]:
    """Predictions for some of the rows 0..rows-1, each at most once: (which rows, in ascending order; theirs).

    Raises `PredictionsRefused` for anything else, no row at all included.
    """
    limit = _most_bytes(contract, 2 + len(contract.classes), rows)
    count = _open(path, limit).metadata.num_rows
    if not 0 < count <= rows:
        raise PredictionsRefused(f"{path.name} has {count} rows, but there are {rows}.")
    table = _read_untrusted(path, contract, count)
    where = _whole(table, "row")
    order = np.argsort(where, kind="stable")
    where = where[order]
    if where[0] < 0 or where[-1] >= rows or (np.diff(where) == 0).any():
        raise PredictionsRefused(f"The rows must be among 0 to {rows - 1}, each at most once.")
    found = _predictions_in(table, contract)
    probabilities = found.probabilities
    return where, Predictions(found.values[order], None if probabilities is None else probabilities[order])


def predictions_of(numbers: Array, contract: Contract, unknown: str = "") -> Predictions:
    """Predictions from numbers, a line for each row; raises `PredictionsRefused` for what cannot be true.

    First the prediction (for classes its place in `contract.classes`; `unknown` is a label that has none), then the
    probability of each class, or nothing.
    """
    if contract.task == "regression":
        return Predictions(_scorable(numbers[:, 0]), None)
    values = _finite(numbers[:, 0], "prediction")
    places = np.arange(len(contract.classes))
    if not np.isin(values, places).all():
        raise PredictionsRefused(f"“{readable(unknown, 60)}” {_no_class(contract)}.")
    if numbers.shape[1] == 1:
        return Predictions(values, None)
    matrix = np.column_stack([_finite(numbers[:, 1 + place], f"p_{place}") for place in places])
    return Predictions(values, _checked_probabilities(matrix))


def write_predictions(found: Predictions, contract: Contract, path: Path) -> None:
    """Keep predictions as the file that `read_predictions` reads; whole or not at all."""
    columns: dict[str, pa.Array] = {"row": pa.array(np.arange(len(found.values)))}
    labels = pa.array(found.values)
    if contract.classes:
        labels = pa.array(contract.classes, pa.string()).take(pa.array(found.values.astype(np.int64)))
    columns["prediction"] = labels
    if found.probabilities is not None:
        columns |= {f"p_{place}": pa.array(column) for place, column in enumerate(found.probabilities.T)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table(columns), partial)
    partial.replace(path)


def _predictions_in(table: pa.Table, contract: Contract) -> Predictions:
    """The columns “prediction” and p_0, p_1, ... of a table, in its own order of rows."""
    if contract.task == "regression":
        return Predictions(_scorable(_floats(table, "prediction")), None)
    return Predictions(_label_codes(table, contract), _probabilities(table, contract))


def _read_untrusted(path: Path, contract: Contract, rows: int) -> pa.Table:
    """A Parquet file of predictions that a script wrote, within a size that honest content cannot exceed."""
    columns: dict[str, Kind] = {"row": "whole", "prediction": "number" if contract.task == "regression" else "text"}
    limit = _most_bytes(contract, len(columns) + len(contract.classes), rows)
    source = _open(path, limit)
    for name in _given_probabilities(path.name, source, contract):
        columns[name] = "number"
    _check_columns(path.name, source, columns)
    _check_size(path.name, source.metadata, rows, limit)
    texts = [name for name, kind in columns.items() if kind == "text"]
    _check_storage(path.name, source.metadata, texts, _longest_text(contract))
    try:
        # Text stays a dictionary of its distinct values, so that one long value cannot be unfolded a million times.
        return pq.ParquetFile(path, metadata=source.metadata, read_dictionary=texts, **_LIMITS).read(list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PredictionsRefused(f"{path.name} is damaged and cannot be read as Parquet.") from error


def _most_bytes(contract: Contract, columns: int, rows: int) -> int:
    return rows * (columns + 2) * 16 + SPARE_BYTES + 300 * sum(map(len, contract.classes))


def _longest_text(contract: Contract) -> int:
    """Bytes of the longest text that a file may hold."""
    return max(MOST_TEXT, *(len(name.encode()) for name in (*contract.classes, *contract.features, "")))


def _open(path: Path, limit: int) -> pq.ParquetFile:
    if path.is_symlink() or not path.is_file():
        raise PredictionsRefused(f"The script left no {path.name}.")
    if path.stat().st_size > limit:
        raise PredictionsRefused(f"{path.name} is larger than predictions can be ({limit / 1e6:.0f} MB).")
    try:
        return pq.ParquetFile(path, **_LIMITS)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PredictionsRefused(f"{path.name} is not a Parquet file.") from error


def _given_probabilities(name: str, source: pq.ParquetFile, contract: Contract) -> list[str]:
    names, found = [f"p_{code}" for code in range(len(contract.classes))], set(source.schema_arrow.names)
    there = [column for column in names if column in found]
    if there and there != names:
        raise PredictionsRefused(f"{name} has probabilities for {len(there)} of {len(names)} classes.")
    return there


def _check_columns(name: str, source: pq.ParquetFile, columns: Mapping[str, Kind]) -> None:
    """Exactly these columns, none nested, each stored as its kind."""
    given = source.schema_arrow.names
    missing = [column for column in columns if column not in given]
    if missing:
        raise PredictionsRefused(f"{name} has no column “{missing[0]}”.")
    if len(given) != len(columns) or source.metadata.num_columns != len(columns):
        raise PredictionsRefused(f"{name} has {len(given)} columns, but only {', '.join(columns)[:200]} belong there.")
    for place in range(len(columns)):
        stored = source.schema.column(place)
        if stored.max_repetition_level > 0 or stored.max_definition_level > 1 or stored.path not in columns:
            raise PredictionsRefused(f"{name} has nested columns; predictions are flat.")
        kind, type_ = columns[stored.path], source.schema_arrow.field(stored.path).type
        if stored.physical_type not in _PHYSICAL[kind] or not _is(kind, type_):
            raise PredictionsRefused(f"The column “{stored.path}” must hold {_MEANT[kind]}, not {str(type_)[:60]}.")


def _is(kind: Kind, type_: pa.DataType) -> bool:
    if kind == "text":
        held = type_.value_type if pa.types.is_dictionary(type_) else type_
        return bool(pa.types.is_string(held) or pa.types.is_large_string(held))
    return bool(pa.types.is_integer(type_) or (kind == "number" and pa.types.is_floating(type_)))


def _check_size(name: str, footer: pq.FileMetaData, rows: int, limit: int) -> None:
    """The number of rows, and that every part of the file agrees with it."""
    if footer.num_rows != rows:
        raise PredictionsRefused(f"{name} has {footer.num_rows} rows, but {rows} were to be predicted.")
    if footer.num_row_groups > 10 + rows // ROWS_PER_GROUP:
        raise PredictionsRefused(f"{name} is cut into {footer.num_row_groups:,} pieces, more than its rows need.")
    groups = [footer.row_group(place) for place in range(footer.num_row_groups)]
    if max(footer.serialized_size, sum(group.total_byte_size for group in groups)) > limit:
        raise PredictionsRefused(f"{name} is larger than predictions can be ({limit / 1e6:.0f} MB).")
    if any(group.num_rows < 0 for group in groups) or sum(group.num_rows for group in groups) != footer.num_rows:
        raise PredictionsRefused(f"{name} contradicts itself about its number of rows.")


def _check_storage(name: str, footer: pq.FileMetaData, texts: list[str], longest: int) -> None:
    """Nothing that unfolds: no strong compression, no shared prefixes, no more values than rows, no endless text."""
    for group in (footer.row_group(place) for place in range(footer.num_row_groups)):
        for part in (group.column(place) for place in range(group.num_columns)):
            if part.compression not in _CODECS or not _ENCODINGS.issuperset(part.encodings):
                raise PredictionsRefused(f"{name} is packed in a way that predictions are not ({part.compression}).")
            if part.num_values != group.num_rows:
                raise PredictionsRefused(f"{name} contradicts itself about its number of rows.")
            most = group.num_rows * (8 + longest) + SPARE_BYTES
            if part.path_in_schema in texts and part.total_uncompressed_size > most:
                raise PredictionsRefused(f"{name} holds texts that are longer than any label.")


def _whole(table: pa.Table, name: str) -> NDArray[np.int64]:
    """A column of whole numbers without gaps; one beyond 2^63 wraps to a negative one."""
    column = table.column(name)
    if not pa.types.is_integer(column.type) or column.null_count:
        raise PredictionsRefused(f"The column “{name}” must hold {_MEANT['whole']}.")
    return np.asarray(column.to_numpy()).astype(np.int64)


def _row_order(table: pa.Table, rows: int) -> NDArray[np.intp]:
    found = _whole(table, "row")
    order = np.argsort(found, kind="stable")
    if not np.array_equal(found[order], np.arange(rows)):
        raise PredictionsRefused(f"The rows must be 0 to {rows - 1}, each exactly once.")
    return order


def _floats(table: pa.Table, name: str) -> Array:
    """A column of finite numbers."""
    return _finite(np.asarray(table.column(name).to_numpy(), dtype=np.float64), name)


def _finite(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        raise PredictionsRefused(f"{int((~np.isfinite(values)).sum())} values of “{name}” are missing or infinite.")
    return values


def _scorable(values: Array) -> Array:
    """Numbers whose errors can still be squared and added up."""
    beyond = int((np.abs(_finite(values, "prediction")) > LARGEST).sum())
    if beyond:
        some = f"{beyond:,} predictions are" if beyond > 1 else "1 prediction is"
        raise PredictionsRefused(f"{some} beyond ±{LARGEST:.0e}, which no score can be computed from.")
    return values


def readable(text: str, most: int) -> str:
    """The beginning of a text that a script chose, on one line and without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most])


def _texts(table: pa.Table, name: str, longest: int) -> Texts:
    """A column of text without gaps, no value longer than `longest` bytes."""
    column = table.column(name).combine_chunks()
    if column.null_count or column.dictionary.null_count:
        gaps = max(column.null_count, 1)
        raise PredictionsRefused(f"{gaps} row{'s have' if gaps > 1 else ' has'} no {name}.")
    if (pc.max(pc.binary_length(column.dictionary)).as_py() or 0) > longest:
        raise PredictionsRefused(f"A value of “{name}” is longer than any label.")
    try:
        return Texts(tuple(column.dictionary.to_pylist()), column.indices.to_numpy().astype(np.int64))
    except UnicodeDecodeError as error:
        raise PredictionsRefused(f"The column “{name}” holds text that is not UTF-8.") from error


def _label_codes(table: pa.Table, contract: Contract) -> Array:
    """Text labels as positions in `contract.classes`; an unknown label refuses the file."""
    return _places(table, "prediction", contract.classes, contract, _no_class(contract)).astype(np.float64)


def _no_class(contract: Contract) -> str:
    return f"is predicted, but it is not a class of “{contract.target}”"


def _places(table: pa.Table, name: str, known: tuple[str, ...], contract: Contract, unknown: str) -> NDArray[np.int64]:
    found = _texts(table, name, _longest_text(contract))
    place = {text: code for code, text in enumerate(known)}
    translation = np.array([place.get(text, -1) for text in found.distinct], dtype=np.int64)
    codes = translation[found.codes]
    if (codes < 0).any():
        other = found.distinct[int(found.codes[np.argmax(codes < 0)])]
        raise PredictionsRefused(f"“{readable(other, 60)}” {unknown}.")
    return np.asarray(codes, dtype=np.int64)


def _probabilities(table: pa.Table, contract: Contract) -> Array | None:
    names = [f"p_{code}" for code in range(len(contract.classes))]
    if not names or "p_0" not in table.column_names:
        return None
    return _checked_probabilities(np.column_stack([_floats(table, name) for name in names]))


def _checked_probabilities(matrix: Array) -> Array:
    """Each value in 0..1 and each row adding up to one, or the file is refused."""
    if matrix.min(initial=0.0) < -1e-9 or matrix.max(initial=0.0) > 1 + 1e-6:
        raise PredictionsRefused("Some probabilities are outside 0 to 1.")
    matrix = np.clip(matrix, 0.0, 1.0)
    sums = matrix.sum(axis=1)
    if np.abs(sums - 1).max(initial=0.0) > MAX_SUM_ERROR:
        worst = float(sums[np.argmax(np.abs(sums - 1))])
        raise PredictionsRefused(f"The probabilities of a row must add up to 1; one row has {worst:.3f}.")
    return np.asarray(matrix / sums[:, None], dtype=np.float64)
