"""What is unusual about a row: told in words, counted over the table, and the same whatever the types are."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.tools.modelling_scene import contract_for
from tools.reference import reference_of
from tools.rowwise import faults, remarks
from tools.unusual import Unusual

TRAINING: dict[str, Any] = {
    "age": [*range(20, 70)],
    "born": [datetime.date(1950, 1, 1) + datetime.timedelta(days=200 * day) for day in range(50)],
    "city": ["Oslo", "Rome"] * 25,
    "class": [1, 2, 3, 1, 2] * 10,
    "member": [True, False] * 25,
    "gaps": [None, 1.5] * 25,
    "note": ["some words"] * 50,
    "y": [1.0, 2.0] * 25,
}
ROLES: dict[str, Any] = {"class": "category", "member": "boolean", "note": "text", "gaps": "number"}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The features in reference.json."""
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("training") / "train.parquet"
    pq.write_table(pa.table(TRAINING), path)
    found = reference_of(path, contract_for(TRAINING, "y", roles=ROLES))
    return [column.model_dump(mode="json") for column in found.columns if column.name != "y"]


GOOD: dict[str, Any] = {
    "age": 30,
    "born": datetime.date(1960, 1, 1),
    "city": "Oslo",
    "class": 3,
    "member": True,
    "gaps": None,
    "note": "other words than ever before, and far more of them",
}


def said(known: list[dict[str, Any]], **change: Any) -> str:
    table = pa.Table.from_pylist([GOOD | change]).to_pandas(date_as_object=False)
    (words,) = remarks(faults(table, known), 1)
    return words


def test_a_row_like_those_of_training_is_not_remarked_on(known: list[dict[str, Any]]) -> None:
    assert said(known) == ""
    assert said(known, age=71, gaps=7.0, **{"class": 3.0}) == "gaps 7 is above what training had (up to 1.5)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": 200}, "age 200 is above what training had (up to 69)"),
        ({"age": -1e300}, "age -1e+300 is below what training had (from 20)"),
        ({"age": float("inf")}, "age inf is above what training had (up to 69)"),
        ({"age": "old\x1b[2J\nman"}, "age old [2J man is no number, so it counts as missing"),
        ({"age": "33"}, ""),
        ({"age": None}, "age is missing, which it never was in training"),
        ({"age": "  "}, "age is missing, which it never was in training"),
        ({"born": datetime.date(2100, 1, 1)}, "born 2100-01-01 is above what training had (up to 1976-10-31)"),
        ({"born": "soon"}, "born soon is no date, so it counts as missing"),
        ({"city": "Осло" * 30}, "city " + ("Осло" * 30)[:39] + "… was not in training"),
        ({"class": 4}, "class 4 was not in training"),
        ({"class": "3"}, ""),
        ({"member": "true"}, ""),
        ({"member": "maybe"}, "member maybe was not in training"),
        ({"note": None}, "note is missing, which it never was in training"),
        ({"age": 1, "city": "Bern"}, "age 1 is below what training had (from 20); city Bern was not in training"),
    ],
)
def test_what_is_unusual_is_told(known: list[dict[str, Any]], change: dict[str, Any], words: str) -> None:
    assert said(known, **change) == words


def test_many_remarks_are_cut_and_an_empty_row_is_told_first(known: list[dict[str, Any]]) -> None:
    odd = {"age": 1, "born": "x", "city": "x", "class": 9, "member": "x", "gaps": 99, "note": None}
    assert said(known, **odd).endswith("; and 2 more")
    empty = said(known, **dict.fromkeys(GOOD))
    assert empty.startswith("no value in any column that the model uses")


def test_a_column_that_is_not_there_is_no_fault_of_the_rows(known: list[dict[str, Any]]) -> None:
    assert remarks(faults(pd.DataFrame({"age": [30, 99]}), known), 2) == [
        "",
        "age 99 is above what training had (up to 69)",
    ]
    assert remarks(faults(pd.DataFrame({"other": [1]}), known), 1) == [""]
    assert remarks(faults(pd.DataFrame({"age": []}), known), 0) == []


def test_a_category_of_which_not_every_level_is_listed_is_never_new(known: list[dict[str, Any]]) -> None:
    cut = [column | {"rest": 5} if column["name"] == "city" else column for column in known]
    assert said(cut, city="Bern") == ""


def test_the_whole_table_is_counted_part_by_part(known: list[dict[str, Any]]) -> None:
    found = Unusual()
    for part in (["Oslo", "Bern", "Bern"], ["Rome", "Kiel", "Bern"]):
        rows = pa.Table.from_pylist([GOOD | {"city": city} for city in part]).to_pandas(date_as_object=False)
        found.add(faults(rows, known), 3)
    assert (found.rows, found.flagged) == (6, 4)
    assert found.sentences == ("'city' has 4 values that training never had: 'Bern' (3), 'Kiel' (1); first in row 2.",)
    assert found.json == [
        {
            "column": "city",
            "kind": "unseen",
            "rows": 4,
            "first": [
                {"row": row, "value": city} for row, city in ((2, "Bern"), (3, "Bern"), (5, "Kiel"), (6, "Bern"))
            ],
            "values": {"Bern": 3, "Kiel": 1},
        }
    ]
    rows = pd.DataFrame({"age": ["x", "30", "y"], "gaps": [1.5, 1.5, 9.0]})
    found.add(faults(rows, known), 3)
    assert list(found.sentences)[1:] == [
        "'age' has 2 values that are no numbers, so they count as missing (row 7: 'x', row 9: 'y').",
        "'gaps' has 1 value that is above what training had (up to 1.5) (row 9: '9').",
    ]


def test_millions_of_new_values_do_not_fill_the_memory(known: list[dict[str, Any]]) -> None:
    found = Unusual()
    cities = [f"city {number}" for number in range(5_000)]
    found.add(faults(pd.DataFrame({"city": cities}), known), len(cities))
    (kind,) = found.kinds.values()
    assert kind.rows == 5_000
    assert len(kind.values) == 1_000
    assert len(np.unique([value for _, value in kind.first])) == 5
