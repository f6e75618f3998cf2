"""Our own recipe: the script that a user would take home, run as it is; `options.script` is its text."""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from protocol import Predict, answer, read_job


def learn(job: dict[str, Any], train: pd.DataFrame) -> Predict:
    """Run the script beside inputs/ and outputs/, then load what it saved."""
    folder = Path(job["folder"])
    for name in ("inputs", "outputs"):
        (folder.parent / "work" / name).mkdir(parents=True, exist_ok=True)
    work = folder.parent / "work"
    train.to_parquet(work / "inputs" / "train.parquet")
    (work / "inputs" / "contract.json").write_text(job["options"]["contract"])
    (work / "train.py").write_text(job["options"]["script"])
    os.chdir(work)
    definitions = runpy.run_path("train.py", run_name="__main__")
    vars(sys.modules["__main__"]).update({k: v for k, v in definitions.items() if not k.startswith("__")})
    model = joblib.load("outputs/model.joblib")
    joblib.dump(model, folder / "model.joblib", compress=1)
    if job["task"] == "regression":
        return model.predict
    order = [list(map(str, model.classes_)).index(label) for label in job["classes"]]
    return lambda frame: model.predict_proba(frame)[:, order]


if __name__ == "__main__":
    answer(read_job(), learn)
