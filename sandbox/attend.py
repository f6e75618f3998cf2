"""What process 1 of a run does once the script is there: wait for its beginning, keep its limits, tell its end.

Everything is told to the application over one socket as JSON; when that socket closes, the run is over.
"""

import contextlib
import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from sandbox.watch import EVERY, Meter

_GRACE = 1.0
"""Seconds from the first polite signal (SIGINT) to the end."""


def tell(status: socket.socket, event: str, descriptors: tuple[int, ...] = (), **facts: Any) -> None:
    """Send one event, with descriptors, to the application. Raises OSError when descriptors cannot be passed."""
    try:
        socket.send_fds(status, [json.dumps({"event": event, **facts}).encode()], list(descriptors))
    except (BrokenPipeError, ConnectionResetError):  # nobody listens any more: the run is about to be ended
        return
    except OSError:
        if descriptors:  # without them the application can neither end the run nor take what it leaves
            raise


class Script(Protocol):
    """The script's process."""

    pid: int
    """Of a child of ours; 0: somebody else's."""
    pidfd: int

    def end(self, meter: Meter) -> int:
        """Once it has ended: how, as waitpid tells it. Raises ChildProcessError when nobody knows."""
        ...


def watch(
    script: Script, go: int, status: socket.socket, request: dict[str, Any], new_meter: Callable[..., Meter] = Meter
) -> None:
    """Wait for the script to begin, then for its end or the limit that it meets first; tell which.

    A script that stays is asked by the application, which bounds each answer; here it has no limit of time.
    """
    said = os.read(go, 4096)
    while more := os.read(go, 4096):
        said += more
    if said != b"go":
        tell(status, "broken", text=said.decode(errors="replace") or "the script's process ended before it began")
        return
    tell(status, "started")
    limits = request["limits"]
    seconds = math.inf if request["stays"] else limits["seconds"]
    meter = new_meter(
        memory_mb=limits["memory_mb"], cpu_seconds=(limits["cpu_seconds"] or limits["cpus"] * seconds) + 1
    )
    began = time.monotonic()
    why, code = _wait(script, status, meter, began + seconds)
    if code is None:  # it is ended in mid-run: what it has used since the last look counts too
        meter.sample()
    tell(
        status,
        "ended",
        why=why,
        code=code,
        seconds=time.monotonic() - began,
        cpu_seconds=meter.cpu_seconds(),
        peak_mb=meter.highest_mb(),
        tasks=meter.most_tasks,
    )


def _wait(script: Script, status: socket.socket, meter: Meter, deadline: float) -> tuple[str, int | None]:
    """("exit", wait status) or the name of the limit that was met; "left" when the application is gone."""
    pidfd = script.pidfd
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(status, select.POLLIN)
    polite = [(deadline, signal.SIGINT), (deadline + _GRACE / 2, signal.SIGTERM)]
    while True:
        pause = meter.pause if time.monotonic() + meter.pause < deadline else EVERY
        ready = {fd for fd, _ in poll.poll(pause * 1000)}
        if status.fileno() in ready:
            return "left", None
        now = time.monotonic()
        if pidfd in ready:
            code = script.end(meter)
            return (meter.last_look() or "exit" if now < deadline else "timeout"), code
        if now >= deadline + _GRACE:
            return "timeout", None
        if polite and now >= polite[0][0]:
            signal.pidfd_send_signal(pidfd, polite.pop(0)[1])
        if broken := meter.sample():
            return broken, None
        _reap_orphans(script.pid)


def _reap_orphans(child: int) -> None:
    """Process 1 inherits the dead of the whole run."""
    with contextlib.suppress(ChildProcessError):  # there are none
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid in (0, child):
                return
            os.waitpid(found.si_pid, 0)
