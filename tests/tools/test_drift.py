"""Drift: what has moved is found and said in words, what has not is left in peace."""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy import stats

from tests.tools.modelling_scene import contract_for
from tools.contract import Contract, Split
from tools.drift import ColumnDrift, Drift, by_chance, drift, psi
from tools.ingest import ingest
from tools.reference import Kind, Reference, ReferenceError, numbers, read_reference, reference_of, reference_text
from tools.samples import write_sample

ROWS = 480


def customers(rows: int, seed: int) -> dict[str, Any]:
    """Every kind of column: numbers, counts, gaps, few and many categories, dates, text, a target."""
    draw = np.random.default_rng(seed)
    gaps = draw.random(rows) < 0.1
    days = np.datetime64("2024-01-01") + draw.integers(0, 300, rows)
    return {
        "charge": draw.normal(65, 20, rows),
        "calls": draw.poisson(2, rows).astype(float),
        "income": pa.array(
            [None if gap else value for gap, value in zip(gaps, draw.lognormal(8, 1, rows), strict=True)]
        ),
        "plan": pa.array(draw.choice(["monthly", "yearly", "both"], rows, p=[0.6, 0.3, 0.1])),
        "street": pa.array([f"street {number}" for number in draw.integers(0, 300, rows)]),
        "shop": pa.array([f"shop {number}" for number in draw.zipf(1.6, rows).clip(0, 10**9)]),
        "since": pa.array(days.astype("datetime64[D]")),
        "note": pa.array(["word " * int(count) for count in draw.integers(1, 9, rows)]),
        "leaves": pa.array(draw.choice(["no", "yes"], rows, p=[0.7, 0.3])),
    }


def contract(columns: Mapping[str, Any]) -> Contract:
    return contract_for(columns, "leaves", roles={"note": "text"})


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The training rows."""
    return described(customers(ROWS, 1), tmp_path_factory.mktemp("before"))


def described(columns: Mapping[str, Any], folder: Path) -> Reference:
    path = folder / "train.parquet"
    pq.write_table(pa.table(dict(columns)), path)
    return reference_of(path, contract(columns))


def moved(before: Reference, **changed: Any) -> tuple[Drift, dict[str, ColumnDrift]]:
    found = drift(before, pa.table({**customers(400, 2), **changed}), "leaves")
    return found, {column.name: column for column in found.columns}


def test_another_sample_of_the_same_customers_raises_no_alarm(before: Reference) -> None:
    found, _ = moved(before)
    assert found.size == "none"
    assert found.moved == ()
    assert "None of the 9 columns" in found.sentence


@pytest.mark.parametrize(
    "rows", [400, pytest.param(120, marks=pytest.mark.slow), pytest.param(1500, marks=pytest.mark.slow)]
)
def test_clean_samples_raise_at_most_five_false_alarms_in_a_hundred(rows: int, tmp_path: Path) -> None:
    alarms = 0
    for seed in range(100):
        reference = described(customers(ROWS, 1000 + seed), tmp_path)
        alarms += bool(drift(reference, pa.table(customers(rows, 5000 + seed)), "leaves").moved)
    assert alarms <= 5


def test_two_halves_of_a_real_table_raise_few_false_alarms(tmp_path: Path) -> None:
    table = pq.read_table(ingest(write_sample("breast_cancer", tmp_path), tmp_path / "data").path)
    agreed = contract_for({name: table.column(name) for name in table.column_names}, "diagnosis")
    alarms = 0
    for seed in range(60):
        order = np.random.default_rng(seed).permutation(table.num_rows)
        pq.write_table(table.take(order[:280]), tmp_path / "half.parquet")
        alarms += bool(drift(reference_of(tmp_path / "half.parquet", agreed), table.take(order[280:])).moved)
    assert alarms <= 3


def test_a_number_that_has_moved_is_said_with_both_medians(before: Reference) -> None:
    found, columns = moved(before, charge=np.random.default_rng(3).normal(95, 20, 400))
    assert [column.name for column in found.moved] == ["charge"]
    assert columns["charge"].size == found.size == "large"
    assert columns["charge"].psi is not None
    assert columns["charge"].psi > 0.25
    assert columns["charge"].sentence.startswith("“charge”: median 64.01 → 95.5 (PSI ")


def test_a_number_that_only_spreads_is_found_too(before: Reference) -> None:
    _, columns = moved(before, charge=np.random.default_rng(3).normal(65, 60, 400))
    assert columns["charge"].size in ("moderate", "large")
    assert columns["charge"].outside > 50


def test_a_new_category_is_named(before: Reference) -> None:
    draw = np.random.default_rng(3)
    plan = draw.choice(["monthly", "yearly", "both", "prepaid"], 400, p=[0.45, 0.2, 0.05, 0.3])
    _, columns = moved(before, plan=pa.array(plan))
    assert list(columns["plan"].new) == ["prepaid"]
    assert columns["plan"].new_rows == int((plan == "prepaid").sum())
    assert "“prepaid”" in columns["plan"].sentence
    assert columns["plan"].size == "large"


def test_rare_categories_that_training_just_missed_are_no_news(before: Reference) -> None:
    _, columns = moved(before)
    assert columns["street"].new_rows > 20
    assert columns["street"].size == "none"


def test_a_vanished_category_is_listed(before: Reference) -> None:
    _, columns = moved(before, plan=pa.array(["monthly"] * 300 + ["both"] * 100))
    assert columns["plan"].vanished == ("yearly",)


def test_gaps_that_grow_are_told_from_gaps_that_stay(before: Reference) -> None:
    draw = np.random.default_rng(3)
    income = [None if draw.random() < 0.4 else float(draw.lognormal(8, 1)) for _ in range(400)]
    found, columns = moved(before, income=pa.array(income))
    assert [column.name for column in found.moved] == ["income"]
    assert "missing in" in columns["income"].sentence
    assert "median" not in columns["income"].sentence


def test_dates_are_said_as_dates(before: Reference) -> None:
    later = np.datetime64("2025-06-01") + np.random.default_rng(3).integers(0, 60, 400)
    _, columns = moved(before, since=pa.array(later.astype("datetime64[D]")))
    assert columns["since"].size == "large"
    assert "2024-" in columns["since"].sentence
    assert "→ 2025-" in columns["since"].sentence


def test_the_target_is_told_apart(before: Reference) -> None:
    _, columns = moved(before, leaves=pa.array(["yes"] * 300 + ["no"] * 100))
    assert columns["leaves"].is_target
    assert columns["leaves"].sentence.startswith("the target “leaves”")


def test_an_empty_column_is_measured_by_its_gaps_alone(before: Reference) -> None:
    _, columns = moved(before, charge=pa.nulls(400, pa.float64()), plan=pa.nulls(400, pa.string()))
    for name in ("charge", "plan"):
        assert columns[name].psi is None
        assert columns[name].missing_now == 1.0
        assert columns[name].size == "large"


def test_the_largest_change_comes_first(before: Reference) -> None:
    found, _ = moved(before, charge=np.random.default_rng(3).normal(75, 20, 400), calls=np.full(400, 30.0))
    assert [column.name for column in found.columns][:2] == ["calls", "charge"]


def test_psi_is_zero_for_equal_shares_and_the_textbook_value_otherwise() -> None:
    assert psi([100, 300], [100, 300]) == 0.0
    # (0.5 - 0.25) ln(0.5 / 0.25) + (0.5 - 0.75) ln(0.5 / 0.75)
    expected = 0.25 * np.log(2) + 0.25 * np.log(1.5)
    assert psi([25_000, 75_000], [50_000, 50_000]) == pytest.approx(expected, rel=1e-3)


def test_psi_by_chance_is_what_chance_gives() -> None:
    draw = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    found = [psi(draw.multinomial(500, shares), draw.multinomial(300, shares)) for _ in range(300)]
    assert np.mean(found) == pytest.approx(by_chance(10, 500, 300), rel=0.15)


def test_the_distance_comes_close_to_scipys(before: Reference) -> None:
    old, new = customers(ROWS, 1)["charge"], np.random.default_rng(3).normal(72, 20, 400)
    _, columns = moved(before, charge=new)
    exact = stats.ks_2samp(old, new).statistic
    assert columns["charge"].ks is not None
    assert exact - 0.03 <= columns["charge"].ks <= exact + 1e-12


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array(["1", "2.5", "x", None]), "number", [1.0, 2.5, None, None]),
        (pa.array([True, False, None]), "number", [1.0, 0.0, None]),
        (pa.array([1, None]), "number", [1.0, None]),
        (pa.array([float("inf"), float("nan"), 3.0]), "number", [None, None, 3.0]),
        (pa.array(["1970-01-03", "soon"]), "date", [2.0, None]),
        (pa.array([dt.date(1970, 1, 3), None]), "date", [2.0, None]),
        (pa.array([dt.datetime(1970, 1, 1, 12)]), "date", [0.5]),
        (pa.array(["four", "", None]), "text", [4.0, 0.0, None]),
        (pa.array([123, 4]), "text", [3.0, 1.0]),
        (pa.nulls(2), "number", [None, None]),
    ],
)
def test_whatever_is_stored_can_be_measured(values: pa.Array, kind: Kind, expected: list[float | None]) -> None:
    found = numbers(pa.chunked_array([values]), kind).tolist()
    assert [None if value != value else value for value in found] == expected


# The file


def test_the_file_comes_back_as_it_was(before: Reference, tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table(customers(ROWS, 1)), path)
    (tmp_path / "reference.json").write_text(reference_text(path, contract(customers(5, 1))))
    assert read_reference(tmp_path / "reference.json") == before


def test_the_file_holds_no_text_of_a_cell_and_no_column_value_by_value(tmp_path: Path) -> None:
    columns = customers(ROWS, 1) | {"note": pa.array([f"Mrs Smith number {n} called" for n in range(ROWS)])}
    reference = described(columns, tmp_path)
    text = json.dumps(reference.model_dump(mode="json"))
    assert "Smith" not in text
    assert len(reference.column("charge").points) <= ROWS / 10 + 1


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "reference.json").write_text('{"version": 1, "rows": "many"}')
    with pytest.raises(ReferenceError, match="damaged"):
        read_reference(tmp_path / "reference.json")


def test_a_split_by_time_writes_down_where_the_whole_table_ends(tmp_path: Path) -> None:
    columns = customers(50, 1)
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "table.parquet")
    pq.write_table(table.slice(0, 30), tmp_path / "train.parquet")
    agreed = contract(columns).model_copy(update={"split": Split(rule="time", column="since")})
    found = reference_of(tmp_path / "train.parquet", agreed, tmp_path / "table.parquet")
    assert found.until == str(pc.max(table.column("since")).as_py())
