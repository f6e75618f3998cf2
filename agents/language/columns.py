"""Which column a person means: by name, a form of it, another word, a misspelt one, or one of its values."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import keys, stem
from tools.schema import Schema, SchemaColumn

How = Literal["exact", "words", "synonym", "fuzzy", "value"]

_MAX_VALUES = 50
_ROLE_FACTOR = {"id": 0.6, "constant": 0.5, "empty": 0.5, "text": 0.85, "date": 0.85}


@dataclass(frozen=True)
class Match:
    """A column that a phrase may mean, with a score from 0 to 1."""

    column: str
    score: float
    how: How
    values: tuple[str, ...] = ()
    """With how "value": the values of the column that were said."""


class ColumnIndex:
    """Looks columns up by their words; building it costs about 10 microseconds a column."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._columns = {column.name: column for column in schema.columns}
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._joined: dict[str, list[int]] = defaultdict(list)
        self._loose: dict[str, list[int]] = defaultdict(list)
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        self._values: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._cores: list[tuple[str, ...]] = []
        self._word_of_stem: dict[str, str] = {}
        self._short: dict[str, list[str]] = defaultdict(list)
        self.longest = 1
        for at, column in enumerate(schema.columns):
            self._add(at, column)

    def _add(self, at: int, column: SchemaColumn) -> None:
        parts = keys(column.name)
        core = _core(parts)
        self.longest = max(self.longest, min(len(parts), 12))
        self._exact[column.name.strip().casefold()].append(at)
        if column.original:
            self._exact[column.original.strip().casefold()].append(at)
        self._joined["".join(parts)].append(at)
        stemmed = tuple(stem(part) for part in core)
        for form in {"".join(stem(part) for part in parts), "".join(core), "".join(stemmed)}:
            self._loose[form].append(at)
        self._cores.append(stemmed)
        for part, key in zip(core, stemmed, strict=True):
            self._by_stem[key].append(at)
            if key not in self._word_of_stem:
                self._word_of_stem[key] = part
                self._short[key[0]].append(key)
        if column.role not in ("id", "number", "date") and (column.distinct or 0) <= _MAX_VALUES:
            for value in column.values[:_MAX_VALUES]:
                if value.casefold() not in word_set("yes_no") and not _is_number(value):
                    self._values[_value_key(value)].append((at, value))

    def column(self, name: str) -> SchemaColumn | None:
        """The column of exactly this name."""
        return self._columns.get(name)

    def near(self, key: str) -> float:
        """How close a lower-case word comes to some word of a column name, from 0 to 1."""
        best = process.extractOne(key, self._word_of_stem, scorer=OSA.normalized_similarity, score_cutoff=0.7)
        return float(best[1]) if best else 0.0

    def named(self, text: str) -> tuple[str, ...]:
        """Columns of exactly this name, apart from case and outer spaces; the exact case wins."""
        return self._prefer(self._exact.get(text.strip().casefold(), []), text.strip())

    def spelt(self, text: str) -> tuple[str, ...]:
        """Columns of this name in any spelling: monthlycharges, monthly charges, MONTHLY_CHARGES."""
        return self.named(text) or self._prefer(self._joined.get("".join(keys(text)), []), text)

    def formed(self, text: str) -> tuple[str, ...]:
        """Columns of this name in another form of the words (survive: Survived) or without a unit (body_mass_g)."""
        said = keys(text)
        found = self._loose.get("".join(said)) or self._loose.get("".join(stem(key) for key in said)) or []
        return self._prefer(found, text)

    def containing(self, text: str) -> tuple[str, ...]:
        """Columns whose names have all these words: sulfur: free sulfur dioxide, total sulfur dioxide."""
        said = [stem(key) for key in keys(text)]
        if not said:
            return ()
        found = set.intersection(*(set(self._by_stem.get(key, ())) for key in said))
        return tuple(self.schema.columns[at].name for at in sorted(found))

    def beginning(self, text: str) -> tuple[str, ...]:
        """The one column that begins with a short form (lat: latitude) and is not meant by the word otherwise."""
        key = "".join(keys(text))
        if not 3 <= len(key) <= 5 or stem(key) in self._by_stem:
            return ()
        found = [name for name in self._joined if name.startswith(key)]
        return tuple(self.schema.columns[at].name for at in self._joined[found[0]]) if len(found) == 1 else ()

    def _prefer(self, found: Iterable[int], text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(self.schema.columns[at].name for at in found))
        return (text,) if text in names else names

    def find(self, phrase: str, *, for_target: bool = False) -> list[Match]:
        """Columns that the phrase may mean, best first; nothing below 0.3."""
        said = [key for key in keys(phrase) if key not in word_set("stop")] or list(keys(phrase))
        if not said:
            return []
        best: dict[str, Match] = {}
        for match in [*self._by_words(said), *self._by_spelling(said), *self._by_value(said)]:
            score = match.score * (self._role_factor(match.column) if for_target and match.how != "exact" else 1.0)
            known = best.get(match.column)
            values = tuple(dict.fromkeys((*(known.values if known else ()), *match.values)))
            if score >= 0.3 and (known is None or score >= known.score):
                known = Match(match.column, round(score, 4), match.how, values)
                best[match.column] = known
        return sorted(best.values(), key=lambda match: -match.score)

    def _role_factor(self, name: str) -> float:
        return _ROLE_FACTOR.get(self._columns[name].role or "", 1.0)

    def _by_words(self, said: list[str]) -> list[Match]:
        """Share of the column's words that were said (the last one counts double), and of the said words that fit."""
        gains: dict[int, dict[str, tuple[float, How]]] = defaultdict(dict)
        spoken: dict[int, set[int]] = defaultdict(set)
        for place, key in enumerate(said):
            for part, factor, how in self._similar(key):
                for at in self._by_stem[part]:
                    spoken[at].add(place)
                    if factor > gains[at].get(part, (0.0, how))[0]:
                        gains[at][part] = (factor, how)
        return [self._word_match(at, gained, len(spoken[at]) / len(said)) for at, gained in gains.items()]

    def _word_match(self, at: int, gained: dict[str, tuple[float, How]], said_share: float) -> Match:
        core = self._cores[at]
        weights = [1.0] * (len(core) - 1) + [2.0]
        covered = sum(weight * gained.get(part, (0.0, "words"))[0] for part, weight in zip(core, weights, strict=True))
        worst = min(gained.values(), key=lambda gain: gain[0])
        how: How = worst[1] if worst[1] != "words" else "words"
        return Match(self.schema.columns[at].name, 0.75 * covered / sum(weights) + 0.25 * said_share, how)

    def _similar(self, key: str) -> list[tuple[str, float, How]]:
        """Words of column names that a said word may stand for, each with a factor."""
        root = stem(key)
        found: list[tuple[str, float, How]] = [(root, 1.0, "words")] if root in self._by_stem else []
        found += [(other, 0.85, "synonym") for other in vocabulary().alike(root) if other in self._by_stem]
        found += [(part, 0.8, "synonym") for part in self._short[key[0]] if _abbreviates(part, key)]
        if not found and len(key) >= 5:
            near = process.extract(
                key, self._word_of_stem, scorer=OSA.normalized_similarity, score_cutoff=0.74, limit=5
            )
            found = [(part, 0.95 * float(score), "fuzzy") for _, score, part in near]
        return found

    def _by_spelling(self, said: list[str]) -> list[Match]:
        """The whole name, misspelt."""
        text = "".join(said)
        if len(text) < 5:
            return []
        near = process.extract(text, list(self._joined), scorer=OSA.normalized_similarity, score_cutoff=0.8, limit=8)
        return [
            Match(self.schema.columns[at].name, min(0.95, float(score)), "fuzzy")
            for name, score, _ in near
            for at in self._joined[name]
        ]

    def _by_value(self, said: list[str]) -> list[Match]:
        if not self._values:
            return []
        return [
            Match(self.schema.columns[at].name, 0.9, "value", (value,))
            for size in (3, 2, 1)
            for start in range(len(said) - size + 1)
            for at, value in self._values.get("".join(stem(key) for key in said[start : start + size]), ())
        ]


def _core(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a name without units and little words, if any are left."""
    if len(parts) == 1:
        return parts
    affixes = vocabulary().affixes
    return tuple(part for part in parts if part not in affixes) or parts


def _value_key(value: str) -> str:
    return "".join(stem(key) for key in keys(value))


def _is_number(value: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[\d.,]+(?:e[-+]?\d+)?", value.strip(), re.IGNORECASE))


def _abbreviates(short: str, full: str) -> bool:
    """True for flt/flight, qty/quantity, temp/temperature, hr/hour: consonants in order, or a beginning."""
    if not 2 <= len(short) < len(full) or short[0] != full[0] or not short.isalpha():
        return False
    if full.startswith(short):
        return len(short) >= 3 and len(full) >= len(short) + 2
    rest = iter(full)
    in_order = all(char in rest for char in short)
    return (
        in_order
        and not set(short) & set("aeiou")
        and full[-1] in {short[-1], "y", "e", "s", "h", "r"}
        and len(full) <= 3 * len(short)
    )


@lru_cache(maxsize=8)
def index_of(schema: Schema) -> ColumnIndex:
    """The index of a schema, built once."""
    return ColumnIndex(schema)
