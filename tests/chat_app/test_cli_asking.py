"""The gates on the command line, answered by a scripted person."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from agents.events import WaitingConfirmation
from agents.human import runs_in
from agents.state import Decision, Gate
from chat_app.asking import Interrupted, ask, changed_fields
from sandbox.base import Limits
from sandbox.probe import NAMES

CONTRACT: dict[str, Any] = {
    "request": "predict churn",
    "row_unit": "one customer",
    "task": "binary",
    "target": "Churn",
    "positive_class": "Yes",
    "classes": ["No", "Yes"],
    "columns": [
        {"name": "tenure", "role": "number", "use": True, "steps": ["fill gaps with the median"], "reason": ""},
        {"name": "customerID", "role": "id", "use": False, "steps": [], "reason": "every value is different"},
    ],
    "split": {"rule": "stratified", "column": None, "holdout_fraction": 0.2, "reason": "classes stay in proportion"},
    "metric": "roc_auc",
    "also": ["log_loss"],
    "cost_of_errors": "",
    "budget_seconds": 60.0,
    "candidates": ["linear", "extra_trees"],
    "seed": 0,
    "assumptions": ["Yes counts as positive."],
}
RUNS_IN = {
    "line": "namespaces + Landlock + seccomp · 2 CPU · 2 GB · 120 s · 64 processes · 512 MB written · 10 MB of output",
    "warning": "",
}
CODE = {
    "code": "import pandas as pd\n",
    "author": "recipe",
    "attempt": 1,
    "findings": [{"rule": "F401", "line": 1, "sentence": "pandas is not used.", "blocks": False}],
    "effects": {"network": "none"},
    "runs_in": RUNS_IN,
}
QUESTION = {"text": "Which column?", "choices": ["Churn", "Contract"], "field": "target"}


def waiting(gate: Gate) -> WaitingConfirmation:
    contract = {"contract": CONTRACT, "problems": [], "runs_in": RUNS_IN}
    payloads: dict[str, dict[str, Any]] = {"contract": contract, "question": QUESTION}
    payload = payloads.get(gate, CODE)
    return WaitingConfirmation("id", gate, "What now?", payload)


def person(*answers: str) -> Callable[[str], str]:
    """Types one answer after the other, then closes the input."""
    left = list(answers)

    def read(_: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


def asked(gate: Gate, *answers: str) -> tuple[Decision, str]:
    out = io.StringIO()
    decision = ask(waiting(gate), Console(file=out, width=80), person(*answers))
    return decision, out.getvalue()


def test_the_contract_is_shown_as_people_read_it_and_approved() -> None:
    decision, shown = asked("contract", "a")
    assert decision == Decision(action="approve")
    for part in ("Churn (one of No, Yes; Yes counts as positive)", "ROC-AUC, also log-loss", "extra trees"):
        assert part in shown
    assert "every value is different" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_everything_that_follows_can_be_approved_at_once() -> None:
    assert asked("contract", "l")[0].action == "approve_rest"


def test_fields_of_the_contract_are_changed_by_name() -> None:
    decision, _ = asked("contract", "e", "metric=log_loss", "split.rule=time", "split.column=date", "")
    assert decision.action == "edit"
    assert decision.contract == {"metric": "log_loss", "split": {"rule": "time", "column": "date"}}


def test_a_change_that_cannot_be_read_is_said_and_asked_again() -> None:
    decision, shown = asked("contract", "e", "nonsense", "", "a")
    assert "write it like metric=log_loss" in shown
    assert decision.action == "approve"


def test_an_answer_that_means_nothing_is_asked_again() -> None:
    decision, shown = asked("code", "maybe", "a")
    assert "Please answer with" in shown
    assert decision.action == "approve"


def test_the_script_is_shown_with_its_effects_and_findings() -> None:
    _, shown = asked("code", "a")
    for part in ("import pandas as pd", "network", "none", "line 1: pandas is not used. (F401)"):
        assert part in shown


@pytest.mark.parametrize("gate", ["contract", "code", "blocked"])
def test_both_gates_say_where_the_script_will_run_and_with_what(gate: Gate) -> None:
    _, shown = asked(gate, "r", "")
    assert f"uns in {RUNS_IN['line']}" in " ".join(shown.split())


def test_a_reduced_level_is_marked_as_one_and_says_what_it_leaves_open() -> None:
    limits = Limits(memory_mb=512, seconds=72)
    about = runs_in(limits, NAMES["reduced"])
    assert about["line"].endswith(
        "without namespaces · 2 CPU · 512 MB · 72 s · 64 processes · 512 MB written · 10 MB of output"
    )
    payload = {**CODE, "runs_in": about}
    out = io.StringIO()
    ask(WaitingConfirmation("id", "code", "May it run?", payload), Console(file=out, width=80), person("a"))
    shown = " ".join(out.getvalue().split())
    assert "! reduced Without namespaces" in shown
    assert "modelwright doctor" in shown


def test_a_full_level_needs_no_warning() -> None:
    assert runs_in(Limits(), NAMES["full"]) == RUNS_IN


def test_a_long_script_is_shown_whole_only_when_asked_for() -> None:
    payload = {**CODE, "code": "".join(f"x{number} = {number}\n" for number in range(400))}
    out = io.StringIO()
    read = person("s", "a")
    ask(WaitingConfirmation("id", "code", "May it run?", payload), Console(file=out, width=80), read)
    first, _, rest = out.getvalue().partition("370 more lines")
    assert "x399" not in first
    assert "x399 = 399" in rest


def test_a_rejection_carries_its_reason() -> None:
    assert asked("code", "r", "use no trees")[0] == Decision(action="reject", reason="use no trees")


def test_what_the_critic_blocks_cannot_be_waved_through_with_the_rest() -> None:
    assert asked("blocked", "l", "r", "")[0].action == "reject"


def test_a_question_is_answered_by_number_or_in_words() -> None:
    assert asked("question", "2")[0].answer == "Contract"
    assert asked("question", "", "the churn column")[0].answer == "the churn column"


def test_a_number_without_a_choice_is_asked_again_with_the_reason() -> None:
    decision, shown = asked("question", "7", "1")
    assert "There is no choice 7: they go from 1 to 2." in shown
    assert decision.answer == "Churn"


def test_a_closed_input_interrupts() -> None:
    with pytest.raises(Interrupted):
        asked("contract")


def test_ten_thousand_columns_do_not_flood_the_terminal() -> None:
    column = CONTRACT["columns"][0]
    many = {**CONTRACT, "columns": [{**column, "name": f"c{number}"} for number in range(10_000)]}
    out = io.StringIO()
    gate = WaitingConfirmation("id", "contract", "What now?", {"contract": many, "problems": [], "runs_in": RUNS_IN})
    ask(gate, Console(file=out, width=80), person("a"))
    assert "… and 9,960 more" in out.getvalue()
    assert len(out.getvalue().splitlines()) < 80


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("budget_seconds = 120", {"budget_seconds": 120}),
        ("candidates=linear, lightgbm", {"candidates": ["linear", "lightgbm"]}),
        ("columns.zip.code.use=no", {"columns": {"zip.code": {"use": False}}}),
        ("positive_class=Yes", {"positive_class": "Yes"}),
        ("positive_class=1", {"positive_class": "1"}),
        ("target=a=b", {"target": "a=b"}),
        ("split.column=", {"split": {"column": None}}),
    ],
)
def test_changes_are_read_as_typed(line: str, changes: dict[str, Any]) -> None:
    assert changed_fields([line]) == changes
