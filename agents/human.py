"""What a person is shown at a gate, and whether what they say can be accepted."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from agents import analysing
from agents.code_generator import training_limits
from agents.context import Context
from agents.data_scientist import ContractError, merge, problems
from agents.forecast import forecast
from agents.plan import MOST_CHARACTERS, MOST_STEPS, plan_of
from agents.planning.advice import offers
from agents.search.consent import GATES as SEARCH_GATES
from agents.search.consent import choice_of
from agents.search.consent import objection as search_objection
from agents.search.gate import search_payload
from agents.state import Decision, Gate, State
from sandbox.base import Limits
from sandbox.probe import NAMES
from tools.contract import Contract
from tools.lint import Review
from tools.profile import Profile
from tools.vault import Vault

MAX_CODE_CHARACTERS = 400_000
LEFT_OPEN = (
    "Without namespaces a script still reaches no network, no process and no file of yours, but it can see which files "
    "exist and may write a little beyond its limit before it is stopped."
)
"""What the reduced level does not cover, for everyone who is shown it."""
HOW_TO_GET_MORE = "`modelwright doctor` says how to get the next level."


def gate_payload(state: State, context: Context) -> dict[str, Any]:
    """Everything that a card needs, by the pending gate."""
    vault = context.vault
    pending = state.get("pending")
    if pending is None:
        return {}
    if pending["gate"] == "plan":
        plan = plan_of(state)
        assert plan is not None, "the gate is about a plan"
        shown = {"steps": [step.model_dump(mode="json") for step in plan.steps], "by": plan.by}
        return {**shown, "reason": plan.reason, "most_steps": MOST_STEPS, "most_characters": MOST_CHARACTERS}
    if pending["gate"] in SEARCH_GATES:
        return search_payload(state, context, runs_in(context.limits, context.sandbox.isolation))
    if pending["gate"] == "analysis":
        return analysing.payload(state, context, runs_in(context.limits, context.sandbox.isolation))
    if pending["gate"] == "question":
        question = state.get("question") or {}
        return {
            "text": question.get("text", ""),
            "choices": question.get("choices", []),
            "field": question.get("field"),
        }
    contract = vault.get_json(state["contract_hash"] or "")
    if pending["gate"] == "contract":
        profile = Profile.model_validate(vault.get_json(state["profile_hash"] or ""))
        found = problems(Contract.model_validate(contract), profile)
        limits = training_limits(context.limits, contract["budget_seconds"], context.extra_seconds)
        return {
            "contract": contract,
            "problems": list(found),
            "proposals": offers(Contract.model_validate(contract)),
            "models": forecast(Contract.model_validate(contract), context.models, context.spending),
            "profile_hash": state["profile_hash"],
            "runs_in": runs_in(limits, context.sandbox.isolation),
        }
    return _code_payload(state, context, contract)


def runs_in(limits: Limits, isolation: str) -> dict[str, str]:
    """What protects the machine from a run and what the run may use, in one line; and what the level leaves open."""
    memory = f"{limits.memory_mb / 1024:.3g} GB" if limits.memory_mb >= 1024 else f"{limits.memory_mb} MB"
    parts = (
        isolation,
        f"{limits.cpus:g} CPU",
        memory,
        f"{limits.seconds:,.0f} s",
        f"{limits.processes} processes",
        f"{limits.written_mb} MB written",
        f"{limits.output_mb} MB of output",
    )
    return {
        "line": " · ".join(parts),
        "warning": f"{LEFT_OPEN} {HOW_TO_GET_MORE}" if isolation == NAMES["reduced"] else "",
    }


def _code_payload(state: State, context: Context, contract: Mapping[str, Any]) -> dict[str, Any]:
    vault = context.vault
    limits = training_limits(context.limits, contract["budget_seconds"], context.extra_seconds)
    review = Review.model_validate(vault.get_json(state["review_hash"] or ""))
    features = sum(1 for column in contract["columns"] if column["use"])
    return {
        "code": vault.get_text(state["code_hash"] or ""),
        "code_hash": state["code_hash"],
        "author": state.get("code_author", "recipe"),
        "attempt": state["attempt"],
        "note": state.get("code_note", ""),
        "diff": _difference(state, vault),
        "findings": [finding.model_dump() for finding in review.findings],
        "can_approve": not review.security_blocked,
        "effects": {
            "reads": f"inputs/train.parquet: {features} features and {contract['target']}; no sealed rows",
            "writes": "outputs/ only",
            "network": "none",
        },
        "runs_in": runs_in(limits, context.sandbox.isolation),
    }


def _difference(state: State, vault: Vault) -> str:
    """Unified diff against the version that was shown before; empty when there is none."""
    before, now = state.get("code_shown_before"), state.get("code_hash")
    if not before or not now or before == now:
        return ""
    old, new = (vault.get_text(digest).splitlines() for digest in (before, now))
    return "\n".join(difflib.unified_diff(old, new, "shown before", "now", lineterm="", n=2))


_SPOKEN: dict[str, Literal["approve", "approve_rest", "reject"]] = {
    **dict.fromkeys(("yes", "y", "yep", "ok", "okay", "sure", "fine", "approve", "approved", "i approve"), "approve"),
    **dict.fromkeys(("go", "go ahead", "go on", "do it", "run it", "looks good", "continue", "yes please"), "approve"),
    **dict.fromkeys(("approve the rest", "approve all", "yes to all"), "approve_rest"),
    **dict.fromkeys(("no", "n", "nope", "reject", "cancel", "do not run it", "don't run it"), "reject"),
}


_ONWARD = (
    "go on",
    "continue",
    "resume",
    "carry on",
    "keep going",
    "go ahead",
    "proceed",
    "try again",
    "retry",
    "again",
)


def spoken(text: str, gate: Gate) -> Decision | None:
    """A decision said in words; None when the words mean something else. At a question every word is the answer."""
    if gate == "question":
        return Decision(action="answer", answer=text)
    if gate == "search" and (choice := choice_of(text)) is not None:
        return Decision(action="answer", answer=choice)
    action = _SPOKEN.get(_bare(text))
    return Decision(action=action) if action else None


def wants_to_go_on(text: str) -> bool:
    """ "Go on" and its like, and nothing else."""
    return _bare(text) in _ONWARD


def wants_to_stop(text: str) -> bool:
    """ "Stop" or "/stop", and nothing else."""
    return _bare(text) in ("stop", "/stop")


def _bare(text: str) -> str:
    return " ".join(text.lower().strip(" .!").removeprefix("please ").removesuffix(" please").split())


def objection(decision: Decision, state: State, vault: Vault, templates: Path | None = None) -> str | None:
    """Why a decision cannot be accepted at the pending gate, in one sentence; None when it can.

    `templates`: the user's folder of model templates.
    """
    pending = state.get("pending")
    if pending is None:
        return "Nothing is waiting for a decision."
    gate = pending["gate"]
    if gate == "question":
        said = (decision.answer or "").strip()
        return None if decision.action == "answer" and said else "Please choose one of the answers or type your own."
    if gate in SEARCH_GATES:
        return search_objection(decision, gate)
    if decision.action == "answer":
        return "Please approve, edit or reject."
    if gate == "analysis":
        return analysing.objection(decision, state, vault)
    if gate == "plan":
        return _plan_objection(decision)
    if gate == "contract":
        return _contract_objection(decision, state, vault, templates)
    return _code_objection(decision, state, vault)


def _plan_objection(decision: Decision) -> str | None:
    if decision.action != "edit":
        return None
    texts = [step.get("text") for step in decision.steps or []]
    if not texts:
        return "A plan needs at least one step; reject it to do nothing."
    if len(texts) > MOST_STEPS:
        return f"A plan has at most {MOST_STEPS} steps; this one has {len(texts)}."
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str) or not text.strip():
            return f"Step {number} has no words; say what it is to do, or remove it."
        if len(text) > MOST_CHARACTERS:
            return f"Step {number} has {len(text):,} characters; {MOST_CHARACTERS:,} are the most."
    return None


def _contract_objection(decision: Decision, state: State, vault: Vault, templates: Path | None) -> str | None:
    profile = Profile.model_validate(vault.get_json(state["profile_hash"] or ""))
    contract = Contract.model_validate(vault.get_json(state["contract_hash"] or ""))
    if decision.action == "edit":
        if not decision.contract:
            return "An edit needs at least one changed field."
        try:
            contract = merge(contract, decision.contract, profile, templates)
        except ContractError as error:
            return str(error)
        return None
    if decision.action in ("approve", "approve_rest"):
        return next(iter(problems(contract, profile)), None)
    return None


def _code_objection(decision: Decision, state: State, vault: Vault) -> str | None:
    if decision.action == "edit":
        if not (decision.code or "").strip():
            return "An edited script cannot be empty."
        if len(decision.code or "") > MAX_CODE_CHARACTERS:
            return f"The script has {len(decision.code or ''):,} characters; {MAX_CODE_CHARACTERS:,} are the most."
        return None
    if decision.action in ("approve", "approve_rest"):
        review = Review.model_validate(vault.get_json(state["review_hash"] or ""))
        if review.security_blocked:
            found = next(finding for finding in review.findings if finding.blocks and finding.severity == "security")
            return f"This script cannot be approved: {found.sentence} (line {found.line}). Edit or reject it."
    return None
