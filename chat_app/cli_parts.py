"""What the commands share: settings, table, console, and an end in one sentence. Heavy imports wait in here too."""

import math
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from chat_app.exits import (
    BAD_INPUT,
    FAILED,
    HOME_FULL,
    INTERRUPTED,
    NO_ISOLATION,
    CommandError,
    ReaderGone,
    file_sentence,
    is_disk_full,
)

if TYPE_CHECKING:
    from rich.console import Console

    from chat_app.settings import Settings

Result = TypeVar("Result")


def number(least: float, most: float) -> Callable[[str], float]:
    """Reads an option that is a number between the two; "nan" is none."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise typer.BadParameter(f"{text} is no number from {least:g} to {most:,.0f}")
        return value

    return read


def reader(console: "Console") -> Callable[[str], str]:
    """Asks on this console."""
    from rich.text import Text

    return lambda prompt: console.input(Text(prompt, style="bold"))


def new_console() -> "Console":
    """On stdout; ends the command when nobody reads it."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise ReaderGone

    return Ours()


def read_settings() -> "Settings":
    """From the environment and .env. Raises CommandError."""
    from pydantic import ValidationError

    from chat_app.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"MODELWRIGHT_{'__'.join(str(part) for part in first['loc'])}".upper()
        problem = first["msg"].removeprefix("Value error, ")
        raise CommandError(BAD_INPUT, f"The setting {name} cannot be used: {problem}.") from error


def with_home(settings: "Settings") -> "Settings":
    """The same settings, once their home is known to take files: a wrong one is the user's input."""
    from tempfile import TemporaryFile

    try:
        settings.prepare_home()
        with TemporaryFile(dir=settings.home):
            return settings
    except OSError as error:
        if is_disk_full(error):
            raise CommandError(FAILED, HOME_FULL) from error
        advice = "name a folder that can be written with MODELWRIGHT_HOME"
        raise CommandError(BAD_INPUT, f"{settings.home} cannot be written ({error.strerror}); {advice}.") from error


def table(data: str) -> Path | str:
    """A path that exists, or the name of a sample."""
    path = Path(data).expanduser()
    if path.exists():
        return path
    from tools.samples import SAMPLES, is_sample

    if is_sample(data):
        return data
    raise CommandError(BAD_INPUT, f"There is no file {data} (samples that need no file: {', '.join(SAMPLES)}).")


def complete(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on an event loop of its own, to the end."""
    import asyncio

    with one_sentence():
        return asyncio.run(work)


@contextmanager
def one_sentence() -> Iterator[None]:
    """What the product's parts raise becomes a sentence and an exit code."""
    from asyncio import CancelledError

    from chat_app.asking import Interrupted
    from sandbox.base import SandboxError, SandboxUnavailable
    from tools.ingest import IngestError

    try:
        yield
    except CommandError:
        raise  # it has its sentence
    except (Interrupted, CancelledError, KeyboardInterrupt):
        raise CommandError(INTERRUPTED, "Interrupted; nothing is left running.") from None
    except IngestError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    except SandboxUnavailable as error:
        raise CommandError(NO_ISOLATION, str(error)) from error
    except SandboxError as error:
        raise CommandError(FAILED, str(error)) from error
    except BrokenPipeError:
        raise  # whoever read our output has gone
    except OSError as error:
        raise CommandError(FAILED, file_sentence(error)) from error
    except Exception as error:
        if is_disk_full(error):
            raise CommandError(FAILED, HOME_FULL) from error
        raise


def report_fault(error: Exception) -> None:
    """To Sentry, where its key is set; nothing that goes wrong here hides the error itself."""
    from contextlib import suppress

    with suppress(Exception):
        settings = read_settings()
        if settings.sentry_dsn.get_secret_value():
            from chat_app.error_reports import report_now

            report_now(error, settings)
