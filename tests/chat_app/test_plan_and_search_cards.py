"""How a plan of several steps and the improvement search become cards, and how a script of the search is taken over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from agents import events as ev
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.projector import Projection
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.logs import PROJECT, log
from tests.chat_app.scenes import at_gate
from tests.chat_app.test_conductor import Shared

STEPS: tuple[dict[str, Any], ...] = tuple(
    {"id": id, "text": text, "kind": kind, "depends_on": needs, "status": "waiting", "note": ""}
    for id, text, kind, needs in (
        ("1", "clean it", "prepare", []),
        ("2", "compare the regions", "analyse", ["1"]),
        ("3", "predict churn", "model", ["1"]),
    )
)
MESSAGE = ev.MessageReceived("clean it, compare the regions, then predict churn")
PLAN = ev.PlanMade(STEPS, "expert")
GATE = ev.WaitingConfirmation("i1", "plan", "In this order?", {"steps": STEPS, "by": "expert", "most_steps": 8})


def plans(*events: ev.Event) -> list[dict[str, Any]]:
    """The plan cards' props, in order."""
    return [card.props for card in Projection(PROJECT, log(events)).cards.values() if card.kind == "Plan"]


def test_a_plan_is_one_card_that_asks_is_changed_and_goes_on() -> None:
    (asking,) = plans(MESSAGE, PLAN, GATE)
    assert (asking["open"], asking["interrupt_id"], len(asking["steps"])) == (True, "i1", 3)
    changed = ev.PlanMade(STEPS[1:], "user")
    (again,) = plans(MESSAGE, PLAN, GATE, ev.Decided("i1", "plan", "edit", "user"), changed, GATE)
    assert (again["open"], [step["id"] for step in again["steps"]]) == (True, ["2", "3"])
    running = ev.StepChanged("2", "running", "compare the regions", 1, 2)
    failed = ev.StepChanged("2", "failed", "compare the regions", 1, 2, "no such column")
    yes = ev.Decided("i1", "plan", "approve", "user")
    (gone_on,) = plans(MESSAGE, PLAN, GATE, changed, GATE, yes, running, failed)
    assert gone_on["open"] is False
    assert [(step["status"], step["note"]) for step in gone_on["steps"]] == [
        ("failed", "no such column"),
        ("waiting", ""),
    ]


def test_another_plan_is_another_card_and_a_step_without_a_plan_is_none() -> None:
    first, second = plans(MESSAGE, PLAN, GATE, MESSAGE, PLAN, GATE)
    assert (first["open"], second["open"]) == (False, True)
    assert plans(ev.StepChanged("9", "done", "x", 1, 1)) == []


def step(node: int, parent: int | None, status: str = "scored", best: bool = False, **more: Any) -> ev.SearchStep:
    """One node of the tree."""
    kind = "recipe" if node == 0 else "improve"
    return ev.SearchStep(1, node, parent, kind, f"{node}" * 64, status, "", "", "roc_auc", best=best, **more)  # type: ignore[arg-type]


def test_the_search_is_one_tree_in_which_the_last_word_on_a_node_holds() -> None:
    end = ev.SearchEnded(1, 2, 2, "A gain.", 2, 2, 0.1, 0.05, 0.15)
    events = (
        step(0, None, best=True),
        step(1, 0, "running"),
        step(1, 0, "failed"),
        step(2, 0, "running"),
        step(2, 0, best=True),
        end,
    )
    (card,) = [one for one in Projection(PROJECT, log(events)).cards.values() if one.kind == "Search"]
    assert [(node["node"], node["parent"], node["status"], node["best"]) for node in card.props["nodes"]] == [
        (0, None, "scored", False),
        (1, 0, "failed", False),
        (2, 0, "scored", True),
    ]
    assert card.props["ended"]["chosen"] == 2
    assert not Projection(PROJECT, log([end])).cards


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    """One whose sandbox is shared."""
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


async def test_a_script_that_is_taken_over_waits_at_the_code_gate_as_yours(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "code")
    vault = conductor.vault(project)
    digest = vault.put_text(first.payload["payload"]["code"].replace("SEED = 0", "SEED = 7"))
    await conductor.set_policy(project, Policy(False, False))
    assert (await conductor.rewind(project, "TRAIN", script=digest)).accepted
    gate = await at_gate(conductor, project, "code", after=first.seq)
    shown = gate.payload["payload"]
    assert (shown["code_hash"], shown["author"], shown["can_approve"]) == (digest, "user", True)
    assert "+SEED = 7" in shown["diff"]

    secret = vault.put_bytes(b"\xff\xfe")
    for script, stage, sentence in (
        ("0" * 64, "TRAIN", "no such script"),
        ("../../etc/passwd", "TRAIN", "no such script"),
        (secret, "TRAIN", "no such script"),
        (vault.put_text(" \n"), "TRAIN", "no script that can be edited"),
        (digest, "PREPROCESS", "at the stage TRAIN"),
    ):
        reply = await conductor.rewind(project, stage, script=script)
        assert not reply.accepted
        assert sentence in reply.sentence
