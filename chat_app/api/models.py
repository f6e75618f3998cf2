"""Route /api/models: the kinds of model and the templates that the form at the contract offers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends

from chat_app.modelling import catalogue_json
from tools.models.shelf import shelf


def model_routes(templates: Path, signed_in: Callable[..., Any]) -> APIRouter:
    """`templates`: the user's own folder; `signed_in`: a dependency that refuses strangers."""
    routes = APIRouter(prefix="/api/models", dependencies=[Depends(signed_in)])

    @routes.get("")
    def models() -> dict[str, Any]:
        return catalogue_json(shelf(templates))

    return routes
