"""The live side of one project as the run panel shows it: a fold over the event log, sent as small patches."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from agents import events as ev
from agents.events import Envelope
from agents.state import STAGES, Stage, Status
from chat_app.meter import Meter

RunState = Literal["idle", "running", "waiting", "done", "failed", "stopped", "rejected"]

LABELS: dict[Stage, str] = {
    "DATA_SOURCE": "Read the data",
    "PARSE_INTENT": "Understand the request",
    "PROFILE_DATA": "Profile the table",
    "PREPROCESS": "Agree on the contract",
    "MODEL_SELECT": "Choose models",
    "TRAIN": "Train",
    "REVIEW_EDIT": "Score and review",
    "EXPORT": "Write it all up",
}
MAX_POINTS = 400
"""Points kept of one curve; a longer one is thinned to every second point."""
MAX_CURVES = 80
MAX_LOG = 400
MAX_LINE = 2000

Point = tuple[int, float]


@dataclass
class StageLine:
    """One stage of the timeline."""

    stage: Stage
    label: str
    status: Status = "PENDING"
    detail: str = ""
    at: str = ""


@dataclass
class Curve:
    """One learning curve: a model's metric in one fold, by step."""

    model: str
    name: str
    fold: int
    points: list[Point] = field(default_factory=list)

    def add(self, point: Point) -> None:
        """Append; when there are too many, keep every second."""
        self.points.append(point)
        if len(self.points) > MAX_POINTS:
            self.points = [*self.points[:-1:2], point]


@dataclass
class _Fresh:
    """What has happened since the last patch."""

    fields: set[str] = field(default_factory=set)
    points: list[tuple[str, str, int, int, float]] = field(default_factory=list)
    folds: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, str]] = field(default_factory=list)


class Panel:
    """Stages, run, progress, curves, leaderboard, files, log and scores of one project."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.seq = 0
        self.state: RunState = "idle"
        self.stages = {stage: StageLine(stage, LABELS[stage]) for stage in STAGES}
        self.run: dict[str, Any] | None = None
        self.progress: dict[str, Any] | None = None
        self.leaderboard: dict[str, Any] | None = None
        self.files: list[dict[str, Any]] = []
        self.scores: list[dict[str, Any]] = []
        self.curves: dict[tuple[str, str, int], Curve] = {}
        self.folds: list[dict[str, Any]] = []
        self.log: list[dict[str, str]] = []
        self.meter = Meter()
        self._fresh = _Fresh()

    def apply(self, envelope: Envelope) -> None:
        """Take one event into account."""
        self.seq = envelope.seq
        match envelope.event:
            case ev.MetricScalar() as scalar:
                self._metric(scalar)
            case ev.RunLog(stream=stream, text=text):
                self._line({"stream": stream, "text": text[:MAX_LINE]})
            case ev.Progress(done=done, total=total, text=text):
                self._set("progress", {"done": done, "total": total, "text": text})
            case ev.StageStatus(stage, status, detail):
                self._stage(stage, status, detail, envelope.at)
            case ev.RunStarted() as started:
                self._run_started(started, envelope.at)
            case ev.RunEnded() as ended:
                self._run_ended(ended)
            case ev.Leaderboard(metric=metric, rows=rows, verified=verified):
                board = {"metric": metric, "rows": [dict(row) for row in rows], "verified": verified}
                self._set("leaderboard", board)
            case ev.Scored(attempt=attempt, score=score):
                self._set("scores", [*self.scores, {"attempt": attempt, **dict(score["metric"])}])
            case ev.ArtifactAdded() as file:
                others = [one for one in self.files if (one["attempt"], one["name"]) != (file.attempt, file.name)]
                self._set("files", [*others, asdict(file)])
            case ev.DatasetSampleReady():
                self._set("scores", [])  # of another table: nothing to compare with
                self._forget_training()
            case ev.ModelCalled() as call:
                self.meter.add(call)
                self._fresh.fields.add("models")
            case event:
                self._turn(event, envelope.at)

    @property
    def models(self) -> dict[str, Any]:
        """What language models were asked and what it cost."""
        return self.meter.to_json()

    def _turn(self, event: ev.Event, at: str) -> None:
        match event:
            case ev.MessageReceived():
                self._begin()
                self._nothing_waits()
            case ev.Decided():
                self._set("state", "running")
            case ev.WaitingConfirmation():
                self._set("state", "waiting")
            case ev.PreprocessPlan():
                self._again_from("TRAIN")
                self._forget_training()
            case ev.CodeWritten():
                self._again_from("REVIEW_EDIT")
            case ev.Rewound(stage):
                self._begin()
                self._again_from(stage)
            case ev.Failed(stage=stage, sentence=sentence):
                self._stage(stage, "FAILED", sentence, at)
            case ev.Stopped():
                self._set("state", "stopped")
                self._set("progress", None)
            case ev.TurnEnded(outcome):
                self._set("state", outcome)
                self._set("progress", None)

    def _begin(self) -> None:
        self.meter.begin()
        self._fresh.fields.add("models")
        self._set("state", "running")

    def _set(self, name: str, value: Any) -> None:
        setattr(self, name, value)
        self._fresh.fields.add(name)

    def _stage(self, stage: Stage, status: Status, detail: str, at: str) -> None:
        if (stage, status, detail) == ("PARSE_INTENT", "COMPLETED", "unsupported"):
            status, detail = "SKIPPED", "not possible here"  # understood, and no success to tick off
        self.stages[stage] = StageLine(stage, LABELS[stage], status, detail, at)
        self._fresh.fields.add("stages")

    def _nothing_waits(self) -> None:
        """A new message takes the place of what was asked."""
        for stage, line in self.stages.items():
            if line.status == "WAITING_CONFIRMATION":
                self._stage(stage, "PENDING", "", "")

    def _again_from(self, first: Stage) -> None:
        for stage in STAGES[STAGES.index(first) :]:
            self._stage(stage, "PENDING", "", "")

    def _run_started(self, started: ev.RunStarted, at: str) -> None:
        self._set("run", {**asdict(started), "at": at, "outcome": ""})
        self._set("progress", None)
        if started.purpose == "train":
            self._forget_training()

    def _forget_training(self) -> None:
        """What an earlier attempt has shown is not this one's; its result card keeps it."""
        self.curves, self.folds, self.log = {}, [], []
        self._fresh = _Fresh(self._fresh.fields | {"curves", "folds", "log"})
        self._set("leaderboard", None)

    def _run_ended(self, ended: ev.RunEnded) -> None:
        if self.run is not None and self.run["run"] == ended.run:
            self._set("run", {**self.run, "outcome": ended.outcome})
        self._set("progress", None)

    def _metric(self, scalar: ev.MetricScalar) -> None:
        if scalar.step < 0:
            fold = {"model": scalar.model, "name": scalar.name, "fold": scalar.fold, "value": scalar.value}
            self.folds.append(fold)
            self._fresh.folds.append(fold)
            return
        key = (scalar.model, scalar.name, scalar.fold)
        if key not in self.curves and len(self.curves) >= MAX_CURVES:
            return
        self.curves.setdefault(key, Curve(*key)).add((scalar.step, scalar.value))
        self._fresh.points.append((*key, scalar.step, scalar.value))

    def _line(self, line: dict[str, str]) -> None:
        self.log = [*self.log[-MAX_LOG + 1 :], line]
        self._fresh.log.append(line)

    def _field(self, name: str) -> Any:
        value = getattr(self, name)
        if name in ("stages", "curves"):
            return [asdict(one) for one in value.values()]
        return value

    def snapshot(self) -> dict[str, Any]:
        """The whole panel, JSON-ready."""
        names = (
            "seq",
            "state",
            "stages",
            "run",
            "progress",
            "leaderboard",
            "files",
            "scores",
            "curves",
            "folds",
            "log",
            "models",
        )
        return {name: self._field(name) for name in names}

    def take_patch(self) -> dict[str, Any]:
        """What has changed since the last call; empty when nothing has."""
        fresh, self._fresh = self._fresh, _Fresh()
        whole = {name: self._field(name) for name in fresh.fields}
        extra = {
            # a field that is sent whole holds its news already
            "points": [] if "curves" in whole else fresh.points,
            "folds": [] if "folds" in whole else fresh.folds,
            "log": [] if "log" in whole else fresh.log[-MAX_LOG:],
        }
        patch: dict[str, Any] = {name: value for name, value in extra.items() if value}
        return {**patch, "panel": whole} if whole else patch
