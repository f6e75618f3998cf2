"""How good a table is as material for a model: points lost, each with its reason."""

from collections.abc import Sequence

from tools.ingest import Dataset
from tools.ingest.errors import counted
from tools.profiling.model import ColumnProfile, QualityPart

FEW_ROWS = 50


def quality_parts(dataset: Dataset, columns: Sequence[ColumnProfile], duplicates: int) -> tuple[QualityPart, ...]:
    """What takes points off 100; together at most 100."""
    parts = (
        _gaps(columns),
        _idle(columns),
        _duplicates(dataset.rows, duplicates),
        _spellings(columns),
        _infinite(dataset.rows, columns),
        _rejected(dataset),
        _assumed(dataset),
        _small(dataset.rows),
    )
    return tuple(part for part in parts if part.points_lost > 0)


def _part(name: str, points: float, sentence: str, most: float) -> QualityPart:
    return QualityPart(name=name, points_lost=round(min(points, most), 1), sentence=sentence)


def _gaps(columns: Sequence[ColumnProfile]) -> QualityPart:
    holed = [column for column in columns if column.missing]
    share = sum(column.missing_share for column in columns) / max(len(columns), 1)
    worst = max(holed, key=lambda column: column.missing_share, default=None)
    said = f"; most in '{worst.name}' ({worst.missing_share:.0%})" if worst else ""
    return _part(
        "gaps", 60 * share, f"{share:.1%} of all cells are missing, in {counted(len(holed), 'column')}{said}.", 30
    )


def _idle(columns: Sequence[ColumnProfile]) -> QualityPart:
    idle = [column.name for column in columns if column.role in ("constant", "empty")]
    share = len(idle) / max(len(columns), 1)
    return _part(
        "idle columns",
        20 * share,
        f"{counted(len(idle), 'column')} without information: always the same value, or none.",
        15,
    )


def _duplicates(rows: int, duplicates: int) -> QualityPart:
    share = duplicates / max(rows, 1)
    return _part("duplicates", 30 * share, f"{counted(duplicates, 'row')} ({share:.1%}) equal to an earlier row.", 15)


def _spellings(columns: Sequence[ColumnProfile]) -> QualityPart:
    mixed = [column.name for column in columns if any("spelling" in warning for warning in column.warnings)]
    return _part(
        "spelling",
        2.0 * len(mixed),
        f"{counted(len(mixed), 'column')} with the same value written in several ways.",
        10,
    )


def _infinite(rows: int, columns: Sequence[ColumnProfile]) -> QualityPart:
    found = [column for column in columns if column.infinite]
    worst = max((column.infinite / max(rows, 1) for column in found), default=0.0)
    return _part(
        "infinite values", 2 * len(found) + 20 * worst, f"{counted(len(found), 'column')} with infinite values.", 10
    )


def _rejected(dataset: Dataset) -> QualityPart:
    share = dataset.rejected_total / max(dataset.rows + dataset.rejected_total, 1)
    points = 1 + 50 * share if dataset.rejected_total else 0.0
    return _part(
        "rejected rows", points, f"{counted(dataset.rejected_total, 'row')} of the file could not be read.", 20
    )


def _assumed(dataset: Dataset) -> QualityPart:
    doubtful = [
        column.name for column in dataset.columns if "could be swapped" in column.note or "taken for" in column.note
    ]
    return _part(
        "assumptions", 2.0 * len(doubtful), f"{counted(len(doubtful), 'column')} that can be read in two ways.", 10
    )


def _small(rows: int) -> QualityPart:
    points = 20 * (1 - rows / FEW_ROWS) if rows < FEW_ROWS else 0.0
    return _part("few rows", points, f"Only {counted(rows, 'row')}: every result will be uncertain.", 20)
