"""Whoever replaces a source that has died, one is at work in the end and every other one has been ended."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from sandbox.base import Job
from sandbox.relief import Relief, Shift
from sandbox.running import Running
from sandbox.source import Source


@dataclass(eq=False)
class Scripted:
    """A source that begins nothing."""

    alive: bool = True
    ended: bool = False

    async def begin(self, job: Job, turn: int, *, stays: bool = False) -> Running:
        return cast(Running, object())

    async def stand(self) -> int:
        return 0

    def memory_mb(self) -> float:
        return 0.0

    def rest(self) -> None:
        pass

    def end(self) -> None:
        self.alive, self.ended = False, True


@dataclass
class Opening:
    """Sources that come up when they are let."""

    sources: list[Scripted] = field(default_factory=list)
    gates: list[asyncio.Event] = field(default_factory=list)

    async def __call__(self) -> Source:
        gate, source = asyncio.Event(), Scripted()
        self.gates.append(gate)
        await gate.wait()
        self.sources.append(source)
        return source

    async def asked(self, times: int) -> None:
        while len(self.gates) < times:
            await asyncio.sleep(0)


async def test_a_source_that_dies_while_it_is_relieved_leaves_one_successor() -> None:
    for first in (1, 2):  # the relief comes up first, or the replacement does
        opening = Opening()
        relief = Relief(opening, Shift(runs=1))
        warming = asyncio.create_task(relief.ready())
        await opening.asked(1)
        opening.gates[0].set()
        await warming
        await relief.begin(Job("one", ""))
        await opening.asked(2)
        opening.sources[0].alive = False
        waiting = asyncio.create_task(relief.ready())
        await opening.asked(3)
        for gate in (opening.gates[first], opening.gates[3 - first]):
            gate.set()
            for _ in range(10):
                await asyncio.sleep(0)
        at_work = await waiting
        assert at_work is await relief.ready()
        assert [source for source in opening.sources if not source.ended] == [at_work]
        await relief.close()
        assert all(source.ended for source in opening.sources)
