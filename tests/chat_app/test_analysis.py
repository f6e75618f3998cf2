"""A question that a script of its own answers: written by a model, checked, approved, run, held to its numbers."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from agents.events import Envelope
from agents.llm.endpoint import Endpoint
from agents.state import Decision
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.projector import Projection
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import approve, at_gate, to_the_end
from tests.chat_app.test_conductor import Shared
from tests.coder import codes
from tests.openai_server import ModelServer, serving

QUESTION = "plot petal_length_cm by species"
SCRIPT = """import json

import pandas as pd

table = pd.read_parquet("inputs/table.parquet")
means = table.groupby("species")["petal_length_cm"].mean().round(3)
best = means.idxmax()
answer = {
    "text": f"The longest petals has {best} with {means.max()}. It is 99 times longer than grass. All have 3 species.",
    "numbers": {"species": int(len(means)), "longest": float(means.max()), "rows": len(table)},
    "table": {"columns": ["species", "mean"], "rows": [[k, float(v)] for k, v in means.items()]},
}
json.dump(answer, open("outputs/answer.json", "w"))
points = [{"x": k, "y": float(v)} for k, v in means.items()]
chart = {"kind": "bar", "title": "Petals", "x": "species", "y": "cm", "points": points}
json.dump(chart, open("outputs/chart.json", "w"))
"""


def script(code: str = SCRIPT, **other: Any) -> dict[str, Any]:
    """An answer as the schema wants it."""
    said = {"reason": "means by species", "answerable": True, "missing": "", "edits": [], "script": code}
    return {**said, **other}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox, server: ModelServer) -> AsyncIterator[Conductor]:
    asked = settings.model_copy(update={"code": Endpoint(base_url=server.url, model="m", seconds=20.0)})
    async with open_conductor(asked, Shared(sandbox)) as opened:
        yield opened


async def asked(conductor: Conductor, question: str = QUESTION, policy: Policy | None = None) -> str:
    project = await conductor.new_project(policy=policy or Policy(True, True))
    assert (await conductor.start(project, question, ["iris"])).accepted
    return project


def last(events: list[Envelope]) -> dict[str, Any]:
    return next(dict(one.payload) for one in reversed(events) if one.type == "ANSWERED")


async def test_from_a_question_to_an_answer_and_a_chart(conductor: Conductor, server: ModelServer) -> None:
    codes(server, script())
    server.heard.clear()
    project = await asked(conductor)
    waiting = await at_gate(conductor, project, "analysis")
    card = waiting.payload["payload"]
    assert (card["author"], card["can_approve"]) == ("model", True)
    assert "means by species" in card["note"]
    await approve(conductor, project, waiting)
    events = await to_the_end(conductor, project)
    said = last(events)
    assert said["kind"] == "analysis"
    assert "virginica with 5.552" in said["text"]
    assert "99 times" not in said["text"]  # a number that nothing computed
    assert "One sentence was left out" in said["text"]
    assert "| setosa | 1.462 |" in said["text"]
    assert "Computed from 150 rows by a script that m at" in said["text"]
    assert [one.payload["title"] for one in events if one.type == "CHART_READY"] == ["Petals"]
    names = {one.payload["name"] for one in events if one.type == "ARTIFACT_ADDED"}
    assert {f"analysis-1/{name}" for name in ("answer.md", "analysis.py", "analysis-1-1.png")} <= names
    drawn = Projection(project, await conductor.events(project))
    shown = [card for card in drawn.cards.values() if card.kind == "Explanation"]
    assert [chart["title"] for chart in shown[0].props["charts"]] == ["Petals"]
    sent = b"".join(server.heard).decode()
    assert "petal_length_cm" in sent
    assert "virginica" not in sent
    assert conductor.artifact_path(project, 0, "analysis-1/analysis.py").read_text(encoding="utf-8") == SCRIPT


async def test_a_crash_is_repaired_without_telling_values_and_then_it_ends(
    conductor: Conductor, server: ModelServer
) -> None:
    crash = 'import pandas as pd\ntable = pd.read_parquet("inputs/table.parquet")\nopen("outputs/answer.json")\n'
    crash += 'raise ValueError(f"bad {table.species[0]}")\n'
    crash = crash.replace('open("outputs/answer.json")\n', 'NAME = "outputs/answer.json"\n')
    codes(server, script(crash), script())
    server.heard.clear()
    project = await asked(conductor, policy=Policy(False, False))
    events = await to_the_end(conductor, project)
    assert last(events)["kind"] == "analysis"
    repair = server.heard[-1].decode()
    assert "line 4" in repair
    assert "setosa" not in repair
    codes(server, script(crash))
    project = await asked(conductor, policy=Policy(False, False))
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "failed"
    assert len(server.asked) == 2


HOSTILE = {
    "network": "import socket\nsocket.create_connection(('1.2.3.4', 80))\nNAME = 'outputs/answer.json'\n",
    "environment": "import os\nprint(os.environ)\nNAME = 'outputs/answer.json'\n",
    "no Python": "def answer.json(:\n",
    "no answer": "print(1)\n",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_script_is_never_run(code: str, conductor: Conductor, server: ModelServer) -> None:
    codes(server, script(code))
    project = await asked(conductor, policy=Policy(False, False))
    events = await to_the_end(conductor, project)
    assert events[-1].payload["outcome"] == "failed"
    assert "No script could be written" in next(one for one in events if one.type == "FAILED").payload["sentence"]
    assert not (conductor.settings.project_folder(project) / "analyses").exists()


async def test_edit_reject_change_and_what_the_table_lacks(conductor: Conductor, server: ModelServer) -> None:
    codes(server, script())
    project = await asked(conductor)
    first = await at_gate(conductor, project, "analysis")
    edit = Decision(action="edit", code="import os\nos.system('ls')\n")
    assert (await conductor.decide(project, first.payload["interrupt_id"], edit)).accepted
    edited = await at_gate(conductor, project, "analysis", after=first.seq)
    yes = Decision(action="approve")
    refused = await conductor.decide(project, edited.payload["interrupt_id"], yes)
    assert "cannot be approved" in refused.sentence
    codes(server, script(SCRIPT.replace('"bar"', '"line"')))
    no = Decision(action="reject", reason="as a line instead")
    assert (await conductor.decide(project, edited.payload["interrupt_id"], no)).accepted
    changed = await at_gate(conductor, project, "analysis", after=edited.seq)
    assert '"line"' in changed.payload["payload"]["code"]
    assert changed.payload["payload"]["diff"]
    stop = Decision(action="reject")
    assert (await conductor.decide(project, changed.payload["interrupt_id"], stop)).accepted
    ended = await to_the_end(conductor, project)
    assert ended[-1].payload["outcome"] == "rejected"
    codes(server, script("", answerable=False, missing="a column with sales"))
    assert (await conductor.start(project, "plot sales by month")).accepted
    events = await to_the_end(conductor, project, after=ended[-1].seq)
    assert last(events)["text"] == "This table cannot answer that: a column with sales."


async def test_at_a_models_gate_a_question_is_answered_and_the_gate_opens_again(
    conductor: Conductor, server: ModelServer
) -> None:
    codes(server, script())
    project = await conductor.new_project(policy=Policy(False, True))
    assert (await conductor.start(project, "classify species", ["iris"])).accepted
    code = await at_gate(conductor, project, "code")
    await conductor.set_policy(project, Policy(True, False))
    assert (await conductor.start(project, "what is the average petal_length_cm per species?")).accepted
    again = await at_gate(conductor, project, "code", after=code.seq)
    assert again.payload["payload"]["code_hash"] == code.payload["payload"]["code_hash"]
    said = last(await conductor.events(project))
    assert "Computed from 120 rows" in said["text"]  # the sealed ones are not told
    assert "The 30 sealed rows are not among them." in said["text"]


async def test_without_a_model_an_honest_sentence(settings: Settings, sandbox: Sandbox) -> None:
    async with open_conductor(settings, Shared(sandbox)) as conductor:
        events = await to_the_end(conductor, await asked(conductor))
        assert last(events)["kind"] == "unsupported"
        assert json.dumps(last(events)).count("cannot draw charts") == 1
