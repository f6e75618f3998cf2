"""What goes wrong with a model is told in both doors, with what the user can do: try again, change the model, go on."""

import io
from typing import get_args

import pytest
from rich.console import Console

from agents import events as ev
from agents.events import Event
from agents.llm.trouble import TroubleKind, remedy
from chat_app.projector import Projection
from chat_app.terminal import lines_of, open_screen
from tests.chat_app.logs import PROJECT, log

KINDS = get_args(TroubleKind)


def called(outcome: str, sentence: str = "", endpoint: str = "m at host") -> ev.ModelCalled:
    """One call."""
    said = sentence or ("m at host answered." if outcome == "ok" else f"m at host: {outcome}.")
    return ev.ModelCalled("reasoning", endpoint, outcome, said, 1.0, 10, 0, 0.0, 30)


def in_chat(*events: Event) -> list[str]:
    """What the chat says, the user's own words left out."""
    drawn = Projection(PROJECT, log([ev.MessageReceived("predict churn"), *events]))
    return [bubble.text for bubble in drawn.bubbles.values() if bubble.role == "assistant"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_trouble_has_its_remedy_in_both_doors(kind: str) -> None:
    words = remedy(kind)
    assert words.endswith("Without it the built-in experts decide.")
    assert any(way in words for way in ("settings", "Say"))
    assert lines_of(called(kind)) == [f"m at host: {kind}. (10 tokens, 1.0 s)", words]
    assert in_chat(called(kind)) == [f"m at host: {kind}. {words}"]


def test_remedies_differ_where_the_cause_does() -> None:
    assert "key" in remedy("unauthorised")
    assert "address" in remedy("not_found")
    assert "Allow" in remedy("no_budget")
    assert remedy("of a newer version") == remedy("invalid")


def test_the_chat_says_it_once_in_a_request_and_takes_it_back_when_it_passes() -> None:
    assert len(in_chat(called("timeout"), called("timeout"), called("server"))) == 1
    assert in_chat(called("timeout"), called("ok")) == ["m at host: timeout. When it was tried again it answered."]
    assert in_chat(called("ok"), called("ok")) == []
    both = in_chat(called("timeout"), called("unreachable", "n is gone.", "n at host"), called("ok", "", "n at host"))
    assert len(both) == 2
    assert both[0].startswith("m at host: timeout. Say the same again")
    again = in_chat(called("timeout"), ev.MessageReceived("again"), called("timeout"))
    assert len(again) == 2


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_marks_it_and_shows_no_letter_as_a_command(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200, color_system=None)
    with open_screen(console) as screen:
        for envelope in log([called("server", "m at host says [red]\x1b[2J <b>no</b>."), called("ok")]):
            screen.show(envelope)
    text = out.getvalue()
    assert "says [red]" in text
    assert "\x1b[2J <b>" not in text
    assert "Say the same again to try it once more" in text
    if terminal:
        assert "✗ m at host says" in text
        assert "✓ m at host answered" in text
