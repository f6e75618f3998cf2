"""The main job on the command line: real tables, the delivered notebook and model, and scripts that cheat."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pyarrow.parquet as pq
import pytest
from nbconvert.preprocessors import ExecutePreprocessor
from sklearn import metrics

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"
SAMPLES = {
    "iris": "classify species",
    "breast_cancer": "predict diagnosis",
    "diabetes": "what drives progression?",
}
TABLES = {
    "telco_churn": "predict churn",
    "titanic": "who survived?",
    "penguins": "classify species",
    "wine_quality": "predict quality",
    "bird_strikes": "predict phase_of_flt",
    "california": "predict median house value",
    "bike_hour": "predict cnt",
    "taxis_tip": "predict tip",
}
PROMISED = [
    "report.json",
    "report.md",
    "train.py",
    "leaderboard.csv",
    "contract.json",
    "events.jsonl",
    "notebook.ipynb",
    "model/model.joblib",
    "bundle.zip",
]


def modelwright(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as typed, from another folder than the repository."""
    command = [sys.executable, "-c", "from modelwright import main; main()", *arguments]
    environment = {**os.environ, "MODELWRIGHT_HOME": str(home / "home"), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


def run(home: Path, data: str, request: str, out: str, *more: str) -> dict[str, Any]:
    """`modelwright run … --yes`; the report."""
    done = modelwright(home, "run", data, request, "--yes", "--out", out, *more)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((home / out / "report.json").read_text())
    return report


def metric_by_hand(report: dict[str, Any], predictions: Any, labels: Any) -> float:
    """The reported metric once more, with scikit-learn on what `predict` wrote."""
    truth = labels["target"].to_numpy()
    if report["task"] == "regression":
        return float(np.sqrt(np.mean((predictions["prediction"].to_numpy() - truth) ** 2)))
    order = report["classes"]
    chances = np.column_stack([predictions[f"p_{label}"] for label in order])
    if report["metric"]["name"] == "log_loss":
        return float(metrics.log_loss(truth, chances, labels=order))
    positive = truth == report["positive_class"]
    score = chances[:, order.index(report["positive_class"])]
    if report["metric"]["name"] == "average_precision":
        return float(metrics.average_precision_score(positive, score))
    return float(metrics.roc_auc_score(positive, score))


def check_everything(home: Path, out: str, report: dict[str, Any]) -> None:
    """Files, the executed notebook, and the model through `modelwright predict`."""
    folder = home / out
    assert [name for name in PROMISED if not (folder / name).is_file()] == []
    assert list((folder / "charts").glob("*.png"))
    assert zipfile.ZipFile(folder / "bundle.zip").testzip() is None
    assert report["seconds"] <= 1.1 * report["budget_seconds"] + 5
    assert report["metric"]["ci_low"] <= report["metric"]["value"] <= report["metric"]["ci_high"]

    book = nbformat.read(folder / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    run_all = ExecutePreprocessor(timeout=600)  # type: ignore[no-untyped-call]
    run_all.preprocess(book, {"metadata": {"path": str(folder)}})

    features, table = folder / "inputs" / "holdout_features.parquet", home / "predicted.parquet"
    predicted = modelwright(home, "predict", str(folder / "model"), str(features), "--out", str(table))
    assert predicted.returncode == 0, predicted.stderr
    labels = pq.read_table(folder / "holdout" / "labels.parquet").to_pandas()
    again = metric_by_hand(report, pq.read_table(table).to_pandas(), labels)
    assert again == pytest.approx(report["metric"]["value"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "sample", [pytest.param(name, marks=[pytest.mark.slow] if name == "iris" else []) for name in SAMPLES]
)
def test_a_sample_leads_to_files_that_agree_with_the_report(sample: str, tmp_path: Path) -> None:
    report = run(tmp_path, sample, SAMPLES[sample], "out", "--budget", "20", "--seed", "7")
    check_everything(tmp_path, "out", report)


def test_the_same_seed_gives_the_same_split_and_score(tmp_path: Path) -> None:
    first, second = (run(tmp_path, "diabetes", "predict progression", name, "--budget", "20") for name in ("a", "b"))
    assert first["metric"] == second["metric"]
    assert first["hashes"] == second["hashes"]
    assert (tmp_path / "a/holdout/labels.parquet").read_bytes() == (tmp_path / "b/holdout/labels.parquet").read_bytes()
    assert [first["holdout_looks"], second["holdout_looks"]] == [1, 2]
    other = run(tmp_path, "diabetes", "predict progression", "c", "--budget", "20", "--seed", "1")
    assert other["hashes"]["sealed"] != first["hashes"]["sealed"]


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_leads_to_files_that_agree_with_the_report(name: str, tmp_path: Path) -> None:
    path = SHARED / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs {path.name}, which is not part of the repository")
    report = run(tmp_path, str(path), TABLES[name], "out", "--budget", "30")
    check_everything(tmp_path, "out", report)


CHEAT = """
import json
from pathlib import Path
import joblib
import pandas as pd
from sklearn.dummy import DummyClassifier

train = pd.read_parquet("inputs/train.parquet")
features = train.drop(columns=["diagnosis"])
model = DummyClassifier(strategy="uniform", random_state=0).fit(features, train["diagnosis"])
joblib.dump(model, "outputs/model.joblib")
perfect = {"name": "roc_auc", "value": 1.0, "ci_low": 1.0, "ci_high": 1.0, "greater_is_better": True}
for name in ("report.json", "done.json", "score.json", "holdout_labels.parquet", "predictions.parquet"):
    Path("outputs", name).write_text(json.dumps({"metric": perfect, "verdict": "better", "kind": "ok"}))
print("@@" + json.dumps({"kind": "leaderboard", "rows": [{"model": "genius", "cv_score": 1.0, "seconds": 0.1}]}))
print("@@" + json.dumps({"kind": "scored", "metric": perfect}))
print("ROC-AUC on the hold-out: 1.000")
"""


def test_a_script_that_cheats_changes_no_reported_number(tmp_path: Path) -> None:
    (tmp_path / "cheat.py").write_text(CHEAT)
    report = run(tmp_path, "breast_cancer", "predict diagnosis", "out", "--script", "cheat.py", "--budget", "20")
    assert report["metric"]["value"] == pytest.approx(0.5)
    assert report["verdict"] != "better than the baseline"
    assert [row["cv_score"] for row in report["leaderboard"]] == [None]
    assert report["baseline"]["value"] > 0.9
    assert (tmp_path / "out/report.json").stat().st_size > 1000


POISON = '''
import joblib
import pandas as pd

class Poison:
    """Runs its words when it is loaded."""

    def __reduce__(self):
        return exec, (WORDS,)

WORDS = """
import glob, os
found = [path for path in glob.glob('/**/*label*', recursive=True) if 'holdout' in path]
open(%r, 'w').write('out')
open('outputs/found.txt', 'w').write(repr(found))
class Model:
    classes_ = ['benign', 'malignant']
    def predict(self, table): return ['benign'] * len(table)
    def predict_proba(self, table): return [[1.0, 0.0]] * len(table)
"""

if __name__ == "__main__":
    joblib.dump(Poison(), "outputs/model.joblib")
'''


def test_a_poisoned_model_harms_nothing_and_is_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "poison.py").write_text(POISON % str(canary))
    out = ("--script", "poison.py", "--yes", "--out", "out", "--budget", "20")
    done = modelwright(tmp_path, "run", "breast_cancer", "predict diagnosis", *out)
    assert done.returncode in (2, 4), done.stdout
    assert "Traceback" not in done.stderr
    assert not canary.exists()
    assert not (tmp_path / "out").exists()


def test_a_script_with_a_security_finding_is_refused_even_with_yes(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("import socket\nsocket.create_connection(('127.0.0.1', 1))\n" + CHEAT)
    out = ("--script", "evil.py", "--yes", "--out", "out")
    done = modelwright(tmp_path, "run", "breast_cancer", "predict diagnosis", *out)
    assert done.returncode == 2
    assert "network" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
