"""Splits as a table marks them, what in a table speaks for one, and the proof after the run that it was used."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agents.planning.evidence import evidence_of
from agents.planning.split import check_split, plan_split, read_split
from agents.state import Request
from tests.tools.modelling_scene import contract_for, sealed_scene, table_of, two_classes
from tools.contract import ContractError, Split
from tools.ingest import ingest
from tools.predefined import parts_of
from tools.profile import Profile, profile
from tools.seal import Sealed, SealError, seal
from tools.split_proof import prove

ROWS = 300


@pytest.mark.parametrize(
    ("name", "values", "held"),
    [
        ("set", ["train", "test"], {"test"}),
        ("Split", ["Training Set", "validation", "TEST"], {"TEST"}),
        ("part", ["train", "valid"], {"valid"}),
        ("part", ["learn", "hold-out"], {"hold-out"}),
        ("fold", ["train1", "train2", "eval"], {"eval"}),
        ("is_train", ["True", "False"], {"False"}),
        ("is_test", ["0", "1"], {"1"}),
        ("in train", ["yes", "no"], {"no"}),
        ("set", ["train", "train2"], None),
        ("set", ["test", "eval"], None),
        ("set", ["train", "test", "whatever"], None),
        ("smoker", ["True", "False"], None),
        ("is_train", ["True", "maybe"], None),
        ("transport", ["train", "bus"], None),
        ("menge", ["änderung", "тест"], None),
        ("empty", [], None),
    ],
)
def test_a_column_that_marks_the_rows_is_known_by_its_values(
    name: str, values: list[str], held: set[str] | None
) -> None:
    parts = parts_of(name, values)
    assert (parts and {value for value, part in parts.items() if part == "hold-out"}) == held


def marked(values: Sequence[str | None]) -> dict[str, Any]:
    return {**two_classes(ROWS), "mark": list(range(ROWS)), "set": list(values)}


def by_mark(column: str = "set") -> Split:
    return Split(rule="predefined", column=column)


def test_the_rows_that_the_table_marks_are_the_sealed_ones(tmp_path: Path) -> None:
    columns = marked([None if n < 10 else ("train", "validation", "test")[n % 3] for n in range(ROWS)])
    sealed = sealed_scene(columns, contract_for(columns, "answer", split=by_mark(), without=["set"]), tmp_path)
    rest = pq.read_table(sealed.holdout_features).column("mark").to_pylist()
    assert sorted(rest) == [n for n in range(10, ROWS) if n % 3 == 2]
    assert rest != sorted(rest), "a row's place must not tell its label"
    assert (sealed.rule, sealed.dropped, sealed.rows_train + len(rest)) == ("predefined", 10, ROWS - 10)
    assert any("marked for validation are learned from" in note for note in sealed.notes)


def test_a_column_that_marks_nothing_is_refused_with_a_sentence(tmp_path: Path) -> None:
    columns = marked(["train", "bus"] * (ROWS // 2))
    with pytest.raises(SealError, match=r"does not say which rows.*“train”, “bus”.*values like train"):
        sealed_scene(columns, contract_for(columns, "answer", split=by_mark(), without=["set"]), tmp_path)


def profile_of(columns: dict[str, Any], folder: Path) -> Profile:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "given.parquet")
    return profile(ingest(folder / "given.parquet", folder / "table"))


def drifting(rows: int = ROWS, seed: int = 0) -> dict[str, Any]:
    """Days in order and a value that wanders."""
    random = np.random.default_rng(seed)
    level = np.cumsum(random.normal(0, 1, rows))
    return {"x": random.normal(size=rows), "y": level + random.normal(0, 0.3, rows)}


def planned(columns: dict[str, Any], target: str, folder: Path, task: str = "regression", **wish: Any) -> Split:
    request = Request(kind="model", text="predict it", target=target, **wish)
    return plan_split(request, profile_of(columns, folder), target, task)[0]  # type: ignore[arg-type]


def test_days_in_order_are_told_with_their_share(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(ROWS)]
    days[50], days[51] = days[51], days[50]
    split = planned({"day": days, **drifting()}, "y", tmp_path)
    assert (split.rule, split.column, split.ordered_by) == ("time", "day", "day")
    assert split.evidence == ("The rows are ordered by “day”: 99.67% of neighbours ascend.",)


def test_a_counter_is_an_order_only_where_the_target_drifts_along_it(tmp_path: Path) -> None:
    numbered = {"nr": list(range(1, ROWS + 1)), **drifting()}
    split = planned(numbered, "y", tmp_path / "a")
    assert (split.rule, split.column) == ("time", "nr")
    assert "only numbers them" in split.evidence[0]
    shuffled = np.random.default_rng(1).permutation(numbered["y"])
    assert planned({**numbered, "y": shuffled}, "y", tmp_path / "b").rule == "random"
    by_class = {**numbered, "y": ["a"] * 100 + ["b"] * 100 + ["c"] * 100}
    assert planned(by_class, "y", tmp_path / "c", "multiclass").rule == "stratified", "sorted by its target"


def test_repeated_ids_and_near_copies_are_told(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    base = {f"x{n}": random.normal(size=ROWS // 3) for n in range(4)}
    columns: dict[str, Any] = {name: np.tile(values, 3) * (1 + 1e-5) for name, values in base.items()}
    columns |= {"customer_id": [f"C{n % 100:04d}" for n in range(ROWS)], "y": random.normal(size=ROWS)}
    found = evidence_of(profile_of(columns, tmp_path), "y")
    assert "“customer_id” repeats: 3.0 rows each." in found.sentences
    assert found.entity is not None
    split = planned(columns, "y", tmp_path / "again")
    assert (split.rule, split.column, split.repeats) == ("group", "customer_id", "customer_id")
    copies = {name: column for name, column in columns.items() if name != "y"} | {"y": np.tile([1.5, 2.5, 3.5], 100)}
    copies["y"] = np.tile(copies["y"][:100], 3)
    said = evidence_of(profile_of(copies, tmp_path / "copies"), "y").sentences
    assert any("200 rows (67%) repeat an earlier one but for ids" in one for one in said)


def test_marks_come_first_and_the_share_is_theirs(tmp_path: Path) -> None:
    columns = marked(["train", "train", "train", "test"] * (ROWS // 4))
    split = planned(columns, "answer", tmp_path, "binary")
    assert (split.rule, split.column, split.holdout_fraction) == ("predefined", "set", 0.25)
    assert "“set” marks the rows: “train” 225, “test” 75." in split.evidence
    asked = planned(columns, "answer", tmp_path / "b", "binary", split_rule="group", split_column="set")
    assert asked.rule == "predefined", "“split by set”"
    few = marked(["train"] * (ROWS - 1) + ["test"])
    assert planned(few, "answer", tmp_path / "c", "binary").rule == "stratified"
    with pytest.raises(ContractError, match=r"marks 0.3% of the rows"):
        check_split("predefined", "set", profile_of(few, tmp_path / "d"), "answer", "binary")


def test_a_split_beside_the_sentence() -> None:
    assert read_split(" Time : day ") == {"rule": "time", "column": "day"}
    assert read_split("random") == {"rule": "random"}
    with pytest.raises(ContractError, match="There is no split “weekly”"):
        read_split("weekly:x")


# The proof


def scenes() -> dict[str, Split]:
    return {
        "random": Split(rule="random"),
        "stratified": Split(rule="stratified"),
        "time": Split(rule="time", column="day"),
        "group": Split(rule="group", column="who"),
        "predefined": Split(rule="predefined", column="set"),
    }


def whole() -> dict[str, Any]:
    columns = marked(["train", "train", "test"] * (ROWS // 3))
    columns |= {"day": [date(2024, 1, 1) + timedelta(days=n // 3) for n in range(ROWS)]}
    columns["gap"] = [None if n % 7 == 0 else float(n) for n in range(ROWS)]
    return columns | {"who": [f"w{n % 40}" for n in range(ROWS)]}


@pytest.mark.parametrize("rule", scenes())
def test_a_split_that_was_used_is_proved_with_figures(rule: str, tmp_path: Path) -> None:
    columns, split = whole(), scenes()[rule]
    table = table_of(columns, tmp_path)
    contract = contract_for(columns, "answer", split=split, without=["set", "who"])
    proof = prove(table.path, table.id, contract, seal(table, contract, tmp_path / "sealed"))
    assert proof.passed, proof.detail
    assert "sealed rows are exactly those that the plan names (hash " in proof.detail
    words = {"time": "Training ends with 2024-03-20", "group": "No “who” is in both parts", "predefined": "in the part"}
    assert words.get(rule, "drawn at random") in proof.detail


def test_what_was_not_kept_apart_is_found(tmp_path: Path) -> None:
    columns = whole()
    table = table_of(columns, tmp_path)
    contract = contract_for(columns, "answer", split=scenes()["time"], without=["set", "who"])
    sealed = seal(table, contract, tmp_path / "sealed")

    def found(changed: Sealed) -> str:
        proof = prove(table.path, table.id, contract, changed)
        assert not proof.passed
        return proof.detail

    other = contract.model_copy(update={"split": Split(rule="random")})
    assert "hash differs" in prove(table.path, table.id, other, sealed).detail
    train = pq.read_table(sealed.train)
    extra = tmp_path / "extra.parquet"
    pq.write_table(pa.concat_tables([train, train.slice(0, 5)]), extra)
    assert "training part does not hold" in found(Sealed(**{**vars(sealed), "train": extra}))
    answers = train.column("answer").to_pylist()
    flipped = pa.array(["yes" if answer == "no" else "no" for answer in answers])
    pq.write_table(train.set_column(train.column_names.index("answer"), "answer", flipped), extra)
    assert "answers in the training part" in found(Sealed(**{**vars(sealed), "train": extra}))
    gone = Sealed(**{**vars(sealed), "holdout_features": tmp_path / "nothing.parquet"})
    assert "could not be proved" in found(gone)
