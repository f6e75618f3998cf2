"""The `modelwright` command. Heavy imports wait inside the commands, so that `--help` is instant."""

import io
import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from chat_app.exits import (
    BAD_INPUT,
    DONE,
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
    from collections.abc import Callable, Coroutine, Iterator

    from rich.console import Console

    from chat_app.settings import Settings

Result = TypeVar("Result")

app = typer.Typer(
    name="modelwright",
    help="A table and a sentence in; a model you can trust and the code that made it out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataOrSample = Annotated[
    str,
    typer.Argument(metavar="DATA", help="A table (CSV, TSV, XLSX, JSON, NDJSON, Parquet), or a sample: iris."),
]


def main() -> None:
    """Run the command; every error leaves as one sentence and an exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows ? instead of ending the run
    sys.exit(_flushed(_call()))


def _open_closed_streams() -> None:
    """Started with `<&-` or the like, the first file that we open would become our input or output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _call() -> int:
    """Do what was typed; how it ended."""
    try:
        command = typer.main.get_command(app)
        with command.make_context("modelwright", sys.argv[1:]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:  # a wrong call; help that was asked for by saying nothing is no sentence
        wrong = error.format_message().strip()
        if wrong and "\n" not in wrong:
            _say(f"{wrong.rstrip('.')}. See `modelwright --help`.")
        return BAD_INPUT
    except CommandError as error:
        _say(str(error))
        return error.code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (ReaderGone, BrokenPipeError, SystemExit):  # SystemExit: the help's own console found no reader
        return FAILED
    except OSError as error:
        _say(file_sentence(error))
        return FAILED
    except Exception as error:  # the door: a fault of ours still gets its sentence and its code
        traceback.print_exc()
        _say(f"Something in Modelwright itself failed ({type(error).__name__}); please report the lines above.")
        return FAILED
    return DONE


def _flushed(code: int) -> int:
    """Write what is still held back; an output that is full or gone must not end in the interpreter's complaint."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if code == DONE and not isinstance(error, BrokenPipeError):
            _say(file_sentence(error))
        return code or FAILED
    return code


def _say(sentence: str) -> None:
    from contextlib import suppress

    from chat_app.printable import printable

    with suppress(OSError):  # nobody reads it, or it is full as well: the exit code says it too
        typer.echo(f"modelwright: {printable(sentence)}", err=True)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"modelwright {version('modelwright')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    data: DataOrSample,
    request: Annotated[str, typer.Argument(metavar="REQUEST", help='What you want, e.g. "predict churn".')],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; without it a new ./modelwright-<name>-<n>."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=5, max=86_400, help="Wall clock for the whole run.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve plan and script without being asked.")] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, max=2**31 - 1, help="Same seed, same score.")] = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own training script: checked, sandboxed and scored like ours."),
    ] = None,
) -> None:
    """Turn a table and a sentence into a model, with the code, the charts and an honest score.

    Exit codes: 0 done, 2 your input, 3 no isolation on this machine, 4 the run failed, 130 interrupted.
    4 without a word: nobody reads the output any more.
    """
    interactive = sys.stdin is not None and sys.stdin.isatty()
    if not yes and not interactive:
        raise CommandError(
            BAD_INPUT, "There is no terminal to ask for your approval in: add --yes to approve the plan and the script."
        )
    source = _table(data)
    text = _script_text(script)
    from chat_app.delivery import DeliveryError, choose

    try:
        destination = choose(out, data, Path.cwd())
    except DeliveryError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    console = _console()
    where = "replacing the earlier result in" if destination.replaces else "results go to"
    console.print(f"{where.capitalize()} {destination.folder}", markup=False, highlight=False, soft_wrap=True)
    from chat_app.command import Order
    from chat_app.command import run as run_order

    order = Order(source, request, destination, yes, interactive, budget, seed, text)
    _complete(run_order(order, _with_home(_settings()), console, _reader(console)))


@app.command()
def profile(
    data: DataOrSample,
    as_json: Annotated[bool, typer.Option("--json", help="The whole profile as JSON.")] = False,
) -> None:
    """Describe a table: types, roles, gaps, oddities, and what had to be repaired to read it."""
    source = _table(data)
    from chat_app.describing import profile_of, show_profile

    with _one_sentence():
        dataset, found = profile_of(source)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show_profile(dataset, found, _console())


@app.command()
def predict(
    model_dir: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A result folder of `run`, or its model/.")],
    data: DataOrSample,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the predictions go: .csv, .parquet, .xlsx, …")],
) -> None:
    """Predict the rows of a table with a model of `run`; the model is loaded in the sandbox only."""
    source = _table(data)
    from chat_app.predicting import predict_rows
    from chat_app.printable import printable
    from tools.ingest.errors import counted

    console = _console()

    def tell(note: str) -> None:
        console.print(f"· {printable(note)}", markup=False, highlight=False, soft_wrap=True)

    rows = _complete(predict_rows(model_dir.expanduser(), source, out.expanduser(), _settings(), tell))
    console.print(f"Predicted {counted(rows, 'row')}: {out}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def doctor() -> None:
    """Say what works on this machine, and what to do about what does not."""
    from chat_app.doctor import examine, show_health

    health = _complete(examine(_settings()))
    show_health(health, _console())
    if not health.can_run:
        raise typer.Exit(NO_ISOLATION)


@app.command()
def chat(
    host: Annotated[str | None, typer.Option(help="Where to listen; loopback only: 127.0.0.1 or ::1.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="8000 without it.")] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the chat in the browser.")] = True,
) -> None:
    """Open the chat."""
    from chat_app.serve import ServeError, serve

    try:
        with _one_sentence():
            serve(_with_home(_settings()), host=host, port=port, open_browser=open_browser)
    except ServeError as error:
        raise CommandError(BAD_INPUT, str(error)) from error


def _reader(console: "Console") -> "Callable[[str], str]":
    from rich.text import Text

    return lambda prompt: console.input(Text(prompt, style="bold"))


def _console() -> "Console":
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise ReaderGone

    return Ours()


def _settings() -> "Settings":
    from pydantic import ValidationError

    from chat_app.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"MODELWRIGHT_{'_'.join(str(part) for part in first['loc'])}".upper()
        raise CommandError(BAD_INPUT, f"The setting {name} cannot be used: {first['msg']}.") from error


def _with_home(settings: "Settings") -> "Settings":
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


def _table(data: str) -> Path | str:
    """A path that exists, or the name of a sample."""
    path = Path(data).expanduser()
    if path.exists():
        return path
    from tools.samples import SAMPLES, is_sample

    if is_sample(data):
        return data
    raise CommandError(BAD_INPUT, f"There is no file {data} (samples that need no file: {', '.join(SAMPLES)}).")


def _script_text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(BAD_INPUT, f"{path} is no UTF-8 text, so it cannot be a Python script.") from error
    except OSError as error:
        raise CommandError(BAD_INPUT, f"{path} cannot be read: {error.strerror}.") from error


def _complete(work: "Coroutine[Any, Any, Result]") -> Result:
    """Run on an event loop of its own, to the end."""
    import asyncio

    with _one_sentence():
        return asyncio.run(work)


@contextmanager
def _one_sentence() -> "Iterator[None]":
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
