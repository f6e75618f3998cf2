"""Which words mean about the same, and which names are targets by convention: the table in vocabulary.toml, by stem."""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agents.language.words import keys, stem

_FILE = Path(__file__).with_name("vocabulary.toml")


@dataclass(frozen=True)
class Vocabulary:
    """The table, ready to ask."""

    concepts: dict[str, frozenset[str]]
    """Stem -> the concepts that it can stand for."""
    members: dict[str, frozenset[str]]
    """Concept -> the stems of its words."""
    generic_targets: frozenset[tuple[str, ...]]
    named_targets: frozenset[tuple[str, ...]]
    weak_targets: frozenset[tuple[str, ...]]
    affixes: frozenset[str]
    """Parts of names that carry no meaning of their own, such as units."""
    reserved: frozenset[str]
    """Words that a request uses for itself; a column of such a name needs a sign that it is meant."""
    slots: frozenset[str]
    """Words after which a column has to stand."""
    sets: dict[str, frozenset[str]]
    """Small word lists of single rules, by name."""

    def alike(self, one: str) -> frozenset[str]:
        """All stems that can mean the same as this one (itself not among them)."""
        found: set[str] = set()
        for concept in self.concepts.get(one, ()):
            found |= self.members[concept]
        return frozenset(found - {one})


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    table = tomllib.loads(_FILE.read_text("utf-8"))
    concepts: dict[str, set[str]] = defaultdict(set)
    members: dict[str, frozenset[str]] = {}
    for concept, entries in table["concepts"].items():
        members[concept] = frozenset(stem(entry) for entry in entries)
        for entry in members[concept]:
            concepts[entry].add(concept)
    targets = {kind: frozenset(keys(name) for name in names) for kind, names in table["targets"].items()}
    return Vocabulary(
        concepts={entry: frozenset(found) for entry, found in concepts.items()},
        members=members,
        generic_targets=targets["generic"],
        named_targets=targets["named"],
        weak_targets=targets["weak"],
        affixes=frozenset(table["affixes"]["words"]),
        reserved=frozenset(table["reserved"]["words"]),
        slots=frozenset(table["reserved"]["slots"]),
        sets={name: frozenset(words) for name, words in table["sets"].items()},
    )


def word_set(name: str) -> frozenset[str]:
    """One of the small word lists."""
    return vocabulary().sets[name]
