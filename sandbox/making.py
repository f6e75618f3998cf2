"""How the script's process comes into its box: asked for by the supervisor, forked by the zygote, entered by itself.

Only this process has to be a fork of the large zygote. It is born into the process namespace of the box, gets ready
while the file system is built, then enters the other namespaces and gives up what it was. The zygote is its parent, so
the zygote tells process 1 how it has ended.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sandbox import kernel, usher
from sandbox.watch import Meter

_MESSAGE = 256
_MAX_DESCRIPTORS = 32


@dataclass(frozen=True)
class Namespaces:
    """Descriptors of the namespaces of a box."""

    pid: int
    mnt: int
    net: int
    ipc: int
    uts: int
    inner: int
    """The user namespace in which a script runs."""
    outer: int | None = None
    """The one that owns all the others but `inner`; None: they are the host's root's."""

    def enter(self, uid: int | None) -> None:
        """Go in, as this user of the host (None: as who we are), with every capability in `inner` and none outside.

        The process namespace is not among them: a process is born into that.
        """
        if self.outer is not None:
            kernel.enter(self.outer, kernel.CLONE_NEWUSER)
        kernel.enter(self.mnt, kernel.CLONE_NEWNS)
        kernel.enter(self.net, kernel.CLONE_NEWNET)
        kernel.enter(self.ipc, kernel.CLONE_NEWIPC)
        kernel.enter(self.uts, kernel.CLONE_NEWUTS)
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        kernel.enter(self.inner, kernel.CLONE_NEWUSER)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)

    @property
    def held(self) -> tuple[int, ...]:
        """Every descriptor."""
        always = (self.pid, self.mnt, self.net, self.ipc, self.uts, self.inner)
        return always if self.outer is None else (*always, self.outer)

    def close(self) -> None:
        """Hold none of them any more."""
        for fd in self.held:
            os.close(fd)


def open_namespaces(inner: int, mnt: int, *, as_root: bool) -> Namespaces:
    """Those of this process and the one in which its children are born; `inner` and `mnt` are open already."""
    names = ("pid_for_children", "net", "ipc", "uts", *([] if as_root else ["user"]))
    pid, net, ipc, uts, *outer = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
    return Namespaces(pid, os.dup(mnt), net, ipc, uts, inner, *outer)


@dataclass(frozen=True)
class Wanted:
    """What the script's process starts with; all but `uid` are descriptors."""

    namespaces: Namespaces
    cue: int
    """To the supervisor: the box is built, the job, the word to go."""
    stdio: tuple[int, int, int]
    proc: int
    going: int
    tie: int
    """Over which process 1 hears who the script's process is and how it has ended."""
    groups: tuple[int, ...]
    uid: int | None


def ask(maker: int, wanted: Wanted) -> None:
    """Have the zygote make a script's process. OSError when the zygote is gone."""
    held = wanted.namespaces.held
    given = [wanted.cue, *wanted.stdio, wanted.proc, wanted.going, wanted.tie, *held, *wanted.groups]
    said = {"uid": wanted.uid, "namespaces": len(held)}
    with socket.socket(fileno=os.dup(maker)) as desk:
        socket.send_fds(desk, [json.dumps(said).encode()], given)


def _read(message: bytes, given: Sequence[int]) -> Wanted:
    said = json.loads(message)
    cue, asked, out, err, proc, going, tie, *rest = given
    held, groups = rest[: said["namespaces"]], rest[said["namespaces"] :]
    return Wanted(Namespaces(*held), cue, (asked, out, err), proc, going, tie, tuple(groups), said["uid"])


def make(desk: socket.socket, parents: Sequence[int], live: Callable[[Wanted], NoReturn]) -> None:
    """One script's process for each message, and word of its end; until a process behind a pidfd of `parents` ends.

    Changes where the children of this process are born, each time: nothing else may be forked here.
    """
    living: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready = usher.wait_for(desk.fileno(), *parents, *living)
        if ready.intersection(parents):
            return
        for pidfd in living.keys() & ready:
            pid, tie = living.pop(pidfd)
            os.close(pidfd)
            _tell_the_end(pid, tie)
        if desk.fileno() in ready:
            message, given, _, _ = socket.recv_fds(desk, _MESSAGE, _MAX_DESCRIPTORS)
            if not message:
                return
            # refused where its box has ended meanwhile, or there are too many descriptors: who waits sees sockets close
            with contextlib.suppress(OSError, ValueError):
                pidfd, pid, tie = _made(_read(message, given), live)
                living[pidfd] = pid, tie
            for fd in given:
                os.close(fd)


def _made(wanted: Wanted, live: Callable[[Wanted], NoReturn]) -> tuple[int, int, socket.socket]:
    """A new process as pidfd and pid, and where word of its end is awaited. Raises OSError."""
    kernel.enter(wanted.namespaces.pid, kernel.CLONE_NEWPID)
    tie = socket.socket(fileno=os.dup(wanted.tie))
    try:
        pid = usher.fork()
        if pid == 0:
            usher.live_only(lambda: live(wanted))
        pidfd = os.pidfd_open(pid)
    except OSError:  # were it born, it would end with its cue
        tie.close()
        raise
    with contextlib.suppress(OSError):  # nobody listens any more
        socket.send_fds(tie, [b"made"], [pidfd])
    return pidfd, pid, tie


def _tell_the_end(pid: int, tie: socket.socket) -> None:
    _, code, used = os.wait4(pid, 0)
    said = {"code": code, "cpu_seconds": used.ru_utime + used.ru_stime, "largest_kb": used.ru_maxrss}
    with tie, contextlib.suppress(OSError):  # nobody listens any more
        tie.send(json.dumps(said).encode())


class Made:
    """A script's process, seen by its process 1."""

    pid = 0
    """No child of ours."""

    def __init__(self, tie: socket.socket) -> None:
        """Waits until it is there. Raises ChildProcessError when it was not made."""
        message, descriptors, _, _ = socket.recv_fds(tie, _MESSAGE, 1)
        if not message:
            raise ChildProcessError("the script's process could not be made")
        self._tie = tie
        (self.pidfd,) = descriptors

    def end(self, meter: Meter) -> int:
        """How it has ended, as waitpid tells it; what it has used is told to the meter."""
        if not (message := self._tie.recv(_MESSAGE)):  # the zygote is gone, and this run with it
            raise ChildProcessError("nobody can say how the script's process has ended")
        said = json.loads(message)
        meter.told(said["cpu_seconds"], said["largest_kb"])
        return int(said["code"])


class Child:
    """A script's process that is a child of ours."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)

    def end(self, _: Meter) -> int:
        """How it has ended; the kernel tells the meter what it has used."""
        return os.waitpid(self.pid, 0)[1]
