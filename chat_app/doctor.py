"""`modelwright doctor`: what works on this machine, found out by doing it, and what to do about what does not."""

import asyncio
import importlib
import json
import os
import platform
import shutil
import socket
import tempfile
import webbrowser
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Literal

from rich.console import Console
from rich.text import Text

from agents.human import LEFT_OPEN
from agents.llm.endpoint import Endpoint, Memory
from chat_app.isolation import open_for
from chat_app.model_settings import MODEL_ROLES, ModelRole, RoleStore, TestKind
from chat_app.model_testing import try_model
from chat_app.settings import Settings
from chat_app.terminal import show_fact
from chat_app.tracing import destinations
from sandbox.base import Job, Limits, Outcome, Sandbox, SandboxError, SandboxUnavailable
from sandbox.elsewhere import Place, e2b_key
from sandbox.local import LocalSandbox
from sandbox.probe import ELSEWHERE, LEVELS, NAMES, Isolation, Level, survey

State = Literal["ok", "note", "bad"]
MARKS: dict[State, tuple[str, str]] = {"ok": ("✓", "green"), "note": ("•", "yellow"), "bad": ("✗", "red")}
PACKAGES = ("langgraph", "chainlit", "pandas", "pyarrow", "scikit-learn", "lightgbm", "duckdb")
IMPORTS = ("pandas", "sklearn", "lightgbm", "pyarrow", "duckdb")
"""Those with machine code, which can be installed and still not load."""
LITTLE_DISK_GB = 1.0
DOCTORS_TESTS: Mapping[ModelRole, TestKind] = {
    "reasoning": "structured",
    "code": "code",
    "vision": "picture",
    "fallback": "structured",
}
"""What each role is there for."""
BROWSERS = ("firefox", "firefox-esr", "chromium", "chromium-browser", "google-chrome", "microsoft-edge")
"""Those that need a screen, by the names of their programs."""
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
    sandboxes: tuple[Check, ...]
    """Each level of the local sandbox, best first, then the other backends; none of them has to be there."""

    @property
    def can_run(self) -> bool:
        """Nothing that a run needs is missing."""
        return all(check.state != "bad" for check in self.checks)


async def examine(settings: Settings) -> Health:
    """Try everything that a run needs."""
    found = await asyncio.to_thread(survey)
    isolation = await _isolation(settings)
    return Health(
        (
            isolation,
            _storage(settings),
            _python(),
            _packages(),
            _machine(settings),
            _browser(settings),
            *await _models(settings),
            *await _tracing(settings),
        ),
        (*_levels(found, settings), await _docker(settings, isolation), _e2b(settings, isolation)),
    )


async def _models(settings: Settings) -> list[Check]:
    """Ask each configured model for what its role is there for; where none answers, the experts decide."""
    kept = RoleStore(settings)
    named = {role: endpoint for role in MODEL_ROLES if (endpoint := kept.answering(role)) is not None}
    if not named or kept.egress == "off":
        off = "switched off" if named else "none configured"
        return [Check("models", "ok", f"{off}: the built-in experts decide")]
    memory = Memory(settings.home / "models.json")
    return [await _model(role, endpoint, memory) for role, endpoint in named.items()]


async def _tracing(settings: Settings) -> list[Check]:
    """Who is told of spans and errors, and whether they take spans; nothing where nobody is."""
    if not settings.traced:
        return []
    from chat_app.span_export import try_out

    told = ", ".join(destinations(settings))
    problems = await asyncio.to_thread(try_out, settings)
    advice = "Work goes on without; check the addresses and keys (docs/tracing.md)." if problems else ""
    return [Check("tracing", "note" if problems else "ok", "; ".join([told, *problems]), advice)]


async def _model(role: ModelRole, endpoint: Endpoint, memory: Memory) -> Check:
    test, _ = await try_model(role, DOCTORS_TESTS[role], endpoint, memory)
    name = f"model: {role}"
    if not test.ok:
        return Check(name, "note", test.sentence.rstrip("."), test.advice)
    took = f"{test.seconds:.1f} s, {test.tokens_in + test.tokens_out:,} tokens"
    return Check(name, "ok", f"{test.endpoint}: {test.sentence.rstrip('.')} ({took})")


async def _isolation(settings: Settings) -> Check:
    """Run a script that tries to reach a door of the host, which must stay closed to it."""
    try:
        sandbox = await asyncio.to_thread(open_for, settings)
        try:
            outcome = await _knock(sandbox)
            idle = await sandbox.idle_memory_mb() if isinstance(sandbox, LocalSandbox) else 0.0
        finally:
            await sandbox.close()
    except SandboxError as error:
        return Check("isolation", "bad", str(error))
    if not outcome.ok:
        return Check("isolation", "bad", f"a script that was tried in the sandbox failed: {outcome.message}")
    text = f"{outcome.isolation}; a script ran in it just now and could not reach the network"
    held = f"; warm and idle it holds {idle:,.0f} MB" if idle else ""
    if outcome.isolation == NAMES["reduced"]:
        return Check("isolation", "note", text + held, LEFT_OPEN)
    return Check("isolation", "ok", text + held)


async def _knock(sandbox: Sandbox) -> Outcome:
    """How the script ended: ok when it found no way to a port that this process listens on. Raises SandboxError."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        script = KNOCKING.format(port=door.getsockname()[1])
        items = [item async for item in sandbox.run(Job("doctor", script, limits=Limits(seconds=20)))]
    outcome = items[-1]
    assert isinstance(outcome, Outcome), "a sandbox ends with its outcome"
    return outcome


def _levels(found: tuple[Isolation, ...], settings: Settings) -> list[Check]:
    """Every level: that it works, or what was refused and what would bring it."""
    tried = dict(zip(LEVELS, found, strict=True))
    best = next((level for level in LEVELS if tried[level].level == level), None)
    used = best if settings.sandbox == "auto" else settings.sandbox
    return [_level(level, tried[level], used=level == used) for level in LEVELS]


def _level(level: Level, found: Isolation, *, used: bool) -> Check:
    if found.level != level:
        return Check(level, "note", f"refused: {found.reason}", found.advice.removesuffix(ELSEWHERE).strip())
    return Check(level, "ok", f"{NAMES[level]}: works{', in use' if used else ''}")


async def _docker(settings: Settings, isolation: Check) -> Check:
    """Whether an engine answers and has the image."""
    if settings.sandbox == "docker":
        return _chosen("docker", isolation, f"image {settings.docker_image}")
    try:
        sandbox = await asyncio.to_thread(open_for, settings, "docker")
        try:
            await sandbox.warm()
        finally:
            await sandbox.close()
    except SandboxError as error:
        return Check("docker", "note", str(error).rstrip("."))
    return Check("docker", "ok", f"{sandbox.isolation}, image {settings.docker_image}")


def _e2b(settings: Settings, isolation: Check) -> Check:
    """A key is tried only where E2B was chosen, since that rents a machine. It is never shown."""
    if settings.sandbox == "e2b":
        return _chosen("e2b", isolation, f"template {settings.e2b_template}")
    try:
        e2b_key(settings.elsewhere)
    except SandboxUnavailable as error:
        return Check("e2b", "note", str(error).rstrip("."))
    return Check("e2b", "ok", f"a key is set and was not tried, template {settings.e2b_template}")


def _chosen(place: Place, isolation: Check, made_of: str) -> Check:
    """A place that was chosen: what the script found out that has just run there, or could not."""
    if isolation.state == "bad":
        return Check(place, "note", isolation.text.rstrip("."))
    return Check(place, "ok", f"works, {made_of}, in use")


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
        installed = next((name for name in BROWSERS if shutil.which(name)), None)
        seen = f"{installed} is installed, but there is no screen to open it on" if installed else "none found here"
        tunnel = f"over ssh, connect with `ssh -L {settings.port}:localhost:{settings.port}` first"
        return Check("browser", "note", f"{seen}: open {address} in one yourself ({tunnel})")
    return Check("browser", "ok", f"`modelwright chat` opens {address}")


def show_health(health: Health, console: Console) -> None:
    """One line per check, advice after it; the sandboxes to choose from below the one that is used."""
    width = max(len(check.name) for check in (*health.checks, *health.sandboxes)) + 2
    first, *others = health.checks
    for depth, check in ((0, first), *((1, one) for one in health.sandboxes), *((0, one) for one in others)):
        mark, style = MARKS[check.state]
        text = f"{check.text}. {check.advice}" if check.advice else check.text
        head = f"{'  ' * depth}{mark} "
        show_fact(console, Text(head, style=style), f"{check.name:{width - 2 * depth}}  ", text)


def as_json(health: Health) -> str:
    """The same for programs."""
    return json.dumps({"can_run": health.can_run, **asdict(health)}, indent=2)
