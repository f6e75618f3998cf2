"""What every sandbox promises: `Sandbox.run(job)` streams what the script says and ends with one typed `Outcome`.

A failing *script* is a result (an `Outcome`); a failing *sandbox* is an exception:

    SandboxError
      SandboxUnavailable   this machine offers no isolation that we accept; the message says what to switch on
      SandboxBroken        the sandbox itself failed in mid-run; nothing may be concluded about the script

A script that stays and answers (a saved model that predicts) is a `Session`, begun with `Sandbox.serve(job)`.

What a script finds: its working folder with `inputs/` (read-only, the names of `Job.inputs`) and `outputs/` (the one
place it may write besides a private /tmp), the scientific Python environment (read-only), no network, no environment of
ours. A line on stdout that starts with `@@` and goes on with a JSON object is a `Metric`, every other line is `Output`.
"""

import math
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol

OutcomeKind = Literal[
    "ok",
    "error",
    "timeout",
    "memory",
    "cpu",
    "pids",
    "disk_quota",
    "file_size",
    "output_limit",
    "signal",
    "killed_by_user",
    "sandbox_broken",
]
MAX_INPUT_NAME = 200
"""Bytes."""
_INPUT_NAME = re.compile(r"[^/\0]+")


class SandboxError(Exception):
    """Base: the sandbox is to blame, not the script."""


class SandboxUnavailable(SandboxError):
    """No isolation that we accept is available here; the message says what to install or switch on."""


class SandboxBroken(SandboxError):
    """The sandbox failed in mid-run."""


class SessionEnded(Exception):
    """A script that should have stayed and answered has ended; `outcome` says how.

    `asked` is False when it had ended before this request was sent, so that the request is not to blame.
    """

    def __init__(self, outcome: "Outcome", *, asked: bool = True) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome
        self.asked = asked


@dataclass(frozen=True)
class Limits:
    """What one run may use. Sizes in MB of 2**20 bytes, times in seconds."""

    cpus: float = 2
    memory_mb: int = 2048
    seconds: float = 120
    """Wall clock from the first line of user code."""
    processes: int = 64
    written_mb: int = 512
    """All files in outputs/ together."""
    output_mb: int = 10
    """stdout and stderr together."""
    cpu_seconds: float | None = None
    """Processor time of all processes together; None: what the cores can give in the time, cpus x seconds."""

    def __post_init__(self) -> None:
        """Nothing, less than nothing or no number would lift a limit where the kernel reads it."""
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{one.name} is {value}, but a limit must be a number above 0")


@dataclass(frozen=True)
class Job:
    """One script to run, with everything it may touch named by us (never by the script)."""

    id: str
    """Names the run in logs; the same id twice at the same time is an error."""
    script: str
    """Python source."""
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Name under inputs/ -> file or folder on the host, shown read-only."""
    outputs: Path | None = None
    """Host folder that receives the regular files of outputs/ when the run is over; None: they are thrown away."""
    limits: Limits = Limits()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the clean environment; nothing of ours is inherited."""


def check(job: Job) -> None:
    """Names that we chose badly are our error, and a file that has gone is worth a sentence.

    Raises ValueError and `SandboxError`, before anything has started.
    """
    for name, path in job.inputs.items():
        if not _INPUT_NAME.fullmatch(name) or name in (".", "..") or not 0 < _bytes(name) <= MAX_INPUT_NAME:
            raise ValueError(f"{name!r} cannot be a name in inputs/ (use a plain file name)")
        if not path.exists():
            raise SandboxError(f"The input {name} is not there any more.")
    for name, value in job.environment.items():
        if "=" in name or "\0" in name or not _bytes(name):
            raise ValueError(f"{name!r} cannot be the name of an environment variable (use letters and digits)")
        if "\0" in value or (value and not _bytes(value)):
            raise ValueError(f"the environment variable {name} has a value that no program can be given")


def _bytes(text: str) -> int:
    """Length as the system sees it; 0 for what is empty or cannot be written (half of a character pair)."""
    try:
        return len(os.fsencode(text))
    except UnicodeEncodeError:
        return 0


@dataclass(frozen=True)
class Output:
    """A piece of text that the script wrote."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True)
class Metric:
    """A progress record that the script reported: untrusted, for live charts only."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A regular file that the script left in outputs/: name relative to it, made safe."""

    name: str
    path: Path
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """How the run ended; `message` is one sentence for the user."""

    kind: OutcomeKind
    message: str
    isolation: str
    """The level used, e.g. "namespaces + Landlock + seccomp"."""
    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    output_bytes: int = 0
    cost_seconds: float = 0.0
    """What a rented machine bills for this run; 0 on machines of our own."""
    files: tuple[Artifact, ...] = ()
    left_behind: tuple[str, ...] = ()
    """What else was in outputs/ and did not come out, safe names with the reason: links, devices, folders too deep."""

    @property
    def ok(self) -> bool:
        """True when the script came to its own end with exit code 0."""
        return self.kind == "ok"


class Session(Protocol):
    """A script that stays and answers: requests come on its stdin, answers go to its stdout, as frames.

    A frame is eight bytes of length (big-endian) and as many bytes of content. What the script prints to stderr is log.
    Answers are untrusted bytes.
    """

    @property
    def alive(self) -> bool:
        """Whether it can be asked; a session that has ended never comes back."""
        ...

    async def ask(self, request: bytes, *, seconds: float, most_bytes: int) -> bytes:
        """One answer to one request, in order; calls from several tasks queue up.

        Raises `SessionEnded` with the `Outcome` when the script ends, takes longer than `seconds` or answers with more
        than `most_bytes`: each of them ends the session. `SandboxBroken` when the sandbox failed.
        """
        ...

    async def close(self) -> Outcome:
        """End the script and everything it started; harmless to call twice."""
        ...


class Sandbox(Protocol):
    """Local, container, cloud and scripted (tests) backends."""

    @property
    def isolation(self) -> str:
        """The level in words, shown at the gate and in `modelwright doctor`."""
        ...

    def run(self, job: Job) -> AsyncIterator[Output | Metric | Outcome]:
        """Stream what happens; the last item is the `Outcome`. Closing the iterator or cancelling the task kills it.

        Raises `SandboxUnavailable` before anything ran, `SandboxBroken` when the sandbox failed.
        """
        ...

    async def serve(self, job: Job) -> Session:
        """Start a script that stays. `Limits.seconds` bounds each wait for an answer, not the life of the session.

        What it leaves in outputs/ is thrown away. Raises like `run`.
        """
        ...

    async def stop(self, job_id: str) -> bool:
        """End a run from outside: its iterator gets the `Outcome` "killed_by_user". False when there is no such run."""
        ...

    async def warm(self) -> None:
        """Get ready so that the next run starts fast; harmless to call twice."""
        ...

    async def close(self) -> None:
        """End every process that belongs to this sandbox."""
        ...
