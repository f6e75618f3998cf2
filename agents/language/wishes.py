"""Further wishes in a sentence: the task, the size of the hold-out, the seed."""

import re
from typing import Literal

from agents.language.wish import Wish, without

_I = re.IGNORECASE
TaskWish = Literal["regression", "classes", "binary", "multiclass"]
_TASKS: tuple[tuple[TaskWish, re.Pattern[str]], ...] = (
    (
        "binary",
        re.compile(
            (
                r"\b(?:as\s+|by\s+|a\s+)*(?:binary|two[\s-]class)(?:\s+(?:classification|classifier|problem|task|"
                r"model))?\b"
            ),
            _I,
        ),
    ),
    (
        "multiclass",
        re.compile(
            r"\b(?:as\s+|by\s+|a\s+)*multi[\s-]?class(?:\s+(?:classification|classifier|problem|task|model))?\b", _I
        ),
    ),
    (
        "classes",
        re.compile(
            (
                r"\b(?:as|treat(?:ed)?\s+(?:it\s+)?as|it\s+is|this\s+is|do|use)\s+(?:an?\s+)?(?:classification|"
                r"classes|categories|categorical|class)(?:\s+(?:problem|task))?\b"
            ),
            _I,
        ),
    ),
    (
        "regression",
        re.compile(
            (
                r"\b(?:as|treat(?:ed)?\s+(?:it\s+)?as|it\s+is|this\s+is|do|use)\s+(?:an?\s+)?(?:regression|numbers?|"
                r"numeric(?:al)?|continuous)(?:\s+(?:problem|task|value))?\b"
            ),
            _I,
        ),
    ),
)


def task(text: str) -> Wish[TaskWish]:
    """A wish such as "as regression"; the verbs classify and regress are read with the target."""
    for name, pattern in _TASKS:
        if found := pattern.search(text):
            return Wish(name, without(text, found))
    return Wish(None, text)


_SHARE = re.compile(
    r"\b(?:(?:hold(?:ing)?[\s-]?(?:out|back)|set\s+aside|keep|reserve|use)\s+(?:the\s+\w+\s+)?(\d{1,"
    r"2})\s*(?:%|percent)(?:\s+(?:of\s+the\s+(?:data|rows)|as|for|to)?\s*(?:an?\s+|the\s+)?(?:test(?:ing|"
    r"s|\s+set)?|hold[\s-]?out|validation|evaluation)?)?"
    r"|(\d{1,2})\s*(?:%|percent)\s+(?:for\s+|as\s+|of\s+)?(?:an?\s+|the\s+)?(?:test(?:ing|\s+set)?|"
    r"hold[\s-]?out|validation)"
    r"|(?:\d{2})\s*[/:-]\s*(\d{2})\s+(?:train(?:ing)?[\s/-]*test\s+)?split"
    r"|(?:[5-9]\d)\s*/\s*([1-4]\d|50|5)(?!\s*/|\d)"
    r"|test[\s_-]?size\s*(?:of|=|:|is)?\s*(0?\.\d+|\d{1,2}\s*%))",
    _I,
)
_SEED = re.compile(
    (
        r"\b(?:(?:with|use|using|set)\s+)?(?:the\s+)?(?:random[\s_])?(?:seed|random[\s_]state)\s*(?:of|=|:|is|"
        r"to)?\s*(\d{1,9})\b"
    ),
    _I,
)


def holdout_fraction(text: str) -> Wish[float]:
    """The share of rows to judge by, from "hold out 30 %", "80/20 split", "test size 0.25"."""
    found = _SHARE.search(text)
    if not found:
        return Wish(None, text)
    number = next(group for group in found.groups() if group)
    fraction = float(number.rstrip("% ")) / (1.0 if "." in number else 100.0)
    if not 0.05 <= fraction <= 0.5:
        return Wish(
            None,
            without(text, found),
            (f"A hold-out of {fraction:.0%} is not useful (5 to 50 % is), so I keep the usual share.",),
        )
    return Wish(fraction, without(text, found))


def seed(text: str) -> Wish[int]:
    """The number that makes the random choices repeatable."""
    found = _SEED.search(text)
    return Wish(int(found.group(1)), without(text, found)) if found else Wish(None, text)
