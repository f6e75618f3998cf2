"""`modelwright eval` as it is typed. Heavy imports wait inside."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chat_app.cli_parts import complete, new_console, number, read_settings
from chat_app.exits import BAD_INPUT, CommandError

if TYPE_CHECKING:
    from agents.llm.endpoint import Endpoint
    from chat_app.eval_suite.suite import Group
    from chat_app.settings import Settings


def evaluate(
    address: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="URL", help="The server, e.g. http://localhost:11434/v1; else the configured one."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model, as its server calls it.")] = None,
    key_env: Annotated[
        str | None, typer.Option("--key-env", metavar="VAR", help="The environment variable that holds the key.")
    ] = None,
    ask_key: Annotated[bool, typer.Option("--ask-key", help="Ask for the key; what is typed is not shown.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help="forms, requests, refusals, code, repairs or answers; repeatable."),
    ] = None,
    repeat: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Ask each case this often.")] = 1,
    tokens: Annotated[
        int, typer.Option(metavar="N", min=1000, help="Stop asking when so many tokens are used.")
    ] = 1_000_000,
    seconds: Annotated[
        float, typer.Option(metavar="S", parser=number(1, 3600), help="Deadline of each answer, with its repair.")
    ] = 60.0,
    temperature: Annotated[
        float, typer.Option(metavar="T", parser=number(0, 2), help="Of the model, where its server takes one.")
    ] = 0.0,
    context_tokens: Annotated[
        int, typer.Option("--context", metavar="N", min=1024, help="How many tokens the model can read and write.")
    ] = 32_768,
    price_in: Annotated[
        float, typer.Option(metavar="P", parser=number(0, 1e6), help="Money per million tokens that are sent.")
    ] = 0.0,
    price_out: Annotated[
        float, typer.Option(metavar="P", parser=number(0, 1e6), help="Money per million tokens that are answered.")
    ] = 0.0,
    file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="All results as JSON.")] = None,
) -> None:
    """Measure a language model on tasks of Modelwright whose right answers are known, over the built-in samples.

    Exit codes: 0 done, whatever the model's answers are worth, 2 your input, 4 nobody answers at the address.
    """
    settings = read_settings()
    groups = _groups(only)
    given = {"seconds": seconds, "temperature": temperature, "context_tokens": context_tokens}
    given |= {"price_in": price_in, "price_out": price_out}
    endpoint = _endpoint(address, model, _key(key_env, ask_key), given, settings)
    if file is not None:
        _writable(file)
    from chat_app.eval_report import show_evaluation, show_result
    from chat_app.evaluating import Wanted, as_json

    console = new_console()
    wanted = Wanted(endpoint, groups, repeat, tokens)
    found = complete(_evaluate(wanted, settings, lambda one: show_result(one, console)))
    show_evaluation(found, console)
    if file is not None:
        file.expanduser().write_text(json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


async def _evaluate(wanted: Any, settings: "Settings", tell: Any) -> Any:
    """With the sandbox and the tracing of the settings."""
    from chat_app.evaluating import evaluate
    from chat_app.isolation import open_for
    from chat_app.tracing import tracing_of

    async with tracing_of(settings) as tracing:
        return await evaluate(wanted, lambda: open_for(settings), settings.limits, tell, tracing)


def _groups(only: list[str] | None) -> "tuple[Group, ...]":
    from chat_app.eval_suite.suite import GROUPS

    asked = [name.strip() for one in only or () for name in one.split(",") if name.strip()]
    if unknown := [name for name in asked if name not in GROUPS]:
        raise CommandError(BAD_INPUT, f"There is no group {unknown[0]!r}; the groups are {', '.join(GROUPS)}.")
    return tuple(group for group in GROUPS if group in asked) or GROUPS


def _key(variable: str | None, ask: bool) -> str:
    """Never from the command line itself, which other users and the shell's history can read."""
    if variable is not None and ask:
        raise CommandError(BAD_INPUT, "Give the key in one way: with --key-env or with --ask-key.")
    if variable is not None:
        from chat_app.settings import secret_in

        key = secret_in(variable)
        if not key:
            seen = "holds nothing" if variable.isidentifier() else "is no name of one (give the name, not the key)"
            what = f"The environment variable {variable}" if variable.isidentifier() else "What --key-env was given"
            raise CommandError(BAD_INPUT, f"{what} {seen}.")
        return key
    if not ask:
        return ""
    if not sys.stdin.isatty():
        raise CommandError(BAD_INPUT, "There is no terminal to ask for the key in; name a variable with --key-env.")
    import getpass

    return getpass.getpass("Key of the model's server (not shown): ").strip()


def _endpoint(
    address: str | None, model: str | None, key: str, given: dict[str, Any], settings: "Settings"
) -> "Endpoint":
    """What was typed, or else the one that is configured for the decisions."""
    from pydantic import SecretStr, ValidationError

    from agents.llm.endpoint import Endpoint

    if address is None and model is None:
        from chat_app.model_settings import RoleStore

        known = RoleStore(settings).endpoint("reasoning")
        if known is None:
            raise CommandError(
                BAD_INPUT, "Name a server and a model: --endpoint http://localhost:11434/v1 --model qwen3:8b."
            )
        return known.model_copy(update={"key": SecretStr(key)} if key else {})
    if address is None or model is None:
        missing = "--endpoint URL" if address is None else "--model NAME"
        raise CommandError(BAD_INPUT, f"A server and a model go together: add {missing}.")
    try:
        return Endpoint(base_url=address, model=model, key=SecretStr(key), **given)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        option = {"base_url": "--endpoint", "model": "--model", "key": "The key"}.get(str(first["loc"][0]), "An option")
        raise CommandError(BAD_INPUT, f"{option} cannot be used: {problem}.") from error


def _writable(file: Path) -> None:
    """Before anything is spent."""
    try:
        with file.expanduser().open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise CommandError(BAD_INPUT, f"{file} cannot be written: {error.strerror}.") from error
