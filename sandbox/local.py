"""Runs scripts on this Linux machine, behind namespaces, Landlock, a system-call filter, rlimits and a control group.

Covered: a script cannot reach any network (no interface, no socket family but Unix), read or change a file of the host
but its inputs and the Python environment (both read-only), see or signal a process of the host, see our environment,
gain a privilege, leave a process behind, or use more time, memory, processes, disk or output than `Limits` say. It
never has the host's user id 0. What it leaves is copied out by us, following no link, after its last process is gone.

Not covered: a bug in the kernel itself (it is shared with the script: for hostile strangers use a virtual machine), the
timing and cache side channels of a shared processor, exact memory accounting where no control group can be made (then
each process has a limit and the tree is measured 20 times a second; kernel buffers of pipes and sockets are bounded by
the number of descriptors only: 256 in each of 64 processes can hold about 3 GB), as an ordinary user what the kernel
limits for a user and not for a run (epoll's watches, pages in pipes: runs at once share them with each other and with
the application; as root each run at the level full or reduced is a user of its own), locks on what two runs see (a
device like /dev/full), the names of the folders that the inputs come from (the kernel shows a script its own mounts),
and what the user does with the files that a script has written.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

from sandbox import running
from sandbox.base import Job, Metric, Outcome, Output, SandboxError, SandboxUnavailable, Session, check
from sandbox.mounts import neither_file_nor_folder
from sandbox.probe import Isolation
from sandbox.relief import Relief, Shift
from sandbox.session import LocalSession, open_session
from sandbox.source import open_source


class LocalSandbox:
    """`Sandbox` on this machine; one warm zygote serves any number of runs at once."""

    def __init__(self, isolation: Isolation, *, ready: int = 2, shift: Shift = Shift()) -> None:  # noqa: B008  frozen
        """`ready` boxes stand ready for the next runs; a zygote serves for a `shift`."""
        if isolation.level == "none":
            raise SandboxUnavailable(f"No isolation for running scripts: {isolation.reason}. {isolation.advice}")
        self._isolation = isolation
        self._relief = Relief(partial(open_source, isolation, ready), shift)
        self._runs: dict[str, running.Running | None] = {}
        self._sessions: dict[str, LocalSession] = {}
        self._unwanted: set[str] = set()
        """Runs that were stopped, perhaps while they were still being begun."""

    @property
    def isolation(self) -> str:
        """The level in words."""
        return self._isolation.name

    async def warm(self) -> None:
        """Start the zygote unless it is there; a second call waits for the first."""
        await self._relief.ready()

    async def stand(self) -> int:
        """Wait until the boxes stand that are being made ahead; their number."""
        return await (await self._relief.ready()).stand()

    async def idle_memory_mb(self) -> float:
        """What the warm source holds while nothing runs."""
        return (await self._relief.ready()).memory_mb()

    async def run(self, job: Job) -> AsyncGenerator[Output | Metric | Outcome]:
        """Stream what the script says, then its `Outcome`; leaving the iterator early kills the run."""
        _check(job)
        if job.id in self._runs:
            raise SandboxError(f"A run named {job.id} is going on already.")
        self._runs[job.id] = None
        run: running.Running | None = None
        try:
            run = await self._begin(job)
            async for event in run.events():
                yield event
            yield await run.outcome()
        finally:
            self._runs.pop(job.id, None)
            self._unwanted.discard(job.id)
            if run is not None:
                await asyncio.shield(self._bury(run))

    async def serve(self, job: Job) -> Session:
        """Start a script that stays; `stop` and `close` end it like a run."""
        _check(job)
        if job.id in self._runs:
            raise SandboxError(f"A run named {job.id} is going on already.")
        self._runs[job.id] = None
        try:
            run = await self._begin(replace(job, outputs=None), stays=True)
        except BaseException:
            self._runs.pop(job.id, None)
            self._unwanted.discard(job.id)
            raise
        session = await open_session(run, lambda: self._forget(job.id))
        if session.alive:
            self._sessions[job.id] = session
        return session

    async def _begin(self, job: Job, *, stays: bool = False) -> running.Running:
        """A run whose script has begun or will never begin; a box that dies with its job in hand is bad luck once."""
        run = await self._begin_once(job, stays=stays)
        if run.never_began:
            await asyncio.shield(self._bury(run))
            run = await self._begin_once(job, stays=stays)
        return run

    async def _begin_once(self, job: Job, *, stays: bool) -> running.Running:
        run = await self._relief.begin(job, stays=stays)
        self._runs[job.id] = run
        if job.id in self._unwanted:
            run.stop("killed_by_user")
        try:
            await run.begun()
        except BaseException:
            await asyncio.shield(self._bury(run))
            raise
        return run

    def _forget(self, job_id: str) -> None:
        self._sessions.pop(job_id, None)
        self._unwanted.discard(job_id)
        if run := self._runs.pop(job_id, None):
            self._relief.over(run)

    async def stop(self, job_id: str) -> bool:
        """End a run from outside: its iterator gets an `Outcome` "killed_by_user". False when there is no such run."""
        if job_id not in self._runs:
            return False
        self._unwanted.add(job_id)
        if run := self._runs[job_id]:
            run.stop("killed_by_user")
        return True

    async def close(self) -> None:
        """End every run and the zygote."""
        for job_id in list(self._runs):
            await self.stop(job_id)
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        await self._relief.close()

    async def _bury(self, run: running.Running) -> None:
        await run.bury()
        self._relief.over(run)


def _check(job: Job) -> None:
    """As everywhere; and what would lead out of the box (a socket, a pipe of the host) is no input. Raises likewise."""
    check(job)
    for name, path in job.inputs.items():
        if refusal := neither_file_nor_folder(name, path):
            raise SandboxError(refusal)
