"""What the AutoML comparison has found so far: one row per run in a CSV, and the predictions, to compare them paired.

The CSV is committed; the predictions (of one split some hundred kilobytes) stay on the machine, so that systems can be
run in any order and in pieces, and ours again without the others.
"""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

Array = NDArray[np.float64]
RESULTS = Path(__file__).resolve().parent / "results" / "automl.csv"
PREDICTIONS = user_cache_path("modelwright") / "automl"
TEXTS = ("table", "system", "version", "failure")


@dataclass(frozen=True)
class Result:
    """One run. Times in seconds, sizes in MB; a failure has no score."""

    table: str
    system: str
    seed: int
    budget: float
    version: str = ""
    """Of a library its release; of ours the commit and a hash of the recipes."""
    peak_memory_mb: float | None = None
    first_model_seconds: float | None = None
    score: float | None = None
    z: float | None = None
    """Ours against this system on the same rows, in standard errors; positive: ours is better. None for ours."""
    learn_seconds: float | None = None
    """From the start of the process to the end of learning, imports included."""
    model_mb: float | None = None
    single_row_ms: float | None = None
    batch_seconds: float | None = None
    failure: str = ""

    @property
    def key(self) -> tuple[str, str, int, float]:
        """What a run is known by."""
        return self.table, self.system, self.seed, self.budget


def earlier(path: Path = RESULTS) -> list[Result]:
    """What the CSV holds; nothing when there is none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [
            Result(**{field.name: _read(field.name, row.get(field.name) or "") for field in fields(Result)})
            for row in csv.DictReader(lines)
        ]


def _read(name: str, text: str) -> Any:
    if name in TEXTS:
        return text
    if text == "":
        return None
    return int(text) if name == "seed" else float(text)


def write(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Whole or not at all, in a settled order, so that a diff shows what is new."""
    path.parent.mkdir(exist_ok=True, parents=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [field.name for field in fields(Result)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in sorted(results, key=lambda one: (one.budget, *one.key)))
    partial.replace(path)


def with_result(results: list[Result], new: Result) -> list[Result]:
    """The new one in the place of an earlier one of the same split, system and budget."""
    return [one for one in results if one.key != new.key] + [new]


def keep(result: Result, predictions: Array, folder: Path = PREDICTIONS) -> None:
    """The predictions of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(_place(result.key, folder), predictions)


def kept(key: tuple[str, str, int, float], folder: Path = PREDICTIONS) -> Array | None:
    """The predictions of a run; None when they are not on this machine."""
    path = _place(key, folder)
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _place(key: tuple[str, str, int, float], folder: Path) -> Path:
    table, system, seed, budget = key
    return folder / f"{table}-{seed}-{budget:g}-{system}.npy"


def rivals(results: Iterable[Result], of: Result) -> list[Result]:
    """The other systems' runs on the same split and budget, to be compared with ours."""
    split = (of.table, of.seed, of.budget)
    return [one for one in results if (one.table, one.seed, one.budget) == split and one.system != "ours"]


def compared(result: Result, z: float) -> Result:
    """With its distance from ours."""
    return replace(result, z=round(z, 3))
