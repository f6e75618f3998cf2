"""Spans and errors as a collector, a Langfuse and a Sentry on loopback receive them, byte for byte."""

import base64
import getpass
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import BaseModel, SecretStr, ValidationError

from agents.events import Envelope
from agents.llm.endpoint import Endpoint
from agents.llm.spending import Spending
from agents.models import Models
from chat_app.cli import main
from chat_app.cli_parts import read_settings
from chat_app.conductor import Policy, open_conductor
from chat_app.doctor import _tracing
from chat_app.error_reports import place
from chat_app.exits import FAILED, CommandError
from chat_app.settings import Settings
from chat_app.span_export import LANGFUSE_PATH, headers_in, traces_address, try_out
from chat_app.tracing import destinations, tracing_of
from prompts.render import render
from sandbox.base import SandboxBroken
from tests.chat_app.scenes import to_the_end
from tests.fakes import Scene, ScriptedSandbox
from tests.openai_server import ModelServer, answers, fails, serving
from tests.receiver import Receiver, receiving

CELL = "Rumpelstiltskin"
KEY = "sk-model-key"
SECRETS = ("sk-lf-secret", "abcdef0123456789", "collector-token", KEY)
TABLE = "\n".join(
    ["kunde,alter,gekuendigt"] + [f"{CELL}{n},{20 + n % 50},{'ja' if n % 4 else 'nein'}" for n in range(80)]
)
RIGHT = {
    "reason": "kündigt means gekuendigt",
    "answerable": True,
    "missing": "",
    "target": "gekuendigt",
    "exclude": [],
    "task": None,
    "metric": None,
}
SENTENCE = "Wer verlässt uns demnächst?"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Empty."""
    with receiving() as running:
        yield running


def traced(receiver: Receiver, server: ModelServer, home: Path, **more: Any) -> Settings:
    """Everything on, at one address."""
    return Settings(
        home=home,
        reasoning=Endpoint(base_url=server.url, model="m", key=SecretStr(KEY), price_in=2.0, price_out=4.0, seconds=20),
        otlp_endpoint=receiver.url,
        otlp_headers=SecretStr("x-token=collector-token"),
        langfuse_host=receiver.url,
        langfuse_public_key="pk-lf-1",
        langfuse_secret_key=SecretStr("sk-lf-secret"),
        sentry_dsn=SecretStr(f"http://abcdef0123456789@127.0.0.1:{receiver.port}/7"),
        **more,
    )


async def a_turn(settings: Settings, folder: Path) -> list[Envelope]:
    """A sentence that only the model understands, a plan, and a sandbox that breaks."""
    table = folder / f"{CELL}.csv"
    table.write_text(TABLE, encoding="utf-8")
    broken = Scene(breaks=SandboxBroken(f"{CELL} in /home/{getpass.getuser()}/x broke"))
    async with open_conductor(settings, ScriptedSandbox(*[broken] * 8)) as conductor:
        project = await conductor.new_project(policy=Policy(False, False))
        assert (await conductor.start(project, SENTENCE, [table])).accepted
        return await to_the_end(conductor, project)


def spans(receiver: Receiver, path: str) -> list[dict[str, Any]]:
    """Name, attributes, status and place in the tree of what came to an address."""
    found = []
    for post in receiver.posts:
        if post.path != path:
            continue
        sent = ExportTraceServiceRequest.FromString(post.body)
        for span in (span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans):
            values = {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in span.attributes}
            found.append({"name": span.name, "facts": values, "id": span.span_id, "parent": span.parent_span_id})
            found[-1] |= {"error": span.status.code == 2, "events": list(span.events)}
    return found


async def test_a_turn_is_told_and_nothing_private_leaves(
    receiver: Receiver, server: ModelServer, tmp_path: Path
) -> None:
    server.plays(answers(RIGHT))
    events = await a_turn(traced(receiver, server, tmp_path / "home"), tmp_path)
    assert [one.payload["culprit"] for one in events if one.type == "FAILED"] == ["sandbox"]

    sent = spans(receiver, "/v1/traces")
    told = {one["name"]: one for one in reversed(sent)}
    assert {"turn", "node parser", "node runner", "model reasoning", "sandbox"} <= set(told)
    by_id = {one["id"]: one["name"] for one in sent}
    assert by_id[told["model reasoning"]["parent"]] == "node parser"
    assert by_id[told["node runner"]["parent"]] == "turn"
    assert told["sandbox"]["facts"]["modelwright.purpose"] == "train"
    assert told["sandbox"]["facts"]["error.type"] == "SandboxBroken"
    assert told["sandbox"]["error"]
    assert not told["model reasoning"]["error"]

    call = next(one["facts"] for one in spans(receiver, LANGFUSE_PATH) if "model" in one["name"])
    assert call["langfuse.observation.type"] == "generation"
    assert call["langfuse.observation.model.name"] == "m"
    assert json.loads(call["langfuse.observation.usage_details"]) == {"input": 11, "output": 7}
    assert json.loads(call["langfuse.observation.cost_details"]) == {"total": pytest.approx(50e-6)}
    assert call["langfuse.version"].startswith("parser@")
    assert call["modelwright.outcome"] == "ok"
    assert "langfuse.observation.input" not in call
    langfuse = next(post for post in receiver.posts if post.path.startswith("/api/public"))
    assert base64.b64decode(langfuse.headers["authorization"].split()[1]) == b"pk-lf-1:sk-lf-secret"
    assert "x-token" not in langfuse.headers

    error = next(post for post in receiver.posts if post.path == "/api/7/envelope/")
    said = json.loads(error.body.splitlines()[2])
    assert [one["type"] for one in said["exception"]["values"]] == ["SandboxBroken"]
    assert said["exception"]["values"][0]["stacktrace"]["frames"][-1]["filename"] == "fakes.py"
    assert any(one["filename"] == "agents/live.py" for one in said["exception"]["values"][0]["stacktrace"]["frames"])

    bodies = b"".join(post.body for post in receiver.posts)
    private = (CELL, "gekuendigt", SENTENCE, "demn", "kunden", str(tmp_path), str(Path.home()), "/work", *SECRETS)
    for word in private:
        assert word.encode() not in bodies, word


class Choice(BaseModel):
    """Which column is predicted."""

    column: str


async def ask(settings: Settings) -> None:
    """A question from a text of ours, in a turn."""
    asked = [SystemMessage(render("answer_repair", problem="target: no such column")), HumanMessage(SENTENCE)]
    async with tracing_of(settings) as tracing:
        models = Models({"reasoning": [settings.reasoning] if settings.reasoning else []}, tracing=tracing)
        with tracing.span("turn", {}):
            await models.decide("reasoning", asked, Choice, Spending())
        await models.close()


async def test_words_go_along_only_when_that_is_switched_on(
    receiver: Receiver, server: ModelServer, tmp_path: Path
) -> None:
    server.plays(answers({"column": "gekuendigt"}))
    await ask(traced(receiver, server, tmp_path, trace_content=True))
    call = next(one["facts"] for one in spans(receiver, LANGFUSE_PATH) if "model" in one["name"])
    asked = json.loads(call["langfuse.observation.input"])
    assert [one["role"] for one in asked] == ["system", "human"]
    assert SENTENCE in asked[1]["content"]
    assert json.loads(call["langfuse.observation.output"]) == {"column": "gekuendigt"}
    assert call["langfuse.version"].startswith("answer_repair@")
    assert call["modelwright.decision"] == "Choice"
    assert not any(secret.encode() in post.body for post in receiver.posts for secret in SECRETS)


async def test_what_went_wrong_with_a_model_is_a_word(receiver: Receiver, server: ModelServer, tmp_path: Path) -> None:
    server.plays(fails(401, f"{CELL} is a bad key"))
    await ask(traced(receiver, server, tmp_path))
    call = next(one for one in spans(receiver, LANGFUSE_PATH) if "model" in one["name"])
    assert (call["facts"]["modelwright.outcome"], call["error"]) == ("unauthorised", True)
    assert not any(word.encode() in post.body for post in receiver.posts for word in (CELL, SENTENCE, *SECRETS))


async def test_without_a_key_nothing_is_opened(receiver: Receiver, server: ModelServer, tmp_path: Path) -> None:
    server.plays(answers({"column": "gekuendigt"}))
    given = traced(receiver, server, tmp_path)
    await ask(Settings(home=tmp_path, reasoning=given.reasoning))
    assert server.asked
    assert not receiver.posts
    assert not list(destinations(Settings(home=tmp_path)))


async def test_a_turn_without_calls_is_no_trace_for_langfuse(
    receiver: Receiver, server: ModelServer, tmp_path: Path
) -> None:
    settings = traced(receiver, server, tmp_path)
    async with tracing_of(settings) as tracing:
        with tracing.span("turn", {}):
            pass
    assert [one["name"] for one in spans(receiver, "/v1/traces")] == ["turn"]
    assert not spans(receiver, LANGFUSE_PATH)
    assert list(destinations(settings)) == [
        f"spans go to 127.0.0.1:{receiver.port}",
        f"calls of models go to Langfuse at 127.0.0.1:{receiver.port}",
        f"errors go to Sentry at 127.0.0.1:{receiver.port}",
    ]


@pytest.mark.parametrize("status", [500, 401])
async def test_a_collector_that_is_ill_or_gone_harms_nothing(
    status: int, receiver: Receiver, server: ModelServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    settings = traced(receiver, server, tmp_path)
    if status == 401:
        settings = settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:9"})
    began = time.monotonic()
    async with tracing_of(settings) as tracing:
        for _ in range(3):
            with tracing.span("turn", {}):
                tracing.report(ValueError(CELL))
    assert time.monotonic() - began < 20
    assert [line for line in caplog.messages if "work goes on without" in line]
    assert not any(word in caplog.text for word in (CELL, *SECRETS))


async def test_headers_of_the_environment_stay_here(
    receiver: Receiver, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=from-the-environment")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host=from-the-environment")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "from-the-environment")
    async with tracing_of(traced(receiver, server, tmp_path)) as tracing:
        with tracing.span("turn", {}):
            tracing.report(ValueError())
    assert len(receiver.posts) >= 2
    assert not any(b"from-the-environment" in post.all for post in receiver.posts)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"LANGFUSE_PUBLIC_KEY": "pk"}, "LANGFUSE_SECRET_KEY cannot be used: Langfuse wants a public and a secret key"),
        ({"LANGFUSE_SECRET_KEY": "sk"}, "set both or neither"),
        ({"OTLP_ENDPOINT": "localhost:4318"}, "it is no address; one looks like http://localhost:4318"),
        ({"LANGFUSE_HOST": "http://a:b@host"}, "an address holds no password"),
        ({"SENTRY_DSN": "nonsense"}, "it is no DSN of Sentry; one looks like https://key@host/1"),
    ],
)
def test_a_wrong_setting_is_said(values: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"MODELWRIGHT_{name}", value)
    with pytest.raises(CommandError, match=sentence):
        read_settings()
    with pytest.raises(ValidationError):
        Settings()


def test_small_things() -> None:
    assert traces_address("http://c:4318") == "http://c:4318/v1/traces"
    assert traces_address("http://c:4318/") == "http://c:4318/v1/traces"
    assert traces_address("http://c/otlp/v1/traces") == "http://c/otlp/v1/traces"
    assert headers_in("A=b=c, d = e ,,f") == {"a": "b=c", "d": "e"}
    assert place("/home/ann/p/agents/nodes/runner.py") == "agents/nodes/runner.py"
    assert place("/x/site-packages/_modelwright/tools/seal.py") == "_modelwright/tools/seal.py"
    assert place("/home/ann/secret.py") == "secret.py"


def test_the_command_reports_a_fault_of_ours_before_it_ends(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("MODELWRIGHT_SENTRY_DSN", f"http://abcdef0123456789@127.0.0.1:{receiver.port}/7")
    monkeypatch.setattr("sys.argv", ["modelwright", "models"])
    monkeypatch.setattr("typer.main.get_command", lambda _: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == FAILED
    assert "ZeroDivisionError" in capsys.readouterr().err
    said = json.loads(receiver.posts[0].body.splitlines()[2])
    assert said["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert said["exception"]["values"][0]["value"] == "(left out)"


async def test_doctor_says_who_is_told_and_who_does_not_take_it(
    receiver: Receiver, server: ModelServer, tmp_path: Path
) -> None:
    settings = traced(receiver, server, tmp_path)
    assert try_out(settings) == []
    receiver.status = 401
    problems = try_out(settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:9"}))
    assert problems == [
        "127.0.0.1:9 does not take spans (ConnectError)",
        f"127.0.0.1:{receiver.port} does not take spans (status 401)",
    ]
    assert "Sentry" in (await _tracing(settings))[0].text
    assert await _tracing(Settings(home=tmp_path)) == []
