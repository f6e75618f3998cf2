"""How well a table fits a blueprint: which column is which, by name, kind and values; one column to one."""

from collections.abc import Iterable
from dataclasses import dataclass

from tools.blueprints.model import Blueprint, Column
from tools.blueprints.names import likeness
from tools.profile import ColumnProfile, Profile

LEAST = 0.75
"""A pair that is less sure than this is no match."""
_WRONG_LOOKS = 0.2
_WRONG_VALUES = 0.15
_FEW = 60
"""Codes: so many different numbers may be categories."""
LEAST_SHARE = 0.3
"""So much of a table has to be known before the blueprint is offered unasked, or twice as many telling columns."""


@dataclass(frozen=True)
class Match:
    """A blueprint and a table."""

    blueprint: Blueprint
    columns: dict[str, str]
    """Column of the blueprint -> column of the table."""
    sureness: dict[str, float]
    """Column of the blueprint -> 0 to 1."""
    of: int
    """Columns of the table that are no identifiers and say something."""

    @property
    def target(self) -> str | None:
        """The table's column that is the blueprint's target."""
        return self.columns.get(self.blueprint.contract.target)

    @property
    def known(self) -> int:
        """Matched columns that are no identifiers."""
        return sum(self.blueprint.columns[name].kind != "id" for name in self.columns)

    @property
    def telling(self) -> float:
        """How much speaks for this kind of problem: telling columns (without the target) by their sureness."""
        names = [name for name in self.columns if name != self.blueprint.contract.target]
        return sum(self.sureness[name] for name in names if self.blueprint.columns[name].telling)

    @property
    def is_good(self) -> bool:
        """The blueprint may be offered unasked."""
        required = [name for name, column in self.blueprint.columns.items() if column.required]
        telling = sum(self.blueprint.columns[name].telling for name in self.columns) - self._target_tells
        return (
            self.target is not None
            and all(name in self.columns for name in required)
            and telling >= self.blueprint.at_least
            and (self.known >= LEAST_SHARE * self.of or telling >= 2 * self.blueprint.at_least)
        )

    @property
    def _target_tells(self) -> int:
        target = self.blueprint.contract.target
        return int(target in self.columns and self.blueprint.columns[target].telling)


def match(blueprint: Blueprint, profile: Profile, *, target: str | None = None) -> Match:
    """Pair the columns; `target` is the table's column to predict when the user has named it.

    A named target that is not like the blueprint's stays without a partner: then the blueprint answers another
    question.
    """
    goal = blueprint.contract.target
    pairs = sorted(_pairs(blueprint, profile), key=lambda pair: (-pair[0], pair[1], pair[2]))
    columns: dict[str, str] = {}
    sureness: dict[str, float] = {}
    for sure, name, column in pairs:
        if name in columns or column in columns.values():
            continue
        if target is not None and (column == target) != (name == goal):
            continue
        columns[name], sureness[name] = column, sure
    order = [name for name in blueprint.columns if name in columns]
    said = sum(column.role not in ("id", "constant", "empty") for column in profile.columns)
    return Match(blueprint, {name: columns[name] for name in order}, sureness, said)


def best(blueprints: Iterable[Blueprint], profile: Profile, *, target: str | None = None) -> Match | None:
    """The good match with the most evidence; None when the table looks like no blueprint."""
    good = [found for one in blueprints if (found := match(one, profile, target=target)).is_good]
    return max(good, key=lambda found: (found.telling, found.known), default=None)


def _pairs(blueprint: Blueprint, profile: Profile) -> list[tuple[float, str, str]]:
    found = []
    for name, column in blueprint.columns.items():
        for candidate in profile.columns:
            sure = likeness(candidate.name, name, column.synonyms)
            if sure >= LEAST and fits(column, candidate):
                sure -= _WRONG_LOOKS * (not _looks(column, candidate)) + _WRONG_VALUES * (
                    not _values(column, candidate)
                )
                found.append((round(sure, 3), name, candidate.name))
    return [pair for pair in found if pair[0] >= LEAST]


def fits(column: Column, candidate: ColumnProfile) -> bool:
    """Its values are of the kind that the blueprint expects."""
    if candidate.role == "empty":
        return False
    match column.kind:
        case "number":
            return candidate.is_numeric
        case "boolean":
            return candidate.distinct <= 3
        case "date":
            return candidate.role == "date" or candidate.type in ("date", "datetime")
        case "category":
            return candidate.type not in ("date", "datetime") and (
                not candidate.is_numeric or candidate.distinct <= _FEW
            )
        case _:
            return True


def _looks(column: Column, candidate: ColumnProfile) -> bool:
    high = candidate.maximum
    if not isinstance(high, int | float):
        return True
    above, below = column.looks.max_above, column.looks.max_below
    return (above is None or high > above) and (below is None or high < below)


def _values(column: Column, candidate: ColumnProfile) -> bool:
    if not column.rules.values or not candidate.top:
        return True
    expected = {value.casefold() for value in column.rules.values}
    return any(item.value.strip().casefold() in expected for item in candidate.top)
