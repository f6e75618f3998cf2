"""Boxes made by /usr/bin/bwrap, for machines where only that program may make user namespaces (Ubuntu since 24.04).

A process in such a box cannot make another box, so nothing can be forked into a fresh one: instead a box or two stand
ready with the scientific packages imported (sandbox/boxed.py), each is used once and replaced. What a job needs comes
through a private folder of the host that the box shows read-only as /workspace. The writable places are file systems
sized for the default limits; a job that asks for more gets a box of its own made, one that asks for less is watched.
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from sandbox import boxed, kernel, mounts, passage, staging, tree
from sandbox.base import Job, Limits, SandboxBroken
from sandbox.box import INNER_UID, PAYLOAD_UID, is_root
from sandbox.boxes import close_ends, open_ends
from sandbox.cgroups import new_group
from sandbox.launch import THREADS, clean_environment, write_request
from sandbox.probe import Isolation
from sandbox.running import Running
from sandbox.watch import resident

_PROGRAMS = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
_WARM_UP_SECONDS = 120
_MESSAGE = 65536
_MB = 2**20
_UNSHARE = (
    "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --disable-userns "
    f"--uid {INNER_UID} --gid {INNER_UID} --hostname sandbox --cap-drop ALL --die-with-parent --new-session --as-pid-1"
)


def program() -> str | None:
    """The bubblewrap of this machine; never one that only happens to lie on somebody's PATH."""
    return next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)


@dataclass(frozen=True)
class Sizes:
    """Of the writable places, in MB."""

    outputs: int
    scratch: int

    @classmethod
    def of(cls, limits: Limits) -> "Sizes":
        """What a job with these limits may fill."""
        return cls(limits.written_mb, mounts.scratch_mb(limits.memory_mb))

    def hold(self, other: "Sizes") -> bool:
        """Whether there is room for so much."""
        return self.outputs >= other.outputs and self.scratch >= other.scratch


def _bind(path: str) -> list[str]:
    return ["--ro-bind", os.path.realpath(path), path]


def _empty(path: str, size: int) -> list[str]:
    return ["--size", str(size), "--tmpfs", path]


def _system() -> list[str]:
    """As in a box of our own: programs, libraries, the Python environment, and nothing beside them."""
    folders = [path for path in (*mounts.SYSTEM, *mounts.SHORTCUTS) if Path(path).is_dir()]
    shown = mounts.without_nested([*(p for p in folders if not Path(p).is_symlink()), *mounts.python_environment()])
    ways = mounts.ways_to(shown)
    words = [word for way in ways for word in _empty(way, 65536)]
    for path in (*shown, *(path for path in mounts.FILES if Path(path).exists())):
        words += _bind(path)
    for path in (path for path in mounts.SHORTCUTS if Path(path).is_symlink()):
        words += ["--symlink", os.readlink(path), path]  # noqa: PTH115  the text of the link, as it is
    for folder in _reachable(mounts.sample_tables()):
        words += [*_empty(folder, 4096), "--remount-ro", folder]
    return [*words, *(word for way in ways for word in ("--remount-ro", way))]


def _reachable(folders: tuple[str, ...]) -> list[str]:
    """Each once, by the name that is mounted; the others are links to it."""
    return sorted({os.path.realpath(folder) for folder in folders})


def _devices() -> list[str]:
    words = ["--perms", "0755", *_empty("/dev", 65536)]
    for path in mounts.DEVICES:
        words += ["--dev-bind", path, path]
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        words += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    return words


def arguments(folder: staging.Folder, sizes: Sizes, accounts: tuple[int, int], inside: list[str]) -> list[str]:
    """The command line of bubblewrap; `accounts` are descriptors with the text of passwd and group."""
    outputs, tmp, shm = mounts.WRITABLE
    package = str(Path(__file__).resolve().parent)
    return [
        *_UNSHARE.split(),
        *_devices(),
        *_empty(tmp, sizes.scratch * _MB),
        *("--perms", "0700", "--dir", f"{tmp}/{mounts.CATBOOST}"),
        *_empty(shm, sizes.scratch * _MB),
        *("--remount-ro", "/dev"),
        *_system(),
        *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"),
        *("--file", str(accounts[0]), "/etc/passwd", "--file", str(accounts[1]), "/etc/group"),
        *("--ro-bind", package, f"{boxed.PACKAGE}/sandbox"),
        *("--ro-bind", str(folder.workspace), mounts.WORKSPACE),
        *_empty(outputs, sizes.outputs * _MB),
        *("--remount-ro", "/", "--chdir", mounts.WORKSPACE, "--", *inside),
    ]


def inner_python(call: str) -> list[str]:
    """The interpreter of the box, calling a function of sandbox/boxed.py."""
    code = f"import sys; sys.path.insert(0, {boxed.PACKAGE!r}); from sandbox import boxed; boxed.{call}"
    return [sys.executable, "-P", "-s", "-c", code]


def _text(content: str) -> int:
    fd = os.memfd_create("account", os.MFD_CLOEXEC)
    os.write(fd, content.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def start(
    folder: staging.Folder,
    sizes: Sizes,
    inside: list[str],
    *,
    given: tuple[int, ...] = (),
    stdout: int = subprocess.DEVNULL,
    stderr: int | IO[bytes],
) -> "subprocess.Popen[bytes]":
    """Start bubblewrap, as root by way of `enter`. Ends when the calling thread does. Raises OSError."""
    found = program()
    if found is None:
        raise FileNotFoundError("bubblewrap is not installed")
    accounts = (_text(mounts.PASSWD), _text(f"user:x:{INNER_UID}:\n"))
    words = [found, *arguments(folder, sizes, accounts, inside)]
    try:
        return subprocess.Popen(
            [*_step_down(folder), *words] if is_root() else words,
            env=clean_environment(THREADS),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*given, *accounts),
        )
    finally:
        for fd in accounts:
            os.close(fd)


def _step_down(folder: staging.Folder) -> list[str]:
    root = str(Path(__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r}); from sandbox.bubblewrap import enter; enter(*sys.argv[1:])"
    return [sys.executable, "-P", "-s", "-c", code, str(folder.path), str(os.getpid())]


def enter(folder: str, parent: str, *words: str) -> NoReturn:
    """Give up root for good, then become bubblewrap: as root it could reach the host's settings in /proc."""
    os.umask(0o022)  # bubblewrap makes folders on the way to what it shows
    passage.enter(passage.to((*mounts.python_environment(), str(Path(__file__).resolve().parent), folder)))
    os.setgroups([])
    os.setresgid(PAYLOAD_UID, PAYLOAD_UID, PAYLOAD_UID)
    os.setresuid(PAYLOAD_UID, PAYLOAD_UID, PAYLOAD_UID)
    kernel.die_with_parent(signal.SIGKILL)  # bubblewrap asks for that too, but only once it runs
    if os.getppid() == int(parent):
        os.execv(words[0], words)
    os._exit(1)


@dataclass(frozen=True)
class _Box:
    """One that stands ready, or has its job."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    folder: staging.Folder
    sizes: Sizes

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def memory_mb(self) -> float:
        """Of its process 1."""
        return sum(resident(str(pid))[0] for pid in tree.children(self.process.pid)) / 1024

    def discard(self) -> None:
        """End it and everything in it, and take its folder away; called once."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        os.close(self.folder.outputs)
        with contextlib.suppress(OSError):  # then the next start sweeps it
            staging.remove(self.folder.path)


@dataclass
class StandingBoxes:
    """A `Source` of single-use boxes, some of which are always ready or coming."""

    isolation: str
    wanted: int
    _coming: "list[asyncio.Task[_Box]]" = field(default_factory=list)
    _busy: list[_Box] = field(default_factory=list)
    _ended: bool = False

    @property
    def alive(self) -> bool:
        """Whether it has not been ended."""
        return not self._ended

    async def begin(self, job: Job, turn: int, *, stays: bool = False) -> Running:
        """Give the job to a box that is ready, or have one made. Raises `SandboxBroken`."""
        try:
            run = await self._begin(job, turn, stays=stays)
        except ConnectionError:  # that box has just died: once is bad luck
            try:
                run = await self._begin(job, turn, stays=stays)
            except ConnectionError as problem:
                raise SandboxBroken("The sandbox ended before it could take the job.") from problem
        await run.follow()
        return run

    async def _begin(self, job: Job, turn: int, *, stays: bool) -> Running:
        box = await self._take(Sizes.of(job.limits))
        self._busy = [other for other in self._busy if other.alive]
        self._busy.append(box)
        try:
            return await self._hand_over(box, job, turn, stays=stays)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(box.discard))
            raise
        finally:
            self.refill()

    def refill(self) -> None:
        """Have as many made as are missing."""
        self._coming = [task for task in self._coming if not task.cancelled()]
        while len(self._coming) < self.wanted and not self._ended:
            task = asyncio.create_task(_make(Sizes.of(Limits())))
            task.add_done_callback(_look_at_failure)
            self._coming.append(task)

    async def stand(self) -> int:
        """Wait until those that are coming are ready; their number. Raises `SandboxBroken` when one fails."""
        await asyncio.gather(*(asyncio.shield(task) for task in self._coming))
        return len(self._coming)

    async def first(self) -> None:
        """Wait until one is ready. Raises like `stand`."""
        if self._coming:
            await asyncio.shield(self._coming[0])

    def memory_mb(self) -> float:
        """What the boxes hold that stand ready: memory of their own that is no file's."""
        ready = [task for task in self._coming if task.done() and not task.cancelled() and not task.exception()]
        return sum(task.result().memory_mb() for task in ready)

    def rest(self) -> None:
        """Keep nothing ready any more; runs go on."""
        for task in self._coming:
            if not task.cancel() and not task.cancelled() and task.exception() is None:
                task.result().discard()
        self._coming.clear()

    def end(self) -> None:
        """Kill every box."""
        self._ended = True
        self.rest()
        for box in self._busy:
            if box.alive:
                box.process.kill()

    async def _take(self, needed: Sizes) -> _Box:
        """The first that is ready and large enough, else one that is coming, else a new one."""
        usual = Sizes.of(Limits())
        while self._coming and usual.hold(needed):
            self._coming.sort(key=lambda task: not task.done())
            task = self._coming.pop(0)
            if task.cancelled():  # with the event loop that it belonged to
                continue
            try:
                box = await asyncio.shield(task)
            except SandboxBroken:  # it failed while nobody wanted it
                continue
            except asyncio.CancelledError:
                self._coming.append(task)
                if self._ended:
                    self.rest()
                raise
            if box.alive:
                return box
            box.discard()
        return await _make(usual if usual.hold(needed) else needed)

    async def _hand_over(self, box: _Box, job: Job, turn: int, *, stays: bool) -> Running:
        inputs = {name: str(path) for name, path in job.inputs.items()}
        try:
            await asyncio.to_thread(staging.fill, box.folder, job.script, inputs, _owner())
        except OSError as problem:
            raise SandboxBroken(f"The inputs could not be put into the sandbox: {problem.strerror}.") from problem
        group = new_group(f"b{turn}", job.limits)
        cores = min(max(math.ceil(job.limits.cpus), 1), len(os.sched_getaffinity(0)))
        ends, inner = open_ends(stays=stays)
        given = [write_request(job, clean_environment(cores), turn, stays=stays), *inner]
        try:
            given += group.join_descriptors() if group else []
            socket.send_fds(box.control, [b"run"], given, socket.MSG_DONTWAIT)
        except OSError:
            close_ends(ends)
            if group is not None:
                group.remove()
            raise
        finally:
            for fd in given:
                os.close(fd)
        run = Running(job, ends, group, self.isolation)
        run.tidy = box.discard
        return run


def _look_at_failure(task: "asyncio.Task[_Box]") -> None:
    """Whoever takes the box hears of it; a box that nobody takes may fail in silence."""
    if not task.cancelled():
        task.exception()


def _owner() -> int | None:
    return PAYLOAD_UID if is_root() else None


async def _make(sizes: Sizes) -> _Box:
    """A warm box. Raises `SandboxBroken` with what it said when it does not come up."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs, tempfile.TemporaryFile() as complaints:
        try:
            folder = staging.make(staging.place_beside(()), _owner())
            inside = inner_python(f"main({theirs.fileno()})")
            try:
                process = start(folder, sizes, inside, given=(theirs.fileno(),), stderr=complaints)
            except OSError:
                os.close(folder.outputs)
                staging.remove(folder.path)
                raise
        except OSError as problem:
            ours.close()
            raise SandboxBroken(f"The sandbox did not start: {problem.strerror or problem}.") from problem
        theirs.close()
        box = _Box(process, ours, folder, sizes)
        try:
            loop = asyncio.get_running_loop()
            said = await asyncio.wait_for(loop.sock_recv(ours, _MESSAGE), _WARM_UP_SECONDS)
        except (OSError, TimeoutError):
            said = b""
        except asyncio.CancelledError:
            box.discard()
            raise
        if not said or json.loads(said).get("event") != "ready":
            box.discard()
            complaints.seek(0)
            why = complaints.read().decode(errors="replace").strip().rpartition("\n")[2][-300:]
            raise SandboxBroken(f"The sandbox did not start: {why or 'no word within two minutes'}.")
    return box


def rehearse() -> None:
    """Make a box with the real flags, lock in there, and end; prints "yes" or what was refused."""
    try:
        folder = staging.make(staging.place_beside(()), _owner())
    except OSError as problem:
        os.write(1, f"making a private folder was refused ({problem.strerror})".encode())
        return
    try:
        inside = inner_python("rehearse()")
        process = start(folder, Sizes(1, 1), inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, complaint = process.communicate()
        os.write(1, said or complaint.strip().rpartition(b"\n")[2][-300:] or b"bubblewrap ended without a word")
    except OSError as problem:
        os.write(1, str(problem).encode())
    finally:
        os.close(folder.outputs)
        staging.remove(folder.path)


async def open_boxes(isolation: Isolation, ready: int) -> StandingBoxes:
    """Boxes, the first of which stands. Raises `SandboxBroken` with what it said when it does not come up."""
    boxes = StandingBoxes(isolation.name, ready)
    boxes.refill()
    try:
        await boxes.first()
    except BaseException:
        boxes.end()
        raise
    return boxes
