"""Texts for people and models: prose in Markdown beside this file, with {{names}} to fill in."""

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
