"""The typed table as a Parquet file whose bytes depend on nothing but the table."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from tools.ingest.cells import Verdict
from tools.ingest.engine import identifier, text_literal
from tools.ingest.raw import Raw

GROUP_CELLS = 2_500_000
"""Rows per group shrink with the width, so that a wide table does not need more memory than a long one."""


def write_table(
    engine: duckdb.DuckDBPyConnection, raw: Raw, names: Sequence[str], verdicts: Sequence[Verdict], target: Path
) -> str:
    """Write zstd Parquet in row order; return the SHA-256 of its bytes. RuntimeError when a row went missing."""
    listed = ", ".join(
        f"{verdict.expression} AS {identifier(name)}" for name, verdict in zip(names, verdicts, strict=True)
    )
    group = max(2_048, min(122_880, GROUP_CELLS // max(len(names), 1)))
    written = engine.execute(
        f"COPY (SELECT {listed} FROM {raw.relation}) TO {text_literal(str(target))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
    ).fetchall()[0][0]
    if written != raw.rows:
        raise RuntimeError(f"{written:,} of {raw.rows:,} rows were written")
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
