"""Replay's trusted parts: do new rows fit, which are really new, what is sealed, and what two models' scores say."""

import datetime as dt
import json
import runpy
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, table_of
from tools.contract import Contract, Split
from tools.drift import drift
from tools.fresh import with_old_rows, write_fresh
from tools.ingest import Dataset, ingest
from tools.metrics import METRICS
from tools.model_folder import schema_text
from tools.original import Original, OriginalError, open_original, training_rows
from tools.predictions import Predictions, write_predictions
from tools.recipes import audit_for
from tools.reference import FILE, reference_text
from tools.replay import Finding, ReplayError, fit, fresh_rows, judgeable
from tools.replay_report import _how, json_text, replay_charts, replay_json, replay_md
from tools.retype import retyped
from tools.seal import Sealed, seal
from tools.split_proof import prove
from tools.versus import _sentence, versus


def loans(rows: int, seed: int, **changed: Any) -> dict[str, Any]:
    """A small table: a number, a category, a date, a target that follows the number."""
    draw = np.random.default_rng(seed)
    income = draw.normal(50, 10, rows).round(3)
    start = dt.date(2024, 1, 1) + dt.timedelta(days=400 * (seed - 1))
    return {
        "income": income,
        "kind": pa.array(draw.choice(["car", "house", "boat"], rows)),
        "asked": pa.array([start + dt.timedelta(days=number // 3) for number in range(rows)]),
        "repaid": pa.array(np.where(income + draw.normal(0, 6, rows) > 48, "yes", "no")),
    } | changed


def finished(folder: Path, columns: Mapping[str, Any], contract: Contract, *, rows: bool = True) -> Path:
    """A result folder as a run leaves it, as far as replay reads it."""
    table = table_of(columns, folder / "work")
    sealed = seal(table, contract, folder / "work" / "sealed")
    model = folder / "result" / "model"
    model.mkdir(parents=True)
    (model / "model.joblib").write_bytes(b"never loaded here")
    (model / "schema.json").write_text(schema_text(contract))
    (model / "contract.json").write_text(contract.model_dump_json())
    (model / "train.py").write_text("print('trained')\n")
    (model / FILE).write_text(reference_text(sealed.train, contract, table.path))
    if rows:
        for name, source in (("inputs/train", sealed.train), ("inputs/holdout_features", sealed.holdout_features)):
            target = folder / "result" / f"{name}.parquet"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
        (folder / "result" / "holdout").mkdir()
        (folder / "result" / "holdout" / "labels.parquet").write_bytes(sealed.holdout_labels.read_bytes())
    return folder / "result"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished project of 300 loans."""
    columns = loans(300, 1)
    return finished(tmp_path_factory.mktemp("old"), columns, contract_for(columns, "repaid", positive="yes"))


@pytest.fixture(scope="module")
def original(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """The project, opened."""
    return open_original(str(result), tmp_path_factory.mktemp("none"), tmp_path_factory.mktemp("scratch"))


def read(columns: Mapping[str, Any], folder: Path) -> Dataset:
    """As a person would bring it: a CSV."""
    path = folder / "new.csv"
    pa.table(dict(columns)).to_pandas().to_csv(path, index=False)
    return ingest(path, folder / "data")


def said(findings: tuple[Finding, ...], kind: str) -> str:
    return " ".join(finding.sentence for finding in findings if finding.kind == kind)


# The old project


def test_a_folder_its_model_a_bundle_and_an_id_are_the_same_project(result: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for path in result.rglob("*"):
            archive.write(path, path.relative_to(result))
    projects = tmp_path / "projects"
    kept = projects / ("ab" * 16) / "attempts" / "2" / "artifacts"
    kept.parent.mkdir(parents=True)
    kept.symlink_to(result, target_is_directory=True)
    for named in (result, result / "model", bundle, "ab" * 16, "ababab"):
        found = open_original(str(named), projects, tmp_path / "scratch")
        assert found.has_rows
        assert found.contract.target == "repaid"


@pytest.mark.parametrize("named", ["nosuch", "0123456789abcdef", "../projects"])
def test_a_project_that_is_not_there_is_said(named: str, tmp_path: Path) -> None:
    with pytest.raises(OriginalError, match="There is no folder, bundle or project"):
        open_original(named, tmp_path / "projects", tmp_path)


def test_a_project_without_a_finished_model_is_said(tmp_path: Path) -> None:
    (tmp_path / ("ab" * 16) / "attempts" / "1").mkdir(parents=True)
    with pytest.raises(OriginalError, match="no finished model"):
        open_original("ab" * 16, tmp_path, tmp_path)
    with pytest.raises(OriginalError, match="no finished model"):
        open_original(str(tmp_path), tmp_path, tmp_path)


def test_an_id_that_fits_two_projects_is_said(tmp_path: Path) -> None:
    for last in "12":
        (tmp_path / ("abcdef" + last)).mkdir()
    with pytest.raises(OriginalError, match="2 projects begin"):
        open_original("abcdef", tmp_path, tmp_path)


def test_a_bundle_that_leads_out_of_itself_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.txt", "out")
    with pytest.raises(OriginalError, match="no bundle"):
        open_original(str(tmp_path / "evil.zip"), tmp_path, tmp_path / "scratch")
    assert not (tmp_path / "evil.txt").exists()


def test_a_damaged_contract_is_said(result: Path, tmp_path: Path) -> None:
    columns = loans(60, 1)
    folder = finished(tmp_path, columns, contract_for(columns, "repaid"))
    (folder / "model" / "contract.json").write_text('{"target": 3}')
    with pytest.raises(OriginalError, match="damaged"):
        open_original(str(folder), tmp_path, tmp_path)


# Do the rows fit?


def test_rows_that_fit_need_no_word(original: Original, tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    fitted = fit(original, read(loans(200, 5, income=draw.uniform(40, 60, 200)), tmp_path))
    assert fitted.has_target
    assert [finding for finding in fitted.findings if finding.column != "asked"] == []


def test_a_missing_column_is_named_with_the_one_that_was_meant(original: Original, tmp_path: Path) -> None:
    columns = loans(50, 2)
    columns["Income"] = columns.pop("income")
    with pytest.raises(ReplayError, match="'Income' meant to be 'income'"):
        fit(original, read(columns, tmp_path))


def test_another_table_is_seen_to_be_one(original: Original, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="seems to be another table: it has 0 of the 3 columns"):
        fit(original, read({"a": np.arange(30), "b": np.arange(30)}, tmp_path))


def test_everything_that_is_odd_is_said_at_once(original: Original, tmp_path: Path) -> None:
    columns = loans(100, 2)
    columns["income"] = [str(value) for value in np.linspace(40, 400, 90)] + ["unknown"] * 10
    columns["kind"] = pa.array(["car"] * 60 + ["plane"] * 20 + [None] * 20)
    columns["mood"] = pa.array(["good"] * 100)
    fitted = fit(original, read(columns, tmp_path))
    assert "10 values are none" in said(fitted.findings, "type")
    assert "outside the range" in said(fitted.findings, "range")
    assert "“plane” (20)" in said(fitted.findings, "categories")
    assert "“kind” is missing in 20.0%" in said(fitted.findings, "gaps")
    assert "“mood”" in said(fitted.findings, "extra")
    assert fitted.table.column("income").type == pa.float64()


def test_a_column_that_holds_something_else_altogether_blocks(original: Original, tmp_path: Path) -> None:
    columns = loans(50, 2, income=pa.array(["high", "low"] * 25))
    with pytest.raises(ReplayError, match="held numbers in training, but 50 of 50 values are none"):
        fit(original, read(columns, tmp_path))


def test_a_target_that_is_not_there_is_said_with_the_one_that_was_meant(original: Original, tmp_path: Path) -> None:
    columns = loans(50, 2)
    columns["Repaid?"] = columns.pop("repaid")
    fitted = fit(original, read(columns, tmp_path))
    assert not fitted.has_target
    assert "is “Repaid?” meant to be it?" in said(fitted.findings, "target")
    assert drift(original.reference, fitted.table, "repaid").rows_now == 50


@pytest.mark.parametrize(
    ("values", "stored", "expected", "unreadable"),
    [
        (["1", "2.5", "x"], "double", [1.0, 2.5, None], 1),
        ([1, 2, None], "double", [1.0, 2.0, None], 0),
        ([True, False], "int64", [1.0, 0.0], 0),
        (["yes", "NO", "perhaps"], "bool", [True, False, None], 1),
        ([1.0, 2.0], "string", ["1", "2"], 0),
        ([None, None], "timestamp[us]", [None, None], 0),
    ],
)
def test_a_column_takes_the_type_of_training(
    values: list[Any], stored: str, expected: list[Any], unreadable: int
) -> None:
    found = retyped(pa.chunked_array([pa.array(values)]), stored)
    assert found.column.to_pylist() == expected
    assert found.unreadable == unreadable


def test_dates_as_text_become_dates(original: Original) -> None:
    found = retyped(pa.chunked_array([["2024-01-31", "soon"]]), "date32[day]")
    assert pd.Timestamp(found.column[0].as_py()) == pd.Timestamp("2024-01-31")
    assert found.unreadable == 1


# Which rows are new?


def test_rows_of_the_old_project_are_left_out(original: Original, tmp_path: Path) -> None:
    old, new = pa.table(loans(300, 1)), pa.table(loans(80, 2))
    fitted = fit(original, read(dict_of(pa.concat_tables([old, new])), tmp_path))
    fresh = fresh_rows(original, fitted)
    assert (fresh.in_training, fresh.in_holdout, fresh.table.num_rows) == (240, 60, 80)
    assert "240 of 380 rows were in the old model's training" in said(fresh.findings, "known")


def dict_of(table: pa.Table) -> dict[str, Any]:
    return {name: table.column(name) for name in table.column_names}


def test_when_all_rows_are_known_there_is_nothing_to_do(original: Original, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="All 300 rows are known"):
        fresh_rows(original, fit(original, read(loans(300, 1), tmp_path)))


def test_rows_that_are_alike_by_chance_stay(tmp_path: Path) -> None:
    def coins(seed: int) -> dict[str, Any]:
        draw = np.random.default_rng(seed)
        return {name: pa.array(draw.choice(["heads", "tails"], 200)) for name in ("first", "second", "third")}

    folder = finished(tmp_path, coins(1), contract_for(coins(1), "third"))
    opened = open_original(str(folder), tmp_path, tmp_path)
    fresh = fresh_rows(opened, fit(opened, read(coins(2), tmp_path)))
    assert fresh.table.num_rows == 200
    assert "as chance would have it" in said(fresh.findings, "known")


def test_without_the_training_rows_that_is_said(tmp_path: Path) -> None:
    columns = loans(100, 1)
    folder = finished(tmp_path, columns, contract_for(columns, "repaid"), rows=False)
    opened = open_original(str(folder), tmp_path, tmp_path)
    assert training_rows(opened) is None
    fresh = fresh_rows(opened, fit(opened, read(columns, tmp_path)))
    assert fresh.table.num_rows == 100
    assert "cannot be told apart" in said(fresh.findings, "known")


@pytest.fixture
def by_time(tmp_path: Path) -> Original:
    """A project whose rows are split by their date; the table ends on 2024-04-09."""
    columns = loans(300, 1)
    agreed = contract_for(columns, "repaid", split=Split(rule="time", column="asked"))
    return open_original(str(finished(tmp_path / "time", columns, agreed)), tmp_path, tmp_path)


def test_in_a_split_by_time_rows_that_are_not_later_are_left_out(by_time: Original, tmp_path: Path) -> None:
    assert by_time.reference.until == "2024-04-09"
    days = [dt.date(2024, 4, 9)] * 30 + [dt.date(2024, 5, 1) + dt.timedelta(days=n) for n in range(70)]
    fresh = fresh_rows(by_time, fit(by_time, read(loans(100, 2, asked=pa.array(days)), tmp_path)))
    assert fresh.table.num_rows == 70
    assert "30 rows are not later than 2024-04-09" in said(fresh.findings, "time")


def test_when_no_row_is_later_that_is_said(by_time: Original, tmp_path: Path) -> None:
    earlier = pa.array([dt.date(2023, 1, 1) + dt.timedelta(days=n) for n in range(50)])
    with pytest.raises(ReplayError, match="no row is later than 2024-04-09"):
        fresh_rows(by_time, fit(by_time, read(loans(50, 2, asked=earlier), tmp_path)))


def test_rows_of_a_class_that_the_contract_does_not_know_are_left_out(original: Original, tmp_path: Path) -> None:
    columns = loans(60, 2, repaid=pa.array(["yes"] * 30 + ["no"] * 20 + ["partly"] * 10))
    fitted = fit(original, read(columns, tmp_path))
    table, findings = judgeable(fitted.table, original.contract)
    assert table.num_rows == 50
    assert "10 rows have a class" in findings[0].sentence


# What is sealed


def test_the_fresh_hold_out_holds_new_rows_only_and_training_both(original: Original, tmp_path: Path) -> None:
    fresh = fresh_rows(original, fit(original, read(loans(100, 2), tmp_path)))
    sealed = seal(write_fresh(fresh.table, "new.csv", tmp_path / "fresh"), original.contract, tmp_path / "sealed")
    both = with_old_rows(sealed, original, tmp_path / "both")
    assert (sealed.rows_holdout, sealed.rows_train, both.rows_train) == (20, 80, 320)
    assert both.hash == sealed.hash
    incomes = set(pq.read_table(sealed.holdout_features).column("income").to_pylist())
    assert not incomes & set(loans(300, 1)["income"].tolist())
    assert not incomes & set(pq.read_table(both.train).column("income").to_pylist())
    assert pq.read_table(both.train).slice(0, 240).equals(training_rows(original))


def test_whole_numbers_and_fractions_can_stand_in_one_column(tmp_path: Path) -> None:
    columns = loans(100, 1, income=pa.array(range(100)))
    opened = open_original(str(finished(tmp_path, columns, contract_for(columns, "repaid"))), tmp_path, tmp_path)
    fresh = fresh_rows(opened, fit(opened, read(loans(60, 2), tmp_path)))
    sealed = seal(write_fresh(fresh.table, "new.csv", tmp_path / "fresh"), opened.contract, tmp_path / "s")
    both = with_old_rows(sealed, opened, tmp_path / "both")
    assert pq.read_table(both.train).column("income").type == pa.float64()
    assert both.rows_train == 80 + 48


def test_groups_of_old_and_new_rows_are_kept_apart(tmp_path: Path) -> None:
    shops = {"shop": pa.array([f"s{number // 5}" for number in range(300)])}
    columns = loans(300, 1, **shops)
    agreed = contract_for(columns, "repaid", without=("shop",), split=Split(rule="group", column="shop"))
    opened = open_original(str(finished(tmp_path, columns, agreed)), tmp_path, tmp_path)
    fresh = fresh_rows(opened, fit(opened, read(loans(300, 2, **shops), tmp_path)))
    assert "“shop”" in said(fresh.findings, "groups")
    sealed = seal(write_fresh(fresh.table, "new.csv", tmp_path / "fresh"), agreed, tmp_path / "sealed")
    both = with_old_rows(sealed, opened, tmp_path / "both")
    assert both.groups is not None
    groups = pq.read_table(both.groups).column("group").to_numpy()
    assert len(groups) == both.rows_train
    assert not set(groups[: -sealed.rows_train]) & set(groups[-sealed.rows_train :])


# Which model does better?


def judged(folder: Path, *, old: float, new: float, rows: int = 400, share: float = 0.5) -> Any:
    """Two models that see the answer through noise: the smaller, the better."""
    draw = np.random.default_rng(0)
    columns = {"x": draw.normal(size=rows), "y": pa.array(np.where(draw.random(rows) < share, "yes", "no"))}
    agreed = contract_for(columns, "y", positive="yes")
    sealed = seal(table_of(columns, folder), agreed, folder / "sealed")
    truth = pq.read_table(sealed.holdout_labels).sort_by("row").column("target").to_pylist()
    answers = np.array([label == "yes" for label in truth], dtype=float)
    noise = {"old": old, "new": new}
    paths = {name: _guess(answers, noise[name], draw, agreed, folder / f"{name}.parquet") for name in noise}
    flat = Predictions(np.zeros(len(truth)), np.tile([1 - share, share], (len(truth), 1)))
    write_predictions(flat, agreed, folder / "dummy.parquet")
    return versus(sealed, paths["old"], paths["new"], agreed, {"dummy": folder / "dummy.parquet"}), sealed


def _guess(
    answers: np.ndarray[Any, Any], noise: float, draw: np.random.Generator, contract: Contract, path: Path
) -> Path:
    positive = 1 / (1 + np.exp(-(2 * answers - 1 + draw.normal(0, noise, len(answers)))))
    both = np.column_stack([1 - positive, positive])
    write_predictions(Predictions(both.argmax(axis=1).astype(float), both), contract, path)
    return path


def test_a_better_new_model_replaces_the_old_one(tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=6.0, new=0.5)
    assert found.verdict == "replace"
    assert found.difference.ci_low > 0
    assert found.sentence.startswith("On 80 fresh sealed rows")
    assert "Replace the old one" in found.sentence


def test_a_better_old_model_is_kept(tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=0.5, new=90.0)
    assert found.verdict == "keep"
    assert found.difference.ci_high < 0
    assert "Keep the old one" in found.sentence
    assert "The retrained one is no better than guessing" in found.sentence


def test_two_models_of_a_kind_show_no_difference(tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=1.0, new=1.0)
    assert found.verdict == "no difference"
    assert METRICS["rmse"].format(72061.4) == "72,061"
    one_sided = found.difference.model_copy(update={"ci_low": 0.0, "ci_high": 0.0178, "value": 0.01})
    words = _sentence("no difference", found.old, found.new, one_sided, contract_for(loans(60, 1), "repaid"), "")
    assert "A gain of up to 0.0178 would look the same, so nothing speaks" in words
    assert found.difference.ci_low <= 0 <= found.difference.ci_high
    assert "no difference that these rows can show" in found.sentence


@pytest.mark.parametrize(
    ("rows", "share", "why"), [(100, 0.5, "20 sealed rows are too few"), (400, 0.03, "sealed rows are “yes”")]
)
def test_too_few_rows_give_no_verdict(rows: int, share: float, why: str, tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=6.0, new=0.5, rows=rows, share=share)
    assert found.verdict == "too few rows"
    assert why in found.sentence


# What is written


def report_of(found: Any, original: Original, table: pa.Table) -> dict[str, Any]:
    moved = drift(original.reference, table, "repaid")
    return replay_json(
        project="old",
        contract=original.contract,
        data={"name": "new|*file*.csv", "rows": 80, "fresh": 80},
        findings=[Finding(level="note", kind="extra", sentence="Something.")],
        drift=moved,
        versus=found,
        why_not="" if found else "No target.",
        training={"rows": 320, "from": "80 new and 240 old rows", "script": "the recipe"} if found else None,
        hashes={},
        seconds=1.0,
    )


def test_the_report_says_it_to_people_and_to_programs(original: Original, tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=6.0, new=0.5)
    table = pa.table(loans(80, 2, income=np.full(80, 90.0)))
    report = json.loads(json_text(report_of(found, original, table)))
    assert report["verdict"] == "replace"
    assert report["comparison"]["difference"]["ci_low"] > 0
    pictures = replay_charts(drift(original.reference, table, "repaid"), found)
    assert [chart.name for chart in pictures][:3] == ["old_and_new", "drift", "moved_1"]
    page = replay_md(report, pictures)
    assert "**Replace the old model.**" in page
    assert "“income”: median" in page
    assert "*file*" not in page


def test_a_column_that_lost_values_says_so_in_the_picture(original: Original) -> None:
    income = [None if number % 2 else 50.0 + number % 10 for number in range(200)]
    table = pa.table(loans(200, 2, income=pa.array(income, pa.float64())))
    column = next(one for one in drift(original.reference, table, "repaid").columns if one.name == "income")
    only = tuple(test for test in column.tests if test.test == "missing")
    assert _how(column.model_copy(update={"tests": only, "size": only[0].size})) == f"{only[0].size} (gaps)"
    assert "(" not in _how(column.model_copy(update={"tests": ()}))


def test_without_a_comparison_the_report_says_why(original: Original) -> None:
    report = report_of(None, original, pa.table(loans(80, 2)))
    assert report["verdict"] == "not compared"
    assert "No target." in replay_md(report, ())


def test_the_labels_stay_with_their_owner(original: Original, tmp_path: Path) -> None:
    fresh = fresh_rows(original, fit(original, read(loans(100, 2), tmp_path)))
    sealed: Sealed = seal(write_fresh(fresh.table, "n", tmp_path / "f"), original.contract, tmp_path / "sealed")
    both = with_old_rows(sealed, original, tmp_path / "both")
    assert "repaid" not in pq.read_schema(both.holdout_features).names
    assert both.holdout_labels == sealed.holdout_labels
    assert oct(both.holdout_labels.stat().st_mode)[-3:] == "600"
    assert replace(both, train=sealed.train, rows_train=sealed.rows_train, own_train=None) == sealed
    assert Sealed.from_json(both.to_json()) == both


def test_the_split_is_proved_with_old_rows_in_front(tmp_path: Path) -> None:
    columns = loans(100, 1, income=pa.array(range(100)))  # whole numbers then, fractions now
    opened = open_original(str(finished(tmp_path, columns, contract_for(columns, "repaid"))), tmp_path, tmp_path)
    fresh = fresh_rows(opened, fit(opened, read(loans(100, 2), tmp_path)))
    dataset = write_fresh(fresh.table, "new.csv", tmp_path / "fresh")
    both = with_old_rows(seal(dataset, opened.contract, tmp_path / "sealed"), opened, tmp_path / "both")
    proof = prove(dataset.path, dataset.id, opened.contract, both)
    assert proof.passed, proof.detail
    assert "none of them is among the 80 training rows" in proof.detail
    assert "80 rows of the older project are learned from as well" in proof.detail
    table = pq.read_table(both.train)
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(0, 1)]), both.train)
    assert "does not end with the rows of this table" in prove(dataset.path, dataset.id, opened.contract, both).detail


def test_rows_of_old_and_new_weigh_one_on_average(tmp_path: Path) -> None:
    columns = loans(100, 1) | {"times": pa.array([1.0 + number % 3 for number in range(100)])}
    agreed = contract_for(columns, "repaid", without=("times",)).model_copy(update={"weight_column": "times"})
    opened = open_original(str(finished(tmp_path, columns, agreed)), tmp_path, tmp_path)
    table = pa.table(loans(100, 2) | {"times": columns["times"]})
    sealed = seal(write_fresh(table, "new.csv", tmp_path / "fresh"), agreed, tmp_path / "sealed")
    both = with_old_rows(sealed, opened, tmp_path / "both")
    assert both.weights is not None
    weights = pq.read_table(both.weights).column("weight").to_numpy()
    assert len(weights) == both.rows_train
    assert weights.mean() == pytest.approx(1.0)


def test_only_the_new_rows_are_asked_whether_they_are_of_the_kind_of_the_sealed_ones(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    old, new = (pd.DataFrame({"x": draw.normal(at, 1, 400), "y": draw.choice(["no", "yes"], 400)}) for at in (0, 9))
    holdout = pd.DataFrame({"x": draw.normal(9, 1, 200)})
    program = tmp_path / "audit.py"
    program.write_text(
        audit_for(contract_for({"x": new["x"], "y": new["y"].tolist()}, "y"), seconds=60), encoding="utf-8"
    )
    names = runpy.run_path(str(program))
    about = {name: value for name, value in names.items() if name.isupper()}

    def told_apart(own: pd.DataFrame | None) -> float:
        audit = names["Audit"](pd.concat([old, new], ignore_index=True), holdout, about=about, seconds=60, own=own)
        audit.apart()
        return float(audit.found["apart"]["auc"])

    assert told_apart(None) > 0.7
    assert told_apart(new) < 0.6


def test_what_the_audit_objects_to_stands_in_the_page(original: Original, tmp_path: Path) -> None:
    found, _ = judged(tmp_path, old=6.0, new=0.5)
    report = report_of(found, original, pa.table(loans(80, 2)))
    assert "Take care" not in replay_md(report, ())
    page = replay_md(report | {"training": report["training"] | {"alarms": ["“x” gives it away."]}}, ())
    assert "**Take care with the retrained model:**\n\n- “x” gives it away." in page
