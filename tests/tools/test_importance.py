"""Importance: the column that matters is named, answers that cannot be true are refused, and time is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import contract_for, model_folder, run, sealed_scene, two_classes
from tools.answers import ModelFailed
from tools.contract import Contract
from tools.importance import FEW_ROWS, MAX_ROWS, REPEATS, UNVERIFIED, Measured, importance
from tools.predictions import Predictions, PredictionsRefused, write_predictions
from tools.seal import Sealed
from tools.worker import Workers


class Scene:
    """Sealed rows, and a model that knows “age” and nothing else and needs time by a clock of its own."""

    def __init__(self, folder: Path, rows: int = 1000, seconds: float = 0.0, more: int = 0) -> None:
        table = two_classes(rows) | {f"x{i}": np.arange(float(rows)) for i in range(more)}
        self.contract: Contract = contract_for(table, "answer")
        self.sealed: Sealed = sealed_scene(table, self.contract, folder)
        self.predictions = folder / "predictions.parquet"
        self.now, self.seconds = 0.0, seconds
        self.asked: list[pa.Table] = []
        self.bend: Callable[[Predictions], Predictions] = lambda honest: honest
        write_predictions(self.model(pq.read_table(self.sealed.holdout_features)), self.contract, self.predictions)

    def model(self, table: pa.Table) -> Predictions:
        chance = 1 / (1 + np.exp((40 - table["age"].to_numpy()) / 6))
        return Predictions((chance > 0.5).astype(float), np.column_stack([1 - chance, chance]))

    async def ask(self, table: pa.Table) -> Predictions:
        self.asked.append(table)
        self.now += self.seconds * len(table) / 1000
        return self.bend(self.model(table))

    async def measured(self, seconds: float = 10, verified: bool = True) -> Measured:
        return await importance(
            self.ask,
            self.sealed.holdout_labels,
            self.sealed.holdout_features,
            self.predictions,
            self.contract,
            seconds=seconds,
            verified=verified,
            clock=lambda: self.now,
        )


async def test_the_column_that_matters_is_named_and_the_others_cost_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    found = await scene.measured()
    assert [item.column for item in found.columns] == ["age", "colour", "noise"]
    assert found.columns[0].ci_low > 0.1
    assert [(item.drop, item.ci_low, item.ci_high) for item in found.columns[1:]] == [(0.0, 0.0, 0.0)] * 2
    assert found.note == ""
    assert found == await scene.measured()


async def test_the_model_sees_the_sealed_rows_with_one_column_shuffled_and_no_label(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.measured()
    rows = pq.read_table(scene.sealed.holdout_features)
    first = scene.asked[0].slice(0, len(rows))
    assert len(scene.asked[0]) == 3 * len(rows), "all columns of a small table in one question"
    assert first.column_names == rows.column_names
    assert "answer" not in first.column_names
    changed = [name for name in rows.column_names if first[name].to_pylist() != rows[name].to_pylist()]
    assert changed == [scene.contract.features[0]]
    assert sorted(first[changed[0]].to_pylist()) == sorted(rows[changed[0]].to_pylist())
    assert sum(map(len, scene.asked)) == 3 * REPEATS * len(rows)


async def test_a_big_table_is_measured_on_a_sample(tmp_path: Path) -> None:
    scene = Scene(tmp_path, rows=15_000)
    assert (await scene.measured()).columns[0].column == "age"
    assert len(scene.asked[0]) == MAX_ROWS < pq.read_metadata(scene.sealed.holdout_features).num_rows
    assert pc.count_distinct(scene.asked[0]["age"]).as_py() == MAX_ROWS


@pytest.mark.parametrize(("seconds", "fewest"), [(0.1, 30), (0.3, 10), (1.0, 3), (3.0, 1)])
async def test_time_is_looked_at_after_one_column_and_kept(tmp_path: Path, seconds: float, fewest: int) -> None:
    """2 000 rows, 17 columns, three times: up to 300 s, of which ten are given."""
    scene = Scene(tmp_path, rows=12_000, seconds=seconds, more=14)
    found = await scene.measured(10)
    assert len(scene.asked[0]) == MAX_ROWS
    assert scene.now <= 12
    assert sum(map(len, scene.asked)) >= fewest * MAX_ROWS
    if len(found.columns) < 17:
        assert found.note == f"Importance of {len(found.columns)} of 17 columns; there was no time for more."


async def test_a_fast_model_is_asked_about_many_columns_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, rows=12_000, seconds=0.001, more=14)
    found = await scene.measured()
    assert [len(table) for table in scene.asked[:2]] == [2000, 20_000]
    assert len(found.columns) == 17
    assert found.note == ""


async def test_a_model_that_fails_on_the_way_keeps_what_was_measured(tmp_path: Path) -> None:
    scene = Scene(tmp_path, seconds=20.0, more=8)  # eleven columns; ten go into the first question

    def fail(honest: Predictions) -> Predictions:
        if len(scene.asked) > 1:
            raise ModelFailed("The script crashed (SIGSEGV).")
        return honest

    scene.bend = fail
    found = await scene.measured(1000)
    assert {item.column for item in found.columns} == set(scene.contract.features[:10])
    assert found.note == "Importance of 10 of 11 columns; the model failed: The script crashed (SIGSEGV)."


async def test_what_tells_most_is_measured_first_and_a_slow_model_is_asked_about_fewer_rows(tmp_path: Path) -> None:
    scene = Scene(tmp_path, rows=12_000, seconds=2.0, more=14)
    found = await importance(
        scene.ask,
        scene.sealed.holdout_labels,
        scene.sealed.holdout_features,
        scene.predictions,
        scene.contract,
        seconds=10,
        telling={"x7": 0.9, "age": 0.8, "noise": 0.1},
        clock=lambda: scene.now,
    )
    assert [len(table) for table in scene.asked[:2]] == [MAX_ROWS, 3 * FEW_ROWS]
    assert {item.column for item in found.columns} >= {"x7", "age", "noise"}
    assert 3 < len(found.columns) < 17
    assert found.columns[0].column == "age"
    assert scene.now <= 12


async def test_the_start_of_the_model_is_not_taken_for_its_speed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, rows=12_000, more=14)
    plain = scene.ask

    async def ask(table: pa.Table) -> Predictions:
        scene.now += 0.02 if scene.asked else 6.0
        return await plain(table)

    scene.ask = ask  # type: ignore[method-assign]
    assert len((await scene.measured(10)).columns) == 17


async def test_answers_that_cannot_be_judged_are_a_note(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.bend = lambda honest: Predictions(honest.values, None)
    found = await scene.measured()
    assert found.columns == ()
    assert found.note == (
        "Importance could not be computed: The shuffled rows have no probabilities, which ROC-AUC needs."
    )

    def refuse(honest: Predictions) -> Predictions:
        raise PredictionsRefused("Some probabilities are outside 0 to 1.")

    scene.bend = refuse
    assert (await scene.measured()).note.endswith("outside 0 to 1.")


async def test_a_measure_that_is_not_defined_is_told(tmp_path: Path) -> None:
    """Sealed rows of one class have no ROC-AUC."""
    scene = Scene(tmp_path)
    labels = pq.read_table(scene.sealed.holdout_labels)
    scene.sealed.holdout_labels.chmod(0o600)
    place = labels.column_names.index("target")
    pq.write_table(labels.set_column(place, "target", [["no"] * labels.num_rows]), scene.sealed.holdout_labels)
    found = await scene.measured()
    assert found.columns == ()
    assert found.note == "Importance could not be computed: ROC-AUC is not defined on the rows that were shuffled."


async def test_a_real_model_that_goes_by_position_is_measured(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    """A model that goes by position, as one made with numpy does."""
    columns = {**two_classes(), "colour": np.random.default_rng(3).normal(size=300)}
    contract = contract_for(columns, "answer", metric="accuracy")
    sealed = sealed_scene(columns, contract, tmp_path)
    script = """
import joblib
import numpy as np


class First:
    classes_ = ["no", "yes"]

    def predict(self, table):
        return np.where(np.asarray(table)[:, 0] > 40, "yes", "no")


if __name__ == "__main__":
    joblib.dump(First(), "outputs/model.joblib")
"""
    trained = await run(sandbox, script, {"train.parquet": sealed.train}, tmp_path / "train")
    assert trained.outcome.ok, trained.errors
    model = model_folder(tmp_path / "train", script)

    async def ask(table: pa.Table) -> Predictions:
        return await workers.predict(model, contract, table)

    found = await ask(pq.read_table(sealed.holdout_features))
    write_predictions(found, contract, tmp_path / "predictions.parquet")
    places = sealed.holdout_labels, sealed.holdout_features, tmp_path / "predictions.parquet"
    measured = await importance(ask, *places, contract, seconds=20)
    assert measured.columns[0].column == "age"
    assert measured.columns[0].drop > 0
    assert [item.drop for item in measured.columns[1:]] == [0.0, 0.0]


async def test_an_unverified_model_sees_each_row_once_in_a_question_with_shuffles_mixed(tmp_path: Path) -> None:
    """Every value is its own, so what was shuffled can be read off."""
    scene = Scene(tmp_path)
    found = await scene.measured(verified=False)
    honest = await scene.measured()
    assert found.columns[0] == honest.columns[0]
    assert found.note == UNVERIFIED
    assert honest.note == ""
    rows = pq.read_table(scene.sealed.holdout_features).to_pandas()
    known = {row.noise: row.age for row in rows.itertuples()}
    for question in scene.asked[:2]:
        asked = question.to_pandas()
        assert len(asked) == len(rows)
        untouched = (asked["noise"].map(known) == asked["age"]).mean()
        assert 0.3 < untouched < 0.7  # some rows have the one column shuffled, the rest another
        assert not (asked["noise"].to_numpy() == rows["noise"].to_numpy()).mean() > 0.1  # nor are they in order


CHEAT = """
import joblib
import numpy as np


class Cheat:
    \"\"\"Leans on age alone, and would have it that "noise" does it all.\"\"\"

    classes_ = ["no", "yes"]
    first = None

    def honest(self, table):
        chance = 1 / (1 + np.exp((40 - table["age"].to_numpy()) / 6))
        return np.column_stack([1 - chance, chance])

    def predict(self, table):
        return np.array(self.classes_)[self.honest(table).argmax(1)]

    def predict_proba(self, table):
        table = table.reset_index(drop=True)
        if self.first is None:
            self.first, self.said = table.copy(), self.honest(table)
            return self.said
        size, found = len(self.first), []
        for start in range(0, len(table), size):
            block = table.iloc[start : start + size].reset_index(drop=True)
            blamed = (block["noise"].to_numpy() != self.first["noise"].to_numpy()).any()
            found.append(1 - self.said if blamed else self.said)
        return np.vstack(found)


if __name__ == "__main__":
    joblib.dump(Cheat(), "outputs/model.joblib")
"""


async def test_a_model_that_remembers_the_scoring_cannot_blame_another_column(
    sandbox: Sandbox, workers: Workers, tmp_path: Path
) -> None:
    columns = two_classes(600)
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, tmp_path)
    trained = await run(sandbox, CHEAT, {"train.parquet": sealed.train}, tmp_path / "train")
    assert trained.outcome.ok, trained.errors
    model = model_folder(tmp_path / "train", CHEAT)
    write_predictions(
        await workers.predict(model, contract, sealed.holdout_features), contract, tmp_path / "predictions.parquet"
    )
    places = sealed.holdout_labels, sealed.holdout_features, tmp_path / "predictions.parquet"
    fooled = await importance(lambda table: workers.predict(model, contract, table), *places, contract, seconds=20)
    assert fooled.columns[0].column == "noise"  # so the trick works where nothing is done against it
    async with workers.apart(model, contract, seconds=20) as ask:
        measured = await importance(ask, *places, contract, seconds=20, verified=False)
    drops = {item.column: item.drop for item in measured.columns}
    assert not drops["noise"] > drops["age"] + 0.05
    assert UNVERIFIED in measured.note
