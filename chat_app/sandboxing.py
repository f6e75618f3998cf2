"""`modelwright sandbox run`: any Python file in the sandbox, its words on our streams, its end as a line or as JSON."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from chat_app.delivery import DeliveryError, try_writing
from chat_app.exits import BAD_INPUT, DONE, FAILED, INTERRUPTED, NO_ISOLATION, SCRIPT_FAILED, CommandError
from chat_app.printable import printable
from sandbox.base import (
    MAX_INPUT_NAME,
    Artifact,
    Job,
    Limits,
    Metric,
    Outcome,
    Output,
    Sandbox,
    SandboxError,
    SandboxUnavailable,
)
from tools.ingest.errors import counted
from tools.lint import Finding, check

WAS_STOPPED = "The script was stopped on request."
_ON_A_TERMINAL = ("\n", "\t", "\r")


@dataclass(frozen=True)
class Order:
    """What was typed."""

    script: str
    inputs: Mapping[str, Path]
    """Name under inputs/ -> file or folder."""
    out: Path | None
    limits: Limits
    as_json: bool = False


class Voice(Protocol):
    """Where everything goes that there is to say about a run."""

    def warn(self, findings: Sequence[Finding]) -> None:
        """What the check would refuse."""
        ...

    def hear(self, event: Output | Metric) -> None:
        """What the script says."""
        ...

    def end(self, outcome: Outcome, files: Sequence[Artifact], out: Path | None) -> None:
        """How it ended."""
        ...


async def run_script(order: Order, open_: Callable[[], Sandbox]) -> int:
    """Run it; the exit code of the command.

    Raises CommandError, and without JSON also SandboxError.
    """
    voice: Voice = Record() if order.as_json else Live()
    try:
        with _place(order.out) as place:
            outcome = await _run(order, open_, voice, place / "outputs")
            if order.out is not None:
                _deliver(outcome.files, order.out)
            voice.end(outcome, outcome.files, order.out)
    except SandboxError as error:
        if not order.as_json:
            raise
        voice.end(Outcome("sandbox_broken", str(error), "none"), (), None)
        return NO_ISOLATION if isinstance(error, SandboxUnavailable) else FAILED
    if outcome.kind == "killed_by_user":
        return INTERRUPTED
    return DONE if outcome.ok else SCRIPT_FAILED


def stopped_early() -> int:
    """Say in JSON that it was stopped before the sandbox was there; the exit code of the command."""
    Record().end(Outcome("killed_by_user", WAS_STOPPED, "none"), (), None)
    return INTERRUPTED


async def _run(order: Order, open_: Callable[[], Sandbox], voice: Voice, outputs: Path) -> Outcome:
    job = Job("script", order.script, order.inputs, outputs, order.limits)
    run = _Run(job)
    try:
        with _signals(run.stop):
            run.sandbox = await asyncio.to_thread(open_)
            findings, _ = await asyncio.gather(asyncio.to_thread(_objections, order.script), run.sandbox.warm())
            voice.warn(findings)
            return await _followed(run.sandbox, job, voice)
    except asyncio.CancelledError:
        run.task.uncancel()  # the user's wish was heard; what is left is to say so
        return Outcome("killed_by_user", WAS_STOPPED, run.sandbox.isolation if run.sandbox else "none")
    finally:
        if run.sandbox is not None:
            await run.sandbox.close()


async def _followed(sandbox: Sandbox, job: Job, voice: Voice) -> Outcome:
    async with aclosing(sandbox.run(job)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, Outcome):
                return event
            voice.hear(event)
    raise AssertionError("a sandbox ends with its outcome")


def _objections(script: str) -> list[Finding]:
    """What would keep this script from running elsewhere in the product."""
    return [found for found in check(script) if found.blocks and found.severity == "security"]


class _Run:
    """What a signal has to end: the script when there is one, else the work towards it."""

    def __init__(self, job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self.sandbox: Sandbox | None = None
        self._job = job
        self._stopping: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """The run ends with an outcome; a second time does not wait for it."""
        if self._stopping is None and self.sandbox is not None:
            self._stopping = asyncio.create_task(self._stop(self.sandbox))
        else:
            self.task.cancel()

    async def _stop(self, sandbox: Sandbox) -> None:
        if not await sandbox.stop(self._job.id):
            self.task.cancel()


@contextmanager
def _signals(handle: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal, while there is something to end; then only a last line is missing."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            loop.add_signal_handler(number, lambda: None)


# What goes in and what comes out


def named_inputs(paths: Iterable[Path]) -> dict[str, Path]:
    """Each file or folder by the name it will have under inputs/. Raises CommandError."""
    inputs: dict[str, Path] = {}
    for path in paths:
        real = path.expanduser().absolute()
        name = real.name if real.name not in ("", "..") else real.resolve().name
        _check_input(path, real, name)
        other = inputs.get(name)
        if other is not None and not other.samefile(real):
            raise CommandError(BAD_INPUT, f"Both {other} and {path} would be inputs/{name}; rename one of them.")
        inputs[name] = real
    return inputs


def _check_input(typed: Path, real: Path, name: str) -> None:
    if not real.exists():
        raise CommandError(BAD_INPUT, f"There is no file {typed}.")
    if not (real.is_file() or real.is_dir()):
        raise CommandError(BAD_INPUT, f"{typed} is neither a file nor a folder, so it cannot be an input.")
    if not os.access(real, os.R_OK | (os.X_OK if real.is_dir() else 0)):
        raise CommandError(BAD_INPUT, f"{typed} cannot be read: Permission denied.")
    if not name or len(os.fsencode(name)) > MAX_INPUT_NAME:
        raise CommandError(BAD_INPUT, f"{typed} cannot be an input: it needs a name of 1 to {MAX_INPUT_NAME} bytes.")


def usable_out(out: Path, *, overwrite: bool) -> Path:
    """The folder for the files, not made yet. Raises CommandError."""
    folder = Path(os.path.realpath(out.expanduser()))
    if folder.exists() and not folder.is_dir():
        raise CommandError(BAD_INPUT, f"{out} is a file; --out needs a folder.")
    try:
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise CommandError(
                BAD_INPUT,
                f"{out} holds files already; name a new or empty folder, or add --overwrite to replace files there "
                "that have the names of new ones.",
            )
        try_writing(folder)
    except DeliveryError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    except OSError as error:
        raise CommandError(BAD_INPUT, f"{out} cannot be read: {error.strerror}.") from error
    return folder


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    """A folder for the files on their way: on the disk where they will stay, so that they are only renamed then."""
    nearest = out
    while nearest is not None and not nearest.exists():
        nearest = nearest.parent
    with tempfile.TemporaryDirectory(prefix=".modelwright-", dir=nearest) as folder:
        yield Path(folder)


def _deliver(files: Iterable[Artifact], out: Path) -> None:
    """Rename each file to where it belongs; files of other names stay. Raises CommandError."""
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = out / file.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.parent.resolve().is_relative_to(out):
                raise CommandError(FAILED, f"{target.parent} leads out of the folder of --out; nothing goes there.")
            file.path.replace(target)
        except OSError as error:
            raise CommandError(FAILED, f"{target} could not be written: {error.strerror}.") from error


# What is said


class Live:
    """The script's words as they come, on the stream it chose; ours on stderr."""

    def __init__(self) -> None:
        self._line_is_open = False

    def warn(self, findings: Sequence[Finding]) -> None:
        """One line each."""
        for found in findings:
            _tell(f"Warning: line {found.line}: {found.sentence} ({found.rule})")

    def hear(self, event: Output | Metric) -> None:
        """On a terminal without what could steer it."""
        stream, text = _spoken(event)
        shown = _harmless(text) if stream.isatty() else text
        stream.write(shown)
        stream.flush()
        self._line_is_open = stream.isatty() and not shown.endswith("\n")

    def end(self, outcome: Outcome, files: Sequence[Artifact], out: Path | None) -> None:
        """The last line."""
        if self._line_is_open:
            sys.stderr.write("\n")
        facts = (
            outcome.kind,
            f"{outcome.seconds:.1f} s",
            f"{outcome.peak_memory_mb:,.0f} MB at its peak",
            _whereabouts(files, out),
            outcome.isolation,
        )
        if outcome.left_behind:
            _tell(f"Left behind in outputs/: {', '.join(outcome.left_behind)}.")
        _tell(f"{outcome.message} [{' · '.join(facts)}]")


def _spoken(event: Output | Metric) -> tuple[TextIO, str]:
    if isinstance(event, Metric):
        return sys.stdout, f"@@{json.dumps(dict(event.values))}\n"
    return (sys.stderr if event.stream == "stderr" else sys.stdout), event.text


def _harmless(text: str) -> str:
    return "".join(one if one.isprintable() or one in _ON_A_TERMINAL else "�" for one in text)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"modelwright: {printable(sentence)}\n")
    sys.stderr.flush()


def _whereabouts(files: Sequence[Artifact], out: Path | None) -> str:
    if not files:
        return "no files"
    if out is None:
        return f"{counted(len(files), 'file')} thrown away without --out"
    here = Path.cwd().resolve()
    return f"{counted(len(files), 'file')} in {out.relative_to(here) if out.is_relative_to(here) else out}"


@dataclass
class Record:
    """Everything in one JSON object on stdout when the run is over, and nothing before."""

    findings: Sequence[Finding] = ()
    said: dict[str, list[str]] = field(default_factory=lambda: {"stdout": [], "stderr": []})
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def warn(self, findings: Sequence[Finding]) -> None:
        """Keep it."""
        self.findings = findings

    def hear(self, event: Output | Metric) -> None:
        """Keep it; the sandbox has a limit for how much that can be."""
        if isinstance(event, Metric):
            self.metrics.append(dict(event.values))
        else:
            self.said[event.stream].append(event.text)

    def end(self, outcome: Outcome, files: Sequence[Artifact], out: Path | None) -> None:
        """Write the object."""
        told = {
            "outcome": outcome.kind,
            "exit_code": outcome.exit_code,
            "seconds": round(outcome.seconds, 3),
            "peak_memory_mb": round(outcome.peak_memory_mb, 1),
            **{name: "".join(pieces) for name, pieces in self.said.items()},
            "truncated": outcome.kind == "output_limit",
            "files": [{"name": file.name, "bytes": file.bytes} for file in files],
            "left_behind": outcome.left_behind,
            "isolation": outcome.isolation,
            "message": outcome.message,
            "signal": outcome.signal,
            "cpu_seconds": round(outcome.cpu_seconds, 3),
            "output_bytes": outcome.output_bytes,
            "cost_seconds": round(outcome.cost_seconds, 3),
            "metrics": self.metrics,
            "findings": [{"line": one.line, "rule": one.rule, "sentence": one.sentence} for one in self.findings],
        }
        sys.stdout.write(f"{json.dumps(told, indent=2)}\n")
        sys.stdout.flush()
