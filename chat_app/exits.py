"""How the command ends: its exit codes, and the one exception that carries a code and a sentence to the door."""

import errno
import os
from collections.abc import Iterator

DONE = 0
OBJECTION = 1
"""Of `check` alone: something in the script blocks it or has to be asked about."""
SCRIPT_FAILED = 1
"""Of `sandbox run` alone: the sandbox did its work, and the script failed in it or met a limit."""
BAD_INPUT = 2
"""The user's input; the sentence says what was seen and what would work."""
NO_ISOLATION = 3
FAILED = 4
"""The run failed, and it was not the user's input. Without a word when whoever read our output has gone (`| head`)."""
INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command with an exit code and one sentence on stderr."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class ReaderGone(Exception):
    """Nobody reads our output any more; there is nobody to tell it to."""


FULL = (errno.ENOSPC, errno.EDQUOT)
HOME_FULL = "The disk of Modelwright's own files is full; make room, or name a folder elsewhere with MODELWRIGHT_HOME."


def is_disk_full(error: BaseException) -> bool:
    """The error, or what it came from, is a full disk: the system's own word for it or SQLite's."""
    return any(
        (isinstance(one, OSError) and one.errno in FULL) or "database or disk is full" in str(one)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def file_sentence(error: OSError) -> str:
    """What the system says about which file, without numbers: "p.csv: No space left on device."."""
    named = error.filename2 or error.filename
    what = error.strerror or str(error) or type(error).__name__
    if isinstance(named, str | bytes | os.PathLike):
        return f"{os.fsdecode(named)}: {what}."
    known = error.errno is not None and what == os.strerror(error.errno)
    return f"The output could not be written: {what}." if known else f"{what}."
