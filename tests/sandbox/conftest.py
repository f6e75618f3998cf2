"""One real sandbox for all tests of this folder; on a machine without isolation they are skipped with the reason."""

import asyncio
from collections.abc import Iterator

import pytest

from sandbox.local import LocalSandbox
from sandbox.probe import probe


@pytest.fixture(scope="session")
def sandbox() -> Iterator[LocalSandbox]:
    isolation = probe()
    if isolation.level == "none":
        pytest.skip(f"no isolation on this machine: {isolation.reason}. {isolation.advice}")
    local = LocalSandbox(isolation)
    yield local
    asyncio.run(local.close())
