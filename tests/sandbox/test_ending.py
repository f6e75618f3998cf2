"""The kind of an end follows from the facts, and its sentence names the limit."""

import signal
from typing import get_args

import pytest

from sandbox.base import Limits, OutcomeKind
from sandbox.cgroups import Usage
from sandbox.ending import Facts, Stopped, kind_of, sentence, told_code, told_signal

LIMITS = Limits(memory_mb=100, processes=8, seconds=5)


def facts(
    *,
    stopped: Stopped | None = None,
    why: str | None = "exit",
    code: int | None = 1,
    sig: int | None = None,
    tasks: int = 1,
    usage: Usage | None = None,
    said: str = "",
) -> Facts:
    return Facts(stopped, why, code, sig, tasks, usage or Usage(), said)


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        (facts(code=0), "ok"),
        (facts(code=0, said="MemoryError, but we went on"), "ok"),
        (facts(said="ValueError: no"), "error"),
        (facts(said="MemoryError: Unable to allocate 8 GiB"), "memory"),
        (facts(said="MemoryError was the first thing\nValueError: but not the last"), "error"),
        (facts(said="OSError: [Errno 28] No space left on device"), "disk_quota"),
        (facts(said="OSError: [Errno 27] File too large"), "file_size"),
        (facts(said="RuntimeError: can't start new thread"), "pids"),
        (facts(said="ValueError: no", tasks=8), "error"),
        (facts(why="timeout", tasks=8), "pids"),
        (facts(why="timeout", code=None), "timeout"),
        (facts(why="cpu", code=None), "cpu"),
        (facts(why="memory", code=None), "memory"),
        (facts(why=None, code=None, usage=Usage(oom_kills=1)), "memory"),
        (facts(code=None, sig=signal.SIGKILL, usage=Usage(oom_kills=1)), "memory"),
        (facts(code=None, sig=signal.SIGSEGV), "signal"),
        (facts(code=None, sig=signal.SIGXCPU), "cpu"),
        (facts(code=None, sig=signal.SIGBUS), "disk_quota"),
        (facts(stopped="output_limit", why=None, code=None), "output_limit"),
        (facts(stopped="killed_by_user", why=None, code=None), "killed_by_user"),
        (facts(stopped="timeout", why=None, code=None), "timeout"),
        (facts(why=None, code=None), None),
    ],
)
def test_facts_have_one_kind(known: Facts, kind: str | None) -> None:
    assert kind_of(known, LIMITS) == kind


@pytest.mark.parametrize(
    ("known", "code", "number"),
    [
        (facts(code=0), 0, None),
        (facts(code=3), 3, None),
        (facts(said="MemoryError"), 1, None),
        (facts(said="OSError: [Errno 28] No space left on device"), 1, None),
        (facts(stopped="timeout", code=0), 0, None),
        (facts(code=None, sig=signal.SIGSEGV), None, signal.SIGSEGV),
        (facts(code=None, sig=signal.SIGXCPU), None, None),
        (facts(usage=Usage(oom_kills=1)), None, None),
        *(
            (facts(why=why, tasks=9 if why == "pids" else 1), None, None)
            for why in ("timeout", "memory", "cpu", "pids", "disk_quota")
        ),
        *((facts(why=why, code=None, sig=9), None, None) for why in ("timeout", "memory", "cpu", "disk_quota")),
        *((facts(stopped=ours), None, None) for ours in ("timeout", "output_limit", "killed_by_user", "memory")),
        *((facts(stopped=ours, code=None, sig=9), None, None) for ours in ("timeout", "output_limit")),
    ],
)
def test_a_script_that_was_stopped_has_no_exit_code_and_only_a_crash_a_signal(
    known: Facts, code: int | None, number: int | None
) -> None:
    kind = kind_of(known, LIMITS)
    assert kind is not None
    assert (told_code(kind, known), told_signal(kind, known)) == (code, number)


@pytest.mark.parametrize("kind", get_args(OutcomeKind))
def test_every_kind_has_a_sentence(kind: OutcomeKind) -> None:
    said = sentence(kind, facts(sig=signal.SIGSEGV), LIMITS, 1.0)
    assert said.startswith(("The script", "The sandbox"))
    assert "None" not in said
