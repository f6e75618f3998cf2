"""What in a table speaks for one split or another: an order, entities that repeat, near-copies, marked rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.language.vocabulary import word_set
from agents.language.words import keys
from tools.predefined import Part, parts_of
from tools.profile import ColumnProfile, Profile
from tools.profiling.neighbours import counters

MAX_GAPS = 0.05
FEW_MOMENTS = 10
IN_ORDER = 0.98
"""Share of the steps from row to row that go the same way, from which on rows lie in a column's order."""
ALIKE = 0.3
"""A counter tells when rows happened only if the target changes slowly along it; 0 is chance, 1 is equality."""
COPIES = 0.02
"""Share of near-copies worth a word."""


@dataclass(frozen=True)
class Evidence:
    """Columns in the order of how much they say."""

    dates: tuple[ColumnProfile, ...] = ()
    events: tuple[ColumnProfile, ...] = ()
    """Of the dates those by which a row happened: the rows lie in their order, or their name says so."""
    counter: ColumnProfile | None = None
    """It numbers the rows, and the target changes slowly along it."""
    entities: tuple[ColumnProfile, ...] = ()
    marked: tuple[ColumnProfile, ...] = ()
    """Each says which rows are for training and which for judging."""
    sentences: tuple[str, ...] = field(default=())

    @property
    def moment(self) -> ColumnProfile | None:
        """What says when a row happened, best first."""
        return self.events[0] if self.events else self.counter

    @property
    def entity(self) -> ColumnProfile | None:
        """What names the thing that several rows belong to."""
        return self.entities[0] if self.entities else None


def evidence_of(profile: Profile, target: str) -> Evidence:
    """Everything the profile knows that bears on the split."""
    dates = _dates(profile, target)
    events = [column for column in dates if in_order(column)] or [column for column in dates if _is_event(column)]
    counter = None if events else _counter(profile, target)
    entities, marked = _entities(profile, target), _marked(profile, target)
    said = [
        *(_order_words(column) for column in ([*events[:1]] or ([counter] if counter else []))),
        *(_repeat_words(column, profile) for column in entities[:1]),
        *(_mark_words(column) for column in marked[:1]),
        *_copy_words(profile),
    ]
    return Evidence(tuple(dates), tuple(events), counter, tuple(entities), tuple(marked), tuple(said))


def in_order(column: ColumnProfile) -> bool:
    """The rows lie in its order, up or down, all but a few."""
    return column.is_sorted or (column.steps_up is not None and max(column.steps_up, 1 - column.steps_up) >= IN_ORDER)


def marks(column: ColumnProfile) -> dict[str, Part] | None:
    """Its values as parts of the data; None when it does not say that, or has too many values to be listed."""
    if not column.top_complete or not 2 <= column.distinct <= 20:
        return None
    return parts_of(column.name, [item.value for item in column.top])


def marked_share(column: ColumnProfile) -> float:
    """Rows to judge by, of those that are marked."""
    parts, counts = marks(column) or {}, {item.value: item.count for item in column.top}
    return sum(counts[value] for value, part in parts.items() if part == "hold-out") / max(1, sum(counts.values()))


def _dates(profile: Profile, target: str) -> list[ColumnProfile]:
    found = [
        column
        for column in profile.columns
        if column.role == "date"
        and column.name != target
        and column.missing_share <= MAX_GAPS
        and column.distinct >= FEW_MOMENTS
    ]
    return [column for column in found if not word_set("other_dates") & set(_parts(column.name))] or found


def _is_event(column: ColumnProfile) -> bool:
    parts = set(_parts(column.name))
    return bool(parts & word_set("event_dates")) and not parts & word_set("other_dates")


def _parts(name: str) -> tuple[str, ...]:
    """The words of a name; "orderdate" has "date" in it as well."""
    parts = keys(name)
    return (*parts, *(end for part in parts for end in ("date", "time") if part.endswith(end) and part != end))


def _counter(profile: Profile, target: str) -> ColumnProfile | None:
    """Any table can be numbered; the numbers are an order in time only if the target drifts along them.

    A table that was sorted by its target is no such case: there it changes once per class, or only goes up.
    """
    found = next((column for column in counters(profile.columns) if column.name != target), None)
    aim = profile.column(target)
    if found is None or aim.is_sorted or (aim.like_the_row_before or 0.0) < ALIKE:
        return None
    return None if _lies_in_classes(aim) else found


def _lies_in_classes(aim: ColumnProfile) -> bool:
    if aim.is_numeric and aim.distinct > 2:
        return aim.steps_up is not None and max(aim.steps_up, 1 - aim.steps_up) >= IN_ORDER
    rows = sum(item.count for item in aim.top)
    chance = sum((item.count / rows) ** 2 for item in aim.top) if rows else 1.0
    changes = (1 - (aim.like_the_row_before or 0.0)) * (1 - chance) * max(0, rows - 1)
    return changes < 2 * aim.distinct


def _entities(profile: Profile, target: str) -> list[ColumnProfile]:
    """Identifiers that repeat: several rows belong to one customer, patient or device."""
    found = [
        column
        for column in profile.columns
        if column.role == "id"
        and column.name != target
        and column.missing_share <= 0.5
        and 10 <= column.distinct <= 0.9 * (profile.rows - column.missing)
    ]
    return sorted(found, key=lambda column: -column.distinct)


def _marked(profile: Profile, target: str) -> list[ColumnProfile]:
    return [
        column
        for column in profile.columns
        if column.name != target and column.missing_share <= 0.5 and marks(column) is not None
    ]


def each(column: ColumnProfile, profile: Profile) -> float:
    """Rows of one value, on average."""
    return (profile.rows - column.missing) / max(1, column.distinct)


def _order_words(column: ColumnProfile) -> str:
    if not in_order(column) or column.steps_up is None:
        return f"“{column.name}” says when a row happened; the rows do not lie in its order."
    up = column.steps_up >= 0.5
    share = column.steps_up if up else 1 - column.steps_up
    way = "ascend" if up else "descend"
    said = f"The rows are ordered by “{column.name}”: {_percent(share)} of neighbours {way}."
    if column.role == "date":
        return said
    return f"{said} It only numbers them, but neighbouring rows are alike in the target, as they are over time."


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0.0, 1.0) or 0.01 <= share < 0.995 else f"{share:.2%}"


def _repeat_words(column: ColumnProfile, profile: Profile) -> str:
    return f"“{column.name}” repeats: {each(column, profile):.1f} rows each."


def _mark_words(column: ColumnProfile) -> str:
    named: Sequence[str] = [f"“{item.value}” {item.count:,}" for item in column.top[:4]]
    return f"“{column.name}” marks the rows: {', '.join(named)}."


def _copy_words(profile: Profile) -> tuple[str, ...]:
    share = profile.near_duplicate_rows / max(1, profile.rows)
    if share < COPIES:
        return ()
    exact = f" ({profile.duplicate_rows:,} in every cell)" if profile.duplicate_rows else ""
    return (
        f"{profile.near_duplicate_rows:,} rows ({share:.0%}) repeat an earlier one but for ids, dates and the last "
        f"digits{exact}: twins may fall on both sides of a split, and the audit says what they are worth.",
    )
