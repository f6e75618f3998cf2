"""A script that stays: one request and one answer at a time over two pipes, each as a frame.

Whatever goes wrong ends the session for good: after half an answer nobody could tell where the next one begins.
"""

import asyncio
import contextlib
import fcntl
import os
import select
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.base import Outcome, OutcomeKind, SandboxBroken, SessionEnded
from sandbox.ending import Stopped
from sandbox.running import Running

HEADER = 8
"""Bytes of length, big-endian, before the content of a frame."""
_CHUNK = 2**18
_PIPE = 2**20
_SECONDS_TO_END = 2.0
"""After a script has closed its side."""
_MB = 2**20


class _Closed(Exception):
    """The script's side is closed, or it has said what it was not asked."""


class _TooLong(Exception):
    """The length of an answer is more than was allowed."""


class _Exchange:
    """One request and its answer, written and read at once, so that neither side waits for the other's full pipe."""

    def __init__(self, pipes: tuple[int, int], request: bytes, most_bytes: int) -> None:
        self._requests, self._answers = pipes
        self._loop = asyncio.get_running_loop()
        self._unsent = [memoryview(len(request).to_bytes(HEADER, "big")), memoryview(request)]
        self._most = most_bytes
        self._received = bytearray()
        self._size: int | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def answer(self) -> bytes:
        """The content of the answer. Raises `_Closed` and `_TooLong`."""
        if select.select([self._answers], [], [], 0)[0]:
            raise _Closed
        self._loop.add_reader(self._answers, self._read)
        self._loop.add_writer(self._requests, self._write)
        try:
            await self._done
        finally:
            self._loop.remove_reader(self._answers)
            self._loop.remove_writer(self._requests)
        return bytes(memoryview(self._received)[HEADER:])

    def _write(self) -> None:
        try:
            sent = os.write(self._requests, self._unsent[0][:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:  # it will be seen on the other pipe, unless the answer comes all the same
            self._unsent = []
        else:
            rest = self._unsent[0][sent:]
            self._unsent = [rest, *self._unsent[1:]] if rest else self._unsent[1:]
        while self._unsent and not self._unsent[0]:
            self._unsent.pop(0)
        if not self._unsent:
            self._loop.remove_writer(self._requests)
            self._end_if_complete()

    def _read(self) -> None:
        whole = HEADER if self._size is None else HEADER + self._size
        try:
            data = os.read(self._answers, min(whole - len(self._received), _CHUNK))
        except BlockingIOError:
            return
        if not data:
            self._fail(_Closed())
            return
        self._received += data
        if self._size is None and len(self._received) == HEADER:
            self._size = int.from_bytes(self._received, "big")
            if self._size > self._most:
                self._fail(_TooLong())
        self._end_if_complete()

    def _fail(self, problem: Exception) -> None:
        self._loop.remove_reader(self._answers)
        if not self._done.done():
            self._done.set_exception(problem)

    def _end_if_complete(self) -> None:
        if self._size is None or len(self._received) < HEADER + self._size:
            return
        self._loop.remove_reader(self._answers)
        if not self._unsent and not self._done.done():
            self._done.set_result(None)


class LocalSession:
    """`Session` over the pipes of a run on this machine."""

    def __init__(self, run: Running, forget: Callable[[], None]) -> None:
        self._run = run
        self._forget = forget
        self._turn = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._verdict: tuple[OutcomeKind, dict[str, Any]] | None = None
        """An outcome of this kind is told with these fields instead."""
        self._began = asyncio.get_running_loop().time()
        self._ending = False
        for fd in run.asking:
            os.set_blocking(fd, False)
            with contextlib.suppress(OSError):  # the user's share of pipe memory is used up: the usual size will do
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
        self._conclusion = asyncio.create_task(self._conclude())

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not (self._ending or self._run.over)

    async def ask(self, request: bytes, *, seconds: float, most_bytes: int) -> bytes:
        """One answer to one request; a cancelled call ends the session too. Raises `SessionEnded`, `SandboxBroken`."""
        async with self._turn:
            asked = self.alive
            if asked:
                with contextlib.suppress(_Closed, _TooLong, TimeoutError):
                    return await self._asked(request, seconds, most_bytes)
        raise SessionEnded(await self.end(), asked=asked)

    async def close(self) -> Outcome:
        """Kill every process of it and wait until they are gone."""
        self._stop("killed_by_user")
        try:
            return await self.end()
        except SandboxBroken as problem:
            return Outcome("sandbox_broken", str(problem), self._run.isolation)

    async def _asked(self, request: bytes, seconds: float, most_bytes: int) -> bytes:
        try:
            return await self._exchanged(request, seconds, most_bytes)
        except TimeoutError:
            self._stop("timeout", message=f"The script gave no answer within {seconds:.3g} s and was stopped.")
            raise
        except _TooLong:
            most = f"{most_bytes / _MB:.3g} MB"
            self._stop("output_limit", message=f"The script was stopped: its answer was larger than {most}.")
            raise
        except _Closed:
            await self._let_it_end()
            raise
        except BaseException:  # cancelled: the rest of this answer would be taken for the next one
            self._stop("killed_by_user")
            raise

    async def _exchanged(self, request: bytes, seconds: float, most_bytes: int) -> bytes:
        self._run.forget_output()
        self._idle.clear()
        try:
            async with asyncio.timeout(seconds):
                return await _Exchange(self._run.asking, request, most_bytes).answer()
        finally:
            self._idle.set()

    async def _let_it_end(self) -> None:
        """It has just died, and its process 1 is about to tell how; or it lives on and has only fallen silent."""
        self._ending = True
        late: set[Any] = {self._conclusion}
        try:
            _, late = await asyncio.wait(late, timeout=_SECONDS_TO_END)
        finally:
            if late:
                message = "The script did not keep to one answer for each request and was stopped."
                self._stop("killed_by_user", kind="error", message=message)

    def _stop(self, reason: Stopped, **verdict: Any) -> None:
        self._ending = True
        if not self._run.over:
            self._verdict = self._verdict or (reason, verdict)
            self._run.stop(reason)

    async def _conclude(self) -> Outcome | SandboxBroken:
        """Wait for the end, however it comes, and leave nothing behind."""
        try:
            async for _ in self._run.events():
                raise AssertionError("a run that stays has no events")
            await self._idle.wait()  # the last answer may still lie in the pipe
            return self._judged(await self._run.outcome())
        except SandboxBroken as problem:
            return problem
        finally:
            self._ending = True
            await asyncio.shield(self._run.bury())
            self._forget()

    def _judged(self, outcome: Outcome) -> Outcome:
        seconds = outcome.seconds or asyncio.get_running_loop().time() - self._began
        if outcome.ok:
            outcome = replace(outcome, message="The script ended by itself although it should have stayed.")
        if self._verdict is not None and self._verdict[0] == outcome.kind:
            outcome = replace(outcome, **self._verdict[1])
        return replace(outcome, seconds=seconds)

    async def end(self) -> Outcome:
        """How it ended, once it has. Raises `SandboxBroken`."""
        found = await asyncio.shield(self._conclusion)
        if isinstance(found, SandboxBroken):
            raise SandboxBroken(str(found))
        return found


async def open_session(run: Running, forget: Callable[[], None]) -> LocalSession:
    """The session of a run that has begun to stay; `forget` is called at its end. Raises `SandboxBroken`."""
    session = LocalSession(run, forget)
    try:
        await run.begun()
    except BaseException:
        await asyncio.shield(session.close())
        raise
    if not session.alive:
        await session.end()
    return session
