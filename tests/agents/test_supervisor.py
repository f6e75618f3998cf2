"""Who is next, from an empty project to the end of a turn."""

from typing import Any, cast

import pytest

from agents.state import State
from agents.supervisor import next_agent

MODEL = {"kind": "model", "text": "predict a"}
PLANNED: dict[str, Any] = {
    "dataset_hash": "d",
    "profile_hash": "p",
    "request": MODEL,
    "contract_hash": "c",
    "contract_approved": True,
    "seal_hash": "s",
}
TRAINED = {**PLANNED, "code_hash": "k", "code_approved": True, "run_hash": "r", "score_hash": "q", "audit_hash": "a"}


@pytest.mark.parametrize(
    ("state", "agent"),
    [
        ({"files": ["a.csv"]}, "parser"),
        ({"message": "hello"}, "parser"),
        ({"dataset_hash": "d", "request": None}, "data_scientist"),
        ({"dataset_hash": "d", "profile_hash": "p", "request": None}, "parser"),
        ({"dataset_hash": "d", "profile_hash": "p", "request": MODEL}, "data_scientist"),
        ({"dataset_hash": "d", "profile_hash": "p", "request": {"kind": "why"}}, "reporter"),
        ({**PLANNED, "contract_approved": False}, "data_scientist"),
        ({**PLANNED, "seal_hash": None}, "data_scientist"),
        (PLANNED, "code_generator"),
        ({**PLANNED, "code_hash": "k"}, "critic"),
        ({**PLANNED, "code_hash": "k", "pending": {"gate": "code", "title": "?"}}, "human"),
        ({**TRAINED, "run_hash": None}, "runner"),
        ({**TRAINED, "score_hash": None}, "runner"),
        ({**TRAINED, "audit_hash": None}, "runner"),
        (TRAINED, "critic"),
        ({**TRAINED, "review_text": "fine"}, "reporter"),
        ({**TRAINED, "failure": {"sentence": "no"}}, "reporter"),
        ({**TRAINED, "outcome": "done"}, None),
    ],
)
def test_the_next_agent_follows_from_what_is_missing(state: dict[str, Any], agent: str | None) -> None:
    assert next_agent(cast(State, state)) == agent


def test_nothing_runs_before_it_is_sealed_checked_and_approved() -> None:
    for missing in ("contract_approved", "seal_hash", "code_approved"):
        assert next_agent(cast(State, {**TRAINED, missing: None, "run_hash": None})) != "runner"
