"""What the meter says: calls, tokens, money, and what of the table has left; and what an answer has cost."""

import json

from agents import events as ev
from agents.events import Event
from chat_app.meter import money
from chat_app.panel import Panel
from chat_app.projector import Projection
from tests.chat_app.logs import PROJECT, log


def call(outcome: str = "ok", role: str = "reasoning", **more: object) -> ev.ModelCalled:
    """One call of 1,000 and 100 tokens."""
    figures = {"seconds": 2.0, "tokens_in": 1000, "tokens_out": 100, "cost": 0.01, "bytes_out": 3000, **more}
    return ev.ModelCalled(role, "m at here", outcome, f"m at here: {outcome}.", **figures)  # type: ignore[arg-type]


def metered(*events: Event) -> dict[str, object]:
    """The panel's account after these events, as the browser gets it."""
    panel = Panel(PROJECT)
    for envelope in log(events):
        panel.apply(envelope)
    shown: dict[str, object] = json.loads(json.dumps(panel.snapshot()["models"]))
    assert json.loads(json.dumps(panel.take_patch()["panel"]["models"])) == shown
    return shown


def test_calls_add_up_by_project_role_and_request() -> None:
    first, second = ev.MessageReceived("a"), ev.MessageReceived("b")
    shown = metered(first, call(columns=7), call("timeout", tokens_out=0), second, call(role="code", estimated=True))
    assert shown["line"] == "3 calls, about 3,200 tokens, 0.03; columns' names only"
    assert (shown["failed"], shown["trouble"], shown["columns"]) == (1, "", 7)
    assert {role: one["calls"] for role, one in shown["roles"].items()} == {"reasoning": 2, "code": 1}  # type: ignore[attr-defined]
    assert shown["turn"]["calls"] == 1  # type: ignore[index]


def test_what_left_of_the_table_is_said() -> None:
    assert "line" not in metered(ev.MessageReceived("a"))
    assert str(metered(call(cost=0.0))["line"]).endswith("1,100 tokens; nothing of the table")
    rows = metered(call(columns=3, rows=5, masked=("EMAIL_ADDRESS",)), call(columns=3, rows=2, masked=("PERSON",)))
    assert str(rows["line"]).endswith("; columns' names and 5 rows, masked: email address, person")
    assert str(metered(call(columns=3, rows=1))["line"]).endswith("and 1 row, nothing in them had to be masked")
    assert str(metered(call(role="vision"))["line"]).endswith("; pictures only")
    assert str(metered(call(role="vision"), call(columns=3))["line"]).endswith("; columns' names and pictures")
    assert str(metered(call("refused"))["trouble"]).startswith("m at here: refused. Say it in other words")


def test_money_is_written_as_small_as_it_is() -> None:
    said = [money(one) for one in (0.0, 0.00001, 0.00123, 0.25, 1234.5)]
    assert said == ["", ", less than 0.0001", ", 0.0012", ", 0.25", ", 1,234.50"]


def test_below_an_answer_stands_what_it_cost() -> None:
    end = ev.TurnEnded("done")
    projection = Projection(
        PROJECT,
        log([ev.MessageReceived("why?"), call(), ev.Answered("Because.", "why"), call(), end])
        + log([ev.MessageReceived("thanks"), ev.Answered("You are welcome.", "help"), end], after=5),
    )
    texts = [bubble.text for bubble in projection.bubbles.values() if bubble.role == "assistant"]
    assert texts == ["Because.\n\n*Language models: 2 calls, 2,200 tokens, 0.02.*", "You are welcome."]


def test_what_cannot_be_done_has_no_tick() -> None:
    panel = Panel(PROJECT)
    for envelope in log([ev.StageStatus("PARSE_INTENT", "COMPLETED", "unsupported")]):
        panel.apply(envelope)
    assert panel.stages["PARSE_INTENT"].status == "SKIPPED"
