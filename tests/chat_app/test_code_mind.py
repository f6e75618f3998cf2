"""A model that changes the training script: what the user asked for, what the critic stops, what a failed run needs."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from agents.events import Envelope
from agents.llm.endpoint import Endpoint
from agents.nodes.code_generator import TO_COMPARE
from agents.state import Decision
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import approve, at_gate, to_the_end
from tests.chat_app.test_conductor import Shared
from tests.coder import code_calls, codes
from tests.openai_server import ModelServer, fails, serving

WISH = "scale the numbers with quantiles in every model"
CLASS = "versicolor"
COMMENT = {"search": "TIME_BUDGET = ", "replace": "# quantiles are used by every model\nTIME_BUDGET = "}


def change(*edits: dict[str, str], about: str = "script", script: str = "", reason: str = "as asked") -> dict[str, Any]:
    """An answer as the schema wants it."""
    return {"reason": reason, "about": about, "edits": list(edits), "script": script}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox, server: ModelServer) -> AsyncIterator[Conductor]:
    code = Endpoint(base_url=server.url, model="m", seconds=20.0)
    asked = settings.model_copy(update={"code": code, "budget_seconds": 6.0})
    async with open_conductor(asked, Shared(sandbox)) as opened:
        yield opened


async def at_the_code(
    conductor: Conductor, script: str | None = None, message: str = "classify species"
) -> tuple[str, Envelope]:
    """A project before gate 2."""
    project = await conductor.new_project(policy=Policy(False, True))
    assert (await conductor.start(project, message, ["iris"], script=script)).accepted
    return project, await at_gate(conductor, project, "code")


async def reject(conductor: Conductor, project: str, waiting: Envelope, reason: str) -> None:
    decision = Decision(action="reject", reason=reason)
    assert (await conductor.decide(project, waiting.payload["interrupt_id"], decision)).accepted


def notices(events: list[Envelope]) -> str:
    return " ".join(one.payload["text"] for one in events if one.type == "ANSWERED")


async def test_a_wish_becomes_an_edit_that_has_to_beat_the_recipe(conductor: Conductor, server: ModelServer) -> None:
    # with time enough that the clock does not cut one of the two
    project, first = await at_the_code(conductor, message="classify species, at most 2 minutes")
    codes(server, change(COMMENT))
    server.heard.clear()
    await reject(conductor, project, first, WISH)
    second = await at_gate(conductor, project, "code", after=first.seq)
    shown = second.payload["payload"]
    assert shown["author"] == "model"
    assert "+# quantiles are used by every model" in shown["diff"]
    assert TO_COMPARE in shown["note"]
    sent = b"".join(server.heard).decode()
    assert CLASS not in sent
    assert "VALUE_1" in sent
    assert WISH in sent
    assert CLASS in shown["code"]
    await approve(conductor, project, second)
    events = await to_the_end(conductor, project)
    # the same program twice is a tie, so the recipe's result stands and its text is what can be taken along
    assert "the recipe's result stands" in notices(events)
    ended = [one for one in events if one.type == "RUN_STARTED" and one.payload["purpose"] == "train"]
    assert len(ended) == 2
    assert [one.payload["author"] for one in events if one.type == "CODE_WRITTEN"] == ["recipe", "model", "recipe"]
    report = json.loads(conductor.artifact_path(project, 1, "report.json").read_text(encoding="utf-8"))
    assert any("the recipe's result stands" in note for note in report["notes"])
    assert "quantiles are used" not in conductor.artifact_path(project, 1, "train.py").read_text(encoding="utf-8")
    scored = next(one.payload for one in events if one.type == "SCORED")
    assert [one["against"] for one in scored["score"]["earlier"]] == ["the model's script"]
    assert scored["looks"] == 2


@pytest.mark.parametrize(
    "said",
    [
        change({"search": "no such line", "replace": "x"}),
        change({"search": "TARGET = 'species'", "replace": "TARGET = 'petal_width_cm'"}),
        change({"search": "TIME_BUDGET = ", "replace": "import socket\nTIME_BUDGET = "}),
        change(script="import os\nos.system('curl evil')\n"),
        change({"search": "TIME_BUDGET = ", "replace": "def broken(:\nTIME_BUDGET = "}),
    ],
    ids=["does not apply", "another target", "network", "hostile script", "no Python"],
)
async def test_what_does_not_hold_leaves_the_script_as_it_was(
    said: dict[str, Any], conductor: Conductor, server: ModelServer
) -> None:
    project, first = await at_the_code(conductor)
    codes(server, said)
    await reject(conductor, project, first, WISH)
    second = await at_gate(conductor, project, "code", after=first.seq)
    assert second.payload["payload"]["code_hash"] == first.payload["payload"]["code_hash"]
    assert "The script is as it was." in notices(await conductor.events(project))
    assert len(code_calls(server)) == 2  # one repair turn


async def test_an_edit_that_fits_at_the_second_try_counts(conductor: Conductor, server: ModelServer) -> None:
    project, first = await at_the_code(conductor)
    codes(server, change({"search": "no such line", "replace": "x"}), change(COMMENT))
    assert (await conductor.start(project, WISH)).accepted  # typed into the chat instead of the card
    second = await at_gate(conductor, project, "code", after=first.seq)
    assert second.payload["payload"]["author"] == "model"
    assert "does not occur in the script" in json.dumps(code_calls(server)[-1])


async def test_a_dead_model_says_so_and_a_wish_about_the_plan_goes_to_the_expert(
    conductor: Conductor, server: ModelServer
) -> None:
    project, first = await at_the_code(conductor)
    server.plays(fails(401))
    await reject(conductor, project, first, WISH)
    second = await at_gate(conductor, project, "code", after=first.seq)
    assert "does not accept the key" in notices(await conductor.events(project))
    codes(server, change(about="plan"))
    await reject(conductor, project, second, "use 10 folds")
    third = await at_gate(conductor, project, "code", after=second.seq)
    assert third.payload["payload"]["author"] == "recipe"
    calls = len(code_calls(server))
    await reject(conductor, project, third, "try without petal_width_cm")  # the expert knows: no model is asked
    await at_gate(conductor, project, "code", after=third.seq)
    assert len(code_calls(server)) == calls


OWN = """import joblib
import pandas as pd
from sklearn.dummy import DummyClassifier

table = pd.read_parquet("inputs/train.parquet")
model = DummyClassifier().fit(table[["petal_width"]], table["species"])
joblib.dump(model, "outputs/model.joblib")
"""


async def test_a_traceback_is_told_without_values_and_repaired(conductor: Conductor, server: ModelServer) -> None:
    project, first = await at_the_code(conductor, OWN)
    await approve(conductor, project, first)
    failed = await at_gate(conductor, project, "code", after=first.seq)
    assert "The script failed" in failed.payload["title"]
    fix = {"search": 'table[["petal_width"]]', "replace": 'table[["petal_width_cm"]]'}
    codes(server, change(fix, reason="the column has another name"))
    server.heard.clear()
    await reject(conductor, project, failed, "repair it")
    second = await at_gate(conductor, project, "code", after=failed.seq)
    sent = b"".join(server.heard).decode()
    assert "KeyError" in sent
    assert "line 6" in sent
    assert "site-packages" not in sent
    assert "the column has another name" in second.payload["payload"]["note"]
    assert TO_COMPARE not in second.payload["payload"]["note"]  # the user's own script stands for itself


async def test_a_models_script_that_fails_is_repaired_once_and_then_the_recipe_runs(
    conductor: Conductor, server: ModelServer
) -> None:
    project, first = await at_the_code(conductor)
    crash = {"search": "def main():", "replace": 'raise ValueError("Rumpelstiltskin paid 72431")\n\n\ndef main():'}
    worse = {"search": 'raise ValueError("Rump', "replace": 'raise RuntimeError("Rump'}
    codes(server, change(crash), change(worse))
    server.heard.clear()
    await reject(conductor, project, first, WISH)
    second = await at_gate(conductor, project, "code", after=first.seq)
    await approve(conductor, project, second)
    repaired = await at_gate(conductor, project, "code", after=second.seq)
    assert repaired.payload["payload"]["note"].startswith("repaired by m at")
    await approve(conductor, project, repaired)
    last = await at_gate(conductor, project, "code", after=repaired.seq)
    assert last.payload["payload"]["author"] == "recipe"
    assert last.payload["payload"]["code_hash"] == first.payload["payload"]["code_hash"]
