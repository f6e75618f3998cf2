"""Who may talk to the server from a browser: only our own page, under a name that we know, and what it may load."""

import base64
import hashlib
import re
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD"})
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def content_security_policy(page: str) -> str:
    """Nothing from any other host. 'unsafe-eval' because Chainlit evaluates our elements in the page (react-runner)."""
    digests = [hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page)]
    inline = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    rules = {
        "default-src": "'self'",
        "script-src": f"'self' 'unsafe-eval' {inline}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class Guard:
    """ASGI middleware: unknown host names (DNS rebinding) and other pages' requests (CSRF, sockets) are refused."""

    def __init__(self, app: ASGIApp, policy: str, hosts: Iterable[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with our headers added."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": problem})
        else:
            await PlainTextResponse(problem, status_code=403)(scope, receive, self._with_headers(send))

    def _problem(self, scope: Scope) -> str | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        if _name_of(host) not in self._hosts:
            return f"This server does not go by the name {host!r}."
        origin = headers.get("origin", "").lower()
        crossing = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS or "/ws/" in scope["path"]
        if origin and crossing and urlsplit(origin).netloc != host:
            return "Another page may not talk to this server."
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, self._headers)
            await send(message)

        return sending


def _add_headers(message: MutableMapping[str, Any], wanted: dict[str, str]) -> None:
    present = {name.lower() for name, _ in message.get("headers", [])}
    more = [(name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in present]
    message["headers"] = [*message.get("headers", []), *more]


def _name_of(host: str) -> str:
    """`localhost:8000` -> `localhost`, `[::1]:8000` -> `[::1]`."""
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.split(":")[0]
