"""`modelwright run`: one request from the first event to the files, through the conductor like any other door."""

import asyncio
import datetime
import json
import logging
import shutil
import signal
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.events import (
    ArtifactAdded,
    CodeWritten,
    Envelope,
    Failed,
    PreprocessPlan,
    PromptParsed,
    Scored,
    TurnEnded,
    WaitingConfirmation,
)
from agents.state import Decision
from chat_app.asking import Interrupted, ask
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.delivery import Destination, deliver
from chat_app.exits import BAD_INPUT, FAILED, HOME_FULL, CommandError, is_disk_full
from chat_app.printable import printable
from chat_app.settings import Settings
from chat_app.terminal import Screen, open_screen, show_facts
from tools.ingest.errors import counted
from tools.report import amount, interval

LITTLE_BYTES = 2**20
"""With less room than this in the home, a run that died without a word died of it."""


@dataclass(frozen=True)
class Order:
    """What was typed."""

    data: Path | str
    """A file, or the name of a built-in sample."""
    request: str
    destination: Destination
    yes: bool = False
    interactive: bool = True
    """There is a person at the keyboard who can be asked."""
    budget_seconds: float | None = None
    seed: int | None = None
    script: str | None = None
    costs: str | None = None
    model: Mapping[str, Any] | None = None
    """An order for tools.models.reading."""
    split: str | None = None
    drop: tuple[str, ...] = ()
    """As typed, e.g. "time:date"."""
    sample_rows: int | None = None
    """Training rows kept beside the model."""
    profile: str | None = None
    """best, compact or explainable."""
    weight_column: str | None = None


async def run(order: Order, settings: Settings, console: Console, read: Callable[[str], str]) -> None:
    """Do it, show it, write the files.

    Raises CommandError for everything that a user has to be told, `Interrupted` and CancelledError after a clean stop.
    """
    cancel_on_sigterm()
    project = uuid.uuid4().hex
    try:
        with _without_word_of_full_disks():
            await _run(order, project, settings, console, read)
    except BaseException:
        await forget_untrained(settings, project)
        raise


async def _run(order: Order, project: str, settings: Settings, console: Console, read: Callable[[str], str]) -> None:
    async with open_conductor(settings) as conductor:
        policy = Policy(contract=not order.yes, code=not order.yes)
        await conductor.new_project(door="cli", policy=policy, project=project)
        warming = asyncio.create_task(conductor.warm())  # while the table is read; a failure shows when it is needed
        try:
            with open_screen(console) as screen, _ctrl_c_keeps_the_model(conductor, project, console):
                await _turn(conductor, project, order, screen, console, read)
            await _finish(conductor, project, order, console)
        except (Interrupted, asyncio.CancelledError):
            await conductor.stop(project, keep=False)
            raise
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)


async def forget_untrained(settings: Settings, project: str) -> None:
    """The copy of a table that led to nothing goes; what happened stays in the log, and what was trained on disk."""
    folder = settings.project_folder(project)
    if (folder / "attempts").exists():
        return
    await asyncio.get_running_loop().shutdown_default_executor()  # a thread may still be writing into it
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _without_word_of_full_disks() -> Iterator[None]:
    """What the log says of a full disk on stderr, with a traceback, the user gets as one sentence."""
    handler = logging.lastResort
    if handler is None:
        yield
        return
    handler.addFilter(_is_news)
    try:
        yield
    finally:
        handler.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return error is None or not is_disk_full(error)


def cancel_on_sigterm() -> None:
    """SIGTERM and a closed terminal stop as cleanly as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@contextmanager
def _ctrl_c_keeps_the_model(conductor: Conductor, project: str, console: Console) -> Iterator[None]:
    """On a terminal the first Ctrl-C while a script trains ends the training only; any other ends the run.

    In a pipe nobody reads what was kept, and whoever sends the signal wants an end.
    """
    if not console.is_terminal:
        yield
        return
    loop, run, presses = asyncio.get_running_loop(), asyncio.current_task(), list[asyncio.Task[None]]()
    assert run is not None

    async def keep() -> None:
        if await conductor.halt(project):
            console.print(Text("Training stopped; the best model so far is judged now. Ctrl-C again ends it all."))
        else:
            run.cancel()

    def pressed() -> None:
        if presses:
            run.cancel()
        else:
            presses.append(asyncio.create_task(keep()))

    loop.add_signal_handler(signal.SIGINT, pressed)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _turn(
    conductor: Conductor, project: str, order: Order, screen: Screen, console: Console, read: Callable[[str], str]
) -> None:
    """Start, follow the log, answer what is asked; returns when the turn has ended."""
    await _start(conductor, project, order)
    said = False
    async with aclosing(followed(conductor, project)) as log:
        async for envelope in log:
            screen.show(envelope)
            match envelope.event:
                case PreprocessPlan() if not said:  # all that was typed fits the table
                    said = True
                    _say_where(order.destination, console)
                case TurnEnded():
                    return
                case WaitingConfirmation() as waiting:
                    if not order.interactive:
                        raise CommandError(BAD_INPUT, _unanswered(waiting))
                    await conductor.wait(project)  # the gate is announced a moment before it can be answered
                    with screen.still():
                        await _answer(conductor, project, waiting, console, read)
                case _:
                    pass
    full = shutil.disk_usage(conductor.settings.home).free < LITTLE_BYTES
    died = "The run ended without a word in its log; `modelwright doctor` tries what a run needs."
    raise CommandError(FAILED, HOME_FULL if full else died)


def _say_where(destination: Destination, console: Console) -> None:
    where = "Replacing the earlier result in" if destination.replaces else "Results go to"
    console.print(f"{where} {destination.folder}", markup=False, highlight=False, soft_wrap=True)


async def _start(conductor: Conductor, project: str, order: Order) -> None:
    try:
        reply = await conductor.start(
            project,
            order.request,
            [order.data],
            script=order.script,
            budget_seconds=order.budget_seconds,
            seed=order.seed,
            costs=order.costs,
            model=order.model,
            split=order.split,
            drop=order.drop,
            sample_rows=order.sample_rows,
            profile=order.profile,
            weight_column=order.weight_column,
        )
    except (FileNotFoundError, PermissionError) as error:
        if error.filename is None or str(error.filename) != str(order.data):
            raise
        raise CommandError(BAD_INPUT, f"{order.data} cannot be read: {error.strerror}.") from error
    if not reply.accepted:
        raise CommandError(BAD_INPUT, reply.sentence)


async def followed(conductor: Conductor, project: str) -> AsyncGenerator[Envelope, None]:
    """The log as it grows; ends when nobody is left who could write into it, as on a full disk."""
    seen = 0
    log = conductor.subscribe(project)
    while True:
        coming = asyncio.ensure_future(anext(log))
        working = asyncio.create_task(conductor.wait(project))
        try:
            await asyncio.wait((coming, working), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() and not await conductor.events(project, seen):
                return
            envelope = await coming
        finally:
            coming.cancel()
            working.cancel()
        seen = envelope.seq
        yield envelope


async def _answer(
    conductor: Conductor, project: str, waiting: WaitingConfirmation, console: Console, read: Callable[[str], str]
) -> None:
    """Ask until the answer is accepted. Reading blocks the loop on purpose: nothing else runs at a gate."""
    while True:
        decision: Decision = ask(waiting, console, read)
        reply = await conductor.decide(project, waiting.interrupt_id, decision)
        if reply.accepted:
            return
        console.print(Text(printable(reply.sentence), style="red"))


def _unanswered(waiting: WaitingConfirmation) -> str:
    if waiting.gate == "question":
        choices = ", ".join(waiting.payload["choices"])
        return f"{waiting.title} Say it in the request{f' (choices: {choices})' if choices else ''}."
    blocking = next((finding for finding in waiting.payload.get("findings", ()) if finding["blocks"]), None)
    why = f" (line {blocking['line']}: {blocking['sentence']})" if blocking else ""
    return f"{waiting.title}{why} There is no terminal to ask in."


async def _finish(conductor: Conductor, project: str, order: Order, console: Console) -> None:
    """Write the files of a finished model, or say why there is none."""
    log = await conductor.events(project)
    events = [envelope.event for envelope in log]
    ended = next(event for event in reversed(events) if isinstance(event, TurnEnded))
    failed = next((event for event in reversed(events) if isinstance(event, Failed)), None)
    if failed is not None:
        code = BAD_INPUT if failed.culprit == "user" else FAILED
        raise CommandError(code, failure_sentence(failed, events))
    if ended.outcome != "done":
        raise CommandError(BAD_INPUT, "You rejected it, so nothing was trained.")
    if not any(isinstance(event, Scored) for event in events):
        _no_model(events)
        return
    files = _files(conductor, project, log)
    try:
        folder = deliver(order.destination, files, log)
    except OSError as error:
        kept = files["report.json"].parent
        raise CommandError(
            FAILED, f"The files could not be written: {error.strerror}. The result is safe in {kept}."
        ) from error
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    show_summary(report, folder, console, seconds=_since(log[0]))


def _since(first: Envelope) -> float:
    """Seconds since an event, waiting for answers included."""
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(first.at)).total_seconds()


def failure_sentence(failed: Failed, events: Sequence[Any]) -> str:
    """What was seen and what would work; only who wrote a script is told to change it."""
    written = [event.author for event in events if isinstance(event, CodeWritten)]
    ours = failed.culprit == "script" and "user" not in written[-1:]
    advice = "Give it more time with --budget, or leave out a column." if ours else failed.advice
    said = failed.sentence.strip()
    return f"{said if said.endswith(('.', '!', '?')) else f'{said}.'} {advice}".strip()


def _no_model(events: Sequence[Any]) -> None:
    """A question was answered on screen instead; one that we cannot serve is the user's input."""
    requests = [event.request for event in events if isinstance(event, PromptParsed)]
    if requests and requests[-1]["kind"] == "unsupported":
        raise CommandError(BAD_INPUT, " ".join(requests[-1]["reply"].split()))


def _files(conductor: Conductor, project: str, log: Sequence[Envelope]) -> dict[str, Path]:
    """Everything that can be taken along from the last attempt, by its name."""
    added = [envelope.event for envelope in log if envelope.type == "ARTIFACT_ADDED"]
    artifacts = [event for event in added if isinstance(event, ArtifactAdded)]
    last = max(artifact.attempt for artifact in artifacts)
    return {
        artifact.name: conductor.artifact_path(project, last, artifact.name)
        for artifact in artifacts
        if artifact.attempt == last
    }


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
