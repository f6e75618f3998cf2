"""Keeps the browsers that look at a project up to date: follows its log and tells every open tab what is new."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from chat_app.conductor import Conductor
from chat_app.drawing import Drawing
from chat_app.projector import Projection

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.12
"""Changes of this long are told together."""
MAX_VIEWS = 64
"""Projects followed at once; one that no tab shows is forgotten first."""


class Tab(Protocol):
    """One browser tab, as Chainlit's WebsocketSession gives it."""

    id: str

    def emit(self, event: str, data: Any) -> Any:
        """Send; returns an awaitable."""
        ...


class Tabs(Protocol):
    """Which tabs show a project now."""

    def __call__(self, project: str) -> Iterable[Tab]: ...


class LiveView:
    """One project: its projection, and what has been told so far."""

    def __init__(self, conductor: Conductor, project: str, tabs: Tabs) -> None:
        self.project = project
        self.drawing = Drawing(Projection(project))
        self._conductor = conductor
        self._tabs = tabs
        self._told = 0
        self._with_panel: set[str] = set()
        self._expected: list[list[str]] = []
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Read the log so far, then follow it."""
        await self._catch_up()
        self._told = self.drawing.projection.seq
        self.drawing.projection.panel.take_patch()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tell())]

    async def close(self) -> None:
        """Follow no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def watched(self) -> bool:
        """Some tab shows it."""
        return any(True for _ in self._tabs(self.project))

    def expect(self, message: str, files: Iterable[str]) -> list[str]:
        """The next message of the user is known to the sender's tab under this id, its uploads under those."""
        ids = [message, *files]
        self._expected.append(ids)
        return ids

    def forget(self, ids: list[str]) -> None:
        """That message was refused and will not come."""
        with suppress(ValueError):
            self._expected.remove(ids)

    async def thread(self, title: str, owner: str) -> dict[str, Any]:
        """The whole conversation as of now."""
        await self._catch_up()
        return self.drawing.thread(title, owner)

    async def attach(self, tab: Tab, after_seq: int = 0, *, panel: bool = True) -> None:
        """Bring one tab up to date: what has changed since `after_seq`, the panel, and whether we are working."""
        await self._send_changes([tab], after_seq)
        if panel:
            await _send(tab, "element", self.drawing.panel())
        self._with_panel.add(tab.id)
        shown = self.drawing.projection.panel
        whole = {"full": True, "panel": shown.snapshot()}
        await _send(tab, "window_message", self._patch(whole))
        await self.tell_busy([tab])

    async def tell_busy(self, tabs: Iterable[Tab] | None = None) -> None:
        """While we work the composer shows Stop."""
        busy = self.drawing.projection.panel.state == "running"
        for tab in self._tabs(self.project) if tabs is None else tabs:
            await _send(tab, "task_start" if busy else "task_end", {})

    async def _catch_up(self) -> None:
        for envelope in await self._conductor.events(self.project, self.drawing.projection.seq):
            self._apply(envelope)

    async def _follow(self) -> None:
        async for envelope in self._conductor.subscribe(self.project, self.drawing.projection.seq):
            self._apply(envelope)

    def _apply(self, envelope: Any) -> None:
        projection = self.drawing.projection
        if envelope.seq <= projection.seq:
            return
        projection.apply(envelope)
        bubble = projection.bubbles.get(f"user/{envelope.seq}")
        if bubble is not None and self._expected:
            message, *files = self._expected.pop(0)
            self.drawing.aliases[bubble.key] = message
            self.drawing.aliases.update({f"{bubble.key}/file/{n}": file for n, file in enumerate(files)})
        self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            self._news.clear()
            await self._tell_once()

    async def _tell_once(self) -> None:
        tabs = list(self._tabs(self.project))
        told, self._told = self._told, self.drawing.projection.seq
        patch = self.drawing.projection.panel.take_patch()
        await self._send_changes(tabs, told)
        for tab in tabs:
            if tab.id not in self._with_panel:
                self._with_panel.add(tab.id)
                await _send(tab, "element", self.drawing.panel())
            elif patch:
                await _send(tab, "window_message", self._patch(patch))
        if "state" in patch.get("panel", {}):
            await self.tell_busy(tabs)

    async def _send_changes(self, tabs: list[Tab], after_seq: int) -> None:
        bubbles, cards = self.drawing.projection.changed(after_seq)
        for tab in tabs:
            for bubble in bubbles:
                await _send(tab, "new_message", self.drawing.step(bubble))  # the browser replaces a message it knows
                for chip in self.drawing.uploads(bubble):
                    await _send(tab, "element", chip)
            for card in cards:
                await _send(tab, "element", self.drawing.element(card))

    def _patch(self, patch: dict[str, Any]) -> dict[str, Any]:
        return {"source": "modelwright", "project": self.project, "seq": self.drawing.projection.seq, **patch}


async def _send(tab: Tab, event: str, data: Any) -> None:
    try:
        await tab.emit(event, data)
    except Exception:  # whatever ails one tab, the others are told; it gets everything anew when it comes back
        log.exception("tab %s could not be told %s", tab.id, event)


class Views:
    """The live views of all projects that somebody looks at."""

    def __init__(self, conductor: Conductor, tabs: Tabs) -> None:
        self._conductor = conductor
        self._tabs = tabs
        self._views: dict[str, LiveView] = {}
        self._lock = asyncio.Lock()

    def find(self, project: str | None) -> LiveView | None:
        """The view of a project that is open already."""
        return self._views.get(project or "")

    async def open(self, project: str) -> LiveView:
        """The view of a project, ready to be drawn."""
        async with self._lock:
            if project not in self._views:
                await self._make_room()
                view = LiveView(self._conductor, project, self._tabs)
                await view.open()
                self._views[project] = view
            return self._views[project]

    async def close(self) -> None:
        """Follow nothing any more."""
        for view in self._views.values():
            await view.close()
        self._views.clear()

    async def _make_room(self) -> None:
        idle = [name for name, view in self._views.items() if not view.watched]
        for name in idle[: max(0, len(self._views) - MAX_VIEWS + 1)]:
            await self._views.pop(name).close()
