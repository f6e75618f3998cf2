"""How long a person waits: seconds from the request to a first usable model, to the final result, and our share of it.

    python -m benchmarks.first_model [--rows 1000 10000 100000] [--repeats 3] [--budget 20] [--readme]

The server is up (conductor open, sandbox warm) when the clock starts; gates are approved at once. "First usable model"
is the moment at which the training script has saved a model; "ours" is everything but the sandboxed training: reading,
profile, contract, seal, checks, the scoring run, the audit, charts, notebook and bundle.
"""

import argparse
import asyncio
import csv
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from agents.events import Envelope, Failed, RunEnded, RunStarted, Scored, TurnEnded
from benchmarks.readme import put_into_readme
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds of one request."""

    rows: int
    first_model: float
    final: float
    training: float
    """Inside the training sandbox."""
    ours: float


def table(rows: int, seed: int) -> pd.DataFrame:
    """Customers who leave or stay: numbers, categories, gaps, an id, a noisy non-linear cause."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{number:07d}" for number in range(rows)],
            "tenure": random.integers(0, 72, rows),
            "monthly": random.gamma(4, 18, rows).round(2),
            "contract": random.choice(["month", "year", "two years"], rows, p=[0.55, 0.25, 0.2]),
            "region": random.choice([f"region {number}" for number in range(12)], rows),
            "age": random.normal(45, 14, rows).round().clip(18, 95),
            "calls": random.poisson(1.5, rows),
            "online": random.choice(["yes", "no"], rows),
            "discount": random.uniform(0, 30, rows).round(1),
            "referrals": random.poisson(0.6, rows),
        }
    )
    pull = (
        0.9 * (frame["contract"] == "month")
        - 0.035 * frame["tenure"]
        + 0.012 * frame["monthly"]
        + 0.35 * (frame["calls"] > 3)
        - 0.4 * (frame["referrals"] > 1)
    )
    frame["churn"] = np.where(random.uniform(size=rows) < 1 / (1 + np.exp(-(pull - 0.3))), "yes", "no")
    frame.loc[random.uniform(size=rows) < 0.03, "age"] = np.nan
    return frame


async def measure(conductor: Conductor, file: Path, rows: int, budget: float, seed: int) -> Timing:
    """One request from the sentence to the end of the turn."""
    project = await conductor.new_project(door="cli", policy=Policy(contract=False, code=False))
    begun = time.time()
    reply = await conductor.start(project, "predict churn", [file], budget_seconds=budget, seed=seed)
    if not reply.accepted:
        raise RuntimeError(reply.sentence)
    async for envelope in conductor.subscribe(project):
        if isinstance(envelope.event, TurnEnded):
            break
    return timing(await conductor.events(project), rows, begun)


def timing(log: list[Envelope], rows: int, begun: float) -> Timing:
    """Read the clock off the log; `begun` in seconds since 1970. Raises RuntimeError when there is no score."""
    training_runs = {
        event.run for event in (e.event for e in log) if isinstance(event, RunStarted) if event.purpose == "train"
    }
    training, first, final, scored = 0.0, 0.0, 0.0, False
    for envelope in log:
        seconds = datetime.fromisoformat(envelope.at).timestamp() - begun
        match envelope.event:
            case RunEnded() as ended if ended.run in training_runs:
                training += ended.seconds
                first = first or seconds
            case Failed() as failed:
                raise RuntimeError(failed.sentence)
            case Scored():
                scored = True
            case TurnEnded():
                final = seconds
            case _:
                pass
    if not scored:
        raise RuntimeError("The turn ended without a score.")
    return Timing(rows, first, final, training, final - training)


async def measure_all(sizes: list[int], repeats: int, budget: float) -> list[Timing]:
    """Every size `repeats` times in one warm process, with a home of its own."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with open_conductor(Settings(home=Path(folder) / "home")) as conductor:
            await conductor.sandbox.warm()
            for rows in sizes:
                file = Path(folder) / f"customers_{rows}.csv"
                table(rows, seed=0).to_csv(file, index=False)
                for repeat in range(repeats):
                    found.append(await measure(conductor, file, rows, budget, repeat))
                    print(found[-1], flush=True)
    return found


def medians(timings: list[Timing]) -> list[Timing]:
    """One line per size."""
    sizes = sorted({timing.rows for timing in timings})
    names = ("first_model", "final", "training", "ours")
    return [
        Timing(rows, *(statistics.median(getattr(one, name) for one in timings if one.rows == rows) for name in names))
        for rows in sizes
    ]


def markdown(summary: list[Timing], machine: dict[str, str], repeats: int, budget: float) -> str:
    """The table of the README."""
    lines = [
        "| rows | first usable model | final result | of it training in the sandbox | ours |",
        "|---:|---:|---:|---:|---:|",
    ]
    for timing in summary:
        seconds = (timing.first_model, timing.final, timing.training, timing.ours)
        lines.append(f"| {timing.rows:,} | {' | '.join(f'{value:.1f} s' for value in seconds)} |")
    circumstances = f"{machine['cores']} cores, Python {machine['python']}"
    lines += ["", f"`make bench`: median of {repeats}, budget {budget:.0f} s, {circumstances}."]
    return "\n".join(lines)


def write(timings: list[Timing], machine: dict[str, str], budget: float) -> None:
    """All single measurements, for machines and for people."""
    RESULTS.mkdir(exist_ok=True)
    rows = [asdict(timing) for timing in timings]
    record = {"machine": machine, "budget_seconds": budget, "timings": rows}
    (RESULTS / "first_model.json").write_text(json.dumps(record, indent=1) + "\n")
    with (RESULTS / "first_model.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--budget", type=float, default=20.0, help="seconds for the whole run")
    options.add_argument("--readme", action="store_true", help="put the table into the README")
    given = options.parse_args()
    machine = {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    timings = asyncio.run(measure_all(given.rows, given.repeats, given.budget))
    write(timings, machine, given.budget)
    text = markdown(medians(timings), machine, given.repeats, given.budget)
    print(text)
    if given.readme:
        put_into_readme("first_model", text)


if __name__ == "__main__":
    main()
