"""What a person is shown at the two gates of the improvement search, and what they have said there."""

from collections.abc import Mapping
from typing import Any

from agents.context import Context
from agents.critic import review
from agents.search.consent import changes, decided, question
from agents.search.journal import Journal
from agents.state import Decision, State
from tools.contract import Contract
from tools.vault import Vault


def search_payload(state: State, context: Context, runs_in: Mapping[str, str]) -> dict[str, Any]:
    """search: a question with choices; script: as at the code gate, with the difference to what it was made of."""
    contract, journal = (
        Contract.model_validate(context.vault.get_json(state["contract_hash"] or "")),
        _journal(state, context.vault),
    )
    pending, node = state.get("pending"), journal.waiting
    if pending is None or pending["gate"] == "search" or node is None or node.parent is None:
        endpoint = next(iter(context.models.roles.get("code", ())), None)
        left = contract.budget_seconds + (contract.improve_seconds or 0.0) - state.get("spent", 0.0)
        who = endpoint.name if endpoint is not None else "A language model"
        return {**question(who, max(left, 0.0), context.sandbox.isolation), "runs_in": dict(runs_in)}
    code = context.vault.get_text(node.code_hash)
    found = review(code, contract, context.vault)
    features = sum(1 for column in contract.columns if column.use)
    return {
        "code": code,
        "code_hash": node.code_hash,
        "author": "model",
        "attempt": state["attempt"],
        "note": f"script {node.id}, by {journal.author}: {node.idea}",
        "diff": changes(context.vault.get_text(journal.node(node.parent).code_hash), code),
        "findings": [finding.model_dump() for finding in found.findings],
        "can_approve": not found.blocked,
        "effects": {
            "reads": f"inputs/train.parquet: {features} features and {contract.target}, a part of the training rows",
            "writes": "outputs/ only",
            "network": "none",
        },
        "runs_in": dict(runs_in),
    }


def search_said(decision: Decision, state: State, vault: Vault) -> dict[str, Any]:
    """The state after a decision at one of the two gates."""
    return decided(decision, state, _journal(state, vault))


def _journal(state: State, vault: Vault) -> Journal:
    return Journal.model_validate(vault.get_json(state.get("search_hash") or ""))
