"""A real server in a process and a home of its own, and a real Chromium in front of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Playwright, sync_playwright

from tests.e2e.browser import Person, Server
from tools.samples import write_sample

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_BROWSER = "The browser tests need Chromium; install it with: apt-get install -y --no-install-recommends chromium"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; without one the tests are skipped, in CI they fail."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)
    return found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver; while it lives its event loop is the thread's, so it must be gone before other tests."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Server]:
    """The chat, ready to be talked to; shared by the scenes that leave it alone."""
    yield from _serving(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def mortal_server(tmp_path: Path, chromium: str) -> Iterator[Server]:
    """A chat that this scene may kill."""
    yield from _serving(tmp_path)


def _serving(folder: Path) -> Iterator[Server]:
    running = Server(folder / "home", folder / "server.log")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def browser(playwright: Playwright, chromium: str, tmp_path: Path) -> Iterator[BrowserContext]:
    """A fresh profile on a laptop's screen."""
    context = playwright.chromium.launch_persistent_context(
        str(tmp_path / "profile"),
        executable_path=chromium,
        args=FLAGS,
        viewport={"width": 1440, "height": 900},
        accept_downloads=True,
    )
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def person(server: Server, browser: BrowserContext) -> Person:
    """Somebody who has just opened the chat. At the end nothing may have been asked from any other host."""
    return Person.opens(server, browser)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Breast cancer as CSV, as somebody would upload it."""
    return write_sample("breast_cancer", tmp_path)
