"""Boxes of bubblewrap that stand ready, each used once and replaced.

A process in such a box cannot make another box, so nothing can be forked into a fresh one: instead a box or two stand
ready with the scientific packages imported (sandbox/boxed.py). What a job needs comes through a private folder of the
host that the box shows read-only as /workspace. The writable places are file systems sized for the default limits; a
job that asks for more gets a box of its own made, one that asks for less is watched.
"""

import asyncio
import contextlib
import json
import math
import os
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field

from sandbox import bubblewrap, staging, tree
from sandbox.base import Job, Limits, SandboxBroken
from sandbox.boxes import close_ends, open_ends
from sandbox.cgroups import new_group
from sandbox.launch import clean_environment, write_request
from sandbox.probe import Isolation
from sandbox.running import Running
from sandbox.watch import resident

_WARM_UP_SECONDS = 120
_MESSAGE = 65536


@dataclass(frozen=True)
class _Box:
    """One that stands ready, or has its job."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    folder: staging.Folder
    sizes: bubblewrap.Sizes

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def memory_mb(self) -> float:
        """Of its process 1."""
        return sum(resident(str(pid))[0] for pid in tree.children(self.process.pid)) / 1024

    def discard(self) -> None:
        """End it and everything in it, and take its folder away; called once."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        os.close(self.folder.outputs)
        with contextlib.suppress(OSError):  # then the next start sweeps it
            staging.remove(self.folder.path)


@dataclass
class StandingBoxes:
    """A `Source` of single-use boxes, some of which are always ready or coming."""

    isolation: str
    wanted: int
    _coming: "list[asyncio.Task[_Box]]" = field(default_factory=list)
    _busy: list[_Box] = field(default_factory=list)
    _ended: bool = False

    @property
    def alive(self) -> bool:
        """Whether it has not been ended."""
        return not self._ended

    async def begin(self, job: Job, turn: int, *, stays: bool = False) -> Running:
        """Give the job to a box that is ready, or have one made. Raises `SandboxBroken`."""
        try:
            run = await self._begin(job, turn, stays=stays)
        except ConnectionError:  # that box has just died: once is bad luck
            try:
                run = await self._begin(job, turn, stays=stays)
            except ConnectionError as problem:
                raise SandboxBroken("The sandbox ended before it could take the job.") from problem
        await run.follow()
        return run

    async def _begin(self, job: Job, turn: int, *, stays: bool) -> Running:
        box = await self._take(bubblewrap.Sizes.of(job.limits))
        self._busy = [other for other in self._busy if other.alive]
        self._busy.append(box)
        try:
            return await self._hand_over(box, job, turn, stays=stays)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(box.discard))
            raise
        finally:
            self.refill()

    def refill(self) -> None:
        """Have as many made as are missing."""
        self._coming = [task for task in self._coming if not task.cancelled()]
        while len(self._coming) < self.wanted and not self._ended:
            task = asyncio.create_task(_make(bubblewrap.Sizes.of(Limits())))
            task.add_done_callback(_look_at_failure)
            self._coming.append(task)

    async def stand(self) -> int:
        """Wait until those that are coming are ready; their number. Raises `SandboxBroken` when one fails."""
        await asyncio.gather(*(asyncio.shield(task) for task in self._coming))
        return len(self._coming)

    async def first(self) -> None:
        """Wait until one is ready. Raises like `stand`."""
        if self._coming:
            await asyncio.shield(self._coming[0])

    def memory_mb(self) -> float:
        """What the boxes hold that stand ready: memory of their own that is no file's."""
        ready = [task for task in self._coming if task.done() and not task.cancelled() and not task.exception()]
        return sum(task.result().memory_mb() for task in ready)

    def rest(self) -> None:
        """Keep nothing ready any more; runs go on."""
        for task in self._coming:
            if not task.cancel() and not task.cancelled() and task.exception() is None:
                task.result().discard()
        self._coming.clear()

    def end(self) -> None:
        """Kill every box."""
        self._ended = True
        self.rest()
        for box in self._busy:
            if box.alive:
                box.process.kill()

    async def _take(self, needed: bubblewrap.Sizes) -> _Box:
        """The first that is ready and large enough, else one that is coming, else a new one."""
        usual = bubblewrap.Sizes.of(Limits())
        while self._coming and usual.hold(needed):
            self._coming.sort(key=lambda task: not task.done())
            task = self._coming.pop(0)
            if task.cancelled():  # with the event loop that it belonged to
                continue
            try:
                box = await asyncio.shield(task)
            except SandboxBroken:  # it failed while nobody wanted it
                continue
            except asyncio.CancelledError:
                self._coming.append(task)
                if self._ended:
                    self.rest()
                raise
            if box.alive:
                return box
            box.discard()
        return await _make(usual if usual.hold(needed) else needed)

    async def _hand_over(self, box: _Box, job: Job, turn: int, *, stays: bool) -> Running:
        inputs = {name: str(path) for name, path in job.inputs.items()}
        try:
            await asyncio.to_thread(staging.fill, box.folder, job.script, inputs, bubblewrap.owner())
        except OSError as problem:
            raise SandboxBroken(f"The inputs could not be put into the sandbox: {problem.strerror}.") from problem
        group = new_group(f"b{turn}", job.limits)
        cores = min(max(math.ceil(job.limits.cpus), 1), len(os.sched_getaffinity(0)))
        ends, inner = open_ends(stays=stays)
        given = [write_request(job, clean_environment(cores), turn, stays=stays), *inner]
        try:
            given += group.join_descriptors() if group else []
            socket.send_fds(box.control, [b"run"], given, socket.MSG_DONTWAIT)
        except OSError:
            close_ends(ends)
            if group is not None:
                group.remove()
            raise
        finally:
            for fd in given:
                os.close(fd)
        run = Running(job, ends, group, self.isolation)
        run.tidy = box.discard
        return run


def _look_at_failure(task: "asyncio.Task[_Box]") -> None:
    """Whoever takes the box hears of it; a box that nobody takes may fail in silence."""
    if not task.cancelled():
        task.exception()


async def _make(sizes: bubblewrap.Sizes) -> _Box:
    """A warm box. Raises `SandboxBroken` with what it said when it does not come up."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs, tempfile.TemporaryFile() as complaints:
        try:
            folder = staging.make(staging.place_beside(()), bubblewrap.owner())
            inside = bubblewrap.inner_python(f"main({theirs.fileno()})")
            try:
                process = bubblewrap.start(folder, sizes, inside, given=(theirs.fileno(),), stderr=complaints)
            except OSError:
                os.close(folder.outputs)
                staging.remove(folder.path)
                raise
        except OSError as problem:
            ours.close()
            raise SandboxBroken(f"The sandbox did not start: {problem.strerror or problem}.") from problem
        theirs.close()
        box = _Box(process, ours, folder, sizes)
        try:
            loop = asyncio.get_running_loop()
            said = await asyncio.wait_for(loop.sock_recv(ours, _MESSAGE), _WARM_UP_SECONDS)
        except (OSError, TimeoutError):
            said = b""
        except asyncio.CancelledError:
            box.discard()
            raise
        if not said or json.loads(said).get("event") != "ready":
            box.discard()
            complaints.seek(0)
            why = complaints.read().decode(errors="replace").strip().rpartition("\n")[2][-300:]
            raise SandboxBroken(f"The sandbox did not start: {why or 'no word within two minutes'}.")
    return box


async def open_boxes(isolation: Isolation, ready: int) -> StandingBoxes:
    """Boxes, the first of which stands. Raises `SandboxBroken` with what it said when it does not come up."""
    boxes = StandingBoxes(isolation.name, ready)
    boxes.refill()
    try:
        await boxes.first()
    except BaseException:
        boxes.end()
        raise
    return boxes
