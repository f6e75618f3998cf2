"""One warm source at work at any time: warmed once, replaced when it dies, relieved when it has served long enough.

The addresses that a source's forks share, and what it holds, are not kept for ever. A new one warms up beside it; the
old one goes on with the runs that it has and ends with the last of them.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sandbox import cgroups
from sandbox.base import Job, SandboxBroken
from sandbox.running import Running
from sandbox.source import Source

_TRIES_TO_TIDY, _BETWEEN_TRIES = 200, 0.005


@dataclass(frozen=True)
class Shift:
    """How long one source serves."""

    runs: int = 200
    seconds: float = 3600


@dataclass(eq=False)
class _Service:
    source: Source
    since: float = field(default_factory=time.monotonic)
    served: int = 0
    busy: int = 0
    """Runs that are going on."""


class Relief:
    """Begins runs from the source that is at work, and sees to its successor."""

    def __init__(self, open_source: Callable[[], Awaitable[Source]], shift: Shift) -> None:
        self._open = open_source
        self._shift = shift
        self._now: _Service | None = None
        self._retired: list[_Service] = []
        self._runs: dict[Running, _Service] = {}
        self._warming: asyncio.Task[Source] | None = None
        self._relieving: asyncio.Task[None] | None = None
        self._turn = 0

    async def ready(self) -> Source:
        """The source that is at work; a second call while one warms up waits for the same."""
        if self._now is not None and self._now.source.alive:
            return self._now.source
        if self._warming is None:
            self._warming = asyncio.create_task(self._replace())
        try:
            return await asyncio.shield(self._warming)
        finally:
            if self._warming is not None and self._warming.done():
                self._warming = None

    async def begin(self, job: Job, *, stays: bool = False) -> Running:
        """Start one run; to be told of its end by `over`. Raises `SandboxBroken`."""
        try:
            return await self._begin(job, stays)
        except OSError as problem:  # the source has died since, which is bad luck once; or it is we who lack something
            if self._now is not None and isinstance(problem, ConnectionError):
                self._now.source.end()
        try:
            return await self._begin(job, stays)
        except OSError as problem:
            raise SandboxBroken(f"The sandbox could not start the run: {problem.strerror}.") from problem

    def over(self, run: Running) -> None:
        """The run has been buried; the last one of a retired source ends that."""
        if service := self._runs.pop(run, None):
            service.busy -= 1
            self._end_if_idle(service)

    def _end_if_idle(self, service: _Service) -> None:
        if service in self._retired and not service.busy:
            service.source.end()
            self._retired.remove(service)

    async def close(self) -> None:
        """End every source, and every run with it."""
        for task in (self._warming, self._relieving):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._warming = self._relieving = None
        for service in [*self._retired, *([self._now] if self._now else [])]:
            service.source.end()
        self._now, self._retired = None, []
        for _ in range(_TRIES_TO_TIDY):
            if cgroups.tidy():
                break
            await asyncio.sleep(_BETWEEN_TRIES)

    async def _replace(self) -> Source:
        if self._now is not None:
            self._now.source.end()
        await asyncio.to_thread(cgroups.sweep)
        fresh = await self._open()
        if self._now is not None and self._now.source.alive:  # it was being relieved when it died
            fresh.end()
        else:
            self._now = _Service(fresh)
        return self._now.source

    async def _begin(self, job: Job, stays: bool) -> Running:
        await self.ready()
        service = self._now
        assert service is not None
        self._turn += 1
        service.busy += 1
        try:
            run = await service.source.begin(job, self._turn, stays=stays)
        except BaseException:
            service.busy -= 1
            self._end_if_idle(service)
            raise
        self._runs[run] = service
        service.served += 1
        if service is self._now:
            self._look_at_the_clock(service)
        return run

    def _look_at_the_clock(self, service: _Service) -> None:
        long_enough = time.monotonic() - service.since >= self._shift.seconds
        if (long_enough or service.served >= self._shift.runs) and (self._relieving is None or self._relieving.done()):
            self._relieving = asyncio.create_task(self._relieve(service))

    async def _relieve(self, service: _Service) -> None:
        with contextlib.suppress(SandboxBroken):  # the old one is good for a while yet
            fresh = await self._open()
            if self._now is not service:  # it has died meanwhile and been replaced
                fresh.end()
                return
            self._now = _Service(fresh)
            service.source.rest()
            self._retired.append(service)
            self._end_if_idle(service)
            return
        service.since, service.served = time.monotonic(), 0
