"""Shared by all tests: no network but loopback, a home of their own, and the shared sample sandbox."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from chat_app.settings import Settings
from sandbox.base import Sandbox


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another host fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a home of their own, whatever the environment says."""
    return Settings(home=tmp_path / "home", budget_seconds=15)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The real local sandbox, warmed once for all tests."""
    from sandbox.choose import open_sandbox

    opened = open_sandbox()
    await opened.warm()
    yield opened
    await opened.close()
