"""Whom a script is, seen from a host where we are root: a user id that no account and no other run has.

What the kernel counts for a user (watches of epoll, pages in pipes, locked memory) is then each run's own.
"""

import contextlib
import errno
import os
import pwd
import random
import socket
from dataclasses import dataclass
from pathlib import Path

from sandbox import kernel, staging

SHARED_UID = 60001
"""Of runs that get none of their own."""
_MOST = 64
"""Owners that an usher keeps, each with two descriptors."""


@dataclass(frozen=True)
class Owner:
    """A user id, and a descriptor of a user namespace in which root's files belong to it."""

    uid: int
    files: int


def claim_user() -> tuple[socket.socket, int]:
    """A user id that no account and no other run has, and the name that holds it: free again when that is closed.

    Raises OSError when every one is taken.
    """
    start = random.SystemRandom().randrange(len(staging.USERS))
    for uid in (*staging.USERS[start:], *staging.USERS[:start]):
        with contextlib.suppress(KeyError):
            pwd.getpwuid(uid)
            continue
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(staging.name_of_user(uid))
        except OSError as problem:
            name.close()
            if problem.errno != errno.EADDRINUSE:
                raise
        else:
            return name, uid
    raise OSError(errno.EUSERS, "every user id that a run could have is taken")


def is_ours(uid: int) -> bool:
    """Whether the user namespace that we are in has this user."""
    ranges = [[int(n) for n in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(start <= uid < start + count for start, _, count in ranges)


def owner_of(uid: int) -> Owner:
    """What a run of this user needs; for root only. Raises OSError where user namespaces are switched off."""
    ask, told = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
            os.write(ask[1], b".")
            os.read(told[0], 1)
        finally:
            os._exit(0)
    os.close(ask[1])
    try:
        if not os.read(ask[0], 1):
            raise PermissionError(errno.EPERM, "user namespaces are switched off")
        for kind in ("uid", "gid"):
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {uid} 1")
        return Owner(uid, os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC))
    finally:
        with contextlib.suppress(BrokenPipeError):  # it has ended
            os.write(told[1], b".")
        for fd in (ask[0], *told):
            os.close(fd)
        with contextlib.suppress(ChildProcessError):  # the usher ignores SIGCHLD: then nobody is left to wait for
            os.waitpid(pid, 0)


class Owners:
    """Those of one usher: lent to a run, taken back at its end, lent again."""

    def __init__(self) -> None:
        """With one at hand. Raises OSError like `owner_of`."""
        self._shared = owner_of(SHARED_UID)
        self._held: list[socket.socket] = []
        self._free: list[Owner] = []
        self.take_back(self.lend())

    def lend(self) -> Owner:
        """An owner of a run's own; the shared one when there are too many runs at once, or no more users."""
        if self._free:
            return self._free.pop()
        with contextlib.suppress(OSError):
            if len(self._held) < _MOST:
                return self._new()
        return self._shared

    def take_back(self, owner: Owner) -> None:
        """Its run is over."""
        if owner is not self._shared:
            self._free.append(owner)

    def _new(self) -> Owner:
        name, uid = claim_user()
        try:
            if not is_ours(uid):
                raise OSError(errno.EINVAL, "this user is not of our namespace")
            owner = owner_of(uid)
        except OSError:
            name.close()
            raise
        self._held.append(name)
        return owner
