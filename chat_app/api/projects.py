"""Routes under /api/projects: state and events of a project, its files, and the four commands of the conductor."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from agents.state import Decision
from chat_app.conductor import Conductor, Reply

MAX_EVENTS = 5000
MAX_TEXT = 20_000
MAX_SEQ = 2**63 - 1
"""The greatest number that the database knows."""
MAX_DIGITS = 25


class Decide(BaseModel):
    """An answer to a gate."""

    model_config = ConfigDict(extra="forbid")

    interrupt_id: str = Field(min_length=1, max_length=200)
    decision: Decision


class Start(BaseModel):
    """A message. Files come through the chat; a sample is named in the text."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1, max_length=MAX_TEXT)


class Rewind(BaseModel):
    """Back to a stage, with a changed plan where that is wanted."""

    model_config = ConfigDict(extra="forbid")

    stage: str = Field(max_length=40)
    changes: dict[str, Any] | None = Field(default=None, max_length=40)
    """Fields of the contract; only for PREPROCESS."""
    script: str | None = Field(default=None, max_length=64)
    """SHA-256 of a script of this project, to be taken over; only for TRAIN."""


def project_routes(conductor: Conductor, signed_in: Callable[..., Any]) -> APIRouter:
    """All routes; `signed_in` is a dependency that refuses strangers."""
    routes = APIRouter(prefix="/api/projects", dependencies=[Depends(signed_in)])
    _reading(routes, conductor)
    commands = APIRouter(dependencies=[Depends(storable)])
    _commands(commands, conductor)
    routes.include_router(commands)
    _files(routes, conductor)
    return routes


async def _existing(conductor: Conductor, project: str) -> str:
    if await conductor.store.project(project) is None:
        raise HTTPException(404, "There is no such project.")
    return project


def _reading(routes: APIRouter, conductor: Conductor) -> None:
    @routes.get("")
    async def projects() -> list[dict[str, Any]]:
        return [vars(info) for info in await conductor.projects()]

    @routes.get("/{project}/state")
    async def state(project: str) -> dict[str, Any]:
        return (await conductor.get_state(await _existing(conductor, project))).to_json()

    @routes.get("/{project}/events")
    async def events(project: str, after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> list[dict[str, Any]]:
        log = await conductor.events(await _existing(conductor, project), after)
        return [envelope.to_json() for envelope in log[:MAX_EVENTS]]


async def storable(request: Request) -> None:
    """Refuses JSON that no database or number of ours can hold: half characters, NaN, numbers without an end."""
    body = await request.body()
    if not body:
        return
    try:
        said = json.loads(body, parse_constant=_refused, parse_float=_finite, parse_int=_short)
        json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "The request is no JSON that can be kept (half a character, or no number).") from error


def _refused(word: str) -> float:
    raise ValueError(word)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits)


def _short(digits: str) -> int:
    return int(digits) if len(digits) <= MAX_DIGITS else int(_refused(digits[:MAX_DIGITS]))


def _commands(routes: APIRouter, conductor: Conductor) -> None:
    @routes.post("/{project}/start")
    async def start(project: str, said: Start) -> JSONResponse:
        if not said.message.strip():
            raise HTTPException(422, "Please say what you want to know.")
        return _said(await conductor.start(await _existing(conductor, project), said.message))

    @routes.post("/{project}/decide")
    async def decide(project: str, said: Decide) -> JSONResponse:
        return _said(await conductor.decide(await _existing(conductor, project), said.interrupt_id, said.decision))

    @routes.post("/{project}/stop")
    async def stop(project: str) -> JSONResponse:
        return _said(await conductor.stop(await _existing(conductor, project)))

    @routes.post("/{project}/rewind")
    async def rewind(project: str, said: Rewind) -> JSONResponse:
        return _said(await conductor.rewind(await _existing(conductor, project), said.stage, said.changes, said.script))


def _said(reply: Reply) -> JSONResponse:
    return JSONResponse({"accepted": reply.accepted, "sentence": reply.sentence}, 200 if reply.accepted else 409)


def _files(routes: APIRouter, conductor: Conductor) -> None:
    @routes.get("/{project}/artifacts/{attempt}/{name:path}")
    async def artifact(project: str, attempt: int, name: str) -> FileResponse:
        await _existing(conductor, project)
        try:
            path = conductor.artifact_path(project, attempt, name)
        except (LookupError, ValueError, OSError) as error:  # a name that no file can have is no file, either
            raise HTTPException(404, "There is no such file.") from error
        return _download(path)

    @routes.get("/{project}/uploads/{name}")
    async def upload(project: str, name: str) -> FileResponse:
        folder = conductor.settings.project_folder(await _existing(conductor, project)) / "uploads"
        found = [path for path in folder.glob("*/*") if path.name == name and path.is_file()]
        if not found:
            raise HTTPException(404, "There is no such file.")
        return _download(max(found, key=lambda path: path.stat().st_mtime))

    @routes.get("/{project}/files/{digest}")
    async def file(project: str, digest: str) -> Response:
        await _existing(conductor, project)
        try:
            content = conductor.vault(project).path(digest).read_bytes()
        except (ValueError, OSError) as error:
            raise HTTPException(404, "There is no such file.") from error
        kind = "application/json" if content[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
        # named by its content, hence it never changes
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=31536000, immutable"})


def _download(path: Path) -> FileResponse:
    """As an attachment whatever it is: what a script wrote must not be opened as a page of ours."""
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)
