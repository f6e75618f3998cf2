"""One run, inside out: a supervisor furnishes a box, a small trusted process 1 watches, a third one runs the script.

    usher  -> supervisor   own session, leaves the host's namespaces, builds the file system, later mounts the inputs
                -> process 1   gives up root, then enforces time and memory; when it ends, all ends
    zygote -> the script   asked for by the supervisor (sandbox/making.py), then the text's own (sandbox/payload.py)

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

from sandbox import attend, kernel, making, mounts, order, payload, seccomp
from sandbox.owners import SHARED_UID, Owner, is_ours, owner_of

INNER_UID = 1000
_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS


@dataclass(frozen=True)
class Base:
    """What every run shares: facts about the process that it is forked from."""

    pid: int
    environment: tuple[str, ...]
    covered: tuple[str, ...]
    data_bytes: int
    filter: bytes
    owner: Owner | None
    """Whom the script is; None: an ordinary user, as we are."""
    threads: int
    own_path: str
    maker: int = -1
    """A socket over which the zygote is asked for a script's process; -1 where nobody asks."""


class _Failed(Exception):
    """Process 1 or the script's process could not get ready, and process 1 tells why."""


@dataclass(frozen=True)
class _Ends:
    """What process 1 and the script's process hold of the supervisor, and of the application."""

    status: socket.socket
    desk: socket.socket
    """Between the supervisor and process 1."""
    tie: socket.socket
    """Between process 1 and the zygote."""
    go: int
    """Where the script's process says that it goes, or why it cannot."""


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
        kernel.enter(self.host, kernel.CLONE_NEWNS)
        mounts_by_target = mounts.clone_inputs(inputs, owner_map)
        kernel.enter(self.box, kernel.CLONE_NEWNS)
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
    """The forked usher becomes the supervisor of a box: [order, stdin, stdout, stderr, status, groups...]."""
    orders, said, out, err, status_fd, *groups = descriptors
    status = socket.socket(fileno=status_fd)
    try:
        kernel.name_process("supervisor")
        _settle_in(base, descriptors)
        worlds = _leave_the_host(as_root=base.owner is not None)
        (desk, their_desk), (tie, their_tie), (cue, their_cue) = _pair(), _pair(), _pair()
        go, going = os.pipe()
        pid = os.fork()
        if pid == 0:
            theirs = (desk.detach(), their_tie.detach(), cue.detach(), their_cue.detach())
            _close([orders, said, out, err, going, worlds.host, worlds.box, *theirs, base.maker, *groups])
            _be_process_one(base, _Ends(status, their_desk, tie, go))
        _close([their_desk.detach(), tie.detach(), go])
        _tell_and_close(status, "box", os.pidfd_open(pid))
        with contextlib.suppress(_Failed):
            ends = (their_cue.detach(), (said, out, err), going, their_tie.detach(), tuple(groups))
            _furnish(base, worlds, status, desk, ends)
            cue.send(b"b")
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
    kernel.close_all_but({0, 1, 2, base.maker, *descriptors, *files})


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


_Theirs = tuple[int, tuple[int, int, int], int, int, tuple[int, ...]]
"""What goes to the script's process: cue, stdin and stdout and stderr, going, tie, control groups."""


def _furnish(base: Base, worlds: _Worlds, status: socket.socket, desk: socket.socket, theirs: _Theirs) -> None:
    """Ask for the script's process, build the file system around the /proc that process 1 makes."""
    proc, inner = order.receive(desk), order.receive(desk)
    if proc is None or inner is None:
        raise _Failed
    spaces = making.open_namespaces(inner, worlds.box, as_root=base.owner is not None)
    cue, stdio, going, tie, groups = theirs
    uid = base.owner.uid if base.owner else None
    making.ask(base.maker, making.Wanted(spaces, cue, stdio, proc, going, tie, groups, uid))
    spaces.close()
    _close([cue, *stdio, going, tie, *groups, base.maker])
    outputs = mounts.build(_shell(base), proc)
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
    """Give up root, watch the script's process; ending ends every process of the run."""
    status, desk = ends.status, ends.desk
    try:
        kernel.name_process("watcher")
        kernel.die_with_parent(signal.SIGKILL)
        proc = kernel.process_list()
        order.send(desk, proc)
        _become_nobody(base)
        inner = _enter_inner_user(os.geteuid(), proc)
        kernel.die_with_parent(signal.SIGKILL)  # asked again: changing the user forgets it
        order.send(desk, inner)
        _close([inner, proc])
        give_up([])
        desk.send(b".")  # no privilege any more
        script = making.Made(ends.tie)
        request = _await_order(desk, ends.go)
        if request is not None:
            attend.watch(script, ends.go, status, order.read(request))
        elif said := _last_words(ends.go):
            attend.tell(status, "broken", text=said)
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def be_script(base: Base, wanted: making.Wanted) -> NoReturn:
    """The forked zygote, born among the processes of a box, goes in and becomes its script."""
    spaces = wanted.namespaces
    kept = {wanted.cue, wanted.going, wanted.proc, *wanted.stdio, *wanted.groups, *spaces.held}
    kernel.close_all_but(kept)

    def enter() -> None:
        spaces.enter(wanted.uid)
        spaces.close()
        give_up(wanted.groups)

    cue = socket.socket(fileno=wanted.cue)
    payload.stand(base, cue, enter, stdio=wanted.stdio, proc=wanted.proc, going=wanted.going)


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


def _enter_inner_user(outer_uid: int, proc: int) -> int:
    """A user namespace of the run's own, so that its process count is its own and its mounts are out of reach.

    Returns a descriptor of it.
    """
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else our own uid_map is not ours to write
    _write("self/setgroups", "deny", dir_fd=proc)
    _write("self/uid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    _write("self/gid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    inner = os.open("self/ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    return inner


def give_up(groups: Iterable[int]) -> None:
    """Be counted, hide where, and drop every capability for good."""
    join(groups)
    kernel.unshare(kernel.CLONE_NEWCGROUP)
    kernel.drop_capabilities()


def own_user() -> None:
    """Take an ordinary user's power over the namespaces that it makes; root has it.

    Whoever forks a process into a box of another process needs power over that and over itself.
    """
    if is_root():
        return
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def rehearse() -> NoReturn:
    """Go the whole way with nothing to run, in processes made for it; prints "yes" or what was refused and where."""
    step = "making namespaces"
    try:
        owner = owner_of(SHARED_UID) if is_root() else None
        own_user()
        shown, covered = mounts.python_environment(), mounts.sample_tables()
        base = Base(os.getpid(), shown, covered, 0, seccomp.program(), owner, 1, "")
        desk, theirs = _pair()
        if os.fork() == 0:
            desk.close()
            worlds = _leave_the_host(as_root=owner is not None)
            near, far = _pair()
            if os.fork() == 0:
                near.close()
                step = "giving up root"
                proc = kernel.process_list()
                order.send(far, proc)
                _become_nobody(base)
                order.send(far, _enter_inner_user(os.geteuid(), proc))
                far.recv(1)  # until nobody needs the box any more
                os._exit(0)
            far.close()
            listed, inner = order.receive(near), order.receive(near)
            if listed is not None and inner is not None:
                spaces = making.open_namespaces(inner, worlds.box, as_root=owner is not None)
                step = "mounting the box"
                mounts.build(_shell(base), listed)
                mounts.fill({}, "", outputs_mb=1, memory_mb=2)
                socket.send_fds(theirs, [b"box"], spaces.held)
                theirs.recv(1)
        else:
            theirs.close()
            _, held, _, _ = socket.recv_fds(desk, 8, 8)
            if held:  # else it has been told what was refused
                step = "entering the box"
                spaces = making.Namespaces(*held)
                kernel.enter(spaces.pid, kernel.CLONE_NEWPID)
                if (pid := os.fork()) == 0:
                    spaces.enter(owner.uid if owner else None)
                    give_up([])
                    step = "locking in"
                    payload.lock_in(base)
                    os.write(1, b"yes")
                else:
                    os.waitpid(pid, 0)
    except OSError as problem:
        os.write(1, f"{step} was refused ({problem.strerror})".encode())
    os._exit(0)
