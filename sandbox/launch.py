"""Starts the zygote (sandbox/zygote.py) from the application and hands it runs."""

import asyncio
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandbox.base import Job, Limits, SandboxBroken
from sandbox.boxes import Boxes
from sandbox.cgroups import let_go, new_group
from sandbox.probe import LEVELS, Isolation, command
from sandbox.running import Running
from sandbox.scope import delegated_group
from sandbox.watch import resident

THREADS = min(2, os.cpu_count() or 1)
"""Threads that numeric libraries are loaded with; a run with another share of cores changes it for itself."""
_WARM_UP_SECONDS = 120
_REFILL_AFTER = 0.03
"""Seconds from a run's beginning to the making of the next box: its first lines should not wait for that."""
_MESSAGE = 65536
_SECONDS_TO_LEAVE = 0.5
"""For it to wait for its children, who would be left to others to bury."""


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
        "MPL_IGNORE_SYSTEM_FONTS": "1",  # a box has none
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
    }


def write_request(job: Job, environment: dict[str, str], turn: int, *, stays: bool) -> int:
    """The job as an anonymous file: no limit on its size, nothing on a disk."""
    limits = job.limits
    text = json.dumps(
        {
            "script": job.script,
            "inputs": {name: str(path.resolve()) for name, path in job.inputs.items()},
            "environment": {**environment, **job.environment},
            "limits": {name: getattr(limits, name) for name in limits.__dataclass_fields__},
            "turn": turn,
            "stays": stays,
        }
    ).encode()
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as writer:
        writer.write(text)
    return fd


@dataclass(frozen=True)
class Zygote:
    """A running zygote."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    isolation: str
    boxes: Boxes

    @property
    def alive(self) -> bool:
        """Whether it can take another run."""
        return self.process.poll() is None

    async def begin(self, job: Job, turn: int, *, stays: bool = False) -> Running:
        """Give the job to a box that stands ready, or have one made for it. OSError when the zygote is gone."""
        loop = asyncio.get_running_loop()
        cores = min(max(math.ceil(job.limits.cpus), 1), len(os.sched_getaffinity(0)))
        request = write_request(job, clean_environment(cores), turn, stays=stays)
        try:
            box, ends = self.boxes.give(request, job.limits, stays=stays)
        finally:
            os.close(request)
        run = Running(job, ends, box.group, self.isolation)
        loop.call_later(_REFILL_AFTER, self.boxes.refill)
        await run.follow()
        return run

    async def stand(self) -> int:
        """Wait until the boxes stand that are being made ahead; their number."""
        return await self.boxes.stand()

    def rest(self) -> None:
        """Keep nothing ready any more; runs go on."""
        self.boxes.close()

    def end(self) -> None:
        """Have it end, killed if need be; every run that was made by it dies with it."""
        self.rest()
        self.control.close()
        try:
            self.process.wait(_SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory_mb(self) -> float:
        """What it holds while nothing runs: memory of its own that is no file's."""
        return resident(str(self.process.pid))[0] / 1024


def _fork(control: socket.socket, descriptors: list[int]) -> None:
    socket.send_fds(control, [b"box"], descriptors, socket.MSG_DONTWAIT)


async def start_zygote(isolation: Isolation, ready: int = 0) -> Zygote:
    """A zygote that is warm and keeps `ready` boxes ahead.

    Raises `SandboxBroken` with what it said when it does not come up.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs, tempfile.TemporaryFile() as complaints, tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
        process = subprocess.Popen(
            [
                *command("sandbox.zygote.main"),
                *map(str, (theirs.fileno(), os.getpid(), LEVELS.index(isolation.level))),
            ],
            env={**clean_environment(THREADS), "MPLCONFIGDIR": folder},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        boxes = Boxes(partial(_fork, ours), ready, counted_late=isolation.level == "reduced")
        zygote = Zygote(process, ours, isolation.name, boxes)
        scope = asyncio.create_task(_scope_of(process.pid))
        if not await _is_ready(zygote):
            scope.cancel()
            zygote.end()
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().rpartition("\n")[2][-300:]
            raise SandboxBroken(f"The sandbox did not start: {said or 'no word within two minutes'}.")
    try:
        zygote.boxes.delegated = await scope
    except BaseException:  # nobody else knows of it yet
        zygote.end()
        raise
    zygote.boxes.refill()
    return zygote


async def _scope_of(pid: int) -> Path | None:
    """A control group for its runs, asked for where none can be made without asking."""
    group = new_group("trial", Limits())
    if group is not None:
        let_go(group)
        return None
    return await delegated_group(pid)


async def _is_ready(zygote: Zygote) -> bool:
    """Wait for its word."""
    try:
        loop = asyncio.get_running_loop()
        said = await asyncio.wait_for(loop.sock_recv(zygote.control, _MESSAGE), _WARM_UP_SECONDS)
    except (OSError, TimeoutError):
        return False
    except asyncio.CancelledError:
        zygote.end()
        raise
    return bool(said) and json.loads(said).get("event") == "ready"
