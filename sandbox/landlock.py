"""Landlock: the kernel's own list of what a process and its children may touch, on top of everything else.

It also forbids tracing and (newer kernels) signalling processes outside. ABI numbers: 2 rename between folders,
3 truncate, 4 TCP, 5 device ioctl, 6 signals and abstract Unix sockets.
"""

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from sandbox import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_QUERY, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_AND_REMOVE = 0x1FF0
_DEVICES = 1 << 6 | 1 << 11
"""Making character and block devices: never."""
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_TCP_BIND_AND_CONNECT = 3
_SCOPE_SIGNAL_AND_ABSTRACT_UNIX = 3

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def version() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    try:
        return kernel.call(_CREATE, None, 0, _VERSION_QUERY)
    except OSError:
        return 0


def _handled(abi: int) -> int:
    newer = (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    return 0x1FFF | newer


def _new_ruleset(abi: int, handled: int, network: int = 0, scope: int = 0) -> int:
    layout = struct.pack("=QQQ", handled, network, scope)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    return kernel.call(_CREATE, ctypes.create_string_buffer(layout, len(layout)), len(layout), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        mask = rights if stat.S_ISDIR(os.fstat(fd).st_mode) else rights & _FILE_RIGHTS
        rule = ctypes.create_string_buffer(struct.pack("=Qi", mask, fd), 12)
        kernel.call(_ADD, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


def lock(*, read: Iterable[str], write: Iterable[str]) -> None:
    """Restrict this process for good to reading (and running) `read` and also writing `write`; no TCP, no signals out.

    Needs no_new_privs; OSError where the kernel has no Landlock.
    """
    abi = version()
    handled = _handled(abi)
    network = _TCP_BIND_AND_CONNECT if abi >= 4 else 0
    scope = _SCOPE_SIGNAL_AND_ABSTRACT_UNIX if abi >= 6 else 0
    ruleset = _new_ruleset(abi, handled, network, scope)
    for path in read:
        _allow(ruleset, path, _READ & handled)
    for path in write:
        _allow(ruleset, path, (_READ | _WRITE_FILE | _MAKE_AND_REMOVE & ~_DEVICES | _REFER | _TRUNCATE) & handled)
    restrict(ruleset)
    os.close(ruleset)


def restrict(ruleset: int) -> None:
    """Put this process under a ruleset, for good; rulesets add up: each must allow."""
    kernel.call(_RESTRICT, ruleset, 0)


def only_reading(paths: Iterable[str]) -> int:
    """A ruleset under which no file outside `paths` can be read, and nothing else changes; a descriptor to keep."""
    abi = version()
    move = _REFER if abi >= 2 else 0  # refused by every ruleset that does not speak of it
    ruleset = _new_ruleset(abi, _READ_FILE | move)
    if move:
        _allow(ruleset, "/", move)
    for path in paths:
        with contextlib.suppress(OSError):  # gone by now, or a dead mount: then it cannot be read
            _allow(ruleset, path, _READ_FILE)
    return ruleset


def everything_but(shut: Iterable[str]) -> list[str]:
    """Paths that together are the whole file system without the folders `shut`: Landlock can add, not subtract.

    What appears later in a folder that leads to one of them is not among them either.
    """
    closed = {Path(os.path.realpath(folder)) for folder in shut}
    ways = {parent for folder in closed for parent in folder.parents}
    if not ways:
        return ["/"]
    found: list[str] = []
    for way in ways:
        with contextlib.suppress(PermissionError), os.scandir(way) as entries:
            found += [e.path for e in entries if not e.is_symlink() and Path(e.path) not in ways | closed]
    return found
