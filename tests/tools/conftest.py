"""Shared by the tests of tools: one finished result, made once; and models at work in the real sandbox."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.base import Sandbox
from tests.tools.result_scene import Result, make
from tools.worker import Workers


@pytest_asyncio.fixture(loop_scope="session")
async def workers(sandbox: Sandbox) -> AsyncIterator[Workers]:
    """Models that are put away after the test."""
    opened = Workers(sandbox)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A two-class result with everything real but the sandbox; read it, do not change its files."""
    return make("binary", tmp_path_factory.mktemp("result"))
