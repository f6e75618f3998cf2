"""What `modelwright models` shows and saves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chat_app.exits import BAD_INPUT, CommandError
from chat_app.printable import printable
from tools.models.catalogue import Estimator, Parameter, estimator, estimators, plain_name
from tools.models.choice import ModelError, written
from tools.models.reading import read_choice
from tools.models.shelf import Shelf, Template, save, shelf, text_of

MAX_ABOUT = 300


def show_models(found: Shelf, console: Console) -> None:
    """Two short tables, and what is wrong with a file of the user's."""
    kinds = _table("kind", "predicts", "")
    for one in estimators().values():
        kinds.add_row(one.name, _predicts(one), Text(one.about))
    console.print(kinds)
    console.print()
    ready = _table("template", "", "")
    for template in found.templates:
        about = template.about or f"{template.estimator}, search: {template.search}"
        ready.add_row(Text(printable(template.name)), "yours" if template.own else "ours", Text(printable(about)))
    console.print(ready)
    for problem in found.problems:
        console.print(Text(f"! {printable(problem)}", style="red"))
    console.print("\n`modelwright models show NAME` tells more of one.", markup=False, style="dim")


def show_one(name: str, found: Shelf, console: Console) -> None:
    """A kind of model with its parameters, or a template as its file says it. Raises `ModelError`."""
    one = _one(name, found)
    if isinstance(one, Template):
        console.print(Text(printable(f"# template “{one.name}”{' (yours)' if one.own else ''}"), style="bold"))
        console.print(printable(_template_text(one)), markup=False, highlight=False)
        return
    console.print(Text(f"{one.title} ({one.name}), predicts {_predicts(one)}", style="bold"))
    console.print(one.about, markup=False)
    console.print()
    table = _table("parameter", "default", "values", "meaning")
    for parameter, known in one.parameters.items():
        table.add_row(parameter, written(known.default), _values(known), Text(known.meaning))
    console.print(table)


def listed_json(found: Shelf) -> str:
    """Everything: estimators with their parameters, templates, problems."""
    return json.dumps(catalogue_json(found), indent=2, ensure_ascii=False)


def one_json(name: str, found: Shelf) -> str:
    """One of them. Raises `ModelError`."""
    return json.dumps(_one(name, found).model_dump(mode="json"), indent=2, ensure_ascii=False)


def catalogue_json(found: Shelf) -> dict[str, Any]:
    """What a form needs to offer every kind of model and every template."""
    left_out = {"settings", "settings_classes", "settings_numbers", "cost"}
    left_out |= {"preparation", "preparation_classes", "preparation_numbers", "aliases"}
    return {
        "estimators": [one.model_dump(mode="json", exclude=left_out) for one in estimators().values()],
        "templates": [one.model_dump(mode="json") for one in found.templates],
        "problems": list(found.problems),
    }


def save_template(name: str, order: Mapping[str, Any], folder: Path, about: str) -> Path:
    """Check a choice and write it. Raises CommandError."""
    problems: list[str] = []
    for task in ("binary", "regression"):
        try:
            if len(about) > MAX_ABOUT:
                raise ModelError(f"What a template is for fits into {MAX_ABOUT} characters.")
            return save(read_choice(order, task, shelf(folder)), name, folder, about)
        except ModelError as error:
            problems.append(str(error))
    raise CommandError(BAD_INPUT, problems[0])


def _one(name: str, found: Shelf) -> Estimator | Template:
    if any(plain_name(name) == plain_name(template.name) for template in found.templates):
        return found.named(name)
    return estimator(name)


def _template_text(one: Template) -> str:
    choice = read_choice(
        {"template": one.name}, "binary" if estimator(one.estimator).classes else "regression", Shelf((one,))
    )
    return text_of(choice, one.about)


def _predicts(one: Estimator) -> str:
    return " and ".join(word for word, path in (("classes", one.classes), ("numbers", one.numbers)) if path)


def _values(known: Parameter) -> str:
    """ "1 to 100, none" """
    ways = list(known.choices)
    if known.kind in ("integer", "number") and known.low is not None and known.high is not None:
        ways.insert(0, f"{'above ' if known.above else ''}{known.low:g} to {known.high:g}")
    if known.none:
        ways.append("none")
    return ", ".join(ways) + (f" ({known.only} only)" if known.only else "")


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(titles):
        last = number == len(titles) - 1
        table.add_column(title, no_wrap=number == 0, overflow="fold", style="dim" if last and number > 1 else "")
    return table
