"""Who is next: plain rules over the state, from the user's sentence to the exported result.

A message of several requests is a plan (plan.py): its steps go the same way, one after the other.
"""

from typing import Literal

from agents.plan import plan_of
from agents.state import State

Agent = Literal[
    "planner", "parser", "data_scientist", "code_generator", "analyst", "critic", "human", "runner", "reporter"
]
MODELLING = ("model", "revise")


def next_agent(state: State) -> Agent | None:
    """The node that can take the next step; None when the turn is over."""
    plan = plan_of(state)
    if plan and plan.approved and plan.goes_on and (state.get("outcome") or plan.current is None):
        return "planner"
    if state.get("outcome"):
        return None
    if state.get("failure"):
        return "reporter"
    if state.get("pending"):
        return "human"
    if state.get("files"):
        return "parser"
    if state.get("dataset_hash") and not state.get("profile_hash"):
        return "data_scientist"
    request = state.get("request")
    if request is None:
        return "parser"
    if request["kind"] == "analyse":
        return "analyst"
    return _towards_a_model(state) if request["kind"] in MODELLING else "reporter"


def _towards_a_model(state: State) -> Agent | None:
    if not (state.get("contract_hash") and state.get("contract_approved") and state.get("seal_hash")):
        return "data_scientist"
    if not state.get("code_hash") or state.get("wish"):
        return "code_generator"
    if not state.get("code_approved"):
        return "critic"
    if not (state.get("run_hash") and state.get("score_hash") and state.get("audit_hash")):
        return "runner"
    if not state.get("review_text"):
        return "critic"
    return "reporter"
