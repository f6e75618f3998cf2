"""What a door needs to draw a project from nothing: a fold over its event log."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agents import events as ev
from agents.events import Envelope
from agents.state import STAGES, Stage

LIVE_TYPES = ("METRIC_SCALAR", "RUN_LOG", "PROGRESS")
"""Many and small; a snapshot does not need them."""


@dataclass(frozen=True)
class Snapshot:
    """The project as of event `seq`."""

    project: str
    title: str = ""
    running: bool = False
    stages: dict[str, dict[str, str]] = field(
        default_factory=lambda: {stage: {"status": "PENDING", "detail": "", "at": ""} for stage in STAGES}
    )
    plan: tuple[dict[str, Any], ...] = ()
    """The steps of a message of several requests, each {id, text, kind, depends_on, status, note}."""
    pending: dict[str, Any] | None = None
    """{interrupt_id, gate, title, payload} of the gate that waits."""
    attempt: int = 0
    score: dict[str, Any] | None = None
    verdict: str = ""
    leaderboard: tuple[dict[str, Any], ...] = ()
    artifacts: tuple[dict[str, Any], ...] = ()
    answer: str = ""
    failure: dict[str, str] | None = None
    policy: dict[str, bool] = field(default_factory=dict)
    seq: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def snapshot(project: str, title: str, policy: dict[str, bool], envelopes: Iterable[Envelope]) -> Snapshot:
    """Fold the log into the present state."""
    state = Snapshot(project=project, title=title, policy=policy)
    for envelope in envelopes:
        state = replace(_after(state, envelope), seq=envelope.seq)
    return state


def _after(state: Snapshot, envelope: Envelope) -> Snapshot:
    match envelope.event:
        case ev.MessageReceived():
            return replace(state, running=True, failure=None, pending=None)
        case ev.StageStatus(stage, status, detail):
            return _with_stage(state, stage, status, detail, envelope.at)
        case ev.WaitingConfirmation() as waiting:
            return replace(state, running=False, pending=asdict(waiting))
        case ev.Decided():
            return replace(state, running=True, pending=None)
        case ev.PlanMade(steps=steps):
            return replace(state, plan=tuple(dict(step) for step in steps))
        case ev.StepChanged(step=step, status=status, note=note):
            came = {"status": status, "note": note}
            return replace(state, plan=tuple({**one, **came} if one["id"] == step else one for one in state.plan))
        case ev.PreprocessPlan():
            return _pending_again(state, "MODEL_SELECT")
        case ev.CodeWritten(attempt=attempt):
            return replace(state, attempt=attempt)
        case ev.Leaderboard(rows=rows):
            return replace(state, leaderboard=tuple(dict(row) for row in rows))
        case ev.Scored(score=score):
            return replace(state, score=dict(score))
        case ev.Reviewed(verdict=verdict):
            return replace(state, verdict=verdict)
        case ev.ArtifactAdded() as artifact:
            return replace(state, artifacts=(*state.artifacts, asdict(artifact)))
        case ev.Answered(text=text) | ev.Explained(text=text):
            return replace(state, answer=text)
        case ev.Failed() as failed:
            return replace(
                _with_stage(state, failed.stage, "FAILED", failed.sentence, envelope.at), failure=asdict(failed)
            )
        case ev.Rewound(stage):
            return replace(_pending_again(state, stage), pending=None)
        case ev.Stopped() | ev.TurnEnded():
            return replace(state, running=False, pending=None)
        case _:
            return state


def _with_stage(state: Snapshot, stage: Stage, status: str, detail: str, at: str) -> Snapshot:
    return replace(state, stages={**state.stages, stage: {"status": status, "detail": detail, "at": at}})


def _pending_again(state: Snapshot, first: Stage) -> Snapshot:
    later = STAGES[STAGES.index(first) :]
    reset: dict[str, dict[str, str]] = {stage: {"status": "PENDING", "detail": "", "at": ""} for stage in later}
    return replace(state, stages={**state.stages, **reset})
