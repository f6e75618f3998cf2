"""The rows that explanations compare with: a small sample of the training rows, kept beside the model if allowed.

It holds real rows (the features, never the target), which the model card says; `Contract.sample_rows = 0` keeps none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import Contract
from tools.explaining.asking import ExplainError

FILE = "background.parquet"
ROWS = 200
"""Compared with at most so many rows."""
FEWEST = 10
MOST_BYTES = 1_000_000
"""Of the file; long texts make it fewer rows."""
_LIMIT_BYTES = 20_000_000


@dataclass(frozen=True)
class Background:
    """Rows with the model's features."""

    rows: pa.Table
    source: str
    """What they are, for a sentence: 200 of 5,634 training rows."""


def sampled(table: pa.Table, contract: Contract, rows: int = ROWS) -> pa.Table:
    """At most `rows` rows at random, always the same ones, in table order; the features of the contract alone."""
    there = table.select([name for name in contract.features if name in table.column_names])
    if len(there) <= rows:
        return there
    chosen = np.random.default_rng(contract.seed).choice(len(there), rows, replace=False)
    return there.take(pa.array(np.sort(chosen)))


def background_of(table: pa.Table, contract: Contract, what: str = "training rows") -> Background:
    """The sample of a whole table; raises `ExplainError` where there are too few rows to compare with."""
    rows = sampled(table, contract)
    if len(rows) < FEWEST:
        raise ExplainError(
            f"Explaining compares with other rows, and there are only {len(rows)} {what}; at least {FEWEST} would work."
        )
    part = f"{len(rows):,} of {len(table):,}" if len(rows) < len(table) else f"{len(rows):,}"
    return Background(rows, f"{part} {what}")


def write_background(train: Path, contract: Contract, path: Path) -> None:
    """background.parquet beside a model, unless the contract wants none."""
    rows = sampled(pq.read_table(train, columns=list(contract.features)), contract, contract.sample_rows)
    while len(rows):
        pq.write_table(rows, path, compression="zstd")
        if path.stat().st_size <= MOST_BYTES or len(rows) <= FEWEST:
            return
        rows = rows.slice(0, len(rows) // 2)


def read_background(path: Path, contract: Contract) -> Background:
    """background.parquet, which may have come from anywhere; raises `ExplainError`."""
    damaged = f"{path.name} of the model is damaged; take the model folder from the run again, or give --background."
    try:
        if path.stat().st_size > _LIMIT_BYTES or pq.read_metadata(path).num_rows > 100 * ROWS:
            raise ExplainError(f"{path.name} of the model is far larger than it can be.")
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as problem:
        if isinstance(problem, ExplainError):
            raise
        raise ExplainError(damaged) from problem
    if any(name not in table.column_names for name in contract.features):
        raise ExplainError(damaged)
    return background_of(table, contract, "training rows kept beside the model")
