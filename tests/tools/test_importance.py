"""Importance: the column that matters is named, files that lie are refused unread, and time is kept."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import contract_for, run, sealed_scene, two_classes
from tests.tools.test_predictions import without_data
from tests.tools.test_score import Judge
from tools import recipes
from tools.importance import MAX_ROWS, REPEATS, Importance, importance, importance_and_note
from tools.predictions import PredictionsRefused, read_predictions

MATTERS = ("noise", "age")


class Shuffled(Judge):
    """A model that knows “age” and nothing else, and what it says with a column shuffled."""

    def table(self, features: tuple[str, ...] = MATTERS, repeats: int = 2) -> pd.DataFrame:
        """As the importance program writes it."""
        found = read_predictions(self.sure(1.5), self.contract, len(self.truth)).probabilities
        assert found is not None
        dealt, parts = np.random.default_rng(0).permutation(found[:, 1]), []
        for feature in features:
            p = dealt if feature == "age" else found[:, 1]
            one = {"row": np.arange(len(p)), "prediction": np.where(p > 0.5, "yes", "no"), "p_0": 1 - p, "p_1": p}
            parts += [pd.DataFrame({**one, "feature": feature, "repeat": repeat}) for repeat in range(repeats)]
        return pd.concat(parts, ignore_index=True)

    def saved(self, table: pd.DataFrame) -> Path:
        path = self.folder / "permuted.parquet"
        table.to_parquet(path, index=False)
        return path

    def judged(self, permuted: Path) -> tuple[Importance, ...]:
        return importance(self.sealed.holdout_labels, self.sure(1.5), permuted, self.contract)

    def noted(self, permuted: Path) -> tuple[tuple[Importance, ...], str | None]:
        return importance_and_note(self.sealed.holdout_labels, self.sure(1.5), permuted, self.contract)


def test_the_column_that_matters_is_named_in_whatever_order_the_rows_come(tmp_path: Path) -> None:
    scene = Shuffled(tmp_path)
    found = scene.judged(scene.saved(scene.table()))
    assert [item.column for item in found] == ["age", "noise"]
    assert found[0].ci_low > 0.1
    assert found[1].drop == pytest.approx(0)
    assert found == scene.judged(scene.saved(scene.table().sample(frac=1, random_state=1)))


def test_columns_that_time_did_not_reach_are_told(tmp_path: Path) -> None:
    scene = Shuffled(tmp_path)
    found, note = scene.noted(scene.saved(scene.table()))
    assert len(found) == 2
    assert note == "Importance of 2 of 3 columns; there was no time for the rest."
    assert scene.noted(scene.saved(scene.table(("age", "noise", "colour"))))[1] is None


def test_twenty_million_rows_are_not_read(tmp_path: Path) -> None:
    """Three columns, three repeats and 200 sealed rows make 1 800 rows; a small file with more is not unfolded."""
    scene = Shuffled(tmp_path)
    rows = 400_000
    columns: dict[str, Any] = {"feature": pa.repeat("age", rows), "prediction": pa.repeat("yes", rows)}
    columns |= {name: np.zeros(rows, dtype=int) for name in ("repeat", "row")}
    pq.write_table(pa.table(columns | {"p_0": np.zeros(rows), "p_1": np.ones(rows)}), tmp_path / "permuted.parquet")
    found, note = scene.noted(without_data(tmp_path / "permuted.parquet"))
    assert found == ()
    assert note == (
        "Importance could not be computed: permuted.parquet has 400,000 rows, but there can be at most 1,800."
    )


def repeated(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(row=table["row"].replace(1, 0))


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (repeated, "A row is predicted twice with the same column shuffled"),
        (lambda t: t.drop(index=3), "shuffled over the same 200 rows"),
        (lambda t: t[t["row"] < 50], "shuffled over the same 200 rows"),
        (lambda t: t.assign(repeat=t["repeat"] + 2), "The repeats must be 0 to 2"),
        (lambda t: t.assign(row=t["row"] - 1), "The rows must be 0 to 199"),
        (lambda t: t.assign(row=np.uint64(2**63 + 1)), "The rows must be 0 to 199"),
        (lambda t: t.assign(row=t["row"] * 1.0), "must hold whole numbers"),
        (lambda t: t.assign(row=t["row"].astype("Int64").where(t.index > 0)), "must hold whole numbers"),
        (lambda t: t.assign(feature="answer"), "“answer” is no feature"),
        (lambda t: t.assign(feature=t["feature"].where(t.index > 0)), "1 row has no feature"),
        (lambda t: t.assign(p_0=0.9), "add up to 1"),
        (lambda t: t.drop(columns=["p_0", "p_1"]), "have no probabilities, which ROC-AUC needs"),
    ],
)
def test_a_file_that_lies_is_refused(tmp_path: Path, lie: Any, sentence: str) -> None:
    scene = Shuffled(tmp_path)
    path = scene.saved(lie(scene.table()))
    with pytest.raises(PredictionsRefused, match=sentence):
        scene.judged(path)
    found, note = scene.noted(path)
    assert found == ()
    assert note is not None
    assert note.startswith("Importance could not be computed: ")


def test_a_missing_file_and_no_columns_at_all(tmp_path: Path) -> None:
    scene = Shuffled(tmp_path)
    assert scene.noted(tmp_path / "nothing.parquet") == (
        (),
        "Importance could not be computed: The script left no nothing.parquet.",
    )
    assert scene.judged(scene.saved(scene.table()[:0])) == ()


def test_a_measure_that_is_not_defined_is_told(tmp_path: Path) -> None:
    """Sealed rows of one class have no ROC-AUC."""
    scene = Shuffled(tmp_path)
    labels = pq.read_table(scene.sealed.holdout_labels)
    scene.sealed.holdout_labels.chmod(0o600)
    place = labels.column_names.index("target")
    pq.write_table(labels.set_column(place, "target", [["no"] * labels.num_rows]), scene.sealed.holdout_labels)
    found, note = scene.noted(scene.saved(scene.table()))
    assert found == ()
    assert note == "Importance could not be computed: ROC-AUC is not defined on the rows that were shuffled."


def test_the_trusted_side_allows_what_the_program_is_told_to_write() -> None:
    filled = recipes.parameters(recipes.importance_for(contract_for(two_classes(), "answer"), seconds=5))
    assert (filled["REPEATS"], filled["MAX_ROWS"]) == (REPEATS, MAX_ROWS)


class Slow:
    """A model that needs a second for a thousand rows, on a clock of its own."""

    classes_ = ("no", "yes")

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        self.asked: list[int] = []

    def clock(self) -> float:
        return self.now

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        self.asked.append(len(table))
        self.now += self.seconds * len(table) / 1000
        return np.full((len(table), 2), 0.5)

    def predict(self, table: pd.DataFrame) -> list[str]:
        return ["no"] * len(table)


def program(columns: int, seconds: float) -> dict[str, Any]:
    """The names of the importance program for so many columns."""
    table = {f"x{i}": [0.0, 1.0] for i in range(columns)} | {"answer": ["no", "yes"]}
    names: dict[str, Any] = {"__name__": "importance"}
    exec(recipes.importance_for(contract_for(table, "answer"), seconds=seconds), names)
    return names


def measured(names: dict[str, Any], model: Slow, rows: pd.DataFrame, until: float) -> Iterator[pd.DataFrame]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield from names["measured"](model, rows, model.clock, until)


@pytest.mark.parametrize(("seconds", "fewest"), [(0.1, 30), (0.3, 10), (1.0, 3), (3.0, 1)])
def test_time_is_looked_at_after_one_column_and_kept(seconds: float, fewest: int) -> None:
    """2 000 rows, 14 columns, three times: up to 250 s, of which ten are given."""
    names, model = program(14, 10), Slow(seconds)
    rows = pd.DataFrame({f"x{i}": np.arange(2000.0) for i in range(14)})
    found = pd.concat(list(measured(names, model, rows, 10.0)), ignore_index=True)
    assert model.asked[0] == 2000
    assert model.now <= 12
    done = found.groupby(["repeat", "feature"], observed=True).size()
    assert len(done) >= fewest
    assert set(done) == {2000}


def test_a_fast_model_is_asked_for_many_columns_at_once() -> None:
    names, model = program(14, 10), Slow(0.001)
    rows = pd.DataFrame({f"x{i}": np.arange(2000.0) for i in range(14)})
    found = pd.concat(list(measured(names, model, rows, 10.0)), ignore_index=True)
    assert model.asked[:2] == [2000, 20_000]
    assert len(found) == 14 * REPEATS * 2000
    assert found["feature"].unique().tolist() == [f"x{i}" for i in range(14)]


def test_a_very_wide_table_stays_within_what_is_read_again() -> None:
    names, model = program(3000, 10), Slow(0.0)
    rows = pd.DataFrame({f"x{i}": np.zeros(2000, dtype=np.int8) for i in range(3000)})
    names["permuted"] = lambda model, rows, names, repeat: pd.DataFrame({"row": [len(rows) * len(names)]})
    total = sum(int(part["row"][0]) for part in measured(names, model, rows, 10.0))
    assert 0 < total * 6 <= 20_000_000


async def test_the_model_gets_its_columns_in_their_order_whatever_is_measured_first(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A model that goes by position, as one made with numpy does."""
    columns = {**two_classes(), "colour": np.random.default_rng(3).normal(size=300)}
    contract = contract_for(columns, "answer")
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
    (tmp_path / "train" / "train.py").write_text(script)
    tables = []
    for number, first in enumerate(((), ("noise", "colour"))):
        program = recipes.importance_for(contract, seconds=10, first=first)
        inputs = {"model": tmp_path / "train", "table.parquet": sealed.holdout_features}
        ran = await run(sandbox, program, inputs, tmp_path / f"importance{number}")
        assert ran.outcome.ok, ran.errors
        tables.append(pd.read_parquet(tmp_path / f"importance{number}" / "permuted.parquet"))
    plain, other = tables
    assert other["feature"].astype(str).tolist()[0] == "noise"
    age = pd.read_parquet(sealed.holdout_features)["age"].to_numpy()
    for table in tables:
        untouched = table[table["feature"] == "noise"]
        assert (untouched["prediction"] == np.where(age[untouched["row"]] > 40, "yes", "no")).all()
    assert len(plain) == len(other) == 3 * REPEATS * len(age)
