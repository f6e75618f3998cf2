"""Starts the zygote (sandbox/zygote.py) from the application and hands it runs."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.base import SandboxBroken
from sandbox.probe import command

THREADS = min(2, os.cpu_count() or 1)
"""Threads that numeric libraries are loaded with; a run with another share of cores changes it for itself."""
_WARM_UP_SECONDS = 120
_MESSAGE = 65536


def clean_environment(threads: int) -> dict[str, str]:
    """The whole environment of the zygote and, with the job's own additions, of a script."""
    count = str(threads)
    return {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # private to the run
        "TMPDIR": "/tmp",  # private to the run
        "USER": "user",
        "LOGNAME": "user",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # private to the run
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
    }


@dataclass(frozen=True)
class Zygote:
    """A running zygote."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket

    @property
    def alive(self) -> bool:
        """Whether it can take another run."""
        return self.process.poll() is None

    def fork(self, descriptors: Sequence[int]) -> None:
        """Start one run. OSError when the zygote is gone."""
        socket.send_fds(self.control, [b"run"], list(descriptors), socket.MSG_DONTWAIT)

    def end(self) -> None:
        """Kill it; every run that was forked from it dies with it."""
        self.control.close()
        if self.alive:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


async def start_zygote() -> Zygote:
    """A zygote that is warm. Raises `SandboxBroken` with what it said when it does not come up."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*command("sandbox.zygote.main"), str(theirs.fileno()), str(os.getpid())],
            env=clean_environment(THREADS),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        zygote = Zygote(process, ours)
        ours.setblocking(False)
        try:
            loop = asyncio.get_running_loop()
            ready = await asyncio.wait_for(loop.sock_recv(ours, _MESSAGE), _WARM_UP_SECONDS)
        except (OSError, TimeoutError):
            ready = b""
        except asyncio.CancelledError:
            zygote.end()
            raise
        if not ready or json.loads(ready).get("event") != "ready":
            zygote.end()
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().rpartition("\n")[2][-300:]
            raise SandboxBroken(f"The sandbox did not start: {said or 'no word within two minutes'}.")
    return zygote
