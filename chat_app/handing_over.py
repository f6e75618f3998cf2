"""How `modelwright run` ends: the files of what was made, a summary, and a sentence for what was not."""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.events import (
    ArtifactAdded,
    CodeWritten,
    Envelope,
    Event,
    Failed,
    ModelCalled,
    PromptParsed,
    Scored,
    TurnEnded,
)
from chat_app.conductor import Conductor
from chat_app.delivery import Destination, deliver
from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.meter import Meter, cost_of_answer
from chat_app.plan_results import StepResult, results_of
from chat_app.printable import printable
from chat_app.terminal import show_facts
from tools.ingest.errors import counted
from tools.report import amount, interval


async def finish(conductor: Conductor, project: str, destination: Destination, console: Console) -> None:
    """Write the files of what was made, or say why there is nothing; raises CommandError."""
    log = await conductor.events(project)
    events = [envelope.event for envelope in log]
    _say_cost(events, console)
    ended = next(event for event in reversed(events) if isinstance(event, TurnEnded))
    if (steps := results_of(log)) and ended.outcome in ("done", "failed"):
        _hand_over_plan(conductor, project, destination, console, log, steps)
        _complain(steps)
        told = any(step.status == "failed" for step in steps)
        if ended.outcome == "failed" and not told and (failed := _last_failed(events)):  # Modelwright itself
            raise CommandError(FAILED, failure_sentence(failed, events))
        return
    failed = _last_failed(events)
    if failed is not None:
        code = BAD_INPUT if failed.culprit == "user" else FAILED
        raise CommandError(code, failure_sentence(failed, events))
    if ended.outcome != "done":
        raise CommandError(BAD_INPUT, "You rejected it, so nothing was trained.")
    if not any(isinstance(event, Scored) for event in events):
        _no_model(events)
        if any(isinstance(event, ArtifactAdded) for event in events):
            _deliver_answer(destination, _files(conductor, project, log), log, console)
        return
    _hand_over(destination, _files(conductor, project, log), log, [""], console)


def _last_failed(events: Sequence[Event]) -> Failed | None:
    return next((event for event in reversed(events) if isinstance(event, Failed)), None)


async def rescue(conductor: Conductor, project: str, destination: Destination, console: Console) -> None:
    """Write the files of what the earlier steps of a plan have made, when a later one cannot go on."""
    log = await conductor.events(project)
    if steps := results_of(log):
        _hand_over_plan(conductor, project, destination, console, log, steps)


def _say_cost(events: Sequence[Event], console: Console) -> None:
    """What language models were asked and cost, and what of the table left for them."""
    meter = Meter()
    for event in events:
        if isinstance(event, ModelCalled):
            meter.add(event)
    if said := cost_of_answer(meter.whole, meter.estimated):
        console.print(Text(printable(f"{said} Left this machine: {meter.left}.")), style="dim")


def _hand_over_plan(
    conductor: Conductor,
    project: str,
    destination: Destination,
    console: Console,
    log: Sequence[Envelope],
    steps: Sequence[StepResult],
) -> None:
    """The models that a plan has made so far: one as ever, several in a folder each."""
    made = {step.attempt: step for step in steps if step.attempt is not None}  # a change of a model has its own attempt
    places = {attempt: "" if len(made) == 1 else f"{step.folder}/" for attempt, step in made.items()}
    others = {one.attempt for one in _artifacts(log)} - set(places)  # answers of scripts, before the first model
    files = {
        f"{place}{name}": path
        for attempt, place in (*dict.fromkeys(others, "").items(), *places.items())
        for name, path in _files(conductor, project, log, attempt).items()
    }
    if places:
        _hand_over(destination, files, log, list(places.values()), console)
    elif files:
        _deliver_answer(destination, files, log, console)


def _complain(steps: Sequence[StepResult]) -> None:
    """What went wrong in a plan, once its models are safe."""
    if failed := [step for step in steps if step.status == "failed"]:
        code = BAD_INPUT if all(step.culprit == "user" for step in failed) else FAILED
        raise CommandError(code, " ".join(f"Step {step.number} failed: {step.note}" for step in failed))
    if all(step.status == "skipped" for step in steps):
        raise CommandError(BAD_INPUT, " ".join(f"Step {step.number}: {step.note}" for step in steps))


def _hand_over(
    destination: Destination,
    files: Mapping[str, Path],
    log: Sequence[Envelope],
    places: Sequence[str],
    console: Console,
) -> None:
    """Write the files and show each result; `places`: folders of results within ("" or "step-2-…/")."""
    try:
        folder = deliver(destination, files, log)
    except OSError as error:
        kept = files[f"{places[0]}report.json"].parent
        raise CommandError(
            FAILED, f"The files could not be written: {error.strerror}. The result is safe in {kept}."
        ) from error
    for place in places:
        report = json.loads((folder / place / "report.json").read_text(encoding="utf-8"))
        show_summary(report, folder / place, console, seconds=_since(log[0]))


def _since(first: Envelope) -> float:
    """Seconds since an event, waiting for answers included."""
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(first.at)).total_seconds()


def failure_sentence(failed: Failed, events: Sequence[Any]) -> str:
    """What was seen and what would work; only who wrote a script is told to change it."""
    written = [event.author for event in events if isinstance(event, CodeWritten)]
    ours = failed.culprit == "script" and failed.stage == "TRAIN" and "user" not in written[-1:]
    advice = "Give it more time with --budget, or leave out a column." if ours else failed.advice
    said = failed.sentence.strip()
    return f"{said if said.endswith(('.', '!', '?')) else f'{said}.'} {advice}".strip()


def _deliver_answer(
    destination: Destination, files: Mapping[str, Path], log: Sequence[Envelope], console: Console
) -> None:
    """The files of a question that a script has answered."""
    try:
        folder = deliver(destination, files, log)
    except OSError as error:
        raise CommandError(FAILED, f"The files could not be written: {error.strerror}.") from error
    console.print()
    show_facts(console, [("Files", _near(folder))])


def _no_model(events: Sequence[Any]) -> None:
    """A question was answered on screen instead; one that we cannot serve is the user's input."""
    requests = [event.request for event in events if isinstance(event, PromptParsed)]
    if requests and requests[-1]["kind"] == "unsupported":
        raise CommandError(BAD_INPUT, " ".join(requests[-1]["reply"].split()))


def _files(conductor: Conductor, project: str, log: Sequence[Envelope], attempt: int | None = None) -> dict[str, Path]:
    """Everything that can be taken along from an attempt (the last one), by its name."""
    artifacts = _artifacts(log)
    wanted = max((one.attempt for one in artifacts), default=0) if attempt is None else attempt
    return {
        artifact.name: conductor.artifact_path(project, wanted, artifact.name)
        for artifact in artifacts
        if artifact.attempt == wanted
    }


def _artifacts(log: Sequence[Envelope]) -> list[ArtifactAdded]:
    events = [envelope.event for envelope in log if envelope.type == "ARTIFACT_ADDED"]
    return [event for event in events if isinstance(event, ArtifactAdded)]


def show_summary(report: Mapping[str, Any], folder: Path, console: Console, *, seconds: float) -> None:
    """The end of a run in a few lines. `seconds`: all that it took, with the files."""
    metric, baseline = report["metric"], report["baseline"]
    passed = sum(1 for probe in report["audit"] if probe["passed"])
    took = f"{report['seconds']:.0f} s of {report['budget_seconds']:.0f} s"
    console.print()
    show_facts(
        console,
        [
            (metric["label"], f"{_with_interval(metric)} on {counted(report['rows_holdout'], 'sealed row')}"),
            ("Baseline", f"{_with_interval(baseline)}, {baseline['model'].replace('_', ' ')}"),
            ("Verdict", str(report["verdict"])),
            ("Audit", f"{passed} of {len(report['audit'])} probes passed"),
            ("Time", f"{took}; {seconds:.0f} s with the files, starting up not counted"),
            ("Files", _near(folder)),
        ],
    )


def _with_interval(score: Mapping[str, Any]) -> str:
    value = amount(score["name"], score["value"])
    if score["ci_low"] is None or score["ci_high"] is None:
        return value
    return f"{value} (95 % interval {interval(score)})"


def _near(folder: Path) -> str:
    """As short as it can be typed from here."""
    here = Path.cwd()
    return f"./{folder.relative_to(here)}" if folder.is_relative_to(here) else str(folder)
