"""E2B on loopback: enough of its control plane and of its in-machine service for the real SDK to run real scripts.

Machines are folders, commands are processes of this machine (the scripts are our own). The protocol is spoken by the
SDK's own generated server code. What can go wrong at E2B can be made to go wrong here.
"""

import asyncio
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers, RequestContext
from e2b.envd.filesystem import filesystem_connect
from e2b.envd.filesystem.filesystem_pb import RemoveRequest, RemoveResponse
from e2b.envd.process import process_connect
from e2b.envd.process.process_pb import (
    ProcessEvent,
    SendInputRequest,
    SendInputResponse,
    SendSignalRequest,
    SendSignalResponse,
    StartRequest,
    StartResponse,
)
from protobuf import Oneof
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

KEY = "e2b_0123456789abcdef0123456789abcdef01234567"
_HOME = "/home/user"
_CHUNK = 32768
_GONE = "The sandbox was not found"


@dataclass
class Machine:
    """One rented machine."""

    name: str
    folder: Path
    wish: dict[str, Any]
    """What the request for it said."""
    timeouts: list[int] = field(default_factory=list)
    gone: bool = False
    processes: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def real(self, path: str) -> Path:
        """Where a path of the machine is on ours."""
        return self.folder / Path(path).relative_to("/")

    def end(self) -> None:
        self.gone = True
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
            process._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way to let the pipes go


@dataclass(frozen=True)
class Fault:
    """What is answered instead; `hang` means never."""

    status: int = 500
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    hang: bool = False


class Double:
    """The whole of E2B; look at `machines`, break it with `faults`, `cut`, `babble`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._released = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""
        self.machines: dict[str, Machine] = {}
        self.faults: dict[tuple[str, str], Fault] = {}
        """(method, beginning of the path) -> fault."""
        self.requests: list[tuple[str, str]] = []
        self.seen: list[str] = []
        """Bodies and paths that were sent, to look for secrets in."""
        self.cut = False
        """Streams of commands end in the middle, without a word."""
        self.babble: bytes | None = None
        """What commands say instead of being run."""
        self.busy = threading.Event()
        """Set when a command has begun."""
        (folder / "bin").mkdir()
        wrapper = folder / "bin" / "python3"
        wrapper.write_text(f'#!/bin/sh\nexec {_python()} "$@"\n')
        wrapper.chmod(0o755)

    @property
    def alive(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if not machine.gone]

    def vanish(self) -> None:
        """Every machine is gone at once."""
        assert self._loop is not None
        for machine in self.alive:
            self._loop.call_soon_threadsafe(machine.end)

    def app(self) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        inner = Starlette(
            routes=[
                Route("/v2/sandboxes", self._create, methods=["POST"]),
                Route("/sandboxes", self._create, methods=["POST"]),
                Route("/sandboxes/{name}", self._kill, methods=["DELETE"]),
                Route("/sandboxes/{name}/timeout", self._prolong, methods=["POST"]),
                Route("/health", self._health),
                Route("/files", self._upload, methods=["POST"]),
                Mount("/process.Process", _WithPath(process_connect.ProcessASGIApplication(_Processes(self)))),
                Mount("/filesystem.Filesystem", _WithPath(filesystem_connect.FilesystemASGIApplication(_Files(self)))),
            ]
        )

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (fault := self._fault(scope)):
                await self._misbehave(fault, scope, receive, send)
                return
            await inner(scope, receive, send)

        return guarded

    def _fault(self, scope: Scope) -> Fault | None:
        self.requests.append((scope["method"], scope["path"]))
        for (method, path), fault in list(self.faults.items()):
            if scope["method"] == method and scope["path"].startswith(path):
                return fault
        return None

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.hang:
            await self._released.wait()
        await Request(scope, receive).body()  # an answer before the end of the question would reset the connection
        kind = "text/html" if fault.body.startswith("<") else "application/json"
        await Response(fault.body, fault.status, dict(fault.headers), media_type=kind)(scope, receive, send)

    async def _create(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"code": 401, "message": "Invalid API key"}, 401)
        wish = await request.json()
        self.seen.append(json.dumps(wish))
        name = f"machine{next(self._numbers)}"
        folder = self._folder / name
        folder.mkdir()
        self.machines[name] = Machine(name, folder, wish, [wish["timeout"]])
        self._loop = asyncio.get_running_loop()
        told = {"templateID": wish["templateID"], "sandboxID": name, "clientID": "c", "envdVersion": "0.6.6"}
        return JSONResponse(told, 201)

    async def _kill(self, request: Request) -> Response:
        machine = self.machines.get(request.path_params["name"])
        if machine is None or machine.gone:
            return JSONResponse({"code": 404, "message": "not found"}, 404)
        machine.end()
        return Response(status_code=204)

    async def _prolong(self, request: Request) -> Response:
        machine = self.machines.get(request.path_params["name"])
        if machine is None or machine.gone:
            return JSONResponse({"code": 404, "message": "not found"}, 404)
        machine.timeouts.append((await request.json())["timeout"])
        return Response(status_code=204)

    async def _health(self, request: Request) -> Response:
        machine = self.machines.get(request.headers.get("e2b-sandbox-id", ""))
        if machine is None or machine.gone:
            return JSONResponse({"message": _GONE}, 502)
        return Response(status_code=204)

    async def _upload(self, request: Request) -> Response:
        machine = self.machines.get(request.headers.get("e2b-sandbox-id", ""))
        if machine is None or machine.gone:
            return JSONResponse({"message": _GONE}, 502)
        path = request.query_params["path"]
        target = machine.real(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if request.headers["content-type"].startswith("multipart/"):
            async with request.form() as form:
                part = form["file"]
                assert not isinstance(part, str)
                content = await part.read()
        else:
            content = await request.body()
        target.write_bytes(content)
        return JSONResponse([{"name": target.name, "path": path, "type": "file"}])

    def machine_of(self, headers: Headers) -> Machine:
        machine = self.machines.get(headers.get("e2b-sandbox-id") or "")
        if machine is None or machine.gone:
            raise ConnectError(Code.UNAVAILABLE, _GONE)
        return machine


class _WithPath:
    """The generated applications want the whole path."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "root_path": "", "path": scope["path"]}, receive, send)


class _Processes(process_connect.Process):
    def __init__(self, double: Double) -> None:
        self._double = double

    async def start(
        self, request: StartRequest, ctx: RequestContext[StartRequest, StartResponse]
    ) -> AsyncIterator[StartResponse]:
        machine = self._double.machine_of(ctx.request_headers)
        assert request.process is not None
        command = request.process.args[-1]
        machine.commands.append(command)
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command.replace(_HOME, str(machine.real(_HOME))),
            stdin=asyncio.subprocess.PIPE if request.stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": f"{self._double._folder / 'bin'}:/usr/bin:/bin"},
        )
        machine.processes[process.pid] = process
        yield _event("start", ProcessEvent.StartEvent(pid=process.pid))
        self._double.busy.set()
        try:
            if self._double.babble is not None:
                yield _data("stdout", self._double.babble)
            async for name, data in _merged(process):
                yield _data(name, data)
                if self._double.cut:
                    return
            code = await process.wait()
            if machine.gone:
                raise ConnectError(Code.UNAVAILABLE, _GONE)
            end = ProcessEvent.EndEvent(exit_code=code, exited=True, status=f"exit status {code}")
            yield _event("end", end)
        finally:
            if process.returncode is None:
                process.kill()

    async def send_input(
        self, request: SendInputRequest, ctx: RequestContext[SendInputRequest, SendInputResponse]
    ) -> SendInputResponse:
        process = self._process(ctx.request_headers, request.process)
        assert request.input is not None
        assert request.input.input is not None
        assert process.stdin is not None
        try:
            process.stdin.write(request.input.input.value)
            await process.stdin.drain()
        except ConnectionError:
            raise ConnectError(Code.INTERNAL, "error writing to stdin") from None
        return SendInputResponse()

    async def send_signal(
        self, request: SendSignalRequest, ctx: RequestContext[SendSignalRequest, SendSignalResponse]
    ) -> SendSignalResponse:
        self._process(ctx.request_headers, request.process).kill()
        return SendSignalResponse()

    def _process(self, headers: Headers, selector: Any) -> asyncio.subprocess.Process:
        process = self._double.machine_of(headers).processes.get(selector.selector.value)
        if process is None or process.returncode is not None:
            raise ConnectError(Code.NOT_FOUND, "no such process")
        return process


class _Files(filesystem_connect.Filesystem):
    def __init__(self, double: Double) -> None:
        self._double = double

    async def remove(
        self, request: RemoveRequest, ctx: RequestContext[RemoveRequest, RemoveResponse]
    ) -> RemoveResponse:
        shutil.rmtree(self._double.machine_of(ctx.request_headers).real(request.path))
        return RemoveResponse()


def _event(kind: str, content: Any) -> StartResponse:
    event: Any = Oneof(kind, content)
    return StartResponse(event=ProcessEvent(event=event))


def _data(name: str, data: bytes) -> StartResponse:
    output: Any = Oneof(name, data)
    return _event("data", ProcessEvent.DataEvent(output=output))


async def _merged(process: asyncio.subprocess.Process) -> AsyncIterator[tuple[str, bytes]]:
    """Both streams, in the order in which they come."""
    queue: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue(8)

    async def pump(name: str, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while data := await stream.read(_CHUNK):
            await queue.put((name, data))

    async def everything() -> None:
        await asyncio.gather(pump("stdout", process.stdout), pump("stderr", process.stderr))
        await queue.put(None)

    task = asyncio.create_task(everything())
    try:
        while (item := await queue.get()) is not None:
            yield item
    finally:
        task.cancel()


def _python() -> str:
    """An interpreter that the user inside can reach."""
    reachable = all(parent.stat().st_mode & 1 for parent in Path(os.path.realpath(sys.executable)).parents)
    return sys.executable if reachable else "/usr/bin/python3"


@contextmanager
def serving(folder: Path) -> Iterator[Double]:
    """The double on a free port of loopback, in a thread of its own."""
    double = Double(folder)
    door = socket.create_server(("127.0.0.1", 0))
    double.url = f"http://127.0.0.1:{door.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(double.app(), log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.vanish() if double.alive else None
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        door.close()
