"""Every blueprint there is: ours in this package, the user's in a folder of their own."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from tools.blueprints.code import read_features
from tools.blueprints.model import Blueprint, BlueprintError, Feature
from tools.blueprints.names import plain_name

OURS = Path(__file__).parent
TOML, FEATURES = "blueprint.toml", "features.py"
MAX_BYTES = 200_000


@dataclass(frozen=True)
class Shelf:
    """What was found, and a sentence for each folder that is no blueprint."""

    blueprints: tuple[Blueprint, ...]
    problems: tuple[str, ...] = ()

    def named(self, words: str) -> Blueprint | None:
        """The blueprint that goes by these words: its folder's name or its title, or a part of one of them."""
        wanted = plain_name(words)
        for exact in (True, False):
            for blueprint in self.blueprints:
                names = [plain_name(blueprint.name), plain_name(blueprint.title)]
                if wanted in names or (not exact and len(wanted) > 3 and any(wanted in name for name in names)):
                    return blueprint
        return None


def shelf(folder: Path | None = None) -> Shelf:
    """Ours and those in `folder`; one of the user's with the name of ours takes its place."""
    found = {blueprint.name: blueprint for blueprint in _ours()}
    problems = []
    if folder is not None and not folder.is_dir():
        problems.append(f"The folder of blueprints “{folder.name}” does not exist.")
    for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ():
        if not path.is_dir() or path.name.startswith((".", "_")):
            continue
        try:
            found[path.name] = load(path)
        except BlueprintError as error:
            problems.append(f"The blueprint “{path.name}” is left out: {error}")
    return Shelf(tuple(found.values()), tuple(problems))


@lru_cache(maxsize=1)
def _ours() -> tuple[Blueprint, ...]:
    return tuple(load(path.parent, linted=False) for path in sorted(OURS.glob(f"*/{TOML}")))


def load(folder: Path, *, linted: bool = True) -> Blueprint:
    """One folder; `BlueprintError` with one sentence when it is no blueprint.

    `linted`: the critic reads features.py; the tests do that for ours, whose whole scripts it reads as well.
    """
    if not (folder / TOML).is_file():
        raise BlueprintError(f"it has no {TOML}.")
    try:
        said = tomllib.loads(_text(folder / TOML))
    except tomllib.TOMLDecodeError as error:
        raise BlueprintError(f"{TOML} is no TOML: {error}.") from error
    if odd := {"name", "features", "code"} & set(said):
        raise BlueprintError(f"{TOML} must not say {min(odd)}; it comes from the folder and from {FEATURES}.")
    features: tuple[Feature, ...] = ()
    code = ""
    if (folder / FEATURES).is_file():
        try:
            features, code = read_features(_text(folder / FEATURES), linted=linted)
        except BlueprintError as error:
            raise BlueprintError(f"{FEATURES}, {error}.") from error
    try:
        return Blueprint.model_validate({**said, "name": folder.name, "features": features, "code": code})
    except ValidationError as error:
        raise BlueprintError(_sentence(error)) from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BlueprintError(f"{path.name} is larger than {MAX_BYTES // 1000} kB.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BlueprintError(f"{path.name} cannot be read as UTF-8 text.") from error


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    what = str(first["msg"]).removeprefix("Value error, ")
    return f"{TOML}: {f'{place}: ' if place else ''}{what[:1].lower()}{what[1:].rstrip('.')}."
