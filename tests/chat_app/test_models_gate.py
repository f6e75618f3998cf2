"""A model is chosen at the contract, checked there, saved as a template, and taken back; without any training."""

from pathlib import Path
from typing import Any

import pytest

from agents.state import Decision
from chat_app.conductor import Conductor, open_conductor
from chat_app.settings import Settings
from tests.chat_app.scenes import at_gate

pytestmark = pytest.mark.asyncio


async def edited(conductor: Conductor, project: str, waiting: Any, model: object, **more: Any) -> Any:
    """The next gate after an edit that has to be accepted."""
    decision = Decision(action="edit", contract={"model": model, **more})
    reply = await conductor.decide(project, waiting.payload["interrupt_id"], decision)
    assert reply.accepted, reply.sentence
    return await at_gate(conductor, project, "contract", waiting.seq)


async def test_the_gate_takes_a_model_and_refuses_what_does_not_fit(settings: Settings) -> None:
    async with open_conductor(settings) as conductor:
        project = await conductor.new_project()
        order = {"estimator": "random_forest", "n_estimators": "40"}
        assert (await conductor.start(project, "predict species", ["iris"], model=order)).accepted
        first = await at_gate(conductor, project, "contract")
        chosen = first.payload["payload"]["contract"]["model"]
        assert (chosen["estimator"], chosen["parameters"]) == ("random_forest", [["n_estimators", 40]])

        wrong = Decision(action="edit", contract={"model": {"estimator": "random_forest", "n_tree": "40"}})
        refused = await conductor.decide(project, first.payload["interrupt_id"], wrong)
        assert not refused.accepted
        assert "no parameter “n_tree”" in refused.sentence

        grid = {"estimator": "random_forest", "space": {"n_estimators": "500,1000,2000"}, "search": "grid", "folds": 10}
        slow = Decision(action="edit", contract={"model": grid, "budget_seconds": 5})
        refused = await conductor.decide(project, first.payload["interrupt_id"], slow)
        assert not refused.accepted
        assert "41 fits (3 candidates on 10 folds)" in refused.sentence

        second = await edited(
            conductor,
            project,
            first,
            {"template": "large", "parameters": {"n_estimators": "50"}, "save_as": "my own"},
        )
        contract = second.payload["payload"]["contract"]
        assert (contract["model"]["estimator"], contract["model"]["template"]) == ("lightgbm", "my own")
        saved = settings.template_folder / "my own.toml"
        assert "n_estimators = 50" in saved.read_text(encoding="utf-8")

        third = await edited(conductor, project, second, {"template": "my own"}, metric="accuracy")
        assert third.payload["payload"]["contract"]["metric"] == "accuracy"
        last = await edited(conductor, project, third, "no")
        assert last.payload["payload"]["contract"]["model"] is None


async def test_the_script_at_the_gate_is_that_of_the_chosen_model(settings: Settings, tmp_path: Path) -> None:
    async with open_conductor(settings) as conductor:
        project = await conductor.new_project()
        said = "predict species with a decision tree of depth 3"
        assert (await conductor.start(project, said, ["iris"])).accepted
        waiting = await at_gate(conductor, project, "contract")
        reply = await conductor.decide(project, waiting.payload["interrupt_id"], Decision(action="approve"))
        assert reply.accepted, reply.sentence
        code = (await at_gate(conductor, project, "code", waiting.seq)).payload["payload"]
        assert "from sklearn.tree import DecisionTreeClassifier as Estimator" in code["code"]
        assert "'max_depth': 3" in code["code"] or '"max_depth": 3' in code["code"]
        assert code["findings"] == []
        assert "Decision tree with max_depth=3" in code["note"]
