"""Every template there is: ours in this package, the user's in a folder of their own; a template is one TOML file."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.metrics import METRICS
from tools.models.catalogue import nearest, plain_name
from tools.models.choice import ModelChoice, ModelError, Search, Value

OURS = Path(__file__).parent / "templates"
MAX_BYTES = 50_000
MAX_NAME = 60
_NAME = re.compile(r"[\w][\w .()+-]*", re.UNICODE)
_DEVICES = frozenset({"con", "prn", "aux", "nul"})


class Template(BaseModel):
    """A choice that can be used on any table; what does not fit a task is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    about: Annotated[str, Field(max_length=300)] = ""
    estimator: str
    parameters: dict[str, Value] = {}
    space: dict[str, list[Value] | dict[str, int | float]] = {}
    """Values to try, or {"low": 1, "high": 9}."""
    search: Search = "none"
    trials: int = Field(default=30, ge=1, le=1000)
    folds: int = Field(default=5, ge=2, le=10)
    metric: dict[str, str] = {}
    """Task -> the measure that such a problem is judged by, where the user names none."""
    own: bool = False
    """It is the user's."""


@dataclass(frozen=True)
class Shelf:
    """What was found, and a sentence for each file that is no template."""

    templates: tuple[Template, ...]
    problems: tuple[str, ...] = ()

    def named(self, words: str) -> Template:
        """The template of this name; `ModelError` names the nearest."""
        wanted = plain_name(words)
        for one in self.templates:
            if plain_name(one.name) == wanted:
                return one
        names = [one.name for one in self.templates]
        near = nearest(words, names)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
        broken = next((problem for problem in self.problems if f"“{words}”" in problem), "")
        raise ModelError(broken or f"There is no template “{words[:60]}”; {advice}")


def shelf(folder: Path | None = None) -> Shelf:
    """Ours and those in `folder`, which need not exist; names of ours cannot be taken."""
    found = {plain_name(one.name): one for one in _ours()}
    problems = []
    for path in sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else ():
        try:
            one = load(path).model_copy(update={"own": True})
            if plain_name(one.name) in {plain_name(ours.name) for ours in _ours()}:
                raise ModelError("one of ours has this name; rename the file.")
            found[plain_name(one.name)] = one
        except ModelError as error:
            problems.append(f"The template “{path.stem}” is left out: {error}")
    return Shelf(tuple(found.values()), tuple(problems))


@lru_cache(maxsize=1)
def _ours() -> tuple[Template, ...]:
    return tuple(load(path) for path in sorted(OURS.glob("*.toml")))


def load(path: Path) -> Template:
    """One file; `ModelError` with one sentence when it is no template."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"it is larger than {MAX_BYTES // 1000} kB.")
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("it cannot be read as UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"it is no TOML: {error}.") from error
    try:
        one = Template.model_validate({**_without_none(said), "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{place}: {first['msg'].rstrip('.').lower()}.") from error
    if odd := [name for name in one.metric.values() if name not in METRICS]:
        raise ModelError(f"there is no measure “{odd[0]}”; there are {', '.join(METRICS)}.")
    return one


def _without_none(said: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null, so it is written "none"."""
    given = said.get("parameters")
    if isinstance(given, dict):
        said = {**said, "parameters": {name: None if value == "none" else value for name, value in given.items()}}
    return said


def check_name(name: str) -> str:
    """A name that a file can have and that is not one of ours; `ModelError` otherwise."""
    name = name.strip()
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or name.endswith(".") or name.casefold() in _DEVICES:
        raise ModelError(
            f"A template's name has 1 to {MAX_NAME} letters, digits, spaces, - or _, and begins with a letter or "
            f"digit; “{name[:60]}” has not."
        )
    if plain_name(name) in {plain_name(ours.name) for ours in _ours()}:
        raise ModelError(f"“{name}” is one of our templates; choose another name.")
    return name


def save(choice: ModelChoice, name: str, folder: Path, about: str = "") -> Path:
    """Write a choice as a template of the user's; one of the same name is replaced. Raises `ModelError`, OSError."""
    path = folder / f"{check_name(name)}.toml"
    for other in folder.glob("*.toml") if folder.is_dir() else ():
        if plain_name(other.stem) == plain_name(name):
            path = other
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text_of(choice, about), encoding="utf-8")
    partial.replace(path)
    return path


def text_of(choice: ModelChoice, about: str = "") -> str:
    """A choice as the TOML of a template."""
    lines = [f"about = {_toml(about)}"] if about else []
    lines += [f"estimator = {_toml(choice.estimator)}", f"search = {_toml(choice.search)}"]
    lines += [f"trials = {choice.trials}", f"folds = {choice.folds}"]
    lines += ["", "[parameters]", *(f"{name} = {_toml(value)}" for name, value in choice.parameters)]
    space: dict[str, Any] = {
        one.name: list(one.values) if one.values else {"low": one.low, "high": one.high} for one in choice.space
    }
    lines += ["", "[space]", *(f"{name} = {_toml(value)}" for name, value in space.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A plain value as TOML; its strings, numbers and lists are those of JSON."""
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
