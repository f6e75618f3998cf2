"""What has to be forgotten to do a stage of a project again."""

from collections.abc import Mapping
from typing import Any

from agents.data_scientist import ContractError, merge
from agents.human import MAX_CODE_CHARACTERS
from agents.nodes.parser import new_attempt
from agents.state import Stage, State
from tools.contract import Contract
from tools.profile import Profile
from tools.vault import Vault


def rewound(state: State, stage: Stage) -> tuple[dict[str, Any] | None, str]:
    """The state from which `stage` runs again, or None and the reason in one sentence."""
    if not state.get("dataset_hash"):
        return None, "There is no table yet, so there is nothing to go back to."
    fresh: dict[str, Any] = {"pending": None, "reopen": None, "failure": None, "outcome": None, "files": []}
    if stage == "DATA_SOURCE":
        return None, "The table cannot be read again here; upload the new one, and everything after it is done anew."
    if stage in ("PARSE_INTENT", "PROFILE_DATA"):
        again = {"profile_hash": None} if stage == "PROFILE_DATA" else {}
        return {**fresh, **again, **new_attempt(state), "request": None, "contract_hash": None}, ""
    if not state.get("goal") or not state.get("contract_hash"):
        return None, "Nothing has been planned yet, so there is nothing to go back to."
    if stage in ("REVIEW_EDIT", "EXPORT") and not state.get("audit_hash"):
        return None, "Nothing has been trained and scored yet, so there is nothing to review or write up."
    fresh["request"] = state["goal"]
    return {**fresh, **_from_the_plan_on(state, stage)}, ""


def repaired(state: State, changes: Mapping[str, Any], vault: Vault) -> tuple[dict[str, Any] | None, str]:
    """The state from which the present contract is drafted again with these changes, or None and the reason."""
    values, problem = rewound(state, "PREPROCESS")
    if values is None:
        return None, problem
    contract = Contract.model_validate(vault.get_json(state["contract_hash"] or ""))
    try:
        merge(contract, dict(changes), Profile.model_validate(vault.get_json(state["profile_hash"] or "")))
    except ContractError as error:
        return None, str(error)
    base = {"contract_hash": state["contract_hash"], "goal": state["goal"]}
    return {**values, "base": base, "changes": dict(changes)}, ""


def taken_over(state: State, script: str, vault: Vault) -> tuple[dict[str, Any] | None, str]:
    """The state in which a script of this project is the user's own, before the critic reads it, or None and why not.

    `script` is its SHA-256. It is asked about, whatever the project's policy is: that is what taking over is for.
    """
    try:
        code = vault.get_text(script)
    except (ValueError, OSError):  # no hash, no such file, or no text
        return None, "There is no such script in this project."
    if not code.strip() or len(code) > MAX_CODE_CHARACTERS:
        return None, "This file is no script that can be edited."
    values, problem = rewound(state, "TRAIN")
    if values is None:
        return None, problem
    return {**values, "script_hash": script, "policy": {**state.get("policy", {}), "code": True}}, ""


def _from_the_plan_on(state: State, stage: Stage) -> dict[str, Any]:
    if stage in ("PREPROCESS", "MODEL_SELECT"):
        return {**new_attempt(state), "contract_hash": None, "policy": {**state.get("policy", {}), "contract": True}}
    if stage == "TRAIN":
        kept = {"contract_approved": state.get("contract_approved", False), "seal_hash": state.get("seal_hash")}
        return {**new_attempt(state), **kept, "attempt": state.get("attempt", 0) + 1}
    if stage == "REVIEW_EDIT":
        return {"review_text": None, "report_hash": None}
    return {"report_hash": None}
