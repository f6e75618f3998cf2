"""Lets an unprivileged user reach a Python that lies in root's private home, where root may make a mount namespace.

The process that is about to give up root sees the private folder empty but for the ways to the interpreter.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox import kernel, mounts


@dataclass(frozen=True)
class Passage:
    """Folders that only root can pass, and what lies behind them and must be seen."""

    barriers: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


def to(paths: Iterable[str]) -> Passage:
    """What has to be opened so that everybody can reach `paths`."""
    real = mounts.without_nested(os.path.realpath(path) for path in paths)
    shut = {path: barrier for path in real if (barrier := _barrier(path))}
    return Passage(mounts.without_nested(set(shut.values())), tuple(shut))


def _barrier(path: str) -> str | None:
    """The first folder on the way that others cannot pass."""
    return next((str(p) for p in reversed(Path(path).parents) if not p.stat().st_mode & 1), None)


def enter(passage: Passage) -> None:
    """From here on, this process alone sees the barriers open. PermissionError without CAP_SYS_ADMIN."""
    if not passage.barriers:
        return
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    clones = {path: kernel.clone_mount(path) for path in passage.shown}
    for folder in passage.barriers:
        kernel.mount("tmpfs", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for path, clone in clones.items():
        inside = Path(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        if Path(f"/proc/self/fd/{clone}").is_dir():
            inside.mkdir()
        else:
            inside.touch()
        kernel.set_mount(clone, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV)
        kernel.attach(clone, path)
        os.close(clone)
