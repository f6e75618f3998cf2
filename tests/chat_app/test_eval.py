"""`modelwright eval` against scripted servers: one that knows every answer, one that knows none, one that is none."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import Response
from typer.testing import CliRunner

from agents.llm.endpoint import Endpoint
from agents.llm.spending import Spending
from agents.minds.asking import Asker
from agents.models import Models
from chat_app.cli import app
from chat_app.eval_suite.judging import Bench, judge_answer, judge_code, judge_refusal, judge_repair
from chat_app.eval_suite.suite import GROUPS, RefusalCase, RequestCase, suite
from chat_app.evaluating import Result, Wanted, as_json, evaluate
from chat_app.exits import BAD_INPUT, FAILED, CommandError
from sandbox.base import Limits, Sandbox, SandboxUnavailable
from tests.openai_server import Asked, Behaviour, ModelServer, answers, fails, mode_of, only, says, sends, serving

KEY = "sk-eval-key"
MEAN = """
import json
import pandas as pd
table = pd.read_parquet("inputs/table.parquet")
mean = float(table["sepal_length_cm"].mean())
with open("outputs/answer.json", "w") as out:
    json.dump({"text": f"It is {mean:.2f}.", "numbers": {"mean": mean}}, out)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def knows(asked: Asked) -> Response:
    """Every answer of the suite, in whatever way it is asked for; in mode text no more than an excuse."""
    if mode_of(asked) == "text":
        return await says("I would rather not.")(asked)
    text = "\n".join(str(message["content"]) for message in asked["messages"] if message["role"] == "user")
    return await answers(right_answer(text))(asked)


def right_answer(text: str) -> dict[str, Any]:
    """By the words of the question."""
    cases: tuple[RequestCase | RefusalCase, ...] = (*suite().requests, *suite().refusals)
    case = next((one for one in cases if one.text in text), None)
    if case is None:
        repaired = [{"search": one.replace, "replace": one.search} for one in suite().repairs if one.replace in text]
        return {
            "reason": "r",
            "about": "script",
            "edits": repaired or [{"search": "TREES = 200", "replace": "TREES = 500"}],
            "script": "" if repaired or "TREES = 200" in text else MEAN,
            "answerable": "weight" not in text,
            "missing": "the weight of the flowers" if "weight" in text else "",
        }
    if not isinstance(case, RequestCase):
        return {"reason": "r", "kind": "unsupported", "missing": "a column for it"}
    return {"reason": "r", "kind": "revise" if case.earlier else "model", **case.expect}


def wanted(server: ModelServer, **more: Any) -> Wanted:
    """This server, priced."""
    endpoint = Endpoint(base_url=server.url, model="m", key=SecretStr(KEY), seconds=20, price_in=1e6, price_out=1e6)
    return Wanted(endpoint, **more)


def nowhere() -> Sandbox:
    """A machine without isolation."""
    raise SandboxUnavailable("none here")


async def test_a_model_that_knows_everything(server: ModelServer) -> None:
    server.plays(knows)
    told: list[Result] = []
    found = await evaluate(wanted(server, groups=("forms", "requests", "refusals")), nowhere, Limits(), told.append)
    assert tuple(told) == found.results
    assert [one.name for one in found.of("requests") + found.of("refusals") if not one.passed] == []
    assert all(one.first_try and one.calls == 1 and one.cost == 18 for one in found.of("requests"))
    said = as_json(found)
    assert {mode: (one["passed"], one["tasks"]) for mode, one in said["forms"].items()} == {
        "json_schema": (3, 3),
        "tool": (3, 3),
        "json_object": (3, 3),
        "text": (0, 3),
    }
    assert said["groups"]["requests"]["passed"] == len(suite().requests)
    assert said["groups"]["requests"]["expert_alone"] < len(suite().requests) / 2
    assert said["totals"]["calls"] == sum(one["calls"] for one in said["tasks"])
    assert KEY not in json.dumps(said)


async def test_a_model_that_knows_nothing_fails_everything_and_is_never_a_crash(server: ModelServer) -> None:
    server.plays(says("\x00🙂 Sure! " * 300))
    found = await evaluate(wanted(server, groups=("requests", "refusals")), nowhere, Limits(), lambda _: None)
    assert not any(one.passed for one in found.results)
    assert all(one.said and one.calls == 2 for one in found.results)


async def test_tokens_that_are_used_up_end_the_asking(server: ModelServer) -> None:
    server.plays(knows)
    few = wanted(server, groups=("requests",), tokens=2700, repeat=3)
    found = await evaluate(few, nowhere, Limits(), lambda _: None)
    skipped = [one for one in found.results if one.skipped]
    assert len(found.results) == 3 * len(suite().requests)
    assert found.of("requests")
    assert {one.said for one in skipped} == {"the budget of this evaluation is spent"}
    assert as_json(found)["totals"]["skipped"] == len(skipped)


async def test_without_a_sandbox_answers_are_skipped(server: ModelServer) -> None:
    server.plays(knows)
    found = await evaluate(wanted(server, groups=("answers",)), nowhere, Limits(), lambda _: None)
    assert all(one.skipped and "no sandbox" in one.said for one in found.results)


async def test_scripts_are_held_against_the_critic_and_run(
    server: ModelServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    server.plays(knows)
    models = Models({role: (wanted(server).endpoint,) for role in ("reasoning", "code")})
    bench = Bench(tmp_path, sandbox, Limits(seconds=60))

    def ask() -> Asker:
        return Asker(models, Spending(), _nobody)

    repair = next(case for case in suite().repairs if case.name == "a misspelt function")
    mean = next(case for case in suite().answers if case.name == "a mean")
    missing = next(case for case in suite().answers if case.unanswerable and "weight" in case.text)
    assert (await judge_repair(repair, bench, ask())).passed
    assert (await judge_answer(mean, bench, ask())).passed
    assert (await judge_answer(missing, bench, ask())).passed

    wrong = mean.model_copy(update={"numbers": (1.0,)})
    assert (await judge_answer(wrong, bench, ask())).said == "computes 5.84333; right is 1"
    folds = next(case for case in suite().code if case.name == "more folds")
    assert not (await judge_code(folds, bench, ask())).passed
    server.plays(answers({"reason": "r", "kind": "model", "target": "species"}))
    assert (await judge_refusal(suite().refusals[0], bench, ask())).said == "takes it for model of 'species'"
    await models.close()


@pytest.mark.parametrize("behaviour", [fails(401, KEY), fails(404, "no such model"), sends(hang=True)])
async def test_a_server_that_is_none_ends_it_at_once(behaviour: Behaviour, server: ModelServer) -> None:
    server.plays(behaviour)
    order = wanted(server)
    quick = Wanted(order.endpoint.model_copy(update={"seconds": 0.3}))
    with pytest.raises(CommandError, match="Nothing was evaluated") as told:
        await evaluate(quick, nowhere, Limits(), lambda _: None)
    assert told.value.code == FAILED
    assert KEY not in str(told.value)


def test_the_command_prints_a_table_and_writes_json(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_KEY", KEY)
    server.plays(only(["json_object", "text"], knows))
    options = ["eval", "--endpoint", server.url, "--model", "m", "--key-env", "THE_KEY"]
    shown = CliRunner().invoke(app, [*options, "--only", "refusals,forms", "--json", "found.json"])
    assert shown.exit_code == 0, shown.output
    assert "✓ refusals iris: price of a flower" in shown.output, shown.output
    assert "✗ forms    tool: an edit" in shown.output
    assert max(len(line) for line in shown.output.splitlines() if " of " in line and "  " in line[:3]) < 81
    assert "7 of 7" in shown.output
    assert KEY not in shown.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found["groups"]) == ["forms", "refusals"]
    assert KEY not in (tmp_path / "found.json").read_text()
    assert f"Bearer {KEY}" in server.keys


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--only", "poems"], "There is no group 'poems'; the groups are forms"),
        (["--key-env", "sk-abcdef"], "is no name of one (give the name, not the key)"),
        (["--key-env", "NOT_SET_AT_ALL"], "The environment variable NOT_SET_AT_ALL holds nothing"),
        (["--ask-key"], "There is no terminal to ask for the key in"),
        (["--ask-key", "--key-env", "HOME"], "Give the key in one way"),
        (["--json", "/nowhere/at/all.json"], "cannot be written"),
        ([], "Name a server and a model"),
        (["--model", "m"], "add --endpoint URL"),
        (["--endpoint", "localhost:11434", "--model", "m"], "--endpoint cannot be used: this is no address"),
    ],
)
def test_wrong_calls_are_said(
    options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELWRIGHT_HOME", str(tmp_path))
    given = [] if "Name a server" in sentence or "--model" in options else ["--endpoint", "http://h/v1", "--model", "m"]
    shown = CliRunner().invoke(app, ["eval", *given, *options])
    assert isinstance(shown.exception, CommandError)
    assert shown.exception.code == BAD_INPUT
    assert sentence in str(shown.exception)
    assert "sk-abcdef" not in str(shown.exception)


def test_the_suite_is_sound() -> None:
    found = suite()
    for group in GROUPS:
        names = [(case.table, case.name) for case in found.of(group)]
        assert len(names) == len(set(names))
    assert len(found.requests) >= 14
    assert len(found.refusals) >= 7
    assert all(bool(case.numbers) != case.unanswerable for case in found.answers)


async def _nobody(call: object) -> None:
    """Not interested."""
    await asyncio.sleep(0)
