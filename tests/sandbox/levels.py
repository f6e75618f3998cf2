"""Every isolation level that this machine has, as root and as an ordinary user."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal

import pytest

from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox.host import PROJECT

User = Literal["root", "user"]
ALL: tuple[tuple[Level, User], ...] = tuple((level, user) for level in LEVELS for user in ("root", "user"))
_SECONDS = 850


_SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]


def at_every_level(test: Callable[..., None]) -> Any:
    """Parametrize by level and user: the best level always, the others when slow tests run."""
    cases = [
        pytest.param(level, user, id=f"{level}-{user}", marks=[] if level == LEVELS[0] else _SLOW)
        for level, user in ALL
    ]
    return pytest.mark.parametrize(("level", "user"), cases)(test)


def report_of(program: str, level: Level, user: User) -> dict[str, Any]:
    """What a program of this folder found out at a level; skips, and says why, where the level is not to be had."""
    if user == "root" and os.geteuid() != 0:
        pytest.skip("this needs root")
    report: dict[str, Any] = json.loads(python_as(user, "-m", f"tests.sandbox.{program}", level))
    if "unavailable" in report:
        pytest.skip(f"this machine has no level {level!r}: {report['unavailable']}")
    return report


def print_unavailable(level: Level) -> bool:
    """For those programs: whether they have nothing to do here, and have said so."""
    found = try_level(level)
    if found.level == "none":
        sys.stdout.write(json.dumps({"unavailable": found.reason}))
    return found.level == "none"


def python_as(user: User, *arguments: str, seconds: float = _SECONDS) -> str:
    """What a program of this folder prints, run as root or as an ordinary user."""
    around = ["-m", "tests.sandbox.as_user"] if user == "user" and os.geteuid() == 0 else []
    command = [sys.executable, *around, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout
