"""What the scenes are told with: a server that can be killed, and a person in front of a browser."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect
from playwright.sync_api import Error as BrowserError

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
RUN_SECONDS = 120_000
"""Milliseconds until a training run that never ends is called a failure."""
BUDGET = 12


class Server:
    """`python -m chat_app.serve` with a home of its own, always on the same port."""

    def __init__(self, home: Path, log: Path) -> None:
        self._home = home
        self._log = log
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it says where it is."""
        settings = {"HOME": self._home, "PORT": self.port, "BUDGET_SECONDS": BUDGET}
        ours = {f"MODELWRIGHT_{name}": str(value) for name, value in settings.items()}
        seen = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chat_app.serve"],
                cwd=ROOT,
                env={**os.environ, **ours},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while b"Modelwright is at" not in self._log.read_bytes()[seen:]:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """As a power cut would: no goodbye."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As a service manager would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(30)


class Person:
    """One browser tab and what somebody does in it."""

    def __init__(self, server: Server, page: Page, foreign: list[str]) -> None:
        self.server = server
        self.page = page
        self.foreign = foreign
        """Addresses outside of our server that the browser asked for."""

    @classmethod
    def opens(cls, server: Server, browser: BrowserContext) -> "Person":
        """Go to the start page, and write down who is asked for what."""
        foreign: list[str] = []
        own = urlsplit(server.url).netloc

        def note(url: str) -> None:
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own:
                foreign.append(url)

        browser.on("request", lambda request: note(request.url))
        page = browser.pages[0]
        page.on("websocket", lambda socket: note(socket.url))
        page.goto(server.url)
        # the samples can be pressed as soon as the socket stands; what is uploaded or typed before goes nowhere
        page.locator('button[id^="starter-"]:not([disabled])').first.wait_for()
        return cls(server, page, foreign)

    @property
    def project(self) -> str:
        """The id in the address."""
        return urlsplit(self.page.url).path.rsplit("/", 1)[-1]

    def second_tab(self) -> "Person":
        """The same project once more."""
        page = self.page.context.new_page()
        page.goto(self.page.url)
        return Person(self.server, page, self.foreign)

    def attach(self, file: Path) -> None:
        """Choose a file."""
        self.page.set_input_files("#upload-button-input", str(file))
        expect(self.page.locator("#attachments")).to_contain_text(file.name)

    def say(self, text: str) -> None:
        """Type and send; Enter is ignored while the socket is not connected yet, so send when the page can."""
        before = self.page.locator('[data-step-type="user_message"]').count()
        self.page.locator("#chat-input").click()
        self.page.keyboard.type(text)
        self.page.locator("#chat-submit:not([disabled])").click()
        expect(self.page.locator('[data-step-type="user_message"]')).to_have_count(before + 1)
        self.page.wait_for_url("**/thread/*")

    def card(self, kind: str, status: str | None = None) -> Locator:
        """The newest card of a kind."""
        wanted = f'[data-card="{kind}"]' + (f'[data-status="{status}"]' if status else "")
        return self.page.locator(wanted).last

    def at_gate(self, kind: str) -> Locator:
        """Wait until the card asks."""
        card = self.card(kind, "waiting")
        card.wait_for()
        return card

    def press(self, card: Locator, action: str) -> None:
        """One of a card's buttons."""
        card.locator(f'[data-action="{action}"]').click()

    def stop_it_all(self) -> None:
        """The panel's Stop; a second time when the first has kept a model and the work went on with it."""
        panel = self.page.locator(".mw-panel")
        self.press(panel, "stop")
        while not self.events("TURN_ENDED"):
            if any(event["payload"].get("kept") for event in self.events("RUN_ENDED")):
                self.press(panel, "stop")
                break
            self.page.wait_for_timeout(50)

    def approve(self, kind: str) -> None:
        """Wait until the card asks and say yes."""
        self.press(self.at_gate(kind), "approve")

    def start(self, text: str, file: Path) -> None:
        """Upload a table and say what is wanted."""
        self.attach(file)
        self.say(text)

    def to_training(self, text: str, file: Path) -> None:
        """As far as the first live points."""
        self.start(text, file)
        self.approve("contract")
        self.approve("code")
        self.until_points(1)

    def points(self) -> int:
        """How many points the live chart of the panel shows."""
        chart = self.page.locator(".mw-panel .mw-curves")
        return int(chart.get_attribute("data-points") or 0) if chart.count() else 0

    def until_points(self, least: int) -> int:
        """Wait until the live chart has that many."""
        self.page.wait_for_function(
            "least => Number(document.querySelector('.mw-panel .mw-curves')?.dataset.points ?? 0) >= least", arg=least
        )
        return self.points()

    def until_result(self) -> Locator:
        """Wait until the result is there with everything that can be taken along."""
        self.page.locator('[data-card="result"] [data-action="bundle"]').last.wait_for(timeout=RUN_SECONDS)
        return self.card("result")

    def until_back(self) -> None:
        """Wait until the tab has found the server again."""
        expect(self.page.locator("#session-error")).to_have_count(0, timeout=60_000)

    def events(self, *types: str) -> list[dict[str, Any]]:
        """The project's log, as the server has it."""
        response = self.page.request.get(f"{self.server.url}/api/projects/{self.project}/events")
        assert response.ok, response.text()
        log: list[dict[str, Any]] = response.json()
        return [event for event in log if event["type"] in types]

    def trainings(self) -> int:
        """How often a training run was begun."""
        return sum(event["payload"]["purpose"] == "train" for event in self.events("RUN_STARTED"))

    def fetch(self, link: Locator) -> bytes:
        """What a download link gives."""
        with self.page.expect_download() as download:
            link.click()
        return Path(download.value.path()).read_bytes()


def report_of(person: Person, result: Locator) -> dict[str, Any]:
    """The machine-readable report among a result's files."""
    result.locator('[data-tab="files"]').click()
    report: dict[str, Any] = json.loads(person.fetch(result.locator('[data-file="report.json"]')))
    return report


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


__all__ = ["BrowserError", "Person", "Server", "report_of"]
