"""What a finding of the audit offers: the plan with one change, asked about before anything runs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agents import events as happened
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from chat_app.terminal import lines_of
from sandbox.base import Sandbox
from tests.chat_app.scenes import at_gate
from tests.chat_app.test_conductor import Shared
from tools.probes.finding import Probe, without_columns


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


def used(gate: Any) -> list[str]:
    """Features of the plan that a gate shows."""
    return [column["name"] for column in gate.payload["payload"]["contract"]["columns"] if column["use"]]


async def test_one_click_shows_the_changed_plan_and_asks(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(False, True))
    await conductor.start(project, "classify species", ["iris"])
    first = await at_gate(conductor, project, "code")
    assert (await conductor.rewind(project, "PREPROCESS", {"exclude": ["petal_width_cm"]})).accepted
    plan = await at_gate(conductor, project, "contract", after=first.seq)
    assert used(plan) == ["sepal_length_cm", "sepal_width_cm", "petal_length_cm"]
    assert (await conductor.rewind(project, "PREPROCESS", {"exclude": ["petal_length_cm"]})).accepted
    again = await at_gate(conductor, project, "contract", after=plan.seq)
    assert used(again) == ["sepal_length_cm", "sepal_width_cm"]  # the first repair still stands


@pytest.mark.parametrize(
    ("stage", "changes", "sentence"),
    [
        ("PREPROCESS", {"exclude": ["petals"]}, "The table has no column “petals”."),
        ("PREPROCESS", {"nonsense": 1}, "A contract has no field “nonsense”"),
        ("PREPROCESS", {"split": {"rule": "group", "column": "species"}}, "species"),
        ("TRAIN", {"exclude": ["petal_width_cm"]}, "Only a plan can be changed"),
    ],
)
async def test_a_change_that_does_not_fit_is_refused(
    conductor: Conductor, stage: str, changes: dict[str, Any], sentence: str
) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"])
    await at_gate(conductor, project, "contract")
    before = len(await conductor.events(project))
    reply = await conductor.rewind(project, stage, changes)
    assert not reply.accepted
    assert sentence in reply.sentence
    assert len(await conductor.events(project)) == before


async def test_a_column_left_out_beside_the_sentence(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "classify species", ["iris"], drop=["petal_width_cm"])
    assert "petal_width_cm" not in used(await at_gate(conductor, project, "contract"))


def test_the_terminal_names_the_flag() -> None:
    probe = Probe(
        probe="single column",
        passed=False,
        detail="“gross” knows.",
        in_use="In use it is not there.",
        repair=without_columns(["gross"], ["gross", "size"]),
    )
    assert lines_of(happened.Audited(1, (probe.model_dump(),))) == [
        "Audit: 0 of 1 probes passed.",
        "single column: “gross” knows. In use it is not there.",
        "To repair it, run again with --drop gross",
    ]
