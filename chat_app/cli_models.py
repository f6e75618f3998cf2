"""`modelwright models`, and the options of `run` that choose a model. Heavy imports wait inside the commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chat_app.cli_parts import new_console, read_settings, with_home
from chat_app.exits import BAD_INPUT, CommandError

Search = Literal["none", "grid", "randomised", "optuna"]

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="KIND", help="One kind of model instead of our selection; see `modelwright models`."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the model, e.g. n_estimators=500; repeatable."),
]
SpaceOption = Annotated[
    list[str] | None,
    typer.Option("--space", metavar="NAME=VALUES", help="Search it: max_depth=3,6,9 or rate=0.01..0.3; repeatable."),
]
SearchOption = Annotated[
    Search | None, typer.Option("--search", help="How parameters are searched, inside the training rows.")
]
TrialsOption = Annotated[
    int | None,
    typer.Option("--trials", metavar="N", min=1, max=1000, help="Candidates of a randomised or Optuna search."),
]
TemplateOption = Annotated[
    str | None, typer.Option("--template", metavar="NAME", help="A ready-made choice, ours or your own.")
]
SaveOption = Annotated[
    str | None, typer.Option("--save-template", metavar="NAME", help="Keep this choice as a template of your own.")
]

models_app = typer.Typer(
    help="The kinds of model that can be chosen, their parameters, and templates.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JsonOption = Annotated[bool, typer.Option("--json", help="Everything as JSON.")]


def order_of(
    model: str | None,
    given: Sequence[str] | None,
    space: Sequence[str] | None,
    search: str | None,
    trials: int | None,
    template: str | None,
    save_as: str | None,
) -> dict[str, Any] | None:
    """The options as an order for tools.models.reading; None when there are none. Raises CommandError."""
    order: dict[str, Any] = {
        "estimator": model,
        "parameters": _pairs("--set", given),
        "space": _pairs("--space", space),
        "search": search,
        "trials": trials,
        "template": template,
        "save_as": save_as,
    }
    order = {name: value for name, value in order.items() if value is not None}
    if template and "parameters" in order:  # beside those of the template, not instead of them
        order |= {f"parameters.{name}": value for name, value in order.pop("parameters").items()}
    if not order:
        return None
    if not {"estimator", "template"} & set(order):
        first = {"parameters": "--set", "space": "--space", "save_as": "--save-template"}
        option = next((first.get(name, f"--{name}") for name in order), "--set")
        raise CommandError(BAD_INPUT, f"{option} needs a model: add --model KIND or --template NAME.")
    return order


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise CommandError(BAD_INPUT, f"{option} {text} is no NAME=VALUE; write it like {option} n_estimators=500.")
        if name in found:
            raise CommandError(BAD_INPUT, f"{option} names {name} twice; name it once.")
        found[name] = value
    return found


def checked_order(order: dict[str, Any], templates: Path) -> dict[str, Any]:
    """The order, once it is known to fit classes or numbers: what is wrong anyway is said before a table is read."""
    from tools.models.choice import ModelError, Task
    from tools.models.reading import read_choice
    from tools.models.shelf import check_name, shelf

    if order is None:
        return None
    found, problems = shelf(templates), []
    tasks: tuple[Task, ...] = ("binary", "regression")
    for task in tasks:
        try:
            if order.get("save_as"):
                check_name(str(order["save_as"]))
            read_choice(order, task, found)
            return order
        except ModelError as error:
            problems.append(str(error))
    raise CommandError(BAD_INPUT, problems[0])


@models_app.callback()
def models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the kinds of model and the templates."""
    if context.invoked_subcommand is not None:
        return
    from chat_app.modelling import listed_json, show_models
    from tools.models.shelf import shelf

    found = shelf(read_settings().template_folder)
    if as_json:
        typer.echo(listed_json(found))
    else:
        show_models(found, new_console())


@models_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A kind of model, or a template.")],
    as_json: JsonOption = False,
) -> None:
    """The parameters of a kind of model with ranges, defaults and meanings; or what a template says."""
    from chat_app.modelling import one_json, show_one
    from tools.models.choice import ModelError
    from tools.models.shelf import shelf

    found = shelf(read_settings().template_folder)
    try:
        if as_json:
            typer.echo(one_json(name, found))
        else:
            show_one(name, found, new_console())
    except ModelError as error:
        raise CommandError(BAD_INPUT, str(error)) from error


@models_app.command()
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the template is to be called.")],
    model: ModelOption = None,
    given: SetOption = None,
    space: SpaceOption = None,
    search: SearchOption = None,
    trials: TrialsOption = None,
    template: TemplateOption = None,
    about: Annotated[str, typer.Option("--about", metavar="TEXT", help="What it is for, in one sentence.")] = "",
) -> None:
    """Keep a choice as a template of your own; one of the same name is replaced."""
    from chat_app.modelling import save_template

    order = order_of(model, given, space, search, trials, template, None)
    if order is None:
        raise CommandError(BAD_INPUT, "Say what to save: --model KIND, with --set and --space, or --template NAME.")
    folder = with_home(read_settings()).template_folder
    path = save_template(name, order, folder, about)
    new_console().print(f"Saved as {path}", markup=False, highlight=False, soft_wrap=True)
