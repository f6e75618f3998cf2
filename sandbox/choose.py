"""Picks the sandbox for this machine, or says why there is none."""

from sandbox.base import Sandbox, SandboxUnavailable
from sandbox.local import LocalSandbox
from sandbox.probe import Level, probe, try_level


def open_sandbox(level: Level | None = None) -> Sandbox:
    """The best sandbox that works here, or the one of the level that is asked for and no other.

    Raises `SandboxUnavailable` with what to switch on; never runs unprotected, never at a lower level than asked for.
    """
    isolation = probe() if level is None else try_level(level)
    if isolation.level == "none":
        asked = "No isolation for running scripts" if level is None else f"No isolation of the level {level!r}"
        raise SandboxUnavailable(f"{asked}: {isolation.reason}. {isolation.advice}")
    return LocalSandbox(isolation)
