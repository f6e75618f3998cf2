"""`modelwright replay` as a person or a script meets it: real runs, real retraining in the sandbox, real exit codes."""

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pexpect
import pyarrow.parquet as pq
import pytest

from tests.chat_app.test_cli import COMMAND, assert_one_sentence, clean_environment, modelwright

BUDGET = ("--budget", "10")
STRAIGHT = '''"""A straight line through every column."""

import joblib
import pandas as pd
from sklearn.linear_model import LinearRegression

TARGET = "price"


def main():
    table = pd.read_parquet("inputs/train.parquet")
    joblib.dump(LinearRegression().fit(table.drop(columns=[TARGET]), table[TARGET]), "outputs/model.joblib")


if __name__ == "__main__":
    main()
'''


def customers(rows: int, seed: int, *, turned: bool = False, moved: bool = False) -> pd.DataFrame:
    """Customers who leave when the contract is short and the charges are high; `turned`: the other way round."""
    draw = np.random.default_rng(seed)
    tenure = draw.gamma(2, 12, rows).round(1)
    charges = (draw.normal(65, 20, rows) + (30 if moved else 0)).round(2)
    plan = draw.choice(["monthly", "yearly", "two years"], rows, p=[0.55, 0.3, 0.15])
    city = draw.choice(["Ulm", "Bonn", "Kiel", "Jena"], rows)
    if moved:
        city = np.where(draw.random(rows) < 0.3, "Graz", city)
    score = 1.5 * (plan == "monthly") - 0.07 * tenure + 0.03 * (charges - 65)
    leaves = draw.random(rows) < 1 / (1 + np.exp(score if turned else -score))
    columns = {"tenure": tenure, "charges": charges, "plan": plan, "city": city}
    return pd.DataFrame({**columns, "churn": np.where(leaves, "yes", "no")})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with new tables and the finished project `old`, trained on 600 customers."""
    folder = tmp_path_factory.mktemp("replay")
    old, same = customers(600, 1), customers(400, 2)
    tables = {
        "old": old,
        "same": same,
        "moved": customers(400, 3, moved=True).drop(columns="churn"),
        "turned": pd.concat([old.head(50), customers(600, 4, turned=True)]),
        "renamed": same.rename(columns={"tenure": "Tenure"}),
        "other": pd.DataFrame({"a": range(30), "b": range(30)}),
        "empty": same.head(0),
        "one_class": same.assign(churn="no"),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    done = modelwright("run", "old.csv", "predict churn", "--yes", *BUDGET, "--out", "old", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def digest(folder: Path) -> str:
    """Of every file in a folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b""))
    return whole.hexdigest()


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "replay.json").read_text())
    return found


def test_a_run_leaves_what_the_training_rows_were_like(place: Path) -> None:
    found = json.loads((place / "old" / "model" / "reference.json").read_text())
    assert found["rows"] == 480
    assert [column["name"] for column in found["columns"]] == ["tenure", "charges", "plan", "city", "churn"]


def test_more_of_the_same_changes_little(place: Path) -> None:
    before = digest(place / "old")
    done = modelwright("replay", "old", "same.csv", "--yes", *BUDGET, "--out", "same", folder=place)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for line in (
        "Read same.csv",
        "Checked against",
        "Drift: None of the 5",
        "Sealed 80 fresh rows",
        "Training on 320 new",
    ):
        assert line in done.stdout
    found = report(place / "same")
    difference = found["comparison"]["difference"]
    assert abs(difference["value"]) < 0.06
    decided = "replace" if difference["ci_low"] > 0 else "keep" if difference["ci_high"] < 0 else "no difference"
    assert found["verdict"] == decided  # by chance alone one of twenty such tables decides
    assert found["comparison"]["rows"] == 80
    assert found["training"]["rows"] == 320 + 480
    assert found["training"]["script"] == "the recipe of the old project, unmodified"
    audited = {one["probe"]: one for one in json.loads((place / "same/retrained/report.json").read_text())["audit"]}
    assert audited["the agreed split"]["passed"], audited["the agreed split"]["detail"]
    assert len(found["training"]["alarms"]) == sum(one["passed"] is False for one in audited.values())
    assert digest(place / "old") == before
    shown = {path.name for path in (place / "same").iterdir()}
    assert shown == {"replay.json", "replay.md", "charts", "retrained", "events.jsonl"}


def test_the_retrained_model_is_a_result_like_any_other(place: Path) -> None:
    retrained = place / "same" / "retrained"
    assert (retrained / "bundle.zip").is_file()
    assert "churn" not in pq.read_schema(retrained / "inputs" / "holdout_features.parquet").names
    metric = json.loads((retrained / "report.json").read_text())["metric"]
    assert metric["value"] == report(place / "same")["comparison"]["new"]["metric"]["value"]
    done = modelwright("predict", retrained, "moved.csv", "--out", "p.csv", folder=place)
    assert done.returncode == 0, done.stderr


def test_a_world_that_has_turned_asks_for_a_new_model(place: Path) -> None:
    projects = place.parent / f"{place.name}-home" / "projects"
    first = min(projects.iterdir(), key=lambda path: path.stat().st_mtime).name
    options = ("--yes", *BUDGET, "--train-on", "new", "--json", "--out", "turned")
    done = modelwright("replay", first, "turned.csv", *options, folder=place)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found == report(place / "turned")
    assert found["verdict"] == "replace"
    assert found["comparison"]["difference"]["ci_low"] > 0
    assert found["data"]["fresh"] == 600
    assert found["data"]["known_from_training"] + found["data"]["known_from_holdout"] == 50
    assert found["training"]["rows"] == 480


def test_without_a_target_there_are_checks_drift_and_predictions(place: Path) -> None:
    done = modelwright("replay", "old/bundle.zip", "moved.csv", "--yes", "--out", "moved", folder=place)
    assert done.returncode == 0, done.stderr
    found = report(place / "moved")
    assert found["verdict"] == "not compared"
    assert "no “churn”" in found["sentence"]
    assert [column["name"] for column in found["drift"]["columns"] if column["size"] == "large"] == ["charges", "city"]
    assert "“Graz”" in done.stdout
    with (place / "moved" / "predictions.csv").open(newline="") as file:
        assert len({row["prediction"] for row in csv.DictReader(file)}) == 2
    assert (place / "moved" / "charts" / "moved_1.png").read_bytes()[:4] == b"\x89PNG"


def test_one_class_cannot_judge_two_models(place: Path) -> None:
    done = modelwright("replay", "old", "one_class.csv", "--yes", "--json", "--out", "one", folder=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "not compared"
    assert "same value in every row (no)" in found["sentence"]
    assert (place / "one" / "predictions.csv").is_file()


@pytest.mark.parametrize(
    ("project", "data", "words"),
    [
        ("nosuch", "same.csv", "There is no folder, bundle or project 'nosuch'"),
        (".", "same.csv", "no finished model"),
        ("old", "renamed.csv", "'Tenure' meant to be 'tenure'"),
        ("old", "other.csv", "another table"),
        ("old", "empty.csv", "no rows"),
        ("old", "old.csv", "All 600 rows are known"),
    ],
)
def test_bad_input_is_one_sentence(project: str, data: str, words: str, place: Path) -> None:
    done = modelwright("replay", project, data, "--yes", "--out", "bad", folder=place)
    assert words in assert_one_sentence(done, 2)
    assert not (place / "bad").exists()


def test_it_explains_itself(place: Path) -> None:
    done = modelwright("replay", "--help", folder=place)
    assert done.returncode == 0
    for word in ("Usage: modelwright replay", "NEWDATA", "--train-on", "--budget", "--json", "--yes"):
        assert word in done.stdout


def test_without_a_terminal_it_wants_to_be_told_yes(place: Path) -> None:
    done = modelwright("replay", "old", "same.csv", "--out", "bad", folder=place)
    assert "add --yes" in assert_one_sentence(done, 2)


def test_a_person_may_say_no_to_the_training(place: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        [*COMMAND[1:], "replay", "old", "same.csv", "--out", "declined"],
        cwd=str(place),
        env={**clean_environment(place), "TERM": "xterm"},
        encoding="utf-8",
        timeout=120,
        dimensions=(40, 200),
    )
    child.expect("Train again in the sandbox")
    child.sendline("n")
    child.expect("You chose not to retrain")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert report(place / "declined")["verdict"] == "not compared"
    assert not (place / "declined" / "retrained").exists()


def houses(rows: int, seed: int) -> pd.DataFrame:
    """Ninety numbers that all matter: a few rows are not enough to learn them."""
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(rows, 90)).round(4)
    table = pd.DataFrame(numbers, columns=[f"n{place}" for place in range(90)])
    return table.assign(price=(100 + numbers @ np.linspace(1, 3, 90) + draw.normal(0, 2, rows)).round(3))


@pytest.mark.slow
def test_a_model_that_knew_more_is_kept_and_its_own_script_is_used(tmp_path: Path) -> None:
    houses(1500, 1).to_csv(tmp_path / "old.csv", index=False)
    houses(160, 2).to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "line.py").write_text(STRAIGHT)
    script = ("--script", "line.py", "--yes", *BUDGET, "--out", "old")
    done = modelwright("run", "old.csv", "predict price", *script, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = modelwright("replay", "old", "new.csv", "--yes", *BUDGET, "--train-on", "new", "--out", "r", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = report(tmp_path / "r")
    assert found["training"]["script"] == "the script of the old project"
    assert found["verdict"] == "keep"
    assert found["comparison"]["difference"]["ci_high"] < 0
    assert (tmp_path / "r" / "retrained" / "train.py").read_text() == STRAIGHT
