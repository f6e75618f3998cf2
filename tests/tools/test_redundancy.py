"""Columns that carry the same information are found whatever their kinds are, and others are left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, sealed_scene
from tools.importance import importance
from tools.predictions import Predictions, write_predictions
from tools.redundancy import alike

ROWS = 400


def groups(**columns: Any) -> tuple[tuple[str, ...], ...]:
    contract = contract_for({**columns, "answer": ["a", "b"] * (ROWS // 2)}, "answer")
    return alike(pa.table(columns), contract)


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(3)


def test_numbers_categories_and_both(draw: np.random.Generator) -> None:
    size, town = draw.normal(size=ROWS), draw.choice(["Ulm", "Bonn", "Kiel"], ROWS)
    columns = {
        "size": size,
        "logged": np.exp(size) + 0.001 * draw.normal(size=ROWS),
        "town": town.tolist(),
        "code": [{"Ulm": "x", "Bonn": "y", "Kiel": "z"}[name] for name in town],
        "price": np.array([{"Ulm": 1.0, "Bonn": 5.0, "Kiel": 9.0}[name] for name in town]) + 0.1 * size,
        "noise": draw.normal(size=ROWS),
        "other": draw.choice(["p", "q"], ROWS).tolist(),
    }
    assert groups(**columns) == (("size", "logged"), ("town", "code", "price"))


def test_many_levels_gaps_and_constants_are_no_likeness(draw: np.random.Generator) -> None:
    one = draw.normal(size=ROWS)
    gaps = [None if number % 2 else float(one[number]) for number in range(ROWS)]
    assert (
        groups(a=[str(n) for n in range(ROWS)], b=[f"{n}!" for n in range(ROWS)], c=np.ones(ROWS), d=np.ones(ROWS))
        == ()
    )
    assert groups(one=one, gaps=gaps) == (("one", "gaps"),)
    assert groups(one=one) == ()


async def test_what_two_columns_share_is_seen_when_they_are_shuffled_together(
    tmp_path: Path, draw: np.random.Generator
) -> None:
    size = draw.normal(size=1000)
    twin = size + 0.01 * draw.normal(size=1000)
    table = {
        "size": size,
        "twin": twin,
        "noise": draw.normal(size=1000),
        "answer": np.where(size > 0, "yes", "no").tolist(),
    }
    contract = contract_for(table, "answer")
    sealed = sealed_scene(table, contract, tmp_path)

    def model(rows: pa.Table) -> Predictions:
        """Believes whichever of the two is further from zero, so that one alone can be missed."""
        pair = np.column_stack([rows["size"].to_numpy(), rows["twin"].to_numpy()])
        chance = 1 / (1 + np.exp(-pair.sum(axis=1)))
        return Predictions((chance > 0.5).astype(float), np.column_stack([1 - chance, chance]))

    async def ask(rows: pa.Table) -> Predictions:
        return model(rows)

    predictions = tmp_path / "predictions.parquet"
    write_predictions(model(pq.read_table(sealed.holdout_features)), contract, predictions)
    found = await importance(ask, sealed.holdout_labels, sealed.holdout_features, predictions, contract, seconds=30.0)
    (group,) = found.groups
    assert group.columns == ("size", "twin")
    assert group.drop > 1.5 * max(one.drop for one in found.columns)
    assert group.ci_low > 0
    assert "same information" in group.sentence
    assert {one.column for one in found.columns} == {"size", "twin", "noise"}
