"""What the improvement search has tried: a tree of scripts, each with what came of it. Small, kept in the vault."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tools.score import Difference, Scalar

Kind = Literal["recipe", "draft", "debug", "improve"]
Status = Literal["planned", "scored", "failed", "blocked", "refused"]
MOST_NODES = 12
MOST_ROUNDS = 6
MOST_IDLE = 2
"""Rounds in a row that gain nothing."""
MOST_REPAIRS = 2
"""Times that one script is repaired."""
WORTH_IT = 1.0
"""Standard errors by which a script has to be ahead of the recipe before a look at the sealed rows is spent on it: the
one-standard-error rule (Breiman et al. 1984), as the best of many is a little ahead by luck."""


class Node(BaseModel):
    """One script. Number 0 is the recipe."""

    model_config = ConfigDict(frozen=True)

    id: int
    parent: int | None
    kind: Kind
    code_hash: str
    idea: str = ""
    hint: str = ""
    """The idea as it may be told to a model: stand-ins instead of values."""
    status: Status = "planned"
    value: Scalar | None = None
    """On the rows kept aside."""
    gain: Difference | None = None
    """Against the recipe on the same rows, paired."""
    trouble: str = ""
    """Why it has no value, one sentence for the user."""
    told: str = ""
    """The same for its author: no value of a cell."""
    seconds: float = 0.0
    repaired: int = 0
    """How many of its ancestors in a row failed."""

    @property
    def over(self) -> bool:
        """Nothing more happens to it."""
        return self.status != "planned"


class Verdict(BaseModel):
    """What the sealed rows said about the candidate."""

    model_config = ConfigDict(frozen=True)

    better: bool
    sentence: str
    candidate: int = 0
    """The node that met the recipe; 0: none did."""
    looks: int = 0
    """How often the sealed rows have been scored by now; 0: this search has not looked at them."""
    gain: Difference | None = None


class Journal(BaseModel):
    """The whole search so far. Every step makes a new one."""

    model_config = ConfigDict(frozen=True)

    recipe: str
    """SHA-256 of the script that all of it begins with."""
    nodes: tuple[Node, ...] = ()
    began: float = 0.0
    """Seconds that the turn had worked before it."""
    node_seconds: float = 0.0
    """That each script may train, the recipe too, so that all are compared at the same price."""
    rounds: int = 0
    """How often the model was asked."""
    idle: int = 0
    """The last rounds that gained nothing."""
    best: int = 0
    """The node that was ahead when the model was asked last."""
    author: str = ""
    """Who wrote the scripts: model and host."""
    over: str = ""
    """Why nothing more is tried, one sentence; "" while something is."""
    verdict: Verdict | None = None
    """None until the candidate was compared with the recipe, or there was none."""

    def node(self, number: int) -> Node:
        """The node of this number."""
        return self.nodes[number]

    @property
    def waiting(self) -> Node | None:
        """The next script that has to be tried."""
        return next((node for node in self.nodes if not node.over), None)

    @property
    def most_more(self) -> int:
        """Scripts that may still be written."""
        return MOST_NODES + 1 - len(self.nodes)

    @property
    def enough(self) -> str:
        """Why no further round is worth it; "" when one is."""
        if self.idle >= MOST_IDLE:
            return f"The last {MOST_IDLE} rounds gained nothing."
        if self.rounds >= MOST_ROUNDS or self.most_more < 1:
            return f"{len(self.nodes) - 1} scripts in {self.rounds} rounds are the most that it tries."
        return ""

    @property
    def tried(self) -> int:
        """Scripts of the model that came to an end, good or bad."""
        return sum(node.over for node in self.nodes[1:])

    @property
    def ranked(self) -> tuple[Node, ...]:
        """Those with a value, the best first; of equal ones the earlier."""
        scored = [node for node in self.nodes if node.value is not None]
        return tuple(sorted(scored, key=lambda node: -_ahead(node)))

    @property
    def candidate(self) -> Node | None:
        """What a look at the sealed rows may be spent on; None when nothing is far enough ahead of the recipe."""
        best = next(iter(self.ranked), None)
        if best is None or best.gain is None or best.gain.value < WORTH_IT * error_of(best.gain):
            return None
        return best if best.gain.value > 0 else None

    def with_node(self, node: Node) -> "Journal":
        """The same with this node in the place of the one of its number, or added."""
        others = {one.id: one for one in self.nodes}
        return self.model_copy(update={"nodes": tuple((others | {node.id: node}).values())})

    def ended(self, why: str) -> "Journal":
        """Nothing more is tried; a script that was still waiting is forgotten."""
        kept = tuple(node for node in self.nodes if node.over)
        return self.model_copy(update={"over": why, "nodes": kept})

    def counted(self) -> "Journal":
        """The round that has just ended noted: whether it gained, and who is ahead now."""
        first, before = self.ranked[0], self.node(self.best)
        gained = first.id != before.id and _ahead(first) - _ahead(before) > 0.25 * error_of(first.gain)
        return self.model_copy(update={"idle": 0 if gained or not self.rounds else self.idle + 1, "best": first.id})

    def children(self, number: int) -> Iterator[Node]:
        """The scripts that were made of this one."""
        return (node for node in self.nodes if node.parent == number)


def error_of(gain: Difference | None) -> float:
    """The standard error that a 95 % interval stands for."""
    return 0.0 if gain is None else (gain.ci_high - gain.ci_low) / 3.92


def _ahead(node: Node) -> float:
    """How far ahead of the recipe."""
    return node.gain.value if node.gain is not None else 0.0


def parents(journal: Journal) -> tuple[Node, ...]:
    """Whose scripts are worth changing next, best-first.

    At the beginning the recipe. Then the script that is ahead, and with it the latest one that failed and that nobody
    has repaired yet; the recipe itself again where nothing is ahead of it.
    """
    if not journal.rounds:
        return (journal.node(0),)
    broken = [
        node
        for node in journal.nodes
        if node.status in ("failed", "blocked") and node.repaired < MOST_REPAIRS and not any(journal.children(node.id))
    ]
    return (journal.ranked[0], *broken[-1:])


def kind_of(parent: Node) -> Kind:
    """What a change of this script is called."""
    if parent.id == 0:
        return "draft"
    return "improve" if parent.status == "scored" else "debug"
