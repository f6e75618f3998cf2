"""`modelwright doctor`: every level of the sandbox with its state, the other places, and no secret."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.probe import LEVELS, probe
from tests.chat_app.test_cli import modelwright
from tests.sandbox.e2b_double import KEY as DOUBLES_KEY
from tests.sandbox.e2b_double import serving

KEY = "e2b_0123456789abcdef0123456789abcdef01234567"


def told(folder: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    done = modelwright("doctor", "--json", folder=folder, stdin=subprocess.DEVNULL, **environment)
    assert KEY not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.fixture(scope="module")
def health(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """What is said with a key of E2B and no other setting."""
    return told(tmp_path_factory.mktemp("doctor"), MODELWRIGHT_E2B_API_KEY=KEY)


def test_every_level_and_place_is_named_with_its_state_and_one_is_in_use(health: tuple[int, dict[str, Any]]) -> None:
    code, found = health
    sandboxes = {check["name"]: check for check in found["sandboxes"]}
    assert list(sandboxes) == [*LEVELS, "docker", "e2b"]
    for level in LEVELS:
        check = sandboxes[level]
        assert ("works" in check["text"]) == (check["state"] == "ok"), check
        assert check["text"].startswith("refused: ") == (check["state"] == "note"), check
        assert bool(check["advice"]) == (check["state"] == "note"), check
    used = [name for name, check in sandboxes.items() if check["text"].endswith(", in use")]
    works = [level for level in LEVELS if sandboxes[level]["state"] == "ok"]
    assert used == works[:1]
    assert (code == 0) == bool(used) == found["can_run"]


def test_a_key_is_noticed_and_never_shown(health: tuple[int, dict[str, Any]]) -> None:
    assert "a key is set" in health[1]["sandboxes"][-1]["text"]


def test_a_key_that_can_be_none_is_said_and_never_shown(tmp_path: Path) -> None:
    _, found = told(tmp_path, MODELWRIGHT_E2B_API_KEY=f"{KEY}\nX-More: 1")
    assert found["sandboxes"][-1]["state"] == "note"
    assert "holds a character that no key has" in found["sandboxes"][-1]["text"]


def test_a_rented_machine_that_was_chosen_works_when_a_script_ran_there(tmp_path: Path) -> None:
    """The real SDK, pointed at a double of E2B."""
    if probe().level != "full":
        pytest.skip("the machines of the double need namespaces")
    chosen = {"MODELWRIGHT_SANDBOX": "e2b", "MODELWRIGHT_E2B_API_KEY": DOUBLES_KEY}
    (tmp_path / "e2b").mkdir()
    with serving(tmp_path / "e2b") as double:
        code, found = told(tmp_path, **chosen, E2B_API_URL=double.url, E2B_SANDBOX_URL=double.url)
        assert len(double.machines) == 1
        assert not double.alive
    first, row = found["checks"][0], found["sandboxes"][-1]
    assert (code, first["state"], row["state"]) == (0, "ok", "ok"), found
    assert "data leaves this machine" in first["text"]
    assert row["text"] == "works, template code-interpreter-v1, in use"
    code, found = told(tmp_path, **chosen, E2B_API_URL="http://127.0.0.1:9")
    first, row = found["checks"][0], found["sandboxes"][-1]
    assert (code, first["state"], row["state"]) == (3, "bad", "note")
    assert "could not be reached" in row["text"]


def test_the_warm_sandbox_says_what_it_holds(health: tuple[int, dict[str, Any]]) -> None:
    isolation = health[1]["checks"][0]
    assert isolation["state"] == "bad" or "warm and idle it holds " in isolation["text"]


def test_the_reduced_level_is_said_with_what_it_leaves_open(tmp_path: Path) -> None:
    done = modelwright("doctor", folder=tmp_path, MODELWRIGHT_SANDBOX="reduced")
    shown = " ".join(done.stdout.split())
    assert shown.index("isolation") < shown.index(" full ") < shown.index(" e2b ") < shown.index("storage")
    if "✗ isolation" in shown:
        assert done.returncode == 3
    else:
        assert done.returncode == 0
        assert "• isolation reduced" in shown
        assert "it can see which files exist" in shown
        assert "without namespaces: works, in use" in shown


@pytest.mark.parametrize("choice", ["e2b", "docker"])
def test_a_sandbox_that_was_chosen_and_is_not_there_is_no_sandbox(choice: str, tmp_path: Path) -> None:
    code, found = told(tmp_path, MODELWRIGHT_SANDBOX=choice, MODELWRIGHT_DOCKER_IMAGE="nobody-has-this-image")
    assert (code, found["can_run"], found["checks"][0]["state"]) == (3, False, "bad")
    assert not any(check["text"].endswith(", in use") for check in found["sandboxes"])


@pytest.mark.parametrize(("installed", "words"), [("chromium", "chromium is installed, but there is no screen"),
                                                  ("nothing", "none found here")])  # fmt: skip
def test_a_browser_without_a_screen_is_not_called_missing(tmp_path: Path, installed: str, words: str) -> None:
    program = tmp_path / installed
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environment = {"PATH": str(tmp_path), "MODELWRIGHT_HOME": str(tmp_path)}
    script = "from chat_app.doctor import _browser; from chat_app.settings import Settings; print(_browser(Settings()))"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert words in done.stdout
    assert "ssh -L 8000:localhost:8000" in done.stdout
