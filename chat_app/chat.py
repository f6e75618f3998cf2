"""The chat door: Chainlit's callbacks, each one call of the conductor. What is shown comes from the log (live.py)."""

import asyncio
import re
import shutil
import uuid
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import chainlit as cl
import chainlit.socket
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.types import ThreadDict
from starlette.datastructures import Headers

from agents.human import wants_to_stop
from chat_app.conductor import Conductor
from chat_app.history import OWNER, Hidden, History
from chat_app.live import LiveView, Views
from tools.markdown import plain
from tools.samples import SAMPLES

RESUME_SECONDS = 0.4
"""Chainlit sends the resumed thread after the callback has returned; what is sent before is lost."""
MAX_NAME = 120
STOPPED = "Stopped."
SETTINGS = "/settings"
SETTINGS_OPEN = "The settings of the language models are open; the gear at the top right opens them, too."
NOTHING_SAID = "Please say what you want to know, or attach a table."


def tabs_of(project: str) -> Iterable[WebsocketSession]:
    """Open tabs, and those that may come back within the session's time."""
    return [session for session in ws_sessions_id.values() if session.thread_id == project]


class Chat:
    """Wires one conductor to Chainlit."""

    def __init__(self, conductor: Conductor, hidden: Hidden, uploads: Path) -> None:
        self.conductor = conductor
        self.views = Views(conductor, tabs_of)
        self._hidden = hidden
        self._uploads = uploads
        self._later: set[asyncio.Task[None]] = set()

    def register(self) -> None:
        """Make this the chat that Chainlit serves."""
        cl.data_layer(lambda: History(self.conductor, self.views, self._hidden))
        cl.header_auth_callback(_local_user)
        cl.set_starters(_starters)
        cl.on_chat_start(_nothing)
        cl.on_chat_resume(self.on_resume)
        # not through the decorator: it would add an empty "run" step around every message
        config.code.on_message = self.on_message
        sio.on("connection_successful", self.on_connected)
        sio.on("stop", self.on_stop)

    async def on_message(self, message: cl.Message) -> None:
        """Hand the user's words and files to the conductor; what it refuses is said to this tab only."""
        session = cl.context.session
        if message.content.strip() == SETTINGS and not message.elements:
            await _open_settings()
            return
        project = await self.conductor.new_project(project=session.thread_id, door="chat")
        view = await self.views.open(project)
        if wants_to_stop(message.content) and not message.elements:
            await cl.Message(content=plain(await self._stop(project))).send()  # type: ignore[no-untyped-call]  # Chainlit has no types here
            return
        uploads = [element for element in message.elements or [] if element.path]
        known = view.expect(message.id, [element.id for element in uploads])
        problem = await self._start(project, message.content, [(str(one.path), one.name) for one in uploads])
        if problem:
            view.forget(known)
            await cl.Message(content=plain(problem)).send()  # type: ignore[no-untyped-call]  # Chainlit has no types here
        self._soon(_busy_again(view))

    async def _stop(self, project: str) -> str:
        """The first stop may leave the project at work, with the model that was saved: the browser is told so."""
        reply = await self.conductor.stop(project)
        if view := self.views.find(project):
            self._soon(_busy_again(view))
        return reply.sentence or STOPPED

    async def _start(self, project: str, text: str, uploads: list[tuple[str, str]]) -> str:
        """Begin the turn; the sentence says why not."""
        text = text.encode("utf-8", "replace").decode()  # half a character cannot be kept
        if not text.strip() and not uploads:
            return NOTHING_SAID
        folder = self._uploads / uuid.uuid4().hex
        try:
            files = await asyncio.to_thread(_named, uploads, folder)
            reply = await self.conductor.start(project, text, files)
        except OSError as error:
            return f"The file could not be kept: {error.strerror or error}."
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the conductor has its own copy
        return "" if reply.accepted else reply.sentence

    async def on_resume(self, thread: ThreadDict) -> None:
        """A tab opens a project: it gets the thread from the history, then what has happened meanwhile."""
        session = cl.context.session
        if not isinstance(session, WebsocketSession):
            return
        view = await self.views.open(thread["id"])
        self._soon(_attach(view, session, int((thread.get("metadata") or {}).get("seq", 0))))

    async def on_connected(self, sid: str) -> None:
        """Chainlit has no callback for a socket that comes back: events in the gap would be lost."""
        await chainlit.socket.connection_successful(sid)
        session = WebsocketSession.get(sid)
        if session is None or not session.restored:
            return
        if view := self.views.find(session.thread_id):
            await view.attach(session)

    async def on_stop(self, sid: str) -> None:
        """The composer's Stop; the log says that it was stopped, so no message of Chainlit's own."""
        if session := WebsocketSession.get(sid):
            await self._stop(session.thread_id)

    async def check(self) -> None:
        """Raises `SchemaError` when the database is not what this version needs."""
        await self._hidden.check()

    async def close(self) -> None:
        """Follow no project any more."""
        for task in self._later:
            task.cancel()
        await self.views.close()
        await self._hidden.close()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _named(uploads: list[tuple[str, str]], folder: Path) -> list[Path]:
    """Uploads under the names that the user knows them by."""
    folder.mkdir(parents=True)
    return [Path(shutil.move(path, folder / safe_name(name))) for path, name in uploads]


def safe_name(name: str) -> str:
    """A file name of ours from what a browser said: no folders, no control characters, not hidden, not endless."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    return f"{stem[: MAX_NAME - len(suffix)]}{dot}{suffix[:MAX_NAME]}" or "table"


async def _attach(view: LiveView, session: WebsocketSession, seq: int) -> None:
    await asyncio.sleep(RESUME_SECONDS)
    await view.attach(session, seq, panel=False)


async def _busy_again(view: LiveView) -> None:
    """Chainlit ends its own "task" when the callback returns, while ours has only begun."""
    await asyncio.sleep(RESUME_SECONDS)
    await view.tell_busy()


async def _open_settings() -> None:
    """Only in the tab that asks, and no message of any project."""
    await cl.send_window_message({"source": "modelwright", "open": "settings"})
    await cl.Message(content=SETTINGS_OPEN).send()  # type: ignore[no-untyped-call]


async def _local_user(_: Headers) -> cl.User:
    return cl.User(identifier=OWNER, display_name="You")


async def _nothing() -> None:
    """A new tab has nothing to say before its user does."""


async def _starters(_user: cl.User | None, _language: str | None) -> list[cl.Starter]:
    return [cl.Starter(label=sample.label, message=sample.request) for sample in SAMPLES.values()]
