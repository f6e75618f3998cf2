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

from sandbox.base import Artifact, SandboxBroken

MAX_FILES = 1000
_MAX_DEPTH = 8
_MAX_NAME = 120
_UNSAFE = set('\\:*?"<>|')
_CHUNK = 2**20


class TooMuch(Exception):
    """The script left more than its limits allow; the message says what."""


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
    stem = shown.strip().lstrip("-~")[-_MAX_NAME:] or "_"
    return "_" if set(stem) == {"."} else stem


def _names(folder: int) -> list[tuple[str, str]]:
    """(name, safe name) of everything in a folder, no two safe names alike; who needs no change keeps its name."""
    taken: set[str] = set()
    pairs = [(name, _safe(name)) for name in os.listdir(folder)]  # noqa: PTH208  a descriptor, not a path
    ordered = sorted(pairs, key=lambda pair: (pair[0] != pair[1], pair[0]))
    return sorted((name, _free(safe, taken)) for name, safe in ordered)


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered if another has it; on many systems capitals make no difference."""
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free


def _walk(folder: int, prefix: str, depth: int) -> Iterator[_Found]:
    for name, safe in _names(folder):
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        target = f"{prefix}{safe}"
        if stat.S_ISREG(about.st_mode):
            yield _Found(folder, name, target, about.st_size)
        elif stat.S_ISDIR(about.st_mode) and depth < _MAX_DEPTH:
            try:
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except PermissionError:  # made unreadable by the script: its loss
                continue
            try:
                yield from _walk(inner, f"{target}/", depth + 1)
            finally:
                os.close(inner)


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


def _stage(outputs: int, stage: Path, max_bytes: int) -> list[str]:
    names: list[str] = []
    total = 0
    for found in _walk(outputs, "", 0):
        total += found.bytes
        if len(names) >= MAX_FILES:
            raise TooMuch(f"The script left more than {MAX_FILES} files in outputs/.")
        if total > max_bytes:
            raise TooMuch(f"The files in outputs/ are larger than {max_bytes // 2**20} MB together.")
        target = stage / found.target
        target.parent.mkdir(parents=True, exist_ok=True)
        if _copy(found, target):
            names.append(found.target)
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


def collect(outputs: int, destination: Path, max_bytes: int) -> tuple[Artifact, ...]:
    """Copy the regular files below the folder descriptor `outputs` to `destination`, all or nothing.

    Raises `TooMuch` (the script's fault) or `SandboxBroken` (no space, no permission), with nothing half-written.
    """
    prefix = f".{destination.name}.partial-"
    stage = destination.parent / f"{prefix}{os.getpid()}.{outputs}"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _sweep(destination.parent, prefix)
        stage.mkdir()
        names = _stage(outputs, stage, max_bytes)
        sizes = [(stage / name).stat().st_size for name in names]
        _publish(stage, destination, names)
    except OSError as problem:
        raise SandboxBroken(_sentence(problem)) from problem
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(stage)
    return tuple(Artifact(name, destination / name, size) for name, size in zip(names, sizes, strict=True))
