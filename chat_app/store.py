"""Projects and their append-only event log, in SQL (SQLite by default).

An event's `id` is unique: appending the same event twice (a node that runs again after a crash) stores it once.
The database itself refuses to change or delete an event.
"""

import datetime
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sql
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agents.context import Entry
from agents.events import Envelope, event_type, payload_of

Door = Literal["chat", "cli"]
ProjectStatus = Literal["idle", "running", "waiting"]

metadata = sql.MetaData()
projects = sql.Table(
    "projects",
    metadata,
    sql.Column("id", sql.String, primary_key=True),
    sql.Column("title", sql.String, nullable=False),
    sql.Column("door", sql.String, nullable=False),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("policy", sql.JSON, nullable=False),
    sql.Column("inbox", sql.JSON),
    sql.Column("created_at", sql.String, nullable=False),
    sql.Column("updated_at", sql.String, nullable=False),
)
events = sql.Table(
    "events",
    metadata,
    sql.Column("project", sql.String, sql.ForeignKey("projects.id"), primary_key=True),
    sql.Column("seq", sql.Integer, primary_key=True),
    sql.Column("id", sql.String, nullable=False, unique=True),
    sql.Column("at", sql.String, nullable=False),
    sql.Column("type", sql.String, nullable=False),
    sql.Column("stage", sql.String),
    sql.Column("actor", sql.String, nullable=False),
    sql.Column("payload", sql.JSON, nullable=False),
)
looks = sql.Table(
    "looks",
    metadata,
    sql.Column("seal", sql.String, primary_key=True),
    sql.Column("look", sql.String, primary_key=True),
    sql.Column("at", sql.String, nullable=False),
)
_IS_MODEL_CALL = events.c.type == sql.literal_column("'MODEL_CALLED'")
"""A literal, so that the index of the calls alone is used (migration 0003)."""


@dataclass(frozen=True)
class ProjectInfo:
    """One line of the history."""

    id: str
    title: str
    door: Door
    status: ProjectStatus
    policy: dict[str, bool]
    created_at: str
    updated_at: str
    inbox: dict[str, Any] | None = None
    """The last command, kept until the graph has surely taken it: a crash in between loses nothing."""


def event_id(*parts: str) -> str:
    """The same parts give the same id: what makes a repeated append harmless."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(parts)))


def now() -> str:
    """UTC in ISO 8601 with microseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def migrate(database: Path) -> None:
    """Bring the schema up to date. Blocking; raises OSError or SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{database}".replace("%", "%%"))
    command.upgrade(config, "head")
    database.chmod(0o600)


class Store:
    """All SQL of the conductor. One writer process per project; several processes may share the file."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            # BEGIN IMMEDIATE: reading the last seq and writing the next one must be one step for every process.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                await connection.commit()
            except BaseException:
                await connection.rollback()
                raise

    async def add_project(self, info: ProjectInfo) -> bool:
        """True when it is new."""
        async with self._write() as connection:
            found = await connection.execute(sql.select(projects.c.id).where(projects.c.id == info.id))
            if found.first() is not None:
                return False
            await connection.execute(projects.insert().values(**vars(info)))
            return True

    async def project(self, project: str) -> ProjectInfo | None:
        """None when there is no such project."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(sql.select(projects).where(projects.c.id == project))).mappings().first()
        return ProjectInfo(**row) if row is not None else None

    async def all_projects(self) -> list[ProjectInfo]:
        """Newest first."""
        query = sql.select(projects).order_by(projects.c.updated_at.desc())
        async with self._engine.connect() as connection:
            return [ProjectInfo(**row) for row in (await connection.execute(query)).mappings()]

    async def change_project(self, project: str, **values: Any) -> None:
        """Set title, status, policy or inbox."""
        async with self._write() as connection:
            await connection.execute(projects.update().where(projects.c.id == project).values(**values))

    async def append(self, project: str, new: Sequence[Entry]) -> list[Envelope]:
        """Append in order and return what was really new."""
        if not new:
            return []
        async with self._write() as connection:
            last = await connection.scalar(sql.select(sql.func.max(events.c.seq)).where(events.c.project == project))
            ids = [item.id for item in new]
            known = set(await connection.scalars(sql.select(events.c.id).where(events.c.id.in_(ids))))
            added: list[Envelope] = []
            for item in new:
                if item.id in known:
                    continue
                known.add(item.id)
                seq = (last or 0) + len(added) + 1
                # through JSON once, so that what subscribers get equals what a replay gives
                payload = json.loads(json.dumps(payload_of(item.event)))
                kind = event_type(type(item.event))
                added.append(Envelope(item.id, project, seq, now(), kind, item.stage, item.actor, payload))
            if added:
                await connection.execute(events.insert(), [vars(envelope) for envelope in added])
                touched = projects.update().where(projects.c.id == project).values(updated_at=added[-1].at)
                await connection.execute(touched)
        return added

    async def read(self, project: str, after_seq: int = 0, without: Sequence[str] = ()) -> list[Envelope]:
        """Events of a project after a sequence number, in order."""
        query = sql.select(events).where(events.c.project == project, events.c.seq > after_seq)
        if without:
            query = query.where(events.c.type.not_in(without))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(events.c.seq))).mappings()
            return [_envelope(row) for row in rows]

    async def model_calls(self, *, project: str = "", since: str = "", after_seq: int = 0) -> list[Envelope]:
        """The calls of language models in order: of one project or of all, from a time on, after a sequence number."""
        query = sql.select(events).where(_IS_MODEL_CALL, events.c.at >= since, events.c.seq > after_seq)
        if project:
            query = query.where(events.c.project == project)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(events.c.at, events.c.seq))).mappings()
            return [_envelope(row) for row in rows]

    async def last_of(self, project: str, types: Sequence[str]) -> int:
        """The sequence number of the newest event of these types; 0: there is none."""
        query = sql.select(sql.func.max(events.c.seq)).where(events.c.project == project, events.c.type.in_(types))
        async with self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def look(self, seal: str, look: str) -> int:
        """Record one look at sealed rows (the same look twice counts once); how many there were, this one included."""
        async with self._write() as connection:
            where = (looks.c.seal == seal, looks.c.look == look)
            if (await connection.execute(sql.select(looks.c.look).where(*where))).first() is None:
                await connection.execute(looks.insert().values(seal=seal, look=look, at=now()))
            count = await connection.scalar(sql.select(sql.func.count()).where(looks.c.seal == seal))
        return int(count or 0)


def _envelope(row: Mapping[Any, Any]) -> Envelope:
    return Envelope(**{name: row[name] for name in Envelope.__dataclass_fields__ if name in row})


@asynccontextmanager
async def open_store(database: Path) -> AsyncIterator[Store]:
    """Open a migrated database."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", connect_args={"timeout": 30})

    @sql.event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN IMMEDIATE ourselves
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}").close()

    try:
        yield Store(engine)
    finally:
        await engine.dispose()
