"""What runs inside a box made by bubblewrap: our own process 1, which is warm before its job is there and takes one.

It has no capability, no environment but the clean one, and cannot be traced; the script comes as its child, behind
Landlock and the system-call filter, and cannot see this code.
"""

import contextlib
import functools
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from sandbox import attend, kernel, landlock, mounts, order, payload, seccomp, zygote
from sandbox.box import Base, join
from sandbox.making import Child
from sandbox.quota import Quota, QuotaMeter, used_in_tmpfs

PACKAGE = "/.modelwright"
"""Where this code lies in the box."""
_MESSAGE, _MAX_DESCRIPTORS = 64, 16


def main(control_fd: int) -> None:
    """Warm up, say so, then be process 1 of the one job that comes over the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    os.umask(0o022)
    control = socket.socket(fileno=control_fd)
    missing = zygote.preload(lambda: not _is_left(control))  # bubblewrap may have died before it could bind us to it
    base = _base()
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"event": "ready", "missing": missing}).encode())
    message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _MAX_DESCRIPTORS)
    control.close()
    if message:
        _be_process_one(base, descriptors)


def _is_left(control: socket.socket) -> bool:
    """Whether the application has closed its end."""
    poll = select.poll()
    poll.register(control, select.POLLHUP)
    return bool(poll.poll(0))


def _base() -> Base:
    return Base(
        pid=os.getpid(),
        environment=(),
        covered=(),
        data_bytes=zygote.data_bytes(),
        filter=seccomp.program(),
        owner=None,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        own_path=sys.path[0],
    )


def _be_process_one(base: Base, descriptors: list[int]) -> NoReturn:
    """Start the script, watch it; ending ends every process of the box."""
    request_fd, said, out, err, status_fd, *groups = descriptors
    status = socket.socket(fileno=status_fd)
    try:
        request = order.read(request_fd)
        os.close(request_fd)
        outputs = os.open(mounts.WRITABLE[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        attend.tell(status, "outputs", (outputs,))
        myself = os.pidfd_open(os.getpid())
        attend.tell(status, "box", (myself,))
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        go, going = os.pipe()
        child = os.fork()
        if child == 0:
            join(groups)  # we ourselves stay out: who watches must not be slowed down with the script
            os.nice(payload.NICENESS)
            payload.run(
                base, request, stdio=payload.stdio(request, said, out, err), proc=proc, going=going, place=_place()
            )
        for fd in (said, out, err, proc, going, outputs, myself, *groups):
            os.close(fd)
        attend.watch(Child(child), go, status, request, functools.partial(_meter, request["limits"]))
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _place() -> payload.Place:
    return payload.Place(lock_in=_lock_in, tasks=2)  # bubblewrap's own process counts for the same user


def _lock_in(base: Base) -> None:
    landlock.lock(read=landlock.everything_but([PACKAGE]), write=[*mounts.WRITABLE, *mounts.DEVICES])
    seccomp.lock(base.filter)


def _meter(limits: dict[str, Any], *, memory_mb: int, cpu_seconds: float) -> QuotaMeter:
    """The box was made for a larger job, perhaps."""
    scratch = mounts.scratch_mb(limits["memory_mb"])
    sizes = dict(zip(mounts.WRITABLE, (limits["written_mb"], scratch, scratch), strict=True))
    quota = Quota(sizes, limits["processes"])
    return QuotaMeter(quota, used_in_tmpfs, memory_mb=memory_mb, cpu_seconds=cpu_seconds)


def rehearse() -> NoReturn:
    """Lock in with nothing to run; prints "yes" or what was refused."""
    with contextlib.suppress(BrokenPipeError):
        try:
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
            _lock_in(_base())
            os.write(1, b"yes")
        except OSError as problem:
            os.write(1, f"locking in was refused ({problem.strerror})".encode())
    os._exit(0)
