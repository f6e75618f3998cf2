"""One real sandbox for all tests of this folder; on a machine without isolation they are skipped with the reason.

Runs begin in a box that stands ready, which every test waits for; when slow tests run, once more in a box made for it.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import pytest

from sandbox.base import Job, Metric, Outcome, Output
from sandbox.local import LocalSandbox
from sandbox.probe import probe


class Standing(LocalSandbox):
    """Waits for a box that stands ready before it begins a run."""

    async def run(self, job: Job) -> AsyncGenerator[Output | Metric | Outcome]:
        """As ever."""
        await self.stand()
        async with aclosing(super().run(job)) as events:
            async for event in events:
                yield event


@pytest.fixture(scope="session", params=["standing", pytest.param("made for it", marks=pytest.mark.slow)])
def sandbox(request: pytest.FixtureRequest) -> Iterator[LocalSandbox]:
    isolation = probe()
    if isolation.level == "none":
        pytest.skip(f"no isolation on this machine: {isolation.reason}. {isolation.advice}")
    local = Standing(isolation) if request.param == "standing" else LocalSandbox(isolation, ready=0)
    yield local
    asyncio.run(local.close())
