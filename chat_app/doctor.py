"""`modelwright doctor`: what works on this machine, found out by doing it, and what to do about what does not."""

import importlib
import os
import platform
import shutil
import socket
import tempfile
import webbrowser
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from rich.console import Console
from rich.text import Text

from chat_app.settings import Settings
from chat_app.terminal import show_fact
from sandbox.base import Job, Limits, Outcome, SandboxError
from sandbox.choose import open_sandbox

State = Literal["ok", "note", "bad"]
MARKS: dict[State, tuple[str, str]] = {"ok": ("✓", "green"), "note": ("•", "yellow"), "bad": ("✗", "red")}
PACKAGES = ("langgraph", "chainlit", "pandas", "pyarrow", "scikit-learn", "lightgbm", "duckdb")
IMPORTS = ("pandas", "sklearn", "lightgbm", "pyarrow", "duckdb")
"""Those with machine code, which can be installed and still not load."""
LITTLE_DISK_GB = 1.0
KNOCKING = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2).close()
except OSError:
    raise SystemExit(0)
raise SystemExit("the host's network can be reached")
"""


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    name: str
    state: State
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Health:
    """All checks of this machine."""

    checks: tuple[Check, ...]

    @property
    def can_run(self) -> bool:
        """Nothing that a run needs is missing."""
        return all(check.state != "bad" for check in self.checks)


async def examine(settings: Settings) -> Health:
    """Try everything that a run needs."""
    return Health(
        (
            await _isolation(),
            _storage(settings),
            _python(),
            _packages(),
            _machine(settings),
            _browser(settings),
            Check("models", "ok", "none configured: the built-in experts decide"),
        )
    )


async def _isolation() -> Check:
    """Run a script that tries to reach a door of the host, which must stay closed to it."""
    try:
        outcome = await _knock()
    except SandboxError as error:
        return Check("isolation", "bad", str(error))
    if not outcome.ok:
        return Check("isolation", "bad", f"a script that was tried in the sandbox failed: {outcome.message}")
    return Check("isolation", "ok", f"{outcome.isolation}; a script ran in it just now and could not reach the network")


async def _knock() -> Outcome:
    """How the script ended: ok when it found no way to a port that this process listens on. Raises SandboxError."""
    sandbox = open_sandbox()
    try:
        with socket.create_server(("127.0.0.1", 0)) as door:
            script = KNOCKING.format(port=door.getsockname()[1])
            items = [item async for item in sandbox.run(Job("doctor", script, limits=Limits(seconds=20)))]
    finally:
        await sandbox.close()
    outcome = items[-1]
    assert isinstance(outcome, Outcome), "a sandbox ends with its outcome"
    return outcome


def _storage(settings: Settings) -> Check:
    try:
        settings.prepare_home()
        with tempfile.TemporaryDirectory(dir=settings.home, prefix=".doctor-"):
            pass
        free = shutil.disk_usage(settings.home).free / 2**30
    except OSError as error:
        advice = "Name a folder that can be written with MODELWRIGHT_HOME."
        return Check("storage", "bad", f"{settings.home} cannot be written: {error.strerror}", advice)
    if free < LITTLE_DISK_GB:
        return Check("storage", "note", f"only {free:.1f} GB free in {settings.home}", "Make room before a long run.")
    return Check("storage", "ok", f"{settings.home}, {free:.0f} GB free")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.release()}")


def _packages() -> Check:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    for name in IMPORTS:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            advice = (
                "Install libgomp1 (apt-get install libgomp1)." if "libgomp" in str(error) else "Run make run again."
            )
            return Check("packages", "bad", f"{name} does not load: {error}", advice)
    return Check("packages", "ok", versions)


def _machine(settings: Settings) -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = f"{cores} cores; a script may use {settings.cpus:g} of them and {settings.memory_mb:,} MB"
    return Check("machine", "ok", text)


def _browser(settings: Settings) -> Check:
    address = f"http://localhost:{settings.port}"
    try:
        webbrowser.get()
    except webbrowser.Error:
        return Check("browser", "note", f"none found here: open {address} in one yourself")
    return Check("browser", "ok", f"`modelwright chat` opens {address}")


def show_health(health: Health, console: Console) -> None:
    """One line per check, advice after it."""
    for check in health.checks:
        mark, style = MARKS[check.state]
        text = f"{check.text}. {check.advice}" if check.advice else check.text
        show_fact(console, Text(f"{mark} ", style=style), f"{check.name:9}  ", text)
