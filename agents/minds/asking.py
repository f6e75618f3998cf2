"""How a node asks a model: each question of an attempt once.

The answer is kept, so that a node that runs again after a crash decides as it did before, and what the user has seen
does not change under their eyes.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from agents.context import Context
from agents.llm.egress import NOTHING, Shown
from agents.llm.endpoint import Role
from agents.llm.spending import Spending
from agents.models import Models, Told
from agents.sampling import Rows, rows_to_show
from agents.scribe import Scribe
from agents.state import State

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What a model said and who it was, or why nothing is to be had from it."""

    value: T | None
    who: str = ""
    trouble: str = ""
    """One sentence; "" when there is a value."""


@dataclass(frozen=True)
class Asker:
    """The models, what they may cost, who is told of each call, and where answers are kept (None: nowhere)."""

    models: Models
    spending: Spending
    tell: Told
    kept: Path | None = None
    names: tuple[str, ...] = ()
    """Of the table's columns: those that are personal data themselves do not leave, whatever a question says."""
    rows: Rows = ()
    """A few of the table that may be shown, for `shown`; none unless the egress mode is “sample”."""

    async def decide(
        self,
        role: Role,
        messages: Sequence[BaseMessage],
        schema: type[T],
        check: Callable[[T], str] = lambda _: "",
        about: Shown = NOTHING,
    ) -> Heard[T]:
        """The kept answer to this very question, else a model's."""
        place = self._place(messages, schema)
        if place is not None and place.is_file():
            return _read(place, schema)
        about = about.beside(self.names)
        found = await self.models.decide(
            role, messages, schema, self.spending, check=check, tell=self.tell, about=about
        )
        trouble = "" if found.value is not None else f"{str(found.trouble).rstrip('.')}."
        heard = Heard(found.value, found.endpoint, trouble)
        if place is not None:
            _write(place, heard)
        return heard

    def _place(self, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Path | None:
        if self.kept is None:
            return None
        asked = json.dumps([schema.__name__, *(message.text for message in messages)])
        return self.kept / f"{schema.__name__.lower()}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"


def asker(state: State, context: Context, scribe: Scribe) -> Asker:
    """For a node: answers are kept for this attempt of this turn, so that another turn may ask again."""
    kept = context.folder / "minds" / f"{state.get('turn', 0)}-{state.get('attempt', 0)}"
    read = state.get("dataset_hash")
    names = tuple(one["name"] for one in context.vault.get_json(read)["columns"]) if read else ()
    return Asker(context.models, context.spending, scribe.called, kept, names, rows_to_show(state, context))


def in_line(text: str, most: int = 200) -> str:
    """A model's words as part of one sentence of ours: one line, not long, without the full stop at its end."""
    line = printable(text).rstrip(".")
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def printable(text: str) -> str:
    """One line; what cannot be seen (halves of characters, control characters, turned writing) is gone."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _read(place: Path, schema: type[T]) -> Heard[T]:
    kept = json.loads(place.read_text(encoding="utf-8"))
    value = None if kept["value"] is None else schema.model_validate(kept["value"])
    return Heard(value, kept["who"], kept["trouble"])


def _write(place: Path, heard: Heard[T]) -> None:
    """Whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    value = None if heard.value is None else heard.value.model_dump(mode="json")
    beside = place.with_suffix(f".{os.getpid()}.tmp")
    text = json.dumps({"value": value, "who": heard.who, "trouble": heard.trouble}, ensure_ascii=True)
    beside.write_text(text, encoding="utf-8")
    beside.replace(place)
