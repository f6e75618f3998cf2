"""Any table that pandas can make, to the very end: the real graph, the real store, the real sandbox."""

import json
import tempfile
import warnings
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from agents.events import Envelope
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.any_tables import FORMATS, AnyTable, learnable, tables, write
from tests.chat_app.scenes import until
from tests.chat_app.test_conductor import Shared
from tests.clear_sentence import assert_clear
from tools.ingest import IngestError, ingest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.asyncio(loop_scope="session")]

FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
BUDGET = 8.0
ENDS = ("TURN_ENDED", "WAITING_CONFIRMATION")
"""A turn is over, or a question stands open."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def conductor(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Conductor]:
    home = tmp_path_factory.mktemp("any-table")
    async with open_conductor(Settings(home=home, budget_seconds=BUDGET), Shared(sandbox)) as opened:
        yield opened


async def run(conductor: Conductor, table: AnyTable, kind: str) -> list[Envelope]:
    """Everything that a user would see of one request; no rows when pandas cannot write the table."""
    with tempfile.TemporaryDirectory() as place:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what pandas thinks of writing such a table is not at issue
            path = write(table, kind, Path(place))
        assume(path is not None)
        assert path is not None
        name = named(path, table, Path(place))
        project = await conductor.new_project(policy=Policy(False, False))
        reply = await conductor.start(project, f'predict "{name}"', [str(path)])
        if not reply.accepted:
            assert_clear(reply.sentence)
            return []
        await until(conductor, project, lambda event: event.type in ENDS)
        await conductor.wait(project)
        return await conductor.events(project)


def named(path: Path, table: AnyTable, folder: Path) -> str:
    """What the column to predict is called once the table is read."""
    try:
        names = ingest(path, folder / "read").names
    except IngestError:
        return "it"
    return names[table.target % len(names)]


def assert_sound(events: list[Envelope]) -> str:
    """A result whose numbers are numbers, a question, or a failure in words that is the table's and not ours."""
    last = events[-1].payload
    failed = [event.payload for event in events if event.type == "FAILED"]
    for failure in failed:
        assert failure["culprit"] != "product", failure
        assert_clear(failure["sentence"])
        return f"failed at {failure['stage']}"
    if events[-1].type == "WAITING_CONFIRMATION":
        assert last["gate"] == "question", last
        return "asked"
    assert last["outcome"] == "done", last
    scored: list[Mapping[str, Any]] = [event.payload for event in events if event.type == "SCORED"]
    if not scored:
        assert any(event.type == "ANSWERED" for event in events)
        return "answered"
    json.dumps(scored, allow_nan=False)
    metric = scored[-1]["score"]["metric"]
    assert metric["ci_low"] <= metric["value"] <= metric["ci_high"]
    return "scored"


@FEW
@given(learnable(), st.sampled_from(FORMATS))
async def test_a_sound_target_among_any_columns_ends_in_a_score(
    conductor: Conductor, table: AnyTable, kind: str
) -> None:
    events = await run(conductor, table, kind)
    ended = assert_sound(events)
    event(ended)
    assert ended == "scored", [event.payload for event in events if event.type in ("FAILED", "ANSWERED", "ASKED")]


@FEW
@given(tables(fewest_rows=30), st.sampled_from(FORMATS))
async def test_any_table_ends_in_a_result_or_in_a_clear_sentence(
    conductor: Conductor, table: AnyTable, kind: str
) -> None:
    events = await run(conductor, table, kind)
    if events:
        event(assert_sound(events))
