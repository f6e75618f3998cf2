"""Shared by scenes with a conductor: wait for what a user would see, then answer it."""

import asyncio
from collections.abc import Callable

from agents.events import Envelope
from agents.state import Decision
from chat_app.conductor import Conductor

PATIENCE = 120.0
"""Seconds until a scene that never comes is called a failure."""


async def until(conductor: Conductor, project: str, wanted: Callable[[Envelope], bool], after: int = 0) -> Envelope:
    """The first event after `after` that is wanted."""

    async def watch() -> Envelope:
        async for envelope in conductor.subscribe(project, after):
            if wanted(envelope):
                return envelope
        raise AssertionError("the log has no end")

    return await asyncio.wait_for(watch(), PATIENCE)


async def until_type(conductor: Conductor, project: str, kind: str, after: int = 0) -> Envelope:
    """The first event of a type."""
    return await until(conductor, project, lambda envelope: envelope.type == kind, after)


async def at_gate(conductor: Conductor, project: str, gate: str, after: int = 0) -> Envelope:
    """The project stands at this gate, ready for a decision."""
    found = await until(
        conductor, project, lambda e: e.type in ("WAITING_CONFIRMATION", "TURN_ENDED") and not _passed(e, gate), after
    )
    assert found.type == "WAITING_CONFIRMATION", found
    await conductor.wait(project)
    return found


def _passed(envelope: Envelope, gate: str) -> bool:
    return envelope.type == "WAITING_CONFIRMATION" and envelope.payload["gate"] != gate


async def approve(conductor: Conductor, project: str, waiting: Envelope) -> None:
    """Say yes."""
    reply = await conductor.decide(project, waiting.payload["interrupt_id"], Decision(action="approve"))
    assert reply.accepted, reply.sentence


async def to_the_end(conductor: Conductor, project: str, after: int = 0) -> list[Envelope]:
    """Everything until the turn is over."""
    end = await until_type(conductor, project, "TURN_ENDED", after)
    await conductor.wait(project)
    return [envelope for envelope in await conductor.events(project, after) if envelope.seq <= end.seq]


def kinds(envelopes: list[Envelope], *leaving_out: str) -> list[str]:
    """The types in order."""
    return [envelope.type for envelope in envelopes if envelope.type not in leaving_out]
