"""Whatever ends a run, or the application itself, and however many there are at once: nothing is left behind.

The programs storm.py and killed.py do it, each in an application of its own whose processes, descriptors, mounts,
control groups, files and memory can be counted.
"""

import json
import os
import statistics
from typing import Any

import pytest

from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox.killed import PHASES
from tests.sandbox.levels import User, at_every_level, python_as

SHORT, LONG = 4.0, 300.0
"""Seconds."""
FEW, MANY = 10, 30
"""Runs at once."""
USUAL = ("copying",)
"""Phases in which the application is killed even when slow tests do not run."""
MOST_GROWTH = 1.15
"""Memory of the application in the last part of a long storm, as a multiple of that in the first part."""


def require(level: Level, user: User) -> None:
    """Skip, and say why, where the level or the user is not to be had."""
    if user == "root" and os.geteuid() != 0:
        pytest.skip("this needs root")
    found = try_level(level)
    if found.level == "none":
        pytest.skip(f"this machine has no level {level!r}: {found.reason}")


def storm(level: Level, user: User, seconds: float, at_once: int) -> dict[str, Any]:
    """What the storm reports."""
    require(level, user)
    said = python_as(user, "-m", "tests.sandbox.storm", level, str(seconds), str(at_once), seconds=seconds + 200)
    report: dict[str, Any] = json.loads(said)
    return report


def check(report: dict[str, Any]) -> None:
    """Every run ended as it should, and there is as much as there was before."""
    assert report["wrong"] == []
    assert min(report["acts"].values()) > 0
    assert report["hit"] <= report["acts"]["kill"]
    assert report["after"] == report["before"]
    assert report["left"] == []


def growth(memory: list[float]) -> float:
    """Of the last fifth over the second: the first one still fills caches."""
    fifth = len(memory) // 5
    return statistics.median(memory[-fifth:]) / statistics.median(memory[fifth : 2 * fifth])


@pytest.mark.timeout(300)
@at_every_level
def test_a_short_storm_leaves_nothing(level: Level, user: User) -> None:
    check(storm(level, user, SHORT, FEW))


@pytest.mark.slow
@pytest.mark.timeout(LONG + 300)
@pytest.mark.parametrize("level", LEVELS)
def test_a_long_storm_leaves_nothing_and_needs_no_more_memory(level: Level) -> None:
    report = storm(level, "root", LONG, MANY)
    check(report)
    assert growth(report["memory"]) < MOST_GROWTH


@pytest.mark.timeout(300)
@at_every_level
@pytest.mark.parametrize("phase", [pytest.param(p, marks=() if p in USUAL else pytest.mark.slow) for p in PHASES])
def test_nothing_survives_a_killed_application(level: Level, user: User, phase: str) -> None:
    require(level, user)
    said = json.loads(python_as(user, "-m", "tests.sandbox.killed", level, phase))
    clean = {"orphans": [], "next start": 0, "result": "b", "groups": [], "files": []}
    assert said == {phase: clean}
