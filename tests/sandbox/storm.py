"""Program: many runs at once, ended in every way there is; prints what was left behind and what went wrong.

    python -m tests.sandbox.storm LEVEL SECONDS AT_ONCE

The report is JSON. "idle" is what the application holds while nothing runs, before the storm and after it.
"""

import asyncio
import contextlib
import gc
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import psutil

from sandbox import kernel, usher
from sandbox.base import Job, Limits, Outcome, Output, SandboxBroken
from sandbox.local import LocalSandbox
from sandbox.probe import Level, try_level

Act = Literal["answer", "crash", "stop", "leave", "cancel", "flood", "kill"]
ACTS: tuple[Act, ...] = ("answer", "answer", "crash", "stop", "leave", "cancel", "flood", "kill")
LIMITS = Limits(cpus=2, memory_mb=256, seconds=60, processes=16, written_mb=8, output_mb=1)
ANSWER = """
import os
from pathlib import Path
number = int(os.environ["NUMBER"])
Path("outputs/square.txt").write_text(str(number * number))
print(number * number)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    while True: time.sleep(1)
print("running", flush=True)
while True: time.sleep(1)
"""
CRASHES = {
    "1 / 0": "error",
    "import os; os._exit(9)": "error",
    "import os; os.abort()": "signal",
    "import ctypes; ctypes.string_at(0)": "signal",
}
FLOOD = "while True: print('x' * 10_000)"
_SECONDS_TO_SETTLE = 20
_LOOK_EVERY = 0.5


class Hit(Exception):
    """A kill of ours, meant for any process, has ended the script of this run."""


@dataclass
class Idle:
    """What this application holds while nothing runs."""

    descriptors: int
    processes: int
    mounts: int
    groups: int
    files: int


@dataclass
class Report:
    """What happened; `wrong` should be empty."""

    acts: dict[Act, int] = field(default_factory=lambda: dict.fromkeys(ACTS, 0))
    hit: int = 0
    """Runs that ended by one of our kills: broken, or their script killed."""
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """MB that this process held, at equal distances."""
    before: Idle | None = None
    after: Idle | None = None
    left: list[str] = field(default_factory=list)
    """Processes, groups and files that are there after the sandbox was closed."""


def _descendants() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def groups_of(owner: int) -> list[str]:
    """Control groups of an application; those of others come and go while we look."""
    prefix = f"modelwright-{owner}-"
    return [f"{at}/{name}" for at, names, _ in os.walk("/sys/fs/cgroup") for name in names if name.startswith(prefix)]


def _idle(folder: Path) -> Idle:
    return Idle(
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208  its own descriptor would be gone
        processes=len(_descendants()),
        mounts=len(Path("/proc/self/mounts").read_text().splitlines()),
        groups=len(groups_of(os.getpid())),
        files=len(list(folder.iterdir())),
    )


class Storm:
    """Runs of every kind through one sandbox."""

    def __init__(self, sandbox: LocalSandbox, folder: Path) -> None:
        self.report = Report()
        self._sandbox = sandbox
        self._folder = folder
        self._random = random.Random(4711)
        self._numbers = itertools.count(1)
        self._lasting: set[int] = set()

    async def settled(self, wanted: Idle | None = None) -> Idle:
        """What is held while nothing runs: as `wanted`, or what it is when the time to get there is over."""
        end = time.monotonic() + _SECONDS_TO_SETTLE
        while True:
            gc.collect()
            await self._sandbox.stand()
            seen = _idle(self._folder)
            if (wanted is not None and seen == wanted) or time.monotonic() > end:
                return seen
            await asyncio.sleep(_LOOK_EVERY)
            if wanted is None and _idle(self._folder) == seen:
                return seen

    async def rage(self, seconds: float, at_once: int) -> None:
        """Until the time is over, as many runs at once."""
        lasting = psutil.Process().children()
        lasting += [each for child in lasting for each in child.children() if each.name() == usher.NAME]
        self._lasting = {each.pid for each in lasting}
        end = time.monotonic() + seconds

        async def keep_going() -> None:
            while (missing := self._missing()) or time.monotonic() < end:
                await self._one(missing[0] if missing else self._random.choice(ACTS))

        watch = asyncio.create_task(self._watch_memory())
        await asyncio.gather(*(keep_going() for _ in range(at_once)))
        watch.cancel()

    def _missing(self) -> list[Act]:
        return [act for act, times in self.report.acts.items() if not times]

    async def answers(self) -> None:
        """The sandbox still does what it is for."""
        await self._answer(self._job(ANSWER, 12))

    async def _watch_memory(self) -> None:
        while True:
            self.report.memory.append(psutil.Process().memory_info().rss / 2**20)
            await asyncio.sleep(_LOOK_EVERY)

    def _job(self, script: str, number: int = 0) -> Job:
        name = f"run-{next(self._numbers)}"
        outputs = self._folder / "outputs" / str(number) if number else None
        return Job(name, script, {}, outputs, LIMITS, {"NUMBER": str(number)})

    async def _one(self, act: Act) -> None:
        self.report.acts[act] += 1
        try:
            match act:
                case "answer":
                    await self._answer(self._job(ANSWER, next(self._numbers)))
                case "crash":
                    script, kind = self._random.choice(list(CRASHES.items()))
                    await self._expect(self._job(script), kind)
                case "flood":
                    await self._expect(self._job(FLOOD), "output_limit")
                case "cancel":
                    await self._cancel()
                case "stop" | "leave" | "kill":
                    await self._end_early(act)
        except (Hit, SandboxBroken):
            self.report.hit += 1
        except Exception as problem:  # told with the rest; the storm goes on
            self.report.wrong.append(f"{act}: {problem!r}")

    async def _expect(self, work: Job, kind: str) -> None:
        self._check([event async for event in self._sandbox.run(work)], kind)

    def _check(self, events: Sequence[object], kind: str) -> Outcome:
        """The outcome, which must be of this kind unless a kill of ours has hit the script."""
        outcome = events[-1]
        assert isinstance(outcome, Outcome)
        if outcome.kind == "signal" and outcome.signal == signal.SIGKILL:
            raise Hit
        if outcome.kind != kind:
            self.report.wrong.append(f"{kind} was expected, not {outcome}")
        return outcome

    async def _answer(self, work: Job) -> None:
        events = [event async for event in self._sandbox.run(work)]
        outcome = self._check(events, "ok")
        square = str(int(work.environment["NUMBER"]) ** 2)
        said = "".join(event.text for event in events if isinstance(event, Output))
        found = [artifact.path.read_text() for artifact in outcome.files]
        if (said, found) != (f"{square}\n", [square]):
            self.report.wrong.append(f"a wrong answer: {said!r}, {found}")

    async def _cancel(self) -> None:
        """At any moment: before it began, while it runs, while it ends."""
        task = asyncio.create_task(self._expect(self._job(STUBBORN), "cancelled"))
        await asyncio.sleep(self._random.uniform(0, 0.5))
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(end, Exception):
            raise end

    async def _end_early(self, act: Act) -> None:
        work = self._job(STUBBORN)
        run = self._sandbox.run(work)
        events = [await anext(run)]
        if act == "leave":
            await run.aclose()
            return
        if act == "kill":
            self._kill_somebody()
        await self._sandbox.stop(work.id)
        self._check([*events, *[event async for event in run]], "killed_by_user")

    def _kill_somebody(self) -> None:
        """Any process of any run, or of a box that stands ready; not what all runs come from."""
        victims = [child for child in _descendants() if child.pid not in self._lasting]
        if victims:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self._random.choice(victims).pid, signal.SIGKILL)


async def play(level: Level, seconds: float, at_once: int) -> Report:
    """The whole storm, and what is left when it is over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tempfile.tempdir = name
        sandbox = LocalSandbox(try_level(level))
        storm = Storm(sandbox, folder)
        report = storm.report
        await storm.answers()
        report.before = await storm.settled()
        await storm.rage(min(seconds / 5, 5), at_once)  # buffers, threads and caches of ours are made once
        report.memory.clear()
        await storm.rage(seconds, at_once)
        await storm.answers()
        report.after = await storm.settled(report.before)
        await sandbox.close()
        tempfile.tempdir = None
        report.left = await _what_is_left(folder)
    return report


async def _what_is_left(folder: Path) -> list[str]:
    end = time.monotonic() + _SECONDS_TO_SETTLE
    while True:
        processes = [f"process {child.pid}" for child in _descendants()]
        strays = [str(path) for path in folder.rglob("*") if path.name not in ("outputs", "square.txt")
                  and path.parent.name != "outputs"]  # fmt: skip
        left = [*processes, *groups_of(os.getpid()), *strays]
        if not left or time.monotonic() > end:
            return left
        await asyncio.sleep(_LOOK_EVERY)


def main() -> None:
    """Play and report."""
    level, seconds, at_once = sys.argv[1:]
    if os.geteuid() == 0:  # what others mount meanwhile is none of our business
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.make_mounts_private()
    report: dict[str, Any] = asdict(asyncio.run(play(cast(Level, level), float(seconds), int(at_once))))
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
