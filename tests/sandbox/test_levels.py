"""Every level does what the best one does for a well-meaning script, says its name, and is never taken in silence."""

import functools
import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from sandbox import seccomp
from sandbox.base import SandboxUnavailable
from sandbox.choose import open_sandbox
from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, NAMES, Level, survey, try_level
from tests.sandbox.host import PROJECT
from tests.sandbox.levels import User, python_as, report_of
from tests.sandbox.scenes import play

KINDS = {
    "hello": "ok", "metrics": "ok", "error": "error", "exit code": "error", "timeout": "timeout", "memory": "memory",
    "a family of hogs": "memory", "big file": "disk_quota", "many files": "disk_quota", "flood": "output_limit",
    "removed but open": "disk_quota", "fork bomb": "pids", "daemon": "ok", "segfault": "signal", "libraries": "ok",
}  # fmt: skip
WITHOUT_NAMESPACES = """
    import os, sys
    sys.path.insert(0, PROJECT)
    from pathlib import Path
    from sandbox import kernel
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    import asyncio
    from sandbox.base import SandboxUnavailable
    from sandbox.choose import open_sandbox
    from tests.sandbox.scenes import play
    for level in ("full", "bubblewrap", None):
        try:
            sandbox = open_sandbox(level)
        except SandboxUnavailable as problem:
            print(problem)
            continue
        async def speak():
            played = await play(sandbox, "print('hello')")
            print(played.stdout + played.outcome.isolation)
            await sandbox.close()
        asyncio.run(speak())
"""

levels = pytest.mark.parametrize("level", LEVELS[1:])
users = pytest.mark.parametrize("user", ["root", "user"])


@functools.cache
def steps(level: Level, user: User) -> dict[str, Any]:
    """All first steps, once for each level and user."""
    return report_of("first_steps", level, user)


def without_namespaces(user: User) -> list[str]:
    """A user namespace in which no further one may be made stands in for a hardened machine or a container."""
    if user == "root" and os.geteuid() != 0:
        pytest.skip("this needs root")
    return python_as(user, "-c", dedent(WITHOUT_NAMESPACES.replace("PROJECT", repr(str(PROJECT))))).splitlines()


@pytest.mark.slow
@pytest.mark.timeout(900)
@levels
@users
def test_every_first_step_ends_as_it_should(level: Level, user: User) -> None:
    report = steps(level, user)
    assert {name: report[name]["kind"] for name in KINDS} == KINDS, report
    assert {report[name]["isolation"] for name in KINDS} == {NAMES[level]}


@pytest.mark.slow
@pytest.mark.timeout(900)
@levels
@users
def test_what_a_script_says_and_brings_is_the_same_at_every_level(level: Level, user: User) -> None:
    report = steps(level, user)
    assert report["hello"]["stdout"] == "hello\n"
    assert report["metrics"]["metrics"] == [{"step": 0}, {"step": 1}, {"step": 2}]
    assert report["error"]["stderr"].endswith("ZeroDivisionError: division by zero\n")
    assert report["exit code"]["code"] == 7
    assert "MemoryError" in report["memory"]["stderr"]
    assert report["libraries"]["files"] == ["p.png", "x.parquet", "y.parquet"]
    assert report["libraries"]["stdout"] == "5\nTrue\n"
    assert report["stop"] == ["running\n", "killed_by_user"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@levels
@users
def test_inputs_are_read_and_stay_as_they_are(level: Level, user: User) -> None:
    bring = steps(level, user)["bring"]
    assert (bring["kind"], bring["stdout"], bring["stderr"]) == ("ok", "", "")
    assert bring["files"] == ["sub/copy.txt"]
    assert bring["copy"] == "a\n1\ndeep"
    assert bring["kept"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@levels
@users
def test_runs_at_once_do_not_meet_and_leave_no_folder(level: Level, user: User) -> None:
    report = steps(level, user)
    said = [line.split() for line in report["at once"]]
    assert [words[:2] for words in said] == [[str(n), str(n)] for n in range(4)]
    assert "0" not in {words[2] for words in said}
    assert report["left behind"] == []


def test_the_survey_tells_of_every_level_what_it_is_or_what_it_lacks() -> None:
    found = survey()
    assert [isolation.name for isolation in found] == [NAMES[level] for level in LEVELS]
    for level, isolation in zip(LEVELS, found, strict=True):
        assert isolation.level in (level, "none")
        assert isolation.reason
        assert (isolation.level == "none") == bool(isolation.advice)


def test_no_level_is_no_sandbox() -> None:
    with pytest.raises(SandboxUnavailable, match="Docker"):
        open_sandbox("none")


async def test_the_level_that_is_asked_for_is_the_one_that_is_taken() -> None:
    if try_level("reduced").level == "none":
        pytest.skip("this machine has no such level")
    sandbox = open_sandbox("reduced")
    assert isinstance(sandbox, LocalSandbox)
    try:
        assert sandbox.isolation == NAMES["reduced"]
        assert (await play(sandbox, "print(1)")).outcome.isolation == NAMES["reduced"]
    finally:
        await sandbox.close()


def test_an_ordinary_user_without_namespaces_is_told_and_gets_the_reduced_level() -> None:
    full, bubblewrap, hello, isolation = without_namespaces("user")
    assert full.startswith("No isolation of the level 'full': making namespaces was refused")
    assert "max_user_namespaces" in full or "container" in full or "AppArmor" in full
    assert bubblewrap.startswith("No isolation of the level 'bubblewrap':")
    assert "apparmor_restrict_unprivileged_userns=0" not in full + bubblewrap
    assert (hello, isolation) == ("hello", NAMES["reduced"])


def test_root_that_can_become_nobody_else_runs_nothing() -> None:
    refused = without_namespaces("root")
    assert len(refused) == 3
    for said in refused:
        assert "can become nobody else" in said
        assert "Docker" in said
        assert "E2B" in said


def test_a_machine_without_landlock_is_refused_and_sent_elsewhere() -> None:
    """The script's own filter refuses Landlock: under it, this Python is on such a machine."""
    program = f"""
        import sys
        sys.path.insert(0, {str(PROJECT)!r})
        from sandbox import kernel, probe, seccomp
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.lock(seccomp.program())
        found = probe.probe()
        print(found.level, found.reason, found.advice, sep="|")
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True)
    level, reason, advice = done.stdout.strip().split("|")
    assert level == "none"
    assert "has no Landlock" in reason
    assert "Docker" in advice
    assert "E2B" in advice


def test_the_filter_fits_into_the_kernel() -> None:
    """BPF programs end at 4096 steps, and jumps within them at 255."""
    for program in (seccomp.program(), seccomp.program_on_the_host(1, 1), seccomp.program_on_the_host(7, 1)):
        assert len(program) // 8 <= 4096
