"""The rows of a replay as sealing and training want them: the fresh ones as a table, the old ones in front."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tools.ingest import Column, Dataset
from tools.original import Original, training_rows
from tools.retype import column_type
from tools.seal import Sealed


def write_fresh(table: pa.Table, name: str, into: Path) -> Dataset:
    """The rows as a dataset of their own, for sealing."""
    into.mkdir(parents=True, exist_ok=True)
    partial = into / "fresh.partial"
    pq.write_table(table, partial, compression="zstd")
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = partial.rename(into / f"{digest}.parquet")
    columns = tuple(Column(field.name, column_type(str(field.type))) for field in table.schema)
    return Dataset(id=digest, path=path, name=name, rows=table.num_rows, columns=columns)


def with_old_rows(sealed: Sealed, original: Original, into: Path) -> Sealed:
    """The same sealed rows, and the old training rows in front of the new ones."""
    old = training_rows(original)
    if old is None:
        return sealed
    new = pq.read_table(sealed.train)
    old = old.select(new.column_names)
    schema = pa.unify_schemas([new.schema, old.schema], promote_options="permissive")
    both = pa.concat_tables([old.cast(schema), new.cast(schema)])
    into.mkdir(parents=True, exist_ok=True)
    pq.write_table(both, into / "train.parquet", compression="zstd")
    groups = _joined_groups(sealed, original, old.num_rows, into)
    weights = _joined_weights(sealed, original, old.num_rows, into)
    return replace(
        sealed,
        train=into / "train.parquet",
        groups=groups,
        rows_train=both.num_rows,
        weights=weights,
        own_train=sealed.train,
    )


def _joined_groups(sealed: Sealed, original: Original, old_rows: int, into: Path) -> Path | None:
    """Group numbers of both; a group of the new rows is never one of the old."""
    if sealed.groups is None:
        return None
    new = pq.read_table(sealed.groups).column("group").to_numpy()
    if original.groups is not None:
        old = pq.read_table(original.groups).column("group").to_numpy()
    else:
        old = np.arange(old_rows)
    both = np.concatenate([old, new + int(old.max(initial=-1)) + 1])
    pq.write_table(pa.table({"group": both}), into / "groups.parquet", compression="zstd")
    return into / "groups.parquet"


def _joined_weights(sealed: Sealed, original: Original, old_rows: int, into: Path) -> Path | None:
    """Weights of both, each with mean 1; old rows whose weights are not at hand count once."""
    if sealed.weights is None:
        return None
    new = pq.read_table(sealed.weights).column("weight").to_numpy()
    kept = original.train.with_name("weights.parquet") if original.train else None
    old = pq.read_table(kept).column("weight").to_numpy() if kept and kept.is_file() else np.ones(old_rows)
    pq.write_table(pa.table({"weight": np.concatenate([old, new])}), into / "weights.parquet", compression="zstd")
    return into / "weights.parquet"
