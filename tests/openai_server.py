"""A server on loopback that speaks OpenAI's chat protocol and behaves as a script says: well, badly, or not at all."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

Asked = dict[str, Any]
"""The body of a request."""
Behaviour = Callable[[Asked], Awaitable[Response]]
Chunk = Mapping[str, Any] | str
"""A chunk as JSON, or a line as it is sent."""


def mode_of(asked: Asked) -> str:
    """How the client asked for a form."""
    if "tools" in asked:
        return "tool"
    kind: str = asked.get("response_format", {}).get("type", "text")
    return kind


def form_of(asked: Asked) -> str:
    """The name of the form that an answer has to have; "" where the client describes it in words."""
    if "tools" in asked:
        return str(asked["tools"][0]["function"]["name"])
    return str(asked.get("response_format", {}).get("json_schema", {}).get("name", ""))


def delta(finish: str | None = None, **content: Any) -> dict[str, Any]:
    """One piece of an answer."""
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": content, "finish_reason": finish}],
    }


def usage(tokens_in: int = 11, tokens_out: int = 7) -> dict[str, Any]:
    """The last piece, which counts."""
    counted = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return {**delta(), "choices": [], "usage": counted}


def stream(chunks: Sequence[Chunk], *, done: bool = True, pause: float = 0.0, hang: bool = False) -> Response:
    """Server-sent events; with `hang` the connection stays open and silent at the end."""

    async def lines() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n"
            await asyncio.sleep(pause)
        if hang:
            await asyncio.sleep(3600)
        if done:
            yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def says(text: str, *, finish: str | None = "stop", counted: bool = True) -> Behaviour:
    """An answer in words, in pieces of some letters."""

    async def answer(asked: Asked) -> Response:
        pieces = [delta(content=text[at : at + 40]) for at in range(0, len(text), 40)]
        tail = [usage()] if counted and "stream_options" in asked else []
        return stream([delta(role="assistant", content=""), *pieces, delta(finish), *tail])

    return answer


def answers(value: Mapping[str, Any]) -> Behaviour:
    """A good server: the value in whatever way it was asked for."""

    async def answer(asked: Asked) -> Response:
        text = json.dumps(value)
        if mode_of(asked) != "tool":
            return await says(text)(asked)
        return await calls(asked["tools"][0]["function"]["name"], text)(asked)

    return answer


def by_form(**known: "Mapping[str, Any] | Behaviour") -> Behaviour:
    """Each form has an answer of its own; a form that nobody expects is an error."""

    async def answer(asked: Asked) -> Response:
        found = known.get(form_of(asked))
        if found is None:
            return await fails(400, f"nobody expects {form_of(asked)!r}")(asked)
        return await (found if callable(found) else answers(found))(asked)

    return answer


def calls(name: str, arguments: str) -> Behaviour:
    """A tool call, its arguments in two pieces."""

    async def answer(asked: Asked) -> Response:
        half = len(arguments) // 2
        head = {"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": arguments[:half]}}
        rest = {"index": 0, "function": {"arguments": arguments[half:]}}
        pieces = [delta(role="assistant", tool_calls=[head]), delta(tool_calls=[rest]), delta("tool_calls"), usage()]
        return stream(pieces)

    return answer


def fails(status: int, message: str = "no", headers: Mapping[str, str] | None = None) -> Behaviour:
    """An error as OpenAI words it."""

    async def answer(asked: Asked) -> Response:
        body = {"error": {"message": message, "type": "error", "code": None}}
        return JSONResponse(body, status_code=status, headers=dict(headers or {}))

    return answer


def page(status: int) -> Behaviour:
    """What a proxy or a wrong address says."""

    async def answer(asked: Asked) -> Response:
        return HTMLResponse("<html><body>Bad gateway</body></html>", status_code=status)

    return answer


def plain(text: str) -> Behaviour:
    """Something that is no chat protocol at all."""

    async def answer(asked: Asked) -> Response:
        return PlainTextResponse(text)

    return answer


def sends(*chunks: Chunk, done: bool = True, pause: float = 0.0, hang: bool = False) -> Behaviour:
    """These very pieces."""

    async def answer(asked: Asked) -> Response:
        return stream(chunks, done=done, pause=pause, hang=hang)

    return answer


def only(modes: Sequence[str], then: Behaviour) -> Behaviour:
    """A server that knows some ways of asking and answers 400 to the others."""

    async def answer(asked: Asked) -> Response:
        if mode_of(asked) in modes:
            return await then(asked)
        return await fails(400, f"{mode_of(asked)} is not supported")(asked)

    return answer


def thinks(thought: str, text: str) -> Behaviour:
    """vLLM with a reasoning parser, DeepSeek: thoughts in a field of their own, then the answer."""

    async def answer(asked: Asked) -> Response:
        pieces = [delta(role="assistant", content=None, reasoning_content=thought)]
        return stream([*pieces, *([delta(content=text)] if text else []), delta("stop"), usage(11, 40)])

    return answer


def tool_at_once(value: Mapping[str, Any]) -> Behaviour:
    """Ollama: the call of a tool in one piece, ended with “stop” or “tool_calls”, and counted in an extra piece."""

    async def answer(asked: Asked) -> Response:
        name = asked["tools"][0]["function"]["name"] if "tools" in asked else "none"
        call = {"index": 0, "id": "call_1", "type": "function"}
        made = {**call, "function": {"name": name, "arguments": json.dumps(value)}}
        return stream([delta(role="assistant", content="", tool_calls=[made]), delta("stop"), usage()])

    return answer


def errs(status: int, body: Any) -> Behaviour:
    """An error in a server's own form."""

    async def answer(asked: Asked) -> Response:
        return JSONResponse(body, status_code=status)

    return answer


def strict(then: Behaviour) -> Behaviour:
    """vLLM with Mistral's template: one system message at the front, then user and assistant in turn."""

    async def answer(asked: Asked) -> Response:
        roles = [message["role"] for message in asked["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        if turns != [("user", "assistant")[number % 2] for number in range(len(turns))] or turns[-1:] != ["user"]:
            said = (
                "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
            )
            return await errs(400, {"object": "error", "message": said, "type": "BadRequestError", "code": 400})(asked)
        return await then(asked)

    return answer


def guided(value: Mapping[str, Any]) -> Behaviour:
    """vLLM's guided decoding: the schema has to be one that it can compile, and the answer is nothing but the value."""

    async def answer(asked: Asked) -> Response:
        form = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        if mode_of(asked) == "json_schema" and set(form.get("required", ())) != set(form.get("properties", {"": 0})):
            return await errs(400, {"object": "error", "message": "invalid schema", "code": 400})(asked)
        return await answers(value)(asked)

    return answer


@dataclass
class ModelServer:
    """What it was asked, and what it does: the script in order, its last line for ever."""

    script: list[Behaviour] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    """Every body as it came."""
    keys: list[str] = field(default_factory=list)
    url: str = ""

    def plays(self, *script: Behaviour) -> None:
        """From now on."""
        self.script = list(script)
        self.asked.clear()

    async def chat(self, request: Request) -> Response:
        """The one address."""
        body = await request.body()
        self.heard.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        asked = json.loads(body)
        self.asked.append(asked)
        behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await behaviour(asked)


@contextmanager
def serving() -> Iterator[ModelServer]:
    """A server in a thread of its own, gone at the end."""
    model = ModelServer()
    app = Starlette(routes=[Route("/v1/chat/completions", model.chat, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    model.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield model
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
