"""A random table that is written as CSV, NDJSON or Parquet comes back equal."""

import csv
import datetime as dt
import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.ingest import Dataset, ingest

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff")
WORDS = st.text(LETTERS, min_size=1, max_size=12).map(lambda text: f"w{text}w")
"""Letters at both ends: neither a number nor a date, and no blank that a reader may take away."""
KINDS: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "integer": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "number": (
        st.floats(allow_nan=False, width=64).filter(lambda x: not x.is_integer() or abs(x) > 1e17),
        pa.float64(),
    ),
    "text": (WORDS, pa.string()),
    "boolean": (st.booleans(), pa.bool_()),
    "date": (st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)), pa.date32()),
    "datetime": (st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), pa.timestamp("us")),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """1 to 5 columns of known kinds, 1 to 30 rows, with gaps; every column has a value, and so has the last row."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=5))
    rows = draw(st.integers(2, 30))
    columns = {}
    for index, kind in enumerate(kinds):
        values, arrow = KINDS[kind]
        cells = draw(st.lists(st.none() | values, min_size=rows - 1, max_size=rows - 1))
        columns[f"{kind}_{index}"] = pa.array([*cells, draw(values)], arrow)
    return pa.table(columns)


Rows = list[dict[str, Any]]


def read(content: bytes, name: str) -> tuple[Dataset, Rows]:
    """The dataset and all its rows: the file lives only as long as its folder."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(content)
        dataset = ingest(source, Path(folder) / "data")
        return dataset, pq.read_table(dataset.path).to_pylist()


def assert_same(found: tuple[Dataset, Rows], table: pa.Table) -> None:
    """Equal names and rows. Text has no types: a column of midnights is read as dates, which the account says."""
    dataset, rows = found
    assert dataset.names == tuple(table.column_names)
    for column in dataset.columns:
        if column.type == "date" and column.name.startswith("datetime"):
            place = table.column_names.index(column.name)
            table = table.set_column(place, column.name, table[column.name].cast(pa.date32()))
            assert any("every time is midnight" in sentence for sentence in dataset.account)
    assert rows == table.to_pylist()


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


@SLOW
@given(tables(), st.sampled_from([",", ";", "\t", "|"]))
def test_csv_comes_back(table: pa.Table, delimiter: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(table.column_names)
    writer.writerows([as_text(value) for value in row.values()] for row in table.to_pylist())
    assert_same(read(text.getvalue().encode(), "t.csv"), table)


@SLOW
@given(tables())
def test_ndjson_comes_back(table: pa.Table) -> None:
    plain = [
        {name: str(value) if isinstance(value, dt.date) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in plain)
    assert_same(read(lines.encode(), "t.ndjson"), table)


@SLOW
@given(tables())
def test_parquet_comes_back(table: pa.Table) -> None:
    content = io.BytesIO()
    pq.write_table(table, content)
    assert_same(read(content.getvalue(), "t.parquet"), table)


@SLOW
@given(st.lists(st.lists(st.text(LETTERS, max_size=8), min_size=3, max_size=3), min_size=1, max_size=20))
def test_any_text_in_any_cell_is_never_lost(rows: list[list[str]]) -> None:
    """Whatever is typed or left text: written out again, the cells say what they said."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["first_name", "second_name", "third_name"])
    writer.writerows([*rows, ["wwx", "wwy", "wwz"]])
    _, found = read(text.getvalue().encode(), "t.csv")
    assert len(found) == len(rows) + 1
    for before, after in zip(rows, found, strict=False):
        assert ["" if cell is None else cell for cell in after.values()] == before


def test_floats_are_exact_to_the_last_bit() -> None:
    values = [0.1, 1 / 3, math.pi, 5e-324, 1.7976931348623157e308, -0.1, 2**53 + 0.5]
    _, rows = read(("x,y\n" + "".join(f"{value!r},a\n" for value in values)).encode(), "t.csv")
    assert [row["x"] for row in rows] == values
