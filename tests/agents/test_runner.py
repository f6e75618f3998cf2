"""What the runner keeps when the sandbox fails beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context, Entry
from agents.events import RunEnded
from agents.nodes.runner import runner
from agents.state import State
from sandbox.base import Limits, Outcome, SandboxBroken
from tests.fakes import Scene, ScriptedSandbox
from tests.tools.modelling_scene import contract_for, sealed_scene, two_classes
from tools.chart_images import Renderer
from tools.vault import Vault
from tools.worker import Workers


@dataclass
class Log:
    """A `Journal` in memory."""

    entries: list[Entry] = field(default_factory=list)

    async def append(self, entries: Sequence[Entry]) -> None:
        self.entries += entries

    async def look(self, seal: str, look: str) -> int:
        return 1


@dataclass(frozen=True)
class Attempt:
    """An approved script in a project whose sandbox plays scenes."""

    context: Context
    state: State
    log: Log

    @classmethod
    def of(cls, sandbox: ScriptedSandbox, folder: Path) -> "Attempt":
        """As the graph would hand it to the runner."""
        vault, log = Vault(folder / "vault"), Log()
        contract = contract_for(two_classes(), "answer")
        sealed = sealed_scene(two_classes(), contract, folder)
        context = Context(
            project="p",
            folder=folder / "project",
            vault=vault,
            journal=log,
            sandbox=sandbox,
            workers=Workers(sandbox),
            limits=Limits(),
            extra_seconds=60,
            renderer=Renderer(),
            budget_seconds=60,
            seed=0,
        )
        state = State(
            attempt=1,
            code_author="recipe",
            code_hash=vault.put_text("train()"),
            contract_hash=vault.put_json(contract.model_dump(mode="json")),
            seal_hash=vault.put_json(sealed.to_json()),
        )
        return cls(context, state, log)

    async def train(self) -> dict[str, Any]:
        """What the runner changes in the state."""
        config: RunnableConfig = {"metadata": {"langgraph_step": 1}}
        return await runner(self.state, config, Runtime(context=self.context))


async def test_a_sandbox_that_breaks_beside_the_training_does_not_throw_the_training_away(tmp_path: Path) -> None:
    trained, broken = Scene(leaves={"model.joblib": b"a pickle"}), Scene(breaks=SandboxBroken("It is gone."))
    sandbox = ScriptedSandbox(trained, broken)
    attempt = Attempt.of(sandbox, tmp_path)
    done = await attempt.train()
    assert attempt.context.vault.get_json(done["run_hash"])["kind"] == "ok"
    assert [job.id.partition("-")[0] for job in sandbox.jobs] == ["train", "score"]
    assert await attempt.train() == done
    assert len(sandbox.jobs) == 2


async def test_a_script_that_ran_out_of_time_keeps_the_model_that_it_had_saved(tmp_path: Path) -> None:
    late = Outcome("timeout", "The script was stopped after 60 s.", "scripted", seconds=60.0)
    trained = Scene(leaves={"model.joblib": b"a pickle"}, ends=late)
    attempt = Attempt.of(ScriptedSandbox(trained, Scene(), Scene()), tmp_path)
    done = await attempt.train()
    kept = attempt.context.vault.get_json(done["run_hash"])
    assert (kept["kind"], kept["kept"]) == ("timeout", True)
    assert "its limit; the best model that it had saved is kept" in kept["message"]
    assert next(entry.event for entry in attempt.log.entries if isinstance(entry.event, RunEnded)).kept
