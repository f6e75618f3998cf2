"""Mends misspelt words of the request itself ("pedict", "exlude"), so that its grammar can be read; not columns."""

import re

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agents.language.columns import ColumnIndex
from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import stem

_LEAST = 0.8
_PAIR = 6
"""Shorter words have too many neighbours: "using" and "suing", "model" and "motel"."""


def mend(text: str, index: ColumnIndex) -> str:
    """The text with misspelt cue words replaced; a word that means a column or is a known word stays."""
    return re.sub(r"(?<![\w`\"'])[A-Za-z]{5,}(?![\w`\"'])", lambda found: _mended(found.group(), index), text)


def _mended(word: str, index: ColumnIndex) -> str:
    key = word.lower()
    known = vocabulary()
    if (
        key in word_set("cues")
        or key in known.reserved
        or stem(key) in known.concepts
        or index.spelt(word)
        or index.formed(word)
    ):
        return word
    near = process.extractOne(key, sorted(word_set("cues")), scorer=OSA.normalized_similarity, score_cutoff=_LEAST)
    if near is None or min(len(key), len(near[0])) < _PAIR or _is_form(key, near[0]):
        return word
    return near[0] if index.near(key) < near[1] else word


def _is_form(key: str, cue: str) -> bool:
    """Another form of the same word ("predicted", "explained") is no mistake."""
    return stem(key) == stem(cue) or key.startswith(cue) or cue.startswith(key)
