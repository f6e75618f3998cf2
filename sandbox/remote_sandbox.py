"""The `Sandbox` of every backend that runs scripts behind a line: which runs there are, and how to end them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from sandbox.base import Job, Metric, Outcome, Output, SandboxError, Session, check
from sandbox.remote import Line, RemoteRun
from sandbox.remote_session import RemoteSession


class RemoteSandbox(ABC):
    """`Sandbox` over lines; a backend says how one is opened."""

    def __init__(self) -> None:
        self._runs: dict[str, RemoteRun | None] = {}
        self._unwanted: set[str] = set()
        self._sessions: dict[str, RemoteSession] = {}

    @property
    @abstractmethod
    def isolation(self) -> str:
        """The level in words."""

    @abstractmethod
    async def open_line(self, job: Job) -> Line:
        """A keeper that waits for its request. Raises `SandboxUnavailable`, `SandboxBroken`."""

    @abstractmethod
    async def warm(self) -> None:
        """Get ready so that the next run starts fast."""

    async def run(self, job: Job) -> AsyncGenerator[Output | Metric | Outcome]:
        """Stream what the script says, then its `Outcome`; leaving the iterator early kills the run."""
        run: RemoteRun | None = None
        self._take(job)
        try:
            try:
                run = await self._begin(job, stays=False)
            except SandboxError:
                if job.id not in self._unwanted:
                    raise
                yield Outcome("killed_by_user", "The script was stopped on request.", self.isolation)
                return
            async for event in run.events():
                yield event
            yield await run.outcome()
        finally:
            self._forget(job.id)
            if run is not None:
                await asyncio.shield(run.bury())

    async def serve(self, job: Job) -> Session:
        """Start a script that stays; `stop` and `close` end it like a run."""
        self._take(job)
        try:
            run = await self._begin(job, stays=True)
        except BaseException:
            self._forget(job.id)
            raise
        self._sessions[job.id] = session = RemoteSession(run, lambda: self._forget(job.id))
        return session

    async def stop(self, job_id: str) -> bool:
        """End a run from outside. False when there is no such run."""
        if job_id not in self._runs:
            return False
        if job_id in self._sessions:
            await self._sessions[job_id].close()
        elif (run := self._runs[job_id]) is not None:
            await run.stop("killed_by_user")
        else:
            self._unwanted.add(job_id)  # its machine is on its way
        return True

    async def close(self) -> None:
        """End every run and session."""
        for job_id in list(self._runs):
            await self.stop(job_id)

    def _take(self, job: Job) -> None:
        if job.id in self._runs:
            raise SandboxError(f"A run named {job.id} is going on already.")
        check(job)
        self._runs[job.id] = None

    async def _begin(self, job: Job, *, stays: bool) -> RemoteRun:
        line = await self.open_line(job)
        run = RemoteRun(job, line, self.isolation, stays=stays)
        self._runs[job.id] = run
        try:
            if job.id in self._unwanted:
                await run.stop("killed_by_user")
            await run.begin()
        except BaseException:
            await asyncio.shield(run.bury())
            raise
        return run

    def _forget(self, job_id: str) -> None:
        self._runs.pop(job_id, None)
        self._sessions.pop(job_id, None)
        self._unwanted.discard(job_id)
