"""Forks the supervisor of a run for every message of the application; sees to those that a supervisor leaves behind.

At the level "full" this is a small Python of its own, forked from the zygote before that has imported anything: what it
forks costs a tenth of a fork of the zygote. At the level "reduced" the zygote itself does it, as the script descends
from its supervisor there. A message carries the descriptors [orders, stdin, stdout, stderr, status, cgroup...].
"""

import os
import select
import socket
import warnings
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from sandbox import tree
from sandbox.owners import Owner, Owners

NAME = "usher"
"""Of its process, for `ps`."""
_MAX_DESCRIPTORS = 16
_MESSAGE = 4096

Life = Callable[[Owner | None, list[int]], NoReturn]
"""What a fork does with its owner and the descriptors of its run."""


def serve(control: socket.socket, parent: int, live: Life, owners: Owners | None) -> None:
    """One supervisor for each message, until the socket closes or the process behind the pidfd `parent` ends."""
    forks: dict[int, tuple[int, Owner | None]] = {}
    """Process ids of the supervisors that live, and whom their scripts are, by descriptor."""
    tree.adopt_orphans()
    while True:
        ready = wait_for(control.fileno(), parent, *forks)
        if parent in ready:
            return
        if ended := forks.keys() & ready:
            for pidfd in ended:
                os.close(pidfd)
                _, owner = forks.pop(pidfd)
                if owners and owner:
                    owners.take_back(owner)
            tree.end_strays([pid for pid, _ in forks.values()])  # of a supervisor that was killed
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _MAX_DESCRIPTORS)
        if not message:
            return
        owner = owners.lend() if owners else None
        try:
            pid = fork()
            if pid == 0:
                live_only(partial(live, owner, descriptors))
            forks[os.pidfd_open(pid)] = pid, owner
        except OSError:  # it has ended already, or there are too many processes: who waits for it sees sockets close
            if owners and owner:
                owners.take_back(owner)
        for descriptor in descriptors:
            os.close(descriptor)


def live_only(life: Callable[[], NoReturn]) -> NoReturn:
    """What a fork does; whatever goes wrong in it, it never goes on as its parent."""
    try:
        life()
    finally:
        os._exit(1)


def fork() -> int:
    """os.fork() without its warning about the idle threads of OpenBLAS: beside them it was measured to be harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def wait_for(*descriptors: int) -> set[int]:
    """Those of them that have something to tell."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll()}
