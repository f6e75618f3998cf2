"""Words that the sandbox tests share: run a script to its end and look at what it said."""

from dataclasses import dataclass
from itertools import count

from sandbox.base import Job, Limits, Metric, Outcome, Output, Sandbox

_numbers = count()
SMALL = Limits(cpus=2, memory_mb=512, seconds=10, processes=32, written_mb=16, output_mb=1)


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


def job(script: str, **parts: object) -> Job:
    return Job(id=f"run-{next(_numbers)}", script=script, **{"limits": SMALL, **parts})  # type: ignore[arg-type]


async def play(sandbox: Sandbox, script: str, **parts: object) -> Played:
    """Run the script; the outcome must be the last thing that comes."""
    events = [event async for event in sandbox.run(job(script, **parts))]
    outcome = events.pop()
    assert isinstance(outcome, Outcome)
    assert not any(isinstance(event, Outcome) for event in events)
    return Played([e for e in events if not isinstance(e, Outcome)], outcome)
