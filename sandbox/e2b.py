"""Runs scripts on machines rented from E2B: small virtual machines with kernels of their own. Data leaves us.

A script runs as a process that our keeper starts (sandbox/image), not as a cell of E2B's code interpreter: a process
has an exit code, `os._exit` and signals look like what they are, it can be killed at once, and nothing of one run is
there in the next. The SDK's interpreter fires its time-out at twice its value, caps no output and restarts a context
where a process just ends; none of this applies here. The deadline and the cap on output are ours, kept on both sides.

Covered: the virtual machine is the wall. It is asked for without internet access, and each script runs in it in new
namespaces (network, processes, mounts) as user 60001, without capabilities, under our system-call filter, with
private memory-backed /tmp and outputs/. The limits of time, memory, processes, written files and output are kept by the
keeper inside and, for time and output, again by us. Inputs are copied there and deleted after the run; of outputs/
only the contents of regular files come back. One machine never runs two scripts at once; after a run that ended by
itself it is used again, otherwise it is thrown away. E2B itself ends a machine that we have forgotten.

Not covered: what E2B can see (everything that is sent there), `Limits.cpus` (the template decides how many processors
there are; numeric libraries are told the limit), memory that the template does not have, E2B's own longest life of a
machine, and other files of the template, which scripts can read.
"""

import asyncio
import base64
import contextlib
import math
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from e2b import AsyncCommandHandle, CommandExitException
from e2b import AsyncSandbox as Vm
from e2b.sandbox.filesystem.filesystem import AsyncWriteEntry
from e2b_code_interpreter import AsyncSandbox  # type: ignore[import-untyped]  # it ships none
from pydantic import SecretStr

from sandbox.base import Job, SandboxBroken, SandboxError
from sandbox.container import KEEPER
from sandbox.e2b_words import broken, unavailable
from sandbox.image.bundle import bundle
from sandbox.remote import Line
from sandbox.remote_sandbox import RemoteSandbox

_HOME = "/home/user"
_SECONDS_AROUND = 180
"""A machine lives this much longer than the script may run: for copies to and fro."""
_SESSION_SECONDS = 1800
_MARGIN = 10
_SECONDS_TO_END = 5.0
_QUEUED = 64
_LONGEST_LINE = 2**18
_STDERR_KEPT = 4000
_KILLED = 137
_REQUEST_SECONDS = 60.0


@dataclass(frozen=True)
class Account:
    """Whom E2B sends the bill to, and where it is."""

    key: SecretStr
    domain: str | None = None
    """Of an E2B of one's own."""
    api_url: str | None = None
    sandbox_url: str | None = None

    def options(self) -> dict[str, Any]:
        """For every call of the SDK."""
        told = {"domain": self.domain, "api_url": self.api_url, "sandbox_url": self.sandbox_url}
        given = {name: value for name, value in told.items() if value}
        return {"api_key": self.key.get_secret_value(), "debug": False, "request_timeout": _REQUEST_SECONDS, **given}


@dataclass
class _Machine:
    vm: Vm
    ends_at: float
    """When E2B takes it away (time.monotonic)."""
    billed_until: float
    """What came before has been told in the outcome of an earlier run."""


class E2BSandbox(RemoteSandbox):
    """`Sandbox` on rented machines; each is kept for `idle_seconds` after a run, so that the next one starts fast."""

    def __init__(self, account: Account, *, template: str = "code-interpreter-v1", idle_seconds: int = 120) -> None:
        super().__init__()
        self._account = account
        self._template = template
        self._idle_seconds = idle_seconds
        self._idle: list[_Machine] = []
        self._machines: dict[str, _Machine] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def isolation(self) -> str:
        """The level in words."""
        return "E2B cloud sandbox (data leaves this machine)"

    async def warm(self) -> None:
        """Rent a machine unless one is waiting. Raises `SandboxUnavailable`."""
        if not self._machines:
            self._idle.append(await self._rent(self._idle_seconds))

    async def open_line(self, job: Job) -> Line:
        """A keeper on a machine that is this run's alone."""
        life = max(math.ceil(job.limits.seconds) + _SECONDS_AROUND, self._idle_seconds)
        machine = await self._take_idle(life) or await self._rent(life)
        line = _MachineLine(self, machine, life)
        try:
            await line.begin(job)
        except BaseException as problem:
            await asyncio.shield(line.close(clean=False))
            if not isinstance(problem, Exception):
                raise
            failure = broken(problem)
        else:
            return line
        raise failure  # not in the handler: its context would hold what the SDK said, perhaps with the key

    async def close(self) -> None:
        """End every run and give every machine back."""
        await super().close()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_REQUEST_SECONDS)
        self._idle.clear()
        await asyncio.gather(*(self.discard(machine) for machine in list(self._machines.values())))

    async def give_back(self, machine: _Machine) -> None:
        """A run has ended properly: keep its machine a while."""
        try:
            await machine.vm.set_timeout(self._idle_seconds)
        except Exception:  # whatever the SDK raises: a machine that cannot be talked to is of no use
            await self.discard(machine)
            return
        machine.ends_at = time.monotonic() + self._idle_seconds
        self._idle.append(machine)

    async def discard(self, machine: _Machine) -> None:
        """Kill the machine; E2B does it itself a little later if it cannot be told."""
        self._machines.pop(machine.vm.sandbox_id, None)
        with contextlib.suppress(Exception):  # whatever the SDK raises: there is nothing more to be done
            await machine.vm.kill()

    async def _take_idle(self, life: int) -> _Machine | None:
        while self._idle:
            machine = self._idle.pop()
            if machine.ends_at - time.monotonic() < _MARGIN:
                self._machines.pop(machine.vm.sandbox_id, None)
                continue
            try:
                await machine.vm.set_timeout(life)
            except Exception:  # whatever the SDK raises: it is gone, or may as well be
                await self.discard(machine)
                continue
            machine.ends_at = time.monotonic() + life
            return machine
        return None

    async def _rent(self, life: int) -> _Machine:
        """A new machine; one that arrives after nobody waits any more is given back."""
        began = time.monotonic()
        renting = self._remember(self._create(life))
        try:
            vm = await asyncio.shield(renting)
        except asyncio.CancelledError:
            renting.add_done_callback(self._send_away)
            raise
        except Exception as problem:  # the SDK raises its own, httpx's, and plain ones for answers it cannot read
            failure = unavailable(problem, self._template)
        else:
            self._machines[vm.sandbox_id] = machine = _Machine(vm, began + life, began)
            return machine
        raise failure  # not in the handler, as above

    def _create(self, life: int) -> Coroutine[Any, Any, Vm]:
        creating: Coroutine[Any, Any, Vm] = AsyncSandbox.create(
            template=self._template,
            timeout=life,
            metadata={"application": "modelwright"},
            allow_internet_access=False,
            lifecycle={"on_timeout": "kill"},
            idempotency_key=uuid.uuid4().hex,
            **self._account.options(),
        )
        return creating

    def _remember(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _send_away(self, renting: asyncio.Task[Vm]) -> None:
        if not renting.cancelled() and renting.exception() is None:
            now = time.monotonic()
            self._remember(self.discard(_Machine(renting.result(), now, now)))


class _MachineLine:
    """`Line` over stdin and stdout of a command on a rented machine; what it says arrives as lines of base64."""

    def __init__(self, sandbox: E2BSandbox, machine: _Machine, life: int) -> None:
        self._sandbox, self._machine, self._life = sandbox, machine, life
        self._vm = machine.vm
        self._folder = f"{_HOME}/modelwright-{uuid.uuid4().hex[:12]}"
        self._queue: asyncio.Queue[str] = asyncio.Queue(_QUEUED)
        self._half = ""
        self._said = ""
        self._command: AsyncCommandHandle[None] | None = None
        self._waiting: asyncio.Task[BaseException | None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._cost: float | None = None

    @property
    def cost_seconds(self) -> float:
        """Since the machine was rented or its last run was billed."""
        return time.monotonic() - self._machine.billed_until if self._cost is None else self._cost

    async def begin(self, job: Job) -> None:
        """Copy everything there and start the keeper. Raises whatever the SDK raises."""
        await self._upload(job)
        command = f"cd {self._folder} && mkdir -p inputs outputs && exec python3 -I {KEEPER} . --text --own-namespaces"
        self._command = await self._vm.commands.run(
            command,
            background=True,
            user="root",
            stdin=True,
            timeout=0,
            on_stdout=self._queue.put,
            on_stderr=self._hear,
            retain_output=False,
        )
        self._waiting = asyncio.create_task(self._wait(self._command))

    async def send(self, data: bytes) -> None:
        """Bytes to the keeper; prolongs the machine's life when half of it is over."""
        if self._command is None or self._waiting is None or self._waiting.done():
            return
        try:
            if self._machine.ends_at - time.monotonic() < self._life / 2:
                await self._vm.set_timeout(max(self._life, _SESSION_SECONDS))
                self._machine.ends_at = time.monotonic() + max(self._life, _SESSION_SECONDS)
            await self._command.send_stdin(data)
            return
        except Exception as problem:  # the SDK raises its own, httpx's, and plain ones for answers it cannot read
            await asyncio.wait({self._waiting}, timeout=_SECONDS_TO_END)  # it may have ended: the autopsy knows more
            failure = broken(problem)
        if not self._waiting.done():
            raise failure  # not in the handler, as above

    async def receive(self) -> bytes:
        """What the keeper says next."""
        assert self._waiting is not None
        while True:
            piece = await self._next()
            if piece is None:
                return b""
            lines, _, self._half = (self._half + piece).rpartition("\n")
            try:
                if len(self._half) > _LONGEST_LINE:
                    raise ValueError("no keeper writes a line like that")
                if lines:
                    return b"".join(base64.b64decode(line, validate=True) for line in lines.split("\n"))
            except ValueError:
                raise SandboxBroken("The sandbox failed: it said something that makes no sense.") from None

    async def autopsy(self) -> Literal["memory"] | SandboxError:
        """From the way in which the command has ended."""
        assert self._waiting is not None
        problem = await self._waiting
        if isinstance(problem, CommandExitException):
            if problem.exit_code == _KILLED:
                return "memory"
            lines = self._said.strip().splitlines() or ["it ended without a word"]
            return SandboxBroken(f"The rented machine cannot run scripts: {lines[-1][:300]}")
        return broken(problem) if problem else SandboxBroken("The sandbox failed: the run ended without a word.")

    async def close(self, *, clean: bool) -> None:
        """Delete what was copied and keep the machine, or throw it away."""
        if self._closing is None:
            self._cost = self.cost_seconds
            self._machine.billed_until += self._cost
            self._closing = asyncio.create_task(self._end(clean))
        await asyncio.shield(self._closing)

    async def _end(self, clean: bool) -> None:
        try:
            await self._give_up(clean)
        finally:
            if self._waiting is not None:
                self._waiting.cancel()
                await asyncio.gather(self._waiting, return_exceptions=True)
            if self._command is not None:
                await self._command.disconnect()

    async def _give_up(self, clean: bool) -> None:
        if clean:
            try:
                await self._vm.files.remove(self._folder, user="root")
            except Exception:  # whatever the SDK raises: what stays there must not be seen by the next script
                clean = False
        await (self._sandbox.give_back(self._machine) if clean else self._sandbox.discard(self._machine))

    async def _upload(self, job: Job) -> None:
        with contextlib.ExitStack() as opened:
            files = [
                AsyncWriteEntry(path=f"{self._folder}/{KEEPER}", data=bundle()),
                AsyncWriteEntry(path=f"{self._folder}/script.py", data=job.script.encode(errors="surrogatepass")),
            ]
            for name, path in _members(job):
                reader: BinaryIO = opened.enter_context(path.open("rb"))
                files.append(AsyncWriteEntry(path=f"{self._folder}/inputs/{name}", data=reader))
            for file in files:
                await self._vm.files.write_files([file], user="root")

    async def _next(self) -> str | None:
        """A piece of what was said, or None when there is no more."""
        assert self._waiting is not None
        if self._queue.empty() and not self._waiting.done():
            getting = asyncio.ensure_future(self._queue.get())
            try:
                await asyncio.wait({getting, self._waiting}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                getting.cancel()
        return None if self._queue.empty() else self._queue.get_nowait()

    async def _wait(self, command: AsyncCommandHandle[None]) -> BaseException | None:
        """How the command has ended."""
        try:
            await command.wait()
        except Exception as problem:  # kept for the autopsy, whatever it is
            return problem
        return None

    def _hear(self, text: str) -> None:
        """Complaints of the shell or of Python itself; the script's words never come this way."""
        self._said = (self._said + text)[-_STDERR_KEPT:]


def _members(job: Job) -> Iterator[tuple[str, Path]]:
    """(name below inputs/, path) of every regular file; links are left out."""
    for name, path in job.inputs.items():
        if path.is_file():
            yield name, path
        for member in sorted(path.rglob("*")) if path.is_dir() else ():
            if member.is_file() and not member.is_symlink():
                yield f"{name}/{member.relative_to(path)}", member
