"""explain.py as people take it home: beside model.joblib, alone, with the same arithmetic as ours."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.tools.result_scene import Result
from tools.explaining.background import write_background
from tools.model_folder import explain_program, predict_program


@pytest.fixture(scope="module")
def home(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder far away from us, and the sealed rows as a CSV."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(result.model, folder / "model.joblib")
    (folder / "train.py").write_text(result.script, encoding="utf-8")
    (folder / "predict.py").write_text(predict_program(result.contract), encoding="utf-8")
    (folder / "explain.py").write_text(explain_program(result.contract), encoding="utf-8")
    write_background(result.sealed.train, result.contract, folder / "background.parquet")
    pd.read_parquet(result.sealed.holdout_features).head(12).to_csv(folder / "rows.csv", index=False)
    return folder


def explain(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-I", str(folder / "run.py"), str(folder / "rows.csv"), *more]
    path = json.dumps(str(folder))
    start = (
        f"import sys, runpy\nsys.path.insert(0, {path})\nrunpy.run_path({path} + '/explain.py', run_name='__main__')\n"
    )
    (folder / "run.py").write_text(start, encoding="utf-8")
    return subprocess.run(call, capture_output=True, text=True, cwd=folder, check=False)


def test_it_needs_nothing_of_ours(home: Path) -> None:
    program = (home / "explain.py").read_text(encoding="utf-8")
    assert "from tools" not in program
    assert "POSITIVE = 'malignant'" in program


def test_a_row_adds_up(home: Path) -> None:
    done = explain(home, "--row", "3", "--out", str(home / "why.csv"))
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    base, value = float(words[1]), float(words[words.index("row") + 1])
    parts = pd.read_csv(home / "why.csv")
    assert base + parts["contribution"].sum() == pytest.approx(value, abs=1e-4)
    assert list(parts["contribution"].abs()) == sorted(parts["contribution"].abs(), reverse=True)


def test_what_cannot_be_asked_is_said(home: Path) -> None:
    done = explain(home, "--row", "99")
    assert (done.returncode, done.stderr.strip()) == (1, "There is no row 99; the table has rows 1 to 12.")
    assert "does not use “nonsense”" in explain(home, "--column", "nonsense").stderr
    assert "should end in one of .csv" in explain(home, "--row", "1", "--out", "why.xlsx").stderr
    (home / "rows.csv").rename(home / "kept.csv")
    try:
        assert explain(home).stderr.strip() == f"There is no file “{home / 'rows.csv'}”."
        pd.read_csv(home / "kept.csv").iloc[:, 1:].to_csv(home / "rows.csv", index=False)
        assert "lacks the column “mean radius”" in explain(home).stderr
    finally:
        (home / "kept.csv").replace(home / "rows.csv")
