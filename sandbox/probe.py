"""Finds out what isolation this machine offers by doing it once, in a child that ends right after."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from sandbox import landlock, syscalls

_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
_SECONDS = 30
FULL = "namespaces + Landlock + seccomp"


@dataclass(frozen=True)
class Isolation:
    """What protects this machine from a script."""

    level: Literal["full", "none"]
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


def _none(reason: str, advice: str) -> Isolation:
    return Isolation("none", "none", reason, advice)


def probe() -> Isolation:
    """Try the real thing and say what works; takes about 0.2 s. Raises nothing."""
    if sys.platform != "linux":
        return _none(f"this system is {sys.platform}", "Run Modelwright on Linux (on Windows inside WSL 2).")
    if not syscalls.supported():
        return _none("this processor is neither x86-64 nor arm64", "Run Modelwright on an x86-64 or arm64 machine.")
    if landlock.version() == 0:
        return _none(
            "the kernel has no Landlock", "Use Linux 5.13 or newer, started with lsm=landlock,... if it is off."
        )
    tried = subprocess.run(command("sandbox.probe.attempt"), env=_ENV, capture_output=True, text=True, timeout=_SECONDS)
    said = tried.stdout.strip()
    if said == "yes":
        return Isolation("full", FULL, f"tried: it works (Landlock ABI {landlock.version()})", "")
    return _none(said or tried.stderr.strip().rpartition("\n")[2][-300:] or "the trial ended without a word", _advice())


def _advice() -> str:
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists() and os.geteuid() != 0:
        return (
            "AppArmor keeps ordinary users from making namespaces here: allow it for this Python with a profile in "
            f"/etc/apparmor.d/: profile modelwright {os.path.realpath(sys.executable)} flags=(unconfined) {{ userns, }}"
        )
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "Start the container with --cap-add SYS_ADMIN --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined."
        )
    return (
        "Switch on user namespaces: sysctl -w user.max_user_namespaces=15000 and, on Debian, "
        "sysctl -w kernel.unprivileged_userns_clone=1."
    )


def attempt() -> NoReturn:
    """Build an empty box and lock this process in; prints "yes" or what was refused. For `probe` only."""
    from sandbox import box

    box.rehearse()
