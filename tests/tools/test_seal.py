"""Sealing: the right rows, in the right files, the same every time; and a sentence when it cannot be done."""

import stat
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, sealed_scene, table_of, two_classes
from tools.contract import Split, SplitRule
from tools.seal import Sealed, SealError, class_counts, label_text, seal


def read(path: Path) -> dict[str, list[Any]]:
    return dict(pq.read_table(path).to_pydict())


def test_labels_stay_in_a_folder_of_their_own(tmp_path: Path) -> None:
    columns = two_classes()
    sealed = sealed_scene(columns, contract_for(columns, "answer", without=["noise"]), tmp_path)
    assert set(read(sealed.train)) == {"age", "colour", "answer"}
    assert set(read(sealed.holdout_features)) == {"age", "colour"}
    assert stat.S_IMODE(sealed.holdout_labels.stat().st_mode) == 0o600
    assert stat.S_IMODE(sealed.holdout_labels.parent.stat().st_mode) == 0o700
    assert sealed.holdout_labels.parent not in (sealed.train.parent, sealed.holdout_features.parent)
    assert read(sealed.holdout_labels)["row"] == list(range(sealed.rows_holdout))
    assert (sealed.rows_train, sealed.rows_holdout, sealed.dropped) == (240, 60, 0)


def test_every_row_is_in_exactly_one_part(tmp_path: Path) -> None:
    columns = {**two_classes(), "mark": list(range(300))}
    sealed = sealed_scene(columns, contract_for(columns, "answer"), tmp_path)
    train, rest = read(sealed.train), read(sealed.holdout_features)
    assert sorted(train["mark"] + rest["mark"]) == list(range(300))
    answers = dict(zip(columns["mark"], columns["answer"], strict=True))
    assert [answers[mark] for mark in rest["mark"]] == read(sealed.holdout_labels)["target"]
    assert [answers[mark] for mark in train["mark"]] == train["answer"]


def test_same_seed_same_rows_whatever_the_features(tmp_path: Path) -> None:
    columns = two_classes()
    table = table_of(columns, tmp_path)
    all_of_them = seal(table, contract_for(columns, "answer"), tmp_path / "a")
    fewer = seal(table, contract_for(columns, "answer", without=["noise"]), tmp_path / "b")
    other = seal(table, contract_for(columns, "answer", seed=1), tmp_path / "c")
    assert all_of_them.hash == fewer.hash != other.hash
    assert all_of_them.holdout_labels.read_bytes() == fewer.holdout_labels.read_bytes()
    assert read(all_of_them.holdout_features)["age"] == read(fewer.holdout_features)["age"]


def test_sealing_twice_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    columns = two_classes()
    table, contract = table_of(columns, tmp_path), contract_for(columns, "answer")
    first = seal(table, contract, tmp_path / "sealed")
    before = first.holdout_labels.read_bytes()
    assert seal(table, contract, tmp_path / "sealed") == first
    assert first.holdout_labels.read_bytes() == before
    assert not list((tmp_path / "sealed").rglob("*.partial"))
    assert Sealed.from_json(first.to_json()) == first


def test_stratified_keeps_the_shares(tmp_path: Path) -> None:
    columns = {"x": list(range(200)), "y": ["rare"] * 10 + ["common"] * 190}
    sealed = sealed_scene(columns, contract_for(columns, "y"), tmp_path)
    assert read(sealed.holdout_labels)["target"].count("rare") == 2


def test_time_holds_out_the_latest_and_keeps_ties_together(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=int(day)) for day in np.random.default_rng(0).integers(0, 30, 300)]
    columns = {**numbers(), "day": days}
    split = Split(rule="time", column="day", holdout_fraction=0.25)
    sealed = sealed_scene(columns, contract_for(columns, "price", split=split), tmp_path)
    train, rest = read(sealed.train)["day"], read(sealed.holdout_features)["day"]
    assert max(train) < min(rest)
    assert train == sorted(train)
    assert 45 < len(rest) < 105
    units = read(sealed.holdout_labels)["unit"]
    assert 1 < len(set(units)) < len(units)  # neighbours in time are redrawn together


def test_rows_without_a_date_are_left_out_and_counted(tmp_path: Path) -> None:
    columns = {**numbers(), "day": [None, None, *(date(2024, 1, 1) + timedelta(days=i) for i in range(298))]}
    contract = contract_for(columns, "price", split=Split(rule="time", column="day"))
    sealed = sealed_scene(columns, contract, tmp_path)
    assert sealed.dropped == 2
    assert "“day”" in sealed.notes[0]


def test_iso_text_is_a_date_and_other_text_is_refused(tmp_path: Path) -> None:
    columns = {**numbers(), "day": [f"2024-{1 + i // 28 % 12:02}-{1 + i % 28:02}" for i in range(300)]}
    contract = contract_for(columns, "price", split=Split(rule="time", column="day"))
    sealed = sealed_scene(columns, contract, tmp_path / "iso")
    assert max(read(sealed.train)["day"]) < min(read(sealed.holdout_features)["day"])
    words = {**columns, "day": ["monday", "tuesday", "someday"] * 100}
    with pytest.raises(SealError, match="is text, not dates"):
        sealed_scene(words, contract, tmp_path / "words")


def test_groups_stay_whole(tmp_path: Path) -> None:
    columns = {**two_classes(), "patient": [f"p{i // 5}" for i in range(300)]}
    contract = contract_for(columns, "answer", without=["patient"], split=Split(rule="group", column="patient"))
    whole = contract.model_copy(update={"columns": tuple(c.model_copy(update={"use": True}) for c in contract.columns)})
    sealed = sealed_scene(columns, whole, tmp_path)
    train, rest = set(read(sealed.train)["patient"]), set(read(sealed.holdout_features)["patient"])
    assert not train & rest
    assert sealed.groups is not None
    groups = read(sealed.groups)["group"]
    assert len(groups) == sealed.rows_train
    assert len(set(groups)) == len(train)


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    columns = numbers()
    columns["price"] = [None, float("inf"), float("nan"), *columns["price"][3:]]
    sealed = sealed_scene(columns, contract_for(columns, "price"), tmp_path)
    assert sealed.dropped == 3
    assert sealed.rows_train + sealed.rows_holdout == 297


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1.0, 2.5, None], ["1", "2.5", None]),
        ([True, False, None], ["True", "False", None]),
        ([1, 2**60, None], ["1", str(2**60), None]),
        (["01", "1", ""], ["01", "1", ""]),
        ([Decimal("1.00"), Decimal("1.50"), None], ["1", "1.50", None]),
        ([date(2024, 1, 2), None], ["2024-01-02", None]),
        ([float("nan"), -0.0], [None, "0"]),
    ],
)
def test_labels_have_one_spelling(values: list[Any], wanted: list[str | None]) -> None:
    assert label_text(pa.chunked_array([pa.array(values)])).to_pylist() == wanted
    assert label_text(pa.array(values).dictionary_encode()).to_pylist() == wanted


def test_classes_are_counted_in_the_order_that_people_expect() -> None:
    assert list(class_counts(pa.array([10, 9, 2, 10]))) == ["2", "9", "10"]
    assert class_counts(pa.array(["b", "a", None, "b"])) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ([None] * 300, "nothing to learn from"),
        (["a", "b", *[None] * 298], "Only 2 of 300 rows"),
        (["a"] * 300, "same value in every row"),
        (["a", *["b"] * 299], "single row"),
    ],
)
def test_a_target_that_cannot_be_learned_is_said(tmp_path: Path, target: list[Any], sentence: str) -> None:
    columns = {**two_classes(), "answer": pa.array(target, pa.string())}
    contract = contract_for({**columns, "answer": ["a", "b"] * 150}, "answer")
    with pytest.raises(SealError, match=sentence):
        sealed_scene(columns, contract, tmp_path)


def test_a_class_outside_the_contract_is_said(tmp_path: Path) -> None:
    columns = two_classes()
    contract = contract_for(columns, "answer")
    with pytest.raises(SealError, match="“maybe”, which is not among the classes"):
        sealed_scene({**columns, "answer": ["maybe", *columns["answer"][1:]]}, contract, tmp_path)


def test_a_lone_row_of_a_third_class_goes_to_training_and_is_said(tmp_path: Path) -> None:
    columns = {"x": list(range(101)), "y": ["a"] * 50 + ["b"] * 50 + ["c"]}
    sealed = sealed_scene(columns, contract_for(columns, "y"), tmp_path)
    assert "c" in read(sealed.train)["y"]
    assert "single row" in sealed.notes[0]


def test_a_time_split_that_leaves_one_class_is_said(tmp_path: Path) -> None:
    columns = {"day": list(range(100)), "x": list(range(100)), "y": ["a", "b"] * 40 + ["a"] * 20}
    contract = contract_for(columns, "y", split=Split(rule="time", column="day"))
    with pytest.raises(SealError, match="hold-out rows have only one class"):
        sealed_scene(columns, contract, tmp_path)


def test_an_absent_column_and_a_target_among_the_features_are_said(tmp_path: Path) -> None:
    columns = two_classes()
    contract = contract_for(columns, "answer")
    with pytest.raises(SealError, match="no column “answer”"):
        sealed_scene({name: columns[name] for name in ("age", "colour", "noise")}, contract, tmp_path)
    nothing = contract.model_copy(
        update={"columns": tuple(c.model_copy(update={"use": False}) for c in contract.columns)}
    )
    with pytest.raises(SealError, match="No column is left"):
        sealed_scene(columns, nothing, tmp_path)
    cheat = contract.columns[0].model_copy(update={"name": "answer"})
    with pytest.raises(SealError, match="is the target"):
        sealed_scene(columns, contract.model_copy(update={"columns": (cheat,)}), tmp_path)


def test_words_cannot_be_predicted_as_a_number(tmp_path: Path) -> None:
    columns = {**numbers(), "price": ["cheap", "dear"] * 150}
    contract = contract_for(numbers(), "price")
    with pytest.raises(SealError, match="cannot be predicted as a number"):
        sealed_scene(columns, contract, tmp_path)


@pytest.mark.parametrize("rule", ["random", "stratified", "group"])
def test_the_place_of_a_row_says_nothing_about_its_label(rule: SplitRule, tmp_path: Path) -> None:
    """The table is sorted by its target, as many real ones are."""
    columns: dict[str, list[Any]] = {
        "x": list(range(400)),
        "who": [n % 40 for n in range(400)],
        "answer": ["a"] * 200 + ["b"] * 200,
    }
    contract = contract_for(columns, "answer", split=Split(rule=rule, column="who" if rule == "group" else None))
    sealed = sealed_scene(columns, contract, tmp_path)
    for labels in (read(sealed.holdout_labels)["target"], read(sealed.train)["answer"]):
        places = np.array([label == "b" for label in labels], dtype=float)
        assert abs(np.corrcoef(np.arange(len(places)), places)[0, 1]) < 0.35
    order = dict(zip(range(400), columns["answer"], strict=True))
    assert [order[x] for x in read(sealed.holdout_features)["x"]] == read(sealed.holdout_labels)["target"]
