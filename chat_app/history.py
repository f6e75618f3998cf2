"""Chainlit's data layer over projects and events: past chats are drawn from the log, nothing is stored twice.

Hence there are no tables of steps and elements that could drift from the truth: writing a step does nothing, reading a
thread folds the log. Only what a user hides is kept here.
"""

import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from chainlit.data.base import BaseDataLayer
from chainlit.element import Element, ElementDict
from chainlit.step import StepDict
from chainlit.types import Feedback, PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chat_app.conductor import Conductor
from chat_app.history_schema import hidden
from chat_app.live import Views
from chat_app.store import ProjectInfo

OWNER = "local"
"""The one user of an installation without logins."""
UNTITLED = "New project"


class SchemaError(Exception):
    """The database does not hold the table that this version needs."""


class Hidden:
    """Projects that are not listed, in the product's database."""

    def __init__(self, database: Path) -> None:
        self._engine: AsyncEngine = create_async_engine(f"sqlite+aiosqlite:///{database}", connect_args={"timeout": 30})

    async def check(self) -> None:
        """Raises `SchemaError` when table or columns differ: better at the start than at the first click."""
        async with self._engine.connect() as connection:
            found = await connection.run_sync(_columns)
        wanted = {column.name for column in hidden.columns}
        if found != wanted:
            raise SchemaError(f"The table {hidden.name} has the columns {sorted(found)} instead of {sorted(wanted)}.")

    async def add(self, project: str) -> None:
        """List it no longer."""
        at = datetime.datetime.now(datetime.UTC).isoformat()
        async with self._engine.begin() as connection:
            await connection.execute(insert(hidden).values(project=project, at=at).on_conflict_do_nothing())

    async def all(self) -> set[str]:
        """Every project that is not listed."""
        async with self._engine.connect() as connection:
            return set(await connection.scalars(sql.select(hidden.c.project)))

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()


def _columns(connection: sql.Connection) -> set[str]:
    inspector = sql.inspect(connection)
    if not inspector.has_table(hidden.name):
        return set()
    return {str(column["name"]) for column in inspector.get_columns(hidden.name)}


class History(BaseDataLayer):
    """What Chainlit asks for when it lists, opens, renames or deletes a chat. A thread is a project."""

    def __init__(self, conductor: Conductor, views: Views, hidden_projects: Hidden) -> None:
        self._conductor = conductor
        self._views = views
        self._hidden = hidden_projects

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """There is one user without an account."""
        if identifier != OWNER:
            return None
        return PersistedUser(id=OWNER, identifier=OWNER, createdAt="1970-01-01T00:00:00Z", display_name="You")

    async def create_user(self, user: User) -> PersistedUser | None:
        """Nothing to create."""
        return await self.get_user(user.identifier)

    async def get_thread_author(self, thread_id: str) -> str:
        """Every project belongs to the one user; a project that does not exist to nobody."""
        return OWNER if await self._info(thread_id) else ""

    async def list_threads(self, pagination: Pagination, filters: ThreadFilter) -> PaginatedResponse[ThreadDict]:
        """Past chats, newest first, one page."""
        gone = await self._hidden.all()
        wanted = (filters.search or "").lower()
        infos = [
            info
            for info in await self._conductor.projects()
            if info.door == "chat" and info.id not in gone and wanted in info.title.lower()
        ]
        ids = [info.id for info in infos]
        start = ids.index(pagination.cursor) + 1 if pagination.cursor in ids else 0
        page = infos[start : start + pagination.first]
        more = start + len(page) < len(infos)
        return PaginatedResponse(
            pageInfo=PageInfo(
                hasNextPage=more,
                startCursor=page[0].id if page else None,
                endCursor=page[-1].id if page else None,
            ),
            data=[_listed(info) for info in page],
        )

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """The whole conversation, folded from the log."""
        info = await self._info(thread_id)
        if info is None:
            return None
        view = await self._views.open(thread_id)
        return await view.thread(info.title or UNTITLED, OWNER)  # type: ignore[return-value]  # a TypedDict built as a dict

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """The first message makes the project, a rename changes its title; the rest is in the log."""
        info = await self._info(thread_id)
        if info is None and user_id is not None:
            await self._conductor.new_project(project=thread_id, door="chat")
        elif info is not None and name is not None and user_id is None:
            await self._conductor.store.change_project(thread_id, title=name.strip() or UNTITLED)

    async def delete_thread(self, thread_id: str) -> None:
        """Off the list, and stopped. The project's folder stays: nothing is lost by a click."""
        await self._conductor.stop(thread_id)
        await self._hidden.add(thread_id)

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        """One card or file of a conversation."""
        thread = await self.get_thread(thread_id)
        elements = (thread["elements"] if thread else None) or []
        found = [one for one in elements if one["id"] == element_id]
        return found[0] if found else None

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """No thumbs are shown, so none are taken."""
        raise ValueError("Feedback is not collected.")

    async def delete_feedback(self, feedback_id: str) -> bool:
        """There is none."""
        return False

    async def create_element(self, element: Element) -> None:
        """The log has it."""

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """The log keeps it."""

    async def create_step(self, step_dict: StepDict) -> None:
        """The log has it."""

    async def update_step(self, step_dict: StepDict) -> None:
        """The log has it."""

    async def delete_step(self, step_id: str) -> None:
        """The log keeps it."""

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        """Favourites are switched off."""
        return []

    async def build_debug_url(self) -> str:
        """There is no outside service to look at."""
        return ""

    async def close(self) -> None:
        """Let go of the database."""
        await self._hidden.close()

    async def _info(self, project: str) -> ProjectInfo | None:
        return await self._conductor.store.project(project)


def _listed(info: ProjectInfo) -> ThreadDict:
    return ThreadDict(
        id=info.id,
        createdAt=info.updated_at,  # the browser groups and sorts by this: the last activity is what people look for
        name=info.title or UNTITLED,
        userId=OWNER,
        userIdentifier=OWNER,
        tags=[],
        metadata={},
        steps=[],
        elements=[],
    )
