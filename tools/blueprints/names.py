"""How alike two names of columns are, whatever their spelling: "MonthlyCharges" and "monthly_chrages"."""

import re
from collections.abc import Iterable
from functools import lru_cache

import snowballstemmer
from rapidfuzz.distance import OSA

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_FUZZY_FROM = 6
"""Shorter names have too many neighbours: "rate" and "date"."""
_ALIKE = 0.84
EXACT, SYNONYM, SAME_WORDS, WITHIN = 1.0, 0.97, 0.94, 0.8


@lru_cache(maxsize=20_000)
def parts(name: str) -> tuple[str, ...]:
    """Its words in lower case, camelCase and snake_case taken apart."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def plain_name(name: str) -> str:
    """Its letters and digits alone."""
    return "".join(parts(name))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=20_000)
def stems(name: str) -> frozenset[str]:
    """The stems of its words."""
    return frozenset(_stemmer().stemWord(part) if part.isascii() else part for part in parts(name))


def likeness(name: str, canonical: str, synonyms: Iterable[str]) -> float:
    """0 to 1: how sure it is that `name` means the canonical column."""
    return max(_one(name, canonical, EXACT), *(_one(name, synonym, SYNONYM) for synonym in synonyms), 0.0)


def _one(name: str, known: str, exact: float) -> float:
    mine, theirs = plain_name(name), plain_name(known)
    if mine == theirs:
        return exact
    if stems(name) == stems(known):
        return SAME_WORDS
    if min(len(mine), len(theirs)) >= _FUZZY_FROM:
        alike = OSA.normalized_similarity(mine, theirs)
        if alike >= _ALIKE:
            return 0.9 * alike
    if len(stems(known)) > 1 and stems(known) < stems(name):
        return WITHIN
    return 0.0
