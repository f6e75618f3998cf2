"""A user's own model at work: with the script's own names, and a sentence when that cannot work."""

import ast
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import contract_for, model_folder, run, sealed_scene, two_classes
from tools import recipes
from tools.answers import ModelFailed
from tools.predictions import Predictions, PredictionsRefused
from tools.worker import Workers

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


Ask = Callable[[str], Awaitable[Predictions]]


@pytest.fixture
def ask(sandbox: Sandbox, workers: Workers, tmp_path: Path) -> Ask:
    """Train with a script, then predict the sealed rows as the product does."""

    async def train_and_ask(script: str) -> Predictions:
        columns, folder = two_classes(), Path(mkdtemp(dir=tmp_path))
        contract = contract_for(columns, "answer")
        sealed = sealed_scene(columns, contract, folder)
        trained = await run(sandbox, script, {"train.parquet": sealed.train}, folder / "train")
        assert trained.outcome.ok, trained.errors
        return await workers.predict(model_folder(folder / "train", script), contract, sealed.holdout_features)

    return train_and_ask


def ages() -> list[float]:
    """Of the sealed rows, in their order."""
    with TemporaryDirectory() as folder:
        sealed = sealed_scene(two_classes(), contract_for(two_classes(), "answer"), Path(folder))
        return [float(value) for value in pq.read_table(sealed.holdout_features)["age"].to_pylist()]


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
async def test_a_script_without_a_guard_is_told_to_have_one(ask: Ask, script: str, named: str) -> None:
    with pytest.raises(ModelFailed) as failed:
        await ask(script)
    assert named in str(failed.value)
    assert str(failed.value).endswith(ADVICE)


async def test_a_name_that_only_the_guarded_part_makes_is_told_apart(ask: Ask) -> None:
    guarded = f'if __name__ == "__main__":\n    {READ}    MEAN = table["age"].mean()\n    {SAVE}'
    with pytest.raises(ModelFailed) as failed:
        await ask(HEAD.replace('table["age"]', 'table["age"].fillna(MEAN)') + guarded)
    assert "name 'MEAN' is not defined" in str(failed.value)
    assert str(failed.value).endswith("above `if __name__ == '__main__':`, not under it.")


async def test_classes_that_differ_are_named_on_both_sides(ask: Ask) -> None:
    differ = "^The model's classes are “0”, “1”, those of the table are “no”, “yes”: train on"
    with pytest.raises(ModelFailed, match=differ):
        await ask(HEAD + SAVE.replace('["no", "yes"]', "[0, 1]"))
    with pytest.raises(ModelFailed, match="^The model has predict_proba but no classes_"):
        await ask(HEAD + SAVE.replace('["no", "yes"]', "None"))


async def test_a_class_that_training_never_had_gets_no_probability(ask: Ask) -> None:
    script = HEAD.replace("return np.column_stack([1 - p, p])", "return np.ones((len(p), 1))")
    script = script.replace(
        "[(self.predict_proba(table)[:, 1] > 0.5).astype(int)]", "[np.zeros(len(table), dtype=int)]"
    )
    found = await ask(script + SAVE.replace('["no", "yes"]', '["no"]'))
    assert found.probabilities is not None
    assert set(found.probabilities[:, 1]) == {0.0}


async def test_the_scripts_own_names_win_over_those_of_the_program(ask: Ask) -> None:
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
    found = await ask(HEAD + own)
    assert found.values.tolist() == [float(value > 40) for value in ages()]
    assert found.probabilities is None


async def test_what_a_model_prints_anywhere_is_no_answer(ask: Ask) -> None:
    """Python's print, the raw descriptor and C's own stdout."""
    noise = """
def shout():
    import ctypes, os, sys
    print("python")
    sys.__stdout__.write("python too")
    os.write(1, b"descriptor" * 100)
    ctypes.CDLL(None).puts(b"C")
    ctypes.CDLL(None).fflush(None)


if __name__ == "__main__":
"""
    script = HEAD.replace("        p = (table", "        shout()\n        p = (table") + noise + "    " + SAVE
    found = await ask(script)
    assert found.values.tolist() == [float(value > 40) for value in ages()]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ('["maybe"] * len(table)', "“maybe” is predicted, but it is not a class of “answer”"),
        ('["no"] * 3', "ValueError: "),
        ("[None] * len(table)", "“None” is predicted"),
        ("table['gone']", "KeyError: 'gone'"),
    ],
)
async def test_predictions_that_cannot_be_true_are_refused(ask: Ask, returned: str, words: str) -> None:
    cut = HEAD.replace(
        "return np.asarray(self.classes_)[(self.predict_proba(table)[:, 1] > 0.5).astype(int)]", "return " + returned
    )
    assert returned in cut
    with pytest.raises((ModelFailed, PredictionsRefused), match=re.escape(words)):
        await ask(cut + SAVE)


@pytest.mark.parametrize(
    ("chances", "words"),
    [("[p, p]", "add up to 1"), ("[1 + p, -p]", "outside 0 to 1"), ("[p * np.nan, p]", "missing or infinite")],
)
async def test_probabilities_that_cannot_be_true_are_refused(ask: Ask, chances: str, words: str) -> None:
    script = HEAD.replace("np.column_stack([1 - p, p])", f"np.column_stack({chances})") + SAVE
    with pytest.raises(PredictionsRefused, match=words):
        await ask(script)


def test_the_program_that_stays_loads_models_with_the_text_that_people_take_home() -> None:
    contract = contract_for(two_classes(), "answer")
    home, worker = recipes.predictor_for(contract), recipes.worker_for(contract)
    loading = home[home.index("HERE = Path") : home.index("Known = ")].rstrip()
    assert "def predict(model, table):" in loading
    assert loading in worker
    assert not any("tools." in line for line in home.splitlines() if line.startswith(("import ", "from ")))
    assert "tools.recipes" not in worker
    assert [node.col_offset for node in ast.walk(ast.parse(worker)) if isinstance(node, ast.ImportFrom)] == [0, 0, 0]
