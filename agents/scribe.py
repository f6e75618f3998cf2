"""Writes the events of one node execution, with ids that stay the same when the node runs again after a crash."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict

from langchain_core.runnables import RunnableConfig

from agents.context import Context, Entry
from agents.events import Event, ModelCalled, StageStatus
from agents.llm.spending import Call
from agents.state import Actor, Stage, Status
from agents.tracing import Tracing


class Scribe:
    """One per node execution. The n-th event of a node in a step of a project always gets the same id."""

    def __init__(self, context: Context, config: RunnableConfig, actor: Actor, stage: Stage) -> None:
        self._context = context
        self._where = f"{context.project}/{config['metadata']['langgraph_step']}/{actor}"
        self._actor = actor
        self._stage = stage
        self._count = 0
        self._live = 0  # apart from _count: how many live events there are differs from execution to execution

    @property
    def tracing(self) -> Tracing:
        """Where spans of this node's work go."""
        return self._context.tracing

    async def say(self, *said: Event) -> None:
        """Append in order."""
        await self._write(said, [self._next() for _ in said])

    async def say_live(self, run: str, said: Sequence[Event]) -> None:
        """Append events of a sandbox run: a second execution of the run says them anew under its own name."""
        start = self._live
        self._live += len(said)
        await self._write(said, [f"{run}/{start + number}" for number in range(len(said))])

    async def say_as(self, key: str, event: Event) -> None:
        """Append under a name of its own, once in the project, whatever step of the graph it is said in."""
        name = f"{self._context.project}/{key}"
        entry = Entry(str(uuid.uuid5(uuid.NAMESPACE_OID, name)), event, self._stage, self._actor)
        await self._context.journal.append([entry])

    async def called(self, call: Call) -> None:
        """A language model was asked; a node that runs again asks again, so each call is an event of its own."""
        await self._write([ModelCalled(**asdict(call))], [f"call/{uuid.uuid4().hex}"])

    async def status(self, status: Status, detail: str = "", stage: Stage | None = None) -> None:
        """A stage has changed its status; from here on events belong to it."""
        self._stage = stage or self._stage
        await self.say(StageStatus(self._stage, status, detail))

    def _next(self) -> str:
        self._count += 1
        return str(self._count)

    async def _write(self, said: Sequence[Event], keys: Sequence[str]) -> None:
        await self._context.journal.append(
            [
                Entry(str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._where}/{key}")), event, self._stage, self._actor)
                for event, key in zip(said, keys, strict=True)
            ]
        )
