"""The AutoML comparison can be done in pieces, and its summary says what the rows say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.automl_report import counted, report
from benchmarks.automl_store import Result, earlier, keep, kept, with_result, write


def rows(ours: float, theirs: float, z: float, table: str = "a", system: str = "autogluon_medium") -> list[Result]:
    own = Result(table, "ours", 0, 60, "v", 300, 2.0, ours, None, 55, 1.0, 2.0, 0.1)
    return [own, replace(own, system=system, score=theirs, z=z, first_model_seconds=None)]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "automl.csv"
    failed = Result("b", "flaml", 1, 60, failure='a "bad", long\nday')
    found = [*rows(0.9, 0.8, 2.0), failed]
    write(found, path)
    assert sorted(earlier(path), key=lambda one: one.key) == sorted(found, key=lambda one: one.key)
    assert earlier(tmp_path / "none.csv") == []


def test_a_run_takes_the_place_of_its_earlier_one() -> None:
    first = rows(0.9, 0.8, 2.0)
    assert len(with_result(first, replace(first[0], score=0.7))) == 2
    assert len(with_result(first, replace(first[0], seed=1))) == 3


def test_predictions_are_kept_for_the_next_piece(tmp_path: Path) -> None:
    (result, _) = rows(0.9, 0.8, 2.0)
    assert kept(result.key, tmp_path) is None
    keep(result, np.array([[0.1, 0.9]]), tmp_path)
    found = kept(result.key, tmp_path)
    assert found is not None
    assert found.tolist() == [[0.1, 0.9]]


@pytest.mark.parametrize(("losses", "met"), [(1, True), (2, False)])
def test_one_decisive_loss_is_allowed_against_the_first_peer(losses: int, met: bool) -> None:
    found = [row for table in "abcdefgh" for row in rows(0.9, 0.8, 2.0, table)]
    for table in "xy"[:losses]:
        found += rows(0.7, 0.8, -2.0, table)
    said = report(found)
    assert f"{'met    ' if met else 'NOT MET'}  autogluon_medium: better on 8 of {8 + losses}" in said


def test_seeds_of_a_table_count_once_and_failures_have_no_score() -> None:
    import pandas as pd

    first, again = rows(0.9, 0.8, 3.0), [replace(one, seed=1, z=one.z and 1.0) for one in rows(0.7, 0.8, 1.0)]
    broken = replace(rows(0.9, 0.8, 0.0, "b")[1], score=None, z=None, failure="out of memory")
    frame = pd.DataFrame([vars(one) for one in (*first, *again, rows(0.9, 0.8, 0.0, "b")[0], broken)])
    assert counted(frame, "autogluon_medium") == (1, 0, 1, 0)
    said = report([*first, *again, rows(0.9, 0.8, 0.0, "b")[0], broken])
    assert "2 tables, split seeds [0, 1]" in said
    assert said.split("autogluon_medium", 1)[1].split()[:2] == ["3", "1"]


def test_a_run_that_is_late_or_slow_to_its_first_model_is_called_so() -> None:
    late = replace(rows(0.9, 0.8, 2.0)[0], learn_seconds=64, first_model_seconds=6.0)
    said = report([late])
    assert "NOT MET  runs beyond 105% of the budget: 1" in said
    assert "NOT MET  runs whose first model took more than 5 s: 1" in said
    assert report([]) == "No run yet."
