"""mljar-supervised in the mode "Perform"."""

from pathlib import Path
from typing import Any

import pandas as pd
from protocol import Predict, answer, read_job
from supervised.automl import AutoML

METRICS = {"binary": "auc", "multiclass": "logloss", "regression": "r2"}
TASKS = {"binary": "binary_classification", "multiclass": "multiclass_classification", "regression": "regression"}


def learn(job: dict[str, Any], train: pd.DataFrame) -> Predict:
    """Fit within the budget."""
    model = AutoML(
        results_path=str(Path(job["folder"]) / "model"),
        mode="Perform",
        ml_task=TASKS[job["task"]],
        eval_metric=METRICS[job["task"]],
        total_time_limit=int(job["seconds"]),
        n_jobs=job["cores"],
        random_state=job["seed"],
        verbose=0,
        explain_level=0,
    )
    model.fit(train.drop(columns=job["target"]), train[job["target"]])
    if job["task"] == "regression":
        return model.predict
    labels = [name.removeprefix("prediction_") for name in model.predict_all(train.head(5)).columns]
    order = [labels.index(label) for label in job["classes"]]
    return lambda frame: model.predict_proba(frame)[:, order]


if __name__ == "__main__":
    answer(read_job(), learn)
