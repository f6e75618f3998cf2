"""A time limit in a sentence, in seconds: "in 2 minutes", "give it 90 s", "quick", "more time"."""

import re

from agents.language.wish import Wish, without

_I = re.IGNORECASE
_NUMBERS = {
    "a": 1.0,
    "an": 1.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "four": 4.0,
    "five": 5.0,
    "six": 6.0,
    "seven": 7.0,
    "eight": 8.0,
    "ten": 10.0,
    "fifteen": 15.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "forty": 40.0,
    "forty-five": 45.0,
    "sixty": 60.0,
    "ninety": 90.0,
    "half a": 0.5,
    "half an": 0.5,
    "a couple of": 2.0,
    "a few": 3.0,
    "couple of": 2.0,
    "one and a half": 1.5,
    "a hundred": 100.0,
}
_NUMBER = r"\d+(?:[.,]\d+)?|(?:" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + r")(?=\s+\w{3})"
_UNIT = r"seconds?|secs?|minutes?|mins?|hours?|hrs?|s|m|h"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_LEAD = (
    r"(?:,?\s*\b(?:and\s+)?(?:(?:give|allow|take|spend|use|run|train)\s+(?:it|them|this|yourself|"
    r"the\s+\w+|me\s+an?\s+answer)?\s*(?:for\s+)?|you\s+have\s+|"
    r"(?:in|within|for|under|at\s+most|up\s+to|no\s+(?:more|longer)\s+than|not\s+more\s+than|maximum|max|"
    r"less\s+than|takes?|about|around|only|with|"
    r"(?:time\s+|a\s+)?(?:limit|budget|box)(?:\s+(?:of|is|to))?(?:\s*[:=])?)\s+)+)?"
)
_BUDGET = re.compile(
    rf"{_LEAD}(?<![\w.])({_NUMBER})\s*-?\s*({_UNIT})(?:(?:\s*,?\s*and)?\s*(\d+|half)\s*({_UNIT})?)?\b(?!\s*(?:ahead|"
    rf"later|before|after|ago))"
    r"(?:\s+(?:time\s+limit|limit|budget|max(?:imum)?|of\s+training|at\s+most|only|for\s+training|"
    r"or\s+less|tops))?",
    _I,
)
_BARE_BUDGET = re.compile(
    r"\b(?:time\s+)?(?:budget|time\s*limit|limit)(?:\s+(?:of|is|to))?\s*[:=]?\s*(\d+(?:\.\d+)?)\b(?!\s*%)", _I
)
_QUICK = re.compile(
    (
        r"(?:\b(?:make\s+it|be|do\s+it|a|something)\s+)?\b(?:quick(?:ly)?|fast(?:\s+please)?|in\s+a\s+hurry|"
        r"asap|rapid(?:ly)?|as\s+fast\s+as\s+possible)\b"
    ),
    _I,
)
_PATIENT = re.compile(
    (
        r"\b(?:take\s+your\s+time|as\s+long\s+as\s+(?:it\s+takes|you\s+(?:need|want|like))|no\s+(?:rush|"
        r"hurry)|be\s+thorough|thoroughly)\b"
    ),
    _I,
)
_LONGER = re.compile(
    (
        r"\b(?:(?:give\s+it\s+|with\s+|take\s+)?(?:more|longer|extra)\s+time|(?:train|run|"
        r"search)\s+(?:for\s+)?longer|longer)\b"
    ),
    _I,
)
_SHORTER = re.compile(r"\b(?:(?:in\s+|with\s+)?less\s+time|faster|shorter)\b", _I)
QUICK_SECONDS, PATIENT_SECONDS, DEFAULT_SECONDS = 30.0, 600.0, 60.0
LEAST_SECONDS, MOST_SECONDS = 5.0, 86_400.0


def budget(text: str, earlier: float | None = None) -> Wish[float]:
    """A time limit in seconds. `earlier` is what "more time" and "faster" refer to."""
    if found := _BUDGET.search(text):
        seconds = _seconds(found.group(1), found.group(2)) + _extra(found)
        return _in_limits(seconds, without(text, found))
    if found := _BARE_BUDGET.search(text):
        seconds = float(found.group(1))
        wish = _in_limits(seconds, without(text, found))
        return Wish(
            wish.value, wish.rest, (*wish.assumptions, f"I take the limit of {found.group(1)} to be in seconds.")
        )
    return _relative_budget(text, earlier)


def _relative_budget(text: str, earlier: float | None) -> Wish[float]:
    base = earlier or DEFAULT_SECONDS
    for pattern, seconds, what in (
        (_PATIENT, PATIENT_SECONDS, "“take your time”"),
        (_LONGER, base * 2, "more time"),
        (_SHORTER, base / 2, "less time"),
        (_QUICK, QUICK_SECONDS, "“quick”"),
    ):
        if found := pattern.search(text):
            wish = _in_limits(seconds, without(text, found))
            return Wish(wish.value, wish.rest, (f"I take {what} to mean {duration(wish.value or seconds)}.",))
    return Wish(None, text)


def _seconds(number: str, unit: str) -> float:
    amount = _NUMBERS.get(re.sub(r"\s+", " ", number.lower()))
    return (float(number.replace(",", ".")) if amount is None else amount) * _SECONDS[unit[0].lower()]


def _extra(found: re.Match[str]) -> float:
    """The second part of "1 h 30 min", "2 minutes and 30 seconds", "one and a half"."""
    number, unit = found.group(3), found.group(4)
    if not number:
        return 0.0
    whole = _SECONDS[found.group(2)[0].lower()]
    if number.lower() == "half":
        return whole / 2
    return float(number) * (_SECONDS[unit[0].lower()] if unit else whole / 60)


def _in_limits(seconds: float, rest: str) -> Wish[float]:
    kept = min(max(seconds, LEAST_SECONDS), MOST_SECONDS)
    said = (
        ()
        if kept == seconds
        else (f"The time for a run must be between 5 seconds and 24 hours, so I take {duration(kept)}.",)
    )
    return Wish(kept, rest, said)


def duration(seconds: float) -> str:
    """ "90 seconds", "2 minutes", "1.5 hours"."""
    for size, name in ((3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % (size / 2) == 0 and (seconds % size == 0 or seconds > size * 2):
            return f"{seconds / size:g} {name}{'' if seconds == size else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"
