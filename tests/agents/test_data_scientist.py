"""The data scientist's expert: contracts from real small tables, edits at the gate, and when it refuses."""

import csv
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from agents.data_scientist import ContractError, merge, problems, propose, revise
from agents.parser import parse, schema_of
from agents.state import Request
from tools.contract import ColumnPlan, Contract
from tools.ingest import ingest
from tools.profile import Profile, profile
from tools.samples import SAMPLES, write_sample
from tools.seal import seal

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
Columns = Mapping[str, Sequence[object]]
Table = Callable[[Columns], Profile]
ROWS = 200


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Columns -> a CSV that is really read and profiled."""

    def profiled(columns: Columns) -> Profile:
        path = tmp_path / "table.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return profile(ingest(path, tmp_path / "read"))

    return profiled


def draw(seed: int = 0) -> random.Random:
    return random.Random(seed)


def customers(rows: int = ROWS) -> dict[str, list[object]]:
    """A table with an id, numbers with gaps, a constant, an empty column, a category and a target of two classes."""
    dice = draw()
    return {
        "customer_id": [f"C{number:05d}" for number in range(rows)],
        "age": ["" if number % 17 == 0 else dice.randint(18, 80) for number in range(rows)],
        "income": [round(dice.uniform(1000, 9000), 2) for _ in range(rows)],
        "plan": [dice.choice(["basic", "plus", "pro"]) for _ in range(rows)],
        "country": ["AT"] * rows,
        "note": [""] * rows,
        "churn": [dice.choice(["no", "no", "no", "yes"]) for _ in range(rows)],
    }


def contract_for(found: Profile, target: str, **wishes: object) -> Contract:
    request = Request.model_validate({"kind": "model", "text": f"predict {target}", "target": target, **wishes})
    contract = propose(request, found, budget_seconds=60, seed=3)
    assert problems(contract, found) == ()
    return contract


def plan(contract: Contract, name: str) -> ColumnPlan:
    return next(column for column in contract.columns if column.name == name)


def says(contract: Contract, *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in contract.assumptions)


# --- a whole contract ---


def test_a_contract_of_two_classes(table: Table) -> None:
    contract = contract_for(table(customers()), "churn")
    assert (contract.task, contract.classes, contract.positive_class) == ("binary", ("no", "yes"), "yes")
    assert contract.features == ("age", "income", "plan")
    assert (contract.split.rule, contract.split.holdout_fraction) == ("stratified", 0.2)
    assert (contract.metric, contract.budget_seconds, contract.seed) == ("roc_auc", 60, 3)
    assert contract.metric not in contract.also
    assert contract.row_unit == "one customer"
    assert says(contract, "One row is one customer")
    assert says(contract, "“yes” is the positive class")
    assert "missed “yes”" in contract.cost_of_errors


def test_each_column_has_its_reason_and_steps(table: Table) -> None:
    contract = contract_for(table(customers()), "churn")
    assert "identifier is no feature" in plan(contract, "customer_id").reason
    assert "same value" in plan(contract, "country").reason
    assert "no value" in plan(contract, "note").reason
    assert any("median" in step for step in plan(contract, "age").steps)
    assert not any("median" in step for step in plan(contract, "income").steps)
    assert any("one-hot" in step for step in plan(contract, "plan").steps)
    assert all(column.reason for column in contract.columns)
    assert [column.name for column in contract.columns] == ["customer_id", "age", "income", "plan", "country", "note"]


def test_wishes_of_the_request_are_kept(table: Table) -> None:
    contract = contract_for(
        table(customers()),
        "churn",
        exclude=("age",),
        metric="recall",
        positive_class="NO",
        budget_seconds=20.0,
        candidates=("linear",),
        seed=9,
        holdout_fraction=0.3,
        split_rule="random",
        assumptions=("I take “leave” to mean the column “churn”.",),
    )
    assert contract.features == ("income", "plan")
    assert (contract.metric, contract.positive_class, contract.budget_seconds) == ("recall", "no", 20)
    assert (contract.candidates, contract.seed) == (("linear",), 9)
    assert (contract.split.rule, contract.split.holdout_fraction) == ("random", 0.3)
    assert contract.assumptions[0] == "I take “leave” to mean the column “churn”."
    assert "costs more than a false alarm" in contract.cost_of_errors
    assert plan(contract, "age").reason == "You asked to leave it out."


def test_only_named_columns_are_used(table: Table) -> None:
    contract = contract_for(table(customers()), "churn", include=("age", "country"))
    assert contract.features == ("age",)
    assert says(contract, "“country” cannot be used", "same value")


# --- the task, by evidence ---


@pytest.mark.parametrize(
    ("name", "values", "task"),
    [
        ("flag", [0, 1], "binary"),
        ("flag", ["true", "false"], "binary"),
        ("grade", [1, 2, 3], "multiclass"),
        ("quality", [3, 4, 5, 6, 7, 8], "multiclass"),
        ("level", [0.5, 1.5, 2.5], "multiclass"),
        ("bedrooms", [1, 2, 3, 4, 5], "regression"),
        ("visits", list(range(40)), "regression"),
        ("price", [number * 7.25 for number in range(90)], "regression"),
        ("colour", ["red", "green", "blue"], "multiclass"),
    ],
)
def test_the_task_follows_from_the_values(table: Table, name: str, values: list[object], task: str) -> None:
    dice = draw()
    contract = contract_for(
        table({"x": [dice.random() for _ in range(ROWS)], name: [dice.choice(values) for _ in range(ROWS)]}), name
    )
    assert contract.task == task
    assert bool(contract.classes) == (task != "regression")


def test_a_wish_for_the_task_wins_where_it_can(table: Table) -> None:
    dice = draw()
    found = table({"x": [dice.random() for _ in range(ROWS)], "grade": [dice.randint(1, 6) for _ in range(ROWS)]})
    assert contract_for(found, "grade").metric == "log_loss"
    number = contract_for(found, "grade", task="regression")
    assert (number.task, number.metric, number.classes) == ("regression", "rmse", ())
    assert contract_for(found, "grade", task="classification").task == "multiclass"


def test_a_wish_that_cannot_be_is_replaced_and_said(table: Table) -> None:
    found = table(customers())
    contract = contract_for(found, "churn", task="regression", metric="rmse", positive_class="maybe", split_rule="time")
    assert (contract.task, contract.metric, contract.positive_class) == ("binary", "roc_auc", "yes")
    assert says(contract, "asked for a number", "“churn”")
    assert says(contract, "RMSE does not fit", "ROC-AUC instead")
    assert says(contract, "“maybe” is no class")
    assert says(contract, "cannot be split by time")


def test_rare_positives_are_judged_by_precision_and_recall(table: Table) -> None:
    columns = customers()
    columns["churn"] = ["yes" if number % 25 == 0 else "no" for number in range(ROWS)]
    assert contract_for(table(columns), "churn").metric == "average_precision"


def test_gaps_in_the_target_are_said(table: Table) -> None:
    columns = customers()
    columns["churn"] = ["" if number < 50 else value for number, value in enumerate(columns["churn"])]
    assert says(contract_for(table(columns), "churn"), "50 of 200 rows have no usable value")


# --- the split, by evidence ---


def moments(rows: int, shuffle: bool = False) -> list[str]:
    start = datetime(2024, 1, 1)
    found = [(start + timedelta(hours=7 * number)).isoformat(sep=" ") for number in range(rows)]
    if shuffle:
        draw().shuffle(found)
    return found


@pytest.mark.parametrize(("name", "shuffle"), [("happened", False), ("order_date", True), ("timestamp", True)])
def test_rows_that_happen_are_split_by_time(table: Table, name: str, shuffle: bool) -> None:
    contract = contract_for(table({name: moments(ROWS, shuffle), **customers()}), "churn")
    assert (contract.split.rule, contract.split.column) == ("time", name)
    assert says(contract, "Split by time? I do")


def test_a_date_that_is_no_event_is_raised_only(table: Table) -> None:
    contract = contract_for(table({"birth_date": moments(ROWS, shuffle=True), **customers()}), "churn")
    assert contract.split.rule == "stratified"
    assert says(contract, "Split by time? I do not", "“birth_date”")
    assert plan(contract, "birth_date").use


def test_rows_of_one_entity_stay_together(table: Table) -> None:
    dice = draw()
    columns: dict[str, list[object]] = {
        "patient_id": [f"P{dice.randint(1, 60):04d}" for _ in range(ROWS)],
        **customers(),
    }
    contract = contract_for(table(columns), "churn")
    assert (contract.split.rule, contract.split.column) == ("group", "patient_id")
    assert not plan(contract, "patient_id").use
    assert contract_for(table(columns), "churn", split_rule="random").split.rule == "random"


def test_names_that_sound_like_the_target_are_pointed_out_not_dropped(table: Table) -> None:
    columns = customers()
    columns = {
        "churn_reason": [f"r{number % 4}" for number in range(ROWS)],
        "left": [value == "yes" for value in columns["churn"]],
        **columns,
    }
    contract = contract_for(table(columns), "churn")
    assert says(contract, "“churn_reason” sounds like “churn”")
    assert says(contract, "“left” has exactly as many rows per value")
    assert {"churn_reason", "left"} <= set(contract.features)


# --- refusals ---


def refusal(found: Profile, target: str) -> str:
    with pytest.raises(ContractError) as caught:
        propose(Request(kind="model", text="go", target=target), found, budget_seconds=60, seed=0)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["x"] * ROWS, "same value"),
        ([""] * ROWS, "no value"),
        ([""] * 190 + ["a", "b"] * 5, "Only 10 of 200 rows"),
        ([f"word{number} and {number * 7} more words here" for number in range(ROWS)], "too many to be classes"),
        ([f"K-{number:05d}" for number in range(ROWS)], "is an identifier"),
        (list(range(1, ROWS + 1)), "is an identifier"),
        (["yes"] + ["no"] * (ROWS - 1), "single row"),
        (moments(ROWS), "holds dates"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(table: Table, values: list[object], sentence: str) -> None:
    dice = draw()
    assert sentence in refusal(table({"x": [dice.random() for _ in range(ROWS)], "goal": values}), "goal")


def test_tables_that_cannot_be_learned_from_are_refused(table: Table) -> None:
    assert "no column “nope”" in refusal(table(customers()), "nope")
    assert "12 rows" in refusal(table({name: values[:12] for name, values in customers().items()}), "churn")
    assert "1 row;" in refusal(table({"x": [1], "y": [2]}), "y")
    assert "only column" in refusal(table({"y": [number % 2 for number in range(ROWS)]}), "y")
    ids = {"customer_id": customers()["customer_id"], "country": customers()["country"], "churn": customers()["churn"]}
    assert "No column is left" in refusal(table(ids), "churn")


def test_a_request_without_a_target_is_refused(table: Table) -> None:
    with pytest.raises(ContractError, match="No column to predict is named"):
        propose(Request(kind="model", text="go"), table(customers()), budget_seconds=60, seed=0)


def test_a_table_of_texts_is_fine(table: Table) -> None:
    dice = draw()
    words = ["good", "bad", "slow", "fast", "late", "kind", "rude", "warm", "cold", "new"]
    columns: dict[str, list[object]] = {
        "review": [f"{number} " + " ".join(dice.choices(words, k=9)) for number in range(ROWS)],
        "verdict": [dice.choice(["up", "down"]) for _ in range(ROWS)],
    }
    contract = contract_for(table(columns), "verdict")
    assert plan(contract, "review").role == "text"
    assert any("TF-IDF" in step for step in plan(contract, "review").steps)


# --- edits at the gate ---


@pytest.fixture
def found(table: Table) -> Profile:
    return table({"order_date": moments(ROWS, shuffle=True), **customers()})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"metric": "f1"}, {"metric": "f1"}),
        ({"positive_class": "no"}, {"positive_class": "no"}),
        ({"budget_seconds": 90}, {"budget_seconds": 90.0}),
        ({"budget_seconds": "2 minutes"}, {"budget_seconds": 120.0}),
        ({"budget_seconds": "45"}, {"budget_seconds": 45.0}),
        ({"candidates": ["lightgbm", "linear"]}, {"candidates": ("linear", "lightgbm")}),
        ({"seed": 11}, {"seed": 11}),
        ({"row_unit": "one contract"}, {"row_unit": "one contract"}),
        ({"exclude": ["age"]}, {"features": ("order_date", "income", "plan")}),
        ({"include": ["age", "plan"]}, {"features": ("age", "plan")}),
        ({"columns": [{"name": "age", "use": False}]}, {"features": ("order_date", "income", "plan")}),
        ({"columns": {"plan": False, "age": False}}, {"features": ("order_date", "income")}),
        ({"columns": {"plan": {"use": False}, "age": {"use": False}}}, {"features": ("order_date", "income")}),
        ({"columns": {"age": {"role": "id"}}}, {"features": ("order_date", "income", "plan")}),
        ({"also": ["recall", "f1"]}, {"also": ("recall", "f1")}),
    ],
)
def test_an_edit_changes_its_field(found: Profile, changes: dict[str, object], expected: dict[str, object]) -> None:
    before = contract_for(found, "churn")
    after = merge(before, changes, found)
    assert {name: getattr(after, name) for name in expected} == expected
    assert problems(after, found) == ()
    assert (after.target, after.task, after.classes) == (before.target, before.task, before.classes)


def test_an_edit_of_the_split(found: Profile) -> None:
    before = contract_for(found, "churn")
    assert before.split.rule == "time"
    after = merge(before, {"split": {"rule": "stratified", "holdout_fraction": 0.3}}, found)
    assert (after.split.rule, after.split.column, after.split.holdout_fraction) == ("stratified", None, 0.3)
    assert not says(after, "Split by time?")
    assert merge(after, {"split": {"rule": "time", "column": "order_date"}}, found).split.column == "order_date"


def test_an_edit_of_the_role_changes_the_steps(found: Profile) -> None:
    changes: dict[str, object] = {"columns": {"age": {"role": "category"}}}
    after = merge(contract_for(found, "churn"), changes, found)
    assert after == merge(contract_for(found, "churn"), {"columns": [{"name": "age", "role": "category"}]}, found)
    assert plan(after, "age").role == "category"
    assert any("one-hot" in step for step in plan(after, "age").steps)


def test_another_target_makes_all_that_hangs_on_it_anew(found: Profile) -> None:
    before = merge(contract_for(found, "churn"), {"exclude": ["plan"], "seed": 5, "budget_seconds": 30}, found)
    after = merge(before, {"target": "income"}, found)
    assert (after.task, after.metric, after.classes, after.positive_class) == ("regression", "rmse", (), None)
    assert "churn" in after.features
    assert not plan(after, "plan").use
    assert (after.seed, after.budget_seconds) == (5, 30)
    assert problems(after, found) == ()


def test_another_task_makes_measure_and_classes_anew(table: Table) -> None:
    dice = draw()
    found = table({"x": [dice.random() for _ in range(ROWS)], "grade": [dice.randint(1, 6) for _ in range(ROWS)]})
    after = merge(contract_for(found, "grade"), {"task": "regression"}, found)
    assert (after.task, after.metric, after.classes) == ("regression", "rmse", ())
    assert merge(after, {"task": "multiclass", "metric": "accuracy"}, found).classes == tuple("123456")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, "no field “colour”"),
        ({"target": "nope"}, "no column “nope”"),
        ({"target": "customer_id"}, "is an identifier"),
        ({"task": "clustering"}, "no task “clustering”"),
        ({"task": "regression"}, "holds text"),
        ({"task": "multiclass"}, "task is binary"),
        ({"metric": "rmse"}, "RMSE does not fit"),
        ({"metric": "profit"}, "no measure “profit”"),
        ({"positive_class": "maybe"}, "no class of “churn”"),
        ({"budget_seconds": 1}, "5 to 86,400 seconds"),
        ({"budget_seconds": "soon"}, "needs a number"),
        ({"budget_seconds": float("nan")}, "needs a number"),
        ({"seed": -1}, "whole number"),
        ({"seed": True}, "needs a number"),
        ({"candidates": []}, "At least one kind of model"),
        ({"candidates": ["svm"]}, "no kind of model “svm”"),
        ({"split": {"rule": "sideways"}}, "no split “sideways”"),
        ({"split": {"rule": "time", "column": None}}, "needs a column"),
        ({"split": {"rule": "time", "column": "plan"}}, "neither dates nor numbers"),
        ({"split": {"rule": "group", "column": "customer_id"}}, "different in every row"),
        ({"split": {"rule": "group", "column": "churn"}}, "is what is predicted"),
        ({"split": {"holdout_fraction": 0.95}}, "0.05 to 0.5"),
        ({"exclude": ["nope"]}, "no column “nope”"),
        ({"exclude": ["age", "income", "plan", "order_date"]}, "No column is left"),
        ({"include": ["churn"]}, "is the target"),
        ({"columns": [{"name": "country", "use": True}]}, "same value in every row"),
        ({"columns": [{"name": "customer_id", "use": True}]}, "identifier"),
        ({"columns": [{"name": "plan", "role": "number"}]}, "cannot be used as a number"),
        ({"columns": [{"name": "age", "use": "maybe"}]}, "true or false"),
        ({"columns": {"age": {"use": "maybe"}}}, "true or false"),
        ({"columns": {"age": {"role": "id", "use": True}}}, "both id and a feature"),
        ({"columns": {"age": {"colour": "red"}}}, "no field “colour”"),
        ({"columns": {"nope": {"use": False}}}, "no column “nope”"),
        ({"columns": "age"}, "needs its name"),
        ({"classes": ["a", "b"]}, "cannot be changed"),
        ({"row_unit": ""}, "needs a text"),
    ],
)
def test_a_wrong_edit_is_one_sentence(found: Profile, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ContractError) as caught:
        merge(contract_for(found, "churn"), changes, found)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_contract_sent_back_unchanged_is_the_same(found: Profile) -> None:
    contract = contract_for(found, "churn")
    assert merge(contract, contract.model_dump(mode="json"), found) == contract


def test_problems_are_named(found: Profile) -> None:
    contract = contract_for(found, "churn")
    for change, sentence in (
        ({"target": "nope"}, "no column “nope”"),
        ({"classes": ("a", "b")}, "classes in the contract"),
        ({"metric": "rmse"}, "does not fit"),
        ({"candidates": ()}, "At least one kind"),
        ({"columns": ()}, "only column"),
        ({"task": "regression"}, "holds text"),
    ):
        assert any(sentence in problem for problem in problems(contract.model_copy(update=change), found))


# --- follow-ups ---


def test_a_follow_up_keeps_what_was_edited_at_the_gate(found: Profile) -> None:
    edited = merge(contract_for(found, "churn"), {"exclude": ["plan"], "seed": 5, "metric": "f1"}, found)
    request = Request(kind="revise", text="try without age", target="churn", exclude=("age",))
    after = revise(edited, request, found)
    assert after.features == ("order_date", "income")
    assert (after.seed, after.metric, after.budget_seconds) == (5, "f1", 60)
    assert revise(edited, request.model_copy(update={"include": ("plan", "income")}), found).features == (
        "income",
        "plan",
    )


def test_a_follow_up_to_another_target_starts_anew(found: Profile) -> None:
    after = revise(contract_for(found, "churn"), Request(kind="revise", text="age instead", target="age"), found)
    assert (after.target, after.task) == ("age", "regression")


def test_only_what_the_follow_up_changed_replaces_an_edit(found: Profile) -> None:
    first = Request(kind="model", text="churn, recall", target="churn", metric="recall")
    edited = merge(propose(first, found, budget_seconds=60, seed=0), {"metric": "f1"}, found)
    follow = first.model_copy(update={"kind": "revise", "budget_seconds": 30.0})
    assert revise(edited, follow, found, previous=first).metric == "f1"
    assert (
        revise(edited, follow.model_copy(update={"metric": "precision"}), found, previous=first).metric == "precision"
    )


# --- tables that people know ---


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_each_sample_has_a_sound_contract(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    dataset = ingest(write_sample(name, tmp_path / "files"), tmp_path / "read")
    found = profile(dataset)
    request = parse(sample.request, schema_of(found, dataset))
    assert isinstance(request, Request)
    assert request.target == sample.target
    assert problems(propose(request, found, budget_seconds=30, seed=0), found) == ()


@pytest.mark.parametrize(
    ("name", "text", "target", "task", "rule"),
    [
        ("telco_churn", "which customers will leave?", "Churn", "binary", "stratified"),
        ("titanic", "who survived?", "Survived", "binary", "stratified"),
        ("penguins", "classify species", "species", "multiclass", "stratified"),
        ("wine_quality", "predict quality", "quality", "multiclass", "stratified"),
        ("bird_strikes", "predict the phase of flight", "phase_of_flt", "multiclass", "time"),
        ("california", "what drives house prices?", "median_house_value", "regression", "random"),
        ("bike_hour", "how many bikes will be rented?", "cnt", "regression", "time"),
        ("taxis_tip", "how much do people tip", "tip", "regression", "time"),
    ],
)
def test_each_shared_table_has_a_sound_contract(
    name: str, text: str, target: str, task: str, rule: str, tmp_path: Path
) -> None:
    path = SHARED / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"the shared table {name}.csv is not on this machine")
    dataset = ingest(path, tmp_path)
    found = profile(dataset)
    request = parse(text, schema_of(found, dataset))
    assert isinstance(request, Request)
    contract = propose(request, found, budget_seconds=60, seed=0)
    assert (contract.target, contract.task, contract.split.rule) == (target, task, rule)
    assert problems(contract, found) == ()


# --- too few rows of a class, numbers too large ---


def labels(**counts: int) -> dict[str, list[object]]:
    dice = draw()
    rows = [label for label, count in counts.items() for _ in range(count)]
    return {"x": [dice.random() for _ in rows], "target": list(rows)}


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"common": 198, "rare": 2}, "The class “rare” of “target” has only 2 rows"),
        ({"common": 196, "rare": 4}, "at least 5 rows of each of two classes"),
        ({"common": 196, "rare": 2, "rarer": 2}, "Only 4 rows of “target” are not “common”"),
    ],
)
def test_a_class_that_cannot_be_learned_and_tested_is_refused(
    table: Table, counts: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ContractError) as caught:
        contract_for(table(labels(**counts)), "target")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "counts", [{"common": 195, "rare": 5}, {"a": 100, "b": 95, "c": 1}, {"a": 195, "b": 3, "c": 1, "d": 1}]
)
def test_rare_classes_that_can_be_learned_are_sealed_and_said(
    table: Table, tmp_path: Path, counts: dict[str, int]
) -> None:
    found = table(labels(**counts))
    contract = contract_for(found, "target")
    sealed = seal(ingest(tmp_path / "table.csv", tmp_path / "again"), contract, tmp_path / "sealed")
    trained = pq.read_table(sealed.train, columns=["target"]).column("target").to_pylist()
    assert set(trained) == set(contract.classes) == set(counts)
    assert len(counts) == 2 or says(contract, "fewer than 5 rows")


def test_numbers_too_large_to_compute_with_are_refused(table: Table) -> None:
    dice = draw()
    found = table({"x": [dice.random() for _ in range(ROWS)], "y": [dice.random() * 1e308 for _ in range(ROWS)]})
    with pytest.raises(ContractError, match="too large to compute errors with"):
        contract_for(found, "y")
    large = {"x": [dice.random() for _ in range(ROWS)], "y": [dice.random() * 1e12 for _ in range(ROWS)]}
    assert contract_for(table(large), "y").task == "regression"
