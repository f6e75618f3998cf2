"""Boxes that stand ready for their job: made ahead, used once, thrown away when this machine has changed.

A box that is there already is a fork of the zygote with its namespaces, file system, control group and even the process
of the script; what is left to do when the job comes is told in sandbox/box.py.
"""

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sandbox import order
from sandbox.base import Limits
from sandbox.box import is_root
from sandbox.cgroups import Group, hurry, let_go, new_group, tidy
from sandbox.running import Ends

Fork = Callable[[list[int]], None]
"""Has the zygote make a box around these descriptors. OSError when the zygote is gone."""
State = Literal["coming", "standing", "gone"]
_MOST_FAILURES = 3
"""Boxes that may end before their job is there, one after the other, until no more are made ahead."""
_LOOK_EVERY = 0.005
_names = itertools.count()  # of control groups: the same in no two boxes of this process


def open_ends(*, stays: bool) -> tuple[Ends, list[int]]:
    """Both sides of a run: ours, and the descriptors [stdin, stdout, stderr, status] that go into the box."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    stdin, asking = os.pipe() if stays else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), None)
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    return Ends(ours, asking, out, err), [stdin, out_end, err_end, theirs.detach()]


def close_ends(ends: Ends) -> None:
    """For a run that could not be started."""
    ends.status.close()
    for fd in (ends.stdin, ends.stdout, ends.stderr):
        if fd is not None:
            os.close(fd)


def _mounted() -> str:
    """What an ordinary user's box would not see change: it looks for inputs in mounts of its own; root's does not."""
    return "" if is_root() else Path("/proc/self/mountinfo").read_text()


@dataclass
class Box:
    """A box without its job."""

    orders: socket.socket
    ends: Ends
    group: Group | None
    limits: Limits
    """What the control group was made with."""
    mounted: str
    """The mounts of this machine when it was made."""
    state: State = "coming"

    def look(self) -> State:
        """Whether it has told that it stands, or has ended."""
        if self.state == "coming":
            with contextlib.suppress(BlockingIOError):
                self.state = "standing" if self.orders.recv(16, socket.MSG_DONTWAIT) else "gone"
        elif self.state == "standing":
            with contextlib.suppress(BlockingIOError):
                self.orders.recv(16, socket.MSG_DONTWAIT)
                self.state = "gone"
        return self.state

    def hand_over(self, request: int, limits: Limits, *, stays: bool) -> Ends:
        """Give it its job. OSError when it has ended."""
        if self.group is not None and limits != self.limits:
            self.group.limit(limits)
        order.send(self.orders, request)
        self.orders.close()
        if stays or self.ends.stdin is None:
            return self.ends
        os.close(self.ends.stdin)
        return replace(self.ends, stdin=None)

    def discard(self) -> None:
        """Have it end."""
        self.orders.close()
        close_ends(self.ends)
        if self.group is not None:
            let_go(self.group)


def new_box(fork: Fork, limits: Limits, delegated: Path | None = None) -> Box:
    """Have one made. OSError when the zygote is gone."""
    group = new_group(str(next(_names)), limits, delegated)
    ends, inner = open_ends(stays=True)
    orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    orders.setblocking(False)
    box = Box(orders, ends, group, limits, _mounted())
    given = [theirs.detach(), *inner]
    try:
        given += group.join_descriptors() if group else []
        fork(given)
    except OSError:
        box.discard()
        raise
    finally:
        for fd in given:
            os.close(fd)
    return box


def _hurry() -> None:
    asyncio.get_running_loop().run_in_executor(None, hurry)


class Boxes:
    """The boxes of one zygote that stand ready."""

    def __init__(self, fork: Fork, wanted: int, *, counted_late: bool = False) -> None:
        """`counted_late`: a box that stands joins its control group only when its job is there."""
        self._fork = fork
        self._counted_late = counted_late
        self.delegated: Path | None = None
        """A control group of ours to make theirs in (sandbox/scope.py)."""
        self._wanted = wanted
        self._boxes: list[Box] = []
        self._failures = 0

    def take(self) -> Box | None:
        """The box that is furthest, or None."""
        self._look()
        self._boxes.sort(key=lambda box: box.state != "standing")
        return self._boxes.pop(0) if self._boxes else None

    def give(self, request: int, limits: Limits, *, stays: bool) -> tuple[Box, Ends]:
        """Find a box for this job. OSError when the zygote is gone."""
        while box := self.take():
            with contextlib.suppress(OSError):  # it has just ended: the next
                ends = box.hand_over(request, limits, stays=stays)
                if self._counted_late:
                    _hurry()
                return box, ends
            box.discard()
        box = new_box(self._fork, limits, self.delegated)
        _hurry()  # not before: no group can be made meanwhile
        return box, box.hand_over(request, limits, stays=stays)

    def refill(self) -> None:
        """Have as many made as are missing; a zygote that is gone is somebody else's trouble."""
        self._look()
        tidy()
        with contextlib.suppress(OSError):
            while len(self._boxes) < self._wanted and self._failures < _MOST_FAILURES:
                self._boxes.append(new_box(self._fork, Limits(), self.delegated))

    async def stand(self) -> int:
        """Have the missing ones made and wait until every box stands that is going to; their number."""
        self.refill()
        for box in list(self._boxes):
            while box in self._boxes and box.look() == "coming":  # others look as well, and take it
                await asyncio.sleep(_LOOK_EVERY)
        self._look()
        return len(self._boxes)

    def close(self) -> None:
        """End them all and make no more."""
        for box in self._boxes:
            box.discard()
        self._wanted, self._boxes = 0, []

    def _look(self) -> None:
        """Throw away what has ended, and what shows a machine that has changed."""
        mounted = _mounted() if self._boxes else ""
        states = [box.look() for box in self._boxes]
        self._failures = 0 if "standing" in states else self._failures + states.count("gone")
        kept = [box for box in self._boxes if box.state != "gone" and box.mounted == mounted]
        for box in self._boxes:
            if box not in kept:
                box.discard()
        self._boxes = kept
