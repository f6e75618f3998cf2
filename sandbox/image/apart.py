"""Namespaces for a script on a rented machine: what Docker does for a container, the keeper does there itself."""

import os
import signal
from typing import Any

from sandbox import kernel

UID = 60001
_SCRATCH = ("/tmp", "/dev/shm")
_WORKSPACE = "/tmp/workspace"


def enter_namespaces(request: dict[str, Any]) -> None:
    """On a rented machine: go on as process 1 of namespaces of our own, with nothing writable but private memory.

    Returns in the new process 1 only; the old process waits for it and leaves with its exit code.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS
    if uid == 0:
        kernel.unshare(flags)
    else:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        map_user(uid, gid)
    inner = os.fork()
    if inner:
        _, code = os.waitpid(inner, 0)
        os._exit(os.WEXITSTATUS(code) if os.WIFEXITED(code) else 128 + os.WTERMSIG(code))
    kernel.die_with_parent(signal.SIGKILL)
    kernel.make_mounts_private()
    _furnish(request["limits"])


def _furnish(limits: dict[str, Any]) -> None:
    """A private /proc, /tmp, /dev/shm and outputs/; the run's own folder read-only, at a place that nothing covers."""
    safe = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("proc", "/proc", "proc", safe | kernel.MS_NOEXEC)
    folder = kernel.clone_mount(".")
    kernel.set_mount(folder, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV)
    scratch = max(limits["memory_mb"] // 2, 1)
    for place in _SCRATCH:
        kernel.mount("tmpfs", place, "tmpfs", safe, f"size={scratch}m,nr_inodes=65536,mode=1777")
    os.mkdir(_WORKSPACE)  # noqa: PTH102
    kernel.attach(folder, _WORKSPACE)
    os.chdir(_WORKSPACE)
    size = limits["written_mb"]
    kernel.mount("tmpfs", f"{_WORKSPACE}/outputs", "tmpfs", safe, f"size={size}m,nr_inodes=4096,mode=1777")


def map_user(uid: int, gid: int) -> None:
    """In the user namespace just made, the given user of the outer one is the script's."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{UID} {uid} 1"), ("gid_map", f"{UID} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(text)
