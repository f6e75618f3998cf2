"""Loading a user's own model: in the sandbox, with the script's own names, and a sentence when that cannot work."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import Ran, contract_for, run, sealed_scene, two_classes
from tests.tools.test_recipes import _functions
from tools import recipes
from tools.contract import Contract

HEAD = """
import joblib
import numpy as np
import pandas as pd


class Cut:
    def __init__(self, at, classes):
        self.at, self.classes_ = at, classes

    def predict_proba(self, table):
        p = (table["age"].to_numpy() > self.at) * 0.8 + 0.1
        return np.column_stack([1 - p, p])

    def predict(self, table):
        return np.asarray(self.classes_)[(self.predict_proba(table)[:, 1] > 0.5).astype(int)]

"""
READ = 'table = pd.read_parquet("inputs/train.parquet")\n'
SAVE = 'joblib.dump(Cut(40.0, ["no", "yes"]), "outputs/model.joblib")\n'


async def predicted(sandbox: Sandbox, script: str, folder: Path) -> tuple[Ran, Contract]:
    """Train with the script, then predict the sealed rows as the product does."""
    columns = two_classes()
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, folder)
    trained = await run(sandbox, script, {"train.parquet": sealed.train}, folder / "train")
    assert trained.outcome.ok, trained.errors
    (folder / "model").mkdir()
    (folder / "model" / "train.py").write_text(script)
    (folder / "model" / "model.joblib").write_bytes((folder / "train" / "model.joblib").read_bytes())
    inputs = {"model": folder / "model", "table.parquet": sealed.holdout_features}
    return await run(sandbox, recipes.predictor_for(contract), inputs, folder / "predict"), contract


ADVICE = "put the training under `if __name__ == '__main__':` so that the model's own functions can be loaded."


@pytest.mark.parametrize(
    ("script", "named"),
    [
        (
            HEAD.replace('table["age"]', 'table["age"].fillna(MEAN)') + READ + 'MEAN = table["age"].mean()\n' + SAVE,
            "MEAN",
        ),
        (HEAD.replace("class Cut:", READ + "class Cut:\n    MEAN = table.age.mean()\n") + SAVE, "table"),
        (HEAD + READ + 'Kept = type("Kept", (Cut,), {})\n' + SAVE.replace("Cut(", "Kept("), "Kept"),
    ],
)
async def test_a_script_without_a_guard_is_told_to_have_one(
    sandbox: Sandbox, tmp_path: Path, script: str, named: str
) -> None:
    ran, _ = await predicted(sandbox, script, tmp_path)
    assert ran.outcome.kind == "error"
    assert named in ran.outcome.message
    assert ran.outcome.message.endswith(ADVICE)
    assert ran.errors.splitlines()[-1].endswith(ADVICE)


async def test_a_name_that_only_the_guarded_part_makes_is_told_apart(sandbox: Sandbox, tmp_path: Path) -> None:
    guarded = f'if __name__ == "__main__":\n    {READ}    MEAN = table["age"].mean()\n    {SAVE}'
    ran, _ = await predicted(sandbox, HEAD.replace('table["age"]', 'table["age"].fillna(MEAN)') + guarded, tmp_path)
    assert "name 'MEAN' is not defined" in ran.outcome.message
    assert ran.outcome.message.endswith("above `if __name__ == '__main__':`, not under it.")


async def test_classes_that_differ_are_named_on_both_sides(sandbox: Sandbox, tmp_path: Path) -> None:
    ran, _ = await predicted(sandbox, HEAD + SAVE.replace('["no", "yes"]', "[0, 1]"), tmp_path)
    assert ran.outcome.kind == "error"
    assert "The model's classes are “0”, “1”, those of the table are “no”, “yes”: train on" in ran.outcome.message
    ran, _ = await predicted(sandbox, HEAD + SAVE.replace('["no", "yes"]', "None"), tmp_path / "none")
    assert "predict_proba but no classes_" in ran.outcome.message


async def test_a_class_that_training_never_had_gets_no_probability(sandbox: Sandbox, tmp_path: Path) -> None:
    script = HEAD.replace("return np.column_stack([1 - p, p])", "return np.ones((len(p), 1))")
    script = script.replace(
        "[(self.predict_proba(table)[:, 1] > 0.5).astype(int)]", "[np.zeros(len(table), dtype=int)]"
    )
    ran, _ = await predicted(sandbox, script + SAVE.replace('["no", "yes"]', '["no"]'), tmp_path)
    assert ran.outcome.ok, ran.errors
    table = pq.read_table(tmp_path / "predict" / "predictions.parquet")
    assert set(table["p_1"].to_pylist()) == {0.0}


async def test_the_scripts_own_names_win_over_those_of_the_predictor(sandbox: Sandbox, tmp_path: Path) -> None:
    """The script has a `prepared`, a `predict` and a `CLASSES` of its own, and the pickle needs them all."""
    own = """
CLASSES = ["never"]


def prepared(table):
    return table["age"].to_numpy() + 1000 * len(CLASSES)


def predict(values):
    return np.where(values > 1040, "yes", "no")


class Chain:
    def __init__(self, first, last):
        self.first, self.last = first, last

    def predict(self, table):
        return self.last(self.first(table))


if __name__ == "__main__":
    joblib.dump(Chain(prepared, predict), "outputs/model.joblib")
"""
    ran, _ = await predicted(sandbox, HEAD + own, tmp_path)
    assert ran.outcome.ok, ran.errors
    found = pq.read_table(tmp_path / "predict" / "predictions.parquet")
    age = pq.read_table(tmp_path / "sealed" / "holdout_features.parquet")["age"].to_pylist()
    assert found["prediction"].to_pylist() == ["yes" if value > 40 else "no" for value in age]


def test_the_importance_program_loads_models_with_the_same_text() -> None:
    left, right = _functions("predict"), _functions("importance")
    for name in ("is_guarded", "explained", "listed", "classes_of", "load_model", "predict"):
        assert left[name] == right[name], name
