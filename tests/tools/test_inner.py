"""Training rows divided once more: by the contract's rule, the same each time, measured against labels kept apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.contract import ColumnPlan, Contract, Split
from tools.inner import FEWEST_ROWS, inner_split, measured
from tools.predictions import Predictions, PredictionsRefused, write_predictions
from tools.seal import Sealed, SealError

ROWS = 400


def contract_of(rule: Any = "stratified", **more: Any) -> Contract:
    """Predict y from x."""
    column = None if rule in ("random", "stratified") else "by"
    fixed: dict[str, Any] = {
        "request": "",
        "row_unit": "a row",
        "task": "binary",
        "target": "y",
        "positive_class": "1",
        "classes": ("0", "1"),
        "columns": (ColumnPlan(name="x", role="number", use=True),),
        "split": Split(rule=rule, column=column),
        "metric": "roc_auc",
    }
    return Contract(**{**fixed, **more})


def sealed_in(folder: Path, rows: int = ROWS, **beside: list[Any]) -> Sealed:
    """Training rows 0, 1, 2, ... whose class is that of their number, and what lies beside them."""
    numbers = np.arange(rows)
    table = {"x": numbers.astype(float), "y": [str(n % 2) for n in numbers]}
    pq.write_table(pa.table(table), folder / "train.parquet")
    paths = {}
    for name, values in beside.items():
        column = {"groups": "group", "weights": "weight", "order": "moment"}[name]
        paths[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table({column: values}), paths[name])
    return Sealed(
        train=folder / "train.parquet",
        holdout_features=folder / "none",
        holdout_labels=folder / "none",
        groups=paths.get("groups"),
        rows_train=rows,
        rows_holdout=100,
        dropped=0,
        rule="",
        notes=(),
        hash="h",
        order=paths.get("order"),
        weights=paths.get("weights"),
    )


def rows_of(path: Path) -> list[int]:
    """Which rows of training a part holds."""
    return [int(value) for value in pq.read_table(path).column("x").to_pylist()]


def test_shares_of_classes_and_the_same_rows_each_time(tmp_path: Path) -> None:
    sealed, contract = sealed_in(tmp_path), contract_of()
    one, other = (inner_split(sealed, contract, tmp_path / name) for name in ("a", "b"))
    train, rest = rows_of(one.train), rows_of(one.holdout_features)
    assert sorted(train + rest) == list(range(ROWS))
    assert (len(train), len(rest)) == (300, 100)
    assert sum(row % 2 for row in rest) == 50
    assert (train, rest) == (rows_of(other.train), rows_of(other.holdout_features))
    assert pq.read_schema(one.holdout_features).names == ["x"]
    assert one.holdout_labels.stat().st_mode & 0o777 == 0o600
    truth = pq.read_table(one.holdout_labels).column("target").to_pylist()
    assert truth == [str(row % 2) for row in rest]


def test_later_rows_judge_after_a_split_by_time(tmp_path: Path) -> None:
    inner = inner_split(sealed_in(tmp_path), contract_of("time"), tmp_path / "a")
    assert rows_of(inner.holdout_features) == list(range(300, 400))
    same_moment = sealed_in(tmp_path, order=[min(n // 10, 29) for n in range(ROWS)])
    inner = inner_split(same_moment, contract_of("time"), tmp_path / "b")
    assert rows_of(inner.holdout_features) == list(range(290, 400)), "rows of one moment stay together"


def test_whole_groups_judge_after_a_split_by_group(tmp_path: Path) -> None:
    sealed = sealed_in(tmp_path, groups=[n // 8 for n in range(ROWS)])
    inner = inner_split(sealed, contract_of("group"), tmp_path / "a")
    inside, outside = ({row // 8 for row in rows_of(path)} for path in (inner.train, inner.holdout_features))
    assert not inside & outside
    assert inner.groups is not None
    assert pq.read_metadata(inner.groups).num_rows == len(rows_of(inner.train))


def test_weights_go_with_their_rows(tmp_path: Path) -> None:
    sealed = sealed_in(tmp_path, weights=[1.0 + n for n in range(ROWS)])
    inner = inner_split(sealed, contract_of(weight_column="w"), tmp_path / "a")
    assert inner.weights is not None
    weights = pq.read_table(inner.weights).column("weight").to_numpy()
    rows = np.array(rows_of(inner.train)) + 1.0
    np.testing.assert_allclose(weights, rows / rows.mean())


def test_few_rows_are_not_divided(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="at least 120"):
        inner_split(sealed_in(tmp_path, FEWEST_ROWS - 1), contract_of(), tmp_path / "a")


def test_a_gain_is_paired_and_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    contract = contract_of()
    inner = inner_split(sealed_in(tmp_path), contract, tmp_path / "a")
    truth = np.array([row % 2 for row in rows_of(inner.holdout_features)], dtype=float)
    drawn = np.random.default_rng(0)

    def said(name: str, chances: np.ndarray[Any, Any]) -> Path:
        path = tmp_path / f"{name}.parquet"
        labels = (chances > 0.5).astype(float)
        write_predictions(Predictions(labels, np.column_stack([1 - chances, chances])), contract, path)
        return path

    good = said("good", np.clip(truth * 0.4 + drawn.uniform(0.1, 0.5, len(truth)), 0, 1))
    poor = said("poor", drawn.uniform(0, 1, len(truth)))
    value, gain = measured(inner, good, contract, poor)
    assert value.value > 0.95
    assert gain is not None
    assert gain.ci_low > 0.2
    _, same = measured(inner, good, contract, good)
    assert same is not None
    assert same.value == same.ci_low == same.ci_high == 0
    with pytest.raises(PredictionsRefused):
        measured(inner, inner.holdout_features, contract, poor)
    write_predictions(Predictions(truth, None), contract, tmp_path / "labels.parquet")
    with pytest.raises(PredictionsRefused, match="probabilities"):
        measured(inner, tmp_path / "labels.parquet", contract)
