"""A control group per run, where this machine lets us make one: the kernel counts what the whole tree uses.

Version 1 as root; version 2 as root or where a delegated group is ours. Elsewhere `new_group` gives None and the run
relies on rlimits and the watch of its process 1. As root, groups are made under the outermost ancestor for which no
limit is left behind, so that the next start finds what a kill -9 left; else beside the group that we are in.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.base import Limits

_MB = 2**20
_OVERHEAD_MB = 96
"""Page tables, pipes and what a fork copies of its warm parent."""
_OWN_TASKS = 2
_PERIOD = 100_000
_V1 = ("memory", "pids", "cpu")
_PREFIX = "modelwright-"


@dataclass(frozen=True)
class Usage:
    """What the kernel counted; None where it did not."""

    oom_kills: int = 0
    refused_tasks: int = 0
    peak_mb: float | None = None


@dataclass(frozen=True)
class Group:
    """The control group of one run: folder by controller ("all" for version 2)."""

    folders: Mapping[str, Path]

    def join_descriptors(self) -> list[int]:
        """Descriptors to which a process writes "0" to be counted here."""
        return [os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for folder in self.folders.values()]

    def usage(self) -> Usage:
        """Counters so far."""
        if "all" in self.folders:
            folder = self.folders["all"]
            oom, pids, peak = folder / "memory.events", folder / "pids.events", folder / "memory.peak"
        else:
            memory = self.folders.get("memory", Path("/nonexistent"))
            oom, peak = memory / "memory.oom_control", memory / "memory.max_usage_in_bytes"
            pids = self.folders.get("pids", Path("/nonexistent")) / "pids.events"
        used = _number(peak)
        return Usage(_counter(oom, "oom_kill"), _counter(pids, "max"), None if used is None else used / _MB)

    def remove(self) -> bool:
        """Take the folders away; False while a process of the run is still on its way out."""
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not any(folder.exists() for folder in self.folders.values())


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _counter(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _settings_v1(limits: Limits) -> dict[str, dict[str, int]]:
    memory = (limits.memory_mb + limits.written_mb + _OVERHEAD_MB) * _MB
    return {
        "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory, "memory.swappiness": 0},
        "pids": {"pids.max": limits.processes + _OWN_TASKS},
        "cpu": {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": int(limits.cpus * _PERIOD)},
    }


def _settings_v2(limits: Limits) -> dict[str, str]:
    return {
        "memory.max": str((limits.memory_mb + limits.written_mb + _OVERHEAD_MB) * _MB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(limits.processes + _OWN_TASKS),
        "cpu.max": f"{int(limits.cpus * _PERIOD)} {_PERIOD}",
    }


def _mounted() -> Iterator[tuple[str, Path, str]]:
    """(controller, or "all" for version 2, mount point, own path below it) of every hierarchy that we are in."""
    own: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        own.update(dict.fromkeys(names.split(",") if number != "0" else ["all"], path))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, point = left.split()[3:5]
        for name in ["all"] if kind == "cgroup2" else options.rsplit(" ", 1)[-1].split(","):
            if name in own:
                below = own[name].removeprefix(root) if root != "/" else own[name]
                yield name, Path(point), below.strip("/")


def _is_limited(folder: Path) -> bool:
    """Whether leaving this group would leave a limit behind."""
    memory = _number(folder / "memory.limit_in_bytes")
    quota = _number(folder / "cpu.cfs_quota_us")
    if (memory is not None and memory < 2**60) or (quota is not None and quota > 0):
        return True
    for name in ("pids.max", "memory.max", "cpu.max"):
        with contextlib.suppress(OSError):
            if not (folder / name).read_text().startswith("max"):
                return True
    return False


def _base(point: Path, below: str) -> Path:
    folder = point / below
    if os.geteuid() != 0:  # a process may move only below a group that is ours
        return folder.parent if below else folder
    while folder != point and not _is_limited(folder):
        folder = folder.parent
    return folder


def _ours() -> str:
    return f"{_PREFIX}{os.getpid()}"


def _make_v1(name: str, limits: Limits, bases: Mapping[str, Path]) -> dict[str, Path]:
    made: dict[str, Path] = {}
    for controller, settings in _settings_v1(limits).items():
        folder = bases[controller] / f"{_ours()}-{name}"
        folder.mkdir()
        made[controller] = folder
        for file, value in settings.items():
            with contextlib.suppress(FileNotFoundError):  # no swap accounting in this kernel
                (folder / file).write_text(str(value))
    return made


def _make_v2(name: str, limits: Limits, base: Path) -> dict[str, Path]:
    offered = (base / "cgroup.subtree_control").read_text().split()
    if not {"memory", "pids"} <= set(offered):
        (base / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    folder = base / f"{_ours()}-{name}"
    folder.mkdir()
    for file, value in _settings_v2(limits).items():
        with contextlib.suppress(FileNotFoundError):  # no swap, or no cpu controller here
            (folder / file).write_text(value)
    return {"all": folder}


def new_group(name: str, limits: Limits) -> Group | None:
    """A group with these limits, or None where this machine does not let us make one."""
    made: dict[str, Path] = {}
    try:
        bases = {controller: _base(point, below) for controller, point, below in _mounted()}
        if all(controller in bases for controller in _V1):
            made = _make_v1(name, limits, bases)
        elif "all" in bases:
            made = _make_v2(name, limits, bases["all"])
    except OSError:  # not ours to make: the run has its other limits
        Group(made).remove()
        return None
    return Group(made) if made else None


def sweep() -> None:
    """Remove groups of applications that are no more."""
    with contextlib.suppress(OSError):
        for _, point, below in _mounted():
            for folder in _base(point, below).glob(f"{_PREFIX}*"):
                owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
                if not Path("/proc", owner).exists():
                    with contextlib.suppress(OSError):  # its last process is still dying
                        folder.rmdir()
