"""Things that a script leaves in outputs/ for the trusted side to stumble over when it takes the results out.

Each has a text that leaves the thing, and a look at the destination that says whether it has arrived there as meant.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sandbox.attacks import PRELUDE

Look = Callable[[Path, str], bool]
_LEAVE = """
for name, text in DELIVERIES.items():
    try:
        exec(text, dict(globals()))
    except OSError as problem:
        print(f"{name}: {problem}")
"""


@dataclass(frozen=True)
class Delivery:
    """`text` leaves it; `arrived` gets the destination and the secret."""

    text: str
    arrived: Look


def _tells(name: str) -> Look:
    return lambda folder, secret: (folder / name).is_file() and secret.encode() in (folder / name).read_bytes()


def _is(name: str, kind: Callable[[int], bool]) -> Look:
    return lambda folder, _: os.path.lexists(folder / name) and kind((folder / name).lstat().st_mode)


def _named(strange: Callable[[str], bool]) -> Look:
    return lambda folder, _: any(strange(path.name) for path in folder.iterdir())


def _depth(folder: Path, _: str) -> bool:
    levels = 0
    while (folder := folder / "d").is_dir():
        levels += 1
    return levels > 20


DELIVERIES = {
    "a link to a key": Delivery("os.symlink(H['key'], 'outputs/chart.png')", _tells("chart.png")),
    "a link to a folder": Delivery("os.symlink(H['folder'], 'outputs/folder')", _tells("folder/canary.txt")),
    "a link that climbs": Delivery(
        "os.symlink('../' * 30 + H['canary'][1:], 'outputs/report.json')", _tells("report.json")
    ),
    "a chain of links": Delivery(
        "os.symlink(H['key'], 'outputs/first'); os.symlink('first', 'outputs/second')", _tells("second")
    ),
    "a link to the environment": Delivery("os.symlink('/proc/self/environ', 'outputs/env')", _tells("env")),
    "a link in a folder": Delivery(
        "os.mkdir('outputs/sub'); os.symlink(H['key'], 'outputs/sub/model.joblib')", _tells("sub/model.joblib")
    ),
    "a fifo": Delivery("os.mkfifo('outputs/fifo')", _is("fifo", stat.S_ISFIFO)),
    "a socket": Delivery("socket.socket(socket.AF_UNIX).bind('outputs/socket')", _is("socket", stat.S_ISSOCK)),
    "a device": Delivery("os.mknod('outputs/null', 0o20666, os.makedev(1, 3))", _is("null", stat.S_ISCHR)),
    "a program of root's": Delivery(
        "Path('outputs/rooted').write_bytes(b'#!/bin/sh'); os.chmod('outputs/rooted', 0o6755)",
        _is("rooted", lambda mode: bool(mode & 0o6000)),
    ),
    "a program": Delivery(
        "Path('outputs/run').write_bytes(b'#!/bin/sh'); os.chmod('outputs/run', 0o755)",
        _is("run", lambda mode: bool(mode & 0o111)),
    ),
    "an attribute": Delivery(
        "Path('outputs/attribute').touch(); os.setxattr('outputs/attribute', 'user.evil', b'x')",
        lambda folder, _: (folder / "attribute").exists() and bool(os.listxattr(folder / "attribute")),
    ),
    "a hard link": Delivery(
        "Path('outputs/one').touch(); os.link('outputs/one', 'outputs/two')",
        lambda folder, _: (folder / "one").exists() and (folder / "one").stat().st_nlink > 1,
    ),
    "folders without end": Delivery(
        "Path('outputs' + '/d' * 60).mkdir(parents=True); Path('outputs' + '/d' * 60, 'f').touch()", _depth
    ),
    "a name that climbs": Delivery("Path('outputs/..\\\\..\\\\evil').touch()", _named(lambda name: "\\" in name)),
    "a name that is an option": Delivery("Path('outputs/-rf').touch()", _named(lambda name: name.startswith("-"))),
    "a name that clears a terminal": Delivery("Path('outputs/\\x1b[2J').touch()", _named(lambda name: "\x1b" in name)),
    "a name of two lines": Delivery("Path('outputs/a\\nb').touch()", _named(lambda name: "\n" in name)),
    "a name from right to left": Delivery(
        "Path('outputs/\\u202egnp.exe').touch()", _named(lambda name: "\u202e" in name)
    ),
    "a name that is no text": Delivery("open(b'outputs/\\xff', 'w').close()", _named(lambda name: "\udcff" in name)),
    "a name that is a home": Delivery("Path('outputs/~root').touch()", _named(lambda name: name.startswith("~"))),
}


def script(facts: dict[str, Any]) -> str:
    """A program that leaves all of them, and one honest file."""
    texts = {name: delivery.text for name, delivery in DELIVERIES.items()}
    honest = "Path('outputs/honest.txt').write_text('honest')\n"
    return f"{PRELUDE}\nH = {facts!r}\nDELIVERIES = {texts!r}\n{_LEAVE}{honest}"


def arrived(folder: Path, secret: str) -> list[str]:
    """The names of all that came as meant."""
    return sorted(name for name, delivery in DELIVERIES.items() if delivery.arrived(folder, secret))
