"""Turns what a script reports while it works (untrusted) into events for the live charts."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.events import Event, Leaderboard, MetricScalar, Progress, RunLog
from agents.scribe import Scribe
from agents.tracing import failed
from sandbox.base import Job, Metric, Outcome, Output, Sandbox, SandboxBroken

FLUSH_SECONDS = 0.15
MAX_EVENTS = 20_000
"""Live events kept of one run; a script that reports more is heard no further."""
MAX_TEXT = 200
MAX_STDERR = 16_000
"""Letters kept of what a script wrote there."""
MAX_MODELS = 100
MAX_COUNT = 10_000_000


async def run_and_tell(
    sandbox: Sandbox, job: Job, scribe: Scribe, tell: Callable[[Metric | Output], Event | None]
) -> Outcome:
    """Run a job, append what it reports to the log in small batches, return the outcome.

    Raises `SandboxError` when the sandbox fails.
    """
    facts = {"modelwright.purpose": job.id.split("-", 1)[0], "modelwright.isolation": sandbox.isolation}
    with scribe.tracing.span("sandbox", facts) as span:
        outcome = await _run_and_tell(sandbox, job, scribe, tell)
        span.set_attributes(
            {
                "modelwright.outcome": outcome.kind,
                "modelwright.seconds": outcome.seconds,
                "modelwright.cpu_seconds": outcome.cpu_seconds,
                "modelwright.peak_memory_mb": outcome.peak_memory_mb,
            }
        )
        if not outcome.ok:
            failed(span, outcome.kind)
    return outcome


async def _run_and_tell(
    sandbox: Sandbox, job: Job, scribe: Scribe, tell: Callable[[Metric | Output], Event | None]
) -> Outcome:
    waiting: list[Event] = []
    told, over, outcome = 0, asyncio.Event(), None
    writer = asyncio.create_task(_write_often(waiting, scribe, job.id, over))
    try:
        async for item in sandbox.run(job):
            if isinstance(item, Outcome):
                outcome = item
            elif told < MAX_EVENTS and (event := tell(item)) is not None:
                told += 1
                waiting.append(event)
    finally:
        over.set()
        await writer
    if outcome is None:
        raise SandboxBroken("The sandbox ended without an outcome.")
    return outcome


async def _write_often(waiting: list[Event], scribe: Scribe, run: str, over: asyncio.Event) -> None:
    """What waits goes into the log a few times a second, also while the script is silent; the rest at the end."""
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), FLUSH_SECONDS)
        if batch := waiting[:]:
            waiting.clear()
            await scribe.say_live(run, batch)


class LiveRun:
    """Hears a training run: every well-formed record becomes an event, the last leaderboard is kept."""

    def __init__(self, run: str, metric: str, *, verified: bool) -> None:
        self._run = run
        self._metric = metric
        self._verified = verified
        self.leaderboard: tuple[Mapping[str, Any], ...] = ()
        self.note = ""
        """What our own recipe has to say about its leaderboard, e.g. that the clock cut it short."""
        self.stderr = ""
        """The end of what it wrote there, for a repair."""

    def tell(self, item: Metric | Output) -> Event | None:
        """The event of one item; None when it is not well-formed."""
        if isinstance(item, Output):
            if item.stream == "stderr":
                self.stderr = (self.stderr + item.text)[-MAX_STDERR:]
            return RunLog(self._run, item.stream, item.text)
        event = _from_record(item.values, self._run, self._metric, self._verified)
        if isinstance(event, Leaderboard):
            self.leaderboard = event.rows
            said = item.values.get("note", "")
            self.note = _text(said) if self._verified and isinstance(said, str) else ""
        return event


def _from_record(record: Mapping[str, Any], run: str, metric: str, verified: bool) -> Event | None:
    try:
        match record.get("kind"):
            case "metric" | "fold":
                return _scalar(record, run)
            case "progress":
                return Progress(run, _count(record["done"]), _count(record["total"]), _text(record.get("text", "")))
            case "leaderboard":
                rows = leaderboard_rows(record["rows"], verified)
                return Leaderboard(run, metric, rows, verified)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    return None


def _scalar(record: Mapping[str, Any], run: str) -> MetricScalar:
    return MetricScalar(
        run=run,
        model=_text(record["model"]),
        name=_text(record["name"]),
        value=_finite(record["value"]),
        step=_count(record.get("step", -1)),
        fold=_count(record.get("fold", -1)),
        seconds=_finite(record.get("seconds", 0.0)),
    )


def leaderboard_rows(rows: Sequence[Mapping[str, Any]], verified: bool) -> tuple[dict[str, Any], ...]:
    """Rows {model, cv_score, seconds}; what an unverified script says of its own score goes to `claimed_cv_score`."""
    name = "cv_score" if verified else "claimed_cv_score"
    kept = []
    for row in rows[:MAX_MODELS]:
        score = {"cv_score": None, name: _finite(row["cv_score"])}
        kept.append({"model": _text(row["model"]), **score, "seconds": _finite(row["seconds"])})
    return tuple(kept)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _count(value: Any) -> int:
    """-1 stands for "none"."""
    number = int(value)
    if not -1 <= number <= MAX_COUNT:
        raise ValueError("not a count")
    return number


def _text(value: Any) -> str:
    """One line without control characters."""
    if not isinstance(value, str):
        raise TypeError("not text")
    return "".join(letter if letter.isprintable() else " " for letter in value[:MAX_TEXT])
