"""Our recipe beside AutoML libraries: the same splits, machine, cores and budget; every figure of every run in one CSV.

    python -m benchmarks.automl --install                      the libraries, each in an environment of its own
    python -m benchmarks.automl [--budget 60] [--seeds 0 1 2] [--systems ours flaml] [--tables titanic] [--minutes 10]
    python -m benchmarks.automl --report                       what the CSV says so far

A run that is in the CSV already is not repeated (--again does), so the whole can be done in pieces: --minutes starts no
new run after so long. Nothing else should run on the machine meanwhile. Scores: ROC-AUC, minus log-loss, R²: more
is better. A win is decisive when the paired difference on the hold-out rows is more than 1.64 standard errors from zero
(for AUC: DeLong 1988, for the others the rows' losses).
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from platformdirs import user_cache_path
from sklearn import metrics

from agents import data_scientist
from agents.state import Request
from benchmarks.automl_report import report
from benchmarks.automl_store import (
    RESULTS,
    Array,
    Result,
    compared,
    earlier,
    keep,
    kept,
    rivals,
    with_result,
    write,
)
from benchmarks.automl_tables import TABLES, Parts, Table, available, split
from tools.ingest import ingest
from tools.profile import profile
from tools.recipes import recipe_for

Key = tuple[str, str, int, float]
"""Table, system, seed, budget."""
HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
CORES = 2
PATIENCE = 3.0
"""A system that takes more than this many budgets has failed."""


@dataclass(frozen=True)
class System:
    """One competitor: the program in peers/ that asks it, and its options."""

    program: str
    options: dict[str, str]


SYSTEMS = {
    "ours": System("ours", {}),
    "autogluon_medium": System("autogluon", {"preset": "medium_quality"}),
    "autogluon_high": System("autogluon", {"preset": "high_quality"}),
    "flaml": System("flaml", {}),
    "mljar": System("mljar", {}),
}


def install(home: Path) -> None:
    """Every library into an environment of its own under `home`."""
    uv = Path(sys.executable).with_name("uv")
    for requirements in sorted(PEERS.glob("*.txt")):
        place = home / requirements.stem
        began = time.time()
        venv.create(place, with_pip=not uv.is_file(), clear=True)
        python = str(place / "bin/python")
        pip = [str(uv), "pip", "install", "--python", python] if uv.is_file() else [python, "-m", "pip", "install"]
        subprocess.run([*pip, "--quiet", "-r", str(requirements)], check=True)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"{requirements.stem}: {time.time() - began:.0f} s, {size / 2**30:.1f} GB", flush=True)


def our_script(parts: Parts, table: Table, budget: float, seed: int, folder: Path) -> dict[str, str]:
    """What the product itself would propose for this table: ingest, profile, contract, recipe."""
    frame = parts.train
    frame.to_csv(folder / "table.csv", index=False)
    dataset = ingest(folder / "table.csv", folder / "dataset")
    found = profile(dataset)
    request = Request(
        kind="model",
        text=f"predict {table.target}",
        target=table.target,
        split_rule="time" if table.by_time else None,
    )
    contract = data_scientist.propose(request, found, budget_seconds=max(budget, 5), seed=seed)
    return {
        "script": recipe_for(contract, train_seconds=budget, rows=len(frame)),
        "contract": contract.model_dump_json(),
    }


def run(table: Table, parts: Parts, name: str, budget: float, seed: int, home: Path) -> tuple[Result, Array | None]:
    """One system on one split, in a process group of its own."""
    system = SYSTEMS[name]
    python = sys.executable if system.program == "ours" else str(home / system.program / "bin/python")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts.train.to_parquet(folder / "train.parquet")
        parts.test.to_parquet(folder / "test.parquet")
        (folder / "saved").mkdir()
        options = dict(system.options)
        if system.program == "ours":
            options |= our_script(parts, table, budget, seed, folder)
        job = {
            "train": str(folder / "train.parquet"),
            "test": str(folder / "test.parquet"),
            "target": table.target,
            "task": table.task,
            "classes": parts.classes,
            "seconds": budget,
            "cores": CORES,
            "seed": seed,
            "folder": str(folder / "saved"),
            "answer": str(folder / "answer.json"),
            "options": options,
        }
        (folder / "job.json").write_text(json.dumps(job))
        began = time.time()
        ended = _play([python, str(PEERS / f"ask_{system.program}.py"), str(folder / "job.json")], folder, budget)
        return _result(table, parts, name, budget, seed, folder, began, ended)


class Memory(threading.Thread):
    """Watches the resident memory of a process and all its children, ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.peak_mb = 0.0

    def run(self) -> None:
        """Until the process has ended."""
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            with contextlib.suppress(psutil.Error):
                tree = [self._root, *self._root.children(recursive=True)]
                self.peak_mb = max(self.peak_mb, sum(one.memory_info().rss for one in tree) / 2**20)
            time.sleep(0.1)


@dataclass(frozen=True)
class _Ended:
    """A process that is over: how, what it took, when a first model was there."""

    code: int
    tail: str
    first_model: float | None
    peak_mb: float


def _play(command: list[str], folder: Path, budget: float) -> _Ended:
    clean = {**os.environ, "OMP_NUM_THREADS": str(CORES), "PYTHONWARNINGS": "ignore"}
    began = time.time()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    alarm = threading.Timer(PATIENCE * budget + 60, os.killpg, (process.pid, signal.SIGKILL))
    alarm.start()
    memory = Memory(process.pid)
    memory.start()
    tail, first = "", None
    assert process.stdout is not None
    for line in process.stdout:
        tail = (tail + line)[-2000:]
        if first is None and line.startswith("A first model can be used"):
            first = time.time() - began
    code = process.wait()
    alarm.cancel()
    memory.join()
    return _Ended(code, tail, first, memory.peak_mb)


def _result(
    table: Table, parts: Parts, name: str, budget: float, seed: int, folder: Path, began: float, ended: _Ended
) -> tuple[Result, Array | None]:
    common: dict[str, Any] = {"table": table.name, "system": name, "seed": seed, "budget": budget}
    common |= {"version": version_of(SYSTEMS[name])}
    common |= {"peak_memory_mb": round(ended.peak_mb, 1), "first_model_seconds": _rounded(ended.first_model)}
    path = folder / "answer.json"
    if ended.code != 0 or not path.is_file():
        last = (ended.tail.strip().splitlines() or [f"ended with {ended.code}"])[-1]
        return Result(**common, failure=last[:200]), None
    found = json.loads(path.read_text())
    predictions = np.array(found["predictions"], dtype=float)
    common |= {
        "score": round(score(table, parts, predictions), 5),
        "learn_seconds": round(found["learned_at"] - began, 2),
        "model_mb": round(found["model_bytes"] / 2**20, 3),
        "single_row_ms": round(found["single_seconds"] * 1000, 2),
        "batch_seconds": round(found["batch_seconds"], 3),
    }
    return Result(**common), predictions


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def score(table: Table, parts: Parts, predictions: Array) -> float:
    """More is better: ROC-AUC, minus log-loss, R²."""
    if table.task == "regression":
        return float(metrics.r2_score(parts.truth, predictions))
    if table.task == "binary":
        return float(metrics.roc_auc_score(parts.truth == parts.classes[1], predictions[:, 1]))
    return -float(row_losses(table, parts, predictions).mean())


def row_losses(table: Table, parts: Parts, predictions: Array) -> Array:
    """Squared error, or log-loss, of each row."""
    if table.task == "regression":
        return np.asarray((parts.truth.to_numpy(dtype=float) - predictions) ** 2)
    codes = parts.truth.map({label: code for code, label in enumerate(parts.classes)}).to_numpy()
    sure = np.clip(predictions / predictions.sum(axis=1, keepdims=True), 1e-6, 1)
    return np.asarray(-np.log(sure[np.arange(len(codes)), codes]))


def standard_errors(table: Table, parts: Parts, ours: Array, theirs: Array) -> float:
    """How far apart two systems are on the same rows, in standard errors; positive: the first is better."""
    if table.task == "binary":
        truth = (parts.truth == parts.classes[1]).to_numpy()
        gains = [_placements(truth, p[:, 1]) for p in (ours, theirs)]
        differences = [first - second for first, second in zip(*gains, strict=True)]
        spread = sum(part.var(ddof=1) / len(part) for part in differences)
        mean = float(differences[0].mean())
    else:
        gain = row_losses(table, parts, theirs) - row_losses(table, parts, ours)
        spread, mean = gain.var(ddof=1) / len(gain), float(gain.mean())
    return 0.0 if spread <= 0 else float(mean / np.sqrt(spread))


def _placements(truth: NDArray[np.bool_], p: Array) -> tuple[Array, Array]:
    """Per positive row the share of negatives below it, per negative row the share of positives above it."""
    positive, negative = p[truth], p[~truth]
    below = np.searchsorted(np.sort(negative), positive, "left") + np.searchsorted(np.sort(negative), positive, "right")
    above = np.searchsorted(np.sort(positive), negative, "left") + np.searchsorted(np.sort(positive), negative, "right")
    return below / 2 / len(negative), 1 - above / 2 / len(positive)


def compare(
    tables: list[Table], systems: list[str], seeds: list[int], budget: float, home: Path, done: set[Key]
) -> Iterator[tuple[Result, Array | None]]:
    """Every system on every split that is not done; one seed at a time, so that a piece has all tables early."""
    for seed in seeds:
        for table in tables:
            missing = [name for name in systems if (table.name, name, seed, budget) not in done]
            if not missing or (table.by_time and seed != seeds[0]):
                continue
            parts = split(table, seed)
            for name in sorted(missing, key=lambda name: name != "ours"):
                yield run(table, parts, name, budget, seed, home)


def with_distances(results: list[Result], new: Result, table: Table) -> list[Result]:
    """Where both ours and another's predictions of the split of `new` are there, how far they are apart."""
    ours = kept((new.table, "ours", new.seed, new.budget))
    theirs = [(one, kept(one.key)) for one in rivals(results, new) if new.system in ("ours", one.system)]
    theirs = [(one, said) for one, said in theirs if said is not None and not one.failure]
    if ours is None or not theirs:
        return results
    parts = split(table, new.seed)
    for one, said in theirs:
        assert said is not None, "filtered above"
        results = with_result(results, compared(one, standard_errors(table, parts, ours, said)))
    return results


def version_of(system: System) -> str:
    """Of a library its pinned release; of ours the commit and a hash of the recipes, which may be ahead of it."""
    if system.program != "ours":
        return (PEERS / f"{system.program}.txt").read_text().split("==")[-1].split()[0]
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    texts = sorted((HERE.parent / "tools" / "recipes").glob("*.py"))
    return f"{asked.stdout.strip() or 'unknown'}+{sha256(b''.join(t.read_bytes() for t in texts)).hexdigest()[:8]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--tables", nargs="+", choices=[table.name for table in TABLES])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no new run after so long")
    parser.add_argument("--again", action="store_true", help="also what the CSV has already")
    parser.add_argument("--peers", type=Path, default=user_cache_path("modelwright") / "peers", help="environments")
    parser.add_argument("--csv", type=Path, default=RESULTS, help="where the rows are")
    asked = parser.parse_args()
    if asked.install:
        install(asked.peers)
        return
    results = earlier(asked.csv)
    if not asked.report:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        tables = [table for table in available() if asked.tables is None or table.name in asked.tables]
        done = set() if asked.again else {one.key for one in results}
        ends = time.monotonic() + 60 * asked.minutes
        named = {table.name: table for table in tables}
        for result, predictions in compare(tables, asked.systems, asked.seeds, asked.budget, asked.peers, done):
            results = with_result(results, result)
            if predictions is not None:
                keep(result, predictions)
                results = with_distances(results, result, named[result.table])
            write(results, asked.csv)
            z = next(one.z for one in results if one.key == result.key)
            said = result.failure or f"{result.score:.4f} in {result.learn_seconds:.1f} s, z {z}"
            print(f"{result.table:16} {result.system:17} {result.seed}  {said}", flush=True)
            if time.monotonic() > ends:
                print("The time is up; the same command goes on here.")
                break
    print(report(results))


if __name__ == "__main__":
    main()
