"""The catalogue: one TOML file per kind of model in estimators/, with its parameters, their ranges and meanings."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import fuzz, process

from tools.models.choice import ModelError, Task, Value

FOLDER = Path(__file__).parent / "estimators"
MOST_NEAR = 3
LEAST_LIKE = 70
"""Of 100, from which on a name counts as near."""
Kind = Literal["integer", "number", "choice", "switch"]
For = Literal["classes", "numbers"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Parameter(_Strict):
    """One parameter that a user may set."""

    kind: Kind
    meaning: Annotated[str, Field(min_length=3, max_length=200)]
    low: int | float | None = None
    high: int | float | None = None
    above: bool = False
    """`low` itself is too little."""
    choices: tuple[str, ...] = ()
    """Words that it takes; beside numbers where the kind is a number."""
    none: bool = False
    """It may be "none": no limit."""
    default: Value = None
    only: For | None = None
    """Where it exists; everywhere without it."""
    grid: tuple[Value, ...] = ()
    """What a grid tries where the user names nothing."""
    range: tuple[int | float, int | float] | None = None
    """What a randomised or Optuna search draws from where the user names nothing."""
    log: bool = False
    part: Literal["model", "columns"] = "model"
    """columns: it belongs to the preparation of the columns, which is not searched."""


class Cost(_Strict):
    """Seconds of one fit, roughly, on one ordinary core or two: base + rows x columns / 1e6 x per_million x units."""

    base: float = 0.02
    per_million: float = 0.1
    units: str | None = None
    """The parameter that multiplies it: so many trees, rounds, epochs."""
    per_class: bool = False
    """Several classes cost as many times more."""
    squared: bool = False
    """It grows with the square of the rows: per_million then is of rows x rows."""


class Estimator(_Strict):
    """One kind of model."""

    name: str
    title: str
    about: Annotated[str, Field(min_length=3, max_length=300)]
    aliases: tuple[str, ...] = ()
    classes: str | None = None
    """Dotted path of its class for classes."""
    numbers: str | None = None
    settings: dict[str, Any] = {}
    """Given to the library and not the user's; "SEED" and "N_JOBS" stand for the contract's seed and our threads."""
    settings_classes: dict[str, Any] = {}
    settings_numbers: dict[str, Any] = {}
    preparation: dict[str, Any] = {}
    preparation_classes: dict[str, Any] = {}
    preparation_numbers: dict[str, Any] = {}
    cost: Cost = Cost()
    parameters: dict[str, Parameter] = {}

    def path(self, task: Task) -> str | None:
        """Where the library has it; None when it does not do such a task."""
        return self.numbers if task == "regression" else self.classes

    def of(self, task: Task) -> Mapping[str, Parameter]:
        """Its parameters for a task."""
        fits = "numbers" if task == "regression" else "classes"
        return {name: one for name, one in self.parameters.items() if one.only in (None, fits)}


@lru_cache(maxsize=1)
def estimators() -> Mapping[str, Estimator]:
    """Name -> estimator, in the order of their files."""
    found = [load(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {one.name: one for one in found}


def load(path: Path) -> Estimator:
    """One file of the catalogue."""
    return Estimator.model_validate({**tomllib.loads(path.read_text(encoding="utf-8")), "name": path.stem})


def estimator(words: str) -> Estimator:
    """The kind of model that goes by these words; `ModelError` names the nearest."""
    wanted = plain_name(words)
    for one in estimators().values():
        if wanted in _names(one):
            return one
    known = {name: one.name for one in estimators().values() for name in _names(one)}
    near = [known[name] for name in nearest(wanted, known)]
    all_of_them = ", ".join(estimators())
    advice = f"did you mean {_or(dict.fromkeys(near))}?" if near else f"there are {all_of_them}."
    raise ModelError(f"There is no kind of model “{words[:60]}”; {advice}")


def _names(one: Estimator) -> set[str]:
    classes = [path.rpartition(".")[2] for path in (one.classes, one.numbers) if path]
    return {plain_name(name) for name in (one.name, one.title, *one.aliases, *classes)}


def plain_name(words: str) -> str:
    """Letters and digits alone, in lower case."""
    return "".join(letter for letter in words.casefold() if letter.isalnum())


def nearest(wanted: str, known: Iterable[str]) -> list[str]:
    """The most similar names, best first; only those that are like it at all."""
    found = process.extract(wanted, list(known), scorer=fuzz.WRatio, limit=MOST_NEAR, score_cutoff=LEAST_LIKE)
    return [name for name, _, _ in found]


def parameter(one: Estimator, name: str, task: Task) -> Parameter:
    """A parameter by its name; `ModelError` names the nearest."""
    there = one.of(task)
    if name in there:
        return there[name]
    if name in one.parameters:
        fits = "numbers" if one.parameters[name].only == "numbers" else "classes"
        raise ModelError(f"{name} of {one.name} exists only where {fits} are predicted.")
    near = nearest(name, there)
    advice = f"did you mean {_or(near)}?" if near else f"it has {', '.join(there) or 'none'}."
    raise ModelError(f"{one.title} has no parameter “{name[:60]}”; {advice}")


def _or(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"
