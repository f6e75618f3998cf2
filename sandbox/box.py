"""One run, inside out: a supervisor furnishes a box, a small trusted process 1 watches, a child runs the script.

    zygote -> supervisor   own session, leaves the host's namespaces, builds the file system, later mounts the inputs
                -> process 1   gives up root, then enforces time and memory; when it ends, all ends
                     -> the script (sandbox/payload.py)

The three get ready at the same time, as far as they can without knowing the job, and then stand and wait for it: a box
may stand ready long before its job is there, and is used once. No line of the script runs before process 1 and the
script's own process have given up every privilege and the root of the box is closed.

Everything is told to the application over one socket as JSON; when that socket closes, process 1 ends the run.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from sandbox import attend, kernel, mounts, order, payload, seccomp
from sandbox.owners import SHARED_UID, Owner, is_ours, owner_of

INNER_UID = 1000
_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS


@dataclass(frozen=True)
class Base:
    """What every run shares: facts about the zygote that it is forked from."""

    pid: int
    environment: tuple[str, ...]
    covered: tuple[str, ...]
    data_bytes: int
    filter: bytes
    owner: Owner | None
    """Whom the script is; None: an ordinary user, as we are."""
    threads: int
    own_path: str


class _Failed(Exception):
    """Process 1 or the script's process could not get ready, and process 1 tells why."""


@dataclass(frozen=True)
class _Ends:
    """What process 1 and the script's process hold of the supervisor, and of the application."""

    status: socket.socket
    desk: socket.socket
    """Between the supervisor and process 1."""
    cue: socket.socket
    """Between the supervisor and the script's process."""
    stdio: tuple[int, int, int]
    groups: tuple[int, ...]


@dataclass(frozen=True)
class _Worlds:
    """Descriptors of two mount namespaces over which the supervisor has power."""

    host: int
    """Shows the host's files."""
    box: int

    def clone_inputs(self, inputs: dict[str, str], owner_map: int | None) -> dict[str, int]:
        """Take the inputs there, to mount them here."""
        if not inputs:
            return {}
        kernel.enter_mounts(self.host)
        mounts_by_target = mounts.clone_inputs(inputs, owner_map)
        kernel.enter_mounts(self.box)
        return mounts_by_target


def _write(path: str, text: str, *, dir_fd: int | None = None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def is_root() -> bool:
    """Whether we are root and can become another user; a namespace's root without that user is ordinary."""
    return os.geteuid() == 0 and is_ours(SHARED_UID)


def supervise(base: Base, descriptors: list[int]) -> NoReturn:
    """The forked zygote becomes the supervisor of a box: [order, stdin, stdout, stderr, status, groups...]."""
    orders, said, out, err, status_fd, *groups = descriptors
    status = socket.socket(fileno=status_fd)
    try:
        _settle_in(base, descriptors)
        worlds = _leave_the_host(as_root=base.owner is not None)
        desk, their_desk = _pair()
        cue, their_cue = _pair()
        pid = os.fork()
        if pid == 0:
            _close([orders, worlds.host, worlds.box, desk.detach(), cue.detach()])
            _be_process_one(base, _Ends(status, their_desk, their_cue, (said, out, err), tuple(groups)))
        _close([said, out, err, their_desk.detach(), their_cue.detach()])
        _tell_and_close(status, "box", os.pidfd_open(pid))
        with contextlib.suppress(_Failed):
            _furnish(base, status, desk)
            _close(groups)
            _serve(base, worlds, socket.socket(fileno=orders), desk, cue)
        _, code = os.waitpid(pid, 0)
        if os.WIFSIGNALED(code):
            attend.tell(status, "died", signal=os.WTERMSIG(code))
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _close(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        os.close(fd)


def _tell_and_close(status: socket.socket, event: str, descriptor: int) -> None:
    attend.tell(status, event, (descriptor,))
    os.close(descriptor)


def join(groups: Iterable[int]) -> None:
    """Be counted in the run's control groups from now on."""
    for group in groups:
        with contextlib.suppress(OSError):  # not ours after all: rlimits and the watch remain
            os.write(group, b"0")
        os.close(group)


def _settle_in(base: Base, descriptors: list[int]) -> None:
    """A session of its own that holds nothing of the zygote's and dies with it."""
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != base.pid:
        os._exit(1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    files = () if base.owner is None else (base.owner.files,)
    kernel.close_all_but({0, 1, 2, *descriptors, *files})


def _leave_the_host(*, as_root: bool) -> _Worlds:
    """New namespaces for all that comes; an ordinary user becomes the owner of a user namespace first."""
    if as_root:
        kernel.unshare(_NAMESPACES)
    else:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(_NAMESPACES | kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INNER_UID} {uid} 1")
        _write("/proc/self/gid_map", f"{INNER_UID} {gid} 1")
    host = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    kernel.unshare(kernel.CLONE_NEWNS)
    socket.sethostname("sandbox")
    return _Worlds(host, os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))


def _furnish(base: Base, status: socket.socket, desk: socket.socket) -> None:
    """Build the file system around the /proc that process 1 makes."""
    proc = order.receive(desk)
    if proc is None:
        raise _Failed
    outputs = mounts.build(_shell(base), proc, before_entering=lambda: _hear(desk))
    os.close(proc)
    _tell_and_close(status, "outputs", outputs)


def _serve(base: Base, worlds: _Worlds, orders: socket.socket, desk: socket.socket, cue: socket.socket) -> None:
    """Say that the box stands, wait for its job and let it go; ends the box when it is not wanted any more."""
    _hear(desk)
    _hear(cue)
    with contextlib.suppress(OSError):  # nobody waits for it: the job is there already
        orders.send(b"stands")
    request = _await_order(orders, desk)
    if request is None:
        os._exit(0)
    order.send(cue, request)
    order.send(desk, request)
    job = order.read(request)
    inputs = worlds.clone_inputs(job["inputs"], base.owner.files if base.owner else None)
    limits = job["limits"]
    root = mounts.fill(inputs, job["script"], outputs_mb=limits["written_mb"], memory_mb=limits["memory_mb"])
    order.send(cue, root)
    _close([root, worlds.host, worlds.box, request, cue.detach(), orders.detach()])


def _hear(listener: socket.socket) -> None:
    """Wait for a process of ours to get on."""
    if not listener.recv(1):
        raise _Failed


def _await_order(orders: socket.socket, other: socket.socket | int) -> int | None:
    """The request, or None when the other end of `orders` has closed or `other` has something to say."""
    ready, _, _ = select.select([orders, other], [], [])
    return order.receive(orders) if orders in ready else None


def _last_words(go: int) -> str:
    """Why the script's process could not get ready, if that is so."""
    ready, _, _ = select.select([go], [], [], 0)
    return os.read(go, 4096).decode(errors="replace") if ready else ""


def _be_process_one(base: Base, ends: _Ends) -> NoReturn:
    """Give up root, have the script's process made, watch it; ending ends every process of the run."""
    status, desk, cue, stdio = ends.status, ends.desk, ends.cue, ends.stdio
    try:
        kernel.die_with_parent(signal.SIGKILL)
        proc = kernel.process_list()
        order.send(desk, proc)
        _become_nobody(base)
        _enter_inner_user(os.geteuid(), proc)
        kernel.die_with_parent(signal.SIGKILL)  # asked again: changing the user forgets it
        go, going = os.pipe()
        child = os.fork()
        if child == 0:
            payload.stand(base, cue, lambda: give_up(ends.groups), stdio=stdio, proc=proc, going=going)
        desk.send(b".")  # there is nobody left to fork
        _close([*stdio, proc, going, cue.detach(), *ends.groups])
        give_up([])  # who watches must not be slowed down with the script
        desk.send(b".")  # no privilege either
        request = _await_order(desk, go)
        if request is not None:
            attend.watch(child, go, status, order.read(request))
        elif said := _last_words(go):
            attend.tell(status, "broken", text=said)
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _shell(base: Base) -> mounts.Shell:
    return mounts.Shell(
        environment=base.environment,
        covered=base.covered,
        owner=base.owner.uid if base.owner else INNER_UID,
        owner_map=base.owner.files if base.owner else None,
    )


def _become_nobody(base: Base) -> None:
    """A root process takes an unprivileged user's identity for good; others keep theirs."""
    if base.owner is not None:
        uid = base.owner.uid
        os.close(base.owner.files)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _enter_inner_user(outer_uid: int, proc: int) -> None:
    """A user namespace of the run's own, so that its process count is its own and its mounts are out of reach."""
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else our own uid_map is not ours to write
    _write("self/setgroups", "deny", dir_fd=proc)
    _write("self/uid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    _write("self/gid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def give_up(groups: Iterable[int]) -> None:
    """Be counted, hide where, and drop every capability for good."""
    join(groups)
    kernel.unshare(kernel.CLONE_NEWCGROUP)
    kernel.drop_capabilities()


def rehearse() -> NoReturn:
    """Go the whole way with nothing to run, in a process made for it; prints "yes" or what was refused and where."""
    step = "making namespaces"
    try:
        owner = owner_of(SHARED_UID) if is_root() else None
        shown, covered = mounts.python_environment(), mounts.sample_tables()
        base = Base(os.getpid(), shown, covered, 0, seccomp.program(), owner, 1, "")
        _leave_the_host(as_root=owner is not None)
        pid = os.fork()
        if pid == 0:
            step = "mounting the box"
            proc = kernel.process_list()
            mounts.build(_shell(base), proc, before_entering=lambda: None)
            mounts.fill({}, "", outputs_mb=1, memory_mb=2)
            step = "giving up root"
            _become_nobody(base)
            _enter_inner_user(os.geteuid(), proc)
            give_up([])
            step = "locking in"
            payload.lock_in(base)
            os.write(1, b"yes")
        else:
            os.waitpid(pid, 0)
    except OSError as problem:
        os.write(1, f"{step} was refused ({problem.strerror})".encode())
    os._exit(0)
