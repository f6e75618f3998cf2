"""Decides the training script: the expert fills a recipe from the contract and simplifies it when it was sent back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.language.intents import ANALYSES
from agents.state import CodeAuthor, Question, Request, State
from sandbox.base import Limits
from tools.contract import Contract
from tools.models.page import in_words
from tools.recipes import recipe_for


@dataclass(frozen=True)
class Script:
    """A training script and who wrote it."""

    code: str
    author: CodeAuthor
    note: str = ""
    """One sentence for the reader of the log."""


def training_seconds(budget_seconds: float) -> float:
    """The part of a run's wall clock that the training script gets; scoring and audit need the rest."""
    return max(3.0, min(0.8 * budget_seconds, budget_seconds - 6.0))


def training_limits(limits: Limits, budget_seconds: float, extra_seconds: float) -> Limits:
    """What a training run may use: its time is the budget of the whole run and some more, then it is stopped."""
    return replace(limits, seconds=budget_seconds + extra_seconds)


def write(contract: Contract, rows: int | None = None) -> Script:
    """The recipe for this contract, filled in for so many rows of training (None: any number)."""
    code = recipe_for(contract, train_seconds=training_seconds(contract.budget_seconds), rows=rows)
    if contract.model is not None:
        return Script(code, "recipe", in_words(contract.model))
    return Script(code, "recipe", f"the {contract.task} recipe with {_listed(contract.candidates)}")


def rewrite(contract: Contract, tries: int, trouble: str, rows: int | None = None) -> Script:
    """A simpler recipe after `tries` failures: each time the last candidate goes, until one is left.

    A model that was chosen by hand stays what it is; only its search goes.
    """
    why = f" because: {trouble}" if trouble else ""
    if contract.model is not None:
        plain = contract.model_copy(update={"model": contract.model.model_copy(update={"search": "none", "space": ()})})
        script = write(plain, rows)
        return Script(script.code, script.author, f"{script.note}, without its search{why}")
    kept = contract.candidates[: max(1, len(contract.candidates) - tries)]
    simpler = contract.model_copy(update={"candidates": kept})
    script = write(simpler, rows)
    return Script(script.code, script.author, f"simplified to {_listed(kept)}{why}")


_OF_THE_PLAN = (
    "target",
    "task",
    "positive_class",
    "exclude",
    "metric",
    "budget_seconds",
    "split_rule",
    "split_column",
    "candidates",
    "model",
    "profile",
    "holdout_fraction",
    "seed",
    "costs",
    "blueprint",
)
"""Fields of a request that a script cannot change by itself. `include` is not among them: whoever speaks of columns at
the code gate ("the ratio of a and b") wants something done with them."""


_QUESTIONS = tuple(one for one in ANALYSES if "without a target" not in one)
"""Questions about the data; what needs no target ("drop outliers") may well be wanted of the script."""


def is_for_the_script(understood: Request | Question, goal: Request | None) -> bool:
    """Whether words that were said at the code gate are about the script, as far as the expert can tell.

    They are not when they are a question about a result, or change something that stands in the plan.
    """
    if isinstance(understood, Question):
        return True
    if understood.kind not in ("model", "revise"):
        return understood.kind == "unsupported" and not understood.reply.startswith(_QUESTIONS)
    earlier = goal or Request(kind="model", text="")
    return all(getattr(understood, name) == getattr(earlier, name) for name in _OF_THE_PLAN)


def script_wish(understood: Request | Question, state: State, *, asks: bool) -> dict[str, Any] | None:
    """What was said at the code gate, for the code generator; None: it is not for it, or (`asks`) no model writes."""
    gate, text = state.get("reopen"), state.get("message", "").strip()
    if not asks or not text or not gate or gate["gate"] not in ("code", "blocked") or not state.get("code_hash"):
        return None
    if state.get("wish_declined") == said_now(state):
        return None
    goal = state.get("goal")
    if not is_for_the_script(understood, Request.model_validate(goal) if goal else None):
        return None
    return {"request": goal, "wish": text, "pending": None}


def said_now(state: State) -> str:
    """The message with its turn: the same words may mean something else at another time."""
    return f"{state.get('turn', 0)}/{state.get('message', '')}"


def can_be_simpler(contract: Contract, tries: int) -> bool:
    """Whether there is a simpler script after so many failures: a chosen model without a search would fail again."""
    return contract.model is None or (tries == 1 and contract.model.search != "none")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
