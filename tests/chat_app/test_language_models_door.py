"""What the browser asks about language models: keys go in and never come out, strangers get nothing."""

from collections.abc import Iterator

import pytest

from tests.chat_app.test_chat_door import Door, door
from tests.openai_server import ModelServer, says, serving

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("chat door")]
__all__ = ["door"]
BASE = "/api/language-models"
KEY = "sk-rumpelstiltskin"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def test_a_stranger_and_another_page_get_nothing(door: Door) -> None:
    assert (await door.stranger.get(BASE)).status_code == 401
    for path in ("", "/roles/reasoning", "/roles/reasoning/test"):
        assert (await door.stranger.post(BASE + path, json={"what": "sentence"})).status_code == 401
        foreign = await door.client.post(BASE + path, json={}, headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403


async def test_a_role_is_set_and_tried_and_its_key_stays_inside(door: Door, server: ModelServer) -> None:
    server.plays(says("Four."))
    fields = {"base_url": server.url, "model": "m", "key": KEY, "price_in": 2.5, "temperature": None}
    saved = await door.client.post(f"{BASE}/roles/reasoning", json=fields)
    assert saved.status_code == 200, saved.text
    role = saved.json()["settings"]["roles"][0]
    assert (role["role"], role["key_set"], role["source"], role["price_in"]) == ("reasoning", True, "here", 2.5)
    tried = await door.client.post(f"{BASE}/roles/reasoning/test", json={"what": "sentence"})
    found = tried.json()
    assert found["ok"], found
    assert found["tokens_in"] > 0
    assert found["seconds"] > 0
    seen = (await door.client.get(BASE)).text
    assert "key_set" in seen
    for text in (saved.text, tried.text, seen):
        assert KEY not in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/roles/reasoning", {"base_url": "ftp://x", "model": "m"}),
        ("/roles/reasoning", {"nonsense": 1}),
        ("/roles/reasoning", {"key": {"deep": KEY}}),
        ("/roles/reasoning", {"context_tokens": KEY}),
        ("/roles/nobody", {"model": "m"}),
        ("/roles/reasoning/test", {"what": "dance"}),
        ("/roles/reasoning", [KEY]),
        ("", {"egress": "everything"}),
        ("", {"run_tokens": -1}),
        ("", {"run_money": "much"}),
        ("", {str(number): number for number in range(50)}),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words_that_hold_no_key(door: Door, path: str, body: object) -> None:
    answer = await door.client.post(BASE + path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["sentence"]
    assert KEY not in answer.text


async def test_egress_and_budgets_are_kept(door: Door) -> None:
    saved = await door.client.post(BASE, json={"egress": "off", "day_money": 1.5, "run_tokens": None})
    settings = saved.json()["settings"]
    assert (settings["egress"], settings["budgets"]["day_money"], settings["budgets"]["run_tokens"]) == (
        "off",
        1.5,
        None,
    )
    assert (await door.client.post(BASE, json={"egress": "schema", "day_money": None})).status_code == 200


async def test_the_address_of_the_settings_opens_the_page_with_them(door: Door) -> None:
    there = await door.client.get("/settings")
    assert (there.status_code, there.headers["location"]) == (307, "/#settings")
