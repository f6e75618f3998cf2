"""A column that says which part of the data a row belongs to: train, validation, test."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Part = Literal["training", "validation", "hold-out"]

_WORDS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training", "trn", "tr", "learn", "learning", "fit", "development", "seen"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "tune", "tuning"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "te", "holdout", "heldout", "eval", "evaluation", "unseen"), "hold-out"),
}
_FLAGS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training", "istrain", "istraining", "intrain", "intraining"), "training"),
    **dict.fromkeys(("test", "testing", "istest", "isholdout", "holdout", "intest", "isvalidation"), "hold-out"),
}
"""Names of columns that are true for the rows of one part."""
_TRUE, _FALSE = ("true", "1", "yes", "t", "y"), ("false", "0", "no", "f", "n")


def parts_of(name: str, values: Iterable[str]) -> dict[str, Part] | None:
    """Each value of the column as the part that it names; None when the column does not say it.

    There have to be rows to learn from and rows to judge by. Where nothing is a test, the validation rows are held out.
    """
    given = list(dict.fromkeys(values))
    parts = _flagged(name, given) or _named(given)
    if parts is None or "training" not in parts.values():
        return None
    if "hold-out" not in parts.values():
        parts = {value: "hold-out" if part == "validation" else part for value, part in parts.items()}
    return parts if "hold-out" in parts.values() else None


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _named(values: list[str]) -> dict[str, Part] | None:
    """ "train", "Test set", "hold-out", "validation 2"; one unknown word and it is some other column."""
    found: dict[str, Part] = {}
    for value in values:
        word = re.sub(r"\d+$", "", _bare(value))
        part = _WORDS.get(word) or _WORDS.get(re.sub(r"(set|data|split|rows|part|fold)$", "", word))
        if part is None:
            return None
        found[value] = part
    return found or None


def _flagged(name: str, values: list[str]) -> dict[str, Part] | None:
    part = _FLAGS.get(_bare(name))
    if part is None or not 1 < len(values) <= 2:
        return None
    other: Part = "hold-out" if part == "training" else "training"
    known = {**dict.fromkeys(_TRUE, part), **dict.fromkeys(_FALSE, other)}
    found = {value: known.get(value.strip().lower()) for value in values}
    return {value: one for value, one in found.items() if one is not None} if None not in found.values() else None
