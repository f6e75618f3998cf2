"""One run in flight, seen from the application: its streams, what its process 1 tells, and the means to end it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sandbox import staging
from sandbox.artifacts import Collected, TooMuch, collect
from sandbox.base import Job, Metric, Outcome, OutcomeKind, Output, SandboxBroken
from sandbox.cgroups import Group, Usage
from sandbox.ending import Facts, Stopped, kind_of, sentence, told_code, told_signal
from sandbox.streams import Splitter

_MB = 2**20
_CHUNK = 65536
_MESSAGE = 65536
_QUEUED = 64
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 10
"""Beyond the time limit, in case process 1 does not do its duty."""
_SECONDS_TO_DIE = 10
_SECONDS_TO_HANG_UP = 2
"""For the streams to end once the run is over; whoever holds one then is nobody whom we listen to."""
_SECONDS_TO_LEAVE = 0.1
"""For process 1 to tell how much was used and end the run, before it is killed."""
_LOOK_EVERY = 0.2
_TRIES_TO_DISSOLVE, _BETWEEN_TRIES = 200, 0.005


@dataclass(frozen=True)
class Ends:
    """Our ends of what a run was started with: descriptors and the socket over which its process 1 tells."""

    status: socket.socket
    stdin: int | None
    """To write requests to; None unless the script stays."""
    stdout: int
    stderr: int


@dataclass
class _Told:
    """What came over the status socket."""

    pidfd: int | None = None
    outputs: int | None = None
    started: bool = False
    ended: dict[str, Any] = field(default_factory=dict)
    broken: str | None = None


class Running:
    """Made by a `Source`; iterate `events`, then ask for the `outcome`, and always `bury` it.

    A run that stays says nothing by `events`: its stdin and stdout belong to the session that asks it.
    """

    def __init__(self, job: Job, ends: Ends, group: Group | None, isolation: str) -> None:
        self.job = job
        self._ends = ends
        self._status = status = ends.status
        self._group = group
        self._isolation = isolation
        self._loop = asyncio.get_running_loop()
        self._told = _Told()
        self.tidy: Callable[[], None] | None = None
        """Takes away what the run had on the host's disk; None where it had a file system of its own."""
        self._settled = asyncio.Event()
        self._stopped: Stopped | None = None
        self._gone = asyncio.Event()
        self._queue: asyncio.Queue[Output | Metric | None] = asyncio.Queue(_QUEUED)
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.ReadTransport] = []
        self._unread = {ends.stdout, ends.stderr}
        """Descriptors that no transport has taken over."""
        self._hungry: set[asyncio.StreamReader] = set()
        """Streams that are waited for at this moment: all that has come has been read."""
        self._output_bytes = 0
        self._usage = Usage()
        self._stderr = Splitter("stderr")
        self._alarm = self._loop.call_later(_SECONDS_TO_START, self.stop, "timeout")
        self._loop.add_reader(status, self._listen)

    async def follow(self) -> None:
        """Begin to read the script's streams; whoever is cancelled here leaves nothing behind."""
        try:
            await self._follow()
        except BaseException:  # nobody else knows of this run yet
            await asyncio.shield(self.bury())
            raise

    async def _follow(self) -> None:
        ends = self._ends
        await self._pump(ends.stderr, self._stderr)
        if not self._stays:
            await self._pump(ends.stdout, Splitter("stdout"))
        pumps = list(self._tasks)
        self._tasks += [asyncio.create_task(self._close_queue(pumps)), asyncio.create_task(self._watch_group())]

    @property
    def asking(self) -> tuple[int, int]:
        """Of a run that stays: where requests are written and answers are read; closed by `bury`."""
        assert self._ends.stdin is not None, "this run does not stay"
        return self._ends.stdin, self._ends.stdout

    @property
    def isolation(self) -> str:
        """The level in words."""
        return self._isolation

    @property
    def over(self) -> bool:
        """Whether its last process is gone, or it is being ended."""
        return self._gone.is_set() or self._stopped is not None

    async def begun(self) -> None:
        """Until the first line of user code is about to run, or never will."""
        await self._settled.wait()

    @property
    def never_began(self) -> bool:
        """Whether it is over, by no wish of ours, before a line of the script has run or said anything."""
        over = self._gone.is_set() and self._stopped is None
        return over and not self._told.started and self._output_bytes == 0

    def forget_output(self) -> None:
        """Of a run that stays the limit of output counts for each answer."""
        self._output_bytes = 0

    async def events(self) -> AsyncIterator[Output | Metric]:
        """What the script says, until every process of the run is gone."""
        while (event := await self._queue.get()) is not None:
            yield event

    def stop(self, reason: Stopped) -> None:
        """Have process 1 tell the figures and end every process of the run at once; the first reason counts."""
        if self._stopped is None:
            self._loop.call_later(_SECONDS_TO_LEAVE, self._kill)
        self._stopped = self._stopped or reason
        if not self._told.started:
            self._kill()
        with contextlib.suppress(OSError):  # already closed; else process 1 sees the end of the stream and leaves
            self._status.shutdown(socket.SHUT_WR)

    def _kill(self) -> None:
        if self._told.pidfd is not None and not self._gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._told.pidfd, signal.SIGKILL)

    async def outcome(self) -> Outcome:
        """The end in one value, artifacts copied out. Raises `SandboxBroken`."""
        facts = self._facts()
        kind = kind_of(facts, self.job.limits) if self._told.started or self._stopped == "killed_by_user" else None
        if kind is None:
            raise SandboxBroken(f"The sandbox failed: {self._told.broken or 'the run ended without a word'}.")
        try:
            collected = await self._collect()
        except TooMuch as problem:
            return self._describe("disk_quota", facts, str(problem), Collected())
        return self._describe(kind, facts, None, collected)

    async def bury(self) -> None:
        """Leave nothing: no process, no descriptor, no control group."""
        self.stop("killed_by_user")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), _SECONDS_TO_DIE)
        self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            transport.close()
        asked = {self._ends.stdin} if self._ends.stdin is not None else set()
        for end in self._unread | asked:
            os.close(end)
        self._loop.remove_reader(self._status)
        self._status.close()
        for fd in (self._told.pidfd, self._told.outputs):
            if fd is not None:
                os.close(fd)
        if self.tidy is not None:
            with contextlib.suppress(OSError):  # then the next start sweeps it
                await asyncio.to_thread(self.tidy)
        await self._dissolve_group()

    @property
    def _stays(self) -> bool:
        return self._ends.stdin is not None

    async def _dissolve_group(self) -> None:
        """The last process closes its socket a moment before it leaves the group; a group that stays is swept later."""
        for _ in range(_TRIES_TO_DISSOLVE):
            if self._group is None or self._group.remove():
                return
            if self._gone.is_set():
                self._group.kill()
            await asyncio.sleep(_BETWEEN_TRIES)

    async def _pump(self, fd: int, splitter: Splitter) -> None:
        reader = asyncio.StreamReader(limit=_CHUNK)
        self._unread.discard(fd)
        transport, _ = await self._loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
        )
        self._transports.append(transport)
        self._tasks.append(asyncio.create_task(self._read(reader, splitter)))

    async def _read(self, reader: asyncio.StreamReader, splitter: Splitter) -> None:
        limit = self.job.limits.output_mb * _MB
        while data := await self._more(reader):
            allowed = data[: max(limit - self._output_bytes, 0)]
            self._output_bytes += len(data)
            await self._hand_on(splitter.feed(allowed))
            if self._output_bytes > limit:
                self.stop("output_limit")
        await self._hand_on(splitter.finish())

    async def _more(self, reader: asyncio.StreamReader) -> bytes:
        self._hungry.add(reader)
        try:
            return await reader.read(_CHUNK)
        finally:
            self._hungry.discard(reader)

    async def _hand_on(self, events: Iterator[Output | Metric]) -> None:
        for event in events:
            if not self._stays:
                await self._queue.put(event)

    async def _close_queue(self, pumps: "list[asyncio.Task[None]]") -> None:
        await self._gone.wait()
        late: set[asyncio.Task[None]] = set(pumps)
        while late:
            _, late = await asyncio.wait(late, timeout=_SECONDS_TO_HANG_UP)
            for reader in self._hungry if late else ():
                reader.feed_eof()
        await self._queue.put(None)

    async def _watch_group(self) -> None:
        """A tree in which the kernel had to kill for memory is not worth going on with."""
        while self._group is not None and not self._gone.is_set():
            usage = await asyncio.to_thread(self._group.usage)
            if usage.oom_kills:
                self.stop("memory")
            await asyncio.sleep(_LOOK_EVERY)

    def _listen(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._status, _MESSAGE, 4)
        except OSError:
            message, descriptors = b"", []
        for fd in descriptors:
            os.set_inheritable(fd, False)
        if not message:
            self._loop.remove_reader(self._status)
            self._usage = self._group.usage() if self._group else Usage()
            self._settled.set()
            self._gone.set()
            return
        self._hear(json.loads(message), descriptors)

    def _hear(self, news: dict[str, Any], descriptors: list[int]) -> None:
        match news.pop("event"):
            case "box":
                self._told.pidfd = descriptors[0]
                if self._stopped:
                    self.stop(self._stopped)
            case "outputs":
                self._told.outputs = descriptors[0]
                if folder := news.get("folder"):
                    self.tidy = partial(staging.remove, Path(folder))
            case "started":
                self._told.started = True
                self._settled.set()
                self._alarm.cancel()
                if not self._stays:
                    seconds = self.job.limits.seconds + _SECONDS_TO_STOP
                    self._alarm = self._loop.call_later(seconds, self.stop, "timeout")
            case "ended":
                self._told.ended = news
            case "broken":
                self._told.broken = news["text"]
            case "died":
                self._told.broken = self._told.broken or f"its process 1 was ended by signal {news['signal']}"

    def _facts(self) -> Facts:
        ended = self._told.ended
        code = ended.get("code")
        return Facts(
            stopped=self._stopped,
            why=ended.get("why"),
            exit_code=os.WEXITSTATUS(code) if code is not None and os.WIFEXITED(code) else None,
            signal=os.WTERMSIG(code) if code is not None and os.WIFSIGNALED(code) else None,
            most_tasks=ended.get("tasks", 0),
            usage=self._usage,
            stderr_tail=self._stderr.tail,
        )

    async def _collect(self) -> Collected:
        if self.job.outputs is None or self._told.outputs is None:
            return Collected()
        # A descriptor of the thread's own: it may outlive a cancelled run.
        own = os.dup(self._told.outputs)
        return await asyncio.shield(asyncio.to_thread(_collect_and_close, own, self.job))  # it closes what it holds

    def _describe(self, kind: OutcomeKind, facts: Facts, message: str | None, collected: Collected) -> Outcome:
        ended, limits = self._told.ended, self.job.limits
        seconds = float(ended.get("seconds", 0.0))
        peak = self._usage.peak_mb
        return Outcome(
            kind=kind,
            message=message or sentence(kind, facts, limits, seconds),
            isolation=self._isolation,
            exit_code=told_code(kind, facts),
            signal=told_signal(kind, facts),
            seconds=seconds,
            cpu_seconds=float(ended.get("cpu_seconds", 0.0)),
            peak_memory_mb=float(ended.get("peak_mb", 0.0)) if peak is None else peak,
            output_bytes=min(self._output_bytes, limits.output_mb * _MB),
            files=collected.files,
            left_behind=collected.left_behind,
        )


def _collect_and_close(outputs: int, job: Job) -> Collected:
    assert job.outputs is not None
    try:
        return collect(outputs, job.outputs, job.limits.written_mb * _MB)
    finally:
        os.close(outputs)
