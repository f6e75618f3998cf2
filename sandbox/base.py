"""What every sandbox promises: `Sandbox.run(job)` streams what the script says and ends with one typed `Outcome`.

A failing *script* is a result (an `Outcome`); a failing *sandbox* is an exception:

    SandboxError
      SandboxUnavailable   this machine offers no isolation that we accept; the message says what to switch on
      SandboxBroken        the sandbox itself failed in mid-run; nothing may be concluded about the script

What a script finds: its working folder with `inputs/` (read-only, the names of `Job.inputs`) and `outputs/` (the one
place it may write besides a private /tmp), the scientific Python environment (read-only), no network, no environment of
ours. A line on stdout that starts with `@@` and goes on with a JSON object is a `Metric`, every other line is `Output`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
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


class SandboxError(Exception):
    """Base: the sandbox is to blame, not the script."""


class SandboxUnavailable(SandboxError):
    """No isolation that we accept is available here; the message says what to install or switch on."""


class SandboxBroken(SandboxError):
    """The sandbox failed in mid-run."""


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
    files: tuple[Artifact, ...] = ()

    @property
    def ok(self) -> bool:
        """True when the script came to its own end with exit code 0."""
        return self.kind == "ok"


class Sandbox(Protocol):
    """Local, scripted (tests) and later cloud and container backends."""

    @property
    def isolation(self) -> str:
        """The level in words, shown at the gate and in `modelwright doctor`."""
        ...

    def run(self, job: Job) -> AsyncIterator[Output | Metric | Outcome]:
        """Stream what happens; the last item is the `Outcome`. Closing the iterator or cancelling the task kills it.

        Raises `SandboxUnavailable` before anything ran, `SandboxBroken` when the sandbox failed.
        """
        ...

    async def warm(self) -> None:
        """Get ready so that the next run starts fast; harmless to call twice."""
        ...

    async def close(self) -> None:
        """End every process that belongs to this sandbox."""
        ...
