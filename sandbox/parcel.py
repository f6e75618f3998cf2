"""The files that a script has left on another machine: received into a folder of our own, then treated as ever.

What arrives is a list of plain files; a link, a device or a folder cannot be said. Names and sizes are still the
script's, so nothing is written outside the folder and nothing beyond the quota.
"""

import os
from pathlib import Path
from typing import Any, BinaryIO

from sandbox.artifacts import MAX_DEPTH, MAX_FILES, Collected, TooMuch, collect, told
from sandbox.base import SandboxBroken

_MB = 2**20


class Parcel:
    """Files on their way: `begin` each, `add` its content, `end`; then `deliver`."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._left = most_bytes
        self._due = 0
        self._count = 0
        self._file: BinaryIO | None = None
        self._left_behind: tuple[str, ...] = ()
        self.too_much: str | None = None
        """Why it is more than the limits allow, in a sentence."""
        folder.mkdir()

    def begin(self, about: Any) -> None:
        """The next file, by the name and size that the other side gives it. Raises `SandboxBroken`."""
        self.end()
        name, size = about["name"], about["bytes"]
        self._count += 1
        self._left -= size
        if self._count > MAX_FILES:
            self.too_much = f"The script left more than {MAX_FILES} files in outputs/."
        elif self._left < 0:
            self.too_much = f"The files in outputs/ are larger than {self._most // _MB} MB together."
        else:
            self._due = size
            self._file = self._create(name)

    def add(self, content: bytes) -> None:
        """Some of the file that was begun last; never more than was announced."""
        self._due -= len(content)
        if self._file is None or self._due < 0:
            raise SandboxBroken("The sandbox failed: the results make no sense.")
        self._file.write(content)

    def end(self) -> None:
        """No more of this file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def leave_behind(self, about: Any) -> None:
        """What else the other side has found in outputs/, by name and reason, and how much more."""
        left = [told(str(name), str(reason)) for name, reason in about["left_behind"]]
        more = int(about["more"])
        self._left_behind = (*left, *([f"and {more} more"] if more else []))

    def deliver(self, destination: Path) -> Collected:
        """Copy everything to where it was wanted, under safe names. Raises `SandboxBroken`."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = collect(folder, destination, self._most)
            return Collected(found.files, (*found.left_behind, *self._left_behind))
        except TooMuch as problem:
            self.too_much = str(problem)
            return Collected()
        finally:
            os.close(folder)

    def _create(self, name: str) -> BinaryIO:
        parts = name.split("/")
        odd = any(part in ("", ".", "..") or "\0" in part for part in parts)
        if odd or len(parts) > MAX_DEPTH + 1:
            raise SandboxBroken("The sandbox failed: a result has no proper name.")
        path = self._folder.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb")
        except OSError as problem:
            raise SandboxBroken(f"The results could not be received: {problem.strerror}.") from problem
