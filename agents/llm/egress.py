"""What of a table may leave for a language model. Whatever is sent about data is made here, and is counted here."""

import datetime
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from agents.llm.personal import in_name, masked, told_by_name
from tools.schema import Schema, SchemaColumn

Egress = Literal["off", "schema", "sample"]
"""off: no model is asked. schema: names, types, roles and counts, never a value of a cell. sample: a few rows as well,
once personal data is masked in them."""
MOST_COLUMNS = 400
"""More would fill a context, and say little."""
SAMPLE_ROWS = 5
SAMPLE_COLUMNS = 60
"""Of a row that is shown."""
MOST_LETTERS = 60
"""Of one cell."""
_BREAKS = {
    code: f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
FEW = 20
"""A column of words with more different values than this, and than a tenth of the rows, may well name people."""


@dataclass(frozen=True)
class Shown:
    """What a model is told of a table, and what the meter counts."""

    text: str
    columns: int = 0
    rows: int = 0
    masked: tuple[str, ...] = ()
    """Kinds of personal data that were masked, by name."""
    pictures: int = 0
    """Pictures that go along, each whole."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Columns whose very name is personal data, each with the name that leaves instead: the gateway puts the one in
    place of the other in every message, and back in every answer."""

    def beside(self, names: Iterable[str]) -> "Shown":
        """The same question over a table of which more columns are known: all their names are looked at."""
        aliases, kinds = aliases_of(names)
        if not aliases:
            return self
        masks = tuple(dict.fromkeys([*self.masked, *kinds]))
        return replace(self, masked=masks, aliases=tuple({**aliases, **dict(self.aliases)}.items()))

    def hidden(self, text: str) -> str:
        """A message as it may leave."""
        for name, alias in sorted(self.aliases, key=lambda pair: -len(pair[0])):
            for written in _ways_to_write(name):
                text = text.replace(written, alias)
        return text

    def revealed(self, text: str) -> str:
        """An answer in the table's own names; they stand within quotes there, so they are escaped as JSON."""
        for name, alias in self.aliases:
            text = text.replace(alias, json.dumps(name, ensure_ascii=False)[1:-1])
        return text


NOTHING = Shown("")
"""A question that says nothing of a table."""


def shown(schema: Schema, first: Iterable[str] = (), rows: Sequence[Mapping[str, Any]] = ()) -> Shown:
    """The columns as JSON lines, those of `first` before the others where not all fit; then `rows`, masked.

    As JSON, so that a column's name cannot pose as a line of the prompt. `rows` come from `agents/sampling.py`, which
    gives none unless the egress mode is "sample".
    """
    wanted = [name for name in dict.fromkeys([*first, *schema.names]) if schema.get(name) is not None]
    wanted, left = wanted[:MOST_COLUMNS], len(wanted) - len(wanted[:MOST_COLUMNS])
    aliases, kinds = aliases_of(schema.names)
    lines = [_line(schema, name, aliases.get(name, name)) for name in wanted]
    if left:
        lines.append(f"({left:,} further columns are not shown)")
    few = rows[:SAMPLE_ROWS]
    if few:
        lines.append(f"{len(few)} rows, with <KIND> where personal data was masked and numbers rounded:")
    for row in few:
        cells = {aliases.get(name, name): _cell(row.get(name), schema, name, kinds) for name in wanted[:SAMPLE_COLUMNS]}
        lines.append(as_line(cells))
    kinds_once = tuple(dict.fromkeys(kinds))
    return Shown("\n".join(lines), len(wanted), len(few), kinds_once, aliases=tuple(aliases.items()))


def _line(schema: Schema, name: str, told: str) -> str:
    column = schema.get(name)
    assert column is not None, "only columns of the schema are asked for"
    facts = {"name": told, "type": column.type, "role": column.role, "distinct_values": column.distinct}
    return as_line({key: value for key, value in facts.items() if value is not None})


def as_line(value: Mapping[str, Any] | Sequence[str]) -> str:
    """JSON in one line, whatever else ends a line or turns the direction of writing in Unicode."""
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def aliases_of(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Another name for each column whose own is personal data, the same whenever it is asked for; and the kinds."""
    aliases: dict[str, str] = {}
    kinds: list[str] = []
    for name in sorted(names, key=len, reverse=True):
        if kind := in_name(name):
            aliases[name] = f"{kind}_COLUMN_{hashlib.sha256(name.encode()).hexdigest()[:4]}"
            kinds.append(kind)
    return aliases, kinds


def _ways_to_write(name: str) -> tuple[str, ...]:
    """By itself, and as it stands in JSON and in Python."""
    return tuple(
        dict.fromkeys([json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1], repr(name)[1:-1], name])
    )


def _cell(value: Any, schema: Schema, name: str, kinds: list[str]) -> Any:
    """A value as it may leave; a kind that had to be masked is added to `kinds`."""
    column = schema.get(name)
    assert column is not None, "only columns of the schema are asked for"
    if value is None or isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return value if isinstance(value, bool) else None
    if kind := _kind_of(column, schema.rows):
        kinds.append(kind)
        return f"<{kind}>"
    if isinstance(value, int | float):
        return _rounded(value)
    if isinstance(value, datetime.date):
        return value.strftime("%Y-%m")
    text, found = masked(str(value)[: 4 * MOST_LETTERS])
    kinds.extend(found)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _kind_of(column: SchemaColumn, rows: int | None) -> str:
    """What the whole column is masked as; "" when its values may be shown one by one."""
    if column.role == "boolean":
        return ""
    if column.role == "id":
        return "IDENTIFIER"
    by_name = told_by_name(column.name)
    if by_name and (by_name == "NAME" or column.distinct is None or column.distinct > 3):
        return by_name
    if column.type in ("integer", "float", "number", "date", "datetime"):
        return ""
    many = column.distinct is None or column.distinct > max(FEW, (rows or 0) / 10)
    return "FREE_TEXT" if column.role not in ("category", "constant") or many else ""


def _rounded(value: float) -> float:
    """To four digits: enough to see the size, too little to recognise somebody by."""
    if value == 0:
        return value
    digits = 3 - math.floor(math.log10(abs(value)))
    found = round(value, digits)
    return int(found) if isinstance(value, int) else float(f"{found:.4g}")
