"""Words that the sandbox tests share: run a script to its end and look at what it said."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypedDict, Unpack

from sandbox.base import Job, Limits, Metric, Outcome, Output, Sandbox

_numbers = count()
SMALL = Limits(cpus=2, memory_mb=512, seconds=10, processes=32, written_mb=16, output_mb=1)
PATIENT = replace(SMALL, seconds=120)
"""For what takes longer on a machine that others use too."""


@dataclass(frozen=True)
class Played:
    """A finished run."""

    events: list[Output | Metric]
    outcome: Outcome

    @property
    def stdout(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, Output) and e.stream == "stdout")

    @property
    def stderr(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, Output) and e.stream == "stderr")

    @property
    def metrics(self) -> list[dict[str, object]]:
        return [dict(e.values) for e in self.events if isinstance(e, Metric)]


class Parts(TypedDict, total=False):
    """What a job may have besides its script; limits are small unless they are given."""

    inputs: Mapping[str, Path]
    outputs: Path | None
    limits: Limits
    environment: Mapping[str, str]


def job(script: str, **parts: Unpack[Parts]) -> Job:
    parts.setdefault("limits", SMALL)
    return Job(id=f"run-{next(_numbers)}", script=script, **parts)


async def play(sandbox: Sandbox, script: str, **parts: Unpack[Parts]) -> Played:
    """Run the script; the outcome must be the last thing that comes."""
    events = [event async for event in sandbox.run(job(script, **parts))]
    outcome = events.pop()
    assert isinstance(outcome, Outcome)
    assert not any(isinstance(event, Outcome) for event in events)
    return Played([e for e in events if not isinstance(e, Outcome)], outcome)
