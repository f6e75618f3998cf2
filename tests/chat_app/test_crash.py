"""kill -9 at every stage, then a new server: nothing is lost, nothing runs twice, nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents.state import Decision
from chat_app.conductor import open_conductor
from chat_app.settings import Settings
from tests.chat_app.crash_server import PROJECT
from tests.chat_app.scenes import at_gate, kinds, to_the_end

REPOSITORY = Path(__file__).resolve().parents[2]


def run_until(home: Path, kind: str, *, asks: bool = False) -> None:
    """Start the server and kill it hard at the first event of a type."""
    command = [sys.executable, "-m", "tests.chat_app.crash_server", str(home), "ask" if asks else "auto"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if line.strip() == kind:
                os.kill(server.pid, signal.SIGKILL)
                return
        raise AssertionError(f"{kind} never came")


ALWAYS = ("DATASET_SAMPLE_READY", "CODE_CHECKED", "RUN_STARTED", "SCORED")
MOMENTS = (
    "MESSAGE_RECEIVED",
    "DATASET_SAMPLE_READY",
    "PROFILE_SUMMARY",
    "PROMPT_PARSED",
    "PREPROCESS_PLAN",
    "CODE_WRITTEN",
    "CODE_CHECKED",
    "RUN_STARTED",
    "METRIC_SCALAR",
    "RUN_ENDED",
    "SCORED",
    "AUDITED",
    "REVIEWED",
    "ARTIFACT_ADDED",
)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in ALWAYS else [pytest.mark.slow]) for kind in MOMENTS]
)
async def test_a_killed_run_is_finished_by_the_next_server(tmp_path: Path, kind: str) -> None:
    run_until(tmp_path, kind)
    async with open_conductor(Settings(home=tmp_path, budget_seconds=10)) as conductor:
        await conductor.recover()
        events = await to_the_end(conductor, PROJECT)
        assert events[-1].payload["outcome"] == "done"
        seen = kinds(events)
        for once in ("MESSAGE_RECEIVED", "PREPROCESS_PLAN", "CODE_WRITTEN", "SCORED", "AUDITED", "ANSWERED"):
            assert seen.count(once) == 1, once
        scored = next(event for event in events if event.type == "SCORED")
        assert scored.payload["looks"] == 1


@pytest.mark.parametrize("gate", ["contract", "code"])
async def test_a_pending_approval_survives_the_kill(tmp_path: Path, gate: str) -> None:
    run_until(tmp_path, "WAITING_CONFIRMATION", asks=True)
    async with open_conductor(Settings(home=tmp_path, budget_seconds=10)) as conductor:
        await conductor.recover()
        plan = await at_gate(conductor, PROJECT, "contract")
        assert kinds(await conductor.events(PROJECT)).count("WAITING_CONFIRMATION") == 1
        if gate == "contract":
            return
        await conductor.decide(PROJECT, plan.payload["interrupt_id"], Decision(action="approve"))
        await at_gate(conductor, PROJECT, "code")
    async with open_conductor(Settings(home=tmp_path, budget_seconds=10)) as conductor:
        await conductor.recover()
        pending = (await conductor.get_state(PROJECT)).pending
        assert pending is not None
        assert pending["gate"] == "code"
        rest = Decision(action="approve_rest")
        assert (await conductor.decide(PROJECT, pending["interrupt_id"], rest)).accepted
        assert (await to_the_end(conductor, PROJECT))[-1].payload["outcome"] == "done"
