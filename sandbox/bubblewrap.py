"""A box made by /usr/bin/bwrap, for machines where only that program may make user namespaces (Ubuntu since 24.04).

Here is what it shows and how it is started; sandbox/standing.py keeps some of them ready, sandbox/boxed.py is the
Python inside.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from sandbox import boxed, kernel, mounts, passage, staging
from sandbox.base import Limits
from sandbox.box import INNER_UID, is_root
from sandbox.launch import THREADS, clean_environment
from sandbox.owners import SHARED_UID

_PROGRAMS = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
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


def owner() -> int | None:
    """Whose the private folders have to be; None: they are ours already."""
    return SHARED_UID if is_root() else None


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
    os.setresgid(SHARED_UID, SHARED_UID, SHARED_UID)
    os.setresuid(SHARED_UID, SHARED_UID, SHARED_UID)
    kernel.die_with_parent(signal.SIGKILL)  # bubblewrap asks for that too, but only once it runs
    if os.getppid() == int(parent):
        os.execv(words[0], words)
    os._exit(1)


def rehearse() -> None:
    """Make a box with the real flags, lock in there, and end; prints "yes" or what was refused."""
    try:
        folder = staging.make(staging.place_beside(()), owner())
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
