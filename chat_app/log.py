"""The event log with listeners: what is appended wakes everyone who follows the project."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from agents.context import Entry
from agents.events import Decided, Envelope, Event, MessageReceived
from agents.state import Actor, Stage
from chat_app.store import Store, event_id


class EventLog:
    """Appends go through here, so that no listener of this process misses one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._grown: defaultdict[str, asyncio.Condition] = defaultdict(asyncio.Condition)

    def of(self, project: str) -> "ProjectJournal":
        """The log of one project, as nodes see it."""
        return ProjectJournal(self, project)

    async def append(self, project: str, entries: Sequence[Entry]) -> None:
        """Into the log, and wake the listeners."""
        await self.store.append(project, entries)
        async with self._grown[project]:
            self._grown[project].notify_all()

    async def say(self, project: str, key: str, event: Event, stage: Stage | None = None) -> None:
        """An event of the conductor itself; the same key is said once."""
        actor: Actor = "user" if isinstance(event, MessageReceived | Decided) else "system"
        await self.append(project, [Entry(event_id(project, key), event, stage, actor)])

    async def subscribe(self, project: str, after_seq: int = 0) -> AsyncIterator[Envelope]:
        """Replay from a sequence number, then go on live, without an end."""
        seq = after_seq
        while True:
            async with self._grown[project]:
                fresh = await self.store.read(project, seq)
                if not fresh:
                    await self._grown[project].wait()
                    continue
            for envelope in fresh:
                yield envelope
            seq = fresh[-1].seq


@dataclass(frozen=True)
class ProjectJournal:
    """The log of one project, as nodes see it (`agents.context.Journal`)."""

    log: EventLog
    project: str

    async def append(self, entries: Sequence[Entry]) -> None:
        """Durable when it returns."""
        await self.log.append(self.project, entries)

    async def look(self, seal: str, look: str) -> int:
        """Counted over all projects: it is the same rows that are looked at."""
        return await self.log.store.look(seal, f"{self.project}/{look}")
