"""Finds out what isolation this machine offers by doing it once, in a child that ends right after.

    full         namespaces of the run's own       bubblewrap   the same, made by the one program that may
    reduced      no namespaces                     none         nothing that we accept: scripts do not run here

No level is ever taken in silence: its name is in every `Outcome`, at the gate and in `modelwright doctor`, and a level
that is refused says why and what would bring it.
"""

import errno
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox import landlock, syscalls

_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
_SECONDS = 30
Level = Literal["full", "bubblewrap", "reduced", "none"]
LEVELS: tuple[Level, ...] = ("full", "bubblewrap", "reduced")
"""Best first."""
NAMES = {
    "full": "namespaces + Landlock + seccomp",
    "bubblewrap": "bubblewrap + Landlock + seccomp",
    "reduced": "reduced: Landlock + seccomp without namespaces",
}
ELSEWHERE = "Scripts can also run elsewhere: in Docker containers, or on machines rented from E2B."
_BWRAP_PROFILE = "abi <abi/4.0>, include <tunables/global> profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }"


@dataclass(frozen=True)
class Isolation:
    """What protects this machine from a script."""

    level: Level
    """"none" where it was refused."""
    name: str
    """In words, shown at the gate."""
    reason: str
    """How we know, or what was refused."""
    advice: str
    """What to install or switch on; empty when nothing is missing."""


def command(function: str) -> list[str]:
    """A fresh Python, without user site and startup files of ours, that calls a function of this package."""
    module, _, name = function.rpartition(".")
    root = str(Path(__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r}); from {module} import {name}; {name}(*map(int, sys.argv[1:]))"
    return [sys.executable, "-P", "-s", "-c", code]


def try_level(level: Level) -> Isolation:
    """Do the real thing once and say whether it works, in about 0.2 s; refused: level "none", with what would help."""
    if level == "none":
        return Isolation("none", "none", "no level was asked for", ELSEWHERE)
    lacking = _lacking()
    if lacking is not None:
        return Isolation("none", NAMES[level], *lacking)
    try:
        attempt = [*command("sandbox.probe.attempt"), str(LEVELS.index(level))]
        tried = subprocess.run(attempt, env=_ENV, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return Isolation("none", NAMES[level], f"the trial did not end within {_SECONDS} s", _advice(level))
    said = tried.stdout.strip()
    if said == "yes":
        return Isolation(level, NAMES[level], f"tried: it works (Landlock ABI {landlock.version()})", "")
    reason = said or tried.stderr.strip().rpartition("\n")[2][-300:] or "the trial ended without a word"
    return Isolation("none", NAMES[level], reason, _advice(level, reason))


def survey() -> tuple[Isolation, ...]:
    """Every level, tried, best first."""
    return tuple(try_level(level) for level in LEVELS)


def probe() -> Isolation:
    """The best level that works; "none" with the reason and the advice for the best when none does."""
    refused = []
    for level in LEVELS:
        found = try_level(level)
        if found.level != "none":
            return found
        refused.append(found)
    reasons = {isolation.reason: isolation.name for isolation in reversed(refused)}  # a common reason is told once
    told = list(reasons) if len(reasons) == 1 else [f"{name}: {reason}" for reason, name in reversed(reasons.items())]
    advice = refused[0].advice.removesuffix(ELSEWHERE).strip()
    return Isolation("none", "none", "; ".join(told), f"{advice} {ELSEWHERE}")


def _lacking() -> tuple[str, str] | None:
    """(what every level needs and is not there, what would help), if so."""
    if sys.platform != "linux":
        return f"this system is {sys.platform}", f"Run Modelwright on Linux (on Windows inside WSL 2). {ELSEWHERE}"
    if not syscalls.supported():
        return (
            f"the processor is {platform.machine()}, neither x86-64 nor arm64",
            f"Run Modelwright on an x86-64 or arm64 machine. {ELSEWHERE}",
        )
    if landlock.version() == 0:
        return (
            f"the kernel ({platform.release()}) has no Landlock, or hides it",
            "Use Linux 5.13 or newer, started with lsm=landlock,... if it is off; in a container, a newer engine. "
            f"{ELSEWHERE}",
        )
    if _is_bound_to_be_root():
        return (
            "this process is the host's root and can become nobody else here",
            f"Start Modelwright as an ordinary user, or with more user ids (a longer uid_map). {ELSEWHERE}",
        )
    return None


def _is_bound_to_be_root() -> bool:
    """Root, in a user namespace that shows no other user, of somebody who is root as well."""
    from sandbox import box

    maps = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return os.geteuid() == 0 and not box.is_root() and any(inner == outer == 0 for inner, outer, _ in maps)


def _advice(level: Level, reason: str = "") -> str:
    if any(os.strerror(number) in reason for number in (errno.EMFILE, errno.ENFILE)):
        return "Allow more open files (ulimit -n 1024)."
    advice = {"full": _for_full, "bubblewrap": _for_bubblewrap, "reduced": _for_reduced}[level]()
    return f"{advice} {ELSEWHERE}"


def _restricted_by_apparmor() -> bool:
    setting = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    return os.geteuid() != 0 and setting.exists() and setting.read_text().strip() != "0"


def _in_container() -> bool:
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def _for_full() -> str:
    if _restricted_by_apparmor():
        return (
            "AppArmor keeps ordinary users from making namespaces here: allow it for this Python with a profile in "
            f"/etc/apparmor.d/: profile modelwright {os.path.realpath(sys.executable)} flags=(unconfined) {{ userns, }}"
        )
    if _in_container():
        return (
            "Start the container with --cap-add SYS_ADMIN --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined."
        )
    return (
        "Switch on user namespaces: sysctl -w user.max_user_namespaces=15000 and, on Debian, "
        "sysctl -w kernel.unprivileged_userns_clone=1."
    )


def _for_bubblewrap() -> str:
    from sandbox import bubblewrap

    if bubblewrap.program() is None:
        return "Install bubblewrap 0.8 or newer (apt install bubblewrap, dnf install bubblewrap)."
    if _restricted_by_apparmor():
        return f"Give bwrap a profile, /etc/apparmor.d/bwrap: {_BWRAP_PROFILE} Then load it with apparmor_parser -r."
    if _in_container():
        return _for_full()
    return f"Bubblewrap must be 0.8 or newer. {_for_full()}"


def _for_reduced() -> str:
    if os.geteuid() == 0:
        return (
            "As root, a script becomes another user first: the Python of Modelwright must lie where everybody may read "
            f"it (it is {os.path.realpath(sys.executable)}), and a container needs CAP_SETUID and CAP_SETGID. "
            "Or start Modelwright as an ordinary user."
        )
    return "Use Linux 5.13 or newer; in a container, an engine whose seccomp profile lets Landlock through."


def attempt(level: int) -> None:
    """Go the whole way with nothing to run; prints "yes" or what was refused. For `try_level` only."""
    from sandbox import box, bubblewrap, reduced

    os.umask(0o022)  # else the user that root becomes could not enter the folders that root has made
    {"full": box.rehearse, "bubblewrap": bubblewrap.rehearse, "reduced": reduced.rehearse}[LEVELS[level]]()
