"""What a blueprint's computed columns bring: the same split, seed and budget with and without them, paired.

    python -m benchmarks.blueprint TABLE "predict churn" [--seconds 30] [--seeds 0 1 2]

Each pair is trained in the sandbox and judged on the same sealed rows; the interval is a paired bootstrap of the
difference (rows drawn together for both).
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.data_scientist import propose
from agents.parser import parse, schema_of
from agents.planning.blueprints import attached, choose, settled, with_defaults
from agents.state import Request
from sandbox.base import Job, Limits, Outcome, Sandbox
from sandbox.choose import open_sandbox
from tools.blueprints.shelf import shelf
from tools.contract import Contract
from tools.ingest import ingest
from tools.measuring import prepared
from tools.metrics import METRICS
from tools.predictions import Predictions
from tools.profile import profile
from tools.recipes import recipe_for
from tools.resampling import redrawn_in, resampled
from tools.score import read_truth
from tools.seal import Sealed, seal
from tools.worker import Workers


@dataclass(frozen=True)
class Pair:
    """Score with the blueprint, without it, and the interval of the gain (positive: the blueprint is better)."""

    seed: int
    with_it: float
    without: float
    low: float
    high: float


async def trained(sandbox: Sandbox, contract: Contract, sealed: Sealed, folder: Path, seconds: float) -> Predictions:
    """Train in the sandbox, predict the sealed rows."""
    script, inputs = recipe_for(contract, train_seconds=seconds), {"train.parquet": sealed.train}
    if sealed.groups is not None:
        inputs["groups.parquet"] = sealed.groups
    job = Job(folder.name, script, inputs, folder, Limits(seconds=3 * seconds + 60))
    async for item in sandbox.run(job):
        if isinstance(item, Outcome) and not item.ok:
            raise RuntimeError(item.message)
    (folder / "train.py").write_text(script, encoding="utf-8")
    workers = Workers(sandbox)
    try:
        return await workers.predict(folder, contract, sealed.holdout_features)
    finally:
        await workers.close()


async def pair(sandbox: Sandbox, table: Path, text: str, seconds: float, seed: int, folder: Path) -> Pair:
    """One split, both ways."""
    dataset = ingest(table, folder / "data")
    found = profile(dataset)
    request = settled(parse(text, schema_of(found, dataset)), found, shelf())
    if not isinstance(request, Request):
        raise ValueError(request.text)
    matched, _ = choose(request, found, shelf())
    if matched is None:
        raise ValueError("The table looks like no blueprint.")
    request = with_defaults(request, matched, found)
    plan = propose(request, found, budget_seconds=seconds, seed=seed)
    dressed = attached(plan, matched, request, found, dataset.path, None)
    bare = dressed.model_copy(update={"blueprint": None})
    sealed = seal(dataset, dressed, folder / "sealed")
    predictions = []
    for name, contract in (("with", dressed), ("without", bare)):
        (folder / name).mkdir()
        predictions.append(await trained(sandbox, contract, sealed, folder / name, seconds))
    return compared(dressed, sealed, predictions, seed)


def compared(contract: Contract, sealed: Sealed, predictions: list[Predictions], seed: int) -> Pair:
    """The metric of both on the sealed rows, and the paired bootstrap of the gain."""
    truth, metric = read_truth(sealed.holdout_labels, contract), METRICS[contract.metric]
    first, second = (prepared(metric, truth.codes, one, contract) for one in predictions)
    sign, everywhere = (1 if metric.greater_is_better else -1), np.ones(len(truth.codes))
    gains = [
        sign * (first(weights) - second(weights))
        for weights in resampled(redrawn_in(truth, contract), None, 1000, seed=0)
    ]
    low, high = np.percentile(gains, [2.5, 97.5])
    return Pair(seed, first(everywhere), second(everywhere), float(low), float(high))


async def main() -> None:
    """Print one line per seed."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("table", type=Path)
    arguments.add_argument("request")
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = arguments.parse_args()
    sandbox = open_sandbox()
    await sandbox.warm()
    try:
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as folder:
                one = await pair(sandbox, given.table, given.request, given.seconds, seed, Path(folder))
            print(
                f"seed {one.seed}: with {one.with_it:.4f}, without {one.without:.4f}, "
                f"gain {one.low:+.4f} to {one.high:+.4f}",
                flush=True,
            )
    finally:
        await sandbox.close()


if __name__ == "__main__":
    asyncio.run(main())
