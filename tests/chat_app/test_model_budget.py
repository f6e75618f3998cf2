"""What models may cost: bounds of a run and of a day, checked before a call, told once, and kept over a restart."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agents.context import Entry
from agents.events import Envelope, MessageReceived, ModelCalled
from agents.forecast import forecast
from agents.llm.endpoint import Endpoint
from agents.llm.spending import Allowance, Call, Spending
from agents.llm.trouble import Trouble
from agents.models import Models
from chat_app.cli_language import model_budget
from chat_app.conductor import Policy, open_conductor
from chat_app.exits import CommandError
from chat_app.meter import Meter
from chat_app.model_desk import ModelDesk, metered
from chat_app.projector import Projection
from chat_app.settings import Settings
from chat_app.store import ProjectInfo, Store, event_id, migrate, now, open_store
from tests.chat_app.scenes import until
from tests.chat_app.test_second_mind import RIGHT, ROWS, SECRET, SENTENCE
from tests.fakes import ScriptedSandbox
from tests.openai_server import ModelServer, answers, serving
from tools.contract import Contract
from tools.model_words import cost_page


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """With two projects."""
    settings = Settings(home=tmp_path)
    settings.prepare_home()
    migrate(settings.database)
    async with open_store(settings.database) as opened:
        for project in ("here", "there"):
            await opened.add_project(ProjectInfo(project, "", "chat", "idle", {}, now(), now()))
        yield opened


def call(cost: float = 0.5, outcome: str = "ok", role: Any = "reasoning") -> Call:
    """One, of 30 tokens."""
    return Call(role, "m at host", "text", outcome, f"m: {outcome}.", 2.0, 20, 10, cost, 99, False, 4, 5, ("EMAIL",))


async def happened(store: Store, project: str, *events: Any) -> None:
    """Into the log."""
    for event in events:
        said = ModelCalled(**asdict(event)) if isinstance(event, Call) else event
        await store.append(project, [Entry(event_id(project, str(id(event)), now()), said, None, "parser")])


async def test_what_a_turn_and_the_day_have_cost_comes_back_from_the_log(store: Store, tmp_path: Path) -> None:
    await happened(store, "there", MessageReceived("x"), call(1.0))
    await happened(
        store, "here", MessageReceived("x"), call(2.0), MessageReceived("y"), call(4.0), call(8.0, "timeout")
    )
    desk = ModelDesk(Settings(home=tmp_path, model_day_money=15.2), store)
    spending = await desk.spending("here", {"money": 20.0})
    assert ([one.cost for one in spending.calls], [one.cost for one in spending.before]) == ([4.0, 8.0], [1.0, 2.0])
    assert (spending.money, spending.tokens, spending.retries) == (12.0, 60, 1)
    assert spending.left.money == pytest.approx(0.2)
    assert spending.left.tokens == 200_000 - 60
    dear = Endpoint(base_url="http://localhost/v1", model="m", price_in=1000, price_out=0)
    spending.check(dear, 300)
    with pytest.raises(Trouble, match="for today"):
        spending.check(dear, 900)
    meter, today = await desk.meter("here"), (await desk.settings()).today
    assert (meter.calls, meter.cost, meter.columns, meter.rows, meter.masked) == (3, 14.0, 4, 5, ("EMAIL",))
    assert (today.calls, today.cost, today.tokens) == (4, 15.0, 120)
    await desk.models.close()


async def test_yesterday_is_over(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_app.store.now", lambda: "2020-01-01T12:00:00.000000+00:00")
    await happened(store, "there", MessageReceived("x"), call(1.0))
    monkeypatch.undo()
    desk = ModelDesk(Settings(home=tmp_path), store)
    assert (await desk.settings()).today.calls == 0
    assert (await desk.meter("there")).calls == 1
    assert not (await desk.spending("here", {})).before


async def test_the_days_calls_are_found_by_an_index(store: Store) -> None:
    query = "EXPLAIN QUERY PLAN SELECT * FROM events WHERE type = 'MODEL_CALLED' AND at >= ? AND seq > 0"
    async with store._engine.connect() as connection:
        plan = str((await connection.exec_driver_sql(query, ("2020",))).all())
    assert "events_model_calls" in plan


async def told(home: Path, server: ModelServer, budget: dict[str, Any] | None, **settings: Any) -> list[Envelope]:
    """The log until the first gate."""
    home.mkdir(exist_ok=True)
    table = home / "kunden.csv"
    table.write_text(ROWS, encoding="utf-8")
    model = Endpoint(base_url=server.url, model="m", seconds=20, price_in=1e6)
    async with open_conductor(
        Settings(home=home / "home", reasoning=model, **settings), ScriptedSandbox()
    ) as conductor:
        project = await conductor.new_project(policy=Policy(True, True))
        reply = await conductor.start(project, SENTENCE, [table], model_budget=budget)
        assert reply.accepted, reply.sentence
        await until(conductor, project, lambda event: event.type in ("WAITING_CONFIRMATION", "TURN_ENDED"))
        await conductor.wait(project)
        return list(await conductor.events(project))


def called(events: list[Envelope]) -> list[dict[str, Any]]:
    """The calls of models."""
    return [dict(one.payload) for one in events if one.type == "MODEL_CALLED"]


async def test_at_the_bound_the_experts_go_on_and_it_is_said_once(server: ModelServer, tmp_path: Path) -> None:
    server.plays(answers(RIGHT))
    events = await told(tmp_path, server, {"tokens": 0})
    assert not server.asked
    (said,) = called(events)
    assert said["outcome"] == "no_budget"
    assert said["sentence"].startswith("The models' budget for this run (0 tokens) does not hold for this question")
    assert said["sentence"].endswith("The built-in experts go on.")
    assert [one.payload["kind"] for one in events if one.type == "ANSWERED"] == ["unsupported"]  # as without a model
    drawn = Projection("p")
    for one in events:
        drawn.apply(one)
    assert sum("budget for this run" in bubble.text for bubble in drawn.bubbles.values()) == 1
    meter = Meter()
    meter.add(ModelCalled(**said))
    assert meter.whole.calls == 0
    assert metered([Call(**said)]).calls == 0


async def test_a_wrong_bound_is_refused(server: ModelServer, tmp_path: Path) -> None:
    async with open_conductor(Settings(home=tmp_path), ScriptedSandbox()) as conductor:
        project = await conductor.new_project()
        for wrong in ({"tokens": -1}, {"money": "much"}, {"hours": 1}):
            reply = await conductor.start(project, "predict x", ["iris"], model_budget=wrong)
            assert not reply.accepted
            assert reply.sentence.endswith(".")


async def test_a_few_masked_rows_leave_in_the_mode_sample(server: ModelServer, tmp_path: Path) -> None:
    server.plays(answers(RIGHT))
    server.heard.clear()
    events = await told(tmp_path, server, None, egress="sample")
    first = called(events)[0]
    assert (first["rows"], first["columns"]) == (5, 5)
    assert "IDENTIFIER" in first["masked"]
    sent = b"".join(server.heard).decode()
    assert SECRET not in sent
    assert "unbefristet" in sent  # a class of few, which is what the mode is there for
    gate = next(one.payload for one in events if one.type == "WAITING_CONFIRMATION")
    assert gate["gate"] == "contract"
    assert gate["payload"]["models"].startswith("about 5 questions in the rest of this run, some ")
    assert "in money" in gate["payload"]["models"]
    spent = sum(one["tokens_in"] + one["tokens_out"] for one in called(events))
    async with open_conductor(Settings(home=tmp_path / "home"), ScriptedSandbox()) as restarted:
        here = await restarted.desk.spending(events[0].project, {})
        elsewhere = await restarted.desk.spending("another", {})
    assert (here.tokens, len(here.before)) == (spent, 0)
    assert (elsewhere.tokens, len(elsewhere.before)) == (0, len(called(events)))


def plan(**changes: Any) -> Contract:
    """Enough of one for a forecast."""
    return Contract.model_construct(improve_seconds=None, columns=(), target="y", **changes)


def test_the_forecast_counts_the_minds_that_will_be_asked_and_their_bounds() -> None:
    cheap = Endpoint(base_url="http://localhost/v1", model="m")
    dear = Endpoint(base_url="http://localhost/v1", model="n", price_in=100, price_out=100)
    searched = plan().model_copy(update={"improve_seconds": 10.0})
    assert forecast(plan(), Models(), Spending()) == ""
    assert forecast(plan(), Models({"vision": [cheap]}), Spending()) == ""
    two = forecast(plan(), Models({"reasoning": [cheap]}), Spending())
    assert two.startswith("about 2 questions")
    assert two.endswith("; they may use 200,000 tokens.")
    five = forecast(
        searched, Models({"reasoning": [cheap], "code": [dear]}), Spending(Allowance(tokens=100, money=0.01))
    )
    assert five.startswith("about 5 questions")
    assert five.endswith("; they may use 100 tokens and 0.01 in money, so the built-in experts will do a part of it.")
    free = Spending(Allowance(tokens=None))
    assert forecast(plan(), Models({"reasoning": [cheap]}), free).endswith("there is no bound on them.")


def test_the_report_says_what_was_asked_and_what_it_cost() -> None:
    spent = Spending(calls=[call(), call(0.25, "timeout", "code"), call(0, "no_budget")]).account()
    page = cost_page({"language_model": spent})
    assert "| reasoning | 1 | 20 | 10 | 0.5 | 2.0 |" in page
    assert "| in all | 2 | 40 | 20 | 0.75 | 4.0 |" in page
    assert "5 rows of the table left this machine; masked in them: email." in page
    assert "m: no_budget." in page.replace("\\", "")
    assert cost_page({"language_model": None}) == cost_page({}) == ""


def test_the_command_line_takes_bounds_that_can_be_reached(tmp_path: Path) -> None:
    local = Endpoint(base_url="http://localhost/v1", model="m")
    settings = Settings(home=tmp_path, reasoning=local)
    assert model_budget(None, None, None, settings) is None
    assert model_budget(None, 500, 1.5, settings) == {"tokens": 500, "seconds": 90.0}
    assert model_budget(0, None, None, settings) == {"money": 0, "tokens": 0}
    with pytest.raises(CommandError, match="no price is configured"):
        model_budget(0.5, None, None, settings)
    priced = Settings(home=tmp_path, reasoning=local.model_copy(update={"price_out": 1.0}))
    assert model_budget(0.5, 7, None, priced) == {"money": 0.5, "tokens": 7}
