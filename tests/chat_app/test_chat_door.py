"""The web application without a browser: pages, the REST door, past chats, and what we rely on in Chainlit."""

import json
import re
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import httpx
import pytest
import pytest_asyncio

from agents.context import Entry
from agents.events import Event
from chat_app.app import create_app
from chat_app.chainlit_home import ELEMENTS, PUBLIC
from chat_app.conductor import Conductor, open_conductor
from chat_app.drawing import Drawing
from chat_app.projector import CardKind, Projection
from chat_app.settings import Settings
from tests.chat_app.logs import PROJECT, a_whole_turn, log
from tests.fakes import ScriptedSandbox

# one process may hold one chat only, because Chainlit keeps its callbacks in globals
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("chat door")]


@dataclass
class Door:
    """The application as a signed-in browser reaches it."""

    client: httpx.AsyncClient
    stranger: httpx.AsyncClient
    conductor: Conductor
    settings: Settings

    async def project(self, name: str, events: list[Event], title: str = "predict churn") -> str:
        await self.conductor.new_project(project=name, title=title)
        entries = [Entry(f"{name}/{n}", event, None, "system") for n, event in enumerate(events)]
        await self.conductor.log.append(name, entries)
        return f"/api/projects/{name}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    settings = Settings(home=tmp_path_factory.mktemp("door") / "home")
    async with open_conductor(settings, ScriptedSandbox()) as conductor:
        with warnings.catch_warnings():  # importing Chainlit brings libraries that warn of their own age
            warnings.simplefilter("ignore")
            app = create_app(settings, conductor)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as stranger,
        ):
            await client.get("/")  # opening the page signs in
            yield Door(client, stranger, conductor, settings)


async def test_the_page_signs_in_and_comes_from_here_only(door: Door) -> None:
    page = await door.stranger.get("/")
    door.stranger.cookies.clear()
    assert "samesite=strict" in page.headers["set-cookie"].lower()
    assert "httponly" in page.headers["set-cookie"].lower()
    assert not re.findall(r"(?:href|src)=\"(?:https?:)?//[^\"]+", page.text)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "set-cookie" not in (await door.client.get("/")).headers, "who is known is not signed in again"


@pytest.mark.parametrize("path", ["", "/p1/state", "/p1/events", "/p1/artifacts/1/x", f"/p1/files/{'0' * 64}"])
async def test_a_stranger_gets_nothing(door: Door, path: str) -> None:
    answer = await door.stranger.get(f"/api/projects{path}")
    assert answer.status_code == 401
    assert answer.json()["sentence"]


async def test_state_and_events_of_a_project(door: Door) -> None:
    base = await door.project("told", a_whole_turn())
    state = (await door.client.get(f"{base}/state")).json()
    assert (state["verdict"], state["running"]) == ("better", False)
    events = (await door.client.get(f"{base}/events", params={"after": 3})).json()
    assert [event["seq"] for event in events][:2] == [4, 5]
    assert set(events[0]) == {"v", "id", "project", "seq", "at", "type", "stage", "actor", "payload"}


async def test_commands_that_make_no_sense_are_refused_with_a_sentence(door: Door) -> None:
    base = await door.project("idle", [])
    for verb, body, status in (
        ("stop", None, 409),
        ("decide", {"interrupt_id": "x", "decision": {"action": "approve"}}, 409),
        ("rewind", {"stage": "NOWHERE"}, 409),
        ("decide", {"interrupt_id": "x", "decision": {"action": "burn"}}, 422),
        ("start", {"message": ""}, 422),
        ("start", {"message": " \n\t "}, 422),
    ):
        answer = await door.client.post(f"{base}/{verb}", json=body)
        assert answer.status_code == status, (verb, answer.text)
        assert set(answer.json()) >= {"accepted", "sentence"}
        assert answer.json()["accepted"] is False
        assert answer.json()["sentence"]
    assert (await door.client.post("/api/projects/nobody/stop")).status_code == 404


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("start", r'{"message": "\ud800 predict it"}', 422),
        ("decide", r'{"interrupt_id": "\udfff", "decision": {"action": "approve"}}', 422),
        ("decide", r'{"interrupt_id": "x", "decision": {"action": "edit", "contract": {"\ud800": 1}}}', 422),
        ("decide", '{"interrupt_id": "x", "decision": {"action": "edit", "contract": {"seed": 1e999}}}', 422),
        ("decide", '{"interrupt_id": "x", "decision": {"action": "edit", "contract": {"seed": NaN}}}', 422),
        (
            "decide",
            '{"interrupt_id": "x", "decision": {"action": "edit", "contract": {"seed": 1' + "0" * 400 + "}}}",
            422,
        ),
        ("rewind", r'{"stage": "\ud800"}', 422),
        ("start", "[" * 100_000, 400),
        ("start", "{", 422),
        ("stop", "", 409),
    ],
)
async def test_json_that_cannot_be_kept_is_refused_with_a_sentence(
    door: Door, verb: str, body: str, status: int
) -> None:
    base = await door.project("odd", [])
    headers = {"content-type": "application/json"}
    answer = await door.client.post(f"{base}/{verb}", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["accepted"] is False
    assert answer.json()["sentence"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("events?after=99999999999999999999999", 422),
        ("events?after=-1", 422),
        ("events?after=x", 422),
        ("events?after=9223372036854775807", 200),
        ("artifacts/1/%00", 404),
        ("artifacts/99999999999999999999999/x", 404),
        (f"artifacts/1/{'x' * 300}", 404),
        ("artifacts/x/y", 422),
        ("uploads/%00", 404),
        ("files/%00", 404),
    ],
)
async def test_addresses_that_make_no_sense_are_refused_with_a_sentence(door: Door, path: str, status: int) -> None:
    base = await door.project("addresses", [])
    answer = await door.client.get(f"{base}/{path}")
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["sentence"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
async def test_the_description_of_chainlits_own_routes_is_not_served(door: Door, path: str) -> None:
    answer = await door.client.get(path)
    assert answer.status_code == 404
    assert "swagger" not in answer.text.lower()


async def test_an_empty_upload_is_refused_with_a_sentence(door: Door) -> None:
    async def upload(content: bytes, client: httpx.AsyncClient) -> httpx.Response:
        file = {"file": ("a.csv", content, "text/csv")}
        return await client.post("/project/file", params={"session_id": "none"}, files=file)

    empty = await upload(b"", door.client)
    assert (empty.status_code, "is empty" in empty.json()["detail"]) == (400, True)
    assert (await upload(b"a\n1\n", door.client)).status_code == 404, "Chainlit looks for the session"
    assert (await upload(b"a\n1\n", door.stranger)).status_code == 401


async def test_a_download_is_an_attachment_and_stays_in_its_folder(door: Door) -> None:
    base = await door.project("files", a_whole_turn())
    folder = door.settings.project_folder("files") / "attempts" / "1" / "artifacts" / "charts"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    answer = await door.client.get(f"{base}/artifacts/1/charts/page.html")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    up = "%2e%2e/"
    for outside in (f"{5 * up}session.secret", f"{2 * up}events", "..%2f..%2fx", "/etc/passwd", "charts", ""):
        assert (await door.client.get(f"{base}/artifacts/1/{outside}")).status_code == 404, outside


async def test_texts_and_uploads_are_found_by_name(door: Door) -> None:
    base = await door.project("vault", [])
    digest = door.conductor.vault("vault").put_json({"mark": "bar"})
    found = await door.client.get(f"{base}/files/{digest}")
    assert found.json() == {"mark": "bar"}
    assert "immutable" in found.headers["cache-control"]
    for wrong in ("0" * 64, "x", "..%2f..%2fmodelwright.db"):
        assert (await door.client.get(f"{base}/files/{wrong}")).status_code == 404
    upload = door.settings.project_folder("vault") / "uploads" / "1"
    upload.mkdir(parents=True)
    (upload / "größe 1.csv").write_text("a\n1\n")
    assert (await door.client.get(f"{base}/uploads/größe 1.csv")).text == "a\n1\n"
    assert (await door.client.get(f"{base}/uploads/*")).status_code == 404


async def test_past_chats_are_listed_opened_renamed_and_hidden(door: Door) -> None:
    await door.project("past", a_whole_turn(), title="predict churn of last year")

    async def listed(search: str = "last year") -> list[dict[str, str]]:
        body = {"pagination": {"first": 5}, "filter": {"search": search}}
        answer = await door.client.post("/project/threads", json=body)
        found: list[dict[str, str]] = answer.json()["data"]
        return found

    assert [thread["id"] for thread in await listed()] == ["past"]
    thread = (await door.client.get("/project/thread/past")).json()
    assert [step["type"] for step in thread["steps"]][:2] == ["user_message", "assistant_message"]
    assert [element["name"] for element in thread["elements"]][-1] == "Run"
    await door.client.put("/project/thread", json={"threadId": "past", "name": "Churn in last year"})
    assert [thread["name"] for thread in await listed()] == ["Churn in last year"]
    await door.client.request("DELETE", "/project/thread", json={"threadId": "past"})
    assert await listed() == []
    assert len(await door.conductor.events("past")) == len(a_whole_turn()), "hidden, not lost"
    assert (await door.stranger.get("/project/thread/past")).status_code == 401


async def test_pages_of_past_chats_follow_one_another(door: Door) -> None:
    for number in range(5):
        await door.project(f"page-{number}", [], title=f"paged {number}")
    seen: list[str] = []
    cursor = None
    while True:
        body = {"pagination": {"first": 2, "cursor": cursor}, "filter": {"search": "paged"}}
        answer = (await door.client.post("/project/threads", json=body)).json()
        seen += [thread["id"] for thread in answer["data"]]
        cursor = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert seen == [f"page-{number}" for number in (4, 3, 2, 1, 0)]


async def test_the_database_is_checked_at_the_start(door: Door, tmp_path: Path) -> None:
    from chat_app.history import Hidden, SchemaError

    hidden = Hidden(tmp_path / "empty.db")
    with pytest.raises(SchemaError, match="chat_hidden"):
        await hidden.check()
    await hidden.close()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("customers.csv", "customers.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\größe 1.csv", "größe 1.csv"),
        (".hidden.csv", "hidden.csv"),
        ("a\x00b\n.csv", "ab.csv"),
        ("", "table"),
        ("..", "table"),
        ("x" * 300 + ".parquet", "x" * 113 + ".parquet"),
    ],
)
async def test_a_file_name_from_a_browser_is_made_ours(door: Door, said: str, kept: str) -> None:
    from chat_app.chat import safe_name

    assert safe_name(said) == kept


async def test_what_we_rely_on_in_chainlit_is_still_there(door: Door) -> None:
    import chainlit.server
    import chainlit.session
    import chainlit.socket
    from chainlit.config import config
    from chainlit.element import ElementDict
    from chainlit.types import ThreadDict

    assert callable(chainlit.socket.connection_successful)
    assert isinstance(chainlit.session.ws_sessions_id, dict)
    assert Path(vars(chainlit.server)["public_dir"]) == PUBLIC
    assert chainlit.server.sio.handlers["/"]["stop"].__qualname__ == "Chat.on_stop"
    assert config.project.allow_origins == []
    assert not config.features.mcp.enabled
    assert not config.features.unsafe_allow_html
    thread = Drawing(Projection(PROJECT, log(a_whole_turn()))).thread("t", "local")
    assert set(thread) == set(ThreadDict.__annotations__)
    assert all(set(element) <= set(ElementDict.__annotations__) for element in thread["elements"])
    needed = {"id", "threadId", "parentId", "name", "type", "output", "createdAt", "metadata"}
    assert all(needed <= set(step) for step in thread["steps"])


async def test_every_card_has_its_element_and_the_theme_its_two_sides(door: Door) -> None:
    for kind in get_args(CardKind):
        found = await door.client.get(f"/public/elements/{kind}.jsx")
        assert f'"{kind}"' in found.text
        assert len((ELEMENTS / f"{kind}.jsx").read_text().splitlines()) <= 20
    theme = json.loads((PUBLIC / "theme.json").read_text())["variables"]
    assert set(theme["dark"]) == set(theme["light"]), "a key of one side only would stay after a change of the theme"
