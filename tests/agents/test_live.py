"""What a script says about itself is heard only when it is well-formed, and believed only when it is our recipe."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.context import Entry
from agents.events import Leaderboard, MetricScalar, Progress, RunLog
from agents.live import LiveRun, run_and_tell
from agents.scribe import Scribe
from sandbox.base import Job, Metric, Outcome, Output
from tests.agents.test_runner import Attempt, Log
from tests.fakes import ScriptedSandbox

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


class _Patient(ScriptedSandbox):
    """Says a line, and nothing more until somebody has read it in the log."""

    def __init__(self, read: asyncio.Event) -> None:
        super().__init__()
        self._read = read

    async def run(self, _: Job) -> AsyncIterator[Output | Metric | Outcome]:
        yield Output("stdout", "begun\n")
        async with asyncio.timeout(20):
            await self._read.wait()
        yield Outcome("ok", "The script finished.", "scripted")


async def test_a_line_is_told_while_the_script_is_silent(tmp_path: Path) -> None:
    read = asyncio.Event()

    class Reader(Log):
        async def append(self, entries: Sequence[Entry]) -> None:
            await super().append(entries)
            read.set()

    attempt = Attempt.of(_Patient(read), tmp_path)
    scribe = Scribe(replace(attempt.context, journal=Reader()), {"metadata": {"langgraph_step": 1}}, "runner", "TRAIN")
    job = Job("train-1", "print('begun')", {}, None)
    done = await run_and_tell(attempt.context.sandbox, job, scribe, LiveRun("run", "roc_auc", verified=False).tell)
    assert done.ok
