"""Every bomb ends with its typed outcome and a sentence; nothing is left of it, and the next script runs as ever."""

import functools
from typing import Any

import pytest

from sandbox.probe import Level
from tests.sandbox.bombs import BOMBS, kinds_at
from tests.sandbox.levels import User, at_every_level, report_of

_ANSWER = 42


@functools.cache
def bombardment(level: Level, user: User) -> dict[str, Any]:
    """Every bomb, once for each level and user."""
    return report_of("bombardment", level, user)


@at_every_level
def test_every_bomb_is_stopped_and_named(level: Level, user: User) -> None:
    ended = bombardment(level, user)["ended"]
    assert set(ended) == set(BOMBS)
    wrong = {name: end for name, end in ended.items() if end["kind"] not in kinds_at(level, name)}
    assert wrong == {}


@at_every_level
def test_every_end_has_a_sentence_and_figures(level: Level, user: User) -> None:
    for name, end in bombardment(level, user)["ended"].items():
        assert end["message"].startswith(("The script", "The files")), name
        assert min(end["seconds"], end["cpu_seconds"], end["peak_mb"]) >= 0, (name, end)
        assert end["output_bytes"] <= BOMBS[name].limits.output_mb * 2**20, name
        assert end["brought_mb"] <= BOMBS[name].limits.written_mb, name


@at_every_level
def test_the_next_script_is_right_after_every_bomb(level: Level, user: User) -> None:
    said = {name: end["next"] for name, end in bombardment(level, user)["ended"].items() if end["next"] is not None}
    assert len(said) >= len(BOMBS) / 6
    assert set(said.values()) == {f"{_ANSWER}\nok"}, said


@at_every_level
@pytest.mark.parametrize(
    "what", ["processes", "descriptors", "groups", "processes after all", "groups after all", "halves", "shared",
             "temporary", "damage"],
)  # fmt: skip
def test_nothing_is_left(level: Level, user: User, what: str) -> None:
    assert bombardment(level, user)[what] == []


@at_every_level
def test_no_mount_is_left(level: Level, user: User) -> None:
    assert bombardment(level, user)["mounts"] is True


def test_there_are_bombs_enough() -> None:
    assert len(BOMBS) >= 50
