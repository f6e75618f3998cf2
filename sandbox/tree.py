"""The processes that descend from this one, where no namespace of their own keeps them together: seen, and ended.

Whoever calls this is a "subreaper": orphans of the tree become its children, so a double fork does not get away.
"""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from sandbox import kernel

_PR_SET_CHILD_SUBREAPER = 36
_MOMENT = 0.005


def adopt_orphans() -> None:
    """Become the one to whom the orphans of the tree fall."""
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def descendants(most: float = math.inf, *, but: Collection[int] = ()) -> set[int]:
    """Every process below this one, as far as it can be seen while it changes, without `but` and what is below those.

    No more are looked for than `most`.
    """
    found: set[int] = set()
    unasked = [os.getpid()]
    while unasked and len(found) < most:
        fresh = set(children(unasked.pop())) - found - set(but)
        found |= fresh
        unasked += fresh
    return found


def children(pid: int) -> list[int]:
    """Of one process. A thread's children are its own, so every thread is asked."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has just ended
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  half the time of iterdir
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def end_all() -> None:
    """Kill every descendant; returns when the last of them has been reaped.

    All are stopped before they are killed, so that what forks as fast as it is killed comes to an end.
    """
    while _reap():
        _stop_and_kill(descendants)


def end_strays(kin: Collection[int]) -> None:
    """Kill every descendant but the children `kin` and what is theirs; for a process whose dead need no reaping."""
    while descendants(1, but=kin):
        _stop_and_kill(partial(descendants, but=kin))
        time.sleep(_MOMENT)


def _stop_and_kill(find: Callable[[], set[int]]) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in find():
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(pid, number)


def _reap() -> bool:
    """Collect the dead; whether anybody is left."""
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        while pid:
            pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def end_all_of_user(uid: int) -> None:
    """Kill every process of a user at once, in a way that no fork can outrun; for root only."""
    with contextlib.suppress(OSError):  # no process more in the control group: `end_all` makes room first
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
