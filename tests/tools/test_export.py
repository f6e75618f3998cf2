"""Everything a user leaves with: complete, runnable where it lies, equal for equal input, whole or not at all."""

import csv
import errno
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.result_scene import Result, as_scored
from tools.chart_images import Renderer
from tools.export import ExportError, export
from tools.predictions import read_predictions

FILES = {
    "report.json", "report.md", "leaderboard.csv", "contract.json", "train.py", "notebook.ipynb", "requirements.txt",
    "README.md", "inputs/train.parquet", "inputs/contract.json", "inputs/holdout_features.parquet",
    "holdout/labels.parquet", "model/model.joblib", "model/schema.json", "model/train.py", "model/predict.py",
    "model/explain.py", "model/background.parquet",
    "model/contract.json", "model/reference.json", "model/conformal.json", "model/requirements.txt", "model/README.md",
    "bundle.zip",
}  # fmt: skip


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as started:
        yield started


def write(result: Result, into: Path, renderer: Renderer, **changes: Any) -> dict[str, Path]:
    given = {
        "report": result.report, "contract": result.contract, "script": result.script, "sealed": result.sealed,
        "model": result.model, "charts": result.charts[:1], "into": into, "renderer": renderer,
        "predictions": result.model.parents[2] / "score" / "predictions.parquet",
    }  # fmt: skip
    return {artifact.name: artifact.path for artifact in export(**{**given, **changes})}


def test_every_promised_file_is_there(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    names = write(result, tmp_path / "out", renderer, charts=result.charts)
    charts = {f"charts/{chart.name}.png" for chart in result.charts}
    assert set(names) == FILES | charts
    assert {"charts/roc.png", "charts/confusion_matrix.png", "charts/importance.png"} <= charts
    assert names["model/model.joblib"].read_bytes() == result.model.read_bytes()
    with names["leaderboard.csv"].open() as file:
        assert list(csv.DictReader(file))[0] == {"model": "tree", "cv_score": "0.91", "seconds": "0.4"}


def test_the_zip_holds_all_of_it_and_is_equal_for_equal_input(
    result: Result, tmp_path: Path, renderer: Renderer
) -> None:
    first = write(result, tmp_path / "one", renderer)
    second = write(result, tmp_path / "two", renderer)
    assert first["bundle.zip"].read_bytes() == second["bundle.zip"].read_bytes()
    with zipfile.ZipFile(first["bundle.zip"]) as bundle:
        assert {name for name in bundle.namelist() if not name.endswith("/")} == set(first) - {"bundle.zip"}
        assert "outputs/" in bundle.namelist()
        assert bundle.testzip() is None
        assert bundle.read("train.py").decode() == result.script


def test_no_file_names_this_machine(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    names = write(result, tmp_path / "out", renderer)
    here = str(tmp_path.parent).encode()
    assert [name for name, path in names.items() if here in path.read_bytes()] == []


def test_an_earlier_result_is_replaced_as_a_whole(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    into = tmp_path / "out"
    into.mkdir()
    (into / "stale.txt").write_text("from an earlier attempt")
    names = write(result, into, renderer)
    assert "stale.txt" not in names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_a_model_nothing_is_left_behind(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.txt").write_text("an earlier result")
    with pytest.raises(ExportError, match=r"left no model\.joblib\. Nothing was left behind\.$"):
        write(result, tmp_path / "out", renderer, model=tmp_path / "no.joblib")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "kept.txt").exists()


def test_a_link_is_not_followed_as_a_model(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    link = tmp_path / "model.joblib"
    link.symlink_to(result.sealed.holdout_labels)
    with pytest.raises(ExportError):
        write(result, tmp_path / "out", renderer, model=link)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a small disk needs root on Linux")
def test_a_full_disk_is_one_sentence(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        with pytest.raises(ExportError, match="the disk is full") as caught:
            write(result, disk / "out", renderer)
        assert list(disk.iterdir()) == []
        assert caught.value.__cause__ is not None
        assert getattr(caught.value.__cause__, "errno", None) == errno.ENOSPC
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_folder_can_train_and_predict_by_itself(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    into = tmp_path / "out"
    write(result, into, renderer)
    (into / "outputs").mkdir(exist_ok=True)
    subprocess.run([sys.executable, "train.py"], cwd=into, check=True, capture_output=True)
    for number, model in enumerate(("model/model.joblib", "outputs/model.joblib")):
        output = into / f"outputs/{number}.parquet"
        command = [sys.executable, "model/predict.py", "inputs/holdout_features.parquet", str(output), model]
        subprocess.run(command, cwd=into, check=True, capture_output=True)
        as_scored(output, result.contract)
    one, two = (
        read_predictions(into / f"outputs/{n}.parquet", result.contract, result.sealed.rows_holdout) for n in (0, 1)
    )
    assert one.values.tolist() == two.values.tolist()


def test_predict_py_reads_csv_names_missing_columns_and_explains_itself(
    result: Result, tmp_path: Path, renderer: Renderer
) -> None:
    into = tmp_path / "out"
    write(result, into, renderer)
    table = tmp_path / "table.csv"
    table.write_text("mean radius,unknown\n12.5,x\n,y\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(into / "model" / "predict.py"), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    refused = run("table.csv", "answers.csv")
    assert refused.returncode == 1
    assert "“table.csv” lacks the columns “mean texture”, “mean perimeter”" in refused.stderr
    assert not (tmp_path / "answers.csv").exists()
    done = run("table.csv", "answers.csv", "--fill-missing")
    assert done.returncode == 0, done.stderr
    assert "Not in the table, so missing in every row: mean texture" in done.stdout
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 3
    assert "usage: predict.py" in run().stderr


def test_requirements_pin_what_is_imported(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    names = write(result, tmp_path / "out", renderer)
    lines = names["model/requirements.txt"].read_text().splitlines()
    assert {line.split("==")[0] for line in lines} == {"joblib", "numpy", "pandas", "pyarrow", "scikit-learn"}
    assert all("==" in line for line in lines)
    assert "nbconvert" in names["requirements.txt"].read_text()


def test_the_report_file_is_plain_json(result: Result, tmp_path: Path, renderer: Renderer) -> None:
    names = write(result, tmp_path / "out", renderer)
    found = json.loads(names["report.json"].read_text())
    assert found == json.loads(json.dumps(result.report))
