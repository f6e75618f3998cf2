"""What a run uses, measured from inside by its process 1: memory, processor time and tasks of the whole tree.

Where a cgroup counts too, this is the second eye; where there is none, it is the only one that sees the tree.
"""

import os
import resource
import time
from pathlib import Path

EVERY = 0.05
"""Seconds between two looks."""
_SLICE = 0.02
_SLACK_MB = 64
_TICKS = os.sysconf("SC_CLK_TCK")
_SCRATCH = ("/tmp", "/dev/shm")  # inside the box
_MB = 2**20


class Meter:
    """Samples every process of this pid namespace but process 1; `sample` names the limit that is broken, if any."""

    def __init__(self, *, memory_mb: int, cpu_seconds: float) -> None:
        self.peak_mb = 0.0
        self.most_tasks = 0
        self._memory_mb = memory_mb + _SLACK_MB
        self._cpu_limit = cpu_seconds
        self._cpu = 0.0
        self._next_exact = 0.0
        self._exact_began = 0.0
        self._shares: dict[str, int] = {}

    def sample(self) -> str | None:
        """Look once: "memory", "cpu" or None."""
        pids = [entry for entry in os.listdir("/proc") if entry.isdecimal() and entry != "1"]  # noqa: PTH208
        resident = tasks = 0
        alive_cpu = 0.0
        for pid in pids:
            kilobytes, threads = _resident(pid)
            resident += kilobytes
            tasks += threads
            alive_cpu += _cpu(pid)
        self.most_tasks = max(self.most_tasks, tasks)
        self._cpu = max(self._cpu, alive_cpu + _reaped_cpu())
        scratch = sum(_used(folder) for folder in _SCRATCH) / _MB
        rough = resident / 1024 + scratch
        if rough <= self._memory_mb:
            self.peak_mb = max(self.peak_mb, rough)
        elif self._next_exact <= time.monotonic() and self._measure(pids, scratch) > self._memory_mb:
            return "memory"
        return "cpu" if self._cpu > self._cpu_limit else None

    def cpu_seconds(self) -> float:
        """Processor time of the tree so far."""
        return max(self._cpu, _reaped_cpu())

    def _measure(self, pids: list[str], scratch_mb: float) -> float:
        """MB in use with shared pages counted once, or 0 while not every process has been measured.

        Slow for big trees: a look takes a slice of it, and a whole pass at most a tenth of our time.
        """
        began = time.monotonic()
        self._exact_began = began if not self._shares else self._exact_began
        for pid in (pid for pid in pids if pid not in self._shares):
            self._shares[pid] = _proportional(pid)
            if time.monotonic() - began > _SLICE:
                return 0.0
        exact = sum(self._shares[pid] for pid in pids) / 1024 + scratch_mb
        self._shares.clear()
        self._next_exact = began + 10 * (time.monotonic() - self._exact_began)
        self.peak_mb = max(self.peak_mb, exact)
        return exact


def _fields(path: str) -> dict[str, str]:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:  # it has just ended
        return {}
    return {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}


def _resident(pid: str) -> tuple[int, int]:
    """Kilobytes of memory that are no file's, and threads, of one process."""
    status = _fields(f"/proc/{pid}/status")
    return int(status.get("RssAnon", 0)) + int(status.get("RssShmem", 0)), int(status.get("Threads", 0))


def _proportional(pid: str) -> int:
    rollup = _fields(f"/proc/{pid}/smaps_rollup")
    return int(rollup.get("Pss_Anon", 0)) + int(rollup.get("Pss_Shmem", 0))


def _cpu(pid: str) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0.0
    return sum(int(ticks) for ticks in after_name[11:15]) / _TICKS


def _reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _used(folder: str) -> int:
    space = os.statvfs(folder)
    return (space.f_blocks - space.f_bfree) * space.f_frsize
