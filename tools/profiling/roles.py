"""What a column is for, with the evidence. Order matters: the first rule that fits decides."""

import re

from tools.contract import Role
from tools.profiling.facts import Facts
from tools.profiling.model import ValueCount

FEW_LEVELS = 50
MANY_ROWS = 20
"""In fewer rows, all values being different says nothing."""
NEARLY_ALL = 0.95
MOSTLY_DIFFERENT = 0.5
LONG_TEXT = 40
ENTITY_SHARE = 0.05
"""A named id whose values repeat more often than this is a code (a shop, a region), not an id of rows or persons."""
ID_NAME = re.compile(
    r"(^|[_\-.\s])(id|ids|uid|uuid|guid|pk|key|index|idx|rowid|row[_\s]?(id|no|number|num|name)|record|serial"
    r"|(customer|client|user|account|order|invoice|passenger|patient|employee|member|transaction)[_\s]?(id|no|nr|number|num))$"
    r"|[a-z0-9](Id|ID|Uid|UID|Key|Guid)$|^unnamed:? ?\d*$",
)
TIME_NAME = re.compile(
    r"(^|[_\-.\s])(year|yr|month|mnth|day|date|hour|hr|time|week|quarter|qtr|period|step|timestamp|epoch|age)s?($|[_\-.\s])",
    re.IGNORECASE,
)
CODE_NAME = re.compile(
    r"(^|[_\-.\s])(zip|zipcode|postcode|postal|plz|code|class|category|cat|type|kind|group|cluster|region|zone|status|sex|gender)$"
    r"|(Code|Class|Type|Category|Group|Zip|Status)$|^(p?class|zip)",
    re.IGNORECASE,
)
PAIRS = (
    *({"0", "1"}, {"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"}),
    *({"ja", "nein"}, {"oui", "non"}, {"si", "no"}, {"sí", "no"}, {"sim", "não"}),
)


def role_of(facts: Facts, top: tuple[ValueCount, ...]) -> tuple[Role, str]:
    """The role and one sentence of evidence; `top` may be empty when the column has many values."""
    if facts.filled == 0:
        return "empty", "It has no value at all."
    if facts.distinct == 1 and facts.filled == facts.rows:
        value = f" ({top[0].value[:40]!r})" if top else ""
        return "constant", f"Every row has the same value{value}."
    if facts.column.type == "boolean" or _is_pair(top, facts):
        values = " and ".join(f"'{item.value}'" for item in top[:2])
        return "boolean", f"It has only the values {values}." if values else "It is stored as true or false."
    if facts.column.type in ("date", "datetime"):
        kind = "date" if facts.column.type == "date" else "time"
        return "date", f"Every value is a {kind}, {facts.minimum} to {facts.maximum}."
    return _number_role(facts) if facts.is_numeric else _text_role(facts)


def _is_pair(top: tuple[ValueCount, ...], facts: Facts) -> bool:
    return facts.distinct == 2 and {item.value.strip().lower() for item in top} in PAIRS


def _number_role(facts: Facts) -> tuple[Role, str]:
    name, several = facts.column.name, facts.filled >= MANY_ROWS
    all_different = several and facts.distinct == facts.filled == facts.rows
    if facts.is_whole and all_different and not TIME_NAME.search(name):
        low, high = facts.low or 0.0, facts.high or 0.0
        if high - low == facts.rows - 1 and facts.is_sorted:
            return "id", f"It counts the rows ({low:.0f} to {high:.0f}, one by one)."
        if _is_id_name(name):
            return "id", "Its name says identifier and every value is different."
    if facts.is_whole and several and _is_id_name(name) and facts.unique_share > ENTITY_SHARE:
        return "id", _entity(facts)
    if facts.is_whole and facts.distinct <= FEW_LEVELS and (CODE_NAME.search(name) or _is_id_name(name)):
        return "category", f"Its name says code and it has only {facts.distinct:,} different numbers."
    if facts.is_whole and _is_id_name(name) and several:
        return "category", f"Its name says identifier, but its {facts.distinct:,} values repeat often: a code."
    if facts.is_whole and facts.distinct <= FEW_LEVELS:
        return "number", f"Whole numbers with {facts.distinct:,} different values."
    return (
        "number",
        f"{'Whole numbers' if facts.is_whole else 'Numbers'} from {_short(facts.low)} to {_short(facts.high)}.",
    )


def _entity(facts: Facts) -> str:
    return f"Its name says identifier; {facts.distinct:,} values in {facts.filled:,} rows, so rows may belong together."


def _short(value: float | None) -> str:
    return "nothing finite" if value is None else f"{value:,.6g}"


def _text_role(facts: Facts) -> tuple[Role, str]:
    several = facts.filled >= MANY_ROWS
    words, length = facts.words or 0.0, facts.length or 0.0
    if several and facts.unique_share >= NEARLY_ALL and words < 1.5 and length <= LONG_TEXT:
        return "id", f"{_share(facts)} of its values are different single words or codes."
    if several and _is_id_name(facts.column.name) and facts.unique_share > ENTITY_SHARE and words < 1.5:
        return "id", _entity(facts)
    if _is_prose(facts):
        return "text", f"Free text: {words:.0f} words on average, {_share(facts)} of the values are different."
    if facts.distinct <= FEW_LEVELS or facts.unique_share <= MOSTLY_DIFFERENT:
        return "category", f"{facts.distinct:,} different values in {facts.filled:,} rows."
    return "text", f"{_share(facts)} of its values are different: too many for categories."


def _is_prose(facts: Facts) -> bool:
    wordy = (facts.words or 0.0) >= 4 or (facts.length or 0.0) > LONG_TEXT
    return wordy and facts.distinct > FEW_LEVELS and facts.unique_share > 0.1


def _share(facts: Facts) -> str:
    return f"{facts.unique_share:.0%}"


def _is_id_name(name: str) -> bool:
    return bool(ID_NAME.search(name) or ID_NAME.search(name.lower()))
