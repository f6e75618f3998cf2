"""Stand-ins for parts that a test does not want for real; each keeps the promises of its Protocol."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.base import Artifact, Job, Metric, Outcome, Output, SandboxError

ENDED_WELL = Outcome("ok", "The script finished in 0.0 s.", "scripted", exit_code=0)


def failed(message: str = "The script stopped with an error (exit code 1).") -> Outcome:
    """The outcome of a script that raised."""
    return Outcome("error", message, "scripted", exit_code=1)


@dataclass(frozen=True)
class Scene:
    """What one run says, leaves and ends with; or the sandbox's own failure."""

    says: Sequence[Output | Metric] = ()
    leaves: Mapping[str, bytes] = field(default_factory=dict)
    """Name in outputs/ -> content."""
    ends: Outcome = ENDED_WELL
    breaks: SandboxError | None = None
    """Raised after `says`, instead of an outcome."""


class ScriptedSandbox:
    """A `Sandbox` that plays one scene per run, in order, and keeps the jobs it was given."""

    def __init__(self, *scenes: Scene) -> None:
        self.jobs: list[Job] = []
        self.closed = False
        self._scenes = list(scenes)

    @property
    def isolation(self) -> str:
        """Says what it is, so that no report can mistake it for a real one."""
        return "scripted"

    async def run(self, job: Job) -> AsyncIterator[Output | Metric | Outcome]:
        """Play the next scene; an AssertionError when the script of the test is at its end."""
        assert self._scenes, f"The test has no scene left for the run {job.id}"
        scene = self._scenes.pop(0)
        self.jobs.append(job)
        for event in scene.says:
            await asyncio.sleep(0)
            yield event
        if scene.breaks is not None:
            raise scene.breaks
        yield replace(scene.ends, files=_leave(scene.leaves, job))

    async def warm(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Remember that it was asked."""
        self.closed = True


def _leave(files: Mapping[str, bytes], job: Job) -> tuple[Artifact, ...]:
    if job.outputs is None:
        return ()
    left = []
    for name, content in files.items():
        path = job.outputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        left.append(Artifact(name, path, len(content)))
    return tuple(left)
