"""AutoGluon with one of its presets; `seconds` is its time limit, which leaves out its own start."""

from pathlib import Path
from typing import Any

import pandas as pd
from autogluon.tabular import TabularPredictor
from protocol import Predict, answer, read_job

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}


def learn(job: dict[str, Any], train: pd.DataFrame) -> Predict:
    """Fit with the preset of the job."""
    predictor = TabularPredictor(
        label=job["target"],
        problem_type=job["task"],
        eval_metric=METRICS[job["task"]],
        path=str(Path(job["folder"]) / "model"),
        verbosity=0,
    ).fit(train, presets=job["options"]["preset"], time_limit=job["seconds"], num_cpus=job["cores"])
    if job["task"] == "regression":
        return lambda frame: predictor.predict(frame).to_numpy()
    return lambda frame: predictor.predict_proba(frame)[job["classes"]].to_numpy()


if __name__ == "__main__":
    answer(read_job(), learn)
