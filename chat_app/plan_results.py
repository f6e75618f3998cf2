"""What a plan of several requests leaves behind: which step made which model, and where its files go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.events import ArtifactAdded, Envelope, Failed, PlanMade, StepChanged
from agents.state import Culprit

MOST_LETTERS = 40
"""Of a step's words in the name of its folder."""


@dataclass(frozen=True)
class StepResult:
    """One step as the log tells it."""

    id: str
    number: int
    text: str
    status: str = "waiting"
    note: str = ""
    attempt: int | None = None
    """Whose files are complete; None: the step made no model."""
    culprit: Culprit | None = None
    """Of a failure."""

    @property
    def folder(self) -> str:
        """ "step-2-predict-churn"."""
        words = re.sub(r"[^\w]+", "-", self.text.lower()).strip("-_")[:MOST_LETTERS].strip("-_")
        return f"step-{self.number}-{words}" if words else f"step-{self.number}"


def results_of(log: Sequence[Envelope]) -> tuple[StepResult, ...]:
    """The steps of the last plan in order; () for a request that was one."""
    steps: dict[str, StepResult] = {}
    now = ""
    for envelope in log:
        match envelope.event:
            case PlanMade(steps=made):
                steps = {
                    one["id"]: StepResult(one["id"], number, one["text"]) for number, one in enumerate(made, start=1)
                }
            case StepChanged(step=step, status=status, note=note) if step in steps:
                steps[step] = replace(steps[step], status=status, note=note)
                now = step
            case Failed(culprit=culprit) if now in steps:
                steps[now] = replace(steps[now], culprit=culprit)
            case ArtifactAdded(attempt=attempt, name="report.json") if now in steps:
                steps[now] = replace(steps[now], attempt=attempt)
            case _:
                pass
    return tuple(steps.values()) if len(steps) > 1 else ()
