"""What a sandbox costs: time to the first line of a script, small runs per second, training inside and outside, memory.

    python -m benchmarks.sandbox [--readme] [--quick]

Every level that this machine offers is measured, and beside it, in the same process, what people use instead: a plain
Python, a Jupyter kernel, bubblewrap with a Python inside. "First line" is the time from the call of `run` (or from
starting the program) to the moment at which `print(1, flush=True)` has arrived; "by its own clock" is the moment at
which the script itself was there, so the rest is delivery. Runs of two kinds that are compared are interleaved.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks.answering import answers
from benchmarks.beside import there
from benchmarks.figures import Figure, figure, markdown, write
from benchmarks.readme import put_into_readme
from sandbox.base import Job, Limits, Metric, Outcome, Output, Sandbox
from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, Isolation, Level, survey
from sandbox.zygote import PRELOADED

RESULTS = Path(__file__).parent / "results" / "sandbox.csv"
LIMITS = Limits(seconds=120)
FIRST = "print(1, flush=True)"
STAMPED = "import time; print(time.monotonic(), flush=True)"
IMPORTS = "import " + ", ".join(PRELOADED)
THREADS = min(2, len(os.sched_getaffinity(0)))

TRAINING = """
import time
import lightgbm
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

began = time.monotonic()
frame = pd.read_parquet("inputs/train.parquet")
X, y = frame.drop(columns="label"), frame["label"]
lightgbm.LGBMClassifier(n_estimators=ROUNDS, n_jobs=2, random_state=0, verbose=-1).fit(X, y)
HistGradientBoostingClassifier(max_iter=ROUNDS, early_stopping=False, random_state=0).fit(X, y).predict_proba(X)
X.describe().to_parquet("outputs/about.parquet")
print(time.monotonic() - began, flush=True)
"""


@dataclass(frozen=True)
class Training:
    """Rounds of boosting, and how many pairs of runs, inside and outside."""

    rounds: int
    pairs: int


@dataclass(frozen=True)
class Plan:
    """How often each thing is measured."""

    cold: int
    warm: int
    runs: int
    trainings: Mapping[str, Training]
    beside: int

    def of(self, level: Level) -> "Plan":
        """A box of bubblewrap imports everything anew: it takes seconds to get ready, and as much CPU."""
        if level != "bubblewrap":
            return self
        return replace(self, warm=min(self.warm, 5), runs=max(self.runs // 5, 8))


FULL = Plan(3, 30, 200, {"training of 1 s": Training(150, 5), "training of 10 s": Training(1500, 3)}, 5)
QUICK = Plan(1, 3, 20, {"training": Training(20, 2)}, 1)

_PAUSE = 0.2
_numbers = itertools.count()


def job(script: str, train: Path | None = None) -> Job:
    """A script under a name of its own; `train` is shown as inputs/train.parquet."""
    inputs = {} if train is None else {"train.parquet": train}
    return Job(f"bench-{next(_numbers)}", script, inputs, limits=LIMITS)


@dataclass(frozen=True)
class Timed:
    """One run: seconds from the call to its first line, to the script's own stamp (if it prints one), to its end."""

    first_line: float
    said: str
    called: float
    total: float
    outcome: Outcome


async def timed(sandbox: Sandbox, work: Job) -> Timed:
    """Run to the end. Raises RuntimeError when the script does not end well."""
    called, first, said = time.monotonic(), 0.0, ""
    async for event in sandbox.run(work):
        match event:
            case Output(stream="stdout", text=text):
                first = first or time.monotonic() - called
                said += text
            case Outcome() as outcome:
                if not outcome.ok:
                    raise RuntimeError(f"{outcome.kind}: {outcome.message}")
                return Timed(first, said, called, time.monotonic() - called, outcome)
            case Metric() | Output():
                pass
    raise RuntimeError("The run ended without an outcome.")


async def cold_starts(isolation: Isolation, plan: Plan) -> list[Figure]:
    """A new sandbox, and at once a run."""
    seconds = []
    for _ in range(plan.cold):
        sandbox = LocalSandbox(isolation)
        seconds.append((await timed(sandbox, job(FIRST))).first_line)
        await sandbox.close()
    return [figure("first line, cold", isolation.level, "ms", _milli(seconds))]


async def _ready(sandbox: LocalSandbox) -> None:
    """Until the next box stands; making it begins a moment after a run."""
    await asyncio.sleep(_PAUSE)
    await sandbox.stand()


async def warm_starts(sandbox: LocalSandbox, level: Level, plan: Plan) -> list[Figure]:
    """With a pause before each run, in which the next box gets ready, and without."""
    ready: list[float] = []
    imported: list[float] = []
    own: list[float] = []
    await timed(sandbox, job(FIRST))
    for _ in range(plan.warm):
        for script, into in ((FIRST, ready), (f"{IMPORTS}\n{FIRST}", imported), (STAMPED, own)):
            await _ready(sandbox)
            run = await timed(sandbox, job(script))
            into.append(float(run.said) - run.called if script is STAMPED else run.first_line)
    back_to_back = [(await timed(sandbox, job(FIRST))).first_line for _ in range(plan.warm)]
    return [
        figure("first line, next box ready", level, "ms", _milli(ready)),
        figure("first line, next box ready, by its own clock", level, "ms", _milli(own)),
        figure("first line, next box ready, after the imports", level, "ms", _milli(imported)),
        figure("first line, back to back", level, "ms", _milli(back_to_back)),
    ]


async def unprepared_starts(isolation: Isolation, plan: Plan) -> list[Figure]:
    """With a pause before each run, and a box made for it; bubblewrap has nothing warm then."""
    if isolation.level == "bubblewrap":
        return []
    async with opened(isolation, ready=0) as sandbox:
        seconds = []
        await timed(sandbox, job(FIRST))
        for _ in range(plan.warm):
            await asyncio.sleep(_PAUSE)
            seconds.append((await timed(sandbox, job(FIRST))).first_line)
    return [figure("first line, zygote up, no box ready", isolation.level, "ms", _milli(seconds))]


def _milli(seconds: Iterable[float]) -> list[float]:
    return [value * 1000 for value in seconds]


async def throughput(sandbox: Sandbox, level: Level, runs: int) -> list[Figure]:
    """Small runs, four at a time."""
    waiting = iter(range(runs))

    async def work() -> None:
        for _ in waiting:
            await timed(sandbox, job(FIRST))

    began = time.monotonic()
    await asyncio.gather(*(work() for _ in range(4)))
    rate = runs / (time.monotonic() - began)
    return [replace(figure("small runs, 4 at a time", level, "runs/s", [rate]), n=runs)]


def _children() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _rollup(pid: int) -> dict[str, float]:
    """MB by kind of memory, shared pages divided by the number of processes that share them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)}


async def memory(sandbox: LocalSandbox, level: Level) -> list[Figure]:
    """What stands ready while nobody asks, and what a trivial run adds."""
    before = {child.pid for child in _children()}
    await sandbox.warm()
    await timed(sandbox, job(FIRST))
    await _ready(sandbox)
    ours = [child.pid for child in _children() if child.pid not in before]
    used: list[dict[str, float]] = []
    for pid in ours:
        with contextlib.suppress(OSError):  # not ours to look at, or gone
            used.append(_rollup(pid))
    run = await timed(sandbox, job(FIRST))
    return [
        figure("memory while idle", level, "MB", [sum(one["Pss"] for one in used)]),
        figure("memory while idle, not of files", level, "MB", [sum(one["Pss_Anon"] for one in used)]),
        figure("memory of a small run", level, "MB", [run.outcome.peak_memory_mb]),
    ]


def table(folder: Path) -> Path:
    """Something to train on: 50,000 rows, 20 numbers, two classes."""
    random = np.random.default_rng(0)
    values = random.normal(size=(50_000, 20))
    frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(20)])
    frame["label"] = (values[:, :5].sum(axis=1) + random.normal(size=len(values)) > 0).astype(int)
    frame.to_parquet(folder / "train.parquet")
    return folder / "train.parquet"


def environment(folder: Path) -> dict[str, str]:
    """As many threads as inside."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **dict.fromkeys(names, str(THREADS))}


async def outside(script: str, folder: Path) -> float:
    """What the script says of its own time, run by the same Python with nothing around it."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "script.py", cwd=folder, env=environment(folder), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return float(said)


async def overhead(sandbox: LocalSandbox, level: Level, name: str, training: Training) -> list[Figure]:
    """The same training inside and outside, in turns, each going first as often as the other."""
    script = TRAINING.replace("ROUNDS", str(training.rounds))
    inner, outer = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part in ("inputs", "outputs"):
            (folder / part).mkdir()
        rows = table(folder / "inputs")

        async def go_in() -> None:
            await _ready(sandbox)
            inner.append(float((await timed(sandbox, job(script, rows))).said))
            await _ready(sandbox)

        async def go_out() -> None:
            outer.append(await outside(script, folder))

        for pair in range(training.pairs):
            for go in (go_in, go_out) if pair % 2 else (go_out, go_in):
                await go()
    one, other = figure(f"{name}, inside", level, "s", inner), figure(f"{name}, outside", level, "s", outer)
    ratios = one.median / other.median, one.minimum / other.minimum
    return [one, other, Figure(f"{name}, inside to outside", level, "ratio", training.pairs, *ratios)]


async def predictions(sandbox: LocalSandbox, level: Level, plan: Plan) -> list[Figure]:
    """A model that stays and answers."""
    with tempfile.TemporaryDirectory() as folder:
        found = await answers(sandbox, table(Path(folder)), plan.warm, lambda: _ready(sandbox))
    return [figure(what, level, "ms", _milli(seconds)) for what, seconds in found.items()]


async def measure(isolation: Isolation, plan: Plan) -> AsyncIterator[Figure]:
    """Everything at one level."""
    level = isolation.level
    for found in await cold_starts(isolation, plan):
        yield found
    for found in await unprepared_starts(isolation, plan):
        yield found
    async with opened(isolation) as sandbox:
        for found in await memory(sandbox, level):
            yield found
        for found in await warm_starts(sandbox, level, plan):
            yield found
        for found in await throughput(sandbox, level, plan.runs):
            yield found
        for found in await predictions(sandbox, level, plan):
            yield found
        for name, training in plan.trainings.items():
            for found in await overhead(sandbox, level, name, training):
                yield found


@contextlib.asynccontextmanager
async def opened(isolation: Isolation, ready: int = 2) -> AsyncIterator[LocalSandbox]:
    """A sandbox that is closed in the end."""
    sandbox = LocalSandbox(isolation, ready=ready)
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def measure_beside(plan: Plan) -> list[Figure]:
    """The others, in turns, so that a busy moment hits all of them."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(plan.beside):
        for name, start in there().items():
            for what, script in (("", FIRST), (", after the imports", f"{IMPORTS}\n{FIRST}")):
                seconds.setdefault((f"first line{what}", name), []).append(await start(script))
    return [figure(what, name, "ms", _milli(values)) for (what, name), values in seconds.items()]


async def measure_all(plan: Plan) -> list[Figure]:
    """Told as it comes. Raises RuntimeError when a script does not end well."""
    figures = await measure_beside(plan)
    for one in figures:
        print(one, file=sys.stderr)
    for isolation in survey():
        if isolation.level != "none":
            async for one in measure(isolation, plan.of(isolation.level)):
                print(one, file=sys.stderr, flush=True)
                figures.append(one)
    return figures


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="every thing a few times only; writes no file")
    options.add_argument("--readme", action="store_true", help="put the tables into the README")
    given = options.parse_args()
    figures = asyncio.run(measure_all(QUICK if given.quick else FULL))
    text = markdown(figures, LEVELS)
    print(text)
    if not given.quick:
        write(figures, RESULTS)
    if given.readme:
        put_into_readme("sandbox", text)


if __name__ == "__main__":
    main()
