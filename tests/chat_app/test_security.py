"""Which requests reach the chat, and what a page of ours may load."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from chat_app.page import local_only
from chat_app.security import Guard, content_security_policy


async def _open(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


def guarded() -> Guard:
    app = Starlette(
        routes=[
            Route("/x", lambda _: PlainTextResponse("in"), methods=["GET", "POST"]),
            Route("/ws/socket.io/", lambda _: PlainTextResponse("in")),
            WebSocketRoute("/ws", _open),
        ]
    )
    return Guard(app, policy="default-src 'self'")


async def status(method: str, path: str, **headers: str) -> int:
    transport = httpx.ASGITransport(app=guarded())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        return (await client.request(method, path, headers=headers)).status_code


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:9", "LOCALHOST:1"])
async def test_our_own_names_are_known(host: str) -> None:
    assert await status("GET", "/x", host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "", "[::2]"])
async def test_other_names_are_refused(host: str) -> None:
    assert await status("GET", "/x", host=host) == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null", "http://127.0.0.1:8000"])
async def test_another_page_may_not_write(origin: str) -> None:
    assert await status("POST", "/x", origin=origin) == 403


async def test_another_page_may_not_poll_the_socket() -> None:
    assert await status("GET", "/ws/socket.io/", origin="http://localhost:3000") == 403


async def test_our_page_may_write_and_so_may_a_program() -> None:
    assert await status("POST", "/x", origin="http://localhost:8000") == 200
    assert await status("POST", "/x") == 200


def test_another_page_may_not_open_a_socket() -> None:
    client = TestClient(guarded())
    with client.websocket_connect("/ws", headers={"host": "localhost:8", "origin": "http://localhost:8"}):
        pass
    foreign = {"host": "localhost:8", "origin": "http://evil.example"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers=foreign):
        pass


async def test_every_answer_carries_the_policy() -> None:
    transport = httpx.ASGITransport(app=guarded())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for host in ("localhost", "evil.example"):
            headers = (await client.get("/x", headers={"host": host})).headers
            assert headers["content-security-policy"] == "default-src 'self'"
            assert headers["x-content-type-options"] == "nosniff"


def test_the_page_keeps_only_what_is_ours() -> None:
    page = (
        '<head><link rel="preconnect" href="https://fonts.example" /><link\n rel="stylesheet"\n href="https://cdn.example/k.css"\n/>'
        '<link rel="stylesheet" href="/own.css"><meta property="og:image" content="https://x.example/y.png"></head>'
    )
    assert local_only(page) == '<head><link rel="stylesheet" href="/own.css"></head>'


def test_only_the_pages_own_inline_scripts_may_run() -> None:
    policy = content_security_policy("<script>one()</script><script src='/a.js'></script><script>two()</script>")
    assert policy.count("'sha256-") == 2
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
