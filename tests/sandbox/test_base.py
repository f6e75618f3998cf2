"""Limits and names that would lift a protection or trip the sandbox are refused before anything starts."""

import math
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.base import MAX_INPUT_NAME, Job, Limits, SandboxError, check
from sandbox.local import LocalSandbox
from sandbox.probe import try_level
from tests.sandbox.scenes import job, play


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
def test_a_limit_that_limits_nothing_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}, but a limit must be a number above 0"):
        replace(Limits(), **{name: value})


def test_small_limits_are_limits() -> None:
    assert Limits(cpus=0.01, memory_mb=1, seconds=0.1, processes=1, written_mb=1, output_mb=1, cpu_seconds=0.1)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "\ud83d", "日" * 100, "x" * (MAX_INPUT_NAME + 1)])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in inputs/"):
        check(job("", inputs={name: Path("/etc/hostname")}))


async def test_the_longest_and_oddest_names_arrive(sandbox: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    names = ["日" * (MAX_INPUT_NAME // 3), "x" * MAX_INPUT_NAME, "a b\n*?", os.fsdecode(b"\xff.csv")]
    played = await play(
        sandbox, "import os\nprint(ascii(os.listdir('inputs')))", inputs=dict.fromkeys(names, tmp_path / "a")
    )
    assert all(ascii(name) in played.stdout for name in names), played.stderr


@pytest.mark.parametrize("name", ["", "A=B", "A\0", "\ud83d"])
def test_a_name_that_no_variable_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of an environment variable"):
        check(Job("a", "", environment={name: "x"}))


@pytest.mark.parametrize("value", ["a\0b", "\ud83d"])
def test_a_value_that_no_variable_can_have_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="the environment variable A has a value"):
        check(Job("a", "", environment={"A": value}))


def test_ordinary_variables_pass() -> None:
    check(Job("a", "", environment={"A": "", "B_2": "ä = ö\n"}))


def test_a_file_that_has_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="The input a is not there any more"):
        check(job("", inputs={"a": tmp_path / "a"}))


async def test_a_run_with_a_bad_name_never_begins(sandbox: LocalSandbox) -> None:
    with pytest.raises(ValueError, match="environment variable"):
        await play(sandbox, "print(1)", environment={"A=B": "x"})


async def test_a_script_with_a_zero_byte_is_the_scripts_own_fault(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "print('\0')")
    assert played.outcome.kind == "error"
    assert "null bytes" in played.outcome.message


def with_descriptors(most: int, program: str) -> str:
    """What a program prints that may have so many."""
    words = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))\n{program}"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def test_a_level_that_lacks_descriptors_says_so_and_what_helps() -> None:
    if try_level("full").level == "none":
        pytest.skip("the full level does not work here at all")
    program = (
        "from sandbox.probe import try_level\nfound = try_level('full')\nprint(found.level, found.reason, found.advice)"
    )
    said = with_descriptors(12, program)
    assert said.startswith("none ")
    assert "Too many open files" in said
    assert said.endswith("Allow more open files (ulimit -n 1024).\n")


def test_a_folder_that_could_not_be_finished_is_taken_back(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from typing import Any
from sandbox import staging
held = []
try:
    while True: held.append(open("/dev/null"))
except OSError: pass
try: staging.make(Path({str(tmp_path)!r}))
except OSError as problem: print(problem.strerror)
"""
    assert with_descriptors(30, program) == "Too many open files\n"
    assert list(tmp_path.iterdir()) == []
