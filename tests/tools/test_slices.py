"""Slices: a planted failure is found and sized, noise is not reported, groups are not taken for rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import ColumnPlan, Contract, Split
from tools.predictions import Predictions
from tools.resampling import Truth
from tools.slices import Slices, slices


def plan(task: str = "regression") -> Contract:
    classes = () if task == "regression" else ("no", "yes")
    roles = {"place": "category", "age": "number", "paid": "boolean", "name": "id"}
    return Contract(
        request="", row_unit="one row", task=task, target="y", classes=classes, metric="mae",  # type: ignore[arg-type]
        positive_class="yes" if classes else None, split=Split(rule="random"),
        columns=tuple(ColumnPlan(name=name, role=role, use=True) for name, role in roles.items()),  # type: ignore[arg-type]
    )  # fmt: skip


def scene(folder: Path, worse: float, rows: int = 1200, seed: int = 0, unit: np.ndarray | None = None) -> Slices:
    """Numbers whose error is `worse` times as large in the south."""
    random = np.random.default_rng(seed)
    place = random.choice(["north", "south", "east", "west"], rows, p=[0.3, 0.2, 0.3, 0.2])
    columns = {
        "place": place, "age": random.uniform(18, 90, rows), "paid": random.random(rows) < 0.5,
        "name": [f"n{i}" for i in range(rows)],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "features.parquet")
    error = random.normal(size=rows) * np.where(place == "south", worse, 1.0)
    truth = Truth(error, np.arange(rows) if unit is None else unit)
    return slices(folder / "features.parquet", truth, Predictions(np.zeros(rows), None), plan())


def test_a_planted_failure_is_found_with_its_size(tmp_path: Path) -> None:
    found = scene(tmp_path, worse=2.0)
    (one,) = found.failing
    assert one.rows_are == "“place” is “south”"
    assert 200 < one.rows < 280
    assert one.ci_low <= one.error <= one.ci_high
    assert 1.6 * one.elsewhere < one.error < 2.4 * one.elsewhere
    assert one.p < 0.001
    assert found.sentence.startswith("It fails most where “place” is “south”")
    assert found.looked_at == 4 + 4 + 2


def test_a_difference_that_nobody_would_notice_is_no_failure(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    place = random.choice(["north", "south"], 1200)
    pq.write_table(pa.table({"place": place}), tmp_path / "features.parquet")
    yes = np.where(place == "south", 7.5e-5, 5e-5) * random.uniform(0.9, 1.1, 1200)
    said = Predictions(np.zeros(1200), np.column_stack([1 - yes, yes]))
    found = slices(tmp_path / "features.parquet", Truth(np.zeros(1200), np.arange(1200)), said, plan("binary"))
    assert found.of == "log-loss"
    assert min(one.p for one in found.table) < 0.001
    assert found.failing == ()
    assert found.sentence.startswith("No group of rows stands out")


def test_noise_is_no_failure(tmp_path: Path) -> None:
    alarms = sum(bool(scene(tmp_path / str(seed), worse=1.0, rows=600, seed=seed).failing) for seed in range(40))
    assert alarms <= 4
    assert "No group of rows stands out" in scene(tmp_path, worse=1.0).sentence


def test_rows_that_hang_together_do_not_make_a_failure(tmp_path: Path) -> None:
    """Sixty families of ten; each has an error of its own, and one place or the other: many rows, little to learn."""
    alarms = {True: 0, False: 0}
    for seed in range(40):
        random = np.random.default_rng(seed)
        family = np.repeat(np.arange(60), 10)
        error = np.exp(random.normal(size=60))[family]
        place = random.choice(["here", "there"], 60)[family]
        pq.write_table(pa.table({"place": place}), tmp_path / "features.parquet")
        for grouped in alarms:
            truth = Truth(error, family if grouped else np.arange(600))
            found = slices(tmp_path / "features.parquet", truth, Predictions(np.zeros(600), None), plan())
            alarms[grouped] += bool(found.failing)
    assert alarms[True] <= 5
    assert alarms[False] > 10


def test_small_slices_and_tiny_differences_are_left_out(tmp_path: Path) -> None:
    assert scene(tmp_path / "few", worse=5.0, rows=60).looked_at <= 4
    large = scene(tmp_path / "large", worse=1.08, rows=60_000)
    assert not large.failing
    assert min(one.p for one in large.table) < 0.001


def test_gaps_are_a_slice_and_classes_are_judged_by_chances(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = 1500
    missing = random.random(rows) < 0.2
    age = [None if gap else value for gap, value in zip(missing, random.uniform(18, 90, rows), strict=True)]
    pq.write_table(pa.table({"age": pa.array(age, pa.float64())}), tmp_path / "features.parquet")
    truth = (random.random(rows) < 0.5).astype(float)
    said = np.where(missing, 0.5, np.where(truth == 1, 0.85, 0.15))
    model = Predictions((said > 0.5).astype(float), np.column_stack([1 - said, said]))
    found = slices(tmp_path / "features.parquet", Truth(truth, np.arange(rows)), model, plan("binary"))
    assert found.of == "log-loss"
    assert found.failing[0].rows_are == "“age” is missing"


def test_nothing_to_look_at_is_said(tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": ["a"] * 50}), tmp_path / "features.parquet")
    truth = Truth(np.arange(50.0), np.arange(50))
    found = slices(tmp_path / "features.parquet", truth, Predictions(np.zeros(50), None), plan())
    assert found.looked_at == 0
    assert "too few" in found.sentence
