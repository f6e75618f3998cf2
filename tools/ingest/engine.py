"""A locked-down DuckDB: it sees one folder, loads no extension, reaches no network."""

import os
from pathlib import Path

import duckdb

STRICT = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "preserve_insertion_order": "true",
}


UNWANTED = ",".join(
    (
        "type_pushdown",  # casts in the CSV reader: what TRY_CAST would make missing loses its whole row there
        "scalar_fn_pushdown",
        "statistics_propagation",  # minutes for 10 000 columns
        "column_lifetime",  # minutes for 10 000 columns
        "join_order",  # takes the cells of a wide table for the smaller side of a join
        "build_side_probe_side",
    )
)
"""Optimizers that do harm here."""
MEMORY = 4_000 * 1024 * 1024


def open_engine(
    folder: Path, memory: int = MEMORY, reads: tuple[Path, ...] = (), *, settings: dict[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory engine, locked, in UTC: it uses only what is below `folder` (spills there) and the files `reads`."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    engine = duckdb.connect(
        ":memory:", config={**STRICT, **(settings or {}), "memory_limit": f"{min(memory, physical // 2)}B"}
    )
    root = text_literal(str(folder.resolve()))
    spill = text_literal(str(folder.resolve() / "spill"))
    files = ", ".join(text_literal(str(path.resolve())) for path in reads)
    for setting in (
        f"temp_directory={spill}",
        f"allowed_directories=[{root}]",
        f"allowed_paths=[{files}]",
        "enable_external_access=false",
        "enable_progress_bar=false",
        "python_enable_replacements=false",
        "python_scan_all_frames=false",
        "TimeZone='UTC'",
        f"disabled_optimizers='{UNWANTED}'",
        "lock_configuration=true",
    ):
        engine.execute(f"SET {setting}")
    return engine


def text_literal(text: str) -> str:
    """An SQL string that means exactly this text."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """An SQL identifier that means exactly this name."""
    return '"' + name.replace('"', '""') + '"'


def tally(condition: str) -> str:
    """SQL: how many rows meet the condition (`count_if` would be NULL where it is never known)."""
    return f"count(*) FILTER (WHERE {condition})"
