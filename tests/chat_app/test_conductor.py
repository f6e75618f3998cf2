"""Scenes with the real graph, the real store and the real sandbox: what a user says, and the events that follow."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agents.state import Decision
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Job, Metric, Outcome, Output, Sandbox, Session
from tests.chat_app.scenes import approve, at_gate, kinds, to_the_end, until_type


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


@dataclasses.dataclass(frozen=True)
class Shared:
    """The session's sandbox, which one conductor must not close for the others."""

    sandbox: Sandbox

    @property
    def isolation(self) -> str:
        return self.sandbox.isolation

    def run(self, job: Job) -> AsyncIterator[Output | Metric | Outcome]:
        return self.sandbox.run(job)

    async def serve(self, job: Job) -> Session:
        return await self.sandbox.serve(job)

    async def stop(self, job_id: str) -> bool:
        return await self.sandbox.stop(job_id)

    async def warm(self) -> None:
        await self.sandbox.warm()

    async def close(self) -> None:
        pass


async def test_a_sentence_and_a_table_become_a_result(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    assert (await conductor.start(project, "classify species", ["iris"])).accepted
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "done"
    seen = kinds(events)
    order = [
        "MESSAGE_RECEIVED",
        "DATASET_SAMPLE_READY",
        "PROFILE_SUMMARY",
        "PROMPT_PARSED",
        "PREPROCESS_PLAN",
        "CODE_WRITTEN",
        "CODE_CHECKED",
        "RUN_STARTED",
        "METRIC_SCALAR",
        "LEADERBOARD",
        "SCORED",
        "AUDITED",
        "REVIEWED",
        "NOTEBOOK_READY",
        "ANSWERED",
        "TURN_ENDED",
    ]
    assert [kind for kind in order if kind in seen] == order
    firsts = [seen.index(kind) for kind in order]
    assert firsts == sorted(firsts)
    snap = await conductor.get_state(project)
    assert {stage["status"] for stage in snap.stages.values()} == {"COMPLETED"}
    assert snap.score is not None
    assert snap.pending is None
    assert not snap.running
    for artifact in snap.artifacts:
        assert (
            conductor.artifact_path(project, artifact["attempt"], artifact["name"]).stat().st_size == artifact["bytes"]
        )


async def test_gates_wait_and_a_stale_click_changes_nothing(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    plan = await at_gate(conductor, project, "contract")
    assert (await conductor.get_state(project)).pending is not None
    wrong = await conductor.decide(project, "no-such-id", Decision(action="approve"))
    assert (wrong.accepted, "not open any more" in wrong.sentence) == (False, True)
    bad = await conductor.decide(
        project, plan.payload["interrupt_id"], Decision(action="edit", contract={"target": "nonsense"})
    )
    assert not bad.accepted
    assert "nonsense" in bad.sentence
    await approve(conductor, project, plan)
    code = await at_gate(conductor, project, "code")
    stale = await conductor.decide(project, plan.payload["interrupt_id"], Decision(action="approve"))
    assert not stale.accepted
    assert (await conductor.get_state(project)).pending == code.event.__dict__


async def test_a_decision_at_the_very_moment_of_the_question_is_taken(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, False))
    await conductor.start(project, "classify species", ["iris"])
    async for envelope in conductor.subscribe(project):
        if envelope.type == "WAITING_CONFIRMATION":
            reply = await conductor.decide(project, envelope.payload["interrupt_id"], Decision(action="reject"))
            assert reply.accepted, reply.sentence
            break
    assert (await to_the_end(conductor, project))[-1].payload["outcome"] == "rejected"


async def test_three_clicks_at_once_run_the_script_once(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"])
    code = await at_gate(conductor, project, "code")
    yes = Decision(action="approve")
    replies = await asyncio.gather(*(conductor.decide(project, code.payload["interrupt_id"], yes) for _ in range(3)))
    assert sorted(reply.accepted for reply in replies) == [False, False, True]
    events = await to_the_end(conductor, project)
    trained = [event for event in events if event.type == "RUN_STARTED" and event.payload["purpose"] == "train"]
    assert len(trained) == 1


async def test_an_edited_script_is_checked_and_shown_again(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "code")
    evil = "import socket\n" + first.payload["payload"]["code"]
    edit = Decision(action="edit", code=evil)
    assert (await conductor.decide(project, first.payload["interrupt_id"], edit)).accepted
    again = await at_gate(conductor, project, "blocked", after=first.seq)
    assert any(finding["severity"] == "security" for finding in again.payload["payload"]["findings"])
    no = await conductor.decide(project, again.payload["interrupt_id"], Decision(action="approve"))
    assert not no.accepted
    assert "cannot be approved" in no.sentence
    assert "RUN_STARTED" not in kinds(await conductor.events(project))


async def test_stop_keeps_what_is_finished_and_rewind_goes_on(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "predict diagnosis", ["breast_cancer"])
    await until_type(conductor, project, "METRIC_SCALAR")
    assert (await conductor.stop(project, keep=False)).accepted
    events = await conductor.events(project)
    assert events[-1].payload["outcome"] == "stopped"
    assert not (await conductor.stop(project)).accepted
    nowhere = await conductor.rewind(project, "LUNCH")
    assert not nowhere.accepted
    assert "TRAIN" in nowhere.sentence
    assert (await conductor.rewind(project, "TRAIN")).accepted
    after = await to_the_end(conductor, project, events[-1].seq)
    assert after[-1].payload["outcome"] == "done"
    assert kinds(after).count("SCORED") == 1


async def test_follow_ups_change_the_plan_and_explain_the_result(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "classify species", ["iris"])
    first = await to_the_end(conductor, project)
    await conductor.start(project, "try without petal length")
    second = await to_the_end(conductor, project, first[-1].seq)
    plan = next(event for event in second if event.type == "PREPROCESS_PLAN")
    used = {column["name"]: column["use"] for column in plan.payload["contract"]["columns"]}
    dropped = [name for name, use in used.items() if not use]
    assert len(dropped) == 1
    assert "petal" in dropped[0]
    assert next(event for event in second if event.type == "SCORED").payload["looks"] == 2
    assert "attempt 1" in next(event for event in second if event.type == "REVIEWED").payload["text"]
    await conductor.start(project, "why?")
    third = await to_the_end(conductor, project, second[-1].seq)
    answer = next(event for event in third if event.type == "ANSWERED")
    assert answer.payload["kind"] == "why"
    assert "SCORED" not in kinds(third)


async def test_a_message_while_running_is_refused_with_a_sentence(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "predict diagnosis", ["breast_cancer"])
    reply = await conductor.start(project, "predict something else")
    assert not reply.accepted
    assert "still working" in reply.sentence
    await conductor.stop(project, keep=False)


async def test_a_drained_server_goes_on_after_its_restart(settings: Settings, sandbox: Sandbox) -> None:
    async with open_conductor(settings, Shared(sandbox)) as first:
        project = await first.new_project(policy=Policy(False, False))
        await first.start(project, "predict diagnosis", ["breast_cancer"])
        await until_type(first, project, "METRIC_SCALAR")
        await first.drain()
        late = await first.start(project, "and now?")
        assert not late.accepted
    async with open_conductor(settings, Shared(sandbox)) as second:
        assert await second.recover() == [project]
        events = await to_the_end(second, project)
    assert events[-1].payload["outcome"] == "done"
    assert kinds(events).count("SCORED") == 1
    assert kinds(events).count("MESSAGE_RECEIVED") == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "empty"),
        ("header.csv", b"a,b,c\n", "no rows"),
        ("garbage.csv", bytes(range(256)) * 40, ""),
    ],
)
async def test_a_bad_table_is_one_sentence(
    conductor: Conductor, tmp_path: object, name: str, content: bytes, words: str
) -> None:
    path = conductor.settings.home / name
    path.write_bytes(content)
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "predict a", [path])
    events = await to_the_end(conductor, project)
    failed = next(event for event in events if event.type == "FAILED")
    assert failed.payload["culprit"] == "user"
    assert words in failed.payload["sentence"]
    assert "Traceback" not in failed.payload["sentence"]
    assert events[-1].payload["outcome"] == "failed"
