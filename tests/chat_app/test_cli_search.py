"""The improvement search on the command line: its options, its gates, its lines."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from agents.events import SearchEnded, SearchStep, WaitingConfirmation
from agents.search.consent import ALL, EACH, question
from chat_app.asking import ask, contract_facts
from chat_app.cli_search import improvement
from chat_app.exits import CommandError
from chat_app.terminal import contract_sentence, lines_of
from tests.agents.test_search_parts import CONTRACT

RUNS_IN = {"line": "namespaces · 2 CPU", "warning": ""}


def test_what_was_said_of_the_search() -> None:
    assert improvement(None, None) is None
    assert improvement(True, None) is True
    assert improvement(False, None) is False
    assert improvement(None, 30.0) == improvement(True, 30.0) == 30.0
    with pytest.raises(CommandError, match="contradict"):
        improvement(False, 30.0)


def test_the_plan_says_that_there_is_a_search_and_how_long_it_may_take() -> None:
    plan = CONTRACT.model_dump(mode="json")
    assert "Search" not in dict(contract_facts(plan))
    assert "for a better script" not in contract_sentence(plan)
    with_it = {**plan, "improve_seconds": 90.0}
    assert dict(contract_facts(with_it))["Search"].endswith("in what the time leaves and 90 s more")
    assert contract_sentence(with_it).endswith("and up to 90 s more for a better script.")
    assert dict(contract_facts({**plan, "improve_seconds": 0.0}))["Search"].endswith("in what the time leaves")


def typed(*lines: str) -> Callable[[str], str]:
    """A person who types these lines."""
    waiting = list(lines)
    return lambda _: waiting.pop(0)


@pytest.mark.parametrize(("lines", "answer"), [(("1",), ALL), (("9", "2"), EACH)])
def test_the_question_is_answered_by_a_number(lines: tuple[str, ...], answer: str) -> None:
    shown = io.StringIO()
    payload = {**question("m at host", 42.0, "namespaces"), "runs_in": RUNS_IN}
    gate = WaitingConfirmation("i", "search", "May a language model's scripts be tried in the sandbox?", payload)
    decision = ask(gate, Console(file=shown, width=100), typed(*lines))
    assert (decision.action, decision.answer) == ("answer", answer)
    assert "m at host would change the recipe" in shown.getvalue()
    assert "3. No, keep the recipe" in shown.getvalue()


def test_a_script_of_the_search_can_be_approved_or_rejected_and_not_edited() -> None:
    payload: dict[str, Any] = {
        "code": "print(1)",
        "author": "model",
        "attempt": 1,
        "effects": {"network": "none"},
        "findings": [],
        "runs_in": RUNS_IN,
    }
    gate = WaitingConfirmation("i", "script", "May script 1 of the search run?", payload)
    shown = io.StringIO()
    decision = ask(gate, Console(file=shown, width=100), typed("e", "a"))
    assert decision.action == "approve"
    assert "Please answer with [a]pprove" in shown.getvalue()


def test_each_script_and_the_end_are_a_line() -> None:
    step = SearchStep(1, 2, 1, "improve", "c" * 64, "scored", "a ratio", "ROC-AUC 0.9.", "roc_auc", best=True)
    assert lines_of(step) == ["Script 2, an improvement of script 1, ahead of all others: ROC-AUC 0.9.", "a ratio"]
    assert lines_of(SearchStep(1, 2, 1, "improve", "c" * 64, "running", "a ratio", "", "roc_auc")) == []
    assert lines_of(SearchEnded(1, 0, 0, "Nothing was found.", 2, 0)) == ["Nothing was found."]
