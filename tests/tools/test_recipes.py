"""Recipes run as they would: filled from a contract, in the real sandbox, model loaded and judged outside training."""

import ast
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import Ran, contract_for, model_folder, numbers, run, sealed_scene, two_classes
from tools import recipes
from tools.contract import Contract, Split
from tools.curves import curves
from tools.importance import importance
from tools.predictions import Predictions, write_predictions
from tools.recipes import RecipeError, fill, recipe_for
from tools.score import Score, score
from tools.seal import Sealed
from tools.worker import Workers

HEAD_OF_BOTH = (
    "tell",
    "used",
    "late",
    "as_text",
    "tidy",
    "lasting",
    "parts_of",
    "columns_for_linear",
    "blend",
    "save",
    "fit_once_more",
)


async def train(sandbox: Sandbox, script: str, sealed: Sealed, folder: Path) -> Ran:
    """The training run; it must end well."""
    inputs = {"train.parquet": sealed.train} | ({"groups.parquet": sealed.groups} if sealed.groups else {})
    ran = await run(sandbox, script, inputs, folder / "train")
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.text}\n{ran.errors}"
    assert ran.errors == ""
    return ran


async def predict(workers: Workers, contract: Contract, script: str, folder: Path, table: Path) -> Predictions:
    """What the model that `train` left says, asked as the product asks; also kept as a file."""
    found = await workers.predict(model_folder(folder / "train", script), contract, table)
    write_predictions(found, contract, folder / "predict" / "predictions.parquet")
    return found


async def baseline(sandbox: Sandbox, contract: Contract, sealed: Sealed, folder: Path) -> Mapping[str, Path]:
    """Predictions of the baselines."""
    inputs = {"train.parquet": sealed.train, "holdout_features.parquet": sealed.holdout_features}
    ran = await run(sandbox, recipes.baseline_for(contract), inputs, folder / "baseline")
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.text}\n{ran.errors}"
    return {name: folder / "baseline" / f"{name}.parquet" for name in ("dummy", "linear")}


async def whole_job(
    sandbox: Sandbox,
    workers: Workers,
    columns: Mapping[str, Any],
    contract: Contract,
    folder: Path,
    seconds: float = 20,
) -> tuple[Score, Ran, str]:
    """Seal, train, predict, score."""
    sealed = sealed_scene(columns, contract, folder)
    script = recipe_for(contract, train_seconds=seconds)
    ran = await train(sandbox, script, sealed, folder)
    await predict(workers, contract, script, folder, sealed.holdout_features)
    found = await baseline(sandbox, contract, sealed, folder)
    predictions = folder / "predict" / "predictions.parquet"
    return score(sealed.holdout_labels, predictions, contract, baselines=found), ran, script


def test_fill_sets_every_parameter_and_nothing_else() -> None:
    columns = two_classes()
    script = recipe_for(contract_for(columns, "answer"), train_seconds=12.34)
    filled = recipes.parameters(script)
    assert filled["TARGET"] == "answer"
    assert filled["CLASSES"] == ["no", "yes"]
    assert (filled["NUMBERS"], filled["CATEGORIES"]) == (["age", "noise"], ["colour"])
    assert filled["TIME_BUDGET"] == 12.3
    unchanged = [line for line in recipes.text("classification").splitlines() if line.startswith(("def ", "class "))]
    assert unchanged == [line for line in script.splitlines() if line.startswith(("def ", "class "))]
    assert "# seconds for this whole program" in script


def test_fill_refuses_unknown_unset_and_unwritable_values() -> None:
    values = recipes.parameters(recipes.text("predict"))
    with pytest.raises(RecipeError, match="no parameter COLOUR"):
        fill("predict", {**values, "COLOUR": 1})
    with pytest.raises(RecipeError, match="needs a value for CLASSES"):
        fill("predict", {name: value for name, value in values.items() if name != "CLASSES"})
    with pytest.raises(RecipeError, match="cannot be written"):
        fill("predict", {**values, "DATES": [date(2024, 1, 1)]})


def test_a_column_name_stays_data() -> None:
    odd = 'x"] = []\nimport os\nos.system("id")  # \\ ” 価格'
    values = recipes.parameters(recipes.text("predict"))
    script = fill("predict", {**values, "FEATURES": [odd, "é" * 200]})
    assert recipes.parameters(script)["FEATURES"] == [odd, "é" * 200]
    assert not [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import) and "os" in ast.dump(node)]


def test_the_positive_class_comes_second() -> None:
    columns = two_classes()
    script = recipe_for(contract_for(columns, "answer", positive="no"), train_seconds=10)
    assert recipes.parameters(script)["CLASSES"] == ["yes", "no"]


def test_programs_that_share_a_function_share_its_text() -> None:
    """Each program stands alone, so what they have in common is there twice; it must not drift apart."""
    left, right = _functions("classification"), _functions("regression")
    for name in HEAD_OF_BOTH:
        assert left[name] == right[name], name


def _functions(recipe: str) -> dict[str, str]:
    source = recipes.text(recipe)
    tree = ast.parse(source)
    return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


async def test_two_classes_from_table_to_score(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = two_classes(500)
    contract = contract_for(columns, "answer", also=("log_loss", "f1"))
    result, ran, script = await whole_job(sandbox, workers, columns, contract, tmp_path)
    assert result.metric.name == "roc_auc"
    assert 0.85 < result.metric.value < 1.0
    assert result.metric.ci_low < result.metric.value < result.metric.ci_high
    assert result.comparison in ("better", "tie")
    assert {baseline.model for baseline in result.baselines} == {"dummy", "linear"}
    board = ran.of_kind("leaderboard")[0]["rows"]
    assert {"dummy", "linear", "lightgbm", "extra_trees"} <= {row["model"] for row in board}
    assert board == sorted(board, key=lambda row: -row["cv_score"])
    assert len(ran.of_kind("fold")) == 20
    assert ran.of_kind("metric")[0]["name"] == "log_loss"
    assert (tmp_path / "train" / "schema.json").is_file()

    labels, features = tmp_path / "sealed/sealed/holdout_labels.parquet", tmp_path / "sealed/holdout_features.parquet"
    predictions = tmp_path / "predict/predictions.parquet"
    ask = partial(workers.predict, tmp_path / "model", contract)
    measured = await importance(ask, labels, features, predictions, contract, seconds=10)
    ranked = measured.columns
    assert [item.column for item in ranked] == ["age", "colour", "noise"]
    assert ranked[0].ci_low > 0
    assert curves(labels, predictions, contract).classes[0].label == "yes"


async def test_several_classes_from_table_to_score(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 3, 400)
    columns = {
        "length": kind * 2.0 + generator.normal(size=400),
        "width": generator.normal(size=400),
        "kind": [float(value) for value in kind],
    }
    columns["kind"] = np.array(["setosa", "virginica", "versicolor"])[kind].tolist()
    contract = contract_for(columns, "kind", also=("balanced_accuracy",))
    result, _, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    assert result.metric.value < 0.75
    assert result.verdict in ("better than the baseline", "a tie with the baseline")


async def test_numbers_from_table_to_score(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = numbers(400)
    result, ran, _ = await whole_job(sandbox, workers, columns, contract_for(columns, "price", metric="r2"), tmp_path)
    assert result.metric.value > 0.95
    assert ran.of_kind("leaderboard")[0]["rows"][-1]["model"] == "dummy"


async def test_the_same_seed_gives_the_same_predictions(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = numbers(200)
    contract = contract_for(columns, "price")
    await whole_job(sandbox, workers, columns, contract, tmp_path / "one")
    await whole_job(sandbox, workers, columns, contract, tmp_path / "two")
    one, two = (pq.read_table(tmp_path / name / "predict/predictions.parquet") for name in ("one", "two"))
    assert one.equals(two)


@pytest.mark.parametrize("target", ["answer", "price"])
async def test_a_machine_that_loses_time_trains_the_same_model(
    sandbox: Sandbox, workers: Workers, tmp_path: Path, target: str
) -> None:
    """Slow imports or a busy machine cost a third of the budget before the first fit; the plan does not mind."""
    columns = two_classes() if target == "answer" else numbers()
    contract = contract_for(columns, target)
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=120)
    slow = script.replace("START = time.monotonic()", "START = time.monotonic() - 0.3 * TIME_BUDGET")
    assert slow != script
    found = []
    for name, text in (("quick", script), ("slow", slow)):
        ran = await train(sandbox, text, sealed, tmp_path / name)
        assert "note" not in ran.of_kind("leaderboard")[0]
        await predict(workers, contract, text, tmp_path / name, sealed.holdout_features)
        board = {row["model"]: row["cv_score"] for row in ran.of_kind("leaderboard")[0]["rows"]}
        found.append((board, pq.read_table(tmp_path / name / "predict/predictions.parquet").to_pylist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("target", ["answer", "price"])
async def test_what_the_clock_cut_is_told(sandbox: Sandbox, workers: Workers, tmp_path: Path, target: str) -> None:
    """Nearly all time is gone before the first fit: whole later folds go, for all kinds, and a model is left."""
    columns = two_classes() if target == "answer" else numbers()
    contract = contract_for(columns, target)
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=20)
    late = script.replace("START = time.monotonic()", "START = time.monotonic() - 0.95 * TIME_BUDGET")
    ran = await train(sandbox, late, sealed, tmp_path)
    note = ran.of_kind("leaderboard")[0]["note"]
    assert note.startswith("The clock ran out: 1 of 5 folds")
    assert len(note) <= 180
    assert note in ran.text
    assert {record["fold"] for record in ran.of_kind("fold")} == {0}
    await predict(workers, contract, late, tmp_path, sealed.holdout_features)


async def test_a_trend_that_goes_on_is_carried_on(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    """Sales rise day by day; the sealed rows begin after the last day of training, in the next year."""
    generator = np.random.default_rng(0)
    days, f0 = np.arange(400), generator.normal(size=400)
    columns = {
        "day": [date(2023, 3, 1) + timedelta(days=int(i)) for i in days],
        "f0": f0,
        "sales": 0.05 * days + 2 * f0 + generator.normal(size=400),
    }
    contract = contract_for(columns, "sales", split=Split(rule="time", column="day"))
    result, _, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    base = next(baseline for baseline in result.baselines if baseline.model == "linear")
    assert result.metric.value < 1.1 * base.value


async def test_a_table_that_training_never_saw_is_predicted_all_the_same(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    """Missing and extra columns, new categories, words among numbers, numbers among words, gaps everywhere."""
    generator = np.random.default_rng(0)
    columns = {
        **two_classes(),
        "code": [f"{int(i):03}" for i in generator.integers(0, 40, 300)],
        "day": [date(2024, 1, 1) + timedelta(days=int(i)) for i in generator.integers(0, 90, 300)],
        "remark": [" ".join(generator.choice(["good", "bad", "late", "soon"], 3)) for _ in range(300)],
        "member": (generator.random(300) < 0.5).tolist(),
    }
    contract = contract_for(columns, "answer", roles={"remark": "text", "member": "boolean"})
    _, _, script = await whole_job(sandbox, workers, columns, contract, tmp_path)
    odd = {
        "age": ["forty", "41", None],
        "colour": ["ultraviolet", None, "red"],
        "code": [7, 8, None],
        "day": ["2024-02-30", "2024-02-01", None],
        "remark": [None, "???", "unheard-of words"],
        "extra": [1, 2, 3],
    }
    path = tmp_path / "odd.parquet"
    import pyarrow as pa

    pq.write_table(pa.table(odd), path)
    predictions = await predict(workers, contract, script, tmp_path, path)
    assert predictions.probabilities is not None
    assert predictions.probabilities.shape == (3, 2)


async def test_time_and_groups_are_respected_in_validation(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = {**numbers(), "day": [date(2024, 1, 1) + timedelta(days=i) for i in range(300)]}
    contract = contract_for(columns, "price", split=Split(rule="time", column="day"))
    result, ran, _ = await whole_job(sandbox, workers, columns, contract, tmp_path / "time")
    assert result.comparison in ("better", "tie")
    assert "blocks of consecutive rows" in result.method
    columns = {**two_classes(), "family": [f"f{i // 4}" for i in range(300)]}
    contract = contract_for(columns, "answer", without=["family"], split=Split(rule="group", column="family"))
    result, _, _ = await whole_job(sandbox, workers, columns, contract, tmp_path / "group")
    assert "whole groups of family" in result.method


@pytest.mark.parametrize("metric", ["recall", "precision", "f1", "accuracy", "balanced_accuracy"])
async def test_labels_are_decided_to_suit_the_metric(
    sandbox: Sandbox, workers: Workers, tmp_path: Path, metric: str
) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=400)
    columns = {"x": x, "answer": np.where(x + generator.normal(size=400) > 1.5, "yes", "no").tolist()}
    contract = contract_for(columns, "answer", metric=metric, also=("recall", "precision"))
    quick = contract.model_copy(update={"candidates": ("linear",)})
    result, ran, _ = await whole_job(sandbox, workers, columns, quick, tmp_path)
    values = {item.name: item.value for item in (result.metric, *result.also)}
    if metric == "recall":
        assert values["recall"] > values["precision"]
        assert "F2" in recipes.text("classification")
    assert np.isfinite(list(values.values())).all()


async def test_without_lightgbm_another_boosting_takes_its_place(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    columns = two_classes()
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=15).replace("import lightgbm as lgb", "raise OSError('no libgomp')")
    ran = await train(sandbox, script, sealed, tmp_path)
    assert "LightGBM cannot be loaded" in ran.text
    await predict(workers, contract, script, tmp_path, sealed.holdout_features)


@pytest.mark.parametrize("seconds", [3.0, 6.0])
async def test_a_short_budget_is_kept_and_leaves_a_model(sandbox: Sandbox, tmp_path: Path, seconds: float) -> None:
    """The budget holds for the CPU time of one core, whatever else this machine does meanwhile."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(6000, 30))
    columns = {f"x{i}": x[:, i] for i in range(30)} | {"y": x[:, :5].sum(axis=1) + generator.normal(size=6000)}
    contract = contract_for(columns, "y")
    sealed = sealed_scene(columns, contract, tmp_path)
    ran = await train(sandbox, recipe_for(contract, train_seconds=seconds), sealed, tmp_path)
    assert (tmp_path / "train" / "model.joblib").is_file()
    assert ran.of_kind("leaderboard")


async def test_tiny_and_wide_tables_are_learned_too(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns: dict[str, Any] = {f"x{i}": [float((i * j) % 7) for j in range(12)] for i in range(40)}
    columns |= {"empty": [None] * 12, "same": [1.0] * 12, "y": ["a", "b", "b"] * 4}
    contract = contract_for(columns, "y", roles={"empty": "number"})
    result, _, _ = await whole_job(sandbox, workers, columns, contract, tmp_path, seconds=10)
    assert result.rows >= 2
    assert np.isfinite(result.metric.value)


async def test_text_alone_is_enough(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    good, bad = ["lovely", "great", "happy", "thanks"], ["broken", "late", "refund", "angry"]
    labels = generator.choice(["praise", "complaint"], 200)
    words = [" ".join(generator.choice([*(good if y == "praise" else bad), "the", "it", "was"], 6)) for y in labels]
    columns = {"message": words, "kind": labels.tolist()}
    contract = contract_for(columns, "kind", roles={"message": "text"})
    result, _, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    assert result.metric.value > 0.95
