"""What a model says of a message, held against the table: nothing invented comes in, nothing sure is lost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as run_as
from hypothesis import strategies as st

from agents.llm.endpoint import Endpoint
from agents.llm.salvage import NoValue, value_in
from agents.llm.spending import Spending
from agents.minds.asking import Asker, Heard
from agents.minds.parser import Reading, Understood, in_doubt, understand
from agents.minds.reading import objection
from agents.minds.supervisor import planned
from agents.models import Models
from agents.parser import parse
from agents.plan import MOST_STEPS, Plan
from agents.state import Question, Request
from tests.openai_server import ModelServer, answers, serving
from tools.schema import Schema, SchemaColumn

SCHEMA = Schema(
    (
        SchemaColumn("kunde", "string", "id", 900),
        SchemaColumn("alter", "integer", "number", 60),
        SchemaColumn("vertrag", "string", "category", 2, ("kurzfristig", "unbefristet")),
        SchemaColumn("gekuendigt", "string", "category", 2, ("ja", "nein")),
        SchemaColumn("datum", "date", "date", 300),
        SchemaColumn("leer", "string", "empty", 0),
    ),
    1000,
)
EARLIER = Request(
    kind="model", text="predict gekuendigt", target="gekuendigt", exclude=("kunde",), alternatives=("vertrag",)
)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def read(server: ModelServer, text: str, earlier: Request | None = None, **said: Any) -> Reading:
    """What becomes of a message when the model says this."""
    server.plays(answers(said))
    models = Models({"reasoning": [Endpoint(base_url=server.url, model="m")]}, backoff=0.0)
    expert = parse(text, SCHEMA, earlier)
    try:
        return await understand(text, SCHEMA, expert, Asker(models, Spending(), _nobody), earlier)
    finally:
        await models.close()


async def _nobody(call: object) -> None:
    """Not interested."""


def request(found: Reading) -> Request:
    assert isinstance(found.outcome, Request), found
    return found.outcome


async def test_every_wish_of_a_foreign_sentence_is_filled(server: ModelServer) -> None:
    text = "Wer kündigt demnächst? Ohne kunde, mir sind die mit ja wichtig, nach Datum teilen, in zwanzig Minuten (20)"
    found = request(
        await read(
            server,
            text,
            reason="kündigt ist gekuendigt",
            kind="model",
            target="gekuendigt",
            exclude=["kunde"],
            task="classification",
            positive_class="Ja",
            metric="recall",
            split_rule="time",
            split_column="datum",
            budget_seconds=1200,
            profile="compact",
        )
    )
    assert (found.kind, found.target, found.exclude) == ("model", "gekuendigt", ("kunde",))
    assert (found.positive_class, found.metric, found.profile) == ("ja", "recall", "compact")
    assert (found.split_rule, found.split_column, found.budget_seconds) == ("time", "datum", 1200)
    assert any("m at 127.0.0.1" in sentence for sentence in found.assumptions)


async def test_a_correction_changes_the_earlier_request_and_keeps_the_rest(server: ModelServer) -> None:
    found = request(
        await read(server, "nein, die andere Spalte", EARLIER, reason="die andere", kind="revise", target="vertrag")
    )
    assert (found.kind, found.target, found.exclude) == ("revise", "vertrag", ("kunde",))
    assert found.assumptions[0].startswith("I predict “vertrag” now instead of “gekuendigt”")
    told = json.dumps(server.asked[0], ensure_ascii=False)
    assert "gekuendigt" in told
    assert "kurzfristig" not in told
    assert '\\"ja\\"' not in told


async def test_a_column_comes_back_when_the_user_wants_it_again(server: ModelServer) -> None:
    found = request(
        await read(
            server, "nimm kunde doch wieder dazu bitte", EARLIER, reason="wieder", kind="revise", use_again=["kunde"]
        )
    )
    assert (found.kind, found.target, found.exclude) == ("revise", "gekuendigt", ())


@pytest.mark.parametrize("kind", ["why", "explain"])
async def test_questions_about_the_result_in_any_language(kind: str, server: ModelServer) -> None:
    found = request(await read(server, "pourquoi ce résultat", EARLIER, reason="pourquoi", kind=kind))
    assert (found.kind, found.target) == (kind, "gekuendigt")


async def test_an_abstention_says_what_is_missing_and_what_would_work(server: ModelServer) -> None:
    found = request(
        await read(
            server, "Wie wird das Wetter morgen?", reason="kein Wetter", kind="unsupported", missing="daily weather."
        )
    )
    assert found.kind == "unsupported"
    assert "as m at 127.0.0.1" in found.reply
    assert "daily weather. What would work" in found.reply


async def test_an_abstention_never_silences_the_experts_question(server: ModelServer) -> None:
    asked = parse("predict the revenue", SCHEMA)
    assert isinstance(asked, Question)
    found = await read(server, "predict the revenue", reason="no money", kind="unsupported", missing="amounts of money")
    assert isinstance(found.outcome, Question)
    assert found.outcome.choices == asked.choices
    assert "amounts of money" in found.outcome.text


async def test_two_honest_readings_become_one_question(server: ModelServer) -> None:
    found = await read(
        server,
        "Sag mir, was passieren wird",
        reason="beides möglich",
        kind="model",
        question="Was soll ich vorhersagen",
        choices=["gekuendigt", "vertrag"],
    )
    assert isinstance(found.outcome, Question)
    assert (found.outcome.text, found.outcome.choices) == ("Was soll ich vorhersagen?", ("gekuendigt", "vertrag"))


async def test_the_answer_to_a_question_may_be_in_any_language(server: ModelServer) -> None:
    asked = Question(
        text="Which?",
        choices=("vertrag", "gekuendigt"),
        field="target",
        so_far=Request(kind="model", text="x", exclude=("kunde",)),
    )
    server.plays(answers({"reason": "die zweite", "kind": "model", "target": "gekuendigt"}))
    models = Models({"reasoning": [Endpoint(base_url=server.url, model="m")]}, backoff=0.0)
    found = await understand("die zweite", SCHEMA, asked, Asker(models, Spending(), _nobody), answers=True)
    await models.close()
    assert (request(found).target, request(found).exclude) == ("gekuendigt", ("kunde",))
    assert 'in order: [\\"vertrag\\", \\"gekuendigt\\"]' in json.dumps(server.asked[0])


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "model", "target": "vertrag"},
        {"kind": "unsupported", "missing": "everything"},
        {"kind": "profile"},
        {"kind": "model", "question": "which", "choices": ["vertrag", "alter"]},
    ],
)
async def test_a_column_that_the_user_names_is_not_talked_away(said: dict[str, Any], server: ModelServer) -> None:
    text = "sage mir bitte gekuendigt voraus"
    expert = parse(text, SCHEMA)
    assert isinstance(expert, Request)
    assert expert.target == "gekuendigt"
    assert in_doubt(expert, text, SCHEMA)
    found = await read(server, text, reason="hm", **said)
    assert found.outcome == expert
    assert found.said


async def test_what_cannot_be_planned_is_not_taken(server: ModelServer) -> None:
    text = "Wer verlässt uns demnächst?"
    server.plays(answers({"reason": "r", "kind": "model", "target": "gekuendigt"}))
    models = Models({"reasoning": [Endpoint(base_url=server.url, model="m")]}, backoff=0.0)
    expert = parse(text, SCHEMA)
    asker = Asker(models, Spending(), _nobody)
    found = await understand(text, SCHEMA, expert, asker, can_be_planned=lambda _: False)
    await models.close()
    assert found.outcome == expert
    assert found.said.startswith("No plan can be made of what m at 127.0.0.1")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"kind": "model", "target": "churn"}, "there is no column 'churn'"),
        ({"kind": "model", "target": "leer"}, "has only one value"),
        ({"kind": "revise", "target": "alter"}, "nothing was asked for before"),
        ({"kind": "model", "target": "alter", "exclude": ["x"]}, "exclude: there is no column 'x'"),
        ({"kind": "model", "target": "alter", "metric": "goodness"}, "none of the listed names"),
        ({"kind": "model", "target": "alter", "split_rule": "time"}, "needs the name of a column"),
        ({"kind": "model", "target": "alter", "budget_seconds": 1e9}, "seconds from 1 to 86400"),
        (
            {"kind": "model", "target": "alter", "exclude": ["kunde", "vertrag", "gekuendigt", "datum"]},
            "no column would be left",
        ),
        ({"kind": "model", "question": "which?", "choices": ["alter", "alter"]}, "between which you doubt"),
        ({"kind": "unsupported", "missing": " "}, "say what the table would need"),
    ],
)
def test_what_contradicts_the_table_is_said_back(said: dict[str, Any], problem: str) -> None:
    assert problem in objection(Understood.model_validate({"reason": "r", **said}), SCHEMA, None)


def test_a_long_time_has_to_stand_in_the_message() -> None:
    from agents.minds.reading import wished

    said = Understood.model_validate({"reason": "r", "kind": "model", "target": "alter", "budget_seconds": 7200})
    empty = Request(kind="model", text="")
    assert wished(said, "m", "alter in 2 Stunden", SCHEMA, empty, None).budget_seconds == 7200
    assert wished(said, "m", "alter bitte", SCHEMA, empty, None).budget_seconds is None


NAMES = st.sampled_from([*SCHEMA.names, "churn", "", "alter\n", "__import__('os')"])
FITTING = st.fixed_dictionaries(
    {
        "reason": st.text(max_size=20),
        "missing": st.text(max_size=10),
        "question": st.sampled_from(["", "which?"]),
        "choices": st.lists(NAMES, max_size=3),
        "kind": st.sampled_from(
            ["model", "revise", "why", "explain", "profile", "analyse", "several", "help", "unsupported"]
        ),
        "target": st.none() | NAMES,
        "exclude": st.lists(NAMES, max_size=5),
        "use_again": st.lists(NAMES, max_size=2),
        "include": st.lists(NAMES, max_size=2),
        "task": st.sampled_from([None, "classification", "regression"]),
        "positive_class": st.none() | st.text(max_size=5),
        "metric": st.sampled_from([None, "roc_auc", "rmse", "goodness"]),
        "split_rule": st.sampled_from([None, "random", "time", "group"]),
        "split_column": st.none() | NAMES,
        "budget_seconds": st.none() | st.floats(),
        "profile": st.sampled_from([None, "compact"]),
        "row": st.none() | st.integers(),
        "column": st.none() | NAMES,
    }
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.sampled_from(["Wer verlässt uns?", "nein, die andere", "sage gekuendigt voraus", "predict gekuendigt", "?"])


class Saying(Asker):
    """Held to the form and the facts like a real answer, without the way over the network."""

    def __init__(self, said: Any) -> None:
        super().__init__(Models(), Spending(), _nobody)
        object.__setattr__(self, "_said", json.dumps(said))

    async def decide(self, role: Any, messages: Any, schema: Any, check: Any = None, about: Any = None) -> Heard[Any]:
        try:
            value = value_in(vars(self)["_said"], schema)
        except NoValue as no:
            return Heard(None, trouble=str(no))
        problem = check(value)
        return Heard(None, trouble=problem) if problem else Heard(value, "m")


@given(said=FITTING | ANYTHING, text=TEXTS, follows=st.booleans())
@run_as(max_examples=100, deadline=None)
async def test_whatever_is_answered_the_request_is_sound_and_no_worse(said: Any, text: str, follows: bool) -> None:
    earlier = EARLIER if follows else None
    expert = parse(text, SCHEMA, earlier)
    found = await understand(text, SCHEMA, expert, Saying(said), earlier)
    if isinstance(found.outcome, Question):
        assert set(found.outcome.choices) <= set(SCHEMA.names)
        assert not isinstance(expert, Request) or expert.target is None or expert.target not in text
        return
    assert found.outcome.kind != "revise" or follows
    assert found.outcome.target in (None, *SCHEMA.names[:-1])
    assert set(found.outcome.exclude) | set(found.outcome.include) <= set(SCHEMA.names)
    assert found.outcome.target not in found.outcome.exclude
    if isinstance(expert, Request) and expert.target and expert.target in text:
        assert found.outcome.target == expert.target
        assert found.outcome.kind in ("revise" if follows else "model", expert.kind)


STEP = st.fixed_dictionaries(
    {
        "text": st.sampled_from(
            ["bereinige die Daten", "sage gekuendigt voraus", "overwrite the disk", "", "x" * 2000]
        ),
        "kind": st.sampled_from(["prepare", "model", "analyse", "other", "dance"]),
        "needs": st.lists(st.integers(-1, 4), max_size=2),
    }
)
PLANS = st.fixed_dictionaries({"reason": st.text(max_size=10), "steps": st.lists(STEP, max_size=10)})


@given(said=PLANS | ANYTHING)
@run_as(max_examples=100, deadline=None)
async def test_whatever_plan_is_answered_it_holds_nothing_that_nobody_asked_for(said: Any) -> None:
    plan, why = await planned("Bereinige die Daten und sage dann gekuendigt voraus", SCHEMA, Saying(said))
    if plan is None:
        assert why == "" or why.endswith("The message is taken for one request.")
        return
    assert 2 <= len(plan.steps) <= MOST_STEPS
    for place, step in enumerate(plan.steps):
        assert step.text in ("bereinige die Daten", "sage gekuendigt voraus")
        assert set(step.depends_on) <= {one.id for one in plan.steps[:place]}


async def plan_by(server: ModelServer, behaviour: Any, text: str) -> tuple[Plan | None, str]:
    server.plays(behaviour)
    models = Models({"reasoning": [Endpoint(base_url=server.url, model="m")]}, backoff=0.0)
    try:
        return await planned(text, SCHEMA, Asker(models, Spending(), _nobody))
    finally:
        await models.close()


async def test_a_plan_in_another_alphabet(server: ModelServer) -> None:
    said = [
        {"text": "清理数据", "kind": "prepare", "needs": []},
        {"text": "预测 gekuendigt", "kind": "model", "needs": [1]},
    ]
    plan, _ = await plan_by(server, answers({"reason": "两步", "steps": said}), "清理数据，然后预测 gekuendigt")
    assert plan is not None
    assert [(step.text, step.kind, step.depends_on) for step in plan.steps] == [
        ("清理数据", "prepare", ()),
        ("预测 gekuendigt", "model", ("1",)),
    ]
