"""Brings the files of outputs/ out: by the trusted side, after the run is dead, without following a link.

Only regular files, within a count and a total size, under names that no system stumbles over; the destination gets all
of them or none.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import staging
from sandbox.base import Artifact, SandboxBroken

MAX_FILES = 1000
MAX_DEPTH = 32
"""Folders in folders."""
_MAX_NAME = 200
"""Bytes in UTF-8; most file systems end at 255."""
_MAX_PATH = 2000
"""Bytes of a name with its folders; Linux ends at 4096, with the destination."""
_MOST_TOLD, _LONGEST_TOLD = 20, 200
_UNSAFE = set('\\:*?"<>|')
_CHUNK = 2**20


class TooMuch(Exception):
    """The script left more than its limits allow; the message says what."""


@dataclass(frozen=True)
class Collected:
    """What came out, and what did not."""

    files: tuple[Artifact, ...] = ()
    left_behind: tuple[str, ...] = ()
    """Safe names with the reason in brackets, of 20 at most; then how many more."""


@dataclass(frozen=True)
class _Found:
    folder: int
    """Descriptor of the folder that the file is in; valid until the walk goes on."""
    name: str
    target: str
    bytes: int


def _safe(name: str) -> str:
    shown = "".join(
        c if c.isprintable() and c not in _UNSAFE else "_" for c in os.fsencode(name).decode(errors="replace")
    )
    stem = _end(shown, _MAX_NAME)
    return "_" if set(stem) == {"."} else stem


def _end(name: str, most: int) -> str:
    """As much of its end as fits into so many bytes: the suffix tells what a file is."""
    return name.encode()[-most:].decode(errors="ignore").strip().lstrip("-~ ") or "_"


def _names(folder: int) -> list[tuple[str, str]]:
    """(name, safe name) of everything in a folder, no two safe names alike; who needs no change keeps its name."""
    taken: dict[str, int] = {}
    pairs = [(name, _safe(name)) for name in os.listdir(folder)]  # noqa: PTH208  a descriptor, not a path
    ordered = sorted(pairs, key=lambda pair: (pair[0] != pair[1], pair[0]))
    return sorted((name, _free(safe, taken)) for name, safe in ordered)


def _free(name: str, taken: dict[str, int]) -> str:
    """The name, numbered if another has it; on many systems capitals make no difference."""
    free, number = name, taken.get(name.lower(), 1)
    while free.lower() in taken:
        number += 1
        mark = f"_{number}"
        free = f"{_end(name, _MAX_NAME - len(mark))}{mark}"
    taken[name.lower()] = number
    taken.setdefault(free.lower(), 1)
    return free


def _walk(folder: int, prefix: str, depth: int, left_behind: list[str]) -> Iterator[_Found]:
    """Everything that can come out; what cannot is added to `left_behind`."""
    for name, safe in _names(folder):
        target = f"{prefix}{safe}"
        try:
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
            reason = _reason_to_leave(about, target, depth)
            inner = _enter(name, folder, about) if reason is None and stat.S_ISDIR(about.st_mode) else None
        except PermissionError:  # made unreadable by the script, and not ours to change
            left_behind.append(_told(target, "it cannot be read"))
            continue
        if reason is not None:
            left_behind.append(_told(target, reason))
        elif inner is None:
            yield _Found(folder, name, target, about.st_size)
        else:
            try:
                yield from _walk(inner, f"{target}/", depth + 1, left_behind)
            finally:
                os.close(inner)


def _reason_to_leave(about: os.stat_result, target: str, depth: int) -> str | None:
    if stat.S_ISLNK(about.st_mode):
        return "a link"
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        return "neither a file nor a folder"
    if len(target.encode()) > _MAX_PATH or (stat.S_ISDIR(about.st_mode) and depth >= MAX_DEPTH):
        return "too deep"
    return None


def _enter(name: str, folder: int, about: os.stat_result) -> int:
    """A folder's descriptor, made accessible first if the script has made it unreadable."""
    if about.st_mode & 0o700 != 0o700:
        return staging.open_folder(name, folder)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


def told(name: str, reason: str) -> str:
    """What another machine says about something that stays there, made safe to show."""
    return _told("/".join(_safe(part) for part in name.rstrip("/").split("/")), _safe(reason))


def _told(target: str, reason: str) -> str:
    shown = target if len(target) <= _LONGEST_TOLD else f"…{target[-_LONGEST_TOLD:]}"
    return f"{shown} ({reason})"


def _first(left_behind: list[str]) -> tuple[str, ...]:
    more = len(left_behind) - _MOST_TOLD
    return (*left_behind[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else []))


def _copy(found: _Found, target: Path) -> bool:
    """Whether the file could be read; never more of it than was announced."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        source = os.open(found.name, flags, dir_fd=found.folder)
    except PermissionError:  # made unreadable by the script: its loss
        return False
    with os.fdopen(source, "rb") as reader, target.open("xb") as writer:
        left = found.bytes
        while left and (chunk := reader.read(min(_CHUNK, left))):
            writer.write(chunk)
            left -= len(chunk)
    return True


def _stage(outputs: int, stage: Path, max_bytes: int, left_behind: list[str]) -> list[str]:
    names: list[str] = []
    total = 0
    with contextlib.suppress(OSError):  # not ours to change: then what is in there tells what it cannot
        os.fchmod(outputs, 0o700)
    for found in _walk(outputs, "", 0, left_behind):
        total += found.bytes
        if len(names) >= MAX_FILES:
            raise TooMuch(f"The script left more than {MAX_FILES} files in outputs/.")
        if total > max_bytes:
            raise TooMuch(f"The files in outputs/ are larger than {max_bytes // 2**20} MB together.")
        target = stage / found.target
        target.parent.mkdir(parents=True, exist_ok=True)
        if _copy(found, target):
            names.append(found.target)
        else:
            left_behind.append(_told(found.target, "it cannot be read"))
    return names


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _publish(stage: Path, destination: Path, names: list[str]) -> None:
    if _is_free(destination):
        stage.rename(destination)
        return
    for name in names:
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).replace(destination / name)


def _sweep(parent: Path, prefix: str) -> None:
    """Stages of applications that were killed in mid-copy."""
    for leftover in parent.glob(f"{prefix}*"):
        owner = leftover.name.removeprefix(prefix).partition(".")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(leftover, ignore_errors=True)


def _sentence(problem: OSError) -> str:
    """What went wrong and what helps; never a path, which means nothing to the user."""
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "Free some space" if full else "Make sure that its folder can be written"
    return f"The results could not be saved: {problem.strerror}. {advice} and try again."


def collect(outputs: int, destination: Path, max_bytes: int) -> Collected:
    """Copy the regular files below the folder descriptor `outputs` to `destination`, all or nothing.

    Raises `TooMuch` (the script's fault) or `SandboxBroken` (no space, no permission), with nothing half-written.
    """
    left_behind: list[str] = []
    prefix = f".{destination.name}.partial-"
    stage = destination.parent / f"{prefix}{os.getpid()}.{outputs}"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _sweep(destination.parent, prefix)
        stage.mkdir()
        names = _stage(outputs, stage, max_bytes, left_behind)
        sizes = [(stage / name).stat().st_size for name in names]
        _publish(stage, destination, names)
    except OSError as problem:
        raise SandboxBroken(_sentence(problem)) from problem
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(stage)
    files = tuple(Artifact(name, destination / name, size) for name, size in zip(names, sizes, strict=True))
    return Collected(files, _first(left_behind))
