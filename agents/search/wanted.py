"""Whether a run searches for a better script than the recipe, and how that is said in the contract."""

from agents.context import Context
from agents.state import State
from tools.contract import Contract
from tools.seal import Sealed

NO_MODEL = "No language model that writes scripts is configured, so there is no search for a better one."
NOT_HERE = "A better script is searched for only beside our own recipe of the best profile, not {}."


def with_search(contract: Contract, state: State, context: Context, earlier: Contract | None) -> Contract:
    """The contract with the search as it was asked for: beside the sentence, in the plan before, else the setting."""
    asked = "improve_seconds" in state
    wanted = state.get("improve_seconds") if asked else 0.0 if context.improve else None
    if earlier is not None:
        asked, wanted = False, earlier.improve_seconds
    if wanted is None:
        return contract.model_copy(update={"improve_seconds": None})
    why = NO_MODEL if not context.models.has("code") else NOT_HERE.format(other) if (other := _other(contract)) else ""
    if not why:
        return contract.model_copy(update={"improve_seconds": wanted})
    said = (*contract.assumptions, why) if asked else contract.assumptions
    return contract.model_copy(update={"improve_seconds": None, "assumptions": said})


def may_search(state: State, contract: Contract, sealed: Sealed, context: Context) -> bool:
    """Whether there is a search after this training: a model, our recipe, trained to its own end, on this table."""
    if contract.improve_seconds is None or not context.models.has("code") or _other(contract):
        return False
    if state.get("code_author") != "recipe" or state.get("recipe_hash") or sealed.own_train is not None:
        return False
    run = context.vault.get_json(state["run_hash"] or "")
    return bool(run["kind"] == "ok" and not run.get("kept"))


def _other(contract: Contract) -> str:
    """What was chosen in the place of the best recipe, whose promise another script would not keep; "" when nothing."""
    if contract.model is not None:
        return "for a model that was chosen by hand"
    return "" if contract.profile == "best" else f"for the profile “{contract.profile}”"
