"""Saved models at work: each is loaded once, in a sandbox of its own that stays, and asked over a pipe.

A saved model is a pickle: to load it is to run it, so this is the only place where the product has one loaded. What
comes back is a line of JSON and numbers (tools/recipes/worker.py says how), read with no parser that builds objects.
"""

import asyncio
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from sandbox.base import Job, Limits, Sandbox, SandboxBroken, Session, SessionEnded
from tools.answers import ModelFailed, Rows, joined, most_bytes, read_answer, requests, table_of
from tools.contract import Contract
from tools.predictions import Predictions
from tools.recipes import worker_for

MODEL_FILE, SCRIPT_FILE = "model.joblib", "train.py"
MEMORY_MB = 6144
"""What all models together may use; each counts with the limit of its sandbox."""
IDLE_SECONDS = 120.0
"""A model that nobody asks for so long is put away. Until then a hostile one may compute, within its share of cores."""
_NEVER_AGAIN = ("timeout", "output_limit", "killed_by_user")
"""Ends that a second try would only repeat, or that were wanted."""


class Timer(Protocol):
    """What `asyncio.loop.call_later` returns."""

    def cancel(self) -> None:
        """Nothing happens any more."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]
Ask = Callable[[pa.Table], Coroutine[Any, Any, Predictions]]


@dataclass(frozen=True)
class _Model:
    """What a worker serves; another file in its place is another model."""

    folder: Path
    program: str = field(repr=False)
    files: tuple[tuple[str, Path], ...]
    """What is shown in inputs/, links followed."""
    state: tuple[tuple[int, ...], ...]
    """Inode, size and time of these files."""
    apart: str = ""
    """Whom it serves alone; nobody else shares its session."""


@dataclass(eq=False)
class _Worker:
    """A session that is starting or there."""

    model: _Model
    session: "asyncio.Task[Session]" = field(init=False)
    users: int = 0
    answers: int = 0
    memory_mb: int = 0
    """Held of what all may use."""
    spoiled: bool = False
    """Its session ended, or will, over what somebody asked it."""
    put_away: bool = False
    """It was closed on purpose."""
    timer: Timer | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be asked, now or as soon as it has started."""
        if not self.session.done():
            return True
        return not self.session.cancelled() and self.session.exception() is None and self.session.result().alive


class Workers:
    """The models that are loaded at the moment; `predict` starts what is missing, `close` ends them all."""

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits | None = None,
        *,
        memory_mb: int = MEMORY_MB,
        idle_seconds: float = IDLE_SECONDS,
        later: Later | None = None,
    ) -> None:
        """`limits` of each model, `limits.seconds` of each answer; `later` is the event loop's own timer."""
        self._sandbox = sandbox
        self._limits = limits or Limits()
        self._memory_mb = memory_mb
        self._idle_seconds = idle_seconds
        self._later = later
        self._workers: dict[_Model, _Worker] = {}
        """The least recently used first."""
        self._held_mb = 0
        self._freed = asyncio.Event()
        self._closing: set[asyncio.Task[Any]] = set()

    async def predict(
        self, folder: Path, contract: Contract, rows: Rows, *, seconds: float | None = None
    ) -> Predictions:
        """What the model in `folder` (model.joblib, and train.py with its definitions) says about these rows, in order.

        `seconds` for all of it, waiting for a turn, for memory and for the start included; without, `limits.seconds`
        for each part. A model that crashes is started once more.
        Raises `ModelFailed`, `PredictionsRefused` (the answer is no set of predictions) and `SandboxError`.
        """
        return await self._predict(_model(folder, contract), contract, rows, seconds)

    @asynccontextmanager
    async def apart(self, folder: Path, contract: Contract, *, seconds: float) -> AsyncIterator[Ask]:
        """The same model in a session that remembers nothing from before and ends with the block.

        `seconds` for each question. Asking raises like `predict`.
        """
        model = replace(_model(folder, contract), apart=uuid.uuid4().hex)
        try:
            yield partial(self._predict, model, contract, seconds=seconds)
        finally:
            if model in self._workers:
                self._end(self._workers[model])

    async def _predict(
        self, model: _Model, contract: Contract, rows: Rows, seconds: float | None = None
    ) -> Predictions:
        try:
            async with asyncio.timeout(seconds) as limit:
                found = []
                async for request, count in requests(await table_of(rows, contract), contract):
                    answer = await self._answer(model, request, seconds, most_bytes(count, contract))
                    found.append(read_answer(answer, contract, count))
                return joined(found)
        except TimeoutError as late:
            if not limit.expired():
                raise
            sentence = f"The model gave no answer within {seconds:.3g} s, its start and the wait for its turn included."
            raise ModelFailed(sentence) from late

    @property
    def loaded(self) -> tuple[Path, ...]:
        """The folders of the models that are there or starting, the least recently used first."""
        return tuple(worker.model.folder for worker in self._workers.values() if worker.usable)

    async def close(self) -> None:
        """End every session; harmless to call twice."""
        for worker in list(self._workers.values()):
            worker.put_away = True
            self._end(worker)
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _answer(self, model: _Model, request: bytes, seconds: float | None, most_bytes: int) -> bytes:
        """One answer, in a second session when the first one crashes, or in as many as others have spoiled."""
        first = True
        while True:
            async with self._borrowed(model) as worker:
                try:
                    session = await asyncio.shield(worker.session)
                    answer = await session.ask(request, seconds=seconds or self._limits.seconds, most_bytes=most_bytes)
                except SessionEnded as ended:
                    others = not ended.asked and worker.spoiled
                    worker.spoiled |= ended.asked
                    if worker.put_away or not (others or (first and _may_go_better(worker, ended))):
                        raise ModelFailed(ended.outcome.message) from ended
                    first = first and others
                except SandboxBroken:
                    if not first:
                        raise
                    worker.spoiled, first = True, False
                except asyncio.CancelledError:
                    if worker.session.cancelled() and not _is_cancelled():
                        raise ModelFailed("The model was put away before it could answer.") from None
                    worker.spoiled = True
                    raise
                else:
                    worker.answers += 1
                    return answer
                self._end(worker)

    @asynccontextmanager
    async def _borrowed(self, model: _Model) -> AsyncIterator[_Worker]:
        worker = self._of(model)
        worker.users += 1
        if worker.timer is not None:
            worker.timer.cancel()
        try:
            yield worker
        finally:
            worker.users -= 1
            self._freed.set()
            if not worker.users and self._workers.get(model) is worker:
                self._wait_for_more(worker)

    def _wait_for_more(self, worker: _Worker) -> None:
        if not worker.usable:
            self._end(worker)
            return
        later = self._later or asyncio.get_running_loop().call_later
        worker.timer = later(self._idle_seconds, lambda: self._end_if_idle(worker))

    def _of(self, model: _Model) -> _Worker:
        """The worker of this model, moved to the end of the line."""
        worker = self._workers.pop(model, None)
        if worker is not None and not worker.usable:
            self._end(worker)
            worker = None
        if worker is None:
            worker = _Worker(model)
            worker.session = asyncio.create_task(self._start(worker))
        self._workers[model] = worker
        return worker

    async def _start(self, worker: _Worker) -> Session:
        need = self._limits.memory_mb
        while self._held_mb and self._held_mb + need > self._memory_mb:
            idle = next((other for other in self._workers.values() if not other.users), None)
            self._freed.clear()
            if idle is not None:
                self._end(idle)
            await self._freed.wait()
        self._held_mb += need
        worker.memory_mb = need
        name, inputs = f"model-{uuid.uuid4().hex}", dict(worker.model.files)
        job = Job(name, worker.model.program, inputs, limits=self._limits)
        return await self._sandbox.serve(job)

    def _end_if_idle(self, worker: _Worker) -> None:
        if not worker.users:
            self._end(worker)

    def _end(self, worker: _Worker) -> None:
        """Forget it now; its processes end in the background."""
        if self._workers.get(worker.model) is worker:
            del self._workers[worker.model]
        if worker.timer is not None:
            worker.timer.cancel()
        self._background(self._put_away(worker))

    async def _put_away(self, worker: _Worker) -> None:
        worker.session.cancel()
        try:
            with suppress(Exception, asyncio.CancelledError):  # it never started: told to who asked for it
                await (await worker.session).close()
        finally:
            self._held_mb -= worker.memory_mb
            worker.memory_mb = 0
            self._freed.set()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _may_go_better(worker: _Worker, ended: SessionEnded) -> bool:
    """A script that stops with an error at its very first question would do so again."""
    if not ended.asked and worker.answers > 0:
        return True
    kind = ended.outcome.kind
    return kind not in _NEVER_AGAIN and (worker.answers > 0 or kind != "error")


@lru_cache(maxsize=64)
def _program(contract: Contract) -> str:
    return worker_for(contract)


def _model(folder: Path, contract: Contract) -> _Model:
    names = [MODEL_FILE, *([SCRIPT_FILE] if (folder / SCRIPT_FILE).exists() else [])]
    found = {name: _regular(folder / name) for name in names}
    files, state = tuple((name, path) for name, (path, _) in found.items()), tuple(one for _, one in found.values())
    return _Model(folder.resolve(), _program(contract), files, state)


def _regular(path: Path) -> tuple[Path, tuple[int, ...]]:
    """The file itself, links followed, and what tells it from another one."""
    try:
        found = path.stat()
    except OSError as problem:
        raise ModelFailed(f"There is no {path.name} to ask: {problem.strerror}.") from problem
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise ModelFailed(f"{path.name} is {what}; give the model/ that a run has written.")
    return path.resolve(), (found.st_ino, found.st_size, found.st_mtime_ns)


def _is_cancelled() -> bool:
    """Whether somebody wants this very task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
