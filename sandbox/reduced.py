"""A run without namespaces, for machines that allow none (most containers, hardened hosts): Landlock, seccomp, rlimits.

    zygote -> supervisor   a private folder, as root a user of the run's own; outlives process 1 and ends what it leaves
                -> watcher     in the place of process 1: enforces time, memory, tasks and disk
                     -> the script (sandbox/payload.py)

Less than in a box of its own: the script learns by stat() which files exist, though it can read none; there is no
private /tmp or /dev/shm but a TMPDIR, so `multiprocessing` does not work and joblib has threads but no processes; files
lie on the host's disk, and what is written is measured ten times a second, so a script may write about a tenth of a
second's worth too much before it is ended. It cannot read /proc of any process but its own, list processes, signal one
or open a socket of any kind. Changing the mode, owner or times of a file seems to succeed and does nothing.
"""

import contextlib
import functools
import mimetypes
import os
import select
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sandbox import attend, box, kernel, landlock, mounts, order, passage, payload, seccomp, staging, tree
from sandbox.making import Child
from sandbox.owners import claim_user
from sandbox.quota import Quota, TreeMeter, used_on_disk

if TYPE_CHECKING:
    from sandbox.box import Base

WITHOUT_WORKERS = {"JOBLIB_MULTIPROCESSING": "0"}
"""Keeps joblib from starting processes, which need /dev/shm: it does the work itself. Says so to a Python that a script
starts; what the script itself has of joblib is set right by sandbox/threads.py."""
_PROC = (
    "meminfo",
    "cpuinfo",
    "stat",
    "loadavg",
    "uptime",
    "version",
    "filesystems",
    "sys/kernel/pid_max",
    "sys/vm/overcommit_memory",
)
_MACHINE = (  # how many cores there are, also for a program in a control group
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)
_NICENESS = 10
"""Of the script: an ordinary user's fork bomb may be 200 processes strong before its watcher has counted them."""
_OTHERS = 128
"""Processes of the same user that we may not see (in other containers) or that start meanwhile."""


@dataclass(frozen=True)
class Grounds:
    """What every run of one zygote shares."""

    base: "Base"
    place: Path
    """Where private folders go."""
    shut: int
    """A Landlock ruleset that takes the sample tables away."""
    way: passage.Passage
    as_root: bool


def prepare(base: "Base", *, as_root: bool) -> Grounds:
    """To be called once, by the zygote. Raises OSError with what is missing."""
    way = passage.to(base.environment) if as_root else passage.Passage()
    shut = landlock.only_reading(landlock.everything_but(base.covered))
    return Grounds(base, staging.place_beside(base.covered), shut, way, as_root)


@dataclass(frozen=True)
class _Ends:
    """Descriptors of a run that lead to the application and to its control groups."""

    status: socket.socket
    stdio: tuple[int, int, int]
    groups: tuple[int, ...]


@dataclass(frozen=True)
class _Run:
    """One run's own."""

    folder: staging.Folder
    uid: int | None
    """None: that of an ordinary user, ours."""


def supervise(grounds: Grounds, descriptors: list[int]) -> NoReturn:
    """The forked zygote becomes the supervisor of a run: [order, stdin, stdout, stderr, status, groups...]."""
    orders_fd, said, out, err, status_fd, *groups = descriptors
    status, orders = socket.socket(fileno=status_fd), socket.socket(fileno=orders_fd)
    try:
        zygote = _settle_in(grounds, descriptors)
        name, uid = claim_user() if grounds.as_root else (None, None)
        with contextlib.suppress(OSError):  # nobody waits for it: the job is there already
            orders.send(b"stands")
        request_fd = order.receive(orders)
        if request_fd is None:
            os._exit(0)
        orders.close()
        request = order.read(request_fd)
        os.close(request_fd)
        run = _Run(staging.make(grounds.place, uid), uid)
        attend.tell(status, "outputs", (run.folder.outputs,), folder=str(run.folder.path))
        staging.fill(run.folder, request["script"], request["inputs"], uid)
        _supervise(grounds, run, request, _Ends(status, (said, out, err), tuple(groups)), zygote)
        del name
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def _supervise(grounds: Grounds, run: _Run, request: dict[str, Any], ends: _Ends, zygote: int) -> None:
    """Start the watcher, wait for its end or the zygote's, and leave nobody behind."""
    supervisor, pid = os.getpid(), os.fork()
    if pid == 0:
        _watch_over(grounds, run, request, ends, supervisor)
    for fd in (*ends.stdio, *ends.groups):
        os.close(fd)
    pidfd = os.pidfd_open(pid)
    attend.tell(ends.status, "box", (pidfd,))
    _first_of(pidfd, zygote)
    tree.end_all()
    if run.uid is not None:
        tree.end_all_of_user(run.uid)
    if _is_left(ends.status):
        staging.remove(run.folder.path)


def _settle_in(grounds: Grounds, descriptors: list[int]) -> int:
    """A session of its own that holds nothing of the zygote's; returns a descriptor that tells of the zygote's end.

    It does not die with the zygote: somebody has to end the run's processes then.
    """
    os.setsid()
    zygote = os.pidfd_open(grounds.base.pid)
    if os.getppid() != grounds.base.pid:
        os._exit(1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    kernel.close_all_but({0, 1, 2, zygote, grounds.shut, *descriptors})
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    tree.adopt_orphans()
    return zygote


def _first_of(*pidfds: int) -> None:
    """Wait until one of these processes has ended."""
    poll = select.poll()
    for pidfd in pidfds:
        poll.register(pidfd, select.POLLIN)
    poll.poll()


def _is_left(status: socket.socket) -> bool:
    """Whether the application is gone, so that nobody but us will remove the folder."""
    poll = select.poll()
    poll.register(status, select.POLLHUP)
    return bool(poll.poll(0))


def _watch_over(grounds: Grounds, run: _Run, request: dict[str, Any], ends: _Ends, supervisor: int) -> NoReturn:
    """What process 1 does elsewhere: start the script, watch it."""
    try:
        tree.adopt_orphans()
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        become(grounds, run.uid)
        kernel.die_with_parent(signal.SIGKILL)  # then the zygote ends what is left
        if os.getppid() != supervisor:
            os._exit(1)
        go, going = os.pipe()
        child = os.fork()
        if child == 0:
            kernel.die_with_parent(signal.SIGKILL)
            box.join(ends.groups)  # we ourselves stay out: who watches must not be slowed down with the script
            os.nice(_NICENESS)
            request["environment"] |= _environment(run.folder, request["environment"])
            stdio = payload.stdio(request, *ends.stdio)
            payload.run(grounds.base, request, stdio=stdio, proc=proc, going=going, place=_place(run))
        own = os.open(f"{child}", os.O_PATH, dir_fd=proc)  # kept open, lest the kernel forgets what Landlock was told
        for fd in (*ends.stdio, *ends.groups, proc, going):
            os.close(fd)
        attend.watch(Child(child), go, ends.status, request, functools.partial(_meter, run.folder, request["limits"]))
        os.close(own)
    except BaseException as problem:  # whatever it is, the application must hear of it
        attend.tell(ends.status, "broken", text=kernel.in_words(problem))
    os._exit(0)


def become(grounds: Grounds, uid: int | None) -> None:
    """Give up root for good, every capability, and the sight of the sample tables."""
    if uid is not None:
        passage.enter(grounds.way)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.drop_capabilities()
    landlock.restrict(grounds.shut)
    os.close(grounds.shut)


def _environment(folder: staging.Folder, given: dict[str, str]) -> dict[str, str]:
    """What points to a private /tmp elsewhere points to the run's own folder here."""
    homes = {name: given[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR") if given.get(name, "").startswith("/tmp")}
    moved = {name: str(folder.scratch) + path.removeprefix("/tmp") for name, path in homes.items()}
    return {**WITHOUT_WORKERS, **moved}


def _place(run: _Run) -> payload.Place:
    tasks = 1 if run.uid is not None else _tasks_of_this_user() + _OTHERS
    return payload.Place(str(run.folder.workspace), functools.partial(_lock_in, run.folder), tasks)


def _tasks_of_this_user() -> int:
    """The kernel counts a user's processes and threads together, whoever started them."""
    found = 0
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError, StopIteration):
            if entry.name.isdecimal() and entry.stat().st_uid == os.getuid():
                lines = Path(entry.path, "status").read_text(errors="replace").splitlines()
                found += next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))
    return found


def _lock_in(folder: staging.Folder, base: "Base") -> None:
    lock_in(folder, base.environment)
    tempfile.tempdir = None  # the zygote may have settled on another


def lock_in(folder: staging.Folder, environment: tuple[str, ...]) -> None:
    """Landlock with everything that a script may touch, then the system-call filter: nothing can be undone."""
    me = os.getpid()
    system = [os.path.realpath(path) for path in (*mounts.SYSTEM, *mounts.SHORTCUTS, *mounts.FILES)]
    about = [f"/proc/{me}", *(f"/proc/{name}" for name in _PROC), *_MACHINE]
    kinds = [path for path in map(str, mimetypes.knownfiles) if os.access(path, os.R_OK)]
    read = [*(path for path in (*system, *environment, *about) if Path(path).exists()), *kinds]
    write = [folder.workspace / "outputs", folder.scratch]
    devices = [path for path in mounts.DEVICES if Path(path).exists()]
    landlock.lock(read=[*read, str(folder.workspace)], write=[*map(str, write), *devices])
    seccomp.lock(seccomp.program_on_the_host(landlock.version(), me))


def _meter(folder: staging.Folder, limits: dict[str, Any], *, memory_mb: int, cpu_seconds: float) -> TreeMeter:
    written, scratch = limits["written_mb"], mounts.scratch_mb(limits["memory_mb"])
    quota = Quota({str(folder.workspace / "outputs"): written, str(folder.scratch): scratch}, limits["processes"])
    return TreeMeter(quota, used_on_disk, memory_mb=memory_mb, cpu_seconds=cpu_seconds)


def rehearse() -> NoReturn:
    """Go the whole way with nothing to run, in a process made for it; prints "yes" or what was refused and where."""
    step = "making a private folder"
    try:
        as_root = box.is_root()
        shown, covered = mounts.python_environment(), mounts.sample_tables()
        grounds = prepare(box.Base(os.getpid(), shown, covered, 0, b"", None, 1, ""), as_root=as_root)
        step = "finding a user id for the script"
        held, uid = claim_user() if as_root else (None, None)
        folder = staging.make(grounds.place, uid)
        staging.fill(folder, "print()", {}, uid)
        pid = os.fork()
        if pid == 0:
            step = "giving up root" if as_root else "giving up privileges"
            become(grounds, uid)
            step = "locking in"
            lock_in(folder, shown)
            step = "working when locked in"
            _prove(folder)
            os.write(1, b"yes")
            os._exit(0)
        os.waitpid(pid, 0)
        staging.remove(folder.path)
        del held
    except (OSError, AssertionError) as problem:
        said = problem.strerror if isinstance(problem, OSError) else problem
        os.write(1, f"{step} was refused ({said})".encode())
    os._exit(0)


def _prove(folder: staging.Folder) -> None:
    """What a script needs works, and what it must not do does not."""
    (folder.workspace / "outputs/proof").write_text((folder.workspace / "script.py").read_text())
    Path(os.__file__).read_bytes()
    for refused in (lambda: Path("/etc/passwd").read_bytes(), lambda: os.listdir(folder.path), socket.socket):  # noqa: PTH208
        try:
            refused()
        except PermissionError:
            continue
        raise AssertionError("the kernel let through what it was told to refuse")
