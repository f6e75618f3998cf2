"""A run behind a line: what the application does with a keeper (sandbox/image) in a container or on a rented machine.

A backend opens the line; everything that is said over it, and how a run ends, is the same for all of them.
"""

import asyncio
import json
import struct
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, Protocol

from sandbox.artifacts import Collected
from sandbox.base import Job, Metric, Outcome, Output, SandboxBroken, SandboxError
from sandbox.cgroups import Usage
from sandbox.ending import Facts, Stopped, kind_of, sentence, told_code, told_signal
from sandbox.parcel import Parcel
from sandbox.streams import Splitter

Kind = Literal["r", "i", "k"]

_MB = 2**20
_HEAD = struct.Struct(">cI")
_PIECE = 65536
_LONGEST = 2**20
"""No frame of a keeper is longer."""
_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 15.0
"""Beyond the time limit, in case the keeper does not do its duty."""
_SECONDS_TO_OBEY = 5.0
_SECONDS_OF_SILENCE = 60.0
"""Between two pieces of the files that it leaves."""


class Line(Protocol):
    """Bytes to and from one keeper."""

    @property
    def cost_seconds(self) -> float:
        """What the machine has cost for this run so far; 0 on machines of our own."""
        ...

    async def send(self, data: bytes) -> None:
        """Bytes to the keeper; a line that is dead already takes them and does nothing."""
        ...

    async def receive(self) -> bytes:
        """The next bytes; b"" when the keeper has ended. Raises `SandboxBroken`."""
        ...

    async def autopsy(self) -> Literal["memory"] | SandboxError:
        """Why a keeper has ended without a word."""
        ...

    async def close(self, *, clean: bool) -> None:
        """End the keeper and all it started; `clean`: it has said everything. Harmless to call twice."""
        ...


class Lost(Exception):
    """The line is dead and the keeper has not told how the run ended."""


def pack(kind: Kind, content: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind.encode(), len(content)) + content


def request_of(job: Job, environment: dict[str, str], *, stays: bool) -> bytes:
    """What the keeper has to know."""
    limits = {name: getattr(job.limits, name) for name in job.limits.__dataclass_fields__}
    wishes = {
        "limits": limits,
        "stays": stays,
        "collect": job.outputs is not None and not stays,
        "environment": {**environment, **job.environment},
    }
    return pack("r", json.dumps(wishes).encode())


def plain_environment(cpus: float) -> dict[str, str]:
    """What every script finds in its environment, besides PATH and what the job adds."""
    return {
        **dict.fromkeys(("HOME", "TMPDIR"), "/tmp"),  # private to the run
        **dict.fromkeys(("USER", "LOGNAME"), "user"),
        **dict.fromkeys(("LANG", "LC_ALL"), "C.UTF-8"),
        "MPLCONFIGDIR": "/tmp/matplotlib",  # private to the run
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
            str(max(round(cpus), 1)),
        ),
    }


class RemoteRun:
    """One run in flight: `begin`, iterate `events`, ask for the `outcome`; always `bury` it."""

    def __init__(self, job: Job, line: Line, isolation: str, *, stays: bool) -> None:
        self.job = job
        self.stays = stays
        self._line = line
        self.isolation = isolation
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._stdout, self._stderr = Splitter("stdout"), Splitter("stderr")
        self._output_bytes = 0
        self._stopped: Stopped | None = None
        self._ended: dict[str, Any] = {}
        self._asked = False
        self._finished = False
        self._deadline: float | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether the keeper has told the end."""
        return bool(self._ended)

    async def begin(self) -> None:
        """Hand the job over and wait until the script runs. Raises `SandboxBroken`, `SandboxUnavailable`."""
        await self._line.send(request_of(self.job, plain_environment(self.job.limits.cpus), stays=self.stays))
        self._asked = True
        if self._stopped:
            await self.stop(self._stopped)
        self._deadline = self._loop.time() + _SECONDS_TO_START
        try:
            kind, content = await self.frame()
        except Lost:
            if self._stopped:
                return
            found = await self._line.autopsy()
            raise found if found != "memory" else SandboxBroken("The sandbox failed to start.") from None
        except TimeoutError:
            raise SandboxBroken("The sandbox failed: the script did not begin in time.") from None
        self._check(kind, content, "s")
        seconds = self.job.limits.seconds + _SECONDS_TO_STOP
        self._deadline = None if self.stays else self._loop.time() + seconds

    async def events(self) -> AsyncIterator[Output | Metric]:
        """What the script says, until its end is told or the line is dead."""
        most = (self.job.limits.output_mb + 1) * _MB
        try:
            while (frame := await self.frame())[0] in ("o", "e"):
                splitter = self._stdout if frame[0] == "o" else self._stderr
                self._output_bytes += len(frame[1])
                for event in splitter.feed(frame[1]):
                    yield event
                if self._output_bytes > most:  # the keeper should have stopped it
                    self._stopped = self._stopped or "output_limit"
                    return
            self.hear_end(*frame)
        except TimeoutError:
            self._stopped = self._stopped or "timeout"
        except Lost:
            pass
        for splitter in (self._stdout, self._stderr):
            for event in splitter.finish():
                yield event

    def hear_end(self, kind: str, content: bytes) -> None:
        """The keeper's own account of the end."""
        self._check(kind, content, "x")
        self._ended = json.loads(content)
        self._deadline = None

    def log(self, content: bytes) -> None:
        """What a script that stays writes to stderr is kept for its last sentence only."""
        for _ in self._stderr.feed(content):
            pass

    async def stop(self, reason: Stopped) -> None:
        """Ask the keeper to end it; take the line away when it does not. The first reason counts."""
        self._stopped = self._stopped or reason
        if self._stopping is None and self._asked:
            self._stopping = asyncio.create_task(self._insist())
        await asyncio.sleep(0)

    async def _insist(self) -> None:
        try:
            async with asyncio.timeout(_SECONDS_TO_OBEY):
                await self._line.send(pack("k"))
        except TimeoutError:
            await self._line.close(clean=False)
            return
        await asyncio.sleep(_SECONDS_TO_OBEY)
        if not self._ended:
            await self._line.close(clean=False)

    async def outcome(self) -> Outcome:
        """The end in one value, files brought here. Raises `SandboxBroken`."""
        found = None if self._ended or self._stopped else await self._line.autopsy()
        if isinstance(found, SandboxError):
            raise found
        facts = self._facts(killed_for_memory=found == "memory")
        kind = kind_of(facts, self.job.limits)
        if kind is None:
            raise SandboxBroken("The sandbox failed: the run ended without a word.")
        with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
            parcel = Parcel(Path(folder) / "outputs", self.job.limits.written_mb * _MB)
            await self._fetch(parcel)
            if parcel.too_much:
                return self._describe("disk_quota", facts, parcel.too_much, Collected())
            if self.job.outputs is None or self.stays:
                return self._describe(kind, facts, None, Collected())
            collected = await asyncio.to_thread(parcel.deliver, self.job.outputs)
            if parcel.too_much:
                return self._describe("disk_quota", facts, parcel.too_much, Collected())
        return self._describe(kind, facts, None, collected)

    async def bury(self) -> None:
        """Leave nothing behind."""
        if self._stopping is not None:
            self._stopping.cancel()
            await asyncio.gather(self._stopping, return_exceptions=True)
        await self._line.close(clean=self._finished)

    async def frame(self) -> tuple[str, bytes]:
        """The next frame. Raises `Lost`, TimeoutError after the deadline, `SandboxBroken`."""
        head = await self._exactly(_HEAD.size)
        kind, length = _HEAD.unpack(head)
        if length > _LONGEST:
            raise SandboxBroken("The sandbox failed: it said something that makes no sense.")
        return kind.decode(errors="replace"), await self._exactly(length)

    async def send(self, content: bytes) -> None:
        """Input for a script that stays."""
        for start in range(0, len(content), _PIECE):
            await self._line.send(pack("i", content[start : start + _PIECE]))

    async def _exactly(self, length: int) -> bytes:
        while len(self._received) < length:
            async with asyncio.timeout_at(self._deadline):
                data = await self._line.receive()
            if not data:
                raise Lost
            self._received += data
        wanted = bytes(self._received[:length])
        del self._received[:length]
        return wanted

    async def _fetch(self, parcel: Parcel) -> None:
        """The files that follow the end; a line that dies now has still told the outcome."""
        if not self._ended:
            return
        try:
            while not self._finished:
                self._deadline = self._loop.time() + _SECONDS_OF_SILENCE
                kind, content = await self.frame()
                if kind == "z":
                    self._finished = True
                    parcel.leave_behind(json.loads(content))
                elif kind == "f":
                    parcel.begin(json.loads(content))
                elif kind == "d":
                    parcel.add(content)
                else:
                    self._check(kind, content, "z")
                if parcel.too_much:
                    return
        except (Lost, TimeoutError):
            if self._stopped is None:
                raise SandboxBroken("The sandbox failed: the results did not arrive.") from None
        finally:
            parcel.end()

    def _check(self, kind: str, content: bytes, expected: str) -> None:
        if kind == "b":
            raise SandboxBroken(f"The sandbox failed: {content.decode(errors='replace')[:300]}.")
        if kind != expected:
            raise SandboxBroken("The sandbox failed: it said something that makes no sense.")

    def _facts(self, *, killed_for_memory: bool) -> Facts:
        ended = self._ended
        why, code = ended.get("why"), ended.get("code")
        stopped = self._stopped or ("output_limit" if why == "output_limit" else None)
        return Facts(
            stopped=stopped,
            why=why if why not in ("killed", "left", "output_limit") else None,
            exit_code=_exited(code),
            signal=_signalled(code),
            most_tasks=ended.get("tasks", 0),
            usage=Usage(ended.get("oom_kills", 0) + killed_for_memory, ended.get("refused_tasks", 0)),
            stderr_tail=self._stderr.tail,
        )

    def _describe(self, kind: Any, facts: Facts, message: str | None, collected: Collected) -> Outcome:
        ended, limits = self._ended, self.job.limits
        seconds = float(ended.get("seconds", 0.0))
        return Outcome(
            kind=kind,
            message=message or sentence(kind, facts, limits, seconds),
            isolation=self.isolation,
            exit_code=told_code(kind, facts),
            signal=told_signal(kind, facts),
            seconds=seconds,
            cpu_seconds=float(ended.get("cpu_seconds", 0.0)),
            peak_memory_mb=float(ended.get("peak_mb", 0.0)),
            output_bytes=min(self._output_bytes, limits.output_mb * _MB),
            cost_seconds=self._line.cost_seconds,
            files=collected.files,
            left_behind=collected.left_behind,
        )


def _exited(code: int | None) -> int | None:
    """The exit code in a Linux wait status."""
    return None if code is None or code & 0x7F else code >> 8 & 0xFF


def _signalled(code: int | None) -> int | None:
    return code & 0x7F or None if code is not None else None
