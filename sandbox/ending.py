"""From the facts about a run's end to its kind and one sentence for the user."""

import re
import signal
from dataclasses import dataclass
from typing import Literal

from sandbox.base import Limits, OutcomeKind
from sandbox.cgroups import Usage

Stopped = Literal["output_limit", "killed_by_user", "memory", "timeout"]
"""Why the application itself ended a run."""

_HINTS: tuple[tuple[str, OutcomeKind], ...] = (
    (r"MemoryError|Unable to allocate|std::bad_alloc|ArrowMemoryError", "memory"),
    (r"No space left on device|Disk quota exceeded", "disk_quota"),
    (r"File too large", "file_size"),
    (r"can't start new thread|Resource temporarily unavailable|BlockingIOError", "pids"),
)
_SIGNALS: dict[int, OutcomeKind] = {
    signal.SIGXCPU: "cpu",
    signal.SIGXFSZ: "file_size",
    signal.SIGBUS: "disk_quota",
}


@dataclass(frozen=True)
class Facts:
    """What is known when a run is over."""

    stopped: Stopped | None
    """Set when the application ended it."""
    why: str | None
    """What process 1 told: "exit", "timeout", "memory", "cpu", "pids", "disk_quota"; None when it was killed first."""
    exit_code: int | None
    signal: int | None
    most_tasks: int
    usage: Usage
    stderr_tail: str


def _hinted(tail: str) -> OutcomeKind | None:
    """What the last line of a traceback blames, if it is one of our limits."""
    lines = [line for line in tail.rstrip().splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    return next((kind for pattern, kind in _HINTS if re.search(pattern, last)), None)


def kind_of(facts: Facts, limits: Limits) -> OutcomeKind | None:
    """The kind, or None when nothing explains the end (a broken sandbox)."""
    if facts.stopped in ("output_limit", "killed_by_user"):
        return facts.stopped
    if facts.why == "exit" and facts.exit_code == 0:
        return "ok"
    if facts.usage.oom_kills or "memory" in (facts.stopped, facts.why):
        return "memory"
    if facts.why == "disk_quota":
        return "disk_quota"
    if _ran_out_of_tasks(facts, limits):
        return "pids"
    if facts.stopped or facts.why in ("timeout", "cpu"):
        return "cpu" if facts.why == "cpu" else "timeout"
    if facts.signal is not None:
        return _SIGNALS.get(facts.signal, "signal")
    if facts.why == "exit":
        return _hinted(facts.stderr_tail) or "error"
    return None


def told_code(kind: OutcomeKind, facts: Facts) -> int | None:
    """The exit code that a script chose; None when it was stopped, whatever it managed to say on its way out."""
    by_itself = facts.why == "exit" and facts.stopped is None and not facts.usage.oom_kills
    return facts.exit_code if by_itself or kind == "ok" else None


def told_signal(kind: OutcomeKind, facts: Facts) -> int | None:
    """The signal that a script crashed with; none of ours, and none that is a limit's way to say so."""
    return facts.signal if kind == "signal" else None


def _ran_out_of_tasks(facts: Facts, limits: Limits) -> bool:
    """A script that met the limit and then failed for another reason has told that reason itself."""
    met = facts.usage.refused_tasks > 0 or facts.most_tasks >= limits.processes
    return met and (facts.why != "exit" or _hinted(facts.stderr_tail) == "pids")


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def sentence(kind: OutcomeKind, facts: Facts, limits: Limits, seconds: float) -> str:
    """What happened and which limit it met, for the user."""
    lines = facts.stderr_tail.rstrip().splitlines()
    said = f": {lines[-1].strip()[:300]}" if lines else "."
    cpu_seconds = limits.cpu_seconds or limits.cpus * limits.seconds
    return {
        "ok": f"The script finished in {seconds:.1f} s.",
        "error": f"The script stopped with an error (exit code {facts.exit_code}){said}",
        "timeout": f"The script was stopped after {limits.seconds:g} s, the time limit of this run.",
        "memory": f"The script needed more than the {limits.memory_mb} MB of memory that this run may use.",
        "cpu": f"The script used more than {cpu_seconds:g} s of processor time, this run's limit.",
        "pids": f"The script started more than {limits.processes} processes and threads, the limit of this run.",
        "disk_quota": f"The script wrote more files than fit into the {limits.written_mb} MB that this run may write.",
        "file_size": f"The script wrote a file larger than {limits.written_mb} MB, the limit of this run.",
        "output_limit": f"The script was stopped after printing more than {limits.output_mb} MB, this run's limit.",
        "signal": f"The script crashed ({_signal_name(facts.signal)}).",
        "killed_by_user": "The script was stopped on request.",
        "sandbox_broken": "The sandbox failed; nothing can be concluded about the script.",
    }[kind]
