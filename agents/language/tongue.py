"""Whether a sentence is English, the only language that the expert reads: told by its small words, not by its names."""

import re

from agents.language.columns import index_of
from agents.language.marking import mark
from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import ATOM, normalise, stem
from tools.schema import Schema

_WORD = re.compile(r"[^\W\d_]{2,}")
LEAST_WORDS = 2
"""Of a single word nobody can tell the language."""
LEAST_SHARE = 0.3


def named_columns(text: str, schema: Schema) -> tuple[str, ...]:
    """The columns that stand in a message by their very names."""
    atoms = mark(normalise(text), index_of(schema)).atoms.values()
    return tuple(dict.fromkeys(atom.columns[0] for atom in atoms if atom.sure and len(atom.columns) == 1))


def is_foreign(text: str, schema: Schema) -> bool:
    """The words beside column names and values are hardly English; False where there are too few to tell."""
    marked = mark(normalise(text), index_of(schema)).text
    values = {word for column in schema.columns for value in column.values for word in _WORD.findall(value.casefold())}
    said = [word for word in _WORD.findall(re.sub(ATOM, " ", marked)) if word.casefold() not in values]
    if any(map(_is_beyond_latin, said)):
        return True
    if len(said) < LEAST_WORDS:
        return False
    return sum(map(_is_english, said)) < LEAST_SHARE * len(said)


def _is_beyond_latin(word: str) -> bool:
    """Letters of another alphabet: é is none, д and 列 are."""
    return any(ord(letter) > 0x24F for letter in word)


def _is_english(word: str) -> bool:
    plain = word.casefold()
    return plain in word_set("english") or stem(plain) in vocabulary().concepts
