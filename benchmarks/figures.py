"""Measured figures of the sandbox: as a table for people and as one for machines."""

import csv
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

Unit = Literal["ms", "s", "runs/s", "ratio", "MB"]


@dataclass(frozen=True)
class Figure:
    """One thing that was measured n times."""

    what: str
    level: str
    """A level of ours, or what was measured beside them."""
    unit: Unit
    n: int
    median: float
    minimum: float


def figure(what: str, level: str, unit: Unit, values: Sequence[float]) -> Figure:
    """Median and minimum of single measurements."""
    return Figure(what, level, unit, len(values), round(statistics.median(values), 4), round(min(values), 4))


def _shown(found: Figure | None) -> str:
    if found is None:
        return ""
    if found.unit == "ratio":
        return f"{found.median:.3f} ({found.minimum:.3f})"
    if found.n == 1 or found.unit == "runs/s":
        return f"{found.median:.0f} {found.unit}"
    digits = 1 if found.median < 100 else 0
    return f"{found.median:.{digits}f} {found.unit} ({found.minimum:.{digits}f})"


def markdown(figures: Sequence[Figure], all_levels: Sequence[str]) -> str:
    """The tables of the README: levels side by side, then what stands beside them."""
    named = {(one.what, one.level): one for one in figures}
    levels = [level for level in all_levels if any(one.level == level for one in figures)]
    others = sorted({one.level for one in figures} - set(levels))
    rows = dict.fromkeys(one.what for one in figures if one.level in levels)
    lines = [f"| | {' | '.join(f'level “{level}”' for level in levels)} |", f"|---|{'---:|' * len(levels)}"]
    lines += [f"| {what} | {' | '.join(_shown(named.get((what, level))) for level in levels)} |" for what in rows]
    beside = dict.fromkeys(one.what for one in figures if one.level in others)
    lines += ["", f"| beside, started anew | {' | '.join(beside)} |", f"|---|{'---:|' * len(beside)}"]
    lines += [f"| {other} | {' | '.join(_shown(named.get((what, other))) for what in beside)} |" for other in others]
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release().split('-')[0]}"
    return "\n".join([*lines, "", f"`python -m benchmarks.sandbox`: median (minimum); {machine}."])


def write(figures: Sequence[Figure], path: Path) -> None:
    """For machines."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=[field.name for field in fields(Figure)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in figures)
