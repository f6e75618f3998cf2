"""The web application: our REST door first, then Chainlit mounted by hand at "/"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import Scope

from chat_app.chainlit_home import ELEMENTS, PUBLIC, prepare_chainlit
from chat_app.conductor import Conductor
from chat_app.security import Guard, content_security_policy
from chat_app.settings import Settings


class _Checked(StaticFiles):
    """Static files that a browser asks about again each time; their names carry no version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.setdefault("cache-control", "no-cache")
        return response


def create_app(settings: Settings, conductor: Conductor) -> FastAPI:
    """The chat of one conductor. One per process: Chainlit keeps its settings and callbacks in globals."""
    root = prepare_chainlit(settings)
    import chainlit.server as server  # only now: importing it reads the environment and makes folders
    from chainlit.auth import ensure_jwt_secret, get_current_user

    from chat_app.chat import Chat
    from chat_app.history import Hidden
    from chat_app.page import local_template

    server.public_dir = str(PUBLIC)  # type: ignore[attr-defined]  # theme.json is read from there
    server.get_html_template = local_template(server.get_html_template)
    chat = Chat(conductor, Hidden(settings.database), root / "uploads")
    chat.register()
    ensure_jwt_secret()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await chat.check()
        yield
        await chat.close()

    async def signed_in(request: Request) -> None:
        token = await _token(request)
        if not token or await get_current_user(token) is None:
            raise HTTPException(401, "Please open the chat in this browser first.")

    app = FastAPI(title="Modelwright", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(app, conductor, signed_in)
    _add_pages(app)
    app.mount("/", server.app)
    policy = content_security_policy(server.get_html_template(""))
    app.add_middleware(Guard, policy=policy)
    return app


async def _token(request: Request) -> str | None:
    from chainlit.auth import reuseable_oauth

    token: str | None = await reuseable_oauth(request)
    return token


def _add_routes(app: FastAPI, conductor: Conductor, signed_in: object) -> None:
    from chat_app.api.language_models import language_model_routes
    from chat_app.api.models import model_routes
    from chat_app.api.projects import project_routes

    app.include_router(project_routes(conductor, signed_in))  # type: ignore[arg-type]
    app.include_router(model_routes(conductor.settings.template_folder, signed_in))  # type: ignore[arg-type]
    app.include_router(language_model_routes(conductor, signed_in))  # type: ignore[arg-type]
    app.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])(_no_such_route)
    app.exception_handler(AnyHTTPException)(_as_sentence)
    app.exception_handler(RequestValidationError)(_what_is_wrong)
    for path in ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"):  # Chainlit's own
        app.get(path, include_in_schema=False)(_not_served)
    _add_upload(app)
    app.mount("/public/elements", _Checked(directory=ELEMENTS))
    app.mount("/public", _Checked(directory=PUBLIC))
    app.get("/favicon", include_in_schema=False)(lambda: _picture("favicon.svg"))
    app.get("/logo", include_in_schema=False)(_logo)
    app.get("/avatars/{name}", include_in_schema=False)(lambda name: _picture("favicon.svg"))


def _add_pages(app: FastAPI) -> None:
    """The page itself; whoever opens it on this computer is signed in, so no login screen ever shows."""
    from chainlit import server
    from chainlit.auth import create_jwt, get_current_user, set_auth_cookie
    from chainlit.user import User

    from chat_app.history import OWNER

    async def page(request: Request) -> HTMLResponse:
        html = str(server.get_html_template(""))  # type: ignore[no-untyped-call]  # ours by now, see create_app
        response = HTMLResponse(html, headers={"Cache-Control": "no-cache"})
        token = await _token(request)
        try:
            known = token is not None and await get_current_user(token) is not None
        except HTTPException:  # an old secret, or expired
            known = False
        if not known:
            set_auth_cookie(request, response, create_jwt(User(identifier=OWNER, display_name="You")))
        return response

    for path in ("/", "/login", "/thread/{project}", "/element/{element}"):
        app.get(path, include_in_schema=False)(page)
    # the page shows its settings at this address; the browser side knows no path of that name
    app.get("/settings", include_in_schema=False)(lambda: RedirectResponse("/#settings"))


def _add_upload(app: FastAPI) -> None:
    """Chainlit's upload, which takes a file without content for a mistake of ours."""
    from chainlit import server

    async def upload(
        current_user: server.UserParam, session_id: str, file: UploadFile, ask_parent_id: str | None = None
    ) -> Response:
        if not file.size:
            raise HTTPException(400, "The file is empty (0 bytes); please choose a table with rows.")
        answer: Response = await server.upload_file(current_user, session_id, file, ask_parent_id)
        return answer

    app.post("/project/file", include_in_schema=False)(upload)


async def _not_served() -> None:
    raise HTTPException(404, "There is no such page here.")


async def _no_such_route(path: str) -> None:
    """Otherwise Chainlit would answer with its page."""
    raise HTTPException(404, f"There is no /api/{path} here.")


async def _as_sentence(_: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, error.detail) if isinstance(error, AnyHTTPException) else (500, "")
    return JSONResponse({"accepted": False, "sentence": detail, "detail": detail}, status)


async def _what_is_wrong(_: Request, error: Exception) -> JSONResponse:
    """The first thing that does not fit; never what was sent, which may be anything."""
    found = error.errors()[0] if isinstance(error, RequestValidationError) and error.errors() else {}
    place = ".".join(str(part) for part in found.get("loc", ())[1:])
    said = f"{place or 'The request'}: {found.get('msg', 'this cannot be read')}."
    sentence = said.encode("utf-8", "replace").decode()
    return JSONResponse({"accepted": False, "sentence": sentence, "detail": sentence}, 422)


def _logo(theme: str = "light") -> FileResponse:
    return _picture("logo_dark.svg" if theme == "dark" else "logo_light.svg")


def _picture(name: str) -> FileResponse:
    return FileResponse(Path(PUBLIC / name), media_type="image/svg+xml")
