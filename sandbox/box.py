"""One run, inside out: a supervisor makes namespaces, a small trusted process 1 watches, a child runs the script.

    zygote -> supervisor   own session, joins the cgroup, leaves the host's namespaces
                -> process 1   builds the file system, gives up root, enforces time and memory; when it ends, all ends
                     -> the script (sandbox/payload.py)

Everything is told to the application over one socket as JSON; when that socket closes, process 1 ends the run.
"""

import contextlib
import errno
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sandbox import kernel, mounts, payload, seccomp, watch

PAYLOAD_UID = 60001
"""The unprivileged user that a script is, seen from a host where we are root."""
INNER_UID = 1000
_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)
_GRACE = 1.0
"""Seconds from the first polite signal (SIGINT) to the end."""


@dataclass(frozen=True)
class Base:
    """What every run shares: facts about the zygote that it is forked from."""

    pid: int
    environment: tuple[str, ...]
    covered: tuple[str, ...]
    data_bytes: int
    filter: bytes
    owner_map: int | None
    threads: int
    own_path: str


def _write(path: str, text: str, *, dir_fd: int | None = None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def is_root() -> bool:
    """Whether we are root and can become the payload's user; a namespace's root without that user is ordinary."""
    ranges = [[int(n) for n in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return os.geteuid() == 0 and any(start <= PAYLOAD_UID < start + count for start, _, count in ranges)


def owner_map() -> int:
    """A descriptor of a user namespace in which root's files belong to the payload's user; for root only."""
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
    if not os.read(ask[0], 1):
        raise PermissionError(errno.EPERM, "user namespaces are switched off")
    for kind in ("uid", "gid"):
        _write(f"/proc/{pid}/{kind}_map", f"0 {PAYLOAD_UID} 1")
    namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    os.write(told[1], b".")
    for fd in (ask[0], *told):
        os.close(fd)
    with contextlib.suppress(ChildProcessError):  # the zygote ignores SIGCHLD: then nobody is left to wait for
        os.waitpid(pid, 0)
    return namespace


def _tell(status: socket.socket, event: str, descriptors: tuple[int, ...] = (), **facts: Any) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the run is about to be ended
        socket.send_fds(status, [json.dumps({"event": event, **facts}).encode()], list(descriptors))


def _request(fd: int) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(os.pread(fd, os.fstat(fd).st_size, 0))
    os.close(fd)
    return request


def supervise(base: Base, descriptors: list[int]) -> NoReturn:
    """The forked zygote becomes the run's supervisor; never returns."""
    request_fd, out, err, status_fd, *groups = descriptors
    status = socket.socket(fileno=status_fd)
    try:
        os.setsid()
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != base.pid:
            os._exit(1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        owner = () if base.owner_map is None else (base.owner_map,)
        kernel.close_all_but({0, 1, 2, *descriptors, *owner})
        for group in groups:
            with contextlib.suppress(OSError):  # not ours after all: rlimits and the watch remain
                os.write(group, b"0")
            os.close(group)
        request = _request(request_fd)
        _leave_the_host(as_root=base.owner_map is not None)
        pid = os.fork()
        if pid == 0:
            _be_process_one(base, request, status, out, err)
        os.close(out)
        os.close(err)
        _tell(status, "box", (os.pidfd_open(pid),))
        _, code = os.waitpid(pid, 0)
        if os.WIFSIGNALED(code):
            _tell(status, "died", signal=os.WTERMSIG(code))
    except BaseException as problem:  # whatever it is, the application must hear of it
        _tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _leave_the_host(*, as_root: bool) -> None:
    """New namespaces for all that comes; an ordinary user becomes the owner of a user namespace first."""
    if as_root:
        kernel.unshare(_NAMESPACES)
    else:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(_NAMESPACES | kernel.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INNER_UID} {uid} 1")
        _write("/proc/self/gid_map", f"{INNER_UID} {gid} 1")
    socket.sethostname("sandbox")


def _be_process_one(base: Base, request: dict[str, Any], status: socket.socket, out: int, err: int) -> NoReturn:
    """Build the box, start the script, watch it; ending ends every process of the run."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        limits = request["limits"]
        proc = mounts.build(_view(base, request))
        outputs = os.open(mounts.WRITABLE[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _tell(status, "outputs", (outputs,))
        os.close(outputs)
        _become_nobody(base)
        _enter_inner_user(os.geteuid(), proc)
        kernel.die_with_parent(signal.SIGKILL)  # asked again: changing the user forgets it
        go, going = os.pipe()
        child = os.fork()
        if child == 0:
            payload.run(base, request, out=out, err=err, proc=proc, going=going)
        for fd in (out, err, proc, going):
            os.close(fd)
        _watch(child, go, status, limits)
    except BaseException as problem:  # whatever it is, the application must hear of it
        _tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _view(base: Base, request: dict[str, Any]) -> mounts.View:
    limits = request["limits"]
    return mounts.View(
        environment=base.environment,
        covered=base.covered,
        inputs=request["inputs"],
        script=request["script"],
        outputs_mb=limits["written_mb"],
        scratch_mb=mounts.scratch_mb(limits["memory_mb"]),
        owner=INNER_UID if base.owner_map is None else PAYLOAD_UID,
        owner_map=base.owner_map,
    )


def _become_nobody(base: Base) -> None:
    """A root process takes an unprivileged user's identity for good; others keep theirs."""
    if base.owner_map is not None:
        os.close(base.owner_map)
        os.setgroups([])
        os.setresgid(PAYLOAD_UID, PAYLOAD_UID, PAYLOAD_UID)
        os.setresuid(PAYLOAD_UID, PAYLOAD_UID, PAYLOAD_UID)


def _enter_inner_user(outer_uid: int, proc: int) -> None:
    """A user namespace of the run's own, so that its process count is its own and its mounts are out of reach."""
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else our own uid_map is not ours to write
    _write("self/setgroups", "deny", dir_fd=proc)
    _write("self/uid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    _write("self/gid_map", f"{INNER_UID} {outer_uid} 1", dir_fd=proc)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()


def _watch(child: int, go: int, status: socket.socket, limits: dict[str, Any]) -> None:
    """Wait for the script to begin, then for its end or the limit that it meets first; tell which."""
    said = os.read(go, 4096)
    while more := os.read(go, 4096):
        said += more
    if said != b"go":
        _tell(status, "broken", text=said.decode(errors="replace") or "the script's process ended before it began")
        return
    _tell(status, "started")
    meter = watch.Meter(memory_mb=limits["memory_mb"], cpu_seconds=limits["cpus"] * limits["seconds"] + 1)
    began = time.monotonic()
    why, code = _wait(child, status, meter, began + limits["seconds"])
    _tell(
        status,
        "ended",
        why=why,
        code=code,
        seconds=time.monotonic() - began,
        cpu_seconds=meter.cpu_seconds(),
        peak_mb=meter.peak_mb,
        tasks=meter.most_tasks,
    )


def _wait(child: int, status: socket.socket, meter: watch.Meter, deadline: float) -> tuple[str, int | None]:
    """("exit", wait status) or the name of the limit that was met; "left" when the application is gone."""
    pidfd = os.pidfd_open(child)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(status, select.POLLIN)
    polite = [(deadline, signal.SIGINT), (deadline + _GRACE / 2, signal.SIGTERM)]
    while True:
        ready = {fd for fd, _ in poll.poll(watch.EVERY * 1000)}
        if status.fileno() in ready:
            return "left", None
        now = time.monotonic()
        if pidfd in ready:
            _, code = os.waitpid(child, 0)
            return ("exit" if now < deadline else "timeout"), code
        if now >= deadline + _GRACE:
            return "timeout", None
        if polite and now >= polite[0][0]:
            signal.pidfd_send_signal(pidfd, polite.pop(0)[1])
        if broken := meter.sample():
            return broken, None
        _reap_orphans(child)


def _reap_orphans(child: int) -> None:
    """Process 1 inherits the dead of the whole run."""
    while True:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None or found.si_pid in (0, child):
            return
        os.waitpid(found.si_pid, 0)


def rehearse() -> NoReturn:
    """Go the whole way with nothing to run, in a process made for it; prints "yes" or what was refused and where."""
    step = "making namespaces"
    try:
        mapping = owner_map() if is_root() else None
        shown, covered = mounts.python_environment(), mounts.sample_tables()
        base = Base(os.getpid(), shown, covered, 0, seccomp.program(), mapping, 1, "")
        _leave_the_host(as_root=mapping is not None)
        pid = os.fork()
        if pid == 0:
            step = "mounting the box"
            limits = {"written_mb": 1, "memory_mb": 2}
            proc = mounts.build(_view(base, {"limits": limits, "inputs": {}, "script": ""}))
            step = "giving up root"
            _become_nobody(base)
            _enter_inner_user(os.geteuid(), proc)
            step = "locking in"
            payload.lock_in(base)
            os.write(1, b"yes")
        else:
            os.waitpid(pid, 0)
    except OSError as problem:
        os.write(1, f"{step} was refused ({problem.strerror})".encode())
    os._exit(0)
