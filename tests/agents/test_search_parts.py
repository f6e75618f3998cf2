"""The parts of the improvement search by themselves: who is next, what may be said, what holds a proposal."""

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_as
from hypothesis import strategies as st

from agents.llm.egress import Shown
from agents.llm.veil import Veil
from agents.minds.improver import Asked, Proposals, drafts, objection, question
from agents.search.consent import ALL, CHOICES, EACH, asks_for, choice_of, decided, may_run, once_allowed
from agents.search.consent import objection as gate_objection
from agents.search.journal import MOST_IDLE, MOST_NODES, Journal, Node, kind_of, parents
from agents.search.page import came_of, ended_in_words, report_part
from agents.search.telling import difference, outline
from agents.state import Decision, Pending, State
from tests.search_scene import END, IMPROVED, SECRET, proposal, proposals
from tools.contract import ColumnPlan, Contract, Split
from tools.recipes import parameters, recipe_for
from tools.score import Difference, Scalar
from tools.search_page import search_section, search_text

CONTRACT = Contract(
    request="predict late",
    row_unit="one loan",
    task="binary",
    target="late",
    positive_class=SECRET,
    classes=("no", SECRET),
    columns=tuple(ColumnPlan(name=name, role="number", use=True) for name in ("debt", "income")),
    split=Split(rule="stratified"),
    metric="roc_auc",
    candidates=("linear",),
)
RECIPE = recipe_for(CONTRACT, train_seconds=10, rows=300)


def scored(number: int, gain: float, parent: int = 0, width: float = 0.02, **more: Any) -> Node:
    """A node with a value; `width` of the interval of its gain."""
    value = Scalar(name="roc_auc", label="ROC-AUC", value=0.7 + gain, ci_low=0.6, ci_high=0.9, greater_is_better=True)
    ahead = Difference(against="other", value=gain, ci_low=gain - width / 2, ci_high=gain + width / 2)
    return Node(
        id=number,
        parent=parent if number else None,
        kind="draft" if number else "recipe",
        code_hash=f"{number:064d}",
        status="scored",
        value=value,
        gain=ahead if number else None,
        **more,
    )


def failed(number: int, parent: int = 0, repaired: int = 0) -> Node:
    """A node without a value."""
    trouble: dict[str, Any] = {"trouble": "It failed.", "told": "It failed.", "repaired": repaired}
    return Node(id=number, parent=parent, kind="draft", code_hash=f"{number:064d}", status="failed", **trouble)


def journal(*nodes: Node, **more: Any) -> Journal:
    """After a round."""
    return Journal(recipe="0" * 64, nodes=(scored(0, 0.0), *nodes), **{"rounds": 1, "author": "m", **more})


def asked(found: Journal, **more: Any) -> Asked:
    """A question about the recipe and the scripts of a journal."""
    scripts = {0: RECIPE} | {node.id: RECIPE.replace(END, f"SPARE = {node.id}\n{END}") for node in found.nodes[1:]}
    return Asked(
        contract=CONTRACT,
        rows=300,
        columns=Shown('{"name": "debt"}', 1),
        scripts=scripts,
        veil=Veil.over(CONTRACT.classes),
        parents=parents(found),
        **{"most": 3, **more},
    )


def test_the_first_round_changes_the_recipe_and_later_ones_what_is_ahead_and_what_broke() -> None:
    assert [one.id for one in parents(journal(rounds=0))] == [0]
    later = journal(scored(1, 0.02), failed(2), scored(3, 0.05), failed(4))
    assert [one.id for one in parents(later)] == [3, 4]
    assert [kind_of(one) for one in (later.node(0), later.node(3), later.node(4))] == ["draft", "improve", "debug"]
    assert [one.id for one in parents(journal(failed(1), failed(2, parent=1, repaired=1)))] == [0, 2]
    assert [one.id for one in parents(journal(failed(1, repaired=2)))] == [0], "repaired twice, that is enough"


def test_a_look_is_spent_only_on_what_is_ahead_by_a_standard_error() -> None:
    assert journal().candidate is None
    assert journal(scored(1, -0.1)).candidate is None
    assert journal(scored(1, 0.01, width=0.2)).candidate is None
    ahead = journal(scored(1, 0.01), scored(2, 0.03), failed(3)).candidate
    assert ahead is not None
    assert ahead.id == 2


def test_it_ends_when_rounds_gain_nothing_and_when_enough_was_tried() -> None:
    once = journal(scored(1, 0.05)).counted()
    assert (once.idle, once.best) == (0, 1)
    again = once.with_node(scored(2, 0.0501)).counted()
    assert (again.idle, again.best) == (1, 2), "a gain that chance explains is none"
    for _ in range(MOST_IDLE - 1):
        again = again.counted()
    assert "gained nothing" in again.enough
    assert "the most" in journal(*(failed(number) for number in range(1, MOST_NODES + 1))).enough


def test_an_end_forgets_what_was_not_tried_even_the_recipe() -> None:
    waiting = Node(id=0, parent=None, kind="recipe", code_hash="0" * 64)
    over = Journal(recipe="0" * 64, nodes=(waiting,)).ended("You said no to it.")
    assert over.candidate is None
    assert ended_in_words(over) == "Improvement search: No script was tried. You said no to it. The recipe stands."
    assert report_part(over)["scripts"] == []


def test_a_prompt_holds_names_and_figures_and_no_value_of_a_cell() -> None:
    found = journal(scored(1, 0.02, idea=f"a ratio for {SECRET}", hint="a ratio"), failed(2))
    text = question(asked(found), found)
    assert '"debt"' in text
    assert "def tidy(table):" in text
    assert "SPARE" in text
    assert '{"script": 1, "changed": 0, "idea": "a ratio", "roc_auc": 0.72' in text
    assert SECRET not in text
    assert len(text) < 16_000


def test_an_outline_shows_what_prepares_columns_and_hides_the_parameters() -> None:
    told = outline(RECIPE)
    assert SECRET not in told
    assert "CLASSES = ..." in told
    assert "METRIC = 'roc_auc'" in told
    assert len(told) < len(RECIPE)
    changed = difference(RECIPE, RECIPE.replace(END, f"SPARE = 1\n{END}"))
    assert "+SPARE = 1" in changed
    assert SECRET not in difference("", RECIPE)


def test_a_proposal_has_to_fit_the_script() -> None:
    question_of = asked(journal())

    def why(*found: dict[str, Any]) -> str:
        return objection(Proposals.model_validate(proposals(*found)), question_of)

    assert "give at least one" in why()
    assert "does not occur" in why(proposal("x", edits=[("nowhere to be found", "")]))
    assert "none of the scripts 0" in why(proposal("x", changes=7, edits=[(END, "")]))
    assert "METRIC was changed" in why(proposal("x", edits=[("METRIC = 'roc_auc'", "METRIC = 'accuracy'")]))
    assert "no Python" in why(proposal("x", script="def"))
    assert "outputs/model.joblib" in why(proposal("x", script="print(1)"))
    assert "stands for nothing" in why(proposal("x", script=IMPROVED.replace("debt", "VALUE_99")))
    good = proposal("a ratio", script=IMPROVED)
    assert not why(proposal("x", edits=[("nowhere", "")]), good), "one that fits is enough"
    made, _ = drafts(Proposals.model_validate(proposals(good, good)), question_of)
    assert len(made) == 1
    assert parameters(made[0].code) == {**parameters(made[0].code), **parameters(RECIPE)}


EDIT = st.fixed_dictionaries(
    {"search": st.sampled_from([END, "def main():", "", "x"]), "replace": st.text(max_size=30)}
)
SAID = st.fixed_dictionaries(
    {
        "idea": st.text(max_size=30),
        "changes": st.integers(-1, 3),
        "edits": st.lists(EDIT, max_size=2),
        "script": st.sampled_from(["", "print(1)", IMPROVED, "\0", "'" * 9]) | st.text(max_size=30),
    }
)


@given(said=st.lists(SAID, max_size=4))
@run_as(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_proposed_only_whole_training_scripts_are_tried(said: list[dict[str, Any]]) -> None:
    made, _ = drafts(Proposals.model_validate(proposals(*said)), asked(journal()))
    assert len(made) <= 3
    for one in made:
        assert parameters(one.code)["TIME_BUDGET"] == parameters(RECIPE)["TIME_BUDGET"]
        assert "model.joblib" in one.code


def after(decision: Decision, state: State, found: Journal) -> State:
    """What is remembered, where the project asks."""
    return cast(State, {"policy": {"code": True}, **decided(decision, state, found)})


def test_consent_is_asked_once_or_for_each_script() -> None:
    node = Node(id=1, parent=0, kind="draft", code_hash="a" * 64)
    found = journal(node)
    asks = State(policy={"code": True})
    first = asks_for(found, asks, lambda _: False)
    assert first is not None
    assert first["gate"] == "search"
    assert asks_for(found, State(policy={"code": False}), lambda _: False) is None
    asks["pending"] = Pending(gate="search", title="")
    everything = after(Decision(action="answer", answer=ALL), asks, found)
    assert asks_for(found, everything, lambda _: False) is None
    each = after(Decision(action="answer", answer=EACH.upper()), asks, found)
    second = asks_for(found, each, lambda _: False)
    assert second is not None
    assert second["gate"] == "script"
    assert asks_for(found, each, lambda _: True) is None, "what is blocked need not be asked about"
    each["pending"] = second
    refused = after(Decision(action="reject"), each, found)
    assert not may_run(node, refused)
    assert once_allowed(refused)
    assert not once_allowed(after(Decision(action="reject"), asks, found))


@pytest.mark.parametrize(
    ("decision", "gate", "says"),
    [
        (Decision(action="edit", code="1"), "script", "take it over"),
        (Decision(action="answer", answer="maybe"), "search", "Please choose one of"),
        (Decision(action="answer", answer=CHOICES[0]), "script", "approve or reject"),
        (Decision(action="approve"), "search", ""),
        (Decision(action="answer", answer="no, keep the recipe."), "search", ""),
    ],
)
def test_a_decision_that_means_nothing_here_gets_a_sentence(decision: Decision, gate: Any, says: str) -> None:
    found = gate_objection(decision, gate)
    assert says in (found or "")
    assert bool(found) == bool(says)


def test_choices_may_be_typed_in_any_case() -> None:
    assert choice_of("  yes, ALL of them ") == ALL
    assert choice_of("yes") is None


def test_the_report_says_what_was_tried_and_never_executes_a_name() -> None:
    found = journal(scored(1, 0.02, idea="a | b <img src=x>"), failed(2)).ended("The last 2 rounds gained nothing.")
    report = {"search": report_part(found), "metric": {"name": "roc_auc"}}
    page = search_section(report)
    assert "| 0, the recipe | – |" in page
    assert "failed: It failed." in page
    assert r"a \| b \<img src=x\>" in page
    assert search_text(report).startswith("Improvement search: 2 scripts of m tried.")
    assert search_section({"search": None}) == search_text({}) == ""
    assert came_of(found.node(1), CONTRACT).endswith("the recipe's.")
