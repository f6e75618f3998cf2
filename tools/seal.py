"""The sealed hold-out: rows set apart by the contract before generated code runs; their labels never enter a sandbox.

    <into>/train.parquet                    features + target (TEXT label or float64): goes to the training sandbox
    <into>/groups.parquet                   only for a split by group: `group` of each training row, for grouped folds
    <into>/order.parquet                    `moment` and/or `entity` of each training row, where the contract names them
    <into>/holdout_features.parquet         features only: goes to the scoring sandbox
    <into>/sealed/holdout_labels.parquet    row, target, unit; mode 0600; no sandbox ever sees this folder

The same (dataset, target, split, seed) gives the same rows, whatever the features are, so attempts can be compared.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.contract import Contract, Split
from tools.split import Cut, Index, SealError, check_cut, cut_rows, groups_of, labels_of, moments_of

__all__ = ["SealError", "Sealed", "class_counts", "label_text", "seal", "sealed_rows"]

MIN_ROWS = 10
"""Fewer usable rows than this cannot be split into something to learn from and something to judge by."""
RELIABLE_HOLDOUT = 30
"""Below this many hold-out rows every number is said to be rough."""


class TableFile(Protocol):
    """What sealing needs of a dataset (tools/ingest has it)."""

    @property
    def path(self) -> Path:
        """The typed Parquet table."""
        ...

    @property
    def id(self) -> str:
        """SHA-256 of that file."""
        ...


@dataclass(frozen=True)
class Sealed:
    """Where the parts are, how large, and what had to be said about the split."""

    train: Path
    holdout_features: Path
    holdout_labels: Path
    groups: Path | None
    """Mount as inputs/groups.parquet when it is there."""
    rows_train: int
    rows_holdout: int
    dropped: int
    """Rows left out: target missing or infinite, or (split by time) without a date."""
    rule: str
    """The split rule that was really used; differs from the contract's only with a note."""
    notes: tuple[str, ...]
    hash: str
    """Identity of the sealed rows: equal for attempts that are judged on the same rows and labels."""
    order: Path | None = None
    """For the comparison of random rows with later ones and with unseen entities (tools/resplit.py)."""
    weights: Path | None = None
    """How much each training row counts (mean 1); mount as inputs/weights.parquet when it is there."""
    own_train: Path | None = None
    """The training rows of this very table, where `train` holds those of an older project in front of them."""

    @property
    def own(self) -> "Sealed":
        """The parts of this table alone, as `seal` made them, without what is numbered by the rows of both."""
        if self.own_train is None:
            return self
        rows = pq.read_metadata(self.own_train).num_rows
        return replace(self, train=self.own_train, own_train=None, groups=None, weights=None, rows_train=rows)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values; `from_json` gives the same back."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Sealed":
        """The parts that `to_json` wrote."""
        paths = ("train", "holdout_features", "holdout_labels", "groups", "order", "weights", "own_train")
        changed = {name: Path(value[name]) if value.get(name) else None for name in paths}
        return cls(**{**value, **changed, "notes": tuple(value["notes"])})


def seal(dataset: TableFile, contract: Contract, into: Path) -> Sealed:
    """Split by the contract and write the parts; raises `SealError` when no honest split is possible. Idempotent."""
    columns = _columns_needed(dataset.path, contract)
    table = pq.read_table(dataset.path, columns=columns)
    target = target_column(table, contract)
    placed = _placeable(table, target, contract)
    kept = np.flatnonzero(placed)
    _check_rows(kept, target, table.num_rows, contract)
    table, target = table.take(kept), target.take(pa.array(kept))
    cut = cut_rows(table, target, contract, _seed_of(dataset.id, contract))
    check_cut(cut, target, contract)
    key, dropped = _key(dataset.id, contract), len(placed) - len(kept)
    return write_parts(table, target, cut, contract, into, key=key, dropped=dropped)


@dataclass(frozen=True)
class Parts:
    """Where the rows of both parts stand in the table, in the order in which they were written."""

    train: Index
    holdout: Index
    identity: str
    """What `Sealed.hash` has to be."""


def sealed_rows(path: Path, dataset_id: str, contract: Contract) -> Index:
    """Where the sealed rows stand in the table, in the order of the sealed labels; the same cut as `seal` makes."""
    return parts_again(path, dataset_id, contract).holdout


def parts_again(path: Path, dataset_id: str, contract: Contract) -> Parts:
    """The cut that `seal` makes of this table, made anew and written nowhere. Raises `SealError`."""
    table = pq.read_table(path, columns=_columns_needed(path, contract))
    target = target_column(table, contract)
    kept = np.flatnonzero(_placeable(table, target, contract))
    table, target = table.take(kept), target.take(pa.array(kept))
    cut = cut_rows(table, target, contract, _seed_of(dataset_id, contract))
    labels = _labels_table(target.take(pa.array(cut.holdout)), cut)
    return Parts(kept[cut.train], kept[cut.holdout], _identity(_key(dataset_id, contract), cut, labels))


def label_text(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    """Class labels as text, one spelling each: 1 and 1.0 are "1", booleans "True"/"False", missing stays missing."""
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.string())
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    encoded = column.combine_chunks().dictionary_encode()
    words = pa.array([_label(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([words.take(encoded.indices)])


def _label(value: Any) -> str | None:
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float | Decimal) and not isinstance(value, bool) and abs(value) != float("inf"):
        return str(int(value)) if value == int(value) else str(value)
    return str(value)


def class_counts(values: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    """Label -> rows, in the order in which people expect them: numbers by size, the rest by alphabet."""
    pairs = pc.value_counts(label_text(values).combine_chunks().drop_null()).to_pylist()
    counts = {pair["values"]: pair["counts"] for pair in pairs}
    return {label: counts[label] for label in sorted(counts, key=_label_order)}


def _label_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def target_column(table: pa.Table, contract: Contract) -> pa.ChunkedArray:
    """The target as the script gets it: text labels or float64; what is missing or infinite becomes null."""
    column = table.column(contract.target)
    if contract.task != "regression":
        return label_text(column)
    try:
        numbers = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SealError(
            f"“{contract.target}” holds {column.type} values, so it cannot be predicted as a number; choose classes."
        ) from error
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _columns_needed(path: Path, contract: Contract) -> list[str]:
    """Features, target and split column; all must be in the file."""
    there = set(pq.read_schema(path).names)
    wanted = [*contract.features, contract.target]
    if contract.split.column and contract.split.column not in wanted:
        wanted.append(contract.split.column)
    if contract.weight_column and contract.weight_column not in wanted:
        wanted.append(contract.weight_column)
    missing = [name for name in wanted if name not in there]
    told = (contract.split.ordered_by, contract.split.repeats)
    wanted += [name for name in dict.fromkeys(told) if name and name in there and name not in wanted]
    if missing:
        raise SealError(f"The table has no column “{missing[0]}”; it has {_some(sorted(there))}.")
    if not contract.features:
        raise SealError(f"No column is left to predict “{contract.target}” from; allow at least one as a feature.")
    if contract.target in contract.features:
        raise SealError(f"“{contract.target}” is the target, so it cannot be a feature as well.")
    return wanted


def _some(names: list[str], most: int = 6) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _placeable(table: pa.Table, target: pa.ChunkedArray, contract: Contract) -> NDArray[np.bool_]:
    """Rows that have a target and, for a split by time, a moment."""
    there = np.asarray(target.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if contract.split.rule == "time":
        there &= ~np.isnan(moments_of(table, contract.split))
    if contract.split.rule == "predefined":
        there &= np.array([part is not None for part in labels_of(table, contract.split)], dtype=bool)
    return there


def _check_rows(kept: Index, target: pa.ChunkedArray, rows: int, contract: Contract) -> None:
    name = contract.target
    if not len(kept):
        raise SealError(f"No row of the {rows} has a usable value in “{name}”, so there is nothing to learn from.")
    if len(kept) < MIN_ROWS:
        raise SealError(
            f"Only {len(kept)} of {rows} rows have a usable value in “{name}”; at least {MIN_ROWS} are needed for "
            "training and a fair test."
        )
    values = target.take(pa.array(kept))
    distinct = pc.count_distinct(values).as_py()
    if distinct < 2:
        raise SealError(
            f"“{name}” has the same value in every row ({values[0].as_py()}), so there is nothing to predict."
        )
    if contract.task != "regression":
        _check_classes(class_counts(values), contract)


def _check_classes(counts: dict[str, int], contract: Contract) -> None:
    unknown = [label for label in counts if label not in contract.classes]
    if unknown:
        raise SealError(
            f"“{contract.target}” has the value “{unknown[0]}”, which is not among the classes of the contract "
            f"({_some(list(contract.classes))})."
        )
    alone = [label for label, count in counts.items() if count < 2]
    if alone and len(counts) == 2:
        raise SealError(
            f"The class “{alone[0]}” of “{contract.target}” has a single row: it cannot be both learned and tested. "
            "At least two rows of each class are needed."
        )
    if contract.task == "binary" and len(counts) > 2:
        raise SealError(f"“{contract.target}” has {len(counts)} classes, but the contract says two.")


def _key(dataset_id: str, contract: Contract) -> dict[str, Any]:
    return {
        "dataset": dataset_id,
        "target": contract.target,
        "classes": contract.task != "regression",
        "rule": contract.split.rule,
        "column": contract.split.column,
        "fraction": contract.split.holdout_fraction,
        "seed": contract.seed,
    }


def _seed_of(dataset_id: str, contract: Contract) -> int:
    text = json.dumps(_key(dataset_id, contract), sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def write_parts(
    table: pa.Table,
    target: pa.ChunkedArray,
    cut: Cut,
    contract: Contract,
    into: Path,
    *,
    key: dict[str, Any],
    dropped: int,
) -> Sealed:
    """Write both parts of a cut; `key` is what the identity of the sealed rows is made of, beside them."""
    features = table.select(list(contract.features))
    labels = _labels_table(target.take(pa.array(cut.holdout)), cut)
    groups = _training_groups(table, cut, contract)
    order = _training_order(table, cut, contract.split)
    weights = _training_weights(table, cut, contract)
    sealed = Sealed(
        train=into / "train.parquet",
        holdout_features=into / "holdout_features.parquet",
        holdout_labels=into / "sealed" / "holdout_labels.parquet",
        groups=into / "groups.parquet" if groups is not None else None,
        rows_train=len(cut.train),
        rows_holdout=len(cut.holdout),
        dropped=dropped,
        rule=cut.rule,
        notes=_notes(cut, contract, dropped),
        hash=_identity(key, cut, labels),
        order=into / "order.parquet" if order is not None else None,
        weights=into / "weights.parquet" if weights is not None else None,
    )
    sealed.holdout_labels.parent.mkdir(parents=True, exist_ok=True)
    sealed.holdout_labels.parent.chmod(0o700)
    _save(features.take(cut.train).append_column(contract.target, target.take(pa.array(cut.train))), sealed.train)
    _save(features.take(cut.holdout), sealed.holdout_features)
    _save(labels, sealed.holdout_labels, mode=0o600)
    if groups is not None and sealed.groups is not None:
        _save(groups, sealed.groups)
    if order is not None and sealed.order is not None:
        _save(order, sealed.order)
    if weights is not None and sealed.weights is not None:
        _save(weights, sealed.weights)
    return sealed


def _labels_table(target: pa.ChunkedArray, cut: Cut) -> pa.Table:
    rows = np.arange(len(cut.holdout), dtype=np.int64)
    unit = rows if cut.unit is None else cut.unit
    return pa.table({"row": rows, "target": target, "unit": unit})


def _training_groups(table: pa.Table, cut: Cut, contract: Contract) -> pa.Table | None:
    return pa.table({"group": groups_of(table, contract.split)[cut.train]}) if cut.rule == "group" else None


def _training_weights(table: pa.Table, cut: Cut, contract: Contract) -> pa.Table | None:
    """How much each training row counts, 1 on average; a gap counts as much as the others do on average."""
    if contract.weight_column is None:
        return None
    column = table.column(contract.weight_column).cast(pa.float64(), safe=False)
    values = np.asarray(column.to_numpy(), dtype=np.float64)[cut.train]
    known = np.isfinite(values) & (values >= 0)
    mean = float(values[known].mean()) if known.any() else 0.0
    if mean <= 0:
        raise SealError(f"“{contract.weight_column}” cannot weigh the rows: it has no value above 0 among them.")
    return pa.table({"weight": np.where(known, values / mean, 1.0)})


def _training_order(table: pa.Table, cut: Cut, split: Split) -> pa.Table | None:
    """When each training row happened and whose it is; a column that cannot say it after all is left out."""
    there: dict[str, Any] = {}
    if split.ordered_by in table.column_names:
        with suppress(SealError):
            there["moment"] = moments_of(table, split.model_copy(update={"column": split.ordered_by}))[cut.train]
    if split.repeats in table.column_names:
        there["entity"] = groups_of(table, split.model_copy(update={"column": split.repeats}))[cut.train]
    return pa.table(there) if there else None


def _notes(cut: Cut, contract: Contract, dropped: int) -> tuple[str, ...]:
    notes = list(cut.notes)
    if dropped:
        marked = cut.rule in ("time", "predefined")
        without = f"“{contract.target}”" + (f" or “{contract.split.column}”" if marked else "")
        notes.append(f"{dropped} row{'s' if dropped > 1 else ''} without a usable value in {without} left out.")
    if len(cut.holdout) < RELIABLE_HOLDOUT:
        notes.append(f"Only {len(cut.holdout)} rows are held out: every number about them is rough.")
    return tuple(notes)


def _identity(key: dict[str, Any], cut: Cut, labels: pa.Table) -> str:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode())
    digest.update(cut.train.astype("<i8").tobytes() + b"|" + cut.holdout.astype("<i8").tobytes())
    digest.update("\x1f".join(map(str, labels.column("target").to_pylist())).encode())
    return digest.hexdigest()


def _save(table: pa.Table, path: Path, mode: int = 0o644) -> None:
    """Whole or not at all, and never readable by others for an instant when it must not be."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as out:
            pq.write_table(table, out, compression="zstd")
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
