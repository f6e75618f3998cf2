"""The few Linux system calls that Python does not offer, by ctypes: namespaces, mounts, capabilities, process control.

Every function raises OSError with the kernel's errno. Importing this module loads libc and does nothing else.
"""

import ctypes
import os
import struct
from collections.abc import Collection
from pathlib import Path

from sandbox import syscalls

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEW_ANY = 0x7E020000
"""Every flag of clone(2) that makes a namespace."""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 0x4000, 1 << 18
MNT_DETACH = 2

ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC, ATTR_IDMAP = 1, 2, 4, 8, 0x00100000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 15, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 6
_LAST_CAPABILITY = 63
_HUGE, _MADV_COLLAPSE = 2**21, 25
_READ_AND_WRITE = 3

_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make one system call; raise OSError when the kernel says no."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *words))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _named(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    return call(syscalls.numbers(syscalls.OURS)[name], *arguments)


def prctl(option: int, *arguments: int | ctypes.Array[ctypes.c_char]) -> int:
    """prctl(2), padded with zeros as the kernel asks."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return call(syscalls.numbers(syscalls.FILTERED)["prctl"], option, *padded)


def unshare(flags: int) -> None:
    """Leave the given namespaces for new ones."""
    _named("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    _named("mount", source.encode(), os.fsencode(target), kind.encode(), flags, options.encode())


def make_mounts_private() -> None:
    """From here on, no mount of ours is seen outside and none from outside is seen here."""
    _named("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def enter_root(path: str) -> None:
    """Make the mount at `path` the root and let go of the old one."""
    os.chdir(path)
    _named("pivot_root", b".", b".")
    _named("umount2", b".", MNT_DETACH)
    os.chdir("/")


def enter(namespace: int, kind: int) -> None:
    """Go into another namespace (CLONE_NEW...); of mounts: see its files, from its root; of processes: our children."""
    _named("setns", namespace, kind)


def process_list() -> int:
    """A detached /proc of the pid namespace that this process is in: for `attach`, or to reach its files from."""
    context = call(_FSOPEN, b"proc", _CLOEXEC)
    try:
        call(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return call(_FSMOUNT, context, _CLOEXEC, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC)
    finally:
        os.close(context)


def clone_mount(path: str) -> int:
    """A detached copy of the tree at `path`, as a file descriptor: nobody sees it until `attach`."""
    return call(
        _OPEN_TREE, _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC | _AT_EMPTY_PATH
    )


def set_mount(fd: int, attributes: int, *, recursive: bool = True, owner_map: int = 0) -> None:
    """Add attributes (ATTR_*) to a detached or attached mount; `owner_map` is a user namespace's descriptor."""
    wish = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, owner_map), 32)
    _flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    call(_MOUNT_SETATTR, fd, b"", _flags, wish, 32)


def attach(fd: int, target: str) -> None:
    """Put a detached mount at `target`."""
    call(_MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)


def die_with_parent(sig: int) -> None:
    """Ask for `sig` when the thread that made this process ends."""
    prctl(PR_SET_PDEATHSIG, sig)


def name_process(name: str) -> None:
    """What `ps` and the like call it; 15 letters at most."""
    prctl(PR_SET_NAME, ctypes.create_string_buffer(name.encode()))


def drop_capabilities() -> None:
    """Give up every capability, now and for all programs started later."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # EINVAL: the kernel knows no more capabilities
            break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0), 8)
    _named("capset", header, ctypes.create_string_buffer(24))


def close_all_but(keep: Collection[int]) -> None:
    """Close every descriptor of this process except `keep`."""
    edges = [-1, *sorted(keep), 2**31 - 1]
    for before, after in zip(edges, edges[1:], strict=False):
        if after - before > 1:
            call(436, before + 1, after - 1, 0)


def gather_memory() -> None:
    """Have the kernel put this process's memory into huge pages, as far as it can: forking it takes a third less."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, mode, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in where.split("-"))
        start, end = -(-start // _HUGE) * _HUGE, end // _HUGE * _HUGE
        if mode == "rw-p" and name in ([], ["[heap]"]) and start < end:
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)  # older kernels refuse


def join_relocated() -> None:
    """Make what the loader has relocated and closed writable again, so that it is one mapping with the data beside it.

    Each mapping with pages of its own costs every fork: of some 700 half go, and a fork takes a quarter less. What
    becomes writable protects a program from its own mistakes only: whoever runs code in a process can undo it anyway.
    """
    before: tuple[int, int, str, str] | None = None
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, mode, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in where.split("-"))
        if name and mode == "rw-p" and before is not None and before[1:] == (start, "r--p", name[0]):
            _libc.mprotect(ctypes.c_void_p(before[0]), ctypes.c_size_t(start - before[0]), _READ_AND_WRITE)
        before = (start, end, mode, name[0] if name else "")


def in_words(problem: BaseException) -> str:
    """What an exception says, without the host's paths that an OSError carries."""
    said = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return f"{type(problem).__name__}: {said}"
