"""What nodes work with and what is never checkpointed: the project's folder, its log, the sandbox, the defaults."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agents.events import Event
from agents.halting import Halt
from agents.llm.spending import Spending
from agents.models import Models
from agents.state import Actor, Stage
from agents.tracing import Tracing
from sandbox.base import Limits, Sandbox
from tools.chart_images import Renderer
from tools.vault import Vault
from tools.worker import Workers


@dataclass(frozen=True)
class Entry:
    """An event on its way into the log; an `id` that the log holds already is not appended again."""

    id: str
    event: Event
    stage: Stage | None
    actor: Actor


class Journal(Protocol):
    """The project's append-only log, as nodes see it."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Durable when it returns."""
        ...

    async def look(self, seal: str, look: str) -> int:
        """Count a look at sealed rows (the same look twice counts once); returns how many there were, with this one."""
        ...


@dataclass(frozen=True)
class Context:
    """Dependencies of the nodes, passed through LangGraph's context schema."""

    project: str
    folder: Path
    vault: Vault
    journal: Journal
    sandbox: Sandbox
    workers: Workers
    """The saved models that are loaded at the moment."""
    limits: Limits
    """Of every run; a training run has another time (`agents.code_generator.training_limits`)."""
    extra_seconds: float
    """What a training script may take beyond its budget."""
    renderer: Renderer
    budget_seconds: float
    seed: int
    blueprints: Path | None = None
    """The user's own folder of blueprints."""
    templates: Path | None = None
    """The user's own folder of model templates."""
    owner: str = ""
    """Who answers for the models, for their cards."""
    models: Models = field(default_factory=Models)
    """The language models that are configured; none: the experts decide."""
    spending: Spending = field(default_factory=Spending)
    """What the models of this turn may cost, and have cost."""
    improve: bool = True
    """Whether a better script is searched for where nobody says anything else and a model can write one."""
    halt: Halt = field(default_factory=Halt)
    """How the user ends a training run and keeps what it has saved."""
    tracing: Tracing = field(default_factory=Tracing)
    """Where spans and errors go."""
