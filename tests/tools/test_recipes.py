"""Recipes run as they would: filled from a contract, in the real sandbox, model loaded and judged outside training."""

import ast
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agents.code_generator import rewrite, write
from sandbox.base import Sandbox
from tests.tools.modelling_scene import Ran, contract_for, model_folder, numbers, run, sealed_scene, two_classes
from tools import recipes
from tools.candidates import candidates
from tools.contract import Contract, Split
from tools.curves import curves
from tools.explained import price
from tools.importance import importance
from tools.lint import check
from tools.predictions import Predictions, write_predictions
from tools.recipes import RecipeError, fill, recipe_for
from tools.recipes.compose import folded
from tools.score import Score, score
from tools.seal import Sealed, SealError
from tools.worker import Workers

ALL_KINDS = ("linear", "lightgbm", "extra_trees", "xgboost", "catboost", "neural_net")


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
    seconds: float = 60,
) -> tuple[Score, Ran, str]:
    """Seal, train, predict, score."""
    sealed = sealed_scene(columns, contract, folder)
    script = recipe_for(contract, train_seconds=seconds, rows=sealed.rows_train)
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


def test_what_a_task_leaves_idle_is_not_in_its_script() -> None:
    classes, prices = two_classes(), numbers()
    one = recipe_for(contract_for(classes, "answer"), train_seconds=10)
    other = recipe_for(contract_for(prices, "price"), train_seconds=10)
    assert "predict_proba" in one
    assert "predict_proba" not in other
    for script in (one, other):
        assert "REGRESSION" not in script
        assert "inputs/groups.parquet" not in script
        assert "TfidfVectorizer" not in script
    alone = contract_for(classes, "answer").model_copy(update={"candidates": ("linear",)})
    assert "import lightgbm" not in recipe_for(alone, train_seconds=10)


def contracts_of_all_forms() -> Mapping[str, Contract]:
    """Everything that changes the text of a script, one by one."""
    classes, prices = two_classes(), numbers()
    several = {**prices, "kind": ["a", "b", "c"] * 100}
    plain = {"x": prices["size"], "y": prices["price"]}
    day = {**prices, "day": [date(2024, 1, 1) + timedelta(days=i) for i in range(300)]}
    made = {
        "classes": contract_for(classes, "answer"),
        "labels": contract_for(classes, "answer", metric="f1"),
        "chances": contract_for(classes, "answer", metric="brier"),
        "several": contract_for(several, "kind"),
        "numbers": contract_for(prices, "price"),
        "numbers alone": contract_for(plain, "y", metric="mae"),
        "dates": contract_for(day, "price", split=Split(rule="time", column="day")),
        "texts": contract_for(classes, "answer", roles={"colour": "text"}),
        "groups": contract_for(classes, "answer", without=["colour"], split=Split(rule="group", column="colour")),
        "weights": contract_for(prices, "price", without=["noise"]).model_copy(update={"weight_column": "noise"}),
        "compact": contract_for(several, "kind").model_copy(update={"profile": "compact"}),
        "explainable": contract_for(prices, "price").model_copy(update={"profile": "explainable"}),
    }
    return {name: contract.model_copy(update={"candidates": ALL_KINDS}) for name, contract in made.items()}


@pytest.mark.parametrize("rows", [None, 5000])
@pytest.mark.parametrize("name", contracts_of_all_forms())
def test_a_script_shows_no_trace_of_being_put_together(name: str, rows: int | None) -> None:
    contract = contracts_of_all_forms()[name]
    script = recipe_for(contract, train_seconds=10, rows=rows)
    if rows:
        found = check(script, target=contract.target, features=contract.features, classes=contract.classes)
        assert [finding for finding in found if finding.blocks] == []
    tree = ast.parse(script)
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp):
            assert not isinstance(node.test, ast.Constant), ast.unparse(node)
        if isinstance(node, ast.BinOp):
            idle = [ast.unparse(side) for side in (node.left, node.right)]
            assert not {"[]", "{}"}.intersection(idle), ast.unparse(node)
        if isinstance(node, ast.FunctionDef):
            for one, then in pairwise(node.body):
                if isinstance(one, ast.Assign) and isinstance(then, ast.Assign):
                    assert not set(written(one)) & set(written(then)) - set(read(then)), ast.unparse(then)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and name != "explainable":
            assert ast.get_docstring(node), node.name
    assert not re.search(r"[=+*|,] \([\w.]+\)(?! for)", script)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & set(recipes.parameters(recipes.text("train_settings"))) - set(recipes.parameters(script))
    assert "\n\n\n\n" not in script


def written(node: ast.Assign) -> list[str]:
    """The plain names that an assignment gives a value."""
    return [
        part.id
        for target in node.targets
        for part in ast.walk(target)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]


def read(node: ast.Assign) -> list[str]:
    """The names that its value is made of; a part that is set (x["a"] = 1) belongs to what was there."""
    parts = [node.value, *(target for target in node.targets if not isinstance(target, ast.Name | ast.Tuple))]
    return [part.id for value in parts for part in ast.walk(value) if isinstance(part, ast.Name)]


def test_what_the_size_of_a_table_rules_out_is_not_in_its_script() -> None:
    contract = contract_for(two_classes(), "answer").model_copy(update={"candidates": ALL_KINDS})
    scripts = {rows: recipe_for(contract, train_seconds=10, rows=rows) for rows in (None, 900, 5000, 200_000)}
    assert {rows for rows, text in scripts.items() if "def stack(" in text} == {None, 5000, 200_000}
    assert {rows for rows, text in scripts.items() if "def on_all_rows(" in text} == {200_000}
    assert scripts[None] == recipe_for(contract, train_seconds=10, rows=10_000)
    assert len(scripts[900].splitlines()) < len(scripts[5000].splitlines()) < len(scripts[200_000].splitlines()) < 450
    assert {rows: recipes.parameters(text)["TURNS"] for rows, text in scripts.items()} == dict.fromkeys(scripts, 1)
    for script in (write(contract, 900), rewrite(contract, 1, "it was too slow", 900)):
        assert "def on_all_rows(" not in script.code
    assert recipes.parameters(recipe_for(contract, train_seconds=10, rows=300))["TURNS"] == 2


def test_how_much_is_done_follows_from_size_and_budget_alone() -> None:
    contract = contract_for(two_classes(), "answer").model_copy(update={"candidates": ALL_KINDS})

    def work(seconds: float, rows: int) -> Mapping[str, Any]:
        return recipes.parameters(recipe_for(contract, train_seconds=seconds, rows=rows))

    assert work(60, 20_000) == work(60, 20_000)
    assert work(10, 20_000)["ROUNDS"] < work(60, 20_000)["ROUNDS"]
    assert work(10, 20_000)["RATE"] > work(60, 20_000)["RATE"]
    assert work(60, 100_000)["ROUNDS"] < work(60, 20_000)["ROUNDS"]
    whole = recipe_for(contract, train_seconds=60, rows=20_000)
    part = recipes.parameters(recipes.with_budget(whole, 6))
    assert part["TIME_BUDGET"] == 6
    assert 60 <= part["ROUNDS"] <= work(60, 20_000)["ROUNDS"] / 5
    assert part["RATE"] > work(60, 20_000)["RATE"]
    assert recipes.with_budget(whole, 60) == whole
    assert recipes.with_budget("ROUNDS = 5\n", 6) == "ROUNDS = 5\n"


@pytest.mark.parametrize("held", [True, False])
def test_a_folded_program_does_what_the_whole_one_does(held: bool) -> None:
    """Every form of condition that a piece may have; names in capitals are known, the others are not."""
    source = '''"""A program."""

# known while folding
HELD = True


def choose(x):
    if HELD and x:
        # a word about this branch
        y = 1
    elif not HELD:
        y = 2
    else:
        y = 3
    z = "yes" if HELD else "no"
    if not HELD:
        z = z.upper()
    return y, z, HELD or x, [n for n in range(3) if n or not HELD]


def only_when_held():
    return 1


class Kept:
    def __init__(self, x, y, spare=2):
        self.x, self.spare, self.y = x, spare, y

    def sum(self):
        if HELD:
            return (self.x * self.spare) + self.y
        else:
            return self.x + self.y


def use():
    spare = 2
    if HELD:
        return only_when_held()
    return Kept(0, 0 if HELD else 1, spare).sum() - 1
'''.replace("HELD = True", f"HELD = {held}")
    program = source + "\n\nRESULT = [choose(x) for x in (0, 1)], use()\nassert RESULT\n"
    short = folded(program, {"HELD": held}, [] if held else ["spare"])
    assert ("spare" in short) == held
    assert "HELD" not in short.replace("only_when_held", "")
    assert ("only_when_held" in short) == held
    whole: dict[str, Any] = {}
    folded_one: dict[str, Any] = {}
    exec(source + "\n\nRESULT = [choose(x) for x in (0, 1)], use()\nassert RESULT\n", whole)
    exec(short, folded_one)
    assert whole["RESULT"] == folded_one["RESULT"]


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
    assert len(ran.of_kind("fold")) == 25
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
    last = ran.of_kind("leaderboard")[0]["rows"][-1]
    assert last["model"] == "dummy"
    assert -0.1 < last["cv_score"] < 0  # of answers that it has not seen; of those that it has it would be 0


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
    script = recipe_for(contract, train_seconds=20, rows=sealed.rows_train)
    late = script.replace("START = time.monotonic()", "START = time.monotonic() - 0.95 * TIME_BUDGET")
    ran = await train(sandbox, late, sealed, tmp_path)
    note = ran.of_kind("leaderboard")[0]["note"]
    assert note.startswith("The clock ran out: 1 of 10 folds")  # of so few rows five folds are made twice
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
        assert "F2" in recipes.text("train_judging")
    assert np.isfinite(list(values.values())).all()


async def test_without_lightgbm_the_others_go_on_without_it(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = two_classes()
    contract = contract_for(columns, "answer").model_copy(update={"candidates": ALL_KINDS})
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=15, rows=sealed.rows_train)
    script = script.replace("import lightgbm as lgb", "raise OSError('no libgomp')")
    ran = await train(sandbox, script, sealed, tmp_path)
    assert "LightGBM and XGBoost cannot be loaded" in ran.text
    assert {"catboost", "linear"} <= {row["model"] for row in ran.of_kind("leaderboard")[0]["rows"]}
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


@pytest.mark.parametrize("target", ["answer", "price", "kind"])
async def test_all_kinds_of_model_learn_side_by_side(
    sandbox: Sandbox, workers: Workers, tmp_path: Path, target: str
) -> None:
    columns = numbers(120) if target == "price" else two_classes(120)
    if target == "kind":
        columns["kind"] = [f"k{n % 3}" for n in range(119)] + ["alone"]  # a class that some folds have never seen
    contract = contract_for(columns, target).model_copy(update={"candidates": ALL_KINDS})
    _, ran, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    told = {record["model"] for record in ran.of_kind("fold")}
    assert told == {*ALL_KINDS, "lightgbm_small", "linear_quantiles"}


async def test_a_compact_model_is_one_small_model(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = two_classes(400)
    contract = contract_for(columns, "answer").model_copy(update={"profile": "compact", "candidates": ALL_KINDS})
    result, ran, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    assert (tmp_path / "train" / "model.joblib").stat().st_size < 5_000_000
    assert re.search(r"The saved model: \w+ 100%", ran.text)
    assert {record["model"] for record in ran.of_kind("fold")} == {
        "linear",
        "linear_quantiles",
        "lightgbm",
        "lightgbm_small",
        "catboost",
    }
    assert result.metric.value > 0.8


@pytest.mark.parametrize("target", ["answer", "price", "kind"])
async def test_an_explainable_model_can_be_read(
    sandbox: Sandbox, workers: Workers, tmp_path: Path, target: str
) -> None:
    """The page alone is enough to see what decides, and the reference is there to say what that costs."""
    columns = numbers(200) if target == "price" else two_classes(200)
    if target == "kind":
        columns["kind"] = np.where(columns["age"] < 35, "young | <b>", np.where(columns["age"] < 45, "middle", "old"))
        columns["kind"] = columns["kind"].tolist()
    contract = contract_for(columns, target).model_copy(update={"profile": "explainable"})
    _, ran, _ = await whole_job(sandbox, workers, columns, contract, tmp_path)
    found = json.loads((tmp_path / "train" / "explanation.json").read_text())
    page = (tmp_path / "train" / "explanation.md").read_text()
    assert found["kind"] in ("linear", "tree", "additive")
    assert ("size" if target == "price" else "age") in page
    assert "<b>" not in page or found["kind"] == "tree"  # rules stand in a block of code
    board = {row["model"] for row in ran.of_kind("leaderboard")[0]["rows"]}
    assert board == {"sparse_linear", "linear", "tree", "additive", "boosted_trees"}
    rivals = candidates(
        tmp_path / "train", tmp_path / "sealed/train.parquet", contract, ran.of_kind("leaderboard")[0]["rows"]
    )
    assert rivals is not None
    report = {
        "profile": "explainable",
        "metric": {"name": contract.metric},
        "candidates": rivals.model_dump(mode="json"),
    }
    assert re.match(r"(What r|R)eadability costs", price(report))


async def test_weights_change_what_is_learned(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    """Rows of weight 0 have an answer that is too high by 4; a model that heeds the weights does not learn that."""
    generator = np.random.default_rng(0)
    x, trusted = generator.normal(size=300), generator.random(300) < 0.5
    columns = {"x": x, "w": np.where(trusted, 2.0, 0.0), "y": x + 4.0 * ~trusted}
    contract = contract_for(columns, "y", without=["w"]).model_copy(update={"weight_column": "w"})
    sealed = sealed_scene(columns, contract, tmp_path)
    assert sealed.weights is not None
    script = recipe_for(contract, train_seconds=60)
    inputs = {"train.parquet": sealed.train, "weights.parquet": sealed.weights}
    ran = await run(sandbox, script, inputs, tmp_path / "train")
    assert ran.outcome.ok, ran.errors
    pq.write_table(pa.table({"x": [0.0]}), tmp_path / "ask.parquet")
    found = await predict(workers, contract, script, tmp_path, tmp_path / "ask.parquet")
    assert abs(found.values[0]) < 0.7


def test_weights_that_cannot_weigh_are_refused(tmp_path: Path) -> None:
    columns = {**numbers(60), "w": [0.0] * 60}
    contract = contract_for(columns, "price", without=["w"]).model_copy(update={"weight_column": "w"})
    with pytest.raises(SealError, match="cannot weigh the rows"):
        sealed_scene(columns, contract, tmp_path)


async def test_of_a_large_table_a_sample_is_searched_and_boosting_sees_more_rows(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    """The limit is lowered, so that a small table counts as a large one."""
    columns = numbers(900)
    contract = contract_for(columns, "price").model_copy(update={"candidates": ("linear", "lightgbm")})
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=60, rows=200_000).replace("MOST_ROWS = 120_000", "MOST_ROWS = 200")
    ran = await train(sandbox, script, sealed, tmp_path)
    assert "Searched on 200 of 720 rows" in ran.text
    rows = pq.read_table(tmp_path / "train" / "oof.parquet")["row"].to_pylist()
    assert rows
    assert max(rows) < 720
    await predict(workers, contract, script, tmp_path, sealed.holdout_features)


async def test_what_was_not_fitted_on_is_kept_for_every_training_row(sandbox: Sandbox, tmp_path: Path) -> None:
    columns = two_classes(200)
    contract = contract_for(columns, "answer", positive="no").model_copy(update={"candidates": ("linear",)})
    sealed = sealed_scene(columns, contract, tmp_path)
    await train(sandbox, recipe_for(contract, train_seconds=60), sealed, tmp_path)
    kept = pq.read_table(tmp_path / "train" / "oof.parquet").to_pandas()
    truth = pq.read_table(sealed.train)["answer"].to_pandas()
    assert kept["row"].tolist() == list(range(sealed.rows_train))
    no = contract.classes.index("no")
    assert kept.loc[(truth == "no").to_numpy(), f"p_{no}"].mean() > 0.6  # the columns go by the contract's order
    assert (kept["prediction"] == truth).mean() > 0.7


async def test_a_stacked_model_joins_in_where_it_gains(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    """Trees alone are coarse here; what they and the linear model say together is worth learning from."""
    generator = np.random.default_rng(0)
    x, z = generator.uniform(-3, 3, 1300), generator.uniform(-3, 3, 1300)
    columns = {"x": x, "z": z, "y": np.abs(x + z) + np.sin(4 * x) + 0.1 * generator.normal(size=1300)}
    contract = contract_for(columns, "y").model_copy(update={"candidates": ("lightgbm", "extra_trees")})
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=60)
    ran = await train(sandbox, script, sealed, tmp_path)
    assert "stack" in {record["model"] for record in ran.of_kind("metric")}
    found = await predict(workers, contract, script, tmp_path, sealed.holdout_features)
    truth = pq.read_table(sealed.holdout_labels)["target"].to_numpy()
    assert np.std(found.values - truth) < 0.5 * np.std(truth)
