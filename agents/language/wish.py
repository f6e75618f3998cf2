"""What a reader of wishes gives back: the value, the text without it, and what had to be assumed."""

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Wish(Generic[T]):
    """What was found (None: nothing), what is left of the text, and what was assumed."""

    value: T | None
    rest: str
    assumptions: tuple[str, ...] = ()


def without(text: str, found: re.Match[str]) -> str:
    """The text with the match cut out."""
    return f"{text[: found.start()]} {text[found.end() :]}".strip()
