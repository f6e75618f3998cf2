"""What would change the answer? The fewest changes of allowed columns after which the model says something else.

A search of our own over values that training rows have, from one changed column to MOST_CHANGED (Wachter, Mittelstadt
& Russell 2018 for the idea; sparse and diverse like Mothilal, Sharma & Tan 2020). Numbers are moved as little as the
model lets them; every answer that is told was asked of the model as a whole row. It says what the model would answer,
not what would happen in the world.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.explaining.asking import ExplainError, Ints, Model, Quantity, piled, quantity
from tools.explaining.background import Background
from tools.explaining.goal import Goal, goal_of
from tools.explaining.row import answered, shown
from tools.metrics import Array
from tools.predictions import Predictions
from tools.reference import numbers

MOST_CHANGED = 4
MOST_VALUES = 16
"""Of one column."""
MOST_FOUND = 4
BEAM = 12
"""Half-way changes that are carried on."""
FINER = 24
"""Values tried between the row's own and the one that was found."""
NOBODY_CAN = re.compile(
    r"^(?:.*[_\W])?(?:age|sex|gender|race|ethnicity|nationality|birth\w*|dob|citizen\w*|senior\w*)(?:[_\W].*)?$"
)
"""Names of what nobody can change; left alone unless they are asked for."""

Changes: TypeAlias = tuple[tuple[int, int], ...]
"""(column, row of the pile that has the new value) for each change."""


class Change(BaseModel):
    """One column of a found row."""

    model_config = ConfigDict(frozen=True)

    column: str
    before: str
    after: str


class Alternative(BaseModel):
    """A row that the model was asked about and answers otherwise."""

    model_config = ConfigDict(frozen=True)

    changes: tuple[Change, ...]
    answer: str
    value: float
    """Of what is explained, afterwards."""


class WhatIf(BaseModel):
    """What was searched, and what was found."""

    model_config = ConfigDict(frozen=True)

    of: str
    share: bool = False
    """The numbers are chances, shown in percent."""
    answer: str
    """Now."""
    value: float
    wanted: str
    """In words: the answer “no”; at most 120,000."""
    may_change: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    """The fewest changes first, then the nearest."""
    asked: int
    """Rows that the model was asked about."""
    sentence: str
    note: str = ""


@dataclass
class _Search:
    """The pile: row 0 is the row itself, the others hold the values to try."""

    model: Model
    pile: pa.Table
    goal: Goal
    options: dict[int, list[int]]
    """Column -> rows of the pile with a value to try."""
    steps: dict[tuple[int, int], float]
    """(column, row of the pile) -> how far its value is from the row's own."""
    asked: int = 0
    found: dict[frozenset[int], Changes] = field(default_factory=dict)
    """Columns -> the nearest changes of just these that reach the goal."""

    def distance(self, changes: Iterable[tuple[int, int]]) -> float:
        return sum(self.steps[change] for change in changes)

    async def said(self, tried: Sequence[Changes]) -> Predictions:
        self.asked += len(tried)
        return await self.model.said(self.pile, _sources(self, tried))

    def keep(self, tried: Sequence[Changes], reached: NDArray[np.bool_]) -> None:
        for number in np.flatnonzero(reached):
            changes = tried[int(number)]
            columns = frozenset(column for column, _ in changes)
            known = self.found.get(columns)
            if known is None or self.distance(changes) < self.distance(known):
                self.found[columns] = changes


async def what_if(
    model: Model, row: pa.Table, background: Background, may_change: Sequence[str] = (), wanted: str | None = None
) -> WhatIf:
    """Search for the one row of `row`.

    `may_change`: names; none: every column but free text, ids, dates and what nobody can change. `wanted`: a class, or
    a number to reach; without it any other class, or a quarter of the training rows' predictions further.
    Raises `ExplainError`, `ModelFailed`, `PredictionsRefused`, `SandboxError`.
    """
    columns, left_out = _allowed(model, may_change)
    own = await model.said(piled([row], model.contract), np.zeros((1, len(model.features)), dtype=np.int64))
    goal = await goal_of(model, own, background, wanted)
    what = quantity(model.contract, own, _explained(goal, own) if model.contract.classes else None)
    search = _prepared(model, row, background, goal, columns)
    best = await _grown(search)
    alternatives = await _told(search, row, what)
    value = float(what.of(own)[0])
    return WhatIf(
        of=what.label,
        share=what.code is not None and what.chance,
        answer=answered(model.contract, own),
        value=value,
        wanted=goal.words,
        may_change=tuple(model.features[column] for column in columns),
        alternatives=alternatives,
        asked=search.asked,
        sentence=_sentence(
            alternatives, goal, what, value, best, len(columns), several=len(model.contract.classes) > 2 and what.chance
        ),
        note=_left_out(left_out),
    )


def _explained(goal: Goal, own: Predictions) -> int:
    """The class whose chance is shown: the wanted one, else the one to leave."""
    return goal.code if goal.code is not None else int(own.values[0])


def _allowed(model: Model, may_change: Sequence[str]) -> tuple[list[int], list[str]]:
    """(places of the columns, names that were left out although the model uses them)."""
    unknown = [name for name in may_change if name not in model.features]
    if unknown:
        known = ", ".join(f"“{name}”" for name in model.features[:12])
        raise ExplainError(f"The model does not use “{unknown[0]}”, so changing it changes nothing; it uses {known}.")
    if may_change:
        text = [name for name in may_change if model.role(name) in ("text", "id")]
        if text:
            raise ExplainError(f"“{text[0]}” is free text, which has no other values to try; name other columns.")
        return [model.features.index(name) for name in dict.fromkeys(may_change)], []
    kept, left_out = [], []
    for place, name in enumerate(model.features):
        fixed = model.role(name) in ("text", "id", "date") or NOBODY_CAN.match(_words(name))
        (left_out.append(name) if fixed else kept.append(place))
    if not kept:
        raise ExplainError("No column is left that could change; say which may change.")
    return kept, left_out


def _words(name: str) -> str:
    """camelCase and snake_case in one form."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _prepared(model: Model, row: pa.Table, background: Background, goal: Goal, columns: list[int]) -> _Search:
    pile = piled([row, background.rows], model.contract)
    options: dict[int, list[int]] = {}
    steps: dict[tuple[int, int], float] = {}
    for column in columns:
        picked = _options(model, pile, column)
        options[column] = [place for place, _ in picked]
        steps |= {(column, place): far for place, far in picked}
    return _Search(model, pile, goal, options, steps)


def _options(model: Model, pile: pa.Table, column: int) -> list[tuple[int, float]]:
    """(row of the pile, distance) of the values to try; the row's own is in place 0 and none of them."""
    values = pile.column(column)
    role = model.role(model.features[column])
    if role not in ("number", "date"):
        whole = values.combine_chunks()
        own, counted = whole[0].as_py(), pc.value_counts(whole.slice(1).drop_null()).to_pylist()
        ranked = sorted(counted, key=lambda one: (-one["counts"], str(one["values"])))
        others = [one["values"] for one in ranked if one["values"] != own][:MOST_VALUES]
        return [(1 + int(pc.index(whole.slice(1), value).as_py()), 1.0) for value in others]
    found = numbers(values, role)
    there = 1 + np.flatnonzero(~np.isnan(found[1:]))
    distinct, first = np.unique(found[there], return_index=True)
    places = there[first]
    if len(distinct) > MOST_VALUES:
        kept = np.unique(np.round(np.linspace(0, len(distinct) - 1, MOST_VALUES)).astype(int))
        places = places[kept]
    shares = _shares(found[there], found[0], found[places])
    return [(int(p), float(s)) for p, s in zip(places, shares, strict=True) if found[p] != found[0]]


def _shares(training: Array, own: float, others: Array) -> Array:
    """Part of the training rows between the row's value and each other, and a little for the way itself."""
    if np.isnan(own):
        return np.ones(len(others))
    ordered = np.sort(training)
    at, there = np.searchsorted(ordered, own), np.searchsorted(ordered, others)
    span = max(float(np.ptp(ordered)), 1e-12)
    return np.asarray(np.abs(there - at) / len(ordered) + 0.01 * np.abs(others - own) / span)


async def _grown(search: _Search) -> float:
    """From single changes to several; returns the nearest that any row came to the goal."""
    tried: list[Changes] = [((c, row),) for c, rows in search.options.items() for row in rows]
    singles, best = list(tried), -np.inf
    for size in range(1, MOST_CHANGED + 1):
        if not tried:
            break
        before = search.model.clock()
        said = await search.said(tried)
        nearness = search.goal.nearness(said)
        best = max(best, float(nearness.max()))
        search.keep(tried, search.goal.reached(said))
        took = search.model.clock() - before
        if len(search.found) >= MOST_FOUND or search.model.left < 1.5 * took or size == MOST_CHANGED:
            break
        tried = _longer(tried, nearness, singles, search)
    return best


def _longer(
    tried: list[Changes],
    nearness: Array,
    singles: list[Changes],
    search: _Search,
) -> list[Changes]:
    """The most promising of those tried, each with one more change; sets that hold a found one are left out."""
    beam: dict[frozenset[int], list[Changes]] = {}
    for number in np.argsort(-nearness, kind="stable"):
        columns = frozenset(column for column, _ in tried[number])
        if any(known <= columns for known in search.found):
            continue
        kept = beam.setdefault(columns, [])
        if len(kept) < 2 and len(beam) <= BEAM:
            kept.append(tried[number])
    longer = {
        frozenset([*changes, *single]): tuple(sorted([*changes, *single]))
        for changes, single in itertools.product(itertools.chain(*beam.values()), singles)
        if single[0][0] not in {column for column, _ in changes}
        and not any(known <= {single[0][0], *(column for column, _ in changes)} for known in search.found)
    }
    return list(longer.values())


async def _told(search: _Search, row: pa.Table, what: Quantity) -> tuple[Alternative, ...]:
    """The best of what was found, made smaller where the model lets us, and asked once more as it is told."""
    ranked = sorted(search.found.values(), key=lambda one: (len(one), search.distance(one)))[:MOST_FOUND]
    if not ranked:
        return ()
    pile, kept = await _nearer(search, ranked)
    said = await search.model.said(pile, _sources(search, kept))
    search.asked += len(kept)
    reached, values = search.goal.reached(said), what.of(said)
    return tuple(
        Alternative(
            changes=tuple(_change(search, pile, row, column, place) for column, place in changes),
            answer=answered(search.model.contract, said, number),
            value=float(values[number]),
        )
        for number, changes in enumerate(kept)
        if reached[number]
    )


def _sources(search: _Search, tried: Sequence[Changes]) -> Ints:
    """Where each cell of the rows is taken from: the row itself, but for the changes."""
    source = np.zeros((len(tried), len(search.model.features)), dtype=np.int64)
    for number, changes in enumerate(tried):
        for column, place in changes:
            source[number, column] = place
    return source


def _change(search: _Search, pile: pa.Table, row: pa.Table, column: int, place: int) -> Change:
    name = search.model.features[column]
    after = pile.column(column)[place].as_py()
    return Change(column=name, before=shown(row.column(name)[0].as_py()), after=shown(after))


async def _nearer(search: _Search, found: Sequence[Changes]) -> tuple[pa.Table, list[Changes]]:
    """Move each changed number back towards the row's own value as far as the answer stays the wanted one.

    One change of every alternative at a time, all alternatives in one question.
    """
    pile, kept = search.pile, [dict(changes) for changes in found]
    for turn in range(max(map(len, found))):
        if search.model.left <= 0:
            break
        tried: list[Changes] = []
        owners: list[tuple[int, int]] = []
        for number, changes in enumerate(found):
            between = _between(search, pile, *changes[turn]) if turn < len(changes) else None
            if between is None:
                continue
            column, first = changes[turn][0], len(pile)
            pile = _with_values(pile, column, between)
            tried += [tuple({**kept[number], column: place}.items()) for place in range(first, len(pile))]
            owners += [(number, column)] * len(between)
        if not tried:
            continue
        reached = search.goal.reached(await search.model.said(pile, _sources(search, tried)))
        search.asked += len(tried)
        for place in np.flatnonzero(reached)[::-1]:  # the nearest of each comes first, so it is written last
            number, column = owners[place]
            kept[number][column] = dict(tried[place])[column]
    return pile, [tuple(changes.items()) for changes in kept]


def _between(search: _Search, pile: pa.Table, column: int, place: int) -> pa.Array | None:
    """Values from just beside the row's own to the one found, in this order; None where there are none."""
    kind = pile.column(column).type
    if search.model.role(search.model.features[column]) != "number" or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind)
    ):
        return None
    own, far = (pile.column(column)[at].as_py() for at in (0, place))
    if own is None or far is None or own != own or far != far:
        return None
    steps = np.linspace(own, far, FINER + 1)[1:]
    whole = pa.types.is_integer(kind) or _all_whole(pile.column(column))
    steps = np.unique(np.round(steps)) if whole else _rounded(steps, abs(far - own))
    steps = steps[(steps - own) * (far - own) > 0]
    steps = steps[(far - steps) * (far - own) >= 0]
    steps = steps if far > own else steps[::-1]
    return pa.array(steps, pa.float64()).cast(kind) if len(steps) else None


def _all_whole(column: pa.ChunkedArray) -> bool:
    found = numbers(column, "number")
    found = found[~np.isnan(found)]
    return bool((found == np.round(found)).all())


def _rounded(steps: Array, span: float) -> Array:
    """To two digits more than the way has, so that nobody reads noise."""
    digits = 2 - int(np.floor(np.log10(span)))
    return np.unique(np.round(steps, digits))


def _with_values(pile: pa.Table, column: int, values: pa.Array) -> pa.Table:
    """The pile with more rows: the first one with other values of one column."""
    more = pile.take(pa.array(np.zeros(len(values), dtype=np.int64)))
    more = more.set_column(column, pile.schema.field(column), values)
    return pa.concat_tables([pile, more]).combine_chunks()


def _sentence(
    alternatives: tuple[Alternative, ...],
    goal: Goal,
    what: Quantity,
    value: float,
    best: float,
    columns: int,
    *,
    several: bool,
) -> str:
    if alternatives:
        first = alternatives[0]
        changes = " and ".join(f"“{one.column}” {one.after} instead of {one.before}" for one in first.changes)
        now = f"{what.label} goes from {what.shown(value)} to {what.shown(first.value)}"
        gives = goal.words if goal.other_than is None else f"the answer “{first.answer}”"
        likeliest = f"; “{first.answer}” is now the likeliest" if several else ""
        return f"With {changes} the model would give {gives}: {now}{likeliest}."
    nearest = ""
    if np.isfinite(best) and (what.chance or what.code is None):
        reached = best if goal.other_than is None else 1 - best
        nearest = (
            f"; the nearest that {what.label} came is {what.shown(abs(reached) if what.code is None else reached)}"
        )
    most = f"at most {min(MOST_CHANGED, columns)} of the {columns} columns" if columns > 1 else "the one column"
    return (
        f"I found no change of {most} that may change, within values that training rows have, that gives "
        f"{goal.words}{nearest}."
    )


def _left_out(names: list[str]) -> str:
    if not names:
        return ""
    listed = ", ".join(f"“{name}”" for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"Left as they are: {listed}; name them to let them change."
