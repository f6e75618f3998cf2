"""Texts for people and models: prose in Markdown beside this file, with {{names}} to fill in."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class PromptError(ValueError):
    """A text does not exist, or its values do not fit its places."""


def render(name: str, **values: str) -> str:
    """The text `name`.md with every {{place}} filled; a missing or an unused value is an error."""
    text = _text(name)
    places = set(_PLACE.findall(text))
    if missing := sorted(places - values.keys()):
        raise PromptError(f"The text {name} needs a value for {', '.join(missing)}.")
    if unused := sorted(values.keys() - places):
        raise PromptError(f"The text {name} has no place for {', '.join(unused)}.")
    return _PLACE.sub(lambda found: values[found.group(1)], text)


@lru_cache(maxsize=64)
def _text(name: str) -> str:
    files = {file.stem: file for file in Path(__file__).parent.glob("*.md")}
    if name not in files:
        raise PromptError(f"There is no text {name!r} (there are {', '.join(sorted(files))}).")
    return files[name].read_text("utf-8").strip()


def origin(text: str) -> tuple[str, str] | None:
    """Which text here was rendered into this one, and its version (the first letters of its SHA-256); None: none.

    Where several would do, the one that holds most words of its own.
    """
    fitting = [(len(fixed), name, version) for fixed, name, version, form in _forms() if form.fullmatch(text)]
    return max(fitting)[1:] if fitting else None


@lru_cache(maxsize=1)
def _forms() -> list[tuple[str, str, str, re.Pattern[str]]]:
    """Of each text what stands in it anyway, its name, its version, and what it looks like with its places filled."""
    found = []
    for file in sorted(Path(__file__).parent.glob("*.md")):
        text = _text(file.stem)
        fixed = _PLACE.split(text)[::2]
        form = re.compile(".*?".join(re.escape(part) for part in fixed), re.DOTALL)
        found.append(("".join(fixed), file.stem, hashlib.sha256(text.encode()).hexdigest()[:12], form))
    return found
