"""A control group per run, where this machine lets us make one: the kernel counts what the whole tree uses.

Version 1 as root; version 2 as root or where a delegated group is ours. Elsewhere `new_group` gives None and the run
relies on rlimits and the watch of its process 1. As root, groups are made under the outermost ancestor for which no
limit is left behind, so that the next start finds what a kill -9 left; else beside the group that we are in.
"""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
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
_NAMES = 100
_TRIES_TO_EMPTY, _BETWEEN_TRIES = 100, 0.005


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

    def limit(self, limits: Limits) -> None:
        """Replace the limits. OSError when the group is not ours any more."""
        for folder, settings in _settings(self.folders, limits):
            for file, value in settings:
                _set(folder / file, value)

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

    def kill(self) -> None:
        """End whatever is in it: the last to know of processes that have lost all who watched over them."""
        folder = self.folders.get("all") or self.folders["pids"]
        with contextlib.suppress(OSError):  # gone, or a process has just ended
            for pid in map(int, (folder / "cgroup.procs").read_text().split()):
                if pid:  # 0: one that we cannot see
                    os.kill(pid, signal.SIGKILL)

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


def _quota(limits: Limits) -> int:
    """Microseconds of processor time per period; the kernel takes no fewer than a thousand."""
    return max(int(limits.cpus * _PERIOD), 1000)


def _settings_v1(limits: Limits) -> dict[str, list[tuple[str, int]]]:
    memory = (limits.memory_mb + limits.written_mb + _OVERHEAD_MB) * _MB
    with_swap = ("memory.memsw.limit_in_bytes", memory)
    return {
        # Never below the limit without swap: written before it to raise both and after it to lower both.
        "memory": [with_swap, ("memory.limit_in_bytes", memory), with_swap, ("memory.swappiness", 0)],
        "pids": [("pids.max", limits.processes + _OWN_TASKS)],
        "cpu": [("cpu.cfs_period_us", _PERIOD), ("cpu.cfs_quota_us", _quota(limits))],
    }


def _settings_v2(limits: Limits) -> list[tuple[str, str]]:
    return [
        ("memory.max", str((limits.memory_mb + limits.written_mb + _OVERHEAD_MB) * _MB)),
        ("memory.swap.max", "0"),
        ("memory.oom.group", "1"),
        ("pids.max", str(limits.processes + _OWN_TASKS)),
        ("cpu.max", f"{_quota(limits)} {_PERIOD}"),
    ]


def _settings(folders: Mapping[str, Path], limits: Limits) -> Iterator[tuple[Path, Sequence[tuple[str, int | str]]]]:
    """What to write into the files of each folder."""
    if "all" in folders:
        yield folders["all"], _settings_v2(limits)
    else:
        for controller, settings in _settings_v1(limits).items():
            yield folders[controller], settings


def _set(file: Path, value: int | str) -> None:
    try:
        file.write_text(str(value))
    except FileNotFoundError:  # no swap accounting in this kernel, or no cpu controller here
        pass
    except OSError as problem:
        if not (file.name == "memory.memsw.limit_in_bytes" and problem.errno == errno.EINVAL):
            raise


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


def _life(pid: int | str) -> str | None:
    """What tells a process from others that had or will have its number: its start and the namespace that numbers it.

    None when it is no more.
    """
    try:
        started = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return None
    return f"{started}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _ours() -> str:
    return f"{_PREFIX}{os.getpid()}-{_life('self')}"


def _owner(folder: Path) -> tuple[str, str]:
    """The number and the `_life` in a group's name; "" for the second where the name tells only the first."""
    owner, _, rest = folder.name.removeprefix(_PREFIX).partition("-")
    life = rest.partition("-")[0]
    return owner, life if "." in life else ""


def _is_abandoned(folder: Path) -> bool:
    """Whether the application that made it is no more, as far as we can tell from here."""
    owner, life = _owner(folder)
    if not life:
        return owner.isdecimal() and not Path("/proc", owner).exists()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return life.endswith(f".{namespace}") and _life(owner) != life


def _end(folder: Path) -> None:
    """Kill what is left in an abandoned group."""
    with contextlib.suppress(OSError):
        for pid in filter(None, map(int, (folder / "cgroup.procs").read_text().split())):
            with contextlib.suppress(OSError):  # has just ended
                pidfd = os.pidfd_open(pid)
                try:
                    if str(pid) in (folder / "cgroup.procs").read_text().split():  # still the same one
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                finally:
                    os.close(pidfd)


def _make(name: str, bases: Mapping[str, Path], made: dict[str, Path]) -> None:
    """Make the folders, without limits yet, and enter them in `made`. OSError where they are not ours to make."""
    if "all" in bases:
        offered = set((bases["all"] / "cgroup.subtree_control").read_text().split())
        if not {"memory", "pids"} <= offered:
            (bases["all"] / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    for controller, base in bases.items():
        made[controller] = _make_folder(base / f"{_ours()}-{name}")


def _make_folder(wanted: Path) -> Path:
    """Of that name, or of the next that is free. OSError."""
    for number in range(_NAMES):
        folder = wanted.with_name(f"{wanted.name}.{number}") if number else wanted
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError(errno.EEXIST, "every name for a control group is taken", str(wanted))


def _bases() -> dict[str, Path]:
    """Where groups are made, by controller; version 1 where it has all that we need."""
    bases = {controller: _base(point, below) for controller, point, below in _mounted()}
    wanted = _V1 if all(controller in bases for controller in _V1) else ("all",)
    return {controller: bases[controller] for controller in wanted if controller in bases}


def new_group(name: str, limits: Limits, delegated: Path | None = None) -> Group | None:
    """A group with these limits, or None where this machine does not let us make one.

    `delegated` is a group of version 2 that is ours (sandbox/scope.py). OSError when root could make one before: a run
    is not to lose its limits in silence.
    """
    made: dict[str, Path] = {}
    try:
        _make(name, {"all": delegated} if delegated else _bases(), made)
        group = Group(made)
        group.limit(limits)
    except OSError as problem:  # not ours to make: the run has its other limits
        Group(made).remove()
        if _proven:
            raise OSError(problem.errno, f"no control group could be made any more ({problem.strerror})") from problem
        return None
    if made and os.geteuid() == 0:
        _proven.add("root")
    return group if made else None


def hurry() -> None:
    """Have the kernel get ready to move processes between groups.

    The first move after a while waits about 15 ms for every processor to pass a quiet point, whoever asks for it; those
    that come shortly after do not. Moving ourselves to where we are starts that wait early.
    """
    with contextlib.suppress(OSError, StopIteration):
        folder = next(point / below for name, point, below in _mounted() if name in ("memory", "all"))
        (folder / "cgroup.procs").write_text(str(os.getpid()))


_leaving: list[Group] = []
_proven: set[str] = set()
"""Who has been able to make one."""


def let_go(group: Group) -> None:
    """Remove a group, or remember it for `tidy` while its last process is still on its way out."""
    if not group.remove():
        _leaving.append(group)


def tidy() -> bool:
    """Remove the groups that were let go; whether none is left."""
    _leaving[:] = [group for group in _leaving if not group.remove()]
    return not _leaving


def sweep() -> None:
    """End what is left of applications that are no more, and remove their groups."""
    with contextlib.suppress(OSError):
        for _, point, below in _mounted():
            for folder in _base(point, below).glob(f"{_PREFIX}*"):
                if _is_abandoned(folder):
                    _sweep_away(folder)


def _sweep_away(folder: Path) -> None:
    """Until its last process has died, for half a second at most; kills only where it is certain whose they are."""
    certain = bool(_owner(folder)[1])
    for _ in range(_TRIES_TO_EMPTY if certain else 1):
        if certain:
            _end(folder)
        with contextlib.suppress(OSError):  # its last process is still dying
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(_BETWEEN_TRIES)
