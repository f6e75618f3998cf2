"""Reads a Python script that somebody named on the command line, or says in one sentence why it is none."""

import os
import sys
from pathlib import Path

from chat_app.exits import BAD_INPUT, CommandError

MAX_BYTES = 1_000_000
STDIN = "-"


def read_script(named: str | Path) -> str:
    """The text of a file, or of stdin for "-". Raises CommandError."""
    shown = "stdin" if named == STDIN else os.fspath(named)
    raw = sys.stdin.buffer.read(MAX_BYTES + 1) if named == STDIN else _content(Path(named).expanduser(), shown)
    if len(raw) > MAX_BYTES:
        raise _no_script(f"{shown} has more than 1 MB; a script of that size holds data, which belongs in a file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_script(f"{shown} is no UTF-8 text, so it cannot be a Python script; save it as UTF-8.") from error
    if not text.strip():
        raise _no_script(f"{shown} is empty; there is nothing to run.")
    return text


def _content(path: Path, shown: str) -> bytes:
    if path.is_dir():
        raise _no_script(f"{shown} is a folder; name one Python file.")
    if not path.exists():
        raise _no_script(f"There is no file {shown}.")
    if path.suffix == ".ipynb":
        raise _no_script(f"{shown} is a notebook; make it a script first: jupyter nbconvert --to script {shown}.")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _no_script(f"{shown} cannot be read: {error.strerror}.") from error


def _no_script(sentence: str) -> CommandError:
    return CommandError(BAD_INPUT, sentence)
