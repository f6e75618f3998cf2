"""Control groups: made where they may be, read correctly, and never left behind."""

from pathlib import Path

import pytest

from sandbox.base import Limits
from sandbox.cgroups import Group, Usage, new_group, sweep


def test_a_new_group_has_our_limits_and_goes_away() -> None:
    group = new_group("test", Limits(memory_mb=64, written_mb=8, processes=5))
    if group is None:
        pytest.skip("no control group can be made here")
    assert all(folder.is_dir() for folder in group.folders.values())
    assert group.usage().oom_kills == 0
    assert group.remove()
    assert not any(folder.exists() for folder in group.folders.values())


def test_version_2_counters_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n")
    (tmp_path / "pids.events").write_text("max 7\n")
    (tmp_path / "memory.peak").write_text(f"{3 * 2**20}\n")
    assert Group({"all": tmp_path}).usage() == Usage(oom_kills=2, refused_tasks=7, peak_mb=3.0)


def test_missing_counters_are_no_reason_to_fail(tmp_path: Path) -> None:
    assert Group({"all": tmp_path}).usage() == Usage()
    assert Group({"memory": tmp_path}).usage() == Usage()


def test_sweeping_takes_the_dead_and_leaves_the_living() -> None:
    group = new_group("living", Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    dead = [folder.with_name("modelwright-4194304-1") for folder in group.folders.values()]
    for folder in dead:
        folder.mkdir()
    sweep()
    assert not any(folder.exists() for folder in dead)
    assert all(folder.exists() for folder in group.folders.values())
    group.remove()
