"""What people type at an open gate, after a stop, and after a no: nothing is lost, nothing is mistaken for a yes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agents.human import spoken, wants_to_go_on
from agents.state import Decision
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import at_gate, kinds, to_the_end, until_type
from tests.chat_app.test_conductor import Shared


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


@pytest.mark.parametrize("words", ["why?", "delete everything and rm -rf /", "what is in the data?", "thanks"])
async def test_small_talk_at_a_gate_is_answered_and_the_gate_opens_again(conductor: Conductor, words: str) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    assert (await conductor.start(project, words)).accepted
    again = await at_gate(conductor, project, "contract", after=first.seq)
    assert "ANSWERED" in kinds(await conductor.events(project, first.seq))
    assert again.payload["payload"] == first.payload["payload"]
    assert again.payload["interrupt_id"] != first.payload["interrupt_id"]
    assert (await conductor.decide(project, again.payload["interrupt_id"], Decision(action="approve"))).accepted
    await at_gate(conductor, project, "code")


async def test_yes_is_an_approval(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    await at_gate(conductor, project, "contract")
    assert (await conductor.start(project, "Yes, please." if spoken("Yes, please.", "contract") else "yes")).accepted
    await at_gate(conductor, project, "code")


async def test_a_word_that_is_no_answer_leaves_the_question_open(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "predict the radius", ["breast_cancer"])
    question = await at_gate(conductor, project, "question")
    await conductor.start(project, "why?")
    again = await at_gate(conductor, project, "question", after=question.seq)
    await conductor.start(project, again.payload["payload"]["choices"][0])
    plan = await at_gate(conductor, project, "contract")
    assert plan.payload["payload"]["contract"]["target"] == again.payload["payload"]["choices"][0]


async def test_a_no_is_answered_and_can_be_taken_back(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    await conductor.decide(project, first.payload["interrupt_id"], Decision(action="reject"))
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "rejected"
    assert any(event.type == "ANSWERED" for event in events)
    assert (await conductor.get_state(project)).stages["PREPROCESS"]["status"] == "PENDING"
    await conductor.start(project, "go on")
    await at_gate(conductor, project, "contract", after=events[-1].seq)


async def test_a_reason_that_means_nothing_opens_the_gate_again(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    no = Decision(action="reject", reason="<b>nö</b> qwertz")
    await conductor.decide(project, first.payload["interrupt_id"], no)
    await at_gate(conductor, project, "contract", after=first.seq)


async def test_a_reason_that_means_something_changes_the_plan(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    no = Decision(action="reject", reason="without petal width")
    await conductor.decide(project, first.payload["interrupt_id"], no)
    again = await at_gate(conductor, project, "contract", after=first.seq)
    used = [column["name"] for column in again.payload["payload"]["contract"]["columns"] if column["use"]]
    assert len(used) == 3
    assert "petal_width_cm" not in used


async def test_after_a_stop_go_on_goes_on(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "classify species", ["iris"])
    await until_type(conductor, project, "METRIC_SCALAR")
    await conductor.stop(project, keep=False)
    stopped = (await conductor.events(project))[-1]
    assert (await conductor.start(project, "go on")).accepted
    after = await to_the_end(conductor, project, stopped.seq)
    assert after[-1].payload["outcome"] == "done"
    assert "PREPROCESS_PLAN" not in kinds(after)


async def test_an_edit_shows_what_changed(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "code")
    assert first.payload["payload"]["diff"] == ""
    edited = first.payload["payload"]["code"] + "\n# a remark\n"
    await conductor.decide(project, first.payload["interrupt_id"], Decision(action="edit", code=edited))
    again = await at_gate(conductor, project, "code", after=first.seq)
    assert "+# a remark" in again.payload["payload"]["diff"]
    assert again.payload["payload"]["note"] == "edited by you"


async def test_a_script_that_fails_comes_back_with_the_reason(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"], script="raise ValueError('out of tea')\n")
    first = await at_gate(conductor, project, "code")
    await conductor.decide(project, first.payload["interrupt_id"], Decision(action="approve"))
    again = await at_gate(conductor, project, "code", after=first.seq)
    assert "out of tea" in again.payload["title"]


async def test_going_back_needs_something_to_go_back_to(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    refused = await conductor.rewind(project, "EXPORT")
    assert not refused.accepted
    assert "trained" in refused.sentence
    assert (await conductor.rewind(project, "PARSE_INTENT")).accepted
    await at_gate(conductor, project, "contract", after=first.seq)
    stages = (await conductor.get_state(project)).stages
    assert [stages[name]["status"] for name in ("PROFILE_DATA", "PARSE_INTENT")] == ["COMPLETED", "COMPLETED"]


def test_only_plain_words_decide() -> None:
    for words in ("yes", "OK.", "go ahead!", "please approve"):
        decision = spoken(words, "code")
        assert decision is not None
        assert decision.action == "approve"
    for words in ("yes but without age", "no way to know", "predict species", ""):
        assert spoken(words, "contract") is None
    assert wants_to_go_on("Continue, ") is False
    assert wants_to_go_on("continue")


async def test_a_target_chosen_at_the_gate_survives_a_reason(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "contract")
    edit = Decision(action="edit", contract={"target": "petal_width_cm", "exclude": ["sepal_width_cm"]})
    assert (await conductor.decide(project, first.payload["interrupt_id"], edit)).accepted
    edited = await at_gate(conductor, project, "contract", after=first.seq)
    no = Decision(action="reject", reason="optimise mae")
    await conductor.decide(project, edited.payload["interrupt_id"], no)
    again = await at_gate(conductor, project, "contract", after=edited.seq)
    contract = again.payload["payload"]["contract"]
    assert (contract["target"], contract["metric"]) == ("petal_width_cm", "mae")
    assert "sepal_width_cm" not in [column["name"] for column in contract["columns"] if column["use"]]


async def test_a_script_that_cannot_be_read_never_reaches_the_sandbox(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "classify species", ["iris"], script="def f(:\n")
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "failed"
    assert "RUN_STARTED" not in kinds(events)
