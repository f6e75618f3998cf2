"""The table as read, before anything is typed: one engine relation with columns c0, c1, … in file order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from tools.ingest.dataset import Rejected
from tools.ingest.errors import IngestError, counted
from tools.ingest.limits import Limits

CHUNK_CELLS = 1_000_000


@dataclass(frozen=True)
class Raw:
    """What a reader hands to the typing step."""

    relation: str
    """SQL to select from; its columns are c0, c1, …"""
    headers: tuple[str, ...]
    """Names as in the file, one per column; may be empty or repeated."""
    rows: int
    source: str
    types: tuple[str, ...] = ()
    """SQL types when the file carries them (Parquet); empty: everything is text."""
    decimal_comma: bool = False
    """The table is written where a comma is likelier a decimal mark."""
    account: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    rejected_total: int = 0


@dataclass
class RawTable:
    """Collects rows of text into the engine's table `raw`, chunk by chunk; columns may turn up late."""

    engine: duckdb.DuckDBPyConnection
    limits: Limits
    rows: int = 0
    width: int = 0
    _chunk: list[Mapping[int, str | None]] = field(default_factory=list)

    def add(self, cells: Mapping[int, str | None]) -> None:
        """One row: column index -> text; absent columns are missing."""
        self._chunk.append(cells)
        if len(self._chunk) * max(len(cells), 1) >= CHUNK_CELLS:
            self.flush()

    def flush(self) -> None:
        """Hand the rows collected so far to the engine."""
        if not self._chunk:
            return
        self._widen(1 + max((max(cells, default=-1) for cells in self._chunk), default=-1))
        columns = {f"c{i}": pa.array([cells.get(i) for cells in self._chunk], pa.string()) for i in range(self.width)}
        self.engine.register("chunk", pa.table(columns))
        self.engine.execute("INSERT INTO raw BY NAME SELECT * FROM chunk")
        self.engine.unregister("chunk")
        self.rows += len(self._chunk)
        self._chunk = []

    def _widen(self, width: int) -> None:
        width = max(width, 1)
        if width > self.limits.columns:
            raise too_wide(width, self.limits)
        if self.width == 0:
            self.engine.execute(f"CREATE TABLE raw ({', '.join(f'c{i} VARCHAR' for i in range(width))})")
        else:
            for index in range(self.width, width):
                self.engine.execute(f"ALTER TABLE raw ADD COLUMN c{index} VARCHAR")
        self.width = max(self.width, width)


def too_wide(width: int, limits: Limits) -> IngestError:
    """More columns than we read."""
    return IngestError(f"The table has {counted(width, 'column')}; at most {limits.columns:,} can be read.")


def cells_by_index(cells: Sequence[str | None]) -> dict[int, str | None]:
    """A plain row for `RawTable.add`; empty text is missing."""
    return {index: cell or None for index, cell in enumerate(cells)}
