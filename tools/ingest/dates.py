"""Dates and times as people write them. A column is dated only when one format fits every value."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from tools.ingest.asking import CELL, Question
from tools.ingest.cells import Verdict, is_value, matches
from tools.ingest.engine import tally, text_literal
from tools.ingest.errors import counted
from tools.ingest.shapes import DAY, WORDY_DAY

ISO_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO_TIME = r"[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
TIME = r"([0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)"
HALF = r"([aApP])\.?[mM]"
ZONE = r"[0-9mM. ](Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$"
NOON = 12 * 3_600_000_000


@dataclass(frozen=True)
class DayOrder:
    """One way to read the day part, after its separators became blanks."""

    words: str
    formats: tuple[str, ...]
    guard: str
    """What the day part must match: strptime alone takes two digits for a whole year."""


LONG_YEAR, SHORT_YEAR = " [0-9]{4}$", " [0-9]{2}$"
YEAR_FIRST = DayOrder("year, month, day", ("%Y %m %d",), "^[0-9]{4} ")
DAY_FIRST = DayOrder("day, month, year", ("%d %m %Y",), LONG_YEAR)
MONTH_FIRST = DayOrder("month, day, year", ("%m %d %Y",), LONG_YEAR)
DAY_FIRST_SHORT = DayOrder("day, month, two-digit year", ("%d %m %y",), SHORT_YEAR)
MONTH_FIRST_SHORT = DayOrder("month, day, two-digit year", ("%m %d %y",), SHORT_YEAR)
WORDY = DayOrder("day, month's name, year", ("%d %b %Y", "%d %B %Y"), LONG_YEAR)
WORDY_SHORT = DayOrder("day, month's name, two-digit year", ("%d %b %y", "%d %B %y"), SHORT_YEAR)
WORDY_US = DayOrder("month's name, day, year", ("%b %d %Y", "%B %d %Y"), LONG_YEAR)
ORDERS = (
    *(YEAR_FIRST, DAY_FIRST, MONTH_FIRST, WORDY, WORDY_US),
    *(DAY_FIRST_SHORT, MONTH_FIRST_SHORT, WORDY_SHORT),
)
DAYS_FIRST = (DAY_FIRST, DAY_FIRST_SHORT)
MONTHS_FIRST = (MONTH_FIRST, MONTH_FIRST_SHORT)


@dataclass(frozen=True)
class DateReading:
    """What the values of one column allow."""

    column: str
    text: str
    """SQL for its cells without blanks around them."""
    orders: tuple[DayOrder, ...]
    """The day orders that fit every value; two when day and month may be swapped, none when no order fits all."""
    iso: bool = False
    """Every value is as ISO 8601 wants it, without a zone: the engine reads it directly."""
    slashes: bool = False
    clocks: int = 0
    """Values with a time of day."""
    not_midnight: int = 0
    zones: int = 0
    finer: int = 0
    """Values with a fraction below a microsecond."""

    @property
    def votes_day_first(self) -> bool | None:
        """What this column tells of the others: True, False, or None when it cannot tell."""
        if len(self.orders) != 1 or self.orders[0] not in (*DAYS_FIRST, *MONTHS_FIRST):
            return None
        return self.orders[0] in DAYS_FIRST


def iso_questions(column: str) -> list[Question]:
    """What `iso_reading` has to know of a column."""
    day, moment = matches(CELL, ISO_DAY), matches(CELL, ISO_DAY + ISO_TIME)
    known = f"try_cast({CELL} AS TIMESTAMP) IS NOT NULL"
    midnight = f"CAST(try_cast({CELL} AS TIMESTAMP) AS DATE) = try_cast({CELL} AS TIMESTAMP)"
    tests = {"days": f"{day} AND {known}", "moments": f"{moment} AND {known}", "midnights": f"{moment} AND {midnight}"}
    return [Question(column, key, tally(test)) for key, test in tests.items()]


def iso_reading(column: str, text: str, answers: Mapping[str, int], values: int) -> DateReading | None:
    """The reading when every value is ISO 8601; None when some are not."""
    if answers["days"] + answers["moments"] != values:
        return None
    late = answers["moments"] - answers["midnights"]
    return DateReading(column, text, (YEAR_FIRST,), iso=True, clocks=answers["moments"], not_midnight=late)


def date_questions(column: str) -> list[Question]:
    """What `date_reading` has to know of a column."""
    tests = {
        **{order.words: f"{_moment(CELL, order)} IS NOT NULL" for order in ORDERS},
        "slashes": f"contains({CELL}, '/')",
        "clocks": f"{_clock(CELL)} <> ''",
        "not_midnight": f"{_time(CELL)} <> TIME '00:00:00'",
        "zones": f"{_zone(CELL)} <> ''",
        "finer": f"regexp_matches({CELL}, '[.,][0-9]{{6}}[0-9]*[1-9]')",
    }
    return [Question(column, key, tally(f"{is_value(CELL)} AND {test}")) for key, test in tests.items()]


def date_reading(column: str, text: str, answers: Mapping[str, int], values: int) -> DateReading:
    """Which orders fit every value. Clocks with and without a zone in one column cannot be compared: no order."""
    mixed_zones = 0 < answers["zones"] < values
    orders = () if mixed_zones else tuple(order for order in ORDERS if answers[order.words] == values)
    return DateReading(
        column,
        text,
        orders,
        slashes=answers["slashes"] > 0,
        clocks=answers["clocks"],
        not_midnight=answers["not_midnight"],
        zones=answers["zones"],
        finer=answers["finer"],
    )


def judge_dates(
    engine: duckdb.DuckDBPyConnection,
    relation: str,
    name: str,
    reading: DateReading,
    day_first: bool | None,
    gaps: tuple[str, ...],
) -> Verdict:
    """The typed column; `day_first` is what other columns of the table tell."""
    if not reading.orders:
        sentence = f"Column '{name}' looks like dates, but no single format fits all of them; it stays text."
        return Verdict(reading.column, "text", (sentence,))
    order, doubt = _chosen(engine, relation, reading, day_first)
    moment = f"try_cast({reading.text} AS TIMESTAMP)" if reading.iso else _moment(reading.text, order)
    swapped = f"Column '{name}': day and month could be swapped; read as {order.words} ({doubt})."
    said = (*((swapped,) if doubt else ()), *gaps)
    note = f"read as {order.words}; day and month could be swapped" if doubt else ""
    if reading.not_midnight or reading.zones:
        return Verdict(moment, "datetime", (*said, *_time_said(name, reading)), note)
    if reading.clocks:
        said = (*said, f"Column '{name}': every time is midnight, so it was read as dates.")
    return Verdict(f"CAST({moment} AS DATE)", "date", said, note)


def _time_said(name: str, reading: DateReading) -> list[str]:
    said = []
    if reading.zones:
        said.append(f"Column '{name}': times with a zone were converted to UTC.")
    if reading.finer:
        said.append(f"Column '{name}': {counted(reading.finer, 'time')} cut to microseconds.")
    return said


def _chosen(
    engine: duckdb.DuckDBPyConnection, relation: str, reading: DateReading, day_first: bool | None
) -> tuple[DayOrder, str]:
    """The order to use and, when it is not certain, why it was chosen."""
    ambiguous = [order for order in reading.orders if order in (*DAYS_FIRST, *MONTHS_FIRST)]
    if len(ambiguous) < 2 or _same(engine, relation, reading.text, ambiguous):
        return reading.orders[0], ""
    if day_first is not None:
        return next(order for order in ambiguous if (order in DAYS_FIRST) == day_first), "as in the table's other dates"
    in_order = [order for order in ambiguous if _is_sorted(engine, relation, reading.text, order)]
    if len(in_order) == 1:
        return in_order[0], "only so are they in order"
    expected = MONTHS_FIRST if reading.slashes else DAYS_FIRST
    return next(order for order in ambiguous if order in expected), "an assumption"


def _same(engine: duckdb.DuckDBPyConnection, relation: str, text: str, orders: list[DayOrder]) -> bool:
    first, second = (_moment(text, order) for order in orders[:2])
    query = f"SELECT count(*) FROM {relation} WHERE {first} IS DISTINCT FROM {second}"
    return engine.execute(query).fetchall() == [(0,)]


def _is_sorted(engine: duckdb.DuckDBPyConnection, relation: str, text: str, order: DayOrder) -> bool:
    moment = _moment(text, order)
    query = (
        f"SELECT {tally('now < before')}, {tally('now > before')} FROM "
        f"(SELECT now, lag(now) OVER () AS before FROM (SELECT {moment} AS now FROM {relation}) WHERE now IS NOT NULL)"
    )
    down, up = engine.execute(query).fetchall()[0]
    return bool((down == 0) != (up == 0))


def _moment(text: str, order: DayOrder) -> str:
    """SQL: the timestamp (UTC where a zone is given), NULL when the trimmed cell does not fit."""
    formats = f"[{', '.join(text_literal(format) for format in order.formats)}]"
    fits = f"regexp_matches({_day(text)}, {text_literal(order.guard)})"
    day = f"CASE WHEN {fits} THEN try_strptime({_day(text)}, {formats}) END"
    return f"(({day}) + CASE WHEN {_clock(text)} = '' THEN INTERVAL 0 SECOND ELSE {_since_midnight(text)} END)"


def _day(text: str) -> str:
    """SQL: the day part with single blanks between its parts."""
    part = f"regexp_extract({text}, {text_literal(f'^({DAY}|{WORDY_DAY})')})"
    return f"regexp_replace({part}, '[-/., ]+', ' ', 'g')"


def _clock(text: str) -> str:
    """SQL: what follows the day part."""
    return f"regexp_replace({text}, {text_literal(f'^({DAY}|{WORDY_DAY})')}, '')"


def _time(text: str) -> str:
    return f"try_cast(replace(regexp_extract({_clock(text)}, {text_literal(TIME)}), ',', '.') AS TIME)"


def _zone(text: str) -> str:
    return f"regexp_extract({_clock(text)}, {text_literal(ZONE)}, 1)"


def _since_midnight(text: str) -> str:
    """SQL: an interval from midnight (UTC) to the time; NULL for a time that does not exist."""
    moment = f"epoch_us({_time(text)})"
    half = f"lower(regexp_extract({_clock(text)}, {text_literal(HALF)}, 1))"
    twelve = f"({moment} >= {NOON} AND {moment} < {NOON} + 3600000000)"
    in_half = (
        f"CASE WHEN {half} = '' THEN {moment} WHEN {half} = 'a' AND {twelve} THEN {moment} - {NOON} "
        f"WHEN {half} = 'p' AND {moment} < {NOON} THEN {moment} + {NOON} "
        f"WHEN {half} = 'a' AND {moment} < {NOON} OR {half} = 'p' AND {twelve} THEN {moment} END"
    )
    return f"to_microseconds(({in_half}) - ({_offset(text)}))"


def _offset(text: str) -> str:
    """SQL: microseconds that the zone is ahead of UTC."""
    zone = _zone(text)
    digits = f"regexp_replace({zone}, '[^0-9]', '', 'g')"
    minutes = f"CAST(left({digits}, 2) AS BIGINT) * 60 + coalesce(try_cast(substr({digits}, 3) AS BIGINT), 0)"
    sign = f"CASE WHEN {zone} LIKE '-%' THEN -60000000 ELSE 60000000 END"
    return f"CASE WHEN {digits} = '' THEN 0 ELSE ({sign}) * ({minutes}) END"
