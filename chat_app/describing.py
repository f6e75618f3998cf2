"""`modelwright profile`: a table described in the terminal, read in a folder of its own that is gone afterwards."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chat_app.printable import printable
from tools.ingest import Dataset, ingest
from tools.ingest.errors import counted
from tools.profile import ColumnProfile, Profile, profile
from tools.samples import write_sample

MAX_COLUMNS_SHOWN = 60


def profile_of(source: Path | str) -> tuple[Dataset, Profile]:
    """Read and describe a file, or the built-in sample of that name. Raises IngestError and OSError."""
    with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
        path = source if isinstance(source, Path) else write_sample(source, Path(folder))
        dataset = ingest(path, Path(folder) / "data")
        return dataset, profile(dataset)


def show_profile(dataset: Dataset, found: Profile, console: Console) -> None:
    """The table, what had to be repaired, and one line per column."""
    size = f"{counted(found.rows, 'row')}, {counted(len(found.columns), 'column')}"
    source = f" ({dataset.source})" if dataset.source else ""
    console.print(Text(printable(f"{dataset.name}: {size}{source}"), style="bold"))
    console.print(f"Quality {found.quality:.0f} of 100", highlight=False)
    for sentence in (*dataset.account, *found.warnings):
        console.print(Text(f"  · {printable(sentence)}"))
    console.print()
    console.print(_columns(found))


def _columns(found: Profile) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    table.add_column("column", ratio=4, overflow="fold")
    table.add_column("role", width=8, no_wrap=True)
    table.add_column("gaps", justify="right", width=5, no_wrap=True)
    table.add_column("distinct", justify="right", width=9, no_wrap=True)
    table.add_column("values", ratio=6, overflow="ellipsis", no_wrap=True, style="dim")
    for column in found.columns[:MAX_COLUMNS_SHOWN]:
        name, values = Text(printable(column.name)), Text(printable(_values(column)))
        table.add_row(name, column.role, _gaps(column), f"{column.distinct:,}", values)
    if len(found.columns) > MAX_COLUMNS_SHOWN:
        table.add_row(f"… and {len(found.columns) - MAX_COLUMNS_SHOWN:,} more", "", "", "", "")
    return table


def _gaps(column: ColumnProfile) -> str:
    if not column.missing:
        return ""
    return "<1%" if column.missing_share < 0.01 else f"{column.missing_share:.0%}"


def _values(column: ColumnProfile) -> str:
    """The range of numbers and dates, the most frequent values of everything else."""
    if column.minimum is not None and column.maximum is not None and column.role in ("number", "date"):
        return f"{_bound(column.minimum)} to {_bound(column.maximum)}"
    return ", ".join(value.value for value in column.top[:6])


def _bound(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"
