"""Decides the training script: the expert fills a recipe from the contract and simplifies it when it was sent back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.state import CodeAuthor
from sandbox.base import Limits
from tools.contract import Contract
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


def write(contract: Contract) -> Script:
    """The recipe for this contract, with its parameters filled in."""
    code = recipe_for(contract, train_seconds=training_seconds(contract.budget_seconds))
    return Script(code, "recipe", f"the {contract.task} recipe with {_listed(contract.candidates)}")


def rewrite(contract: Contract, tries: int, trouble: str) -> Script:
    """A simpler recipe after `tries` failures: each time the last candidate goes, until one is left."""
    kept = contract.candidates[: max(1, len(contract.candidates) - tries)]
    simpler = contract.model_copy(update={"candidates": kept})
    script = write(simpler)
    why = f" because: {trouble}" if trouble else ""
    return Script(script.code, script.author, f"simplified to {_listed(kept)}{why}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
