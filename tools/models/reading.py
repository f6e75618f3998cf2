"""Turns what a user asked for, typed or clicked, into a checked `ModelChoice`; every refusal is one sentence.

An order is a mapping with any of `KEYS`. Values may be text, as from a command line ("500", "none", "0.01..0.3"), or
typed, as from a form. Any other key is a parameter: {"n_estimators": "500"} is {"parameters": {"n_estimators": 500}}
beside those that are set already, and "space.max_depth" is one of those to search.
"""

import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from tools.models.catalogue import Estimator, Parameter, estimator, nearest, parameter
from tools.models.choice import Dimension, ModelChoice, ModelError, Search, Task, Value, written
from tools.models.shelf import Shelf, Template

KEYS = ("estimator", "parameters", "space", "search", "trials", "folds", "template", "save_as")
MOST_VALUES = 100
"""Of one parameter in a search."""
MOST_TRIALS = 1000
_SEARCHES: Mapping[str, Search] = {
    "no": "none",
    "off": "none",
    "": "none",
    "gridsearch": "grid",
    "random": "randomised",
    "randomized": "randomised",
    "randomsearch": "randomised",
    "bayesian": "optuna",
    "tpe": "optuna",
}

Order = Mapping[str, Any]


def read_choice(order: Order, task: Task, shelf: Shelf, before: ModelChoice | None = None) -> ModelChoice:
    """The choice that an order asks for; what it does not say stays as in `before`, or is the template's, or usual.

    Raises `ModelError`.
    """
    said = _flat(order)
    template = shelf.named(str(said["template"])) if said.get("template") else None
    one = _estimator(said, template, before, task)
    if template is not None:
        began = _from_template(template, one)
    elif before is not None and before.estimator == one.name:
        began = before
    else:
        began = ModelChoice(estimator=one.name)
    parameters = _parameters(said, one, began, task)
    search = _search(said, began)
    space = _space(said, one, began, task, search, parameters)
    named = str(said["save_as"]).strip() if said.get("save_as") else template.name if template else ""
    return ModelChoice(
        estimator=one.name,
        parameters=tuple(parameters.items()),
        search=search,
        space=space,
        trials=_whole("trials", said.get("trials", began.trials), 1, MOST_TRIALS),
        folds=_whole("folds", said.get("folds", began.folds), 2, 10),
        template=named or ("" if _changes(said) else began.template),
    )


def _changes(said: Order) -> bool:
    return bool(set(said) - {"save_as", "template"})


def _flat(order: Order) -> dict[str, Any]:
    """Loose parameters gathered under "set" and "try", beside the whole lists of "parameters" and "space"."""
    said: dict[str, Any] = {"set": {}, "try": {}}
    for name, value in order.items():
        first, _, rest = str(name).partition(".")
        if name in KEYS:
            said[name] = value
        elif first == "space" and rest:
            said["try"][rest] = value
        else:
            said["set"][rest if first == "parameters" and rest else str(name)] = value
    for name in ("parameters", "space"):
        if said.get(name) is not None and not isinstance(said[name], Mapping):
            raise ModelError(f"The {name} of a model are names with values, like n_estimators=500.")
    return {name: value for name, value in said.items() if name not in ("set", "try") or value}


def _estimator(said: Order, template: Template | None, before: ModelChoice | None, task: Task) -> Estimator:
    words = (
        said.get("estimator") or (template.estimator if template else None) or (before.estimator if before else None)
    )
    if words is None:
        raise ModelError("Which kind of model? Name it, for example random_forest; `modelwright models` lists them.")
    one = estimator(str(words))
    if one.path(task) is None:
        can = "classes" if one.classes else "numbers"
        raise ModelError(
            f"{one.title} predicts {can} only; this target is {'a number' if can == 'classes' else 'a class'}."
        )
    return one


def _from_template(template: Template, one: Estimator) -> ModelChoice:
    """What fits of a template when another kind of model was named beside it."""
    same = estimator(template.estimator).name == one.name
    return ModelChoice(
        estimator=one.name,
        parameters=tuple(template.parameters.items()) if same else (),
        space=tuple(_dimension(name, value, one.parameters[name]) for name, value in template.space.items())
        if same
        else (),
        search=template.search,
        trials=template.trials,
        folds=template.folds,
    )


def _parameters(said: Order, one: Estimator, began: ModelChoice, task: Task) -> dict[str, Value]:
    kept = {} if "parameters" in said else dict(began.parameters)
    kept = {name: value for name, value in kept.items() if name in one.of(task)}  # a template may serve both tasks
    for name, value in {**(said.get("parameters") or {}), **said.get("set", {})}.items():
        kept[name] = _value(name, value, parameter(one, name, task))
    return kept


def _search(said: Order, began: ModelChoice) -> Search:
    if "search" in said and said["search"] is not None:
        wanted = "".join(letter for letter in str(said["search"]).casefold() if letter.isalnum())
        found = _SEARCHES.get(wanted, wanted)
        if found not in get_args(Search):
            near = nearest(wanted, get_args(Search))
            raise ModelError(
                f"There is no search “{said['search']}”; choose none, grid, randomised or optuna"
                + (f" (did you mean {near[0]}?)." if near else ".")
            )
        return cast(Search, found)
    if began.search == "none" and (said.get("space") or said.get("try")):
        ranges = any(_is_range(value) for value in {**(said.get("space") or {}), **said.get("try", {})}.values())
        return "optuna" if ranges else "grid"
    return "randomised" if began.search == "none" and "trials" in said else began.search


def _space(
    said: Order, one: Estimator, began: ModelChoice, task: Task, search: Search, parameters: Mapping[str, Value]
) -> tuple[Dimension, ...]:
    if search == "none":
        return ()
    kept = {} if "space" in said else {found.name: found for found in began.space if found.name in one.of(task)}
    for name, value in {**(said.get("space") or {}), **said.get("try", {})}.items():
        known = parameter(one, name, task)
        if known.part == "columns":
            raise ModelError(f"{name} prepares the columns; it can be set, not searched.")
        kept[name] = _dimension(name, value, known)
    set_now = {*(said.get("parameters") or {}), *said.get("set", {})}
    both = [name for name in kept if name in set_now and name in {*(said.get("space") or {}), *said.get("try", {})}]
    if both:
        raise ModelError(f"{both[0]} is set and searched at the same time; leave one of the two out.")
    kept = {name: found for name, found in kept.items() if name not in set_now}
    if not kept:
        kept = _usual(one, task, search, parameters)
    if not kept:
        raise ModelError(f"Nothing of {one.title} is left to search: every parameter is set. Name what to try.")
    if search == "grid" and (open_ended := [name for name, found in kept.items() if not found.values]):
        name = open_ended[0]
        raise ModelError(
            f"A grid needs values, but {name} has the range {kept[name].text}: list them, like {name}="
            f"{_example(one.parameters[name])}, or use a randomised search or Optuna."
        )
    return tuple(kept.values())


def _example(known: Parameter) -> str:
    values = known.grid or known.range or (known.default,)
    return ",".join(written(value) for value in values)


def _usual(one: Estimator, task: Task, search: Search, parameters: Mapping[str, Value]) -> dict[str, Dimension]:
    """What the catalogue searches where the user names nothing; what was set stays as it is."""
    found = {}
    for name, known in one.of(task).items():
        if name in parameters:
            continue
        if search == "grid" and len(known.grid) > 1:
            found[name] = Dimension(name=name, values=known.grid)
        elif search != "grid" and known.range is not None:
            found[name] = Dimension(name=name, low=known.range[0], high=known.range[1], log=known.log)
        elif search != "grid" and len(known.grid) > 1:
            found[name] = Dimension(name=name, values=known.grid)
    return found


def _is_range(value: object) -> bool:
    return (isinstance(value, str) and ".." in value) or isinstance(value, Mapping)


def _dimension(name: str, value: object, known: Parameter) -> Dimension:
    """Values or a range: "100,300", [100, 300], "0.01..0.3", {"low": 0.01, "high": 0.3}."""
    if isinstance(value, str) and ".." in value:
        low, _, high = value.partition("..")
        value = {"low": low.strip(), "high": high.strip()}
    if isinstance(value, Mapping):
        return _range(name, value, known)
    parts: list[Any] = (
        value.split(",") if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [value]
    )
    parts = [part.strip() if isinstance(part, str) else part for part in parts if part != ""]
    if not parts or len(parts) > MOST_VALUES:
        raise ModelError(f"{name} needs 1 to {MOST_VALUES} values to try, like {name}={_example(known)}.")
    return Dimension(name=name, values=tuple(dict.fromkeys(_value(name, part, known) for part in parts)))


def _range(name: str, value: Mapping[str, Any], known: Parameter) -> Dimension:
    if known.kind not in ("integer", "number"):
        raise ModelError(f"{name} has no range; list what to try, like {name}={_example(known)}.")
    low, high = (_value(name, value.get(end), known) for end in ("low", "high"))
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        raise ModelError(f"The range of {name} goes from a smaller to a larger number, like {name}=1..9.")
    if known.kind == "number":
        low, high = float(low), float(high)
    return Dimension(name=name, low=low, high=high, log=known.log and low > 0)


def _value(name: str, value: object, known: Parameter) -> Value:
    """A value of the right type and range."""
    text = value.strip() if isinstance(value, str) else value
    if text is None or (isinstance(text, str) and text.casefold() in ("none", "null") and "none" not in known.choices):
        if known.none:
            return None
        raise ModelError(f"{name} cannot be none; {_allowed(name, known)}.")
    if isinstance(text, str) and text in known.choices:
        return text
    if known.kind == "switch":
        flag = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
        answer = text if isinstance(text, bool) else flag.get(str(text).casefold())
        if answer is None:
            raise ModelError(f"{name} is yes or no, not “{_short(value)}”.")
        return answer
    number = _number(text)
    if known.kind == "choice" or number is None:
        several = isinstance(text, str) and ("," in text or ".." in text) and known.kind in ("integer", "number")
        hint = f" To try several, search them: --space {name}={_short(value)}." if several else ""
        raise ModelError(f"{_allowed(name, known)}, not “{_short(value)}”.{hint}")
    if known.kind == "integer" and number != int(number):
        raise ModelError(f"{_allowed(name, known)}, not {_short(value)}.")
    too_little = known.low is not None and (number < known.low or (known.above and number == known.low))
    if too_little or (known.high is not None and number > known.high):
        raise ModelError(f"{_allowed(name, known)}, not {_short(value)}.")
    return int(number) if known.kind == "integer" else float(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _short(value: object) -> str:
    return str(value)[:60]


def _allowed(name: str, known: Parameter) -> str:
    """ "max_depth has to be a whole number from 1 to 100 or none" """
    ways = [*known.choices]
    if known.kind in ("integer", "number"):
        kind = "a whole number" if known.kind == "integer" else "a number"
        low, high = known.low, known.high
        if low is not None and high is not None:
            kind += f" {'above' if known.above else 'from'} {low:g} {'up to' if known.above else 'to'} {high:,g}"
        ways.insert(0, kind)
    if known.none:
        ways.append("none")
    return f"{name} has to be {' or '.join([', '.join(ways[:-1]), ways[-1]] if len(ways) > 1 else ways)}"


def _whole(name: str, value: object, least: int, most: int) -> int:
    number = _number(value)
    if number is None or number != int(number) or not least <= number <= most:
        raise ModelError(f"{name} has to be a whole number from {least} to {most:,}, not “{_short(value)}”.")
    return int(number)
