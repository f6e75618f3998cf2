"""A small result with everything real but the sandbox: a table, a sealed hold-out, our own tiny script, its score."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tools.audit import Probe
from tools.charts import Chart
from tools.contract import ColumnPlan, Contract, Split, Task
from tools.curves import Curves, curves
from tools.importance import Importance
from tools.ingest import Dataset, ingest
from tools.metrics import default_metric
from tools.profile import profile
from tools.recipes import baseline_for, predictor_for
from tools.report import report_json
from tools.result_charts import result_charts
from tools.score import Score, score
from tools.seal import Sealed, class_counts, seal
from tools.vault import Vault

SCRIPT = '''"""Train one tree on the columns of the contract."""
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.tree import DecisionTree{kind}

TARGET = "{target}"
DEPTH = 4


class Wrapped:
    """A class of the script's own, so that the saved model needs the script."""

    def __init__(self, tree, columns):
        self.tree, self.columns = tree, columns
        self.classes_ = getattr(tree, "classes_", None)

    def predict(self, table):
        return self.tree.predict(table[self.columns].apply(pd.to_numeric, errors="coerce").fillna(0))
{more}

def main():
    table = pd.read_parquet("inputs/train.parquet")
    X = table.drop(columns=[TARGET]).apply(pd.to_numeric, errors="coerce").fillna(0)
    tree = DecisionTree{kind}(max_depth=DEPTH, random_state=0).fit(X, table[TARGET])
    joblib.dump(Wrapped(tree, list(X.columns)), "outputs/model.joblib")
    Path("outputs/info.json").write_text(json.dumps({{"rows": len(table)}}))


# The work starts here.
if __name__ == "__main__":
    main()
    print("trained")
'''
_PROBABILITIES = """
    def predict_proba(self, table):
        return self.tree.predict_proba(table[self.columns].apply(pd.to_numeric, errors="coerce").fillna(0))
"""
LEADERBOARD = [
    {"model": "tree", "cv_score": 0.91, "seconds": 0.4},
    {"model": "dummy", "cv_score": 0.5, "seconds": 0.0},
]


@dataclass(frozen=True)
class Result:
    """Everything that `export` wants, and what it was made from."""

    contract: Contract
    script: str
    sealed: Sealed
    dataset: Dataset
    model: Path
    score: Score
    curves: Curves
    report: dict[str, Any]
    charts: tuple[Chart, ...]


def make(task: Task, folder: Path) -> Result:
    """A finished result for the task in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    table, target = _table(task)
    table.to_csv(folder / "table.csv", index=False)
    dataset = ingest(folder / "table.csv", folder / "data")
    contract = _contract(task, target, dataset)
    sealed = seal(dataset, contract, folder / "sealed")
    kind, more = ("Regressor", "") if task == "regression" else ("Classifier", _PROBABILITIES)
    script = SCRIPT.format(kind=kind, target=target, more=more)
    trained = _run(folder / "train", script, {"train.parquet": sealed.train})
    model = folder / "model"
    model.mkdir()
    shutil.copy(trained / "model.joblib", model)
    (model / "train.py").write_text(script)
    predictions = folder / "score" / "predictions.parquet"
    _predict(predictor_for(contract), model, sealed.holdout_features, predictions)
    as_scored(predictions, contract)
    both = {"train.parquet": sealed.train, "holdout_features.parquet": sealed.holdout_features}
    simple = _run(folder / "baseline", baseline_for(contract), both)
    labels = sealed.holdout_labels
    judged = score(
        labels, predictions, contract, baselines={name: simple / f"{name}.parquet" for name in ("dummy", "linear")}
    )
    drawn = curves(labels, predictions, contract)
    drops = (Importance(column=contract.features[0], drop=0.12, ci_low=0.1, ci_high=0.15),)
    vault = Vault(folder / "vault")
    report = report_json(
        contract=contract,
        score=judged,
        probes=[Probe(probe="shuffled_target", passed=True, detail="With the target shuffled nothing is learned.")],
        looks=1,
        rows_train=sealed.rows_train,
        leaderboard=LEADERBOARD,
        verified=True,
        importance=drops,
        seconds=3.2,
        hashes={
            "data": dataset.id,
            "code": vault.put_text(script),
            "contract": vault.put_json(contract.model_dump(mode="json")),
        },
    )
    charts = result_charts(contract, profile(dataset), judged, drawn, LEADERBOARD, drops)
    return Result(contract, script, sealed, dataset, trained / "model.joblib", judged, drawn, report, charts)


def _table(task: Task) -> tuple[pd.DataFrame, str]:
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

    match task:
        case "binary":
            bunch = load_breast_cancer(as_frame=True)
            frame = bunch.frame[[*bunch.frame.columns[:6], "target"]]
            return frame.assign(target=frame["target"].map({0: "malignant", 1: "benign"})), "target"
        case "multiclass":
            bunch = load_iris(as_frame=True)
            named = dict(enumerate(bunch.target_names))
            return bunch.frame.assign(target=bunch.frame["target"].map(named)), "target"
        case "regression":
            return load_diabetes(as_frame=True, scaled=False).frame, "target"


def _contract(task: Task, target: str, dataset: Dataset) -> Contract:
    classes: tuple[str, ...] = ()
    if task != "regression":
        classes = tuple(class_counts(pq.read_table(dataset.path, columns=[target]).column(0)))
    metric, also = default_metric(task)
    return Contract(
        request="predict the target, please",
        row_unit="one patient",
        task=task,
        target=target,
        classes=classes,
        positive_class="malignant" if task == "binary" else None,
        columns=tuple(ColumnPlan(name=name, role="number", use=True) for name in dataset.names if name != target),
        split=Split(rule="random" if task == "regression" else "stratified"),
        metric=metric,
        also=also,
        budget_seconds=20,
        assumptions=("The rows are in no order.",),
    )


def _predict(program: str, model: Path, table: Path, output: Path) -> None:
    """Our own program, as people take it home, beside the model."""
    output.parent.mkdir()
    (model / "predict.py").write_text(program, encoding="utf-8")
    subprocess.run([sys.executable, model / "predict.py", table, output], check=True, capture_output=True)
    (model / "predict.py").unlink()


def as_scored(predictions: Path, contract: Contract) -> None:
    """What predict.py wrote in the form of our own scoring: row, prediction, p_0, p_1, ..."""
    found = pq.read_table(predictions)
    columns = {"row": range(found.num_rows), "prediction": found.column("prediction")}
    labels = {code: f"p_{label}" for code, label in enumerate(contract.classes)}
    columns |= {f"p_{code}": found.column(name) for code, name in labels.items() if name in found.column_names}
    pq.write_table(pa.table(columns), predictions)


def _run(folder: Path, script: str, inputs: dict[str, Path]) -> Path:
    """Run a program of ours (not a stranger's) where it finds inputs/ and outputs/; returns outputs/."""
    (folder / "inputs").mkdir(parents=True)
    (folder / "outputs").mkdir()
    for name, path in inputs.items():
        (folder / "inputs" / name).symlink_to(path.resolve())
    (folder / "script.py").write_text(script, encoding="utf-8")
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True, capture_output=True)
    return folder / "outputs"
