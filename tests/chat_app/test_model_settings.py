"""Roles changed in the application: kept, followed at once, and never a key given back."""

import json
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import SecretStr
from starlette.responses import Response

from agents.llm.endpoint import Endpoint, Memory
from agents.llm.spending import Spending
from chat_app.model_desk import ModelDesk
from chat_app.model_settings import TEST_KINDS, ModelSettings, ModelTest, RoleStore
from chat_app.model_testing import try_model
from chat_app.settings import Settings
from chat_app.store import migrate, open_store
from tests.openai_server import (
    Asked,
    Behaviour,
    ModelServer,
    answers,
    calls,
    fails,
    mode_of,
    only,
    page,
    says,
    sends,
    serving,
)

KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[ModelDesk]:
    """Without anything in the environment."""
    settings = Settings(home=tmp_path)
    settings.prepare_home()
    migrate(settings.database)
    async with open_store(settings.database) as store:
        made = ModelDesk(settings, store)
        yield made
        await made.models.close()


def shown(found: ModelSettings, role: str) -> dict[str, Any]:
    return asdict(next(one for one in found.roles if one.role == role))


async def test_a_role_is_changed_and_holds_at_once_and_after_a_restart(
    desk: ModelDesk, server: ModelServer, tmp_path: Path
) -> None:
    assert not desk.models.has("reasoning")
    fields: dict[str, Any] = {"base_url": server.url, "model": "m", "key": KEY, "temperature": None, "price_in": 2.5}
    assert await desk.configure_role("reasoning", fields) == ""
    server.plays(says("Hello."))
    assert await desk.models.write("reasoning", [HumanMessage("Hello?")], Spending()) == "Hello."
    assert server.keys[-1] == f"Bearer {KEY}"
    found = await desk.settings()
    role = shown(found, "reasoning")
    assert (role["key_set"], role["source"], role["temperature"], role["price_in"]) == (True, "here", None, 2.5)
    assert role["answers"] == shown(found, "code")["answers"] == (Endpoint(**fields).name,)
    assert shown(found, "vision")["answers"] == ()
    assert KEY not in repr(found)
    file = tmp_path / "roles.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = RoleStore(Settings(home=tmp_path)).endpoint("reasoning")
    assert again is not None
    assert (again.key.get_secret_value(), again.price_in) == (KEY, 2.5)
    assert await desk.configure_role("reasoning", {"reset": True}) == ""
    assert not desk.models.has("reasoning")
    assert KEY not in file.read_text()


async def test_what_is_corrected_is_tried_at_once(desk: ModelDesk, server: ModelServer) -> None:
    await desk.configure_role("reasoning", {"base_url": server.url, "model": "m", "key": "sk-old"})
    server.plays(fails(401))
    for _ in range(5):
        await desk.models.write("reasoning", [HumanMessage("Hello?")], Spending())
    assert len(server.asked) == 3
    await desk.configure_role("reasoning", {"key": KEY})
    server.plays(says("Hello."))
    assert await desk.models.write("reasoning", [HumanMessage("Hello?")], Spending()) == "Hello."


def test_a_key_stays_with_its_server(tmp_path: Path) -> None:
    env = Endpoint(base_url="http://env.example/v1", model="e", key=SecretStr(KEY))
    store = RoleStore(Settings(home=tmp_path, reasoning=env))
    assert store.change_role("reasoning", {"model": "other"}) == ""
    assert _key(store) == KEY
    assert KEY not in (tmp_path / "roles.json").read_text()
    assert store.change_role("reasoning", {"base_url": "http://evil.example/v1"}) == ""
    assert _key(store) == ""
    assert store.change_role("reasoning", {"key": "sk-2"}) == ""
    assert store.change_role("reasoning", {"base_url": "http://third.example/v1"}) == ""
    assert _key(store) == ""
    assert store.change_role("reasoning", {"base_url": "http://third.example/v1", "key": "sk-3"}) == ""
    assert store.change_role("reasoning", {"base_url": "http://third.example/v2"}) == ""
    assert _key(store) == "sk-3"
    moved = env.model_copy(update={"base_url": "http://elsewhere.example/v1"})
    later = RoleStore(Settings(home=tmp_path, reasoning=moved)).endpoint("reasoning")
    assert later is not None
    assert later.base_url == "http://third.example/v2"
    assert store.change_role("reasoning", {"off": True}) == ""
    assert store.roles == {}
    assert store.change_role("reasoning", {"reset": True}) == ""
    assert store.endpoint("reasoning") == env


def _key(store: RoleStore) -> str:
    found = store.endpoint("reasoning")
    assert found is not None
    return found.key.get_secret_value()


WRONG: list[dict[str, Any]] = [
    {"model": "m"},
    {"base_url": KEY, "model": "m"},
    {"base_url": "http://x:99999/v1", "model": "m"},
    {"base_url": "http://[x/v1", "model": "m"},
    {"base_url": "http://x/v1", "model": ""},
    {"base_url": "http://x/v1", "model": "m", "temperature": 9},
    {"base_url": "http://x/v1", "model": "m", "price_in": float("nan")},
    {"base_url": "http://x/v1", "model": "m", "context_tokens": "many"},
    {"base_url": "http://x/v1", "model": "m", "key": f"{KEY}\nX-More: 1"},
    {"base_url": "http://x/v1", "model": "m", "key": {"is": KEY}},
    {"base_url": f"http://user:{KEY}@x/v1", "model": "m"},
    {"colour": KEY},
]


@pytest.mark.parametrize("fields", WRONG)
async def test_what_does_not_fit_is_said_and_changes_nothing(desk: ModelDesk, fields: dict[str, Any]) -> None:
    problem = await desk.configure_role("reasoning", fields)
    assert problem.endswith(".")
    assert KEY not in problem
    assert not desk.models.has("reasoning")
    assert shown(await desk.settings(), "reasoning")["source"] == "none"


async def test_egress_and_budgets_are_changed_and_bounded(desk: ModelDesk, server: ModelServer) -> None:
    await desk.configure_role("reasoning", {"base_url": server.url, "model": "m"})
    assert await desk.configure({"run_tokens": 5, "day_money": 1.5, "run_minutes": None, "egress": "sample"}) == ""
    found = await desk.settings()
    assert (found.egress, found.budgets.run_tokens, found.budgets.day_money) == ("sample", 5, 1.5)
    assert (desk.models.egress, found.budgets.run.seconds) == ("sample", None)
    spending = await desk.spending("p", {"money": 0.25})
    assert (spending.run.tokens, spending.run.money, spending.day.money) == (5, 0.25, 1.5)
    for wrong in ({"egress": "all"}, {"run_tokens": -1}, {"day_money": "much"}, {"hourly": 1}):
        assert (await desk.configure(wrong)).endswith(".")
    assert await desk.configure({"egress": "off"}) == ""
    assert not desk.models.has("reasoning")
    assert shown(await desk.settings(), "reasoning")["model"] == "m"
    assert "switched off" in (await desk.test("reasoning", "sentence")).sentence


@pytest.mark.parametrize("text", ["", "[]", "{", '{"roles": 3, "budgets": [], "egress": 1}', '{"roles": {"code": 1}}'])
def test_a_damaged_file_is_as_good_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "roles.json").write_text(text)
    store = RoleStore(Settings(home=tmp_path))
    assert (store.roles, store.egress, store.budgets.run_tokens) == ({}, "schema", 200_000)
    assert store.change_role("code", {"base_url": "http://x/v1", "model": "m"}) == ""


async def reads_the_picture(asked: Asked) -> Response:
    """A model with eyes: it counts the digits by their width and gives as many."""
    image = asked["messages"][0]["content"][1]["image_url"]["url"]
    assert image.startswith("data:image/png;base64,")
    return await answers({"description": "a number", "number": "0000"})(asked)


READY = {"reason": "always am", "word": "ready"}
CODE = "```python\ndef median_of(values):\n    return sorted(values)[len(values) // 2]\n```"
TESTS: dict[str, tuple[str, Behaviour, bool, str]] = {
    "a sentence": ("sentence", says("The middle one."), True, "answers in words"),
    "thoughts alone": ("sentence", says("<think>hm"), False, "said nothing to the reader"),
    "a form": ("structured", answers(READY), True, "a JSON schema, a named tool, any JSON, words alone"),
    "some forms": ("structured", only(["json_object", "text"], answers(READY)), True, "any JSON, words alone"),
    "a form that is ignored": ("structured", says("I am ready."), False, "none of the ways"),
    "code": ("code", says(CODE), True, "writes Python"),
    "no code": ("code", says("Use statistics.median."), False, "no Python"),
    "other code": ("code", says("```\nprint(1)\n```"), False, "not the function"),
    "a wrong number": ("picture", reads_the_picture, False, "It read 0000 where"),
    "no eyes": ("picture", fails(400, "image input is not supported"), False, "rejects the request"),
    "a wrong key": ("sentence", fails(401, f"bad key {KEY}"), False, "does not accept the key"),
    "a web page": ("structured", page(502), False, "web page"),
    "a hang": ("sentence", sends(hang=True), False, "in time"),
}


@pytest.mark.parametrize("name", TESTS)
async def test_a_role_is_tested(name: str, server: ModelServer) -> None:
    what, behaviour, well, words = TESTS[name]
    server.plays(behaviour)
    endpoint = Endpoint(base_url=server.url, model="m", key=SecretStr(KEY), seconds=1.5, price_out=1e6)
    found, spent = await try_model("vision" if what == "picture" else "code", what, endpoint, Memory())  # type: ignore[arg-type]  # a name of the test
    assert isinstance(found, ModelTest)
    assert found.ok == well, found
    assert words in found.sentence
    assert bool(found.advice) != well
    assert KEY not in repr(found)
    assert found.endpoint == endpoint.name
    assert len(spent) == len(server.asked) > 0
    if well:
        assert found.tokens_out == found.cost == 7 * len([one for one in spent if one.outcome == "ok"])
        assert found.seconds > 0


async def test_each_way_of_asking_is_tried_once_and_remembered(server: ModelServer) -> None:
    server.plays(only(["tool", "text"], answers(READY)))
    endpoint, memory = Endpoint(base_url=server.url, model="m"), Memory()
    found, _ = await try_model("reasoning", "structured", endpoint, memory)
    assert [mode_of(one) for one in server.asked] == ["json_schema", "tool", "json_object", "text"]
    assert dict(found.modes) == {"json_schema": False, "tool": True, "json_object": False, "text": True}
    assert memory.of(endpoint).order() == ("tool", "text")
    server.plays(calls("Ready", "{}"))
    found, _ = await try_model("reasoning", "structured", endpoint, memory)
    assert not any(dict(found.modes).values())


async def test_the_picture_that_is_sent_holds_the_number(monkeypatch: pytest.MonkeyPatch, server: ModelServer) -> None:
    monkeypatch.setattr("chat_app.model_testing.secrets.randbelow", lambda most: 3)
    server.plays(answers({"description": "digits", "number": "4444"}))
    found, _ = await try_model("vision", "picture", Endpoint(base_url=server.url, model="m"), Memory())
    assert found.ok, found
    assert "4444" in found.sentence


async def test_a_test_of_nobody_or_nothing_is_said(desk: ModelDesk) -> None:
    assert "No model is configured" in (await desk.test("vision", "picture")).sentence
    for role, what in (("king", "sentence"), ("code", "dance")):
        with pytest.raises(LookupError):
            await desk.test(role, what)
    assert "no role" in await desk.configure_role("king", {})
    assert json.loads(json.dumps(TEST_KINDS)) == ["sentence", "structured", "code", "picture"]
