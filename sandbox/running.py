"""One run in flight, seen from the application: its streams, what its process 1 tells, and the means to end it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.artifacts import TooMuch, collect
from sandbox.base import Artifact, Job, Metric, Outcome, OutcomeKind, Output, SandboxBroken
from sandbox.cgroups import Group, Usage
from sandbox.ending import Facts, Stopped, kind_of, sentence
from sandbox.launch import Zygote
from sandbox.streams import Splitter

_MB = 2**20
_CHUNK = 65536
_MESSAGE = 65536
_QUEUED = 64
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 10
"""Beyond the time limit, in case process 1 does not do its duty."""
_SECONDS_TO_DIE = 10
_LOOK_EVERY = 0.2
_TRIES_TO_DISSOLVE, _BETWEEN_TRIES = 200, 0.005


@dataclass
class _Told:
    """What came over the status socket."""

    pidfd: int | None = None
    outputs: int | None = None
    started: bool = False
    ended: dict[str, Any] = field(default_factory=dict)
    broken: str | None = None


class Running:
    """Made by `begin`; iterate `events`, then ask for the `outcome`, and always `bury` it."""

    def __init__(self, job: Job, status: socket.socket, group: Group | None, isolation: str) -> None:
        self.job = job
        self._status = status
        self._group = group
        self._isolation = isolation
        self._loop = asyncio.get_running_loop()
        self._told = _Told()
        self._stopped: Stopped | None = None
        self._gone = asyncio.Event()
        self._queue: asyncio.Queue[Output | Metric | None] = asyncio.Queue(_QUEUED)
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.ReadTransport] = []
        self._output_bytes = 0
        self._usage = Usage()
        self._stderr = Splitter("stderr")
        self._alarm = self._loop.call_later(_SECONDS_TO_START, self.stop, "timeout")
        self._loop.add_reader(status, self._listen)

    async def follow(self, out: int, err: int) -> None:
        """Begin to read the script's streams; takes the descriptors over."""
        pumps = [await self._pump(out, Splitter("stdout")), await self._pump(err, self._stderr)]
        self._tasks = [*pumps, asyncio.create_task(self._close_queue(pumps)), asyncio.create_task(self._watch_group())]

    async def events(self) -> AsyncIterator[Output | Metric]:
        """What the script says, until every process of the run is gone."""
        while (event := await self._queue.get()) is not None:
            yield event

    def stop(self, reason: Stopped) -> None:
        """Kill every process of the run at once; the first reason counts."""
        self._stopped = self._stopped or reason
        if self._told.pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._told.pidfd, signal.SIGKILL)
        with contextlib.suppress(OSError):  # already closed; else process 1 sees the end of the stream and leaves
            self._status.shutdown(socket.SHUT_WR)

    async def outcome(self) -> Outcome:
        """The end in one value, artifacts copied out. Raises `SandboxBroken`."""
        facts = self._facts()
        kind = kind_of(facts, self.job.limits) if self._told.started or self._stopped == "killed_by_user" else None
        if kind is None:
            raise SandboxBroken(f"The sandbox failed: {self._told.broken or 'the run ended without a word'}.")
        try:
            files = await self._collect()
        except TooMuch as problem:
            return self._describe("disk_quota", facts, str(problem), ())
        return self._describe(kind, facts, None, files)

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
        self._loop.remove_reader(self._status)
        self._status.close()
        for fd in (self._told.pidfd, self._told.outputs):
            if fd is not None:
                os.close(fd)
        await self._dissolve_group()

    async def _dissolve_group(self) -> None:
        """The last process closes its socket a moment before it leaves the group; a group that stays is swept later."""
        for _ in range(_TRIES_TO_DISSOLVE):
            if self._group is None or self._group.remove():
                return
            await asyncio.sleep(_BETWEEN_TRIES)

    async def _pump(self, fd: int, splitter: Splitter) -> "asyncio.Task[None]":
        reader = asyncio.StreamReader(limit=_CHUNK)
        transport, _ = await self._loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
        )
        self._transports.append(transport)
        return asyncio.create_task(self._read(reader, splitter))

    async def _read(self, reader: asyncio.StreamReader, splitter: Splitter) -> None:
        limit = self.job.limits.output_mb * _MB
        while data := await reader.read(_CHUNK):
            allowed = data[: max(limit - self._output_bytes, 0)]
            self._output_bytes += len(data)
            for event in splitter.feed(allowed):
                await self._queue.put(event)
            if self._output_bytes > limit:
                self.stop("output_limit")
        for event in splitter.finish():
            await self._queue.put(event)

    async def _close_queue(self, pumps: "list[asyncio.Task[None]]") -> None:
        await asyncio.gather(*pumps)
        await self._gone.wait()
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
            case "started":
                self._told.started = True
                self._alarm.cancel()
                seconds = self.job.limits.seconds + _SECONDS_TO_STOP
                self._alarm = self._loop.call_later(seconds, self.stop, "timeout")
            case "ended":
                self._told.ended = news
            case "broken":
                self._told.broken = news["text"]

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

    async def _collect(self) -> tuple[Artifact, ...]:
        if self.job.outputs is None or self._told.outputs is None:
            return ()
        # A descriptor of the thread's own: it may outlive a cancelled run.
        own = os.dup(self._told.outputs)
        return await asyncio.to_thread(_collect_and_close, own, self.job)

    def _describe(self, kind: OutcomeKind, facts: Facts, message: str | None, files: tuple[Artifact, ...]) -> Outcome:
        ended, limits = self._told.ended, self.job.limits
        seconds = float(ended.get("seconds", 0.0))
        peak = self._usage.peak_mb
        return Outcome(
            kind=kind,
            message=message or sentence(kind, facts, limits, seconds),
            isolation=self._isolation,
            exit_code=facts.exit_code,
            signal=facts.signal,
            seconds=seconds,
            cpu_seconds=float(ended.get("cpu_seconds", 0.0)),
            peak_memory_mb=float(ended.get("peak_mb", 0.0)) if peak is None else peak,
            output_bytes=min(self._output_bytes, limits.output_mb * _MB),
            files=files,
        )


def _collect_and_close(outputs: int, job: Job) -> tuple[Artifact, ...]:
    assert job.outputs is not None
    try:
        return collect(outputs, job.outputs, job.limits.written_mb * _MB)
    finally:
        os.close(outputs)


def _request(job: Job, environment: dict[str, str], turn: int) -> int:
    """The job as an anonymous file: no limit on its size, nothing on a disk."""
    limits = job.limits
    text = json.dumps(
        {
            "script": job.script,
            "inputs": {name: str(path.resolve()) for name, path in job.inputs.items()},
            "environment": {**environment, **job.environment},
            "limits": {name: getattr(limits, name) for name in limits.__dataclass_fields__},
            "turn": turn,
        }
    ).encode()
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as writer:
        writer.write(text)
    return fd


def start(
    job: Job, zygote: Zygote, group: Group | None, environment: dict[str, str], turn: int
) -> tuple[socket.socket, int, int]:
    """Have the zygote fork the run: (status socket, stdout, stderr) to read from. OSError when the zygote is gone."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    given = [_request(job, environment, turn), out_end, err_end, theirs.detach()]
    try:
        given += group.join_descriptors() if group else []
        zygote.fork(given)
    except OSError:
        ours.close()
        os.close(out)
        os.close(err)
        raise
    finally:
        for fd in given:
            os.close(fd)
    return ours, out, err
