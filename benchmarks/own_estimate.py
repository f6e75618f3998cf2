"""Does the training rows' own estimate of a model agree with the sealed score? Counted over real tables.

    python -m benchmarks.own_estimate [--table NAME …] [--seeds N] [--budget S] [--most-rows N]

For each table and split seed: plan, seal, train the recipe (in the sandbox), compute its estimate from the out-of-fold
predictions that it left (tools/own_estimate.py), score the sealed rows, and see whether the estimate lies in the
interval of the sealed score, and whether the two agree within both their intervals. The estimate is never a claim of
the script: labels and measure are the host's. Rows go to benchmarks/results/own_estimate.csv; those that are there are
not measured again.
"""

import argparse
import asyncio
import csv
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from agents.code_generator import training_limits, training_seconds
from agents.data_scientist import propose
from agents.state import Request
from benchmarks.automl_tables import TABLES, Table, available
from sandbox.base import Job, Limits, Outcome, Sandbox
from sandbox.choose import open_sandbox
from tools.ingest import ingest
from tools.own_estimate import own_estimate
from tools.predictions import write_predictions
from tools.profile import profile
from tools.recipes import baseline_for, recipe_for
from tools.score import score
from tools.seal import seal
from tools.worker import Workers

RESULTS = Path(__file__).parent / "results" / "own_estimate.csv"
BAR = 0.9
MEMORY_MB = 4096


@dataclass(frozen=True)
class Row:
    """One table and seed."""

    table: str
    seed: int
    budget: float
    metric: str
    rule: str
    rows_train: int
    rows_holdout: int
    estimate: float
    estimate_low: float
    estimate_high: float
    sealed: float
    sealed_low: float
    sealed_high: float
    inside: bool
    gap: str


async def measured(table: Table, seed: int, budget: float, most_rows: int, sandbox: Sandbox) -> Row | None:
    """None when the script left no estimate."""
    with tempfile.TemporaryDirectory(prefix="own-estimate-") as place:
        folder = Path(place)
        frame = table.read().dropna(subset=[table.target])
        if len(frame) > most_rows:
            frame = frame.head(most_rows) if table.by_time else frame.sample(most_rows, random_state=0).sort_index()
        frame.to_csv(folder / "table.csv", index=False)
        dataset = ingest(folder / "table.csv", folder / "table")
        request = Request(
            kind="model",
            text=f"predict {table.target}",
            target=table.target,
            task=table.task if table.task == "regression" else "classification",
        )
        contract = propose(request, profile(dataset), budget_seconds=budget, seed=seed)
        sealed = seal(dataset, contract, folder / "sealed")
        left = folder / "train"
        groups = {"groups.parquet": sealed.groups} if sealed.groups else {}
        limits = replace(training_limits(Limits(), budget, 120), memory_mb=MEMORY_MB)
        script = recipe_for(contract, train_seconds=training_seconds(budget))
        await _run(sandbox, script, {"train.parquet": sealed.train, **groups}, left, limits)
        (left / "train.py").write_text(script, encoding="utf-8")
        inputs = {"train.parquet": sealed.train, "holdout_features.parquet": sealed.holdout_features}
        await _run(sandbox, baseline_for(contract), inputs, folder / "baseline", Limits(seconds=300))
        workers = Workers(sandbox)
        try:
            found = await workers.predict(left, contract, sealed.holdout_features, seconds=300)
        finally:
            await workers.close()
        write_predictions(found, contract, folder / "model.parquet")
        there = {name: folder / "baseline" / f"{name}.parquet" for name in ("dummy", "linear")}
        judged = score(sealed.holdout_labels, folder / "model.parquet", contract, baselines=there)
        own = own_estimate(left / "oof.parquet", sealed, contract, judged.metric)
        if own is None:
            return None
        return Row(
            table.name, seed, budget, own.metric.name, sealed.rule, sealed.rows_train, sealed.rows_holdout,
            own.metric.value, own.metric.ci_low, own.metric.ci_high,
            judged.metric.value, judged.metric.ci_low, judged.metric.ci_high, own.inside, own.gap,
        )  # fmt: skip


async def _run(sandbox: Sandbox, script: str, inputs: dict[str, Path], outputs: Path, limits: Limits) -> None:
    outputs.mkdir(parents=True)
    async for item in sandbox.run(Job(f"{outputs.name}-{outputs.parent.name}", script, inputs, outputs, limits)):
        if isinstance(item, Outcome) and not item.ok:
            raise SystemExit(f"{outputs.name}: {item.message}")


def kept() -> list[Row]:
    """What was measured before."""
    if not RESULTS.is_file():
        return []
    kinds = {item.name: item.type for item in fields(Row)}
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return [Row(**{name: _read(kinds[name], text) for name, text in line.items()}) for line in csv.DictReader(file)]


def _read(kind: object, text: str) -> Any:
    if kind in (bool, "bool"):
        return text == "True"
    if kind in (int, "int"):
        return int(text)
    return float(text) if kind in (float, "float") else text


def keep(rows: list[Row]) -> None:
    """Write them all."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [item.name for item in fields(Row)])
        writer.writeheader()
        writer.writerows([asdict(row) for row in rows])


def summary(rows: list[Row]) -> str:
    """The figures of the bar, per row and per table."""
    inside = sum(row.inside for row in rows) / len(rows)
    covered = sum(row.estimate_low <= row.sealed <= row.estimate_high for row in rows) / len(rows)
    agree = sum(row.gap == "none" for row in rows) / len(rows)
    optimistic = sum(row.gap == "optimistic" for row in rows)
    tables = {row.table for row in rows}
    good = [name for name in tables if _most([row.inside for row in rows if row.table == name])]
    return (
        f"{len(rows)} runs on {len(tables)} tables: the estimate lies in the interval of the sealed score in "
        f"{inside:.0%} of the runs (bar {BAR:.0%}), on {len(good)} of {len(tables)} tables in most seeds; "
        f"the sealed score lies in the interval of the estimate in {covered:.0%}, and the two agree within both "
        f"intervals in {agree:.0%}; {optimistic} runs were optimistic beyond both."
    )


def _most(flags: list[bool]) -> bool:
    return sum(flags) * 2 > len(flags)


async def main(names: list[str], seeds: int, budget: float, most_rows: int) -> None:
    """Measure what is missing, and say where it stands."""
    rows = kept()
    done = {(row.table, row.seed, row.budget) for row in rows}
    sandbox = open_sandbox()
    try:
        for table in available():
            for seed in range(seeds):
                if (names and table.name not in names) or (table.name, seed, budget) in done:
                    continue
                found = await measured(table, seed, budget, most_rows, sandbox)
                if found is None:
                    print(f"{table.name} seed {seed}: the script left no estimate", flush=True)
                    continue
                rows.append(found)
                keep(rows)
                told = f"{found.estimate:.4f} ({found.estimate_low:.4f} to {found.estimate_high:.4f})"
                other = f"{found.sealed:.4f} ({found.sealed_low:.4f} to {found.sealed_high:.4f})"
                print(f"{table.name} seed {seed}: {found.metric} {told}, sealed {other}, gap {found.gap}", flush=True)
    finally:
        await sandbox.close()
    print(summary(rows) if rows else "Nothing was measured.")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--table", action="append", default=[], choices=[table.name for table in TABLES])
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--budget", type=float, default=20.0)
    options.add_argument("--most-rows", type=int, default=5_000)
    asked = options.parse_args()
    asyncio.run(main(asked.table, asked.seeds, asked.budget, asked.most_rows))
