"""Program: run the given arguments with this Python as an ordinary user, in a mount namespace where it can reach it.

An interpreter or a project under root's private home is shown at its place in an otherwise empty home. For root only.
"""

import os
import sys
from pathlib import Path

from sandbox import kernel

UID = 4242


def _barrier(path: str) -> Path | None:
    """The first folder on the way that an ordinary user cannot pass."""
    return next((p for p in reversed(Path(path).parents) if not p.stat().st_mode & 1), None)


def _show(paths: set[str]) -> None:
    shut = {path: barrier for path in sorted(paths) if (barrier := _barrier(path))}
    clones = {path: kernel.clone_mount(path) for path in shut if not any(path.startswith(f"{p}/") for p in shut)}
    for folder in set(shut.values()):
        kernel.mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
    for path, clone in clones.items():
        Path(path).mkdir(parents=True)
        kernel.attach(clone, path)


def main() -> None:
    """Become the user and start Python anew; never returns."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    _show({os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, Path.cwd())})
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], clean)


if __name__ == "__main__":
    main()
