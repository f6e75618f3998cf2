"""What another split would have promised, and what the training rows promise: measured by us from predictions."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, sealed_scene, two_classes, write_predictions
from tools.contract import Contract, Split
from tools.measuring import Scalar
from tools.nested import plan_nesting
from tools.own_estimate import own_estimate
from tools.predictions import PredictionsRefused, read_some
from tools.recipes import nested_for, resplit_for, with_budget
from tools.resplit import Resplit, resplit
from tools.seal import Sealed
from tools.split_report import split_probes, split_section

ROWS = 700


def ran(program: str, inputs: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of ours in this very process (no stranger wrote it), in the folder that the sandbox would give it."""
    (folder / "inputs").mkdir(parents=True)
    (folder / "outputs").mkdir()
    for name, path in inputs.items():
        (folder / "inputs" / name).symlink_to(path)
    monkeypatch.chdir(folder)
    exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})  # noqa: S102
    return folder / "outputs"


def found(
    columns: dict[str, Any], target: str, split: Split, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Resplit, Contract, Sealed]:
    contract = contract_for(columns, target, split=split, without=["who"])
    sealed = sealed_scene(columns, contract, folder)
    assert sealed.order is not None
    inputs = {"train.parquet": sealed.train, "order.parquet": sealed.order}
    left = ran(resplit_for(contract, seconds=60), inputs, folder / "ran", monkeypatch)
    return resplit(left, contract, sealed), contract, sealed


def wandering() -> dict[str, Any]:
    """A level that wanders with time: neighbours give each other away, later rows are elsewhere."""
    random = np.random.default_rng(0)
    when = np.arange(ROWS, dtype=float)
    level = np.cumsum(random.normal(0, 1, ROWS))
    return {"when": when, "x": random.normal(size=ROWS), "y": level + random.normal(0, 0.2, ROWS)}


def test_where_random_rows_promise_too_much_both_figures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Split(rule="random", ordered_by="when")
    result, contract, sealed = found(wandering(), "y", split, tmp_path, monkeypatch)
    later = result.later
    assert later is not None
    assert later.finding == "differ"
    assert later.later.value > 1.5 * later.at_random.value
    assert later.sentence.startswith("A random split would have promised RMSE ")
    assert "say “split by when”" in later.sentence
    assert f"(by “when”, after {len(later.origins)} moments)" in later.sentence
    assert [one.learned_from for one in later.origins] == sorted(one.learned_from for one in later.origins)
    assert len(later.origins) == 5
    assert len({one.value for one in later.origins}) == 5
    table, digest = tmp_path / "table.parquet", "x"
    probe = split_probes(table, digest, contract, sealed, result)[1]
    assert not probe.passed
    assert probe.repair is not None
    assert probe.repair.changes == {"split": {"rule": "time", "column": "when"}}
    by_time = contract.model_copy(update={"split": Split(rule="time", column="when", ordered_by="when")})
    assert split_probes(table, digest, by_time, sealed, result)[1].passed, "the score tells of later rows already"
    section = split_section({"splits": {"resplit": result.model_dump(mode="json")}})
    assert section.count("\n| ") == 6
    assert split_section({}) == ""


def test_an_order_and_ids_that_mean_nothing_raise_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {**two_classes(ROWS), "when": np.arange(ROWS, dtype=float), "who": [f"w{n % 200}" for n in range(ROWS)]}
    split = Split(rule="stratified", ordered_by="when", repeats="who")
    result, contract, sealed = found(columns, "answer", split, tmp_path, monkeypatch)
    assert result.later is not None
    assert result.unseen is not None
    assert (result.later.finding, result.unseen.finding) == ("agree", "agree")
    assert all(probe.passed for probe in split_probes(tmp_path / "no.parquet", "", contract, sealed, result)[1:])


def test_entities_that_are_learned_by_heart_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    who = random.integers(0, 100, ROWS)
    taste, trait = random.choice(["yes", "no"], 100), random.normal(size=(100, 3))
    columns = {f"x{n}": trait[who, n] for n in range(3)}
    columns |= {"who": [f"w{n}" for n in who], "answer": taste[who].tolist()}
    split = Split(rule="stratified", repeats="who")
    result, contract, sealed = found(columns, "answer", split, tmp_path, monkeypatch)
    assert result.later is None
    assert result.unseen is not None
    assert result.unseen.finding == "differ"
    assert result.unseen.gap_low > 0
    probe = split_probes(tmp_path / "no.parquet", "", contract, sealed, result)[1]
    assert (probe.probe, probe.passed) == ("unseen entities", False)
    assert "Say “grouped by who”" in probe.detail
    # unsound answers of a sandbox take the comparison away, and nothing is raised
    for path in (tmp_path / "ran" / "outputs").glob("*.parquet"):
        path.write_bytes(b"PAR1 nonsense")
    assert resplit(tmp_path / "ran" / "outputs", contract, sealed) == Resplit()


# What the training rows promise


def promised(p: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], folder: Path) -> Path:
    labels = np.where(p > 0.5, "yes", "no").tolist()
    return write_predictions(folder / "oof.parquet", row=rows, prediction=labels, p_0=1 - p, p_1=p)


def sealed_score(value: float) -> Scalar:
    return Scalar(
        name="roc_auc", label="ROC-AUC", value=value, ci_low=value - 0.05, ci_high=value + 0.05, greater_is_better=True
    )


def test_the_estimate_of_the_training_rows_is_computed_from_our_labels(tmp_path: Path) -> None:
    columns = two_classes(ROWS)
    contract = contract_for(columns, "answer", positive="yes")
    contract = contract.model_copy(update={"classes": ("no", "yes")})
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = np.array(pq.read_table(sealed.train).column("answer").to_pylist()) == "yes"
    noise = np.random.default_rng(0).normal(0, 0.35, len(truth))
    some = np.arange(0, len(truth), 2)
    path = promised(np.clip(0.3 + 0.4 * truth + noise, 0.01, 0.99)[some], some, tmp_path)
    own = own_estimate(path, sealed, contract, sealed_score(0.78))
    assert own is not None
    assert own.rows == len(some)
    assert 0.7 < own.metric.ci_low < own.metric.value < own.metric.ci_high < 0.9
    near = own_estimate(path, sealed, contract, sealed_score(own.metric.value - 0.02))
    assert near is not None
    assert (near.gap, near.inside) == ("none", True)
    assert "agrees with it" in near.sentence
    poor = own_estimate(path, sealed, contract, sealed_score(0.6))
    assert poor is not None
    assert poor.gap == "optimistic"
    assert "optimistic beyond chance" in poor.sentence
    easier = own_estimate(path, sealed, contract, sealed_score(0.95))
    assert easier is not None
    assert easier.gap == "pessimistic"
    assert own_estimate(tmp_path / "none.parquet", sealed, contract, sealed_score(0.8)) is None
    path.write_bytes(b"nonsense")
    assert own_estimate(path, sealed, contract, sealed_score(0.8)) is None


@pytest.mark.parametrize("rows", [[], [0, 0], [-1, 2], [0, 5]])
def test_predictions_for_some_rows_name_each_once(rows: list[int], tmp_path: Path) -> None:
    columns = {"x": np.arange(5.0), "y": np.arange(5.0)}
    path = write_predictions(tmp_path / "p.parquet", row=pa.array(rows, pa.int64()), prediction=[1.0] * len(rows))
    with pytest.raises(PredictionsRefused):
        read_some(path, contract_for(columns, "y"), 5)
    good = write_predictions(tmp_path / "good.parquet", row=[4, 1], prediction=[0.4, 0.1])
    where, model = read_some(good, contract_for(columns, "y"), 5)
    assert (where.tolist(), model.values.tolist()) == ([1, 4], [0.1, 0.4])


# Nested

SCRIPT = """
import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression

TIME_BUDGET = 60.0


class Mine:
    def __init__(self, model):
        self.model, self.classes_ = model, model.classes_

    def predict(self, table):
        return self.model.predict(table[["age", "noise"]])

    def predict_proba(self, table):
        return self.model.predict_proba(table[["age", "noise"]])


def said(table):  # the same name as in the program around it
    return table


if __name__ == "__main__":
    table = said(pd.read_parquet("inputs/train.parquet"))
    model = LogisticRegression().fit(table[["age", "noise"]], table["answer"])
    print("@@{}")
    joblib.dump(Mine(model), "outputs/model.joblib")
"""


def test_the_whole_script_is_run_without_each_outer_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = two_classes(ROWS)
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, tmp_path)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    before = sys.modules["__main__"]
    inputs = {"train.parquet": sealed.train, "train.py": script}
    left = ran(nested_for(contract, folds=4, seconds=60), inputs, tmp_path / "ran", monkeypatch)
    assert sys.modules["__main__"] is before
    assert capsys.readouterr().out.count("@@") == 4, "the script's own progress is not told"
    own = own_estimate(left / "nested.parquet", sealed, contract, sealed_score(0.9), how="nested cross-validation")
    assert own is not None
    assert own.rows == sealed.rows_train
    assert "With its choice of models included" in own.sentence


def test_nesting_is_for_few_rows_several_models_and_time_that_is_left() -> None:
    assert plan_nesting(500, 4, 4.0, 60.0).folds == 5
    assert plan_nesting(500, 4, 4.0, 60.0).seconds == 4.0
    late = plan_nesting(500, 4, 4.0, 10.0)
    assert late.folds == 0
    assert "needs about 10 s after the training" in late.why
    assert plan_nesting(500, 4, 4.0, 12.0).folds == 3
    assert plan_nesting(500, 4, 30.0, 100.0).seconds < 18, "less than the training had, but more than a third"
    assert plan_nesting(500, 4, 30.0, 30.0).folds == 0
    for rows, candidates in ((50, 4), (500, 1), (50_000, 4)):
        assert plan_nesting(rows, candidates, 4.0, 600.0).folds == 0


def test_a_budget_is_changed_and_nothing_else() -> None:
    assert with_budget(SCRIPT, 3.14159) == SCRIPT.replace("TIME_BUDGET = 60.0", "TIME_BUDGET = 3.1")
    assert with_budget("x = 1\n", 3) == "x = 1\n"
