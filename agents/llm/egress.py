"""What of a table may leave for a language model. Whatever is sent about data is made here, and is counted here."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tools.schema import Schema

Egress = Literal["off", "schema"]
"""off: no model is asked. schema: names, types, roles and counts, never a value of a cell."""
MOST_COLUMNS = 400
"""More would fill a context, and say little."""


@dataclass(frozen=True)
class Shown:
    """What a model is told of a table, and what the meter counts."""

    text: str
    columns: int
    rows: int = 0


def shown(schema: Schema, first: Iterable[str] = ()) -> Shown:
    """The columns as JSON lines, those of `first` before the others where not all fit.

    As JSON, so that a column's name cannot pose as a line of the prompt.
    """
    wanted = list(dict.fromkeys([*first, *schema.names]))[:MOST_COLUMNS]
    lines = []
    for name in wanted:
        column = schema.get(name)
        if column is None:
            continue
        facts = {"name": name, "type": column.type, "role": column.role, "distinct_values": column.distinct}
        lines.append(json.dumps({key: value for key, value in facts.items() if value is not None}, ensure_ascii=False))
    left = len(schema.names) - len(lines)
    more = [f"({left:,} further columns are not shown)"] if left else []
    return Shown("\n".join([*lines, *more]), len(lines))
