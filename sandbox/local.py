"""Runs scripts on this Linux machine, behind namespaces, Landlock, a system-call filter, rlimits and a control group.

Covered: a script cannot reach any network (no interface, no socket family but Unix), read or change a file of the host
but its inputs and the Python environment (both read-only), see or signal a process of the host, see our environment,
gain a privilege, leave a process behind, or use more time, memory, processes, disk or output than `Limits` say. It
never has the host's user id 0. What it leaves is copied out by us, following no link, after its last process is gone.

Not covered: a bug in the kernel itself (it is shared with the script: for hostile strangers use a virtual machine), the
timing and cache side channels of a shared processor, exact memory accounting where no control group can be made (then
each process has a limit and the tree is measured 20 times a second; kernel buffers of pipes and sockets are bounded by
the number of descriptors only), and what the user does with the files that a script has written.
"""

import asyncio
import math
import os
import re
from collections.abc import AsyncIterator

from sandbox import cgroups, running
from sandbox.base import Job, Metric, Outcome, Output, SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.launch import Zygote, clean_environment, start_zygote
from sandbox.probe import Isolation

_NAME = re.compile(r"[^/\0]{1,200}")


class LocalSandbox:
    """`Sandbox` on this machine; one warm zygote serves any number of runs at once."""

    def __init__(self, isolation: Isolation) -> None:
        if isolation.level == "none":
            raise SandboxUnavailable(f"No isolation for running scripts: {isolation.reason}. {isolation.advice}")
        self._isolation = isolation
        self._zygote: Zygote | None = None
        self._warming: asyncio.Task[Zygote] | None = None
        self._runs: dict[str, running.Running | None] = {}
        self._turn = 0

    @property
    def isolation(self) -> str:
        """The level in words."""
        return self._isolation.name

    async def warm(self) -> None:
        """Start the zygote unless it is there; a second call waits for the first."""
        await self._ready()

    async def run(self, job: Job) -> AsyncIterator[Output | Metric | Outcome]:
        """Stream what the script says, then its `Outcome`; leaving the iterator early kills the run."""
        _check(job)
        if job.id in self._runs:
            raise SandboxError(f"A run named {job.id} is going on already.")
        self._runs[job.id] = None
        run: running.Running | None = None
        try:
            run = await self._begin(job)
            self._runs[job.id] = run
            async for event in run.events():
                yield event
            yield await run.outcome()
        finally:
            self._runs.pop(job.id, None)
            if run is not None:
                await asyncio.shield(run.bury())

    async def stop(self, job_id: str) -> bool:
        """End a run from outside: its iterator gets an `Outcome` "killed_by_user". False when there is no such run."""
        run = self._runs.get(job_id)
        if run is not None:
            run.stop("killed_by_user")
        return run is not None

    async def close(self) -> None:
        """End every run and the zygote."""
        for job_id in list(self._runs):
            await self.stop(job_id)
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
            self._warming = None
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None

    async def _ready(self) -> Zygote:
        if self._zygote is not None and self._zygote.alive:
            return self._zygote
        if self._warming is None:
            self._warming = asyncio.create_task(self._replace_zygote())
        try:
            return await asyncio.shield(self._warming)
        finally:
            if self._warming is not None and self._warming.done():
                self._warming = None

    async def _replace_zygote(self) -> Zygote:
        if self._zygote is not None:
            self._zygote.end()
        cgroups.sweep()
        self._zygote = await start_zygote()
        return self._zygote

    async def _begin(self, job: Job) -> running.Running:
        try:
            return await self._fork(job, await self._ready())
        except OSError:  # the zygote has died since; once is bad luck
            if self._zygote is not None:
                self._zygote.end()
        try:
            return await self._fork(job, await self._ready())
        except OSError as problem:
            raise SandboxBroken(f"The sandbox could not start the run: {problem.strerror}.") from problem

    async def _fork(self, job: Job, zygote: Zygote) -> running.Running:
        self._turn += 1
        group = cgroups.new_group(str(self._turn), job.limits)
        cores = min(max(math.ceil(job.limits.cpus), 1), len(os.sched_getaffinity(0)))
        try:
            status, out, err = running.start(job, zygote, group, clean_environment(cores), self._turn)
        except OSError:
            if group is not None:
                group.remove()
            raise
        run = running.Running(job, status, group, self.isolation)
        await run.follow(out, err)
        return run


def _check(job: Job) -> None:
    """Names that we chose badly are our error, and a file that has gone is worth a sentence."""
    for name, path in job.inputs.items():
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise ValueError(f"{name!r} cannot be a name in inputs/ (use a plain file name)")
        if not path.exists():
            raise SandboxError(f"The input {name} is not there any more.")
