"""The `modelwright` command. Heavy imports wait inside the commands, so that `--help` is instant."""

import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal

import typer

from chat_app.cli_eval import evaluate
from chat_app.cli_explain import explain
from chat_app.cli_language import ModelBudgetOption, ModelMinutesOption, ModelTokensOption
from chat_app.cli_language import model_budget as bounds
from chat_app.cli_models import (
    ModelOption,
    SaveOption,
    SearchOption,
    SetOption,
    SpaceOption,
    TemplateOption,
    TrialsOption,
    checked_order,
    models_app,
    order_of,
)
from chat_app.cli_parts import (
    complete,
    new_console,
    number,
    one_sentence,
    read_settings,
    reader,
    report_fault,
    table,
    with_home,
)
from chat_app.cli_sandbox import check, sandbox_app
from chat_app.cli_search import ImproveOption, ImproveSecondsOption, improvement
from chat_app.exits import (
    BAD_INPUT,
    DONE,
    FAILED,
    INTERRUPTED,
    NO_ISOLATION,
    CommandError,
    ReaderGone,
    file_sentence,
)

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
    for handle, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            stream = open(handle, "w" if handle else "r", encoding="utf-8", closefd=False)  # noqa: PTH123, SIM115
            setattr(sys, name, stream)


def _call() -> int:
    """Do what was typed; how it ended."""
    try:
        command = typer.main.get_command(app)
        with command.make_context("modelwright", sys.argv[1:]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:  # a wrong call; help that was asked for by saying nothing is no sentence
        wrong = error.format_message().strip().replace(": Value error, ", ": ")
        if wrong and "\n" not in wrong:
            asked = getattr(getattr(error, "ctx", None), "command_path", "modelwright")
            _say(f"{wrong.rstrip('.')}. See `{asked} --help`.")
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
        report_fault(error)
        _say(f"Something in Modelwright itself failed ({type(error).__name__}); please report the lines above.")
        return FAILED
    return DONE


def _flushed(code: int) -> int:
    """Write what is still held back; an output that is full or gone must not end in the interpreter's complaint."""
    try:
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
        float | None,
        typer.Option(metavar="SECONDS", parser=number(5, 86_400), help="Wall clock for the whole run, from 5 s on."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve plan and script without being asked.")] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, max=2**31 - 1, help="Same seed, same score.")] = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own training script: checked, sandboxed and scored like ours."),
    ] = None,
    costs: Annotated[
        str | None,
        typer.Option(metavar="FP=1,FN=5", help="What a false alarm and a miss cost (TP=…: what a hit brings)."),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column that the model must not use; may be said several times."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="RULE[:COLUMN]",
            help="Which rows judge: random, stratified, time:COLUMN, group:COLUMN or predefined:COLUMN.",
        ),
    ] = None,
    profile: Annotated[
        Literal["best", "compact", "explainable"] | None,
        typer.Option(help="A blend as good as time allows, one model under 5 MB, or one that people can read."),
    ] = None,
    weight_column: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Says how much each training row counts; it is no feature then."),
    ] = None,
    improve: ImproveOption = None,
    improve_seconds: ImproveSecondsOption = None,
    model_budget: ModelBudgetOption = None,
    model_tokens: ModelTokensOption = None,
    model_minutes: ModelMinutesOption = None,
    no_sample_rows: Annotated[
        bool, typer.Option("--no-sample-rows", help="Keep no training rows in model/ (explanations compare with them).")
    ] = False,
    model: ModelOption = None,
    given: SetOption = None,
    space: SpaceOption = None,
    search: SearchOption = None,
    trials: TrialsOption = None,
    template: TemplateOption = None,
    save_template: SaveOption = None,
) -> None:
    """Turn a table and a sentence into a model, with the code, the charts and an honest score.

    Exit codes: 0 done, 2 your input, 3 no isolation on this machine, 4 the run failed, 130 interrupted.
    4 without a word: nobody reads the output any more.
    """
    interactive = sys.stdin.isatty()
    if not yes and not interactive:
        raise CommandError(
            BAD_INPUT, "There is no terminal to ask for your approval in: add --yes to approve the plan and the script."
        )
    wanted = order_of(model, given, space, search, trials, template, save_template)
    if wanted and script is not None:
        raise CommandError(BAD_INPUT, "--script brings your own training, so no model can be chosen beside it.")
    source = table(data)
    from chat_app.delivery import DeliveryError, choose
    from chat_app.script_file import read_script

    wanted = checked_order(wanted, read_settings().template_folder) if wanted else None

    text = read_script(script) if script is not None else None
    try:
        destination = choose(out, data, Path.cwd())
    except DeliveryError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    console = new_console()
    from dataclasses import replace

    from chat_app.command import Order
    from chat_app.command import run as run_order

    order = Order(source, request, destination, yes, interactive, budget, seed, text, costs, wanted, split=split)
    order = replace(order, drop=tuple(drop)) if drop else order
    order = replace(order, sample_rows=0) if no_sample_rows else order
    order = replace(order, profile=profile, weight_column=weight_column)
    order = replace(order, improve=improvement(improve, improve_seconds))
    settings = with_home(read_settings())
    order = replace(order, model_budget=bounds(model_budget, model_tokens, model_minutes, settings))
    complete(run_order(order, settings, console, reader(console)))


@app.command()
def profile(
    data: DataOrSample,
    as_json: Annotated[bool, typer.Option("--json", help="The whole profile as JSON.")] = False,
) -> None:
    """Describe a table: types, roles, gaps, oddities, and what had to be repaired to read it."""
    source = table(data)
    from chat_app.describing import profile_of, show_profile

    with one_sentence():
        dataset, found = profile_of(source)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show_profile(dataset, found, new_console())


@app.command()
def predict(
    model_dir: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A result folder of `run`, or its model/.")],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="The table: a file, or the name of a sample.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the predictions go: .csv, .parquet, .xlsx, …")
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(metavar="JSON", help="A row instead of a table, e.g. '{\"age\": 42}'; repeatable."),
    ] = None,
    level: Annotated[
        float, typer.Option(metavar="SHARE", help="How often the interval or the set of classes holds the truth.")
    ] = 0.9,
    fill_missing: Annotated[
        bool, typer.Option("--fill-missing", help="A column that is not there counts as missing in every row.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop, before anything is written, when a row is unlike those of training.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON on stdout and nothing else.")] = False,
) -> None:
    """Predict the rows of a table with a model of `run`; the model is loaded in the sandbox only.

    Added to each row: the prediction, the probability of each class, an interval (or the set of classes) that holds the
    truth at the level asked for, and in `warnings` how the row is unlike those of training.
    """
    if (data is None) == (not row):
        raise CommandError(BAD_INPUT, "Name a table to predict, or give a row with --row '{\"age\": 42}'.")
    if data is not None and out is None:
        raise CommandError(BAD_INPUT, "Say with --out where the predictions go, e.g. --out predictions.csv.")
    source = table(data) if data is not None else None
    from chat_app.predicting import PredictOrder, row_lines
    from chat_app.predicting import predict as predict_order
    from chat_app.printable import printable
    from tools.ingest.errors import counted
    from tools.predict_rows import Wishes

    console = new_console()

    def tell(note: str) -> None:
        if not as_json:
            console.print(f"· {printable(note)}", markup=False, highlight=False, soft_wrap=True)

    wishes = Wishes(level=level, strict=strict, fill_missing=fill_missing)
    target = out.expanduser() if out is not None else None
    order = PredictOrder(model_dir.expanduser(), source, target, tuple(row or ()), wishes)
    found = complete(predict_order(order, read_settings(), tell))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in row_lines(found):
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        done = f"Predicted {counted(found['rows'], 'row')}: {out}"
        console.print(done, markup=False, highlight=False, soft_wrap=True)


@app.command()
def replay(
    project: Annotated[
        str, typer.Argument(metavar="PROJECT", help="A result folder of `run`, its bundle.zip, or a project's id.")
    ],
    data: Annotated[str, typer.Argument(metavar="NEWDATA", help="New rows of the same table, or a sample.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; without it a new ./modelwright-replay-<name>-<n>."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", parser=number(5, 86_400), help="For retraining; else the contract's."),
    ] = None,
    train_on: Annotated[
        Literal["both", "new"], typer.Option("--train-on", help="Retrain on old and new rows, or on the new ones only.")
    ] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="replay.json on stdout and nothing else.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Retrain without being asked.")] = False,
) -> None:
    """Hold new rows against an old contract: do they fit, what has moved, keep the model or replace it.

    The old project is only read. Exit codes: 0 done (whatever the verdict), 2 your input, 3 no isolation on this
    machine, 4 the retraining failed, 130 interrupted.
    """
    interactive = sys.stdin.isatty() and not as_json
    if not yes and not interactive:
        raise CommandError(BAD_INPUT, "There is no terminal to ask in: add --yes to train again without being asked.")
    source = table(data)
    from rich.console import Console

    from chat_app.delivery import DeliveryError, choose
    from chat_app.replaying import ReplayOrder
    from chat_app.replaying import replay as replay_order
    from tools.replay_report import json_text

    try:
        destination = choose(out, f"replay-{Path(data).name}", Path.cwd())
    except DeliveryError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    console = Console(quiet=True) if as_json else new_console()
    order = ReplayOrder(project, source, destination, yes, train_on, budget)
    report = complete(replay_order(order, with_home(read_settings()), console, reader(console)))
    if as_json:
        typer.echo(json_text(report), nl=False)


app.add_typer(sandbox_app, name="sandbox")
app.command()(check)
app.command()(explain)
app.command("eval")(evaluate)
app.add_typer(models_app, name="models")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """Say what works on this machine, and what to do about what does not."""
    from chat_app.doctor import as_json as written
    from chat_app.doctor import examine, show_health

    health = complete(examine(read_settings()))
    if as_json:
        typer.echo(written(health))
    else:
        show_health(health, new_console())
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
        with one_sentence():
            serve(with_home(read_settings()), host=host, port=port, open_browser=open_browser)
    except ServeError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
