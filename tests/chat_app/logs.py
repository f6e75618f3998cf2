"""Logs for tests of what doors draw: events become envelopes as the store would make them."""

import json
from collections.abc import Sequence

from agents import events as ev
from agents.events import Envelope, Event, event_type, payload_of

PROJECT = "p1"

CONTRACT = {
    "request": "predict churn",
    "task": "binary",
    "target": "churn",
    "budget_seconds": 60.0,
    "columns": [{"name": "age", "role": "number", "use": True, "steps": [], "reason": ""}],
}
CODE = {"code": "print(1)\n", "code_hash": "c" * 64, "author": "recipe", "attempt": 1, "findings": [], "effects": {}}
SCORE = {"metric": {"name": "roc_auc", "value": 0.9, "ci_low": 0.8, "ci_high": 0.95}, "verdict": "better", "rows": 100}


def log(events: Sequence[Event], after: int = 0) -> list[Envelope]:
    """Envelopes with growing sequence numbers."""
    return [
        Envelope(
            f"e{after + number}",
            PROJECT,
            after + number,
            f"2026-01-01T10:{number // 60:02d}:{number % 60:02d}.000000+00:00",
            event_type(type(event)),
            None,
            "system",
            json.loads(json.dumps(payload_of(event))),
        )
        for number, event in enumerate(events, start=1)
    ]


def at_the_contract() -> list[Event]:
    """From the first message to gate 1."""
    return [
        ev.MessageReceived("predict churn", ("customers.csv",)),
        ev.StageStatus("DATA_SOURCE", "IN_PROGRESS"),
        ev.DatasetSampleReady("customers.csv", "d" * 64, 100, ({"name": "age", "type": "int"},), (("31",),), ()),
        ev.StageStatus("DATA_SOURCE", "COMPLETED", "100 rows"),
        ev.PromptParsed({"kind": "model"}, "I predict churn."),
        ev.ProfileSummary("f" * 64, 100, 2, 91.0, ("age has gaps.",)),
        ev.TargetDistributionReady("churn", "a" * 64),
        ev.PreprocessPlan(CONTRACT, "b" * 64),
        ev.StageStatus("PREPROCESS", "WAITING_CONFIRMATION"),
        ev.WaitingConfirmation("i1", "contract", "Is this the right plan?", {"contract": CONTRACT, "problems": []}),
    ]


def trained(run: str = "r1") -> list[Event]:
    """From approved code to the end of the training run."""
    return [
        ev.CodeWritten(1, "c" * 64, "recipe", 1),
        ev.WaitingConfirmation("i2", "code", "May this script run?", CODE),
        ev.Decided("i2", "code", "approve", "user"),
        ev.RunStarted(1, run, "train", "scripted", {"seconds": 10.0}),
        ev.Progress(run, 1, 2, "linear, fold 1 of 2"),
        ev.MetricScalar(run, "lightgbm", "log_loss", 0.6, 0, 0, 0.1),
        ev.MetricScalar(run, "lightgbm", "log_loss", 0.4, 10, 0, 0.2),
        ev.MetricScalar(run, "linear", "roc_auc", 0.8, -1, 0, 0.2),
        ev.RunLog(run, "stdout", "hello\n"),
        ev.Leaderboard(run, "roc_auc", ({"model": "linear", "cv_score": 0.8, "seconds": 1.0},), True),
        ev.RunEnded(run, "ok", "", 3.0, 100.0),
    ]


def reported() -> list[Event]:
    """From the score to the end of the turn."""
    return [
        ev.Scored(1, SCORE, 1),
        ev.Audited(1, ({"probe": "duplicates", "passed": True, "detail": "none"},)),
        ev.Reviewed(1, "better", "It beats the baseline."),
        ev.ChartReady(1, "roc", "ROC curve", "e" * 64, "near the corner"),
        ev.ArtifactAdded(1, "train.py", "code", 10, "c" * 64),
        ev.ArtifactAdded(1, "bundle.zip", "bundle", 99, "b" * 64),
        ev.Answered("ROC-AUC 0.90.", "result"),
        ev.TurnEnded("done"),
    ]


def a_whole_turn() -> list[Event]:
    """Everything that a good first request brings."""
    return [*at_the_contract(), ev.Decided("i1", "contract", "approve", "user"), *trained(), *reported()]
