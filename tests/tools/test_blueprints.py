"""Blueprints: tables that look like one and tables that do not, computed columns in the sandbox, wrong folders."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from agents.data_scientist import merge, propose
from agents.parser import parse, schema_of
from agents.planning.blueprints import OFF, attached, choose, offer, settled, wish, with_defaults
from agents.state import Question, Request
from sandbox.base import Sandbox
from tests.tools.modelling_scene import model_folder, run
from tools.blueprints.matching import best, match
from tools.blueprints.model import BlueprintError
from tools.blueprints.outcome import outcome
from tools.blueprints.page import blueprint_facts, blueprint_page, blueprint_text
from tools.blueprints.script import active
from tools.blueprints.shelf import OURS, Shelf, load, shelf
from tools.contract import Contract, ContractError
from tools.ingest import Dataset, ingest
from tools.lint import check
from tools.predictions import Predictions, write_predictions
from tools.profile import Profile, profile
from tools.recipes import fill, recipe_for
from tools.samples import SAMPLES, is_sample, write_sample
from tools.seal import seal, sealed_rows
from tools.worker import Workers

DOCS = Path(__file__).parents[2] / "docs" / "blueprints.md"
SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL = {
    "telco_churn": "churn", "california": "price_estimation", "bike_hour": "demand", "titanic": None, "penguins": None,
    "wine_quality": None, "taxis_tip": None, "bird_strikes": None,
}  # fmt: skip
NINE = {
    "tenure_group", "charges_per_month_of_tenure", "service_count", "contract_risk", "payment_friction",
    "price_change", "support_intensity", "engagement_trend", "expected_remaining_value",
}  # fmt: skip


OTHERS = ("titanic", "penguins", "taxis", "wine", "staff")


def telco(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Customers of a telephone company; those without a contract leave, and a reason is noted for those who left."""
    random = np.random.default_rng(seed)
    contract = random.choice(["Month-to-month", "One year", "Two year"], rows, p=[0.5, 0.3, 0.2])
    tenure, monthly = random.integers(0, 72, rows), random.uniform(20, 110, rows).round(2)
    left = random.random(rows) < np.where(contract == "Month-to-month", 0.55, 0.08)
    return pd.DataFrame(
        {
            "customerID": [f"C-{row:05d}" for row in range(rows)],
            "tenure": tenure,
            "Contract": contract,
            "MonthlyCharges": monthly,
            "TotalCharges": (tenure * monthly * random.uniform(0.8, 1.0, rows)).round(2),
            "PaymentMethod": random.choice(["Electronic check", "Bank transfer (automatic)", "Mailed check"], rows),
            "PhoneService": random.choice(["Yes", "No"], rows),
            "OnlineBackup": random.choice(["Yes", "No", "No internet service"], rows),
            "CustServ Calls": random.poisson(1.5, rows),
            "logins last 30 days": random.poisson(9, rows),
            "logins previous 30 days": random.poisson(9, rows),
            "Churn Reason": np.where(left, random.choice(["price", "moved", "service"], rows), ""),
            "Churn": np.where(left, "Yes", "No"),
        }
    )


def bank(rows: int = 300) -> pd.DataFrame:
    """Customers of a bank: tenure in years, other words for all."""
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "CustomerId": random.permutation(np.arange(15_000_000, 15_000_000 + rows)),
            "CreditScore": random.integers(400, 850, rows),
            "Geography": random.choice(["France", "Spain", "Germany"], rows),
            "Gender": random.choice(["Male", "Female"], rows),
            "Age": random.integers(18, 90, rows),
            "Tenure": random.integers(0, 11, rows),
            "Balance": random.uniform(0, 200_000, rows).round(2),
            "NumOfProducts": random.integers(1, 5, rows),
            "HasCrCard": random.integers(0, 2, rows),
            "IsActiveMember": random.integers(0, 2, rows),
            "EstimatedSalary": random.uniform(10_000, 200_000, rows).round(2),
            "Exited": random.integers(0, 2, rows),
        }
    )


def subscription(rows: int = 300) -> pd.DataFrame:
    """Subscribers of a film service, with a misspelt column."""
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "user_id": [f"u{row}x" for row in range(rows)],
            "plan_type": random.choice(["monthly", "annual"], rows),
            "monthly_fee": random.choice([9.99, 14.99, 19.99], rows),
            "months_subscribed": random.integers(1, 60, rows),
            "suport_tickets": random.poisson(1, rows),
            "watch_hours_last_month": random.uniform(0, 60, rows).round(1),
            "watch_hours_prev_month": random.uniform(0, 60, rows).round(1),
            "failed_payments": random.poisson(0.3, rows),
            "auto_renew": random.choice(["yes", "no"], rows),
            "cancelled": random.choice(["yes", "no"], rows, p=[0.3, 0.7]),
        }
    )


def read(table: pd.DataFrame, folder: Path) -> tuple[Dataset, Profile]:
    """The table as the product reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    dataset = ingest(folder / "table.csv", folder / "data")
    return dataset, profile(dataset)


def planned(
    table: pd.DataFrame, text: str, folder: Path, *, own: Path | None = None, earlier: Contract | None = None
) -> tuple[Contract, Dataset, Profile]:
    """From a sentence to the contract, as the data scientist's node does it."""
    dataset, found = read(table, folder)
    request = settled(parse(text, schema_of(found, dataset)), found, shelf(own))
    assert isinstance(request, Request)
    matched, _ = choose(request, found, shelf(own))
    request = with_defaults(request, matched, found)
    plan = propose(request, found, budget_seconds=20, seed=0)
    return attached(plan, matched, request, found, dataset.path, earlier), dataset, found


def computed_in(folder: Path, contract: Contract, sandbox_table: pd.DataFrame) -> str:
    """A script that writes the computed columns of a table instead of training."""
    script = recipe_for(contract, train_seconds=10).split("\nif __name__ ==")[0]
    folder.mkdir(parents=True, exist_ok=True)
    sandbox_table.to_parquet(folder / "rows.parquet")
    more = 'pd.DataFrame(with_derived(pd.read_parquet("inputs/rows.parquet"))).to_parquet("outputs/made.parquet")'
    return f'{script}\nif __name__ == "__main__":\n    {more}\n'


# ---- what is on the shelf


def test_our_six_blueprints_are_complete() -> None:
    ours = {blueprint.name: blueprint for blueprint in shelf().blueprints}
    assert set(ours) == {
        "churn", "lead_scoring", "credit_default", "price_estimation", "predictive_maintenance", "demand",
    }  # fmt: skip
    assert {feature.name for feature in ours["churn"].features} == NINE
    for blueprint in ours.values():
        assert load(OURS / blueprint.name) == blueprint, "the critic has nothing against it"
        assert len(blueprint.columns) >= 10, blueprint.name
        assert 4 <= len(blueprint.features) <= 9, blueprint.name
        assert blueprint.report, blueprint.name
        assert any(column.after_outcome for column in blueprint.columns.values()), blueprint.name
        assert all(column.synonyms for column in blueprint.columns.values()), blueprint.name


def test_no_synonym_of_a_blueprint_means_two_columns_that_look_alike() -> None:
    for blueprint in shelf().blueprints:
        seen: dict[str, str] = {}
        for name, column in blueprint.columns.items():
            for word in (name.replace("_", " "), *column.synonyms):
                other = seen.setdefault(word, name)
                apart = column.looks != blueprint.columns[other].looks
                assert other == name or apart, f"{blueprint.name}: “{word}” is {other} and {name}"


# ---- which table looks like what


@pytest.mark.parametrize(("table", "least"), [(telco(), 11), (bank(), 10), (subscription(), 9)])
def test_three_shapes_of_churn_are_recognised(table: pd.DataFrame, least: int, tmp_path: Path) -> None:
    found = best(shelf().blueprints, read(table, tmp_path)[1])
    assert found is not None
    assert found.blueprint.name == "churn"
    assert found.known >= least
    assert found.target == table.columns[-1]
    assert len(set(found.columns.values())) == len(found.columns)


def test_tenure_is_in_years_where_no_value_is_above_fifteen(tmp_path: Path) -> None:
    churn = next(one for one in shelf().blueprints if one.name == "churn")
    assert match(churn, read(bank(), tmp_path / "bank")[1]).columns["tenure_years"] == "Tenure"
    assert match(churn, read(telco(), tmp_path / "telco")[1]).columns["tenure"] == "tenure"


def other_tables() -> Mapping[str, pd.DataFrame]:
    """Tables about something else that share a word or two with a blueprint."""
    random = np.random.default_rng(3)
    n = 200
    titanic = {
        "PassengerId": range(n), "Survived": random.integers(0, 2, n), "Pclass": random.integers(1, 4, n),
        "Sex": random.choice(["male", "female"], n), "Age": random.uniform(1, 80, n), "SibSp": random.integers(0, 3, n),
        "Fare": random.uniform(5, 90, n), "Embarked": random.choice(["S", "C", "Q"], n),
    }  # fmt: skip
    penguins = {
        "species": random.choice(["Adelie", "Gentoo"], n), "island": random.choice(["Biscoe", "Dream"], n),
        "bill_length_mm": random.uniform(30, 50, n), "body_mass_g": random.uniform(3000, 6000, n),
        "sex": random.choice(["MALE", "FEMALE"], n),
    }  # fmt: skip
    taxis = {
        "pickup": pd.date_range("2019-03-01", periods=n, freq="h"), "passengers": random.integers(1, 5, n),
        "distance": random.uniform(0, 20, n), "fare": random.uniform(3, 60, n), "tip": random.uniform(0, 9, n),
        "payment": random.choice(["cash", "card"], n),
    }  # fmt: skip
    wine = {"alcohol": random.uniform(8, 14, n), "pH": random.uniform(3, 4, n), "quality": random.integers(3, 9, n)}
    staff = {"age": random.integers(18, 65, n), "salary": random.uniform(1, 9, n), "left": random.integers(0, 2, n)}
    tables: dict[str, dict[str, Any]] = {
        "titanic": titanic,
        "penguins": penguins,
        "taxis": taxis,
        "wine": wine,
        "staff": staff,
    }
    return {name: pd.DataFrame(columns) for name, columns in tables.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_a_table_about_something_else_gets_no_offer(name: str, tmp_path: Path) -> None:
    found = read(other_tables()[name], tmp_path)[1]
    assert best(shelf().blueprints, found) is None
    assert offer(found, shelf()) == ""


@pytest.mark.parametrize("name", [name for name in SAMPLES if is_sample(name)])
def test_samples_that_are_shipped_get_no_false_offer(name: str, tmp_path: Path) -> None:
    found = profile(ingest(write_sample(name, tmp_path), tmp_path / "data"))
    matched = best(shelf().blueprints, found)
    assert matched is None or (name, matched.blueprint.name) in ALLOWED


@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_tables_are_taken_for_what_they_are(name: str, expected: str | None, tmp_path: Path) -> None:
    if not (SHARED / f"{name}.csv").is_file():
        pytest.skip("the shared tables are not here")
    found = best(shelf().blueprints, profile(ingest(SHARED / f"{name}.csv", tmp_path)))
    assert (found.blueprint.name if found else None) == expected


ALLOWED = {("california", "price_estimation"), ("california_housing", "price_estimation"), ("churn", "churn")}


def test_another_target_than_the_blueprints_gets_no_offer(tmp_path: Path) -> None:
    contract, _, _ = planned(telco(), "predict MonthlyCharges", tmp_path)
    assert contract.blueprint is None
    assert contract.target == "MonthlyCharges"


# ---- the sentence and the contract


@pytest.mark.parametrize(
    ("text", "named", "rest"),
    [
        ("predict churn without the blueprint", OFF, "predict churn"),
        ("predict churn, no blueprint please", OFF, "predict churn please"),
        ("do not use the churn blueprint", OFF, ""),
        ("predict churn with the customer churn blueprint, in 30 s", "customer churn", "predict churn, in 30 s"),
        ("use blueprint lead scoring", "lead scoring", ""),
        ("predict churn by month", None, "predict churn by month"),
    ],
)
def test_what_a_sentence_says_of_blueprints(text: str, named: str | None, rest: str) -> None:
    assert wish(text) == (named, rest)


def test_the_contract_says_what_it_found_and_leaves_out_what_is_known_afterwards(tmp_path: Path) -> None:
    contract, _, _ = planned(telco(), "predict Churn", tmp_path)
    part = contract.blueprint
    assert part is not None
    assert {one.name for one in part.derived} == NINE
    assert re.match(r"This looks like customer churn: 12 of 12 columns match; 9 columns are computed", part.sentence)
    assert contract.assumptions[0] == part.sentence
    reason = next(column for column in contract.columns if column.name == "Churn Reason")
    assert not reason.use
    assert "Known only with the answer" in reason.reason
    assert contract.positive_class == "Yes"
    assert "customer who leaves unnoticed" in contract.cost_of_errors
    assert "known only afterwards" not in " ".join(contract.features)
    assert dict(blueprint_facts(part.model_dump()))["Blueprint"].startswith("Customer churn; data ")
    hash(contract)


def test_named_without_a_target_the_blueprint_answers_the_question(tmp_path: Path) -> None:
    table = telco().rename(columns={"Churn": "has churned", "Churn Reason": "churn category"})
    contract, _, _ = planned(table, "use the churn blueprint", tmp_path)
    assert contract.target == "has churned"
    assert contract.blueprint is not None
    assert contract.blueprint.sentence.startswith("The blueprint “Customer churn” is used")


def test_a_blueprint_that_is_not_there_or_does_not_fit_is_said(tmp_path: Path) -> None:
    found = read(other_tables()["wine"], tmp_path)[1]
    request = Request(kind="model", text="", target="quality", blueprint="fraud")
    assert "There is no blueprint “fraud”; there are" in choose(request, found, shelf())[1][0]
    matched, said = choose(request.model_copy(update={"blueprint": "churn"}), found, shelf())
    assert matched is None
    assert "does not fit" in said[0]


def test_a_follow_up_leaves_the_blueprint_out_and_brings_it_back(tmp_path: Path) -> None:
    dataset, found = read(telco(), tmp_path)
    schema = schema_of(found, dataset)
    first = parse("predict Churn", schema)
    assert isinstance(first, Request)
    without = parse("without the blueprint", schema, first)
    assert isinstance(without, Request)
    assert (without.kind, without.target, without.blueprint) == ("revise", "Churn", OFF)
    assert choose(without, found, shelf())[0] is None
    longer = parse("give it 90 seconds", schema, without)
    assert isinstance(longer, Request)
    assert longer.blueprint == OFF, "it stays left out"
    again = parse("use the churn blueprint", schema, longer)
    assert isinstance(again, Request)
    assert again.blueprint == "churn"
    assert not isinstance(again, Question)


def test_edits_at_the_gate(tmp_path: Path) -> None:
    contract, _, found = planned(telco(), "predict Churn", tmp_path)
    edited = merge(contract, {"blueprint": {"tenure_group": "no", "cost": "5", "success": 0.5}}, found)
    assert "tenure_group" not in {one.name for one in active(edited)}
    assert edited.blueprint is not None
    assert {one.name: one.value for one in edited.blueprint.stated}["cost"] == 5
    assert "tenure_group" not in recipe_for(edited, train_seconds=10)
    assert merge(contract, contract.model_dump(mode="json"), found) == contract
    without = merge(contract, {"blueprint": "no"}, found)
    assert without.blueprint is None
    assert not any("looks like" in sentence for sentence in without.assumptions)
    for change, words in (
        ({"magic": True}, "has no “magic”"),
        ({"cost": "a lot"}, "from 0 to"),
        ({"success": 2}, "from 0 to 1"),
        ({"tenure_group": "perhaps"}, "yes or no"),
    ):
        with pytest.raises(ContractError, match=words):
            merge(contract, {"blueprint": change}, found)


def test_a_column_that_is_switched_off_takes_its_computed_columns_along(tmp_path: Path) -> None:
    contract, _, found = planned(telco(), "predict Churn", tmp_path)
    edited = merge(contract, {"exclude": ["Contract", "PhoneService"]}, found)
    names = {one.name: dict(one.sources) for one in active(edited)}
    assert "contract_risk" not in names
    assert "expected_remaining_value" not in names
    assert set(names["service_count"].values()) == {"OnlineBackup"}
    assert "PhoneService" not in recipe_for(edited, train_seconds=10)


def test_replanning_never_brings_back_what_is_known_afterwards(tmp_path: Path) -> None:
    contract, _, found = planned(telco(), "predict Churn", tmp_path)
    changes: list[dict[str, object]] = [{"include": []}, {"task": "binary", "include": []}, {"split": "random"}]
    for change in changes:
        edited = merge(contract, change, found)
        assert "Churn Reason" not in edited.features, change
    insisted = merge(contract, {"columns": {"Churn Reason": {"use": True}}}, found)
    assert "Churn Reason" in insisted.features


def test_quality_names_what_it_costs(tmp_path: Path) -> None:
    good = planned(telco(), "predict Churn", tmp_path / "good")[0].blueprint
    table = telco()
    table.loc[:99, "tenure"] = -5
    table.loc[:50, "customerID"] = "C-00000"
    table.loc[:200, "MonthlyCharges"] = np.nan
    bad = planned(table.drop(columns=["CustServ Calls"]), "predict Churn", tmp_path / "bad")[0].blueprint
    assert good is not None
    assert bad is not None
    assert good.quality > bad.quality
    assert 0 <= bad.quality <= 100
    lost = {name: sentence for name, _, sentence in bad.quality_parts}
    assert "100 values of “tenure” below 0" in lost["rules"]
    assert "50 values of “customerID” that stand there more than once" in lost["rules"]
    assert "MonthlyCharges" in lost["gaps"]
    assert "support intensity" in lost["features"]
    assert bad.quality == pytest.approx(100 - sum(points for _, points, _ in bad.quality_parts), abs=0.11)


# ---- the script


def test_without_a_blueprint_the_script_is_the_recipe_and_nothing_else(tmp_path: Path) -> None:
    contract, _, _ = planned(telco(), "predict Churn without the blueprint", tmp_path)
    assert contract.blueprint is None
    script = recipe_for(contract, train_seconds=10)
    assert "DERIVED" not in script
    assert "with_derived" not in script
    with pytest.raises(ValueError, match="no parameter DERIVED"):
        fill("predict", {"DERIVED": {}})


def test_the_script_carries_only_the_functions_that_it_uses_and_passes_the_critic(tmp_path: Path) -> None:
    contract, _, _ = planned(bank(), "predict Exited", tmp_path)
    script = recipe_for(contract, train_seconds=10)
    assert {one.name for one in active(contract)} == {"tenure_group", "service_count"}
    assert "def tenure_group" in script
    assert "def contract_risk" not in script
    assert "_months" not in script
    found = check(script, target=contract.target, features=contract.features, classes=contract.classes)
    assert [finding for finding in found if finding.blocks] == []


@pytest.mark.parametrize("blueprint", shelf().blueprints, ids=lambda blueprint: blueprint.name)
async def test_every_feature_of_ours_works_on_rows_alone_and_on_nothing_at_all(
    blueprint: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A table with all canonical columns: computed at once, row by row, and for a row of which nothing is known."""
    random = np.random.default_rng(0)
    made: dict[str, Any] = {}
    for name, column in blueprint.columns.items():
        if column.kind == "number":
            low, high = column.rules.min or 0, min(column.rules.max or 100, 100)
            made[name] = random.uniform(low, max(high, low + 1), 60).round(1)
        elif column.kind == "date":
            made[name] = pd.date_range("2024-01-01", periods=60, freq="D")
        else:
            made[name] = random.choice(
                ["Yes", "No", "Two year", "Electronic check"][: 2 if column.kind == "boolean" else 4], 60
            )
    table = pd.DataFrame(made)
    if blueprint.contract.positive:
        table[blueprint.contract.target] = random.choice(["yes", "no"], 60)
    contract, _, _ = planned(table, f"predict {blueprint.contract.target}", tmp_path, own=None)
    if contract.blueprint is None or contract.blueprint.name != blueprint.name:
        contract, _, _ = planned(
            table, f"predict {blueprint.contract.target} with the {blueprint.title} blueprint", tmp_path / "named"
        )
    assert {one.name for one in active(contract)} == {feature.name for feature in blueprint.features}
    rows = table[list(contract.features)].iloc[:9].copy()
    rows.loc[9] = [None] * len(rows.columns)
    text = computed_in(tmp_path / "script", contract, rows).replace(
        'pd.DataFrame(with_derived(pd.read_parquet("inputs/rows.parquet")))',
        'pd.concat([with_derived(t) for rows in [pd.read_parquet("inputs/rows.parquet")]'
        " for t in [rows, *(rows.iloc[[i]] for i in range(len(rows)))]])",
    )
    ran = await run(sandbox, text, {"rows.parquet": tmp_path / "script" / "rows.parquet"}, tmp_path / "out")
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.errors}"
    both = pd.read_parquet(tmp_path / "out" / "made.parquet")
    names = [feature.name for feature in blueprint.features]
    together, alone = both.iloc[:10][names], both.iloc[10:][names]
    pd.testing.assert_frame_equal(together.reset_index(drop=True), alone.reset_index(drop=True), check_dtype=False)
    assert together.notna().any().any()


async def test_the_nine_features_of_churn_mean_what_they_say(sandbox: Sandbox, tmp_path: Path) -> None:
    contract, _, _ = planned(telco(), "predict Churn", tmp_path / "plan")
    row = {
        "tenure": [10.0, 0.0], "Contract": ["Two year", "Month-to-month"], "MonthlyCharges": [110.0, 50.0],
        "TotalCharges": [1000.0, 0.0], "PaymentMethod": ["Mailed check", "Bank transfer (automatic)"],
        "PhoneService": ["Yes", "No"], "OnlineBackup": ["Yes", "No internet service"], "CustServ Calls": [5.0, 0.0],
        "logins last 30 days": [5.0, 3.0], "logins previous 30 days": [10.0, 0.0],
    }  # fmt: skip
    script = computed_in(tmp_path / "script", contract, pd.DataFrame(row))
    ran = await run(sandbox, script, {"rows.parquet": tmp_path / "script" / "rows.parquet"}, tmp_path / "out")
    assert ran.outcome.ok, ran.errors
    made = pd.read_parquet(tmp_path / "out" / "made.parquet")
    assert made["tenure_group"].tolist() == ["7 to 12 months", "up to 6 months"]
    assert made["charges_per_month_of_tenure"].tolist() == [100.0, 0.0]
    assert made["service_count"].tolist() == [2.0, 0.0]
    assert made["contract_risk"].round(3).tolist() == [0.204, 1.0]
    assert made["payment_friction"].tolist() == [2.0, 0.0]
    assert made["price_change"].iloc[0] == pytest.approx(0.1)
    assert np.isnan(made["price_change"].iloc[1])
    assert made["support_intensity"].tolist() == [6.0, 0.0]
    assert made["engagement_trend"].iloc[0] == -0.5
    assert made["expected_remaining_value"].tolist() == [110.0 * 14, 50.0]


async def test_from_the_table_to_whom_to_call(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    contract, dataset, _ = planned(telco(), "predict Churn", tmp_path)
    sealed = seal(dataset, contract, tmp_path / "sealed")
    rows = sealed_rows(dataset.path, dataset.id, contract)
    table = pd.read_parquet(dataset.path)
    labels = pd.read_parquet(sealed.holdout_labels)
    assert table["Churn"].iloc[rows].tolist() == labels["target"].tolist()
    script = recipe_for(contract, train_seconds=8)
    ran = await run(sandbox, script, {"train.parquet": sealed.train}, tmp_path / "train")
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.errors}"
    folder = model_folder(tmp_path / "train", script)
    found = await workers.predict(folder, contract, sealed.holdout_features)
    write_predictions(found, contract, tmp_path / "predictions.parquet")
    told = outcome(
        contract,
        table=dataset.path,
        dataset_id=dataset.id,
        labels=sealed.holdout_labels,
        predictions=tmp_path / "predictions.parquet",
        script=script,
    )
    assert told is not None
    first, worth = told["sections"]
    assert first["title"] == "Whom to call first"
    probability = found.probabilities[:, 1] if found.probabilities is not None else np.zeros(0)
    kept = 0.2 * 12 * table["MonthlyCharges"].iloc[rows].to_numpy()
    gain = probability * kept - 10
    best_row = table["customerID"].iloc[rows].to_numpy()[gain.argmax()]
    assert first["text"].splitlines()[4].startswith(f"| {best_row} |")
    really = (labels["target"] == "Yes").to_numpy()
    chosen = gain > 0
    seen = (really * kept - 10)[chosen].sum()
    assert f"it is {seen:,.0f}" in worth["text"] or f"it is {seen:.3g}" in worth["text"]
    assert f"{(chosen & really).sum():,} of these really left" in worth["text"]
    assert "{{" not in blueprint_page({"blueprint": told}) + blueprint_text({"blueprint": told})


def test_how_far_off_numbers_are_in_words(tmp_path: Path) -> None:
    random, n = np.random.default_rng(0), 120
    table = pd.DataFrame(
        {
            "dteday": pd.date_range("2024-01-01", periods=n, freq="h"),
            "hr": [row % 24 for row in range(n)],
            "temp": random.uniform(0, 1, n),
            "hum": random.uniform(0, 1, n),
            "casual": random.integers(1, 9, n),
            "cnt": random.integers(50, 150, n),
        }
    )
    contract, dataset, _ = planned(table, "predict cnt", tmp_path)
    assert contract.blueprint is not None
    assert contract.blueprint.name == "demand"
    assert "casual" not in contract.features
    sealed = seal(dataset, contract, tmp_path / "sealed")
    truth = pd.read_parquet(sealed.holdout_labels)["target"].to_numpy()
    write_predictions(Predictions(truth * 1.1, None), contract, tmp_path / "predictions.parquet")
    files = {"labels": sealed.holdout_labels, "predictions": tmp_path / "predictions.parquet"}
    told = outcome(contract, table=dataset.path, dataset_id=dataset.id, **files, script="print(1)")
    assert told is not None
    said, worst = (section["text"] for section in told["sections"])
    assert "(10% of the true demand); 100% are within 20%. 100% of the forecasts are too high" in said
    assert f"on average a forecast is {truth.mean() / 10:.3g} too high" in said
    row = sealed_rows(dataset.path, dataset.id, contract)[truth.argmax()]
    assert worst.splitlines()[2].startswith(f"| row {row + 1} of the table |")
    assert not any(one["used"] for one in told["derived"]), "a script of the user's own computes none of them"


# ---- a folder of one's own


def blocks() -> tuple[str, str]:
    """The two files as they stand in the page."""
    text = DOCS.read_text(encoding="utf-8")
    return (
        re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0],
        re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0],
    )


def folder_of(toml: str, features: str, path: Path) -> Path:
    """A blueprint's folder."""
    path.mkdir(parents=True)
    (path / "blueprint.toml").write_text(toml, encoding="utf-8")
    (path / "features.py").write_text(features, encoding="utf-8")
    return path


async def test_the_example_of_the_page_works_as_it_stands_there(sandbox: Sandbox, tmp_path: Path) -> None:
    folder_of(*blocks(), tmp_path / "mine" / "no_show")
    random, n = np.random.default_rng(0), 200
    table = pd.DataFrame(
        {
            "patient number": [f"P{row:04d}" for row in range(n)],
            "waiting_days": random.integers(0, 60, n),
            "earlier no-shows": random.integers(0, 4, n),
            "earlier bookings": random.integers(4, 9, n),
            "reason for absence": random.choice(["ill", "forgot", "work"], n),
            "NoShow": random.choice(["yes", "no"], n),
        }
    )
    contract, _, _ = planned(table, "predict NoShow", tmp_path / "plan", own=tmp_path / "mine")
    assert contract.blueprint is not None
    assert contract.blueprint.title == "Missed appointments"
    assert "reason for absence" not in contract.features
    assert contract.metric == "average_precision"
    rows = pd.DataFrame({"waiting_days": [20.0, 3.0], "earlier no-shows": [1.0, 0.0], "earlier bookings": [4.0, 0.0]})
    script = computed_in(tmp_path / "script", contract, rows)
    assert [finding for finding in check(script, target="NoShow") if finding.blocks] == []
    ran = await run(sandbox, script, {"rows.parquet": tmp_path / "script" / "rows.parquet"}, tmp_path / "out")
    assert ran.outcome.ok, ran.errors
    made = pd.read_parquet(tmp_path / "out" / "made.parquet")
    assert made["notice"].tolist() == ["long ago", "lately"]
    assert made["missed_share"].iloc[0] == 0.25
    assert made["effort"].iloc[0] == pytest.approx(2 * np.log1p(20))


def test_ones_own_takes_the_place_of_ours_and_a_broken_one_is_said(tmp_path: Path) -> None:
    toml, features = blocks()
    folder_of(toml, features, tmp_path / "churn")
    folder_of("title = 3", features, tmp_path / "broken")
    (tmp_path / "empty").mkdir()
    found: Shelf = shelf(tmp_path)
    named = found.named("churn")
    assert named is not None
    assert named.title == "Missed appointments"
    assert len(found.blueprints) == len(shelf().blueprints)
    assert len(found.problems) == 2
    assert "“broken” is left out: blueprint.toml: " in found.problems[0]
    assert "“empty” is left out: it has no blueprint.toml." in found.problems[1]
    assert "does not exist" in shelf(tmp_path / "nowhere").problems[0]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ("import os\ndef a(days_ahead):\n    'A.'\n    return os.getcwd()", "line"),
        ("from pathlib import Path\nX = 3", "line 1: besides functions"),
        (
            "def a(days_ahead):\n    'A.'\n    return days_ahead / days_ahead.mean()",
            "line 3: “.mean” looks at other rows",
        ),
        ("def a(days_ahead):\n    return days_ahead", "needs a docstring"),
        ("def a(height):\n    'Height.'\n    return height", "“height” is no column"),
        ("def a(missed):\n    'The answer.'\n    return missed", "known only with the answer"),
        ("def a(excuse):\n    'Said later.'\n    return excuse.str.len()", "known only with the answer"),
        ("def tidy(days_ahead):\n    'Mine.'\n    return days_ahead", "choose another name"),
        ("def a(days_ahead=3):\n    'A.'\n    return days_ahead", "default None and no other"),
        ("def a(*days_ahead):\n    'A.'\n    return 1", "plain function"),
        ("X = open('x').read()", "line 1"),
        ("def a(days_ahead)\n    return 1", "line 1"),
    ],
)
def test_wrong_features_are_refused_with_a_sentence(features: str, words: str, tmp_path: Path) -> None:
    toml = blocks()[0].replace('categories = ["notice"]', "categories = []")
    with pytest.raises(BlueprintError) as caught:
        load(folder_of(toml, features, tmp_path / "mine"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('metric = "average_precision"', 'metric = "luck"', "there is no measure “luck”"),
        ('target = "missed"', 'target = "absence"', "“absence” is no column"),
        ("{{chosen}}", "{{magic}}", "{{magic}}, which nobody computes"),
        ('kind = "id"', 'kind = "face"', "columns.patient_id.kind"),
        ("at_least = 2", "at_least = 'two'", "at_least"),
        ("[columns.missed]", "[columns.Missed One]", "no TOML"),
        ('categories = ["notice"]', 'categories = ["noise"]', "“noise” in categories is no function"),
        ('title = "Missed appointments"', 'title = "Missed appointments"\nname = "x"', "must not say name"),
        ("telling = true ", "teling = true ", "extra inputs are not permitted"),
    ],
)
def test_wrong_descriptions_are_refused_with_a_sentence(old: str, new: str, words: str, tmp_path: Path) -> None:
    toml, features = blocks()
    assert old in toml
    with pytest.raises(BlueprintError) as caught:
        load(folder_of(toml.replace(old, new, 1), features, tmp_path / "mine"))
    assert words in str(caught.value)


async def test_a_feature_that_looks_at_other_rows_all_the_same_ends_in_a_sentence(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What reading the code cannot see, the training script notices."""
    sneaky = "def sneaky(days_ahead):\n    'Rows before it.'\n    return days_ahead - days_ahead.to_numpy()[0]\n"
    toml = blocks()[0].replace('categories = ["notice"]', "categories = []")
    folder_of(toml, sneaky.replace("[0]", "[-1]"), tmp_path / "mine" / "no_show")
    table = pd.DataFrame({"days_ahead": range(100), "missed_before": range(100), "missed": ["yes", "no"] * 50})
    contract, _, _ = planned(table, "predict missed", tmp_path / "plan", own=tmp_path / "mine")
    script = computed_in(tmp_path / "script", contract, table[["days_ahead", "missed_before"]])
    ran = await run(sandbox, script, {"rows.parquet": tmp_path / "script" / "rows.parquet"}, tmp_path / "out")
    assert not ran.outcome.ok
    assert "The computed column sneaky looks at other rows" in ran.errors


def test_features_are_text_to_the_host(tmp_path: Path) -> None:
    """Reading a blueprint runs nothing of it."""
    witness = tmp_path / "ran"
    features = f"def a(days_ahead):\n    'A.'\n    return days_ahead\n\n\nX = [open({str(witness)!r}, 'w')]\n"
    with pytest.raises(BlueprintError):
        load(folder_of(blocks()[0].replace('["notice"]', "[]"), features, tmp_path / "mine"))
    assert not witness.exists()
    assert (OURS / "churn" / "features.py").is_file()
    assert pa.table({"a": [1]}).num_rows == 1
