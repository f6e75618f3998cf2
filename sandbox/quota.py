"""What a run has written and started, watched where the kernel does not hold it to that: checked ten times a second.

Between two looks a script can write more than it may; it is ended right after.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import staging, tree
from sandbox.mounts import MAX_FILES
from sandbox.watch import EVERY, SLICE, Meter, living, places, shared_device

_MB = 2**20
_BLOCK = 512
_DEEPEST = 64
"""Folders in folders; nobody who means well goes deeper."""
TOO_MUCH = 2**62

Measure = Callable[[str], tuple[int, int]]
"""Bytes and files in a folder."""


@dataclass(frozen=True)
class Quota:
    """Folder -> MB that may be in it, and how many processes and threads there may be."""

    folders: Mapping[str, int]
    processes: int


class QuotaMeter(Meter):
    """A `Meter` that also knows the limits "disk_quota" and "pids"."""

    calm = EVERY  # a disk fills faster than that

    def __init__(self, quota: Quota, measure: Measure, *, memory_mb: int, cpu_seconds: float) -> None:
        super().__init__(memory_mb=memory_mb, cpu_seconds=cpu_seconds, processes=quota.processes)
        self._quota = quota
        self._used = measure
        self._looks = 0

    def sample(self) -> str | None:
        """Look once, at the disk every second time."""
        broken = super().sample()
        self._looks += 1
        if broken is None and self.most_tasks > self._quota.processes:
            broken = "pids"
        return broken or (self.last_look() if self._looks % 2 == 0 else None)

    def last_look(self) -> str | None:
        """Whether more has been written than fits."""
        hidden = self.hidden_bytes()
        for folder, most_mb in self._quota.folders.items():
            used, files = self._used(folder)
            if used + hidden > most_mb * _MB or files > MAX_FILES:
                return "disk_quota"
        return None

    def hidden_bytes(self) -> int:
        """In files that have no name any more."""
        return 0


class TreeMeter(QuotaMeter):
    """For a run that shares the host's processes and disk: counts what descends from us and what it wrote."""

    def __init__(self, quota: Quota, measure: Measure, *, memory_mb: int, cpu_seconds: float) -> None:
        super().__init__(quota, measure, memory_mb=memory_mb, cpu_seconds=cpu_seconds)
        self._removed: dict[str, dict[tuple[int, int], int]] = {}
        self._hidden = 0

    def pids(self) -> list[str]:
        """Only the run's own."""
        return [str(pid) for pid in tree.descendants(self._quota.processes + 1)]

    def scratch_mb(self) -> float:
        """Its files lie on a disk."""
        return 0.0

    def hidden_bytes(self) -> int:
        """Files that were removed while a process holds them open or mapped; of a slow tree what was found last."""
        began, pids = time.monotonic(), self.pids()
        for pid in (pid for pid in pids if pid not in self._removed):
            self._removed[pid] = {}
            with contextlib.suppress(OSError):  # it has just ended
                self._removed[pid] = _open_but_removed(pid) | _mapped_but_removed(pid)
            if time.monotonic() - began > SLICE and pid != pids[-1]:
                return self._hidden
        found = {file: size for pid in pids for file, size in self._removed[pid].items()}
        self._removed.clear()
        self._hidden = sum(found.values())
        return self._hidden


def _open_but_removed(pid: str) -> dict[tuple[int, int], int]:
    found = {}
    for place in places(pid):  # a thread may have descriptors of its own, and outlive the first
        for entry in _names(f"{place}/fd"):
            with contextlib.suppress(OSError):  # just closed
                about = os.stat(f"{place}/fd/{entry}")  # noqa: PTH116  half the time of Path
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    found[about.st_dev, about.st_ino] = about.st_blocks * _BLOCK
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  half the time of iterdir
    except OSError:  # it has just ended
        return []


def _mapped_but_removed(pid: str) -> dict[tuple[int, int], int]:
    """As large as the mapping reaches, since nothing tells more."""
    found = {}
    for line in Path(f"{living(pid)}/maps").read_text(errors="replace").splitlines():
        if line.endswith(" (deleted)"):
            span, _, offset, device, inode = line.split(maxsplit=5)[:5]
            if device == shared_device():  # memory, and counted as such
                continue
            start, end = (int(bound, 16) for bound in span.split("-"))
            major, minor = (int(part, 16) for part in device.split(":"))
            found[os.makedev(major, minor), int(inode)] = end - start + int(offset, 16)
    return found


def used_in_tmpfs(folder: str) -> tuple[int, int]:
    """Of a file system that is the folder's own."""
    space = os.statvfs(folder)
    return (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_files - space.f_ffree


def used_on_disk(folder: str) -> tuple[int, int]:
    """By walking through it, following no link; TOO_MUCH when it is deeper or fuller than any that means well."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _walk(handle, 0, MAX_FILES)
    finally:
        os.close(handle)


def _walk(handle: int, depth: int, left: int) -> tuple[int, int]:
    used = files = 0
    with os.scandir(handle) as entries:
        for entry in entries:
            files += 1
            if files > left or depth > _DEEPEST:
                return TOO_MUCH, files
            with contextlib.suppress(OSError):  # just removed or moved
                about = os.stat(entry.name, dir_fd=handle, follow_symlinks=False)
                used += about.st_blocks * _BLOCK
                if stat.S_ISDIR(about.st_mode):
                    inner = staging.open_folder(entry.name, handle)
                    try:
                        deeper = _walk(inner, depth + 1, left - files)
                    finally:
                        os.close(inner)
                    used, files = used + deeper[0], files + deeper[1]
    return used, files
