"""The run panel: snapshots, and patches that lead to the same picture."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents import events as ev
from agents.events import Event
from chat_app.panel import MAX_LOG, MAX_POINTS, Panel
from tests.chat_app.logs import PROJECT, a_whole_turn, log, trained

SCALARS = st.builds(
    ev.MetricScalar,
    run=st.just("r1"),
    model=st.sampled_from(["linear", "lightgbm"]),
    name=st.sampled_from(["log_loss", "roc_auc"]),
    value=st.floats(0, 1),
    step=st.integers(-1, 20),
    fold=st.integers(0, 2),
    seconds=st.just(0.1),
)
LIVE = st.one_of(
    SCALARS,
    st.builds(ev.Progress, run=st.just("r1"), done=st.integers(0, 5), total=st.just(5), text=st.text(max_size=5)),
    st.builds(ev.RunLog, run=st.just("r1"), stream=st.sampled_from(["stdout", "stderr"]), text=st.text(max_size=5)),
    st.just(ev.RunStarted(1, "r1", "train", "scripted", {})),
    st.just(ev.RunEnded("r1", "ok", "", 1.0, 1.0)),
    st.just(ev.StageStatus("TRAIN", "IN_PROGRESS", "running")),
    st.just(ev.TurnEnded("done")),
)


def in_the_page(state: dict[str, Any], patch: dict[str, Any]) -> None:
    """What the browser does with a patch (chat_app/ui/src/live.js)."""
    state.update(patch.get("panel", {}))
    for model, name, fold, step, value in patch.get("points", []):
        curves = [c for c in state["curves"] if (c["model"], c["name"], c["fold"]) == (model, name, fold)]
        if not curves:
            state["curves"].append({"model": model, "name": name, "fold": fold, "points": []})
        (curves or state["curves"])[-1]["points"].append((step, value))
    state["folds"] = [*state["folds"], *patch.get("folds", [])]
    state["log"] = [*state["log"], *patch.get("log", [])][-MAX_LOG:]


@given(st.lists(LIVE, max_size=60), st.lists(st.integers(1, 7), min_size=1, max_size=20))
def test_patches_lead_to_the_snapshot_however_they_are_cut(events: list[Event], cuts: list[int]) -> None:
    panel, state = Panel(PROJECT), Panel(PROJECT).snapshot()
    envelopes, place = log(events), 0
    for cut in [*cuts, len(envelopes)]:
        for envelope in envelopes[place : place + cut]:
            panel.apply(envelope)
        place += cut
        in_the_page(state, panel.take_patch())
    assert {**state, "seq": panel.seq} == panel.snapshot()


def test_nothing_new_is_an_empty_patch() -> None:
    panel = Panel(PROJECT)
    for envelope in log(a_whole_turn()):
        panel.apply(envelope)
    assert panel.take_patch()
    assert panel.take_patch() == {}


def test_stages_go_back_to_pending_when_the_plan_changes() -> None:
    panel = Panel(PROJECT)
    for envelope in log([*a_whole_turn(), ev.StageStatus("TRAIN", "COMPLETED"), ev.PreprocessPlan({}, "b" * 64)]):
        panel.apply(envelope)
    assert panel.stages["DATA_SOURCE"].status == "COMPLETED"
    assert panel.stages["TRAIN"].status == "PENDING"


def test_a_new_plan_shows_nothing_of_the_attempt_before() -> None:
    panel, state = Panel(PROJECT), Panel(PROJECT).snapshot()
    turn = [*a_whole_turn(), ev.MessageReceived("predict age"), ev.PreprocessPlan({}, "b" * 64)]
    for number, envelope in enumerate(log(turn)):
        panel.apply(envelope)
        if number % 3 == 0:
            in_the_page(state, panel.take_patch())
    in_the_page(state, panel.take_patch())
    for shown in (panel.snapshot(), state):
        assert (shown["leaderboard"], shown["curves"], shown["folds"], shown["log"]) == (None, [], [], [])
    assert [score["attempt"] for score in panel.scores] == [1], "what was measured stays for comparison"
    panel.apply(log([ev.DatasetSampleReady("new.csv", "d" * 64, 9, (), (), ())], after=len(turn))[0])
    assert panel.scores == [], "of another table there is nothing to compare with"


def test_a_long_run_does_not_grow_without_end() -> None:
    panel = Panel(PROJECT)
    points: list[Event] = [
        ev.MetricScalar("r1", "m", "log_loss", 1 / (n + 1), n, 0, 0.1) for n in range(5 * MAX_POINTS)
    ]
    lines: list[Event] = [ev.RunLog("r1", "stdout", f"{n}") for n in range(2 * MAX_LOG)]
    for envelope in log([trained()[3], *points, *lines]):
        panel.apply(envelope)
    shown = panel.snapshot()
    kept = shown["curves"][0]["points"]
    assert len(kept) <= MAX_POINTS
    assert (kept[0][0], kept[-1][0]) == (0, 5 * MAX_POINTS - 1)
    assert [line["text"] for line in shown["log"]] == [f"{n}" for n in range(MAX_LOG, 2 * MAX_LOG)]
