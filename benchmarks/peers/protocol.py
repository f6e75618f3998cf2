"""What every system is asked: learn from one file within a budget, predict another, say how long things took.

Run as `python SYSTEM.py job.json`. The job: train, test (Parquet, features as they came; test has no target), target,
task, classes, seconds, cores, seed, folder (for the model), answer (where the result goes). The answer: predictions
(one row per test row: probabilities in the order of `classes`, or numbers), seconds of one row and of all rows, bytes
of the model. No import of the product: this file runs in the peers' environments.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Predict = Callable[[pd.DataFrame], Any]
SINGLE_ROWS = 30


def bytes_of(folder: Path) -> int:
    """Size of everything that a system has saved."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts as plain objects: not every library knows the string type of a newer pandas."""
    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    dated = [name for name in texts if pd.api.types.is_datetime64_any_dtype(frame[name])]
    plain = frame[[name for name in texts if name not in dated]].astype(object)
    return frame.assign(**{name: plain[name].where(plain[name].notna(), None) for name in plain.columns})


def answer(job: dict[str, Any], learn: Callable[[dict[str, Any], pd.DataFrame], Predict]) -> None:
    """Learn, predict, measure, write."""
    train, test = (tidy(pd.read_parquet(job[name])) for name in ("train", "test"))
    predict = learn(job, train)
    learned = time.time()
    began = time.perf_counter()
    predictions = np.asarray(predict(test), dtype=float)
    batch = time.perf_counter() - began
    singles = []
    for number in range(min(SINGLE_ROWS, len(test))):
        began = time.perf_counter()
        predict(test.iloc[[number]])
        singles.append(time.perf_counter() - began)
    found = {
        "learned_at": learned,
        "predictions": predictions.tolist(),
        "batch_seconds": batch,
        "single_seconds": float(np.median(singles)),
        "model_bytes": bytes_of(Path(job["folder"])),
    }
    Path(job["answer"]).write_text(json.dumps(found))


def read_job() -> dict[str, Any]:
    """The job named on the command line."""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return job
