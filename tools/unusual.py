"""Rows unlike those of training, over a whole table: counted per column, with the first of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.ingest.errors import counted
from tools.rowwise import Fault

EXAMPLES = 5
MOST_VALUES = 1_000
"""Distinct new categories that are kept apart; a hostile table may have millions."""
MOST_SENTENCES = 12


@dataclass
class Kind:
    """One thing that is wrong with one column."""

    column: str
    kind: str
    words: str
    rows: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)
    """(row from 1, value)."""
    values: Counter[str] = field(default_factory=Counter)
    """New categories and their rows."""

    def add(self, fault: Fault, start: int) -> None:
        """Rows of the next part of the table, which begins at row `start` (from 0)."""
        self.rows += len(fault.rows)
        room = EXAMPLES - len(self.first)
        places = fault.rows[: max(room, 0)].tolist()
        self.first += [(start + row + 1, value) for row, value in zip(places, fault.values, strict=False)]
        if fault.kind == "unseen":
            self.values.update(value for value in fault.values if value in self.values or self._has_room(value))

    def _has_room(self, value: str) -> bool:
        if len(self.values) >= MOST_VALUES:
            return False
        self.values[value] += 0
        return True

    @property
    def sentence(self) -> str:
        """For people."""
        name, first = f"'{' '.join(self.column.split())[:60]}'", self.first[0][0]
        match self.kind:
            case "empty":
                rows = "row has" if self.rows == 1 else "rows have"
                return f"{self.rows:,} {rows} {self.words} (first: row {first})."
            case "missing":
                return f"{name} is missing in {counted(self.rows, 'row')}, never in training (first: row {first})."
            case "unseen":
                common = ", ".join(f"'{value}' ({rows:,})" for value, rows in self.values.most_common(EXAMPLES))
                more = f" and {len(self.values) - EXAMPLES:,} more" if len(self.values) > EXAMPLES else ""
                which = counted(self.rows, "value")
                return f"{name} has {which} that training never had: {common}{more}; first in row {first}."
            case _:
                shown = ", ".join(f"row {row}: '{value}'" for row, value in self.first)
                words = self.words if self.rows == 1 else _plural(self.words)
                return f"{name} has {counted(self.rows, 'value')} that {words} ({shown})."

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = {"column": self.column or None, "kind": self.kind, "rows": self.rows}
        found["first"] = [{"row": row, "value": value} for row, value in self.first]
        if self.values:
            found["values"] = dict(self.values.most_common(50))
        return found


def _plural(words: str) -> str:
    """ "is no number, so it counts" -> "are no numbers, so they count"."""
    for one, many in (
        ("is no number, so it counts", "are no numbers, so they count"),
        ("is no date, so it counts", "are no dates, so they count"),
    ):
        words = words.replace(one, many)
    return f"are{words[2:]}" if words.startswith("is ") else words


@dataclass
class Unusual:
    """Everything that is unlike training in a table, as far as it was read."""

    rows: int = 0
    """Rows looked at."""
    flagged: int = 0
    """Rows with at least one remark."""
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)

    def add(self, found: Sequence[Fault], rows: int) -> None:
        """The next part of the table."""
        flagged: set[int] = set()
        for fault in found:
            kind = self.kinds.setdefault((fault.column, fault.kind), Kind(fault.column, fault.kind, fault.words))
            kind.add(fault, self.rows)
            flagged.update(fault.rows.tolist())
        self.flagged += len(flagged)
        self.rows += rows

    @property
    def sentences(self) -> tuple[str, ...]:
        """The most frequent first."""
        ranked = sorted(self.kinds.values(), key=lambda kind: -kind.rows)
        said = [kind.sentence for kind in ranked[:MOST_SENTENCES]]
        rest = len(ranked) - MOST_SENTENCES
        return tuple([*said, f"{counted(rest, 'remark')} more; see the column “warnings”."] if rest > 0 else said)

    @property
    def json(self) -> list[dict[str, Any]]:
        """For programs."""
        return [kind.json for kind in sorted(self.kinds.values(), key=lambda kind: -kind.rows)]
