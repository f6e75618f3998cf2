"""What left for language models and what it cost, added up over the calls of a project and shown in one line."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agents.events import ModelCalled
from agents.llm.trouble import remedy
from chat_app.model_settings import Metered


@dataclass
class Meter:
    """One project's account; `turn` is that of the present request."""

    whole: Metered = field(default_factory=Metered)
    turn: Metered = field(default_factory=Metered)
    roles: dict[str, Metered] = field(default_factory=dict)
    failed: int = 0
    trouble: str = ""
    """The last call that came to nothing, in words, and what can be done; "" once one went well."""
    estimated: bool = False
    """Some server counted no tokens."""

    def begin(self) -> None:
        """The user has said something: what follows is another request."""
        self.turn = Metered()

    def add(self, call: ModelCalled) -> None:
        """Take one call into account."""
        self.whole = added(self.whole, call)
        self.turn = added(self.turn, call)
        self.roles[call.role] = added(self.roles.get(call.role, Metered()), call)
        self.failed += call.outcome != "ok"
        self.trouble = "" if call.outcome == "ok" else f"{call.sentence} {remedy(call.outcome)}"
        self.estimated = self.estimated or call.estimated

    @property
    def pictures(self) -> bool:
        """Whether any has left: nothing else is asked of that role."""
        return "vision" in self.roles

    @property
    def left(self) -> str:
        """What of the project's data has left, in words."""
        return what_left(self.whole, self.pictures)

    def to_json(self) -> dict[str, Any]:
        """As the panel draws it."""
        roles = {role: asdict(one) for role, one in self.roles.items()}
        about = {"failed": self.failed, "trouble": self.trouble, "estimated": self.estimated}
        left = {"line": in_one_line(self.whole, self.estimated, self.pictures), "left": self.left}
        return {
            **asdict(self.whole),
            "turn": asdict(self.turn),
            "roles": roles,
            **about,
            **(left if self.whole.calls else {}),
        }


def added(so_far: Metered, call: ModelCalled) -> Metered:
    """The account with one more call."""
    return replace(
        so_far,
        calls=so_far.calls + (call.outcome != "no_budget"),  # which was not made
        tokens_in=so_far.tokens_in + call.tokens_in,
        tokens_out=so_far.tokens_out + call.tokens_out,
        cost=so_far.cost + call.cost,
        seconds=so_far.seconds + call.seconds,
        bytes_out=so_far.bytes_out + call.bytes_out,
        columns=max(so_far.columns, call.columns),
        rows=max(so_far.rows, call.rows),
        masked=tuple(dict.fromkeys([*so_far.masked, *call.masked])),
        pictures=so_far.pictures + call.pictures,
    )


def in_one_line(spent: Metered, estimated: bool = False, pictures: bool = False) -> str:
    """E.g. “12 calls, 8,140 tokens, 0.02; columns' names only”."""
    calls = "1 call" if spent.calls == 1 else f"{spent.calls:,} calls"
    about = "about " if estimated else ""
    return f"{calls}, {about}{spent.tokens:,} tokens{money(spent.cost)}; {what_left(spent, pictures)}"


def cost_of_answer(spent: Metered, estimated: bool = False) -> str:
    """The sentence below an answer; "" where no model was asked."""
    if not spent.calls:
        return ""
    calls = "1 call" if spent.calls == 1 else f"{spent.calls:,} calls"
    about = "about " if estimated else ""
    return f"Language models: {calls}, {about}{spent.tokens:,} tokens{money(spent.cost)}."


def money(cost: float) -> str:
    """In the unit of the configured prices; nothing where no price is configured."""
    if not cost:
        return ""
    return f", {cost:,.2f}" if cost >= 0.1 else f", {cost:.2g}" if cost >= 0.0001 else ", less than 0.0001"


def what_left(spent: Metered, pictures: bool = False) -> str:
    """Of the data; a picture leaves as a whole."""
    seen = " and pictures" if pictures else ""
    if spent.rows:
        masked = f", masked: {_listed(spent.masked)}" if spent.masked else ", nothing in them had to be masked"
        return f"columns' names and {spent.rows:,} {'row' if spent.rows == 1 else 'rows'}{masked}{seen}"
    if spent.columns:
        return f"columns' names{seen or ' only'}"
    return "pictures only" if pictures else "nothing of the table"


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(kind.replace("_", " ").lower() for kind in kinds)
