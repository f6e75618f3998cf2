"""Several requests in one message, through both doors: shown, changed, worked off in order, resumed in the middle."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.events import ArtifactAdded, Envelope, Event, Failed, PlanMade, StepChanged, WaitingConfirmation
from agents.llm.endpoint import Endpoint
from agents.state import Decision
from chat_app.asking import ask
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.delivery import Destination
from chat_app.handing_over import rescue
from chat_app.plan_lines import changed_steps
from chat_app.plan_results import results_of
from chat_app.settings import Settings
from tests.chat_app.logs import log
from tests.chat_app.scenes import approve, at_gate, to_the_end
from tests.chat_app.test_cli import modelwright
from tests.chat_app.test_cli_asking import person
from tests.fakes import ScriptedSandbox
from tests.openai_server import ModelServer, by_form, fails, serving

REPOSITORY = Path(__file__).resolve().parents[2]
HEAD = "kunde,region,alter,vertrag,gekuendigt,quelle"
ROWS = "\n".join(
    [
        HEAD,
        *(f"k{n},{'nso'[n % 3]},{20 + n % 50},{'kl'[n % 3 == 0]},{'ja' if n % 4 else 'nein'},web" for n in range(80)),
    ]
)
SENTENCE = "Bereinige die Daten, vergleiche die Regionen und sage dann gekuendigt voraus"
THREE: dict[str, Any] = {
    "reason": "drei Bitten nacheinander",
    "steps": [
        {"text": "Bereinige die Daten", "kind": "prepare", "needs": []},
        {"text": "vergleiche die Regionen", "kind": "analyse", "needs": []},
        {"text": "sage gekuendigt voraus", "kind": "model", "needs": [1]},
    ],
}
UNDERSTOOD = {"reason": "gekuendigt", "kind": "model", "target": "gekuendigt"}
NO_ADVICE: dict[str, Any] = {"compute": [], "doubt": [], "split": None, "metric": None}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "kunden.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def settings_with(server: ModelServer, home: Path) -> Settings:
    return Settings(home=home, budget_seconds=5, reasoning=Endpoint(base_url=server.url, model="m", seconds=20.0))


def statuses(events: list[Envelope]) -> list[tuple[int, str]]:
    return [(one.payload["number"], one.payload["status"]) for one in events if one.type == "STEP_CHANGED"]


async def begin(conductor: Conductor, text: str, table: Path | str, policy: Policy) -> str:
    project = await conductor.new_project(policy=policy)
    assert (await conductor.start(project, text, [table])).accepted
    return project


async def test_a_plan_is_shown_edited_and_resumed_after_a_restart(
    server: ModelServer, table: Path, tmp_path: Path
) -> None:
    server.plays(by_form(Planned=THREE, Understood=UNDERSTOOD, Advice=NO_ADVICE))
    settings = settings_with(server, tmp_path / "home")
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        project = await begin(conductor, SENTENCE, table, Policy(True, True))
        gate = await at_gate(conductor, project, "plan")
        shown = gate.payload["payload"]
        assert [(step["text"], step["kind"]) for step in shown["steps"]] == [
            ("Bereinige die Daten", "prepare"),
            ("vergleiche die Regionen", "analyse"),
            ("sage gekuendigt voraus", "model"),
        ]
        assert shown["by"].startswith("m at 127.0.0.1")
        assert not statuses(await conductor.events(project))
        for steps, sentence in (
            ([], "at least one step"),
            ([{"text": " "}], "no words"),
            ([{"text": "x"}] * 9, "at most"),
        ):
            refused = await conductor.decide(
                project, gate.payload["interrupt_id"], Decision(action="edit", steps=steps)
            )
            assert not refused.accepted
            assert sentence in refused.sentence
        kept = [{"id": "1", "text": "Bereinige die Daten"}, {"id": "3", "text": "sage gekuendigt voraus"}]
        await conductor.decide(project, gate.payload["interrupt_id"], Decision(action="edit", steps=kept))
        again = await at_gate(conductor, project, "plan", after=gate.seq)
        assert [step["depends_on"] for step in again.payload["payload"]["steps"]] == [[], ["1"]]
        await approve(conductor, project, again)
        await at_gate(conductor, project, "contract", after=again.seq)
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        await conductor.recover()
        state = await conductor.get_state(project)
        assert [step["status"] for step in state.plan] == ["done", "running"]
        contract = await at_gate(conductor, project, "contract", after=again.seq)
        assert contract.payload["payload"]["contract"]["target"] == "gekuendigt"
        await conductor.start(project, "describe the table")  # said in the middle: answered, and the gate opens again
        reopened = await at_gate(conductor, project, "contract", after=contract.seq)
        await conductor.decide(project, reopened.payload["interrupt_id"], Decision(action="reject"))
        events = await to_the_end(conductor, project)
    assert statuses(events) == [(1, "running"), (1, "done"), (2, "running"), (2, "skipped")]
    assert [one.payload["by"] for one in events if one.type == "PLAN_MADE"][1:] == ["user"]
    answers = [one.payload["text"] for one in events if one.type == "ANSWERED"]
    assert answers[0].startswith("Nothing in your table is changed.")
    assert "2. sage gekuendigt voraus: **not done**, you said no to it" in answers[-1]


async def test_a_failed_step_stops_its_dependants_and_the_rest_goes_on(table: Path, settings: Settings) -> None:
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        text = "predict quelle, then explain the model, then compare the regions, then describe the table"
        project = await begin(conductor, text, table, Policy(False, False))
        events = await to_the_end(conductor, project)
    assert statuses(events) == [
        (1, "running"), (1, "failed"), (2, "skipped"), (3, "running"), (3, "skipped"), (4, "running"), (4, "done"),
    ]  # fmt: skip
    told = [one.payload for one in events if one.type == "ANSWERED"][-1]
    assert told["kind"] == "plan"
    assert "2. explain the model: **not done**, it needs step 1, which failed" in told["text"]
    assert "3. compare the regions: **not done**, I cannot answer questions" in told["text"]
    assert events[-1].payload["outcome"] == "done"
    assert [one.culprit for one in results_of(events)] == ["user", None, None, None]


@pytest.mark.parametrize(
    "behaviour", [fails(500), by_form(Planned={"reason": "", "steps": []})], ids=["dead", "nonsense"]
)
async def test_without_a_usable_plan_it_is_one_request_as_without_a_model(
    behaviour: Any, server: ModelServer, table: Path, tmp_path: Path
) -> None:
    server.plays(behaviour)
    text = "predict gekuendigt and then dance"
    outcomes = []
    for settings in (settings_with(server, tmp_path / "a"), Settings(home=tmp_path / "b", budget_seconds=5)):
        async with open_conductor(settings, ScriptedSandbox()) as conductor:
            project = await begin(conductor, text, table, Policy(True, True))
            gate = await at_gate(conductor, project, "contract")
            outcomes.append(gate.payload["payload"]["contract"]["columns"])
            told = [one for one in await conductor.events(project) if one.type == "STAGE_STATUS"]
        if settings.reasoning is not None:
            assert any("taken for one request" in one.payload["detail"] for one in told)
    assert outcomes[0] == outcomes[1]


async def test_the_words_at_the_gate_can_be_a_plan_of_their_own_or_one_request(table: Path, settings: Settings) -> None:
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        project = await begin(conductor, "clean it, then predict alter", table, Policy(True, True))
        first = await at_gate(conductor, project, "plan")
        await conductor.start(project, "help")
        again = await at_gate(conductor, project, "plan", after=first.seq)
        assert again.payload["payload"] == first.payload["payload"]
        await conductor.start(project, "describe the table, then predict vertrag")
        other = await at_gate(conductor, project, "plan", after=again.seq)
        assert [step["kind"] for step in other.payload["payload"]["steps"]] == ["profile", "model"]
        await conductor.start(project, "predict gekuendigt")
        single = await at_gate(conductor, project, "contract", after=other.seq)
        assert single.payload["payload"]["contract"]["target"] == "gekuendigt"
        await conductor.decide(project, single.payload["interrupt_id"], Decision(action="reject"))
        events = await to_the_end(conductor, project, after=single.seq)
    assert not statuses(events)
    assert events[-1].payload["outcome"] == "rejected"


async def test_a_question_about_the_data_within_a_plan_is_told_by_what_came_of_it(
    server: ModelServer, table: Path, tmp_path: Path
) -> None:
    lacks = {"reason": "", "answerable": False, "missing": "sales", "edits": [], "script": ""}
    server.plays(by_form(Analysis=lacks))
    coding = Settings(home=tmp_path / "home", code=Endpoint(base_url=server.url, model="m", seconds=20.0))
    async with open_conductor(coding, ScriptedSandbox()) as conductor:
        text = "plot sales by region, then describe the table"
        events = await to_the_end(conductor, await begin(conductor, text, table, Policy(False, False)))
    assert statuses(events) == [(1, "running"), (1, "skipped"), (2, "running"), (2, "done")]
    told = [one.payload["text"] for one in events if one.type == "ANSWERED"][-1]
    assert "1. plot sales by region: **not done**, This table cannot answer that: sales." in told


async def test_a_plan_that_was_refused_is_shown_again_on_request(table: Path, settings: Settings) -> None:
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        text = "\n".join(f"{number}. describe the table" for number in range(1, 11))
        project = await begin(conductor, text, table, Policy(True, True))
        first = await at_gate(conductor, project, "plan")
        assert len(first.payload["payload"]["steps"]) == 8
        assert first.payload["payload"]["reason"].startswith("These are 10 requests; I do the first 8.")
        await conductor.decide(project, first.payload["interrupt_id"], Decision(action="reject"))
        refused = await to_the_end(conductor, project)
        assert refused[-1].payload["outcome"] == "rejected"
        await conductor.start(project, "go on")
        again = await at_gate(conductor, project, "plan", after=refused[-1].seq)
        assert again.payload["payload"] == first.payload["payload"]
        assert not statuses(await conductor.events(project))


async def test_without_a_person_what_was_finished_is_handed_over(
    table: Path, settings: Settings, tmp_path: Path
) -> None:
    steps = ({"id": "1", "text": "predict a"}, {"id": "2", "text": "predict b"})
    said: list[Event] = [
        PlanMade(steps, "expert"),
        StepChanged("1", "running", "predict a", 1, 2),
        ArtifactAdded(1, "report.json", "report", 9, "a" * 64),
        StepChanged("1", "done", "predict a", 1, 2, "fine"),
        StepChanged("2", "running", "predict b", 2, 2),
    ]
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        project = await conductor.new_project()
        for number, event in enumerate(said):
            await conductor.log.say(project, str(number), event)
        kept = settings.project_folder(project) / "attempts" / "1" / "artifacts"
        kept.mkdir(parents=True)
        metric = {"name": "rmse", "label": "RMSE", "value": 1.0, "ci_low": 0.5, "ci_high": 2.0}
        made = {"metric": metric, "baseline": {**metric, "model": "dummy"}, "audit": [], "rows_holdout": 9}
        made |= {"seconds": 1.0, "budget_seconds": 5.0, "verdict": "a tie"}
        (kept / "report.json").write_text(json.dumps(made), encoding="utf-8")
        await rescue(conductor, project, Destination(tmp_path / "out"), Console(file=io.StringIO()))
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")) == made


def run_until(home: Path, kind: str, count: int, text: str) -> None:
    """Start the server and kill it hard at the n-th event of a type."""
    command = [sys.executable, "-m", "tests.chat_app.crash_server", str(home), "auto", text]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            count -= line.strip() == kind
            if count == 0:
                os.kill(server.pid, signal.SIGKILL)
                return
        raise AssertionError(f"{kind} never came")


async def test_a_kill_in_the_middle_of_a_plan_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    await asyncio.to_thread(
        run_until, tmp_path, "STEP_CHANGED", 3, "clean it, then describe the table, then compare the species"
    )
    async with open_conductor(Settings(home=tmp_path, budget_seconds=10)) as conductor:
        await conductor.recover()
        events = await to_the_end(conductor, "doomed")
    assert statuses(events) == [
        (1, "running"), (1, "done"), (2, "running"), (2, "done"), (3, "running"), (3, "skipped"),
    ]  # fmt: skip
    answers = [one.payload["kind"] for one in events if one.type == "ANSWERED"]
    assert answers == ["profile", "profile", "unsupported", "plan"]
    assert [one.type for one in events].count("PLAN_MADE") == 1


def test_the_command_line_works_a_plan_off(tmp_path: Path) -> None:
    done = modelwright("run", "iris", "clean it, then describe the table", "--yes", "--out", "result", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("These are 2 requests", "1. clean it", "Step 2 of 2: describe the table", "What came of the steps"):
        assert part in done.stdout
    assert not (tmp_path / "result").exists()


@pytest.mark.slow
def test_the_command_line_leaves_a_model_where_it_always_is(tmp_path: Path) -> None:
    arguments = ("run", "iris", "clean it, then predict species", "--yes", "--budget", "5", "--out", "result")
    done = modelwright(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "result" / "report.json").read_text(encoding="utf-8"))
    assert report["plan"] == {"step": 2, "of": 2, "text": "predict species"}
    assert "Step 2 of 2 of one message." in (tmp_path / "result" / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_command_line_says_what_it_could_not_do(tmp_path: Path) -> None:
    done = modelwright("run", "iris", "compare the species, then plot petal_length_cm", "--yes", folder=tmp_path)
    assert done.returncode == 2
    assert "Step 1: I cannot answer questions about the numbers" in done.stderr


STEPS = [
    {"id": "1", "text": "clean it", "kind": "prepare", "depends_on": []},
    {"id": "2", "text": "why?", "kind": "why", "depends_on": []},
    {"id": "3", "text": "predict a", "kind": "model", "depends_on": ["1"]},
]


def test_lines_change_a_plan() -> None:
    changed = changed_steps(STEPS, ["remove=2", "3=predict b", "order=3,1", "add=explain the model"])
    assert changed == [
        {"id": "3", "text": "predict b"},
        {"id": "1", "text": "clean it"},
        {"text": "explain the model"},
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("order=1,2", "name each step once (1, 2, 3)"),
        ("remove=9", "There is no step 9"),
        ("x=1", "There is no step x"),
        ("shorter", "is no change"),
        ("remove=,", "No step is named"),
    ],
)
def test_a_line_that_changes_nothing_says_what_would(line: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        changed_steps(STEPS, [line])


def test_the_gate_in_the_terminal() -> None:
    waiting = WaitingConfirmation("id", "plan", "Shall I?", {"steps": STEPS, "by": "expert"})
    out = io.StringIO()
    decision = ask(waiting, Console(file=out, width=100), person("what", "e", "order=9", "", "e", "remove=1,2", ""))
    assert decision == Decision(action="edit", steps=[{"id": "3", "text": "predict a"}])
    for part in ("1. clean it (says how", "needs 1", "There is no step 9"):
        assert part in out.getvalue()


def test_each_model_of_a_plan_has_a_folder_of_its_own() -> None:
    made = PlanMade(({"id": "1", "text": "predict a/../b"}, {"id": "7", "text": "你好"}), "expert")
    events: list[Event] = [
        made,
        StepChanged("1", "running", "predict a/../b", 1, 2),
        ArtifactAdded(1, "report.json", "report", 9, "a" * 64),
        StepChanged("1", "done", "predict a/../b", 1, 2, "fine"),
        StepChanged("7", "running", "你好", 2, 2),
        Failed("TRAIN", "script", "no"),
        StepChanged("7", "failed", "你好", 2, 2, "no"),
    ]
    first, second = results_of(log(events))
    assert (first.folder, first.attempt, first.status) == ("step-1-predict-a-b", 1, "done")
    assert (second.folder, second.attempt, second.culprit) == ("step-2-你好", None, "script")
    assert results_of(log([PlanMade(({"id": "1", "text": "x"},), "user")])) == ()
