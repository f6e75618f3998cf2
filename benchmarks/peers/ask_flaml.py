"""FLAML's AutoML; dates are given as numbers, as it takes none."""

from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from flaml import AutoML
from protocol import Predict, answer, read_job

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}
TASKS = {"binary": "classification", "multiclass": "classification", "regression": "regression"}


def learn(job: dict[str, Any], train: pd.DataFrame) -> Predict:
    """Fit within the budget."""
    model = AutoML()
    model.fit(
        train.drop(columns=job["target"]),
        train[job["target"]],
        task=TASKS[job["task"]],
        metric=METRICS[job["task"]],
        time_budget=job["seconds"],
        n_jobs=job["cores"],
        seed=job["seed"],
        verbose=0,
    )
    joblib.dump(model, Path(job["folder"]) / "model.joblib")
    if job["task"] == "regression":
        return model.predict
    order = [list(map(str, model.classes_)).index(label) for label in job["classes"]]
    return lambda frame: model.predict_proba(frame)[:, order]


if __name__ == "__main__":
    answer(read_job(), learn)
