"""Stand-ins for parts that a test does not want for real; each keeps the promises of its Protocol."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.base import Artifact, Job, Metric, Outcome, Output, SandboxBroken, SandboxError, Session, SessionEnded

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


@dataclass(frozen=True)
class Talk:
    """What a script that stays answers, in order; an `Outcome` is its end, a `SandboxBroken` that of its sandbox."""

    answers: Sequence[bytes | Outcome | SandboxBroken] = ()
    breaks: SandboxError | None = None
    """Raised instead of a session."""


class ScriptedSession:
    """A `Session` that plays a talk and keeps what it was asked."""

    def __init__(self, talk: Talk) -> None:
        self.asked: list[bytes] = []
        self.seconds: list[float] = []
        """That each answer might take."""
        self._answers = list(talk.answers)
        self._outcome: Outcome | None = None

    @property
    def alive(self) -> bool:
        """Until an outcome was played or it was closed."""
        return self._outcome is None

    async def ask(self, request: bytes, *, seconds: float, most_bytes: int) -> bytes:
        """The next answer; an AssertionError when the script of the test is at its end."""
        await asyncio.sleep(0)
        if self._outcome is None:
            assert self._answers, "The test has no answer left"
            self.asked.append(request)
            self.seconds.append(seconds)
            await asyncio.sleep(0)
            answer = self._answers.pop(0)
            if isinstance(answer, bytes):
                assert len(answer) <= most_bytes
                return answer
            if isinstance(answer, SandboxBroken):
                self._outcome = Outcome("sandbox_broken", str(answer), "scripted")
                raise answer
            self._outcome = answer
        raise SessionEnded(self._outcome)

    async def close(self) -> Outcome:
        """Ends as any script that is stopped."""
        self._outcome = self._outcome or Outcome("killed_by_user", "The script was stopped on request.", "scripted")
        return self._outcome


class ScriptedSandbox:
    """A `Sandbox` that plays one scene per run and one talk per session, in order, and keeps the jobs it was given."""

    def __init__(self, *scenes: Scene | Talk) -> None:
        self.jobs: list[Job] = []
        self.sessions: list[ScriptedSession] = []
        self.closed = False
        self._scenes = [scene for scene in scenes if isinstance(scene, Scene)]
        self._talks = [talk for talk in scenes if isinstance(talk, Talk)]

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

    async def serve(self, job: Job) -> Session:
        """Begin the next talk."""
        assert self._talks, f"The test has no talk left for the session {job.id}"
        talk = self._talks.pop(0)
        self.jobs.append(job)
        await asyncio.sleep(0)
        if talk.breaks is not None:
            raise talk.breaks
        self.sessions.append(ScriptedSession(talk))
        return self.sessions[-1]

    async def stop(self, job_id: str) -> bool:
        """A scripted run is over before anybody could stop it."""
        return False

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
