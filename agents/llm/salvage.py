"""The value in a model's answer: JSON by itself, in a fence, after its thoughts or in the middle of prose."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)(?:```|\Z)", re.DOTALL)
NO_OBJECT = "The answer holds no JSON object."
MOST_TRIED = 50
"""Places at which JSON might begin that are looked at; a text of braces would cost a quadratic time otherwise."""


class NoValue(ValueError):  # noqa: N818 - what it holds is for the model, to repair its answer
    """No value of the wanted form is in the text; the message says what is wrong with the nearest one."""


def value_in(text: str, schema: type[T]) -> T:
    """The last value in `text` that fits the schema: models think aloud first and answer at the end.

    Raises NoValue with the errors of the last thing that is an object at all.
    """
    problem = NO_OBJECT
    for candidate in reversed(list(_objects(text))):
        try:
            return schema.model_validate(candidate)
        except ValidationError as error:
            if problem == NO_OBJECT:
                problem = described(error)
    raise NoValue(problem)


def described(error: ValidationError) -> str:
    """What does not fit, a line each."""
    return "\n".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'the whole'}: {one['msg']}" for one in error.errors()[:8]
    )


def without_thoughts(text: str) -> str:
    """What is meant for the reader; a block of thoughts that never ends is no answer."""
    return _THOUGHTS.sub("", text).strip()


def code_in(text: str) -> str:
    """A program in an answer: the longest fenced block, else the whole."""
    plain = without_thoughts(text)
    blocks = _FENCE.findall(plain)
    return (max(blocks, key=len) if blocks else plain).strip() + "\n"


def _objects(text: str) -> Iterator[Any]:
    """Every outermost JSON object, first those of the text as a whole."""
    plain = without_thoughts(text)
    decoder = json.JSONDecoder(strict=False)  # newlines within strings are the commonest slip
    at, tried = plain.find("{"), 0
    while at >= 0 and tried < MOST_TRIED:
        tried += 1
        try:
            found, end = decoder.raw_decode(plain, at)
            found = _printable(found)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield found
        at = plain.find("{", end)


def _printable(found: Any) -> Any:
    """Halves of characters ("\\ud800") become question marks: they are JSON, and nothing that can be stored."""
    return json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
