"""How long a saved model takes to answer from its sandbox, and how long it takes alone."""

import itertools
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from sandbox.base import Job, Limits, Outcome, Output, Sandbox
from tools.answers import Rows
from tools.contract import ColumnPlan, Contract, Split
from tools.worker import Workers

MANY = 100_000
"""Rows of the batch."""
_TRAINING = """
import json, statistics, time
import joblib, lightgbm
import pandas as pd

def alone(rows, times):
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        model.predict(rows)
        model.predict_proba(rows)
        seconds.append(time.monotonic() - began)
    return seconds

frame = pd.read_parquet("inputs/train.parquet")
X, y = frame.drop(columns="label"), frame["label"].astype(str)
model = lightgbm.LGBMClassifier(n_estimators=50, n_jobs=2, random_state=0, verbose=-1).fit(X, y)
joblib.dump(model, "outputs/model.joblib")
many = pd.concat([X] * (MANY // len(X)))
print(json.dumps({"one": alone(X[:1], TIMES), "many": alone(many, 3)}))
"""
_numbers = itertools.count()


def _contract(names: Sequence[str]) -> Contract:
    return Contract(
        request="predict label",
        row_unit="one row",
        task="binary",
        target="label",
        positive_class="1",
        classes=("0", "1"),
        columns=tuple(ColumnPlan(name=name, role="number", use=True) for name in names),
        split=Split(),
        metric="roc_auc",
    )


async def _train(sandbox: Sandbox, table: Path, folder: Path, times: int) -> dict[str, list[float]]:
    """A model in `folder`, and the seconds that it takes without anything around it, measured inside."""
    script = _TRAINING.replace("MANY", str(MANY)).replace("TIMES", str(times))
    job = Job(f"model-{next(_numbers)}", script, {"train.parquet": table}, folder, Limits())
    said = ""
    async for event in sandbox.run(job):
        if isinstance(event, Output) and event.stream == "stdout":
            said += event.text
        if isinstance(event, Outcome) and not event.ok:
            raise RuntimeError(event.message)
    (folder / "train.py").write_text(script, encoding="utf-8")
    alone: dict[str, list[float]] = json.loads(said)
    return alone


async def answers(
    sandbox: Sandbox, table: Path, times: int, settle: Callable[[], Awaitable[None]]
) -> dict[str, list[float]]:
    """What -> seconds of single measurements; a row comes as JSON, the batch as an Arrow table.

    `settle` waits until the next box stands: making it is work of its own, beside a worker that stays.
    """
    frame = pd.read_parquet(table).drop(columns="label")
    contract = _contract(list(frame.columns))
    batch = pa.Table.from_pandas(pd.concat([frame] * (MANY // len(frame))), preserve_index=False)
    row = [{name: float(value) for name, value in frame.iloc[0].items()}]
    workers = Workers(sandbox)
    with tempfile.TemporaryDirectory() as name:
        alone = await _train(sandbox, table, Path(name, "model"), times)

        async def ask(rows: Rows) -> float:
            began = time.monotonic()
            await workers.predict(Path(name, "model"), contract, rows)
            return time.monotonic() - began

        try:
            first = await ask(row)
            await settle()
            return {
                "prediction, first answer of a model": [first],
                "prediction, one row": [await ask(row) for _ in range(times)],
                "prediction, one row, the model alone": alone["one"],
                f"prediction, {MANY:,} rows": [await ask(batch) for _ in range(3)],
                f"prediction, {MANY:,} rows, the model alone": alone["many"],
            }
        finally:
            await workers.close()
