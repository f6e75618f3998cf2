"""The gateway against a real server that behaves in every way that servers do."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, SecretStr

from agents.llm.breaker import Breaker
from agents.llm.calling import call, new_client
from agents.llm.egress import Shown, shown
from agents.llm.endpoint import Abilities, Endpoint, Memory
from agents.llm.salvage import value_in
from agents.llm.spending import Allowance, Call, Spending
from agents.llm.trouble import Trouble
from agents.models import Models
from tests.openai_server import (
    Behaviour,
    ModelServer,
    answers,
    calls,
    delta,
    errs,
    fails,
    guided,
    mode_of,
    only,
    page,
    plain,
    says,
    sends,
    serving,
    strict,
    thinks,
    tool_at_once,
)
from tools.schema import Schema, SchemaColumn


class Choice(BaseModel):
    """Which column is predicted."""

    reason: str
    column: str


KEY = "sk-0123456789"
GOOD = {"reason": "it is named so", "column": "churn"}
JSON = '{"reason": "it is named so", "column": "churn"}'
QUESTION = [HumanMessage("Which column says whether a customer left?")]
SOON = {"retry-after": "0.01"}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """One for the module; each test writes its script."""
    with serving() as running:
        yield running


@pytest.fixture
async def models(server: ModelServer) -> AsyncIterator[Models]:
    """Nothing learned yet."""
    made = Models({"reasoning": [endpoint(server)]}, backoff=0.0)
    yield made
    await made.close()


def endpoint(server: ModelServer, **changes: Any) -> Endpoint:
    """The server as a user would configure it."""
    return Endpoint(**{"base_url": server.url, "model": "m", "key": SecretStr(KEY), "seconds": 20.0, **changes})


async def asked(models: Models, spending: Spending | None = None) -> Choice | Trouble:
    """The value, or why there is none."""
    found = await models.decide("reasoning", QUESTION, Choice, spending or Spending())
    assert (found.value is None) != (found.trouble is None)
    return found.value or found.trouble or pytest.fail("neither")


USABLE: dict[str, list[Behaviour]] = {
    "good": [answers(GOOD)],
    "prose": [says(f"I thought about it. {JSON} I hope this helps.")],
    "fence": [says(f"```json\n{JSON}\n```")],
    "thoughts": [says(f'<think>{{"reason": "no", "column": "wrong"}}</think>{JSON}')],
    "no strict form": [only(["tool", "json_object", "text"], answers(GOOD))],
    "no tools either": [only(["json_object", "text"], answers(GOOD))],
    "words only": [only(["text"], answers(GOOD))],
    "repaired": [says('{"reason": "x"}'), answers(GOOD)],
    "repaired from prose": [says("The column is churn."), answers(GOOD)],
    "broken arguments": [
        only(["tool", "text"], calls("Choice", '{"reason": "x", "colu')),
        answers(GOOD),
        answers(GOOD),
    ],
    "busy, then well": [fails(429, "slow down", SOON), answers(GOOD)],
    "an error, then well": [fails(500, "oops", SOON), answers(GOOD)],
    "a page, then well": [page(502), answers(GOOD)],
    "cut, then well": [sends(delta(content='{"rea'), done=False), answers(GOOD)],
    "no choices, then well": [sends({**delta(), "choices": []}), answers(GOOD)],
    "no temperature": [fails(400, "Unsupported value: 'temperature' does not support 0"), answers(GOOD)],
    "uncounted": [says(JSON, counted=False)],
}


@pytest.mark.parametrize("name", USABLE)
async def test_what_can_be_used_is_used(name: str, server: ModelServer, models: Models) -> None:
    server.plays(*USABLE[name])
    assert await asked(models) == Choice(**GOOD)


HOPELESS: dict[str, tuple[str, list[Behaviour]]] = {
    "prose for ever": ("invalid", [says("I would rather talk about the weather.")]),
    "never the form": ("invalid", [says('{"reason": 1}')]),
    "refusal": ("refused", [sends(delta(role="assistant", refusal="I cannot help with that."), delta("stop"))]),
    "filtered": ("refused", [says("x", finish="content_filter")]),
    "too long": ("overflow", [says('{"reason": "', finish="length")]),
    "question too long": ("overflow", [fails(400, "This model's maximum context length is 8 tokens")]),
    "wrong key": ("unauthorised", [fails(401, f"bad key {KEY}")]),
    "not allowed": ("forbidden", [fails(403, f"the key {KEY} may not")]),
    "a key repeated": ("rejected", [fails(400, f"bad header: {KEY}, {162 * 'x'}{KEY}")]),
    "no such model": ("not_found", [fails(404, "model m does not exist")]),
    "busy for ever": ("rate_limited", [fails(429, "slow down", SOON)]),
    "broken for ever": ("server", [fails(500, "oops", SOON)]),
    "a web page": ("no_model_server", [page(404)]),
    "empty": ("empty", [says("")]),
    "cut": ("cut", [sends(delta(content=JSON), done=False)]),
    "cut with a mark": ("cut", [sends(delta(content=JSON))]),
    "endless": ("too_long", [sends(*[delta(content="a" * 4000)] * 110)]),
    "an error in the stream": ("server", [sends(delta(content="{"), 'data: {"error": {"message": "gpu"}}\n\n')]),
}


@pytest.mark.parametrize("name", HOPELESS)
async def test_what_cannot_is_refused_with_a_name(name: str, server: ModelServer, models: Models) -> None:
    kind, script = HOPELESS[name]
    server.plays(*script)
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind == kind
    assert "m at 127.0.0.1" in trouble.sentence
    assert KEY[:8] not in trouble.sentence


BURST = f"data: {json.dumps(delta(content=' '))}\n\n" * 20_000
"""So much at once that reading it takes longer than the deadline, without ever having to wait."""


@pytest.mark.parametrize("silence", [sends(hang=True), sends(*[delta(content=" ")] * 2000, pause=0.02), sends(BURST)])
async def test_the_deadline_holds_over_the_whole_call(silence: Behaviour, server: ModelServer) -> None:
    server.plays(silence)
    models = Models({"reasoning": [endpoint(server, seconds=0.4)]})
    trouble = await asked(models)
    await models.close()
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "timeout"


async def test_a_deadline_holds_where_nobody_cancels(server: ModelServer) -> None:
    server.plays(sends(*[delta(content=" ")] * 2000, pause=0.02))
    async with new_client() as client:
        with pytest.raises(TimeoutError):
            await call(endpoint(server), QUESTION, "text", None, Abilities(), client, deadline=time.monotonic() + 0.1)
    assert len(server.asked) == 1


async def test_a_dead_host_is_unreachable(models: Models) -> None:
    models.roles = {"reasoning": [Endpoint(base_url="http://127.0.0.1:9/v1", model="m", seconds=20)]}
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "unreachable"


async def test_something_else_on_the_port_is_no_model(server: ModelServer, models: Models) -> None:
    server.plays(plain("SSH-2.0"))
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind in ("empty", "no_model_server")


async def test_what_a_server_refuses_is_asked_once(server: ModelServer, tmp_path: Path) -> None:
    server.plays(only(["json_object", "text"], answers(GOOD)))
    first = Models({"reasoning": [endpoint(server)]}, Memory(tmp_path / "models.json"))
    await asked(first)
    assert [mode_of(one) for one in server.asked] == ["json_schema", "tool", "json_object"]
    await first.close()
    later = Models({"reasoning": [endpoint(server)]}, Memory(tmp_path / "models.json"))
    await asked(later)
    await later.close()
    assert [mode_of(one) for one in server.asked][3:] == ["json_object"]
    assert KEY not in (tmp_path / "models.json").read_text()


async def test_the_second_endpoint_answers_when_the_first_cannot(server: ModelServer) -> None:
    server.plays(answers(GOOD))
    dead = Endpoint(base_url="http://127.0.0.1:9/v1", model="dead", seconds=20)
    models = Models({"reasoning": [dead, endpoint(server)]})
    found = await models.decide("reasoning", QUESTION, Choice, Spending())
    await models.close()
    assert found.value == Choice(**GOOD)
    assert found.endpoint.startswith("m at")


async def test_a_sick_endpoint_is_left_alone_and_probed_once(server: ModelServer) -> None:
    now = [0.0]
    server.plays(fails(401, "bad key"))
    models = Models({"reasoning": [endpoint(server)]}, new_breaker=lambda: Breaker(2, 30.0, lambda: now[0]))
    kinds = [trouble.kind for trouble in [await asked(models) for _ in range(4)] if isinstance(trouble, Trouble)]
    assert kinds == ["unauthorised", "unauthorised", "circuit_open", "circuit_open"]
    assert len(server.asked) == 2
    now[0] = 31.0
    assert isinstance(await asked(models), Trouble)
    assert isinstance(await asked(models), Trouble)
    assert len(server.asked) == 3
    server.plays(answers(GOOD))
    now[0] = 62.0
    assert await asked(models) == Choice(**GOOD)
    assert await asked(models) == Choice(**GOOD)
    await models.close()


async def test_a_value_that_contradicts_the_facts_is_sent_back(server: ModelServer, models: Models) -> None:
    server.plays(answers({"reason": "", "column": "left"}), answers(GOOD))
    found = await models.decide(
        "reasoning", QUESTION, Choice, Spending(), check=lambda it: "" if it.column == "churn" else "no such column"
    )
    assert found.value == Choice(**GOOD)
    assert "no such column" in server.heard[-1].decode()


async def test_what_is_spent_is_counted_and_bounded(server: ModelServer) -> None:
    server.plays(answers(GOOD))
    models = Models({"reasoning": [endpoint(server, price_in=1e6, price_out=1e6)]})
    spending = Spending(run=Allowance(tokens=1100))
    told: list[Call] = []

    async def tell(call: Call) -> None:
        told.append(call)

    while (await models.decide("reasoning", QUESTION, Choice, spending, tell=tell)).value is not None:
        assert spending.tokens == 18 * len(server.asked)
    trouble = await asked(models, spending)
    await models.close()
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "no_budget"
    assert spending.money == pytest.approx(spending.tokens)
    assert told == spending.calls
    assert [call.outcome for call in told].count("no_budget") == 1


async def test_retries_come_out_of_one_purse(server: ModelServer, models: Models) -> None:
    server.plays(fails(429, "slow down", SOON))
    spending = Spending(run=Allowance(retries=3))
    await asked(models, spending)
    await asked(models, spending)
    await asked(models, spending)
    assert len(server.asked) == 3 + 3


async def test_a_wait_beyond_the_deadline_is_not_waited(server: ModelServer, models: Models) -> None:
    server.plays(fails(429, "come tomorrow", {"retry-after": "86400"}))
    assert isinstance(await asked(models), Trouble)
    assert len(server.asked) == 1


async def test_nobody_is_asked_where_nobody_is_configured() -> None:
    trouble = await asked(Models())
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "off"


NO_OBJECT_TOOL = "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
OTHER_FORMAT = "'response_format.type' must be 'json_schema' or 'text'"
PROSE = says("I think that it is the column churn.")
SERVERS: dict[str, tuple[list[Behaviour], list[str]]] = {
    "OpenAI": ([answers(GOOD)], ["json_schema"]),
    "OpenAI, a model that thinks": (
        [fails(400, "Unsupported value: 'temperature' does not support 0 with this model."), answers(GOOD)],
        ["json_schema", "json_schema"],
    ),
    "vLLM, guided decoding": ([guided(GOOD)], ["json_schema"]),
    "vLLM, Mistral": ([strict(only(["json_object", "text"], answers(GOOD)))], ["json_schema", "tool", "json_object"]),
    "vLLM, Mistral, repaired": ([strict(says(JSON[:-9])), strict(answers(GOOD))], ["json_schema", "json_object"]),
    "vLLM, Qwen-VL": ([only(["json_schema", "text"], answers(GOOD))], ["json_schema"]),
    "vLLM, DeepSeek-Coder in a fence": (
        [only(["text"], says(f"Sure:\n```json\n{JSON}\n```"))],
        ["json_schema", "tool", "json_object", "text"],
    ),
    "vLLM, DeepSeek-R1, its thoughts apart": ([thinks('{"column": "no"}', JSON)], ["json_schema"]),
    "vLLM, DeepSeek-R1, its thoughts open": ([says(f"Hm, maybe…</think>\n{JSON}")], ["json_schema"]),
    "vLLM, Gemma": ([fails(400, "System role not supported"), answers(GOOD)], ["json_schema", "json_schema"]),
    "Ollama": ([answers(GOOD)], ["json_schema"]),
    "Ollama, response_format ignored": ([PROSE, says(JSON)], ["json_schema", "json_object"]),
    "Ollama, a tool at once": ([only(["tool"], tool_at_once(GOOD))], ["json_schema", "tool"]),
    "LM Studio": (
        [errs(400, {"error": OTHER_FORMAT}), errs(400, {"error": NO_OBJECT_TOOL}), answers(GOOD)],
        ["json_schema", "tool", "json_object"],
    ),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_each_kind_of_server_is_asked_in_its_way(name: str, server: ModelServer, models: Models) -> None:
    script, modes = SERVERS[name]
    server.plays(*script)
    assert await asked(models) == Choice(**GOOD)
    assert [mode_of(one) for one in server.asked] == modes
    assert await asked(models) == Choice(**GOOD)
    assert [mode_of(one) for one in server.asked[len(modes) :]] == modes[-1:]


ERRORS: dict[str, tuple[int, Any, str, str]] = {
    "vLLM, no model": (
        404,
        {"object": "error", "message": "The model `x` does not exist.", "code": 404},
        "not_found",
        "`x`",
    ),
    "Ollama, no model": (
        404,
        {"error": {"message": 'model "x" not found, try pulling it first'}},
        "not_found",
        "pulling",
    ),
    "LM Studio, no model": (404, {"error": "Model not loaded"}, "not_found", "Model not loaded"),
    "FastAPI": (404, {"detail": "Not Found"}, "not_found", "Not Found"),
    "vLLM, too long": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, you requested 9000",
        },
        "overflow",
        "longer",
    ),
    "llama.cpp, too long": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size",
                "type": "invalid_request",
            }
        },
        "overflow",
        "longer",
    ),
    "LM Studio, too long": (
        400,
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded "
            "with context length of only 4096 tokens"
        },
        "overflow",
        "longer",
    ),
    "no credit": (402, {"error": {"message": "Insufficient Balance"}}, "forbidden", "no credit left"),
    "OpenAI, no credit": (
        429,
        {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
        "forbidden",
        "no credit left",
    ),
    "no JSON": (418, "teapot", "rejected", "teapot"),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_each_servers_errors_are_understood(name: str, server: ModelServer, models: Models) -> None:
    status, body, kind, words = ERRORS[name]
    server.plays(errs(status, body))
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind == kind
    assert words in trouble.sentence


async def test_a_page_that_comes_with_status_200_is_no_model(server: ModelServer, models: Models) -> None:
    server.plays(page(200))
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "no_model_server"
    assert len(server.asked) == 1


async def test_thoughts_alone_are_no_answer(server: ModelServer, models: Models) -> None:
    server.plays(thinks("It could be churn.", ""))
    trouble = await asked(models)
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "empty"


async def test_a_question_of_rules_alone_becomes_the_users_turn(server: ModelServer, models: Models) -> None:
    server.plays(strict(only(["text"], answers(GOOD))))
    found = await models.decide("reasoning", [SystemMessage("Which column?")], Choice, Spending())
    assert found.value == Choice(**GOOD)
    assert [message["role"] for message in server.asked[-1]["messages"]] == ["user"]


async def test_bytes_columns_and_unheard_answers_are_counted(server: ModelServer, models: Models) -> None:
    view = Shown("churn, Kündigung", columns=2, rows=1, masked=("EMAIL",))
    server.heard.clear()
    server.plays(sends(delta(content=JSON), done=False), answers(GOOD))
    spending = Spending()
    await models.decide("reasoning", [HumanMessage("Kündigung?")], Choice, spending, about=view)
    cut, well = spending.calls
    assert [call.bytes_out for call in spending.calls] == [len(body) for body in server.heard]
    assert (well.columns, well.rows, well.masked) == (2, 1, ("EMAIL",))
    assert (cut.outcome, cut.estimated) == ("cut", True)
    assert cut.tokens_in > 0
    assert cut.tokens_out > 0


async def test_a_column_named_by_personal_data_has_another_name_outside(server: ModelServer, models: Models) -> None:
    name = "jane.doe@example.org"
    view = shown(Schema((SchemaColumn(name, "float", "number"), SchemaColumn("a", "float", "number"))))
    alias = dict(view.aliases)[name]
    assert name not in view.text
    assert view.masked == ("EMAIL",)
    server.heard.clear()
    server.plays(answers({"reason": "", "column": "b"}), answers({"reason": "so", "column": alias}))
    question = [SystemMessage(view.text), HumanMessage(f"Predict {name}")]
    checked = []

    def check(said: Choice) -> str:
        checked.append(said.column)
        return "" if said.column == name else f"there is {name} and a"

    found = await models.decide("reasoning", question, Choice, Spending(), check=check, about=view)
    assert found.value == Choice(reason="so", column=name)
    assert checked == ["b", name]
    assert name not in b"".join(server.heard).decode()
    assert b"".join(server.heard).decode().count(alias) >= 4


def test_half_a_character_is_no_reason_to_fail_later() -> None:
    class Word(BaseModel):
        word: str

    found = value_in(r'Well: {"word": "b\ud800c \ud83d\ude00"}', Word)
    assert found.word.encode() == "b?c 😀".encode()


async def test_no_server_hears_of_an_account_elsewhere(
    server: ModelServer, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-mine")
    seen: list[httpx.Headers] = []
    client = models.client()
    client.event_hooks["request"].append(_noting(seen))
    await models.write("reasoning", QUESTION, Spending())
    assert seen
    assert not any("openai-organization" in headers or "openai-project" in headers for headers in seen)


def _noting(seen: list[httpx.Headers]) -> Callable[[httpx.Request], Awaitable[None]]:
    async def note(request: httpx.Request) -> None:
        seen.append(request.headers)

    return note
