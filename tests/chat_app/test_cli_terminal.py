"""The event log on a terminal and in a pipe."""

import datetime
import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from agents import events as happened
from agents.events import Envelope, Event, event_type, payload_of
from agents.state import Stage
from chat_app.printable import printable
from chat_app.terminal import LiveScreen, PlainScreen, open_screen, spark
from tools.markdown import plain

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def told(event: Event, seconds: float = 0.0, stage: Stage | None = "TRAIN") -> Envelope:
    at = (START + datetime.timedelta(seconds=seconds)).isoformat()
    return Envelope("id", "project", 1, at, event_type(type(event)), stage, "system", payload_of(event))


def pipe() -> tuple[PlainScreen, io.StringIO]:
    out = io.StringIO()
    return PlainScreen(Console(file=out, width=80)), out


def terminal() -> tuple[LiveScreen, io.StringIO]:
    out = io.StringIO()
    return LiveScreen(Console(file=out, width=80, force_terminal=True, color_system=None)), out


READ = happened.DatasetSampleReady(
    name="customers.csv",
    dataset_id="0" * 64,
    rows=7043,
    columns=({"name": "tenure", "type": "integer"},),
    head=(),
    account=("11 blanks in TotalCharges are gaps now.",),
)
BOARD = happened.Leaderboard(
    run="r", metric="roc_auc", rows=({"model": "lightgbm", "cv_score": 0.8456789, "seconds": 3.14},), verified=True
)


def test_a_pipe_gets_one_line_per_event_with_the_time_since_the_start() -> None:
    screen, out = pipe()
    screen.show(told(READ, stage="DATA_SOURCE"))
    screen.show(told(happened.Progress("r", 3, 15, "lightgbm, fold 4 of 5"), seconds=12.34))
    assert out.getvalue().splitlines() == [
        "    0.0s  data      Read customers.csv: 7,043 rows, 1 column.",
        "    0.0s  data        11 blanks in TotalCharges are gaps now.",
        "   12.3s  train     lightgbm, fold 4 of 5 (3 of 15)",
    ]


def test_a_pipe_gets_the_answer_and_the_leaderboard_in_words() -> None:
    screen, out = pipe()
    screen.show(told(BOARD))
    screen.show(told(happened.Answered("**Better** than the baseline.", "result")))
    assert "lightgbm  0.8457  3.1 s" in out.getvalue()
    assert "**Better** than the baseline." in out.getvalue()


def test_what_an_unverified_script_says_of_itself_is_called_a_claim() -> None:
    claimed = {"model": "mine", "cv_score": None, "claimed_cv_score": 1.0, "seconds": 0.1}
    screen, out = pipe()
    screen.show(told(happened.Leaderboard("r", "roc_auc", (claimed,), verified=False)))
    assert "as the script claims" in out.getvalue()


@pytest.mark.parametrize("make", [pipe, terminal])
def test_a_model_that_was_stopped_before_it_was_judged_has_no_score_yet(make: object) -> None:
    screen, out = make()  # type: ignore[operator]
    row = {"model": "lightgbm", "cv_score": None, "seconds": 2.0}
    screen.show(told(happened.Leaderboard("r", "roc_auc", (row,), verified=True)))
    assert "no score yet" in out.getvalue()


@pytest.mark.parametrize("make", [pipe, terminal])
def test_a_script_cannot_steer_the_terminal(make: object) -> None:
    screen, out = make()  # type: ignore[operator]
    screen.show(told(happened.RunLog("r", "stdout", "\x1b]0;owned\x07\x1b[2J[red]hello[/red]\u202e")))
    assert "\x1b]0" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert "[red]hello[/red]" in out.getvalue()


def test_the_live_region_shows_what_the_script_reports_and_fits_80_columns() -> None:
    screen, out = terminal()
    with screen:
        screen.show(told(happened.RunStarted(1, "r", "train", "namespaces + Landlock + seccomp", {})))
        screen.show(told(happened.Progress("r", 3, 15, "lightgbm, fold 4 of 5 " * 9)))
        for step, value in enumerate([0.7, 0.6, 0.5, 0.45]):
            screen.show(told(happened.MetricScalar("r", "lightgbm", "log_loss", value, step, 0, 1.0)))
        screen.show(told(BOARD))
    text = out.getvalue()
    assert "3 of 15" in text
    assert "log-loss 0.45" in text
    assert "█▅▂▁" in text
    shown = [line.split("\x1b[2K")[-1] for line in text.splitlines()]
    assert max(cell_len(line) for line in shown) <= 80 + len("\x1b[?25h\x1b[1A")


def test_a_new_fold_begins_a_new_curve() -> None:
    screen, _ = terminal()
    for fold in (0, 0, 1):
        screen.show(told(happened.MetricScalar("r", "lightgbm", "log_loss", 0.5, 1, fold, 1.0)))
    assert len(screen._curves["lightgbm"].values) == 1


def test_a_blocked_script_is_shown_with_the_lines_that_block() -> None:
    finding = {"rule": "policy:network", "line": 3, "sentence": "It opens a connection.", "blocks": True}
    finding["severity"] = "security"
    screen, out = pipe()
    screen.show(told(happened.CodeChecked(1, "h", (finding,), blocked=True)))
    assert "it must not run like this" in out.getvalue()
    assert "line 3: It opens a connection." in out.getvalue()


def test_a_script_that_yes_approves_is_not_said_to_be_forbidden() -> None:
    finding = {"rule": "leakage:x", "line": 3, "sentence": "It fits on all rows.", "blocks": True, "severity": "error"}
    reason = "approved in advance, although the critic objects: It fits on all rows."
    screen, out = pipe()
    screen.show(told(happened.CodeChecked(1, "h", (finding,), blocked=True)))
    screen.show(told(happened.Decided("", "code", "approve", "policy", reason)))
    assert "it must not run unasked" in out.getvalue()
    assert "Approved in advance by --yes, although the critic objects" in out.getvalue()


def test_a_pipe_gets_no_escapes_of_markdown() -> None:
    screen, out = pipe()
    screen.show(told(happened.Answered(plain("run again with --split group:customer_id_2, not *this*"), "result")))
    assert "--split group:customer_id_2, not *this*" in out.getvalue()


def test_the_screen_follows_where_the_output_goes() -> None:
    assert isinstance(open_screen(Console(file=io.StringIO())), PlainScreen)
    assert isinstance(open_screen(Console(file=io.StringIO(), force_terminal=True)), LiveScreen)


def test_every_kind_of_event_can_be_shown() -> None:
    silent: list[Event] = [
        happened.MessageReceived("hi"),
        happened.StageStatus("TRAIN", "IN_PROGRESS"),
        happened.Stopped("TRAIN"),
        happened.TurnEnded("done"),
    ]
    for make in (pipe, terminal):
        screen, _ = make()
        for event in silent:
            screen.show(told(event))


def test_sparks_need_two_points_and_ignore_what_is_no_number() -> None:
    assert spark([1.0]) == ""
    assert spark([0.0, float("nan"), 1.0]) == "▁█"


def test_line_breaks_stay_and_control_characters_go() -> None:
    assert printable("a\nb\x07") == "a\nb�"
