"""`modelwright sandbox run` and `check`. Heavy imports wait inside the commands, so that `--help` is instant."""

import signal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chat_app.cli_parts import complete, new_console, number, one_sentence, read_settings
from chat_app.exits import INTERRUPTED, CommandError

Level = Literal["auto", "full", "bubblewrap", "reduced", "docker", "e2b"]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

sandbox_app = typer.Typer(
    help="The sandbox by itself.", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)


@sandbox_app.command("run")
def sandbox_run(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A Python file; - reads it from stdin.")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="More inputs, as in --in data/*.csv.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--in", metavar="FILE", help="A file or folder that the script reads as inputs/NAME; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New or empty folder for what the script leaves in outputs/."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="DIR may hold files; those with the name of a new one are replaced.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--time", metavar="S", parser=number(0.1, 86_400), help="Seconds from the first line."),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(metavar="MB", min=16, max=2**24, help="All its processes together.")
    ] = None,
    cpus: Annotated[
        float | None, typer.Option(metavar="N", parser=number(0.05, 1024), help="Processor cores, from 0.05 on.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=32_768, help="Processes and threads together.")
    ] = None,
    written: Annotated[int | None, typer.Option(metavar="MB", min=1, max=2**24, help="All files it leaves.")] = None,
    output: Annotated[int | None, typer.Option(metavar="MB", min=1, max=1024, help="All text it prints.")] = None,
    level: Annotated[
        Level | None,
        typer.Option("--sandbox", "--level", help="Where it runs; what is named is used, or nothing runs."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of the streams.")] = False,
) -> None:
    """Run any Python script in the sandbox: no network, read-only inputs/, one writable outputs/, limits.

    What it prints comes as it is printed; one line on stderr says how it ended.
    Limits that are not given are those of the settings. The script is checked
    first (see `modelwright check`); what would be blocked elsewhere is said as a
    warning here and stops nothing: the check is the sign on the door, the
    sandbox is the lock.

    Exit codes: 0 the script ended well, 1 it failed or met a limit (its own exit
    code is in the JSON), 2 your input, 3 no isolation on this machine, 4 the
    sandbox itself failed, 130 interrupted. 4 without a word: nobody reads the
    output any more.
    """
    mask = _hear_signals()
    from chat_app.sandboxing import stopped_early

    asked: dict[str, Any] = {
        "seconds": seconds,
        "memory_mb": memory,
        "cpus": cpus,
        "processes": processes,
        "written_mb": written,
        "output_mb": output,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        with one_sentence():
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = _run(
                script, [*(inputs or ()), *(more or ())], out, given, level, overwrite=overwrite, as_json=as_json
            )
    except CommandError as error:
        if error.code != INTERRUPTED or not as_json:
            raise
        code = stopped_early()
    if code:
        raise typer.Exit(code)


def _run(
    script: str,
    inputs: list[Path],
    out: Path | None,
    given: dict[str, Any],
    level: Level | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> int:
    """The exit code."""
    from dataclasses import replace

    from chat_app.isolation import open_for
    from chat_app.sandboxing import Order, named_inputs, run_script, usable_out
    from chat_app.script_file import read_script

    settings = read_settings()
    text = read_script(script)
    named = named_inputs(inputs)
    folder = usable_out(out, overwrite=overwrite) if out is not None else None
    order = Order(text, named, folder, replace(settings.limits, **given), as_json)
    return complete(run_script(order, lambda: open_for(settings, level)))


def _hear_signals() -> set[int]:
    """From now on a signal that ends us is a Ctrl-C, and waits until the mask that this returns is set again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    for one in STOPPING:
        signal.signal(one, signal.default_int_handler)
    return before


def check(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A Python file; - reads it from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Say what ruff, bandit and our policy find in a Python script, without running it.

    A finding that blocks keeps a script from running, one that asks becomes a question at the gate, a note stops
    nothing.

    Exit codes: 0 nothing or notes only, 1 a finding blocks or asks, 2 your input (no such file, no Python text).
    """
    from chat_app.checking import check_script

    code = check_script(script, as_json=as_json, console=new_console())
    if code:
        raise typer.Exit(code)
