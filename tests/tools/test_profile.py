"""The profile: counts that are right, roles that a person would give, warnings that matter."""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.ingest import Dataset, ingest
from tools.profile import ColumnProfile, Profile, profile, target_view

Describe = Callable[[str], Profile]


@pytest.fixture
def describe(tmp_path: Path) -> Describe:
    """Profile a CSV given as text."""

    def ingest_and_profile(content: str) -> Profile:
        (tmp_path / "t.csv").write_text(content, encoding="utf-8")
        return profile(ingest(tmp_path / "t.csv", tmp_path / "data"))

    return ingest_and_profile


def table(**columns: Sequence[object]) -> str:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return ",".join(columns) + "\n" + "\n".join(lines) + "\n"


def roles(found: Profile) -> dict[str, str]:
    return {column.name: column.role for column in found.columns}


def test_the_numbers_of_a_number(describe: Describe) -> None:
    draw = random.Random(1)
    values = [round(draw.gauss(10, 3), 3) for _ in range(500)]
    column = describe(table(x=[*values, None, None], y=list(range(502)))).column("x")
    assert (column.missing, column.distinct) == (2, len(set(values)))
    assert column.missing_share == pytest.approx(2 / 502, abs=1e-6)
    assert (column.minimum, column.maximum) == (min(values), max(values))
    assert column.mean == pytest.approx(statistics.fmean(values))
    assert column.std == pytest.approx(statistics.stdev(values))
    for name, share in {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p99": 0.99}.items():
        assert column.quantiles[name] == pytest.approx(float(np.quantile(values, share)))


@pytest.mark.parametrize("values", [[2**52 + 2] * 20, [2**60, 2**60 + 256] * 10, [1.7e308] * 20, [5e-324, 1e-323] * 10])
def test_numbers_too_large_or_too_near_for_bins_are_described_all_the_same(
    describe: Describe, values: list[float]
) -> None:
    histogram = describe(table(x=values, y=["a"] * 20)).column("x").histogram
    if histogram is not None:
        assert sum(histogram.counts) == 20
        assert list(histogram.edges) == sorted(set(histogram.edges))
        assert all(math.isfinite(edge) for edge in histogram.edges)


def test_a_histogram_counts_what_numpy_counts(describe: Describe) -> None:
    draw = random.Random(2)
    values = [round(draw.gauss(0, 1), 4) for _ in range(1000)]
    histogram = describe(table(x=values, y=["a"] * 1000)).column("x").histogram
    assert histogram is not None
    assert list(histogram.counts) == np.histogram(values, bins=np.array(histogram.edges))[0].tolist()
    assert 5 <= len(histogram.counts) <= 40


def test_few_whole_numbers_get_a_bin_each(describe: Describe) -> None:
    histogram = describe(table(x=[1, 2, 2, 5] * 10, y=["a"] * 40)).column("x").histogram
    assert histogram is not None
    assert histogram.counts == (10, 20, 0, 0, 10)
    assert histogram.edges == (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)


def test_infinite_values_are_counted_and_kept_out_of_the_numbers(describe: Describe) -> None:
    found = describe(table(x=["1.5", "inf", "-inf", "2.5"], y=[1, 2, 3, 4]))
    column = found.column("x")
    assert (column.infinite, column.minimum, column.maximum, column.mean) == (2, 1.5, 2.5, 2.0)
    assert "'x' has 2 infinite values." in found.warnings
    assert any(part.name == "infinite values" for part in found.quality_parts)


def test_only_infinite_and_enormous_values_do_not_break_it(describe: Describe) -> None:
    column = describe(table(x=["inf", "inf"], y=[1, 2])).column("x")
    assert (column.mean, column.histogram, column.quantiles) == (None, None, {})
    huge = describe(table(x=["1e300", "-1e300", "1.7e308"], y=[1, 2, 3])).column("x")
    assert huge.maximum == 1.7e308
    assert huge.std is None or math.isfinite(huge.std)


def test_values_are_counted_as_class_labels(describe: Describe) -> None:
    found = describe(table(a=[1.0, 2.0, 2.0], b=["True", "False", "True"], c=["x", "y", "y"], d=["1.5", "1.5", "2"]))
    assert found.column("a").counts == {"2": 2, "1": 1}
    assert found.column("b").counts == {"True": 2, "False": 1}
    assert found.column("c").counts == {"y": 2, "x": 1}
    assert found.column("d").counts == {"1.5": 2, "2": 1}


def test_too_many_values_are_not_listed_whole(describe: Describe) -> None:
    column = describe(table(x=[f"k{i % 150}" for i in range(600)], y=[1] * 600)).column("x")
    assert (len(column.top), column.top_complete, column.distinct) == (100, False, 150)
    with pytest.raises(LookupError, match="too many values to list"):
        column.counts  # noqa: B018  # reading it is the test


def test_roles_and_their_evidence(describe: Describe) -> None:
    rows = 300
    draw = random.Random(3)
    found = describe(
        table(
            row=list(range(1, rows + 1)),
            customerID=[f"{draw.randrange(10**6):06d}-{chr(65 + i % 26)}{i}" for i in range(rows)],
            user_id=[draw.randrange(60) + 1000 for _ in range(rows)],
            store_id=[draw.randrange(5) for _ in range(rows)],
            zip=[f"{draw.randrange(40):05d}" for _ in range(rows)],
            grade=[draw.choice("abc") for _ in range(rows)],
            churn=[draw.choice(["yes", "no"]) for _ in range(rows)],
            flag=[i % 2 for i in range(rows)],
            day=[f"2024-{1 + i // 28 % 12:02d}-{1 + i % 28:02d}" for i in range(rows)],
            review=[f"the {draw.choice('abcdef')} was so {i} good that we came back again" for i in range(rows)],
            year=list(range(1500, 1500 + rows)),
            visits=[draw.randrange(7) for _ in range(rows)],
            price=[draw.random() for _ in range(rows)],
            always=["x"] * rows,
            never=[None] * rows,
        )
    )
    assert roles(found) == {
        "row": "id", "customerID": "id", "user_id": "id", "store_id": "category", "zip": "category",
        "grade": "category", "churn": "boolean", "flag": "boolean", "day": "date", "review": "text", "year": "number",
        "visits": "number", "price": "number", "always": "constant", "never": "empty",
    }  # fmt: skip
    assert all(column.evidence.endswith(".") for column in found.columns)
    assert found.column("row").evidence == "It counts the rows (1 to 300, one by one)."


def test_few_rows_are_no_evidence_for_an_id(describe: Describe) -> None:
    found = describe(table(city=["rome", "oslo", "bonn"], size=[1, 2, 3]))
    assert roles(found) == {"city": "category", "size": "number"}


def test_sorted_columns_and_the_order_of_time(describe: Describe) -> None:
    days = [f"2024-01-{day:02d}" for day in range(1, 29)]
    found = describe(table(day=days, back=list(range(28, 0, -1)), mixed=[i * 5 % 28 for i in range(28)]))
    assert [column.is_sorted for column in found.columns] == [True, True, False]
    assert "The rows are in the order of 'day'; later rows may differ from earlier ones." in found.warnings


def test_whole_numbers_stored_as_decimals(describe: Describe) -> None:
    found = describe(table(a=["1.0", "2.0"], b=["1.5", "2.0"], c=[1, 2], d=["x", "y"]))
    assert [column.is_integer_valued for column in found.columns] == [True, False, True, False]


def test_duplicate_rows_are_counted_exactly(describe: Describe) -> None:
    found = describe("a,b\n" + "1,x\n" * 3 + ",y\n" * 2 + "2,y\n")
    assert found.duplicate_rows == 3
    assert any("3 rows (50.0%) equal to an earlier row" in part.sentence for part in found.quality_parts)


def test_quality_is_100_minus_its_parts(describe: Describe) -> None:
    clean = describe(table(a=[i * 37 % 101 for i in range(101)], b=["xyz"[i % 3] for i in range(101)]))
    assert (clean.quality, clean.quality_parts) == (100.0, ())
    dirty = describe(table(a=[None] * 90 + [1] * 10, b=["x"] * 100, c=["A", "a", " a", "b"] * 25))
    assert dirty.quality == pytest.approx(100 - sum(part.points_lost for part in dirty.quality_parts))
    assert {part.name for part in dirty.quality_parts} == {"gaps", "idle columns", "duplicates", "spelling"}


def test_spellings_that_differ_only_in_case_are_warned_of(describe: Describe) -> None:
    found = describe(table(sex=["Male", "male", " male", "female"] * 30, x=list(range(120))))
    assert "'sex' has 2 more spellings than values: capitals or blanks around them differ." in found.warnings


def test_an_assumption_about_dates_reaches_the_warnings(describe: Describe) -> None:
    found = describe("d,x\n01/02/2024,1\n03/04/2024,2\n02/05/2023,2\n")
    assert any("day and month could be swapped" in warning for warning in found.warnings)


def test_missingness_is_ready_for_a_chart(describe: Describe) -> None:
    found = describe(table(a=[1, None, None, None], b=[1, 2, 3, 4], c=[None, "x", "y", "z"]))
    assert found.missingness == (("a", 0.75), ("c", 0.25))


def test_the_target_of_classes_and_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table(y=["a", "b", "b", None], x=[1.5, 2.5, 3.5, 4.5]))
    dataset = ingest(tmp_path / "t.csv", tmp_path)
    found = profile(dataset, target="y")
    assert found.target is not None
    assert [(item.value, item.count) for item in found.target.classes] == [("b", 2), ("a", 1)]
    assert (found.target.missing_share, found.target.is_numeric) == (0.25, False)
    number = target_view(found, "x")
    assert number.is_numeric
    assert number.histogram is not None
    with pytest.raises(LookupError):
        profile(dataset, target="z")


def test_a_profile_survives_json(describe: Describe) -> None:
    found = describe(table(a=["inf", 1, None], b=["2024-01-01", "2024-01-02", None], c=["x", "y", "é"]))
    assert Profile.model_validate_json(found.model_dump_json()) == found
    assert Profile.model_validate(found.model_dump(mode="json")) == found


def test_the_same_table_has_the_same_profile(describe: Describe) -> None:
    draw = random.Random(4)
    content = table(a=[draw.random() for _ in range(5000)], b=[draw.choice("abcdef") for _ in range(5000)])
    assert describe(content).model_dump_json() == describe(content).model_dump_json()


def test_names_that_need_quoting(describe: Describe) -> None:
    found = describe('"a ""b""","select","it\'s",@cell\n1,2,3,x\n4,5,6,y\n')
    assert found.names == ('a "b"', "select", "it's", "@cell")
    assert [column.distinct for column in found.columns] == [2, 2, 2, 2]


def parquet_dataset(columns: dict[str, list[float]], folder: Path) -> Dataset:
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return ingest(folder / "t.parquet", folder / "data")


def test_a_wide_table_is_counted_like_a_narrow_one(tmp_path: Path) -> None:
    draw = random.Random(5)
    columns = {f"c{i}": [draw.gauss(0, 1) for _ in range(80)] for i in range(400)}
    wide = profile(parquet_dataset(columns, tmp_path))
    narrow = profile(parquet_dataset({name: columns[name] for name in ("c0", "c7", "c399")}, tmp_path))
    for column in narrow.columns:
        assert unlisted(wide.column(column.name)) == unlisted(column)


def unlisted(column: ColumnProfile) -> ColumnProfile:
    """A wide table lists fewer values; means are equal but for the order of addition."""
    close = {"mean": round(column.mean or 0, 9), "std": round(column.std or 0, 9)}
    return column.model_copy(update={"top": (), "top_complete": False, **close})


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "telco_churn.csv",
            {"customerID": "id", "SeniorCitizen": "boolean", "Contract": "category", "Churn": "boolean"},
        ),
        (
            "titanic.csv",
            {"PassengerId": "id", "Pclass": "category", "Name": "text", "Sex": "category", "Age": "number"},
        ),
        ("penguins.csv", {"species": "category", "island": "category", "body_mass_g": "number"}),
        ("wine_quality.csv", {"quality": "number", "type": "category"}),
        ("bird_strikes.csv", {"remarks": "text", "date": "date", "species": "category", "phase_of_flt": "category"}),
        ("california.csv", {"median_house_value": "number", "ocean_proximity": "category", "longitude": "number"}),
        ("bike_hour.csv", {"instant": "id", "dteday": "date", "holiday": "boolean", "hr": "number"}),
        ("taxis_tip.csv", {"pickup": "date", "pickup_zone": "category", "tip": "number"}),
    ],
)
def test_the_roles_of_the_shared_tables(name: str, expected: dict[str, str], tmp_path: Path) -> None:
    if not (SHARED / name).exists():
        pytest.skip("the shared tables are not beside the repository")
    found = profile(ingest(SHARED / name, tmp_path))
    assert expected.items() <= roles(found).items()
