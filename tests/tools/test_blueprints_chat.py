"""A blueprint in a conversation: offered for a table alone, shown and edited at the gate, told in the result."""

from pathlib import Path
from typing import Any

import pandas as pd

from agents.state import Decision
from chat_app.conductor import Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import approve, at_gate, to_the_end
from tests.tools.test_blueprints import blocks, folder_of, telco


def told(envelopes: list[Any]) -> str:
    """Everything that was answered."""
    return "\n".join(envelope.payload["text"] for envelope in envelopes if envelope.type == "ANSWERED")


async def test_a_conversation_about_churn(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    telco(400).to_csv(tmp_path / "customers.csv", index=False)
    async with open_conductor(settings, sandbox) as conductor:
        project = await conductor.new_project(policy=Policy(contract=True, code=False))
        await conductor.start(project, "", files=[tmp_path / "customers.csv"])
        first = await to_the_end(conductor, project)
        assert "This looks like customer churn: 12 of 12 columns match" in told(first)
        assert "Say “predict Churn”" in told(first)

        await conductor.start(project, "predict Churn in 15 seconds")
        gate = await at_gate(conductor, project, "contract", first[-1].seq)
        contract = gate.payload["payload"]["contract"]
        assert contract["blueprint"]["title"] == "Customer churn"
        edit = Decision(action="edit", contract={"blueprint": {"cost": 3, "tenure_group": False}})
        reply = await conductor.decide(project, gate.payload["interrupt_id"], edit)
        assert reply.accepted, reply.sentence
        gate = await at_gate(conductor, project, "contract", gate.seq)
        part = gate.payload["payload"]["contract"]["blueprint"]
        assert {one["name"]: one["value"] for one in part["stated"]}["cost"] == 3
        await approve(conductor, project, gate)
        result = await to_the_end(conductor, project, gate.seq)
        assert "Whom to call first" in told(result), told(result)
        assert "If a call costs 3, keeps 20%" in told(result)

        await conductor.start(project, "without the blueprint")
        gate = await at_gate(conductor, project, "contract", result[-1].seq)
        contract = gate.payload["payload"]["contract"]
        assert contract["blueprint"] is None
        assert contract["target"] == "Churn"
        assert not any("looks like" in sentence for sentence in contract["assumptions"])


async def test_a_folder_of_ones_own_is_used_and_a_broken_one_is_said(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    folder_of(*blocks(), tmp_path / "mine" / "no_show")
    folder_of("title = 3", "", tmp_path / "mine" / "broken")
    table = {"waiting_days": range(60), "earlier no-shows": [0, 1, 2] * 20, "NoShow": ["yes", "no", "no"] * 20}
    pd.DataFrame(table).to_csv(tmp_path / "visits.csv", index=False)
    own = settings.model_copy(update={"blueprints": tmp_path / "mine"})
    async with open_conductor(own, sandbox) as conductor:
        project = await conductor.new_project(policy=Policy(contract=True, code=True))
        await conductor.start(project, "predict NoShow", files=[tmp_path / "visits.csv"])
        gate = await at_gate(conductor, project, "contract")
        contract = gate.payload["payload"]["contract"]
        assert contract["blueprint"]["title"] == "Missed appointments"
        said = " ".join(contract["assumptions"])
        assert "This looks like missed appointments" in said
        assert "The blueprint “broken” is left out: blueprint.toml: " in said
