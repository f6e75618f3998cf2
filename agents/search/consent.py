"""May a model's scripts run? Asked once for a whole search, or for every script where the user wants that.

Whoever approves in advance (the policy of the code gate) has said yes; the critic reads each script in any case.
"""

import difflib
from collections.abc import Callable
from typing import Any, Literal, TypedDict

from agents.search.journal import Journal, Node
from agents.state import Decision, Gate, Pending, State

GATES: tuple[Gate, ...] = ("search", "script")
ALL = "Yes, all of them"
EACH = "Ask me about each script"
NONE = "No, keep the recipe"
CHOICES = (ALL, EACH, NONE)
TITLE = "May a language model's scripts be tried in the sandbox?"


class Allowed(TypedDict):
    """What the user has said."""

    mode: Literal["all", "each", "none"]
    scripts: dict[str, bool]
    """mode each: the hash of a script, and whether it may run."""


def once_allowed(state: State) -> bool:
    """Whether the search may go on at all."""
    return not _asks(state) or (state.get("search_allowed") or {}).get("mode") != "none"


def may_run(node: Node, state: State) -> bool:
    """Whether this script may run."""
    said = state.get("search_allowed")
    if not _asks(state) or said is None or said["mode"] == "all":
        return True
    return bool(said["scripts"].get(node.code_hash, False))


def asks_for(journal: Journal, state: State, blocked: Callable[[Node], bool]) -> Pending | None:
    """What a person has to be asked before the next step; None when nothing."""
    if not _asks(state) or journal.over:
        return None
    said, node = state.get("search_allowed"), journal.waiting
    if said is None:
        return Pending(gate="search", title=TITLE)
    if said["mode"] != "each" or node is None or node.id == 0 or node.code_hash in said["scripts"] or blocked(node):
        return None
    return Pending(gate="script", title=f"May script {node.id} of the search run?")


def _asks(state: State) -> bool:
    return bool(state.get("policy", {}).get("code", True))


def objection(decision: Decision, gate: Gate) -> str | None:
    """Why a decision cannot be accepted here, in one sentence; None when it can."""
    if decision.action == "edit":
        return "A script of the search cannot be edited here; take it over when the search is over."
    if decision.action == "answer" and (gate == "script" or choice_of(decision.answer or "") is None):
        return f"Please choose one of: {', '.join(CHOICES)}." if gate == "search" else "Please approve or reject."
    return None


def choice_of(text: str) -> str | None:
    """The choice that somebody has typed, however it is written; None when it is none."""
    said = " ".join(text.lower().strip(" .!").split())
    return next((choice for choice in CHOICES if said == choice.lower()), None)


def decided(decision: Decision, state: State, journal: Journal) -> dict[str, Any]:
    """What is to be remembered of a decision."""
    said: Allowed | None = state.get("search_allowed")
    before = said or Allowed(mode="each", scripts={})
    if decision.action == "approve_rest":
        return {"search_allowed": {**before, "mode": "all"}, "pending": None}
    pending, node = state.get("pending"), journal.waiting
    yes = decision.action == "approve"
    if pending is not None and pending["gate"] == "script" and node is not None:
        return {"search_allowed": {**before, "scripts": {**before["scripts"], node.code_hash: yes}}, "pending": None}
    choice = choice_of(decision.answer or "") if decision.action == "answer" else ALL if yes else NONE
    mode = {ALL: "all", EACH: "each"}.get(choice or NONE, "none")
    return {"search_allowed": {"mode": mode, "scripts": {}}, "pending": None}


def question(author: str, seconds: float, isolation: str) -> dict[str, Any]:
    """What the card shows."""
    text = (
        f"{author} would change the recipe, up to {seconds:.0f} s long. Each script is read by the critic, runs in the "
        f"sandbox ({isolation}) on a part of the training rows, and is measured here. Only the one that is ahead there "
        "is compared with the recipe on the sealed rows, and it takes the recipe's place only when it beats it."
    )
    return {"text": text, "choices": list(CHOICES), "field": "search"}


def changes(before: str, after: str) -> str:
    """A unified diff between a script and the one that it was made from."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "made from", "script", lineterm="", n=2)
    return "\n".join(lines)
