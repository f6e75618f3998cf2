"""What a person said last, written down before it is done: a crash between the click and the graph loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.types import StateSnapshot

from agents.events import EVENT_TYPES, Decided, MessageReceived, Rewound, event_type, payload_of
from agents.state import Stage


@dataclass(frozen=True)
class Order:
    """`values` begin a turn, `resume` answers a gate."""

    key: str
    event: MessageReceived | Decided | Rewound
    stage: Stage | None = None
    values: dict[str, Any] | None = None
    resume: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "event": {"type": event_type(type(self.event)), **payload_of(self.event)}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Order":
        """What `to_json` wrote."""
        said = dict(value["event"])
        return cls(**{**value, "event": EVENT_TYPES[said.pop("type")](**said)})

    def was_taken(self, found: StateSnapshot) -> bool:
        """The graph's checkpoint shows that it arrived."""
        if self.values is None and self.resume is None:
            return True  # "go on": the checkpoint itself says with what
        if self.resume is not None:
            return not any(waiting.id in self.resume for waiting in found.interrupts)
        return bool(found.values.get("turn", 0) >= (self.values or {})["turn"])
