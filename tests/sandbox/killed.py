"""Program: kill an application with SIGKILL in one phase of its work after the other; prints what it left behind.

    python -m tests.sandbox.killed LEVEL [PHASE ...]

Processes that lose their parent become children of this program, so none of them can hide. The report is JSON: phase ->
what was still there two seconds after the kill, and what the next start of an application did not clear away.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import psutil

from sandbox import kernel
from sandbox.base import Job, Limits, Outcome
from sandbox.local import LocalSandbox
from sandbox.probe import Level, try_level
from tests.sandbox.host import PROJECT
from tests.sandbox.storm import STUBBORN, groups_of

TURNS = (1, 2, 3, 5, 8, 13)
"""Turns of the event loop after the call of `run`: the request is made, handed over, followed."""
PHASES = ("warming", "ready", *(f"turn {turn}" for turn in TURNS), "running", "copying", "session")
SECONDS = 2.0
"""In which nothing may be left of a killed application."""
_SECONDS_TO_START = 200
_LOOK_EVERY = 0.005
_PR_SET_CHILD_SUBREAPER = 36
BIG = "for number in range(40): open(f'outputs/{number}', 'wb').write(bytes(10_000_000))\nprint('written')"
ECHO = """
import sys
while header := sys.stdin.buffer.read(8):
    sys.stdout.buffer.write(header + sys.stdin.buffer.read(int.from_bytes(header, "big")))
    sys.stdout.buffer.flush()
"""


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _die_after(turns: int) -> None:
    loop = asyncio.get_running_loop()
    if turns == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    loop.call_soon(_die_after, turns - 1)


async def _run(sandbox: LocalSandbox, script: str, folder: Path, *, tell: bool) -> None:
    limits = Limits(memory_mb=512, written_mb=512)
    async for event in sandbox.run(Job("one", script, outputs=folder / "outputs", limits=limits)):
        if tell:
            _say("now")
        if isinstance(event, Outcome) and not event.ok:
            raise RuntimeError(event.message)


async def application(level: Level, phase: str, folder: Path) -> None:
    """Get into the phase, say so, and stay there until killed; "next" comes to a good end."""
    sandbox = LocalSandbox(try_level(level))
    if phase == "warming":
        _say("now")
    await sandbox.warm()
    word, _, number = phase.partition(" ")
    match word:
        case "ready":
            await _run(sandbox, "print(1)", folder, tell=False)
            await asyncio.sleep(0.5)  # the next boxes get ready
            _say("now")
        case "turn":
            _die_after(int(number))
            await _run(sandbox, STUBBORN, folder, tell=False)
        case "running":
            await _run(sandbox, STUBBORN, folder, tell=True)
        case "copying":
            await _run(sandbox, BIG, folder, tell=True)
        case "session":
            session = await sandbox.serve(Job("one", ECHO))
            await session.ask(b"x" * 100_000, seconds=20, most_bytes=200_000)
            _say("now")
        case "next":
            await _run(sandbox, "open('outputs/a', 'w').write('b')", folder, tell=False)
            await sandbox.close()
            return
    await asyncio.sleep(_SECONDS_TO_START)


def _start(level: str, phase: str, folder: Path) -> "subprocess.Popen[str]":
    (folder / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.sandbox.killed", level, phase, str(folder)]
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "ROLE": "application"}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)


def _children() -> list[psutil.Process]:
    """All that is alive below us; the dead that came to us are buried."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _until(true: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _in_words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {process.status()} {' '.join(process.cmdline())[-120:]}"
    return f"{process.pid}"


def _kill_in(level: str, phase: str, folder: Path) -> int:
    """The process id of an application that was killed in this phase, and is gone."""
    with _start(level, phase, folder) as victim:
        assert victim.stdout is not None
        if not phase.startswith("turn"):
            assert victim.stdout.readline() == "now\n", phase
            if phase == "warming":
                assert _until(lambda: psutil.Process(victim.pid).children(), _SECONDS_TO_START)
            if phase == "copying":
                assert _until(lambda: list(folder.glob(".outputs.partial*/1")), _SECONDS_TO_START)
            victim.kill()
        assert victim.wait(_SECONDS_TO_START) == -signal.SIGKILL, phase
    return victim.pid


def _report(level: str, phase: str, folder: Path) -> dict[str, object]:
    killed = _kill_in(level, phase, folder)
    _until(lambda: not _children(), SECONDS)
    orphans = [_in_words(child) for child in _children()]
    with _start(level, "next", folder) as following:
        code = following.wait(_SECONDS_TO_START)
    strays = [str(path.relative_to(folder)) for path in folder.iterdir() if path.name not in ("tmp", "outputs")]
    return {
        "orphans": orphans,
        "next start": code,
        "result": (folder / "outputs/a").read_text() if code == 0 else "",
        "groups": groups_of(killed) + groups_of(following.pid),
        "files": strays + [path.name for path in (folder / "tmp").iterdir()],
    }


def main() -> None:
    """Play the application or kill it."""
    level, *rest = sys.argv[1:]
    if os.environ.get("ROLE") == "application":
        asyncio.run(application(cast(Level, level), rest[0], Path(rest[1])))
        return
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    reports = {}
    for phase in rest or PHASES:
        with tempfile.TemporaryDirectory() as folder:
            reports[phase] = _report(level, phase, Path(folder))
    sys.stdout.write(json.dumps(reports))


if __name__ == "__main__":
    main()
