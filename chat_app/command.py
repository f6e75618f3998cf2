"""`modelwright run`: one request from the first event to the files, through the conductor like any other door."""

import asyncio
import logging
import shutil
import signal
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.events import (
    Envelope,
    PreprocessPlan,
    TurnEnded,
    WaitingConfirmation,
)
from agents.state import Decision
from chat_app.asking import Interrupted, ask
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.delivery import Destination
from chat_app.exits import BAD_INPUT, FAILED, HOME_FULL, CommandError, is_disk_full
from chat_app.handing_over import finish, rescue
from chat_app.printable import printable
from chat_app.settings import Settings
from chat_app.terminal import Screen, open_screen

LITTLE_BYTES = 2**20
"""With less room than this in the home, a run that died without a word died of it."""


class NobodyToAsk(CommandError):
    """A gate stands open, and there is no terminal."""


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
    improve: float | bool | None = None
    """Whether a better script is searched for; as a number, so many seconds more."""
    model_budget: Mapping[str, Any] | None = None
    """What language models may cost here, as fields of `Allowance`; None: as the settings say."""


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
            await finish(conductor, project, order.destination, console)
        except (Interrupted, asyncio.CancelledError):
            await conductor.stop(project, keep=False)
            raise
        except NobodyToAsk:
            await rescue(conductor, project, order.destination, console)
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
                        raise NobodyToAsk(BAD_INPUT, _unanswered(waiting))
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
            send_pictures=order.yes,
            weight_column=order.weight_column,
            improve=order.improve,
            model_budget=order.model_budget,
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
    if waiting.gate == "question" and waiting.payload.get("field") == "picture":
        return f"{waiting.title} There is no terminal to ask in; --yes agrees to it."
    if waiting.gate == "question":
        choices = ", ".join(waiting.payload["choices"])
        return f"{waiting.title} Say it in the request{f' (choices: {choices})' if choices else ''}."
    blocking = next((finding for finding in waiting.payload.get("findings", ()) if finding["blocks"]), None)
    why = f" (line {blocking['line']}: {blocking['sentence']})" if blocking else ""
    return f"{waiting.title}{why} There is no terminal to ask in."
