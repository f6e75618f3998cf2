"""Picks the sandbox for this machine, or says why there is none."""

from sandbox.base import Sandbox, SandboxUnavailable
from sandbox.local import LocalSandbox
from sandbox.probe import probe


def open_sandbox() -> Sandbox:
    """The best sandbox that works here. Raises `SandboxUnavailable` with what to switch on; never runs unprotected."""
    isolation = probe()
    if isolation.level == "none":
        raise SandboxUnavailable(f"No isolation for running scripts: {isolation.reason}. {isolation.advice}")
    return LocalSandbox(isolation)
