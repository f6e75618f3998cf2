"""Stop while a script trains: the best model so far is judged; a second stop, or nothing to keep, ends it all."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pexpect
import pytest
import pytest_asyncio

from agents.events import Envelope
from agents.halting import Halt, kept_early
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.projector import Projection
from chat_app.settings import Settings
from chat_app.terminal import lines_of
from sandbox.base import Sandbox
from tests.chat_app.scenes import to_the_end, until
from tests.chat_app.test_cli import COMMAND, clean_environment
from tests.chat_app.test_conductor import Shared

NOTHING = """import time

print("begun", flush=True)
time.sleep(300)
"""
EARLY = """import time
from pathlib import Path

import joblib
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

table = pd.read_parquet("inputs/train.parquet")
model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(table.drop(columns="species"), table["species"])
joblib.dump(model, "outputs/model.partial")
Path("outputs/model.partial").rename("outputs/model.joblib")
print("begun", flush=True)
time.sleep(300)
"""


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


async def training(conductor: Conductor, script: str) -> str:
    """A project whose script has said that it is at work."""
    project = await conductor.new_project(policy=Policy(False, False))
    assert (await conductor.start(project, "classify species", ["iris"], script=script)).accepted
    await until(conductor, project, lambda e: e.type == "RUN_LOG" and "begun" in e.payload["text"])
    return project


def one(events: list[Envelope], kind: str) -> Envelope:
    return next(event for event in events if event.type == kind)


async def test_the_first_stop_keeps_the_model_and_judges_it(conductor: Conductor) -> None:
    project = await training(conductor, EARLY)
    first, same_press = await asyncio.gather(conductor.stop(project), conductor.stop(project))
    assert first.accepted
    assert same_press.accepted
    assert "best model so far" in first.sentence
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "done"
    ended = one(events, "RUN_ENDED")
    assert (ended.payload["outcome"], ended.payload["kept"]) == ("killed_by_user", True)
    assert lines_of(ended.event)[0].startswith("Stopped by you after")
    assert one(events, "SCORED").payload["score"]["metric"]["value"] > 0
    cards = Projection(project, events).cards.values()
    assert next(card for card in cards if card.kind == "Training").props["ended"]["kept"]
    report = conductor.vault(project).get_json(one(events, "ANSWERED").payload["facts"]["report_hash"])
    assert report["ended_early"] in report["notes"]
    assert "Stopped by you" in one(events, "ANSWERED").payload["text"]


async def test_the_second_stop_ends_it_all_and_a_later_go_on_trains_no_second_time(conductor: Conductor) -> None:
    project = await training(conductor, EARLY)
    assert (await conductor.stop(project)).accepted
    assert (await conductor.stop(project)).accepted
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "stopped"
    assert "SCORED" not in [event.type for event in events]
    assert (await conductor.start(project, "go on")).accepted
    after = await to_the_end(conductor, project, events[-1].seq)
    assert after[-1].payload["outcome"] == "done"
    assert "train" not in [event.payload["purpose"] for event in after if event.type == "RUN_STARTED"]


async def test_with_nothing_saved_the_first_stop_ends_the_turn(conductor: Conductor) -> None:
    project = await training(conductor, NOTHING)
    reply = await conductor.stop(project)
    assert (reply.accepted, reply.sentence) == (True, "")
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "stopped"
    assert "RUN_ENDED" not in [event.type for event in events]


async def test_a_halt_says_once_which_run_it_ends() -> None:
    halt = Halt()
    assert halt.ask() is None
    with halt.possible("run"):
        asked = halt.ask()
        assert asked is not None
        assert halt.waits
        assert halt.ask() is None
        halt.settle(True)
    assert (asked[0], asked[1].result(), halt.waits, halt.asked) == ("run", True, False, True)


def test_what_counts_without_its_own_end() -> None:
    assert kept_early("killed_by_user", 14.2, asked=True, left_model=True) == (
        "Stopped by you after 14 s; the best model so far is kept."
    )
    assert "its limit" in (kept_early("timeout", 120, asked=False, left_model=True) or "")
    for kind, asked, left in (
        ("killed_by_user", False, True),
        ("timeout", False, False),
        ("memory", True, True),
        ("error", False, True),
    ):
        assert kept_early(kind, 5, asked=asked, left_model=left) is None


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_keeps_the_model_and_ctrl_c_again_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text(EARLY)
    for presses, status in ((1, 0), (2, 130)):
        child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], "run", "iris", "predict species", "--yes", "--script", "early.py", "--out", f"out{presses}"],
            cwd=str(tmp_path),
            env={**clean_environment(tmp_path), "TERM": "xterm-256color"},
            dimensions=(40, 200),
            encoding="utf-8",
            timeout=240,
        )
        child.expect("begun")
        child.sendintr()
        child.expect("the best model so far is judged now")
        if presses == 2:
            child.sendintr()
            child.expect("Interrupted; nothing is left running")
        else:
            child.expect("Stopped by you after")
            child.expect("Verdict")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status
    report = json.loads((tmp_path / "out1" / "report.json").read_text())
    assert report["ended_early"].startswith("Stopped by you after")
    assert report["ended_early"] in report["notes"]
    assert not (tmp_path / "out2").exists()
