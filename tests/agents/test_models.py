"""The gateway against a real server that behaves in every way that servers do."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, SecretStr

from agents.llm.breaker import Breaker
from agents.llm.endpoint import Endpoint, Memory
from agents.llm.spending import Allowance, Spending
from agents.llm.trouble import Trouble
from agents.models import Models
from tests.openai_server import (
    Behaviour,
    ModelServer,
    answers,
    calls,
    delta,
    fails,
    mode_of,
    only,
    page,
    plain,
    says,
    sends,
    serving,
)


class Choice(BaseModel):
    """Which column is predicted."""

    reason: str
    column: str


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
    return Endpoint(**{"base_url": server.url, "model": "m", "key": SecretStr("sk-1"), "seconds": 20.0, **changes})


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
    "wrong key": ("unauthorised", [fails(401, "bad key sk-1")]),
    "not allowed": ("forbidden", [fails(403, "this key may not")]),
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
    assert "sk-1" not in trouble.sentence


@pytest.mark.parametrize("silence", [sends(hang=True), sends(*[delta(content=" ")] * 2000, pause=0.02)])
async def test_the_deadline_holds_over_the_whole_call(silence: Behaviour, server: ModelServer) -> None:
    server.plays(silence)
    models = Models({"reasoning": [endpoint(server, seconds=0.4)]})
    trouble = await asked(models)
    await models.close()
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "timeout"


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
    assert "sk-1" not in (tmp_path / "models.json").read_text()


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
    told = []

    async def tell(call: object) -> None:
        told.append(call)

    while (await models.decide("reasoning", QUESTION, Choice, spending, tell=tell)).value is not None:
        assert spending.tokens == 18 * len(server.asked)
    trouble = await asked(models, spending)
    await models.close()
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "no_budget"
    assert spending.money == pytest.approx(spending.tokens)
    assert told == spending.calls


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
