"""A script that stays on another machine: requests and answers as frames inside the frames of its keeper."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sandbox.base import Outcome, OutcomeKind, SandboxError, SessionEnded
from sandbox.ending import Stopped
from sandbox.remote import Lost, RemoteRun

_HEADER = 8
"""Bytes of length, big-endian, before the content of a request or an answer."""
_UNREAD = 2**20
"""Bytes of answers that nobody has asked for yet; a script that says more has to wait."""
_MB = 2**20


class _TooLong(Exception):
    """The length of an answer is more than was allowed."""


class _Closed(Exception):
    """The script has ended."""


class RemoteSession:
    """`Session` over a line; made by `RemoteSandbox.serve`."""

    def __init__(self, run: RemoteRun, forget: Callable[[], None]) -> None:
        self._run = run
        self._forget = forget
        self._turn = asyncio.Lock()
        self._answers = bytearray()
        self._wanted = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ending = False
        self._verdict: tuple[Stopped, OutcomeKind, str] | None = None
        """An outcome of the first is told as the second, in these words."""
        self._began = asyncio.get_running_loop().time()
        self._conclusion = asyncio.create_task(self._conclude())

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._ending

    async def ask(self, request: bytes, *, seconds: float, most_bytes: int) -> bytes:
        """One answer to one request; a cancelled call ends the session too. Raises `SessionEnded`, `SandboxBroken`."""
        async with self._turn:
            asked = self.alive
            if asked:
                try:
                    async with asyncio.timeout(seconds):
                        return await self._exchange(request, most_bytes)
                except TimeoutError:
                    await self._stop("timeout", f"The script gave no answer within {seconds:.3g} s and was stopped.")
                except _TooLong:
                    most = f"{most_bytes / _MB:.3g} MB"
                    await self._stop("output_limit", f"The script was stopped: its answer was larger than {most}.")
                except _Closed:
                    pass
                except BaseException:  # cancelled: the rest of this answer would be taken for the next one
                    await self._stop("killed_by_user", "The script was stopped on request.")
                    raise
        raise SessionEnded(await self._end(), asked=asked)

    async def close(self) -> Outcome:
        """Kill every process of it and wait until they are gone."""
        await self._stop("killed_by_user", "The script was stopped on request.")
        try:
            return await self._end()
        except SandboxError as problem:
            return Outcome("sandbox_broken", str(problem), self._run.isolation)

    async def _exchange(self, request: bytes, most_bytes: int) -> bytes:
        if self._answers:  # it has spoken without being asked: no answer could be trusted to belong to its request
            message = "The script did not keep to one answer for each request and was stopped."
            await self._stop("killed_by_user", message, kind="error")
            raise _Closed
        await self._run.send(len(request).to_bytes(_HEADER, "big") + request)
        size = int.from_bytes(await self._take(_HEADER), "big")
        if size > most_bytes:
            raise _TooLong
        return await self._take(size)

    async def _take(self, length: int) -> bytes:
        self._wanted = length
        self._room.set()
        while len(self._answers) < length:
            if self._ending:
                raise _Closed
            self._news.clear()
            await self._news.wait()
        taken = bytes(self._answers[:length])
        del self._answers[:length]
        self._wanted = 0
        return taken

    async def _stop(self, reason: Stopped, message: str, *, kind: OutcomeKind | None = None) -> None:
        if not self._ending:
            self._ending = True
            self._verdict = (reason, kind or reason, message)
            self._room.set()
            await self._run.stop(reason)

    async def _conclude(self) -> Outcome | SandboxError:
        """Listen until the end, however it comes, and leave nothing behind."""
        try:
            await self._listen()
            self._ending = True
            self._news.set()
            return self._judged(await self._run.outcome())
        except SandboxError as problem:
            return problem
        finally:
            self._ending = True
            self._news.set()
            await asyncio.shield(self._run.bury())
            self._forget()

    async def _listen(self) -> None:
        try:
            while (frame := await self._run.frame())[0] in ("o", "e"):
                if frame[0] == "e":
                    self._run.log(frame[1])
                    continue
                self._answers += frame[1]
                self._news.set()
                await self._make_room()
            self._run.hear_end(*frame)
        except Lost:
            pass

    async def _make_room(self) -> None:
        while len(self._answers) > max(self._wanted, _UNREAD) and not self._ending:
            self._room.clear()
            await self._room.wait()
        if self._ending:
            self._answers.clear()

    def _judged(self, outcome: Outcome) -> Outcome:
        seconds = outcome.seconds or asyncio.get_running_loop().time() - self._began
        if outcome.ok:
            outcome = replace(outcome, message="The script ended by itself although it should have stayed.")
        if self._verdict is not None and self._verdict[0] == outcome.kind:
            outcome = replace(outcome, kind=self._verdict[1], message=self._verdict[2])
        return replace(outcome, seconds=seconds)

    async def _end(self) -> Outcome:
        found = await asyncio.shield(self._conclusion)
        if isinstance(found, SandboxError):
            raise type(found)(str(found))
        return found
