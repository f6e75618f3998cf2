"""A file, whatever it is, to one typed Parquet table and an honest account."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import duckdb

from tools.ingest.cells import Verdict
from tools.ingest.columnar import read_parquet, typed_columns
from tools.ingest.dataset import Column, Dataset
from tools.ingest.decide import decide_types
from tools.ingest.delimited import read_delimited
from tools.ingest.engine import open_engine
from tools.ingest.errors import IngestError
from tools.ingest.formats import binary_format, text_format
from tools.ingest.limits import Limits
from tools.ingest.names import clean_names
from tools.ingest.raw import Raw
from tools.ingest.records import read_json
from tools.ingest.snapshot import take_snapshot
from tools.ingest.text import as_utf8
from tools.ingest.workbook import read_workbook
from tools.ingest.write import write_table

WORK = ".reading-"


def ingest(
    source: Path, into: Path, *, name: str | None = None, sheet: str | None = None, limits: Limits | None = None
) -> Dataset:
    """Read `source` into a Parquet file in the folder `into`.

    IngestError when it cannot become a table, OSError (ENOSPC: disk full) when it cannot be stored.

    The table's values are those of the file: what cannot be typed without loss stays text, and everything that was
    repaired, assumed or rejected is in the account. Only `source` is read and only `into` is written, atomically.
    """
    limits = limits or Limits()
    into.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(into)
    with tempfile.TemporaryDirectory(dir=into, prefix=f"{WORK}{os.getpid()}-") as folder:
        work = Path(folder)
        snapshot = take_snapshot(source, work, limits)
        engine = open_engine(work, limits.memory)
        try:
            raw = _read(engine, snapshot, source.name, sheet, limits)
            return _store(engine, raw, work / "table.parquet", into, name or source.name)
        except duckdb.OutOfMemoryException:
            raise IngestError(
                f"The table {source.name} needs more memory than this machine can give; "
                f"try fewer columns, or save it as Parquet."
            ) from None
        except duckdb.IOException as error:
            full = "No space left" in str(error)
            raise OSError(
                errno.ENOSPC if full else errno.EIO, f"The table {source.name} could not be stored"
            ) from error
        finally:
            engine.close()


def _clear_abandoned(into: Path) -> None:
    """Remove what a killed process left behind."""
    for folder in into.glob(f"{WORK}*"):
        pid = folder.name.removeprefix(WORK).partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it belongs to someone else
    return True


def _read(engine: duckdb.DuckDBPyConnection, snapshot: Path, name: str, sheet: str | None, limits: Limits) -> Raw:
    """By content first, by name second."""
    match binary_format(snapshot, name):
        case "parquet":
            return read_parquet(engine, snapshot, name, limits)
        case "workbook":
            return read_workbook(engine, snapshot, name, sheet, limits)
        case _:
            text = as_utf8(snapshot, name)
            if text_format(text.head, name) == "json":
                return read_json(engine, text, name, limits)
            return read_delimited(engine, text, name, limits)


def _store(engine: duckdb.DuckDBPyConnection, raw: Raw, partial: Path, into: Path, name: str) -> Dataset:
    names, renamed = clean_names(raw.headers)
    verdicts = typed_columns(engine, raw, names) if raw.types else decide_types(engine, raw, names)
    digest = write_table(engine, raw, names, verdicts, partial)
    path = into / f"{digest}.parquet"
    _keep(partial, path)
    return Dataset(
        id=digest,
        path=path,
        name=name,
        rows=raw.rows,
        columns=_columns(raw, names, verdicts),
        account=(*raw.account, *renamed, *(sentence for verdict in verdicts for sentence in verdict.sentences)),
        rejected=raw.rejected,
        rejected_total=raw.rejected_total,
        source=raw.source,
    )


def _columns(raw: Raw, names: tuple[str, ...], verdicts: list[Verdict]) -> tuple[Column, ...]:
    return tuple(
        Column(name, verdict.type, "" if name == header else header, verdict.note)
        for name, header, verdict in zip(names, raw.headers, verdicts, strict=True)
    )


def _keep(partial: Path, path: Path) -> None:
    """Durable before it gets its name."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
