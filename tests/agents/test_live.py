"""What a script says about itself is heard only when it is well-formed, and believed only when it is our recipe."""

import math
from typing import Any

import pytest

from agents.events import Leaderboard, MetricScalar, Progress, RunLog
from agents.live import LiveRun
from sandbox.base import Metric, Output

GOOD = {"kind": "metric", "model": "m", "name": "auc", "value": 0.5, "step": 3, "fold": 1, "seconds": 0.1}


def test_well_formed_records_become_events() -> None:
    live = LiveRun("run", "roc_auc", verified=True)
    assert live.tell(Metric(GOOD)) == MetricScalar("run", "m", "auc", 0.5, 3, 1, 0.1)
    assert live.tell(Metric({"kind": "progress", "done": 1, "total": 2, "text": "x"})) == Progress("run", 1, 2, "x")
    assert live.tell(Output("stderr", "oops\n")) == RunLog("run", "stderr", "oops\n")


@pytest.mark.parametrize(
    "change",
    [
        {"value": math.nan},
        {"value": "1e999"},
        {"value": None},
        {"model": 7},
        {"model": None},
        {"step": "x"},
        {"step": 1e400},
        {"step": 10**30},
        {"fold": -5},
        {"kind": "unheard of"},
        {"kind": ["metric"]},
    ],
)
def test_malformed_records_are_dropped(change: dict[str, Any]) -> None:
    assert LiveRun("run", "roc_auc", verified=True).tell(Metric({**GOOD, **change})) is None


@pytest.mark.parametrize("rows", [None, "x", [1], [{"model": "m"}], [{"model": "m", "cv_score": "inf", "seconds": 1}]])
def test_a_broken_leaderboard_is_dropped(rows: Any) -> None:
    live = LiveRun("run", "roc_auc", verified=True)
    assert live.tell(Metric({"kind": "leaderboard", "rows": rows})) is None
    assert live.leaderboard == ()


def test_an_unverified_script_only_claims() -> None:
    record = Metric({"kind": "leaderboard", "rows": [{"model": "mine", "cv_score": 1.0, "seconds": 0.1}]})
    heard = LiveRun("run", "roc_auc", verified=False).tell(record)
    assert isinstance(heard, Leaderboard)
    assert heard.rows[0] == {"model": "mine", "cv_score": None, "claimed_cv_score": 1.0, "seconds": 0.1}
    trusted = LiveRun("run", "roc_auc", verified=True).tell(record)
    assert isinstance(trusted, Leaderboard)
    assert trusted.rows[0]["cv_score"] == 1.0


def test_only_our_own_recipe_may_add_a_note_to_the_report() -> None:
    record = Metric({"kind": "leaderboard", "rows": [], "note": "The clock ran out."})
    for verified, note in ((True, "The clock ran out."), (False, "")):
        live = LiveRun("run", "auc", verified=verified)
        live.tell(record)
        assert live.note == note


def test_names_are_one_line_of_plain_letters() -> None:
    heard = LiveRun("run", "auc", verified=True).tell(Metric({**GOOD, "model": "a\n# b\x1b[2J"}))
    assert isinstance(heard, MetricScalar)
    assert heard.model == "a # b [2J"


def test_long_names_are_cut() -> None:
    heard = LiveRun("run", "auc", verified=True).tell(Metric({**GOOD, "model": "m" * 10_000}))
    assert isinstance(heard, MetricScalar)
    assert len(heard.model) == 200
