"""What a run uses, measured from inside by its process 1: memory, processor time and tasks of the whole tree.

Where a cgroup counts too, this is the second eye; where there is none, it is the only one that sees the tree.
"""

import functools
import math
import mmap
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05
"""Seconds between two looks."""
SLICE = 0.02
"""Seconds that a look may take for what a process that is just forking keeps waiting."""
_LONGEST_PAUSE = 1.0
"""Seconds from one exact measurement to the next, however long it took: a busy machine must not blind us."""
_SLACK_MB = 64
_FEW_LOOKS = 3
"""A run with fewer is over before they tell its memory."""
_TICKS = os.sysconf("SC_CLK_TCK")
_SCRATCH = ("/tmp", "/dev/shm")  # inside the box
_MB = 2**20


class Meter:
    """Samples every process of this pid namespace but process 1; `sample` names the limit that is broken, if any."""

    calm = 0.25
    """Seconds to the next look while a single process uses less than half of its memory: each look slows it down."""

    def __init__(self, *, memory_mb: int, cpu_seconds: float, processes: float = math.inf) -> None:
        """`processes` where the kernel does not hold the tree to that."""
        self.peak_mb = 0.0
        self.most_tasks = 0
        self._memory_mb = memory_mb + _SLACK_MB
        self._cpu_limit = cpu_seconds
        self._processes = processes
        self._cpu = 0.0
        self._last_cpu: dict[tuple[str, str], float] = {}
        self._before = self._handed_on = _reaped_cpu()
        self._gone_cpu = 0.0
        self._samples = 0
        self.pause = EVERY
        self._shared_kb = 0
        self._next_shared = 0.0
        self._next_exact = 0.0
        self._exact_began = 0.0
        self._shares: dict[str, tuple[int, int]] = {}
        self._told_cpu = self._told_mb = 0.0

    def told(self, cpu_seconds: float, largest_kb: float) -> None:
        """What somebody else who has waited for the script's process knows: its time, and its memory at the most."""
        self._told_cpu, self._told_mb = cpu_seconds, largest_kb / 1024

    def sample(self) -> str | None:
        """Look once: "memory", "cpu", "pids" or None."""
        pids = self.pids()
        if len(pids) > self._processes:  # looking at each would take as long as they need to become more
            self.most_tasks = max(self.most_tasks, len(pids))
            return "pids"
        self._samples += 1
        about = [_memory(pid) for pid in pids]
        self.most_tasks = max(self.most_tasks, sum(each.threads for each in about))
        self._count_cpu(pids)
        scratch = self.scratch_mb()
        resident_shared = sum(each.shared for each in about)
        self._look_at_shared(pids, sum(each.mapped for each in about))
        rough = (sum(each.own for each in about) + max(resident_shared, self._shared_kb)) / 1024 + scratch
        self.pause = self.calm if len(pids) == 1 and rough < self._memory_mb / 2 else EVERY
        if rough <= self._memory_mb:
            self.peak_mb = max(self.peak_mb, rough)
        elif self._next_exact <= time.monotonic() and self._measure(pids, scratch) > self._memory_mb:
            return "memory"
        return "cpu" if self._cpu > self._cpu_limit else None

    def pids(self) -> list[str]:
        """The processes that count."""
        return [entry for entry in os.listdir("/proc") if entry.isdecimal() and entry != "1"]  # noqa: PTH208

    def scratch_mb(self) -> float:
        """Files that are memory."""
        return sum(_used(folder) for folder in _SCRATCH) / _MB

    def last_look(self) -> str | None:
        """A limit that the script broke just before it ended by itself; None where the kernel keeps them all."""
        return None

    def cpu_seconds(self) -> float:
        """Processor time of the tree so far."""
        return max(self._cpu, _reaped_cpu() - self._before + self._told_cpu)

    def highest_mb(self) -> float:
        """The most memory seen; of a run too short for that, what the kernel says of its largest process."""
        if self._samples >= _FEW_LOOKS:
            return self.peak_mb
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # with pages of files
        return max(self.peak_mb, min(max(largest, self._told_mb), self._memory_mb - _SLACK_MB))

    def _count_cpu(self, pids: list[str]) -> None:
        """Add what each process used to what those used that are gone.

        A process hands its time on to whoever waits for it, but to nobody when its parent ignores SIGCHLD; so of the
        gone counts what was last seen of them or what was handed on meanwhile, whichever is more.
        """
        now: dict[tuple[str, str], float] = {}
        handed_on = 0.0
        for pid in pids:
            started, own, waited_for = _cpu(pid)
            now[pid, started] = own
            handed_on += waited_for
        handed_on += _reaped_cpu()
        gone = sum(seconds for process, seconds in self._last_cpu.items() if process not in now)
        self._gone_cpu += max(gone, handed_on - self._handed_on)
        self._last_cpu, self._handed_on = now, handed_on
        self._cpu = max(self._cpu, sum(now.values()) + self._gone_cpu)

    def _look_at_shared(self, pids: list[str], mapped_kb: int) -> None:
        """Shared memory without a file by its size: pages that nobody maps at the moment are in no process' figures."""
        began = time.monotonic()
        if mapped_kb / 1024 <= self._memory_mb:
            self._shared_kb = 0
        elif began >= self._next_shared:
            found: dict[int, int] = {}
            unknown = 0
            for pid in pids:
                sizes, hidden = _shared_sizes(pid)
                unknown += hidden
                for inode, size in sizes.items():
                    found[inode] = max(size, found.get(inode, 0))
            self._shared_kb = (sum(found.values()) + unknown) // 1024
            now = time.monotonic()
            self._next_shared = now + pause(now - began)

    def _measure(self, pids: list[str], scratch_mb: float) -> float:
        """MB in use with shared pages counted once, or 0 while not every process has been measured.

        Slow for big trees: a look takes a slice of it, and a whole pass at most a tenth of our time.
        """
        began = time.monotonic()
        self._exact_began = began if not self._shares else self._exact_began
        for pid in (pid for pid in pids if pid not in self._shares):
            self._shares[pid] = _proportional(pid)
            if time.monotonic() - began > SLICE:
                return 0.0
        shares = [self._shares[pid] for pid in pids]
        shared = max(sum(share for _, share in shares), self._shared_kb)
        exact = (sum(own for own, _ in shares) + shared) / 1024 + scratch_mb
        self._shares.clear()
        now = time.monotonic()
        self._next_exact = now + pause(now - self._exact_began)
        self.peak_mb = max(self.peak_mb, exact)
        return exact


def pause(took: float) -> float:
    """Seconds to wait after an exact measurement that took so many."""
    return min(9 * took, _LONGEST_PAUSE)


def _fields(path: str) -> dict[str, str]:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:  # it has just ended
        return {}
    return {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}


@dataclass(frozen=True)
class _Memory:
    """Kilobytes of one process; `own` with what is in swap, `mapped` with what is only promised."""

    own: int
    shared: int
    mapped: int
    threads: int


def places(pid: str) -> list[str]:
    """Where /proc tells of a process: its own folder, or its threads' once the first of them has ended."""
    try:
        return [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
    except OSError:  # it has just ended
        return []


def living(pid: str) -> str:
    """The folder in /proc that tells of a process' memory."""
    if "VmSize" in _fields(f"/proc/{pid}/status"):
        return f"/proc/{pid}"
    return next((place for place in places(pid) if "VmSize" in _fields(f"{place}/status")), f"/proc/{pid}")


def _memory(pid: str) -> _Memory:
    status = _fields(f"/proc/{pid}/status")
    threads = int(status.get("Threads", 0))
    if threads > 1 and "VmSize" not in status:
        status = _fields(f"{living(pid)}/status")
    own, shared, mapped = (
        sum(int(status.get(name, 0)) for name in names) for names in (("RssAnon", "VmSwap"), ("RssShmem",), ("VmSize",))
    )
    return _Memory(own, shared, mapped, threads)


def resident(pid: str) -> tuple[int, int]:
    """Kilobytes of memory that are no file's, and threads, of one process."""
    about = _memory(pid)
    return about.own + about.shared, about.threads


def _proportional(pid: str) -> tuple[int, int]:
    """Kilobytes (its own, shared), what several have divided among them; the whole where we may not know the shares."""
    rollup = _fields(f"{living(pid)}/smaps_rollup")
    if "Pss_Anon" in rollup:
        own = sum(int(rollup.get(name, 0)) for name in ("Pss_Anon", "SwapPss"))
        return own, int(rollup.get("Pss_Shmem", 0))
    about = _memory(pid)
    return about.own, about.shared


@functools.cache
def shared_device() -> str:
    """The device that /proc names for shared memory without a file, as in "00:01"."""
    with mmap.mmap(-1, mmap.PAGESIZE):
        for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
            fields = line.split(maxsplit=5)
            if fields[5:] == ["/dev/zero (deleted)"]:
                return fields[3]
    return "00:01"


def _shared_sizes(pid: str) -> tuple[dict[int, int], int]:
    """Bytes by inode of the shared memory that a process maps, and those of which we may not know what they are."""
    found: dict[int, int] = {}
    place = living(pid)
    try:
        lines = Path(f"{place}/maps").read_bytes().splitlines()
    except PermissionError:  # an unreadable program, or one that has shut itself off
        return {}, _not_private(_fields(f"{place}/status"))
    except OSError:  # it has just ended
        return {}, 0
    device = f" {shared_device()} ".encode()
    for line in lines:
        if device in line and (fields := line.split(maxsplit=5))[3] == device.strip():
            start, end = (int(bound, 16) for bound in fields[0].split(b"-"))
            inode, size = int(fields[4]), end - start + int(fields[2], 16)
            found[inode] = max(size, found.get(inode, 0))
    return found, 0


def _not_private(status: dict[str, str]) -> int:
    private = sum(int(status.get(name, 0)) for name in ("VmData", "VmStk", "VmExe", "VmLib"))
    return max(int(status.get("VmSize", 0)) - private, 0) * 1024


def _cpu(pid: str) -> tuple[str, float, float]:
    """When a process started, its own seconds, and those of the children that it has waited for."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it has just ended
        return "", 0.0, 0.0
    own, waited_for = (sum(map(int, after_name[first : first + 2])) / _TICKS for first in (11, 13))
    return after_name[19], own, waited_for


def _reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _used(folder: str) -> int:
    space = os.statvfs(folder)
    return (space.f_blocks - space.f_bfree) * space.f_frsize
