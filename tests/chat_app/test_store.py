"""The event log: appended once, in order, and never changed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from agents.context import Entry
from agents.events import MessageReceived
from chat_app.store import ProjectInfo, Store, event_id, metadata, migrate, now, open_store


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = tmp_path / "test.db"
    migrate(database)
    async with open_store(database) as opened:
        await opened.add_project(ProjectInfo("p", "", "chat", "idle", {}, now(), now()))
        yield opened


def entry(key: str, text: str) -> Entry:
    return Entry(event_id("p", key), MessageReceived(text), None, "user")


async def test_the_same_event_twice_is_stored_once(store: Store) -> None:
    assert len(await store.append("p", [entry("1", "a"), entry("2", "b")])) == 2
    assert await store.append("p", [entry("2", "b, said again after a crash")]) == []
    assert [(e.seq, e.payload["text"]) for e in await store.read("p")] == [(1, "a"), (2, "b")]


async def test_a_replay_gives_the_typed_event_again(store: Store) -> None:
    added = await store.append("p", [entry("1", "größer als 10 €")])
    assert added == await store.read("p")
    assert added[0].event == MessageReceived("größer als 10 €", [])  # type: ignore[arg-type]  # JSON has no tuples


@pytest.mark.parametrize("statement", ["UPDATE events SET payload = '{}'", "DELETE FROM events"])
async def test_the_database_refuses_to_change_the_past(store: Store, tmp_path: Path, statement: str) -> None:
    await store.append("p", [entry("1", "a")])
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'test.db'}")
    with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sql.text(statement))
    engine.dispose()


async def test_a_look_is_counted_once(store: Store) -> None:
    assert [await store.look("seal", look) for look in ("a", "a", "b")] == [1, 1, 2]
    assert await store.look("another seal", "a") == 1


def test_the_migrations_make_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    migrate(tmp_path / "m.db")
    migrate(tmp_path / "m.db")
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    made = sql.inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in made.get_columns(table.name)} == {column.name for column in table.columns}
    engine.dispose()
    assert (tmp_path / "m.db").stat().st_mode & 0o077 == 0
