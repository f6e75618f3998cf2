"""Decides the training script: the expert fills a recipe from the contract and simplifies it when it was sent back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.state import CodeAuthor
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


def can_be_simpler(contract: Contract, tries: int) -> bool:
    """Whether there is a simpler script after so many failures: a chosen model without a search would fail again."""
    return contract.model is None or (tries == 1 and contract.model.search != "none")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
