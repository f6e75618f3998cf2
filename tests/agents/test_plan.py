"""Several requests in one message: what is split, what is not, and how a plan is worked off and changed."""

import pytest
from hypothesis import given
from hypothesis import settings as run_as
from hypothesis import strategies as st

from agents.language.steps import kind_of, sounds_like_several, steps_in
from agents.plan import OPEN, Plan, StepKind, begun, drawn_up, ended, plan_of, rearranged, without_hopeless
from agents.state import Request
from tests.agents.phrasings import PHRASINGS
from tests.agents.schemas import SCHEMAS
from tools.schema import Schema, SchemaColumn

SCHEMA = Schema(
    (
        SchemaColumn("customer_id", "string", "id", 900),
        SchemaColumn("region", "string", "category", 4, ("north", "south")),
        SchemaColumn("churn", "string", "category", 2, ("yes", "no")),
        SchemaColumn("price", "number", "number", 300),
        SchemaColumn("tenure", "integer", "number", 70),
    ),
    1000,
)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("clean it, then predict churn", [("clean it", "prepare"), ("predict churn", "model")]),
        (
            "clean it, compare the regions, then predict churn",
            [("clean it", "prepare"), ("compare the regions", "analyse"), ("predict churn", "model")],
        ),
        ("predict churn, then price", [("predict churn", "model"), ("predict price", "model")]),
        (
            "1. clean the data 2. predict churn 3. why?",
            [("clean the data", "prepare"), ("predict churn", "model"), ("why?", "why")],
        ),
        (
            "Please do this:\n- describe the table\n- predict churn\n- explain the model",
            [("describe the table", "profile"), ("predict churn", "model"), ("explain the model", "explain")],
        ),
        (
            "First describe the data, then plot price by region and finally predict churn without tenure in 2 minutes",
            [
                ("describe the data", "profile"),
                ("plot price by region", "analyse"),
                ("predict churn without tenure in 2 minutes", "model"),
            ],
        ),
        (
            "predict churn. Then optimise recall. After that predict these rows",
            [("predict churn", "model"), ("optimise recall", "revise"), ("predict these rows", "predict")],
        ),
    ],
)
def test_what_is_plain_is_split_without_any_model(text: str, steps: list[tuple[str, str]]) -> None:
    assert list(steps_in(text, SCHEMA)) == steps


@pytest.mark.parametrize(
    "text",
    [
        "predict churn",
        "predict churn using price, then tenure",
        "if it rains then predict churn",
        "predict churn\n- without customer_id\n- in 2 minutes",
        "clean the data and predict churn",
        "clean it, then dance",
        "remove customer_id, then predict churn",
        "then predict churn",
        "what happens then?",
        "predict churn, then write me a poem",
        "predict churn in 2. quarter 1. try",
        "",
        "then then then",
        "; , . then \u0000 then",
    ],
)
def test_in_doubt_it_is_one_request(text: str) -> None:
    assert steps_in(text, SCHEMA) == ()


def test_no_phrasing_that_was_one_request_is_split() -> None:
    assert [case.text for case in PHRASINGS if steps_in(case.text, SCHEMAS[case.table])] == []


def test_a_column_called_then_is_no_word_of_order() -> None:
    schema = Schema((*SCHEMA.columns, SchemaColumn("then", "integer", "number", 9)))
    assert steps_in("predict `then` from price", schema) == ()


def test_a_piece_about_a_model_needs_one_before_it() -> None:
    after = Request(kind="model", text="predict churn", target="churn")
    for text, kind in (("why?", "why"), ("try again without tenure", "revise"), ("explain the model", "explain")):
        assert kind_of(text, SCHEMA, after) == kind
        assert kind_of(text, SCHEMA) is None


@pytest.mark.parametrize(
    "text",
    [
        "Bereinige die Daten und sage dann churn voraus",
        "nettoie les données, puis prédis churn",
        "清理数据，然后预测 churn",
        "do x first and then y",
        "- eins\n- zwei",
    ],
)
def test_words_of_order_in_other_languages_are_heard(text: str) -> None:
    assert sounds_like_several(text)
    assert not steps_in(text, SCHEMA)


def made(*texts: tuple[str, StepKind]) -> Plan:
    return drawn_up(texts, "expert").model_copy(update={"approved": True})


def statuses(plan: Plan) -> list[str]:
    return [step.status for step in plan.steps]


def test_what_rests_on_what_follows_from_the_kinds() -> None:
    plan = made(("clean it", "prepare"), ("predict a", "model"), ("predict b", "model"), ("why?", "why"))
    assert [step.depends_on for step in plan.steps] == [(), ("1",), ("1",), ("3",)]


def test_a_failed_step_stops_what_needs_it_and_nothing_else() -> None:
    plan = made(("predict a", "model"), ("why?", "why"), ("explain it", "explain"), ("predict b", "model"))
    plan, gone = without_hopeless(ended(begun(plan), "failed", "no column"))
    assert statuses(plan) == ["failed", "skipped", "skipped", "waiting"]
    assert [step.note for step in gone] == ["it needs step 1, which failed"] * 2
    plan = ended(begun(plan), "done", "fine")
    assert not plan.goes_on
    assert begun(plan) == plan


def test_an_edited_plan_keeps_what_is_known_and_links_anew() -> None:
    plan = made(("clean it", "prepare"), ("predict a", "model"), ("why?", "why"))
    changed = rearranged(plan, [("2", "predict a", "model"), (None, "predict b", "model"), ("3", "why?", "why")])
    assert [step.id for step in changed.steps] == ["2", "4", "3"]
    assert [step.depends_on for step in changed.steps] == [(), (), ("4",)]
    assert changed.by == "user"
    assert not changed.approved


def test_a_model_may_add_dependencies_but_only_on_earlier_steps() -> None:
    plan = drawn_up([("x", "other"), ("y", "other")], "m", [[1, 0], [0, 1]])
    assert [step.depends_on for step in plan.steps] == [(), ("1",)]


WORDS = [
    "predict churn",
    "why?",
    "clean it",
    "then",
    "and then",
    ",",
    ".",
    "1.",
    "2)",
    "\n- ",
    "compare",
    "region",
    "ü",
    "預測",
]


@given(st.lists(st.sampled_from(WORDS), max_size=9))
@run_as(max_examples=60, deadline=None)
def test_whatever_is_typed_a_plan_is_sound_and_comes_to_an_end(words: list[str]) -> None:
    found = steps_in(" ".join(words), SCHEMA)
    assert len(found) != 1
    plan, rounds = drawn_up(found, "expert"), 0
    while plan.goes_on:
        plan, _ = without_hopeless(ended(begun(plan), ("done", "failed", "skipped")[rounds % 3], ""))
        rounds += 1
        assert rounds <= len(found)
    assert not any(step.status in OPEN for step in plan.steps)
    assert plan_of({"plan": plan.model_dump(mode="json")}) == plan
