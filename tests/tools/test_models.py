"""Models that are chosen by hand: what is refused, what is written into the script, and that the script works."""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import contract_for, model_folder, numbers, run, sealed_scene, two_classes
from tools import recipes
from tools.contract import Contract, Split
from tools.lint import check
from tools.models.catalogue import Estimator, estimator, estimators
from tools.models.choice import Dimension, ModelChoice, ModelError, Task
from tools.models.cost import candidates, check_time, fits
from tools.models.page import in_words, model_page, report_part
from tools.models.reading import read_choice
from tools.models.shelf import Shelf, check_name, load, save, shelf
from tools.recipes import recipe_for
from tools.worker import Workers

OURS = shelf()
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


def chosen(task: Task = "binary", before: ModelChoice | None = None, **order: Any) -> ModelChoice:
    return read_choice({name.replace("__", "."): value for name, value in order.items()}, task, OURS, before)


# ---- the catalogue


@pytest.mark.parametrize("one", estimators().values(), ids=lambda one: one.name)
def test_the_catalogue_says_what_it_allows(one: Estimator) -> None:
    """Defaults, grids and ranges are values that the catalogue itself accepts; every kind can be searched."""
    for task in TASKS:
        if one.path(task) is None:
            continue
        for name, known in one.of(task).items():
            if known.default is not None:
                choice = read_choice({"estimator": one.name, name: known.default}, task, OURS)
                assert dict(choice.parameters) == {name: known.default}
            elif not known.none:
                pytest.fail(f"{one.name}.{name} has no default and may not be none")
        grid, drawn = (chosen(task, estimator=one.name, search=search) for search in ("grid", "optuna"))
        assert 2 <= candidates(grid) <= 30
        assert drawn.space


@pytest.mark.parametrize("one", estimators().values(), ids=lambda one: one.name)
def test_the_class_of_a_kind_takes_its_parameters(one: Estimator) -> None:
    """A name that the library does not know would end a run after everything was approved."""
    import importlib

    for task in TASKS:
        path = one.path(task)
        if path is None:
            continue
        module, _, name = path.rpartition(".")
        made = contract_for(
            two_classes(20) if task != "regression" else numbers(20), "price" if task == "regression" else "answer"
        )
        filled = recipes.parameters(
            recipe_for(made.model_copy(update={"model": chosen(made.task, estimator=one.name)}), train_seconds=9)
        )
        built = getattr(importlib.import_module(module), name)(**filled["PARAMETERS"], **filled["SETTINGS"])
        known = set(built.get_params())
        assert set(filled["PARAMETERS"]) <= known
        assert set(filled["SETTINGS"]) <= known


def test_names_are_understood_and_wrong_ones_get_the_nearest() -> None:
    for words in ("Random Forest", "rf", "RandomForestClassifier", "random_forest"):
        assert estimator(words).name == "random_forest"
    with pytest.raises(ModelError, match="did you mean xgboost"):
        estimator("xgbost")
    with pytest.raises(ModelError, match="there are catboost"):
        estimator("価格")


# ---- orders


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ({"n_estimator": 5}, "no parameter “n_estimator”; did you mean n_estimators"),
        ({"n_estimators": "many"}, "whole number from 1 to 10,000, not “many”"),
        ({"n_estimators": "5.5"}, "whole number"),
        ({"n_estimators": "1e300"}, "from 1 to 10,000"),
        ({"n_estimators": "nan"}, "whole number"),
        ({"n_estimators": True}, "whole number"),
        ({"n_estimators": "100,300"}, "--space n_estimators=100,300"),
        ({"n_estimators": "none"}, "cannot be none"),
        ({"max_features": 0}, "above 0"),
        ({"class_weight": "heavy"}, "balanced or none"),
        ({"space.max_depth": "3..12", "search": "grid"}, "A grid needs values"),
        ({"space.max_depth": "12..3"}, "from a smaller to a larger"),
        ({"space.max_depth": ",".join(map(str, range(1, 100))) + "," * 2000}, None),
        ({"space.max_depth": "", "search": "grid"}, "needs 1 to 100 values"),
        ({"space.words": "10,20"}, "can be set, not searched"),
        ({"max_depth": 3, "space.max_depth": "3,4"}, "set and searched"),
        ({"search": "magic"}, "no search “magic”"),
        ({"trials": 0}, "trials has to be a whole number from 1 to 1,000"),
        ({"parameters": "n_estimators"}, "names with values"),
        ({"template": "imbalancd"}, "did you mean imbalanced"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(order: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        assert read_choice({"estimator": "rf", **order}, "binary", OURS).space
        return
    with pytest.raises(ModelError) as refused:
        read_choice({"estimator": "rf", **order}, "binary", OURS)
    assert sentence in str(refused.value)
    assert str(refused.value).rstrip().endswith((".", "?")) or "--space" in sentence


def test_a_kind_that_does_not_do_the_task_is_refused() -> None:
    with pytest.raises(ModelError, match="predicts classes only"):
        chosen("regression", estimator="naive_bayes")
    with pytest.raises(ModelError, match="only where classes are predicted"):
        chosen("regression", estimator="rf", class_weight="balanced")


def test_text_and_typed_values_mean_the_same() -> None:
    typed = chosen(
        estimator="rf", parameters={"n_estimators": 500, "max_depth": None}, space={"max_features": [0.5, "sqrt"]}
    )
    spelt = chosen(estimator="rf", n_estimators="500", max_depth="none", space__max_features="0.5, sqrt")
    assert typed == spelt
    assert (typed.search, candidates(typed), fits(typed)) == ("grid", 2, 16)


def test_an_edit_changes_what_it_names_and_another_kind_starts_anew() -> None:
    first = chosen(estimator="rf", n_estimators=50, space__max_depth="3..12")
    second = chosen(before=first, n_estimators=80, trials=7)
    assert (dict(second.parameters), second.space, second.trials) == ({"n_estimators": 80}, first.space, 7)
    assert chosen(before=first, parameters={}).parameters == ()
    assert chosen(before=first, estimator="xgboost") == ModelChoice(estimator="xgboost")
    assert chosen(before=first, search="none").space == ()


# ---- templates


@pytest.mark.parametrize("name", ["fast baseline", "imbalanced", "interpretable", "large", "text-heavy"])
@pytest.mark.parametrize("task", TASKS)
def test_our_templates_fit_every_task(name: str, task: Task) -> None:
    choice = chosen(task, template=name)
    assert choice.template == name
    assert set(dict(choice.parameters)) <= set(estimators()[choice.estimator].of(task))


def test_a_saved_template_is_the_same_choice_again(tmp_path: Path) -> None:
    choice = chosen(estimator="svm", C="0.5", gamma="scale", space__kernel="rbf,linear", folds=3)
    path = save(choice, "Größe 1", tmp_path / "templates", 'with "quotes"')
    again = read_choice({"template": "größe 1"}, "binary", shelf(path.parent))
    assert again.model_copy(update={"template": ""}) == choice
    assert shelf(path.parent).named("Größe 1").own
    save(choice.model_copy(update={"folds": 4}), "grösse 1", path.parent)
    save(choice.model_copy(update={"folds": 6}), "größe-1", path.parent)
    assert [one.name for one in path.parent.iterdir()] == ["Größe 1.toml"], "the same letters are the same template"
    assert shelf(path.parent).named("größe 1").folds == 6


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 61, "large", "Large!", "con", "a\nb"])
def test_names_that_are_no_file_or_ours_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        check_name(name)


def test_a_broken_template_is_said_and_the_others_are_used(tmp_path: Path) -> None:
    (tmp_path / "torn.toml").write_text("estimator = ", encoding="utf-8")
    (tmp_path / "odd.toml").write_text('estimator = "rf"\nfoo = 1', encoding="utf-8")
    (tmp_path / "large.toml").write_text('estimator = "rf"', encoding="utf-8")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    found = shelf(tmp_path)
    assert len(found.problems) == 4
    assert {one.name for one in found.templates} == {one.name for one in OURS.templates}
    with pytest.raises(ModelError, match="is left out"):
        found.named("torn")
    with pytest.raises(ModelError, match="foo"):
        load(tmp_path / "odd.toml")


# ---- time


def test_a_grid_that_takes_too_long_is_refused_with_its_fits_and_time() -> None:
    choice = chosen(estimator="rf", space__n_estimators="500,1000", space__max_depth="4,8,16", folds=5)
    size = {"columns": 20, "classes": 2}
    with pytest.raises(ModelError) as refused:
        check_time(estimator("rf"), choice, "binary", rows=100_000, seconds=48, **size)
    assert "36 fits (6 candidates on 5 folds)" in str(refused.value)
    assert re.search(r"about (\d+ minutes|\d+ hours)", str(refused.value))
    assert check_time(estimator("rf"), choice, "binary", rows=500, seconds=480, **size) == ""
    drawn = choice.model_copy(update={"search": "optuna"})
    assert "stops in time" in check_time(estimator("rf"), drawn, "binary", rows=20_000, seconds=48, **size)


def test_one_fit_beyond_the_budget_is_refused() -> None:
    choice = chosen(estimator="svm")
    with pytest.raises(ModelError, match="One Support vector machine"):
        check_time(estimator("svm"), choice, "binary", rows=200_000, columns=5, classes=2, seconds=48)


# ---- the script


def with_choice(contract: Contract, **order: Any) -> Contract:
    return contract.model_copy(update={"model": chosen(contract.task, **order)})


@pytest.mark.parametrize("name", list(estimators()))
def test_the_critic_has_nothing_to_say_of_the_script(name: str) -> None:
    columns = two_classes(40)
    contract = with_choice(contract_for(columns, "answer"), estimator=name, search="optuna", trials=3)
    script = recipe_for(contract, train_seconds=30)
    tree = ast.parse(script)
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.names[0].asname == "Estimator"]
    assert [f"{node.module}.{node.names[0].name}" for node in imported] == [estimators()[name].classes]
    assert {"tidy"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name in ("random_forest", "catboost"):  # reading takes half a second each
        assert check(script, target="answer", features=contract.features, classes=contract.classes) == ()


def test_the_script_has_what_was_chosen_and_no_more() -> None:
    contract = with_choice(
        contract_for(numbers(40), "price"), estimator="xgb", max_depth=4, space__learning_rate="0.01..0.3"
    )
    filled = recipes.parameters(recipe_for(contract, train_seconds=30))
    assert filled["PARAMETERS"]["max_depth"] == 4
    assert filled["SPACE"] == {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}}
    assert (filled["CLASSES"], filled["SEARCH"], filled["TRIALS"]) == ([], "optuna", 30)
    assert "words" not in filled["PARAMETERS"]


async def trained(
    sandbox: Sandbox, workers: Workers, contract: Contract, columns: dict[str, Any], folder: Path, seconds: float = 300
) -> tuple[list[dict[str, Any]], Any]:
    """The last leaderboard, and what the model says of the sealed rows."""
    sealed = sealed_scene(columns, contract, folder)
    script = recipe_for(contract, train_seconds=seconds)
    inputs = {"train.parquet": sealed.train} | ({"groups.parquet": sealed.groups} if sealed.groups else {})
    ran = await run(sandbox, script, inputs, folder / "train", seconds=280)
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.text}\n{ran.errors}"
    assert ran.errors == ""
    found = await workers.predict(model_folder(folder / "train", script), contract, sealed.holdout_features)
    for name in ("schema.json", "oof.parquet"):
        assert (folder / "train" / name).is_file()
    return [dict(one) for one in ran.of_kind("leaderboard")], found


def holes(columns: dict[str, Any], target: str) -> dict[str, Any]:
    """Every 17th value is missing, and one number is infinite."""
    out = dict(columns)
    for name in [name for name in columns if name != target]:
        out[name] = [None if place % 17 == 0 else value for place, value in enumerate(list(columns[name]))]
    out["noise"][1] = float("inf")
    return out


async def test_optuna_searches_and_says_what_won(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = holes(two_classes(200), "answer")
    contract = with_choice(contract_for(columns, "answer"), estimator="decision_tree", search="optuna", trials=5)
    boards, found = await trained(sandbox, workers, contract, columns, tmp_path)
    rows = boards[-1]["rows"]
    assert len(rows) == 7
    assert rows[-1]["model"] == "dummy"
    assert [row["cv_score"] for row in rows[:-1]] == sorted((row["cv_score"] for row in rows[:-1]), reverse=True)
    assert boards[-1]["note"] == "5 of 5 candidates were compared with what was chosen."
    assert any(re.match(r"decision_tree 3: max_depth=\d+, min_samples_leaf=\d+", row["model"]) for row in rows)
    assert len(found.values) == 40
    part = report_part(contract.model, rows, "roc_auc")
    assert part["winner"] == rows[0]["model"]
    assert "the best of 6 on the same folds and therefore optimistic" in part["sentences"][-1]
    assert "searched: 2..16" in model_page({"model": part})


async def test_a_grid_for_a_number_in_the_order_of_time(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = holes(numbers(150), "price")
    columns["day"] = np.arange("2024-01-01", "2024-05-30", dtype="datetime64[D]").astype("datetime64[us]")
    contract = contract_for(columns, "price", metric="mae", split=Split(rule="time", column="day"))
    contract = with_choice(contract, estimator="linear", space__alpha="0.1,10", folds=3)
    boards, _ = await trained(sandbox, workers, contract, columns, tmp_path)
    assert len(boards[-1]["rows"]) == 4
    assert boards[-1]["rows"][0]["cv_score"] < boards[-1]["rows"][-1]["cv_score"]


async def test_a_candidate_that_cannot_be_trained_does_not_end_the_search(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    columns = two_classes(80)
    contract = with_choice(contract_for(columns, "answer"), estimator="knn", space__n_neighbors="5,900", folds=2)
    boards, _ = await trained(sandbox, workers, contract, columns, tmp_path)
    assert "1 of 2 candidates were compared with what was chosen; 1 could not be trained." in boards[-1]["note"]


async def test_without_time_the_model_is_there_all_the_same(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> None:
    columns = two_classes(80)
    contract = with_choice(contract_for(columns, "answer"), estimator="decision_tree", search="randomised", trials=900)
    sealed = sealed_scene(columns, contract, tmp_path)
    script = recipe_for(contract, train_seconds=0.0)
    ran = await run(sandbox, script, {"train.parquet": sealed.train}, tmp_path / "train")
    assert ran.outcome.ok, ran.errors
    assert "it was only fitted" in ran.of_kind("leaderboard")[-1]["note"]
    found = await workers.predict(model_folder(tmp_path / "train", script), contract, sealed.holdout_features)
    assert len(found.values) == 16


@pytest.mark.slow
@pytest.mark.parametrize("name", list(estimators()))
@pytest.mark.parametrize("target", ["answer", "price", "kind"])
async def test_every_kind_learns(sandbox: Sandbox, workers: Workers, tmp_path: Path, name: str, target: str) -> None:
    """Gaps, infinities, a class that is rare, a column of many levels, a text: better than guessing all the same."""
    columns = holes(numbers(300) if target == "price" else two_classes(300), "answer" if target == "kind" else target)
    columns["street"] = [f"street {place % 60}" for place in range(300)]
    if target == "kind":
        columns["kind"] = ["rare" if place < 3 else value for place, value in enumerate(columns.pop("answer"))]
    if target == "answer":
        columns["words"] = [f"a word {value} and more of it" for value in columns["answer"]]
    metric = "accuracy" if target == "kind" else None  # a log-loss punishes those that are too sure of a rare class
    base = contract_for(columns, target, metric=metric, roles={"words": "text"} if target == "answer" else None)
    if estimators()[name].path(base.task) is None:
        pytest.skip("it does not predict numbers")
    units = estimators()[name].cost.units
    order = {"estimator": name, "search": "optuna", "trials": 3, **({units: 30} if units else {})}
    boards, _ = await trained(sandbox, workers, with_choice(base, **order), columns, tmp_path)
    scores = {row["model"]: row["cv_score"] for row in boards[-1]["rows"]}
    best, guess = boards[-1]["rows"][0]["cv_score"], scores["dummy"]
    assert best < guess if target == "price" else best > guess


def test_a_choice_is_told_in_words() -> None:
    choice = ModelChoice(
        estimator="random_forest",
        parameters=(("max_depth", None),),
        search="grid",
        space=(Dimension(name="n_estimators", values=(100, 300)),),
    )
    assert (
        in_words(choice)
        == "Random forest with max_depth=none; grid search over n_estimators=100,300: 2 candidates on 5 folds"
    )
    assert report_part(None, (), "roc_auc") is None
    assert "is not known" in report_part(choice, (), "roc_auc")["sentences"][1]
    assert isinstance(OURS, Shelf)


def test_one_candidate_is_no_best_of_several() -> None:
    choice = ModelChoice(estimator="knn", search="grid", space=(Dimension(name="n_neighbors", values=(3,)),))
    rows = [
        {"model": "knn 1", "cv_score": 0.8},
        {"model": "dummy", "cv_score": 0.5},
        {"model": "knn 2", "cv_score": 0.7},
    ]
    assert "best of 2" in " ".join(report_part(choice, rows, "roc_auc")["sentences"])
    assert "therefore optimistic" not in " ".join(report_part(choice, rows[:2], "roc_auc")["sentences"])
