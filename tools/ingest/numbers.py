"""Numbers as people write them: integers, decimals, thousands marks, decimal commas, currencies, percent signs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tools.ingest.asking import CELL, Question
from tools.ingest.cells import BLANKS, Verdict, is_value, matches
from tools.ingest.classes import Counts, class_question
from tools.ingest.engine import tally, text_literal
from tools.ingest.errors import counted
from tools.ingest.shapes import INFINITE, NUMBER

UNITS = "$€£¥%"
ANY_BLANK = text_literal("[ \u00a0\u202f]")


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written in one column."""

    decimal: str = "."
    thousands: str = ""
    """The mark between groups of three digits; a blank stands for every kind of blank."""
    unit: str = ""
    """One of `UNITS`, before or after every value."""
    assumption: str = ""
    """Set when the values can be read in another way, too."""

    @property
    def pattern(self) -> str:
        """What every value has to match, with any unit."""
        mark = "[ \u00a0\u202f]" if self.thousands == " " else re.escape(self.thousands)
        grouped = f"[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+|" if self.thousands else ""
        body = f"({grouped}0|[1-9][0-9]*)({re.escape(self.decimal)}[0-9]+)?"
        return f"[+-]?([{UNITS}][ \u00a0]?)?[+-]?{body}([ \u00a0]?[{UNITS}])?"

    def plain(self, text: str) -> str:
        """SQL: the trimmed cell with a decimal point and nothing else, e.g. "-1234.5"."""
        if self.unit:
            text = f"trim(replace({text}, {text_literal(self.unit)}, ''), {BLANKS})"
        if self.thousands == " ":
            text = f"regexp_replace({text}, {ANY_BLANK}, '', 'g')"
        elif self.thousands:
            text = f"replace({text}, {text_literal(self.thousands)}, '')"
        return text if self.decimal == "." else f"replace({text}, {text_literal(self.decimal)}, '.')"

    @property
    def words(self) -> str:
        """For the account; "" for plain numbers."""
        parts = []
        if self.thousands:
            parts.append(f"'{self.thousands}' between thousands")
        if self.decimal != ".":
            parts.append("a decimal comma")
        if self.unit:
            parts.append(f"the sign {self.unit}")
        return " and ".join(parts)


PLAIN = NumberStyle()
POINT_STYLES = (PLAIN, NumberStyle(".", ","), NumberStyle(".", " "), NumberStyle(".", "'"))
COMMA_STYLES = (NumberStyle(","), NumberStyle(",", "."), NumberStyle(",", " "))
STYLES = (*POINT_STYLES, *COMMA_STYLES)


def style_questions(column: str) -> list[Question]:
    """What `chosen_style` has to know of a column."""
    value = is_value(CELL)
    styles = [(f"style {index}", matches(CELL, style.pattern)) for index, style in enumerate(STYLES)]
    signs = [(sign, f"contains({CELL}, {text_literal(sign)})") for sign in (*UNITS, ",")]
    return [Question(column, key, tally(f"{value} AND {test}")) for key, test in (*styles, *signs)]


def chosen_style(answers: Mapping[str, int], values: int, decimal_comma: bool) -> NumberStyle | None:
    """The style and unit that all `values` have; None when there is none."""
    used = [sign for sign in UNITS if answers[sign]]
    if len(used) > 1 or (used and answers[used[0]] != values):
        return None
    fitting = [style for index, style in enumerate(STYLES) if answers[f"style {index}"] == values]
    fitting.sort(key=lambda style: (style.decimal == ",") != decimal_comma)
    if not fitting:
        return None
    style = replace(fitting[0], unit=used[0] if used else "")
    if len({other.decimal for other in fitting}) == 1 or not answers[","]:
        return style
    mark = "decimal mark" if style.decimal == "," else "thousands mark"
    return replace(style, assumption=f"the comma was taken for a {mark}")


def plain_question(column: str, style: NumberStyle) -> Question:
    """The classes of the cells once they are written plainly."""
    return class_question(column, style.plain(CELL))


def judge_numbers(
    column: str, text: str, name: str, style: NumberStyle, counts: Counts, gaps: tuple[str, ...]
) -> Verdict:
    """Integer when every value is one, number otherwise; text when a value would not survive."""
    all_integers = counts.integers == counts.numbers
    huge = counts.huge + counts.huge_inexact
    inexact = counts.long_inexact + counts.huge_inexact
    for lost, why in (
        (counts.phone, "with a plus sign before a long number"),
        (huge if all_integers else 0, "too large for a 64-bit integer"),
        (0 if all_integers else inexact, "too long for a floating-point number"),
        (counts.overflow, "too large for a floating-point number"),
    ):
        if lost:
            sentence = f"Column '{name}' was kept as text: {counted(lost, 'value')} {why} would not stay exact."
            return Verdict(column, "text", (sentence,), "kept as text so that no digit is lost")
    said = (*_style_said(name, style), *gaps)
    plain = style.plain(text)
    if all_integers:
        return Verdict(f"try_cast({plain} AS BIGINT)", "integer", said, style.assumption)
    if counts.infinite:
        said = (*said, f"Column '{name}' holds {counted(counts.infinite, 'infinite value')}, kept as they are.")
    value = f"try_cast({plain} AS DOUBLE)"
    if gaps:  # "nan" is a number to the engine and no value to us
        value = f"CASE WHEN {matches(plain, f'{NUMBER}|{INFINITE}')} THEN {value} END"
    return Verdict(value, "number", said, style.assumption)


def _style_said(name: str, style: NumberStyle) -> tuple[str, ...]:
    if not style.words:
        return ()
    doubt = f" ({style.assumption}; it could mean something else)" if style.assumption else ""
    return (f"Column '{name}' is written with {style.words}; it was read as numbers{doubt}.",)
