"""The Python environment is there wherever it lies, and nothing else of that place is."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.probe import probe

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, subprocess, sys
import came_late
fresh = [sys.executable, "-c", "import came_late; print(came_late.WORD)"]
print(came_late.WORD, subprocess.check_output(fresh, text=True))
place = PLACE
assert os.path.exists(place + "/checkout/.venv") and not os.path.exists(place + "/checkout/secret.txt")
assert os.listdir(place + "/checkout") == [".venv"] and "neighbour" not in os.listdir(place)
way = place
while len(way) > 1:
    for deed in (os.rename, lambda way, other: os.mkdir(way + "/new"), lambda way, other: open(way + "/new", "w")):
        if way not in ("/tmp", "/dev/shm"):
            try:
                deed(way, way + "-moved")
                print("GOT IN", way)
            except OSError:
                pass
    way = os.path.dirname(way)
open("/tmp/mine", "w").write("x")
"""
PROGRAM = """
import asyncio, sys
sys.path.insert(0, PROJECT)
from sandbox.base import Job
from sandbox.choose import open_sandbox
async def main():
    sandbox = open_sandbox()
    async for event in sandbox.run(Job("a", SCRIPT)):
        print(getattr(event, "text", getattr(event, "kind", "")), end="")
    await sandbox.close()
asyncio.run(main())
"""


@pytest.fixture(params=["/tmp", "/dev/shm", "/home", "/srv", "/root", "/workspace"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of ours in a place of the host, with a checkout, its environment and a neighbour."""
    isolation = probe()
    if isolation.level == "none":
        pytest.skip(f"no isolation on this machine: {isolation.reason}")
    host = Path(request.param)
    if not os.access(host, os.W_OK):
        pytest.skip(f"{host} is not there or not ours to write")
    with tempfile.TemporaryDirectory(dir=host) as folder:
        where = Path(folder, "people/me")
        where.mkdir(parents=True)
        (where / "neighbour").mkdir()
        (where / "checkout").mkdir()
        (where / "checkout/secret.txt").write_text("secret")
        venv.create(where / "checkout/.venv", symlinks=True, with_pip=False)
        (packages,) = (where / "checkout/.venv").glob("lib/python*/site-packages")
        (packages / "came_late.py").write_text("WORD = 'here'\n")
        yield where


def run_from(place: Path) -> str:
    """What a script says in a sandbox whose Python lies in `place`."""
    script = SCRIPT.replace("PLACE", repr(str(place)))
    program = PROGRAM.replace("PROJECT", repr(str(PROJECT))).replace("SCRIPT", repr(dedent(script)))
    python = place / "checkout/.venv/bin/python"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    return done.stdout + done.stderr


def test_the_environment_is_seen_and_its_surroundings_are_not(place: Path) -> None:
    assert run_from(place) == "here here\n\nok"


def test_a_path_through_a_symbolic_link_leads_there_too(tmp_path: Path) -> None:
    if sys.prefix == sys.base_prefix:
        pytest.skip("needs a virtual environment")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link/checkout").mkdir()
    venv.create(tmp_path / "link/checkout/.venv", symlinks=True, with_pip=False)
    (packages,) = (tmp_path / "link/checkout/.venv").glob("lib/python*/site-packages")
    (packages / "came_late.py").write_text("WORD = 'here'\n")
    assert run_from(tmp_path / "link") == "here here\n\nok"
