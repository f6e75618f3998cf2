"""Routes under /api/language-models: who is asked, what may leave, what it may cost, and a test of each role.

Keys go in and never come out.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from chat_app.api.projects import storable
from chat_app.conductor import Conductor, Reply
from chat_app.model_settings import ModelRole, ModelSettings, TestKind

Fields = Annotated[dict[str, Any], Body(max_length=20)]


class Test(BaseModel):
    """Which of the tests."""

    __test__ = False  # no test of pytest
    model_config = ConfigDict(extra="forbid")

    what: TestKind


def language_model_routes(conductor: Conductor, signed_in: Callable[..., Any]) -> APIRouter:
    """All routes; `signed_in` is a dependency that refuses strangers."""
    routes = APIRouter(prefix="/api/language-models", dependencies=[Depends(signed_in), Depends(storable)])

    @routes.get("")
    async def settings() -> dict[str, Any]:
        return _json(await conductor.model_settings())

    @routes.post("")
    async def change(fields: Fields) -> JSONResponse:
        return await _said(conductor, await conductor.configure_models(fields))

    @routes.post("/roles/{role}")
    async def configure(role: ModelRole, fields: Fields) -> JSONResponse:
        return await _said(conductor, await conductor.configure_model(role, fields))

    @routes.post("/roles/{role}/test")
    async def test(role: ModelRole, wanted: Test) -> dict[str, Any]:
        return asdict(await conductor.test_model(role, wanted.what))

    return routes


def _json(settings: ModelSettings) -> dict[str, Any]:
    return {**asdict(settings), "budgets": settings.budgets.model_dump()}


async def _said(conductor: Conductor, reply: Reply) -> JSONResponse:
    """What is wrong with a change, else the settings as they are now."""
    if not reply.accepted:
        return JSONResponse({"accepted": False, "sentence": reply.sentence}, 422)
    return JSONResponse({"accepted": True, "sentence": "", "settings": _json(await conductor.model_settings())})
