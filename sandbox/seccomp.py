"""The system-call filter that a script runs under: an allow-list in classic BPF, decided by number and a few arguments.

Unknown calls and calls of another processor mode never get through; there is no socket but the Unix kind, which leads
to no socket of the host and carries no descriptor, no new namespace, no memory that no limit counts, no hiding from the
watch, no change to another process.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Collection

from sandbox import kernel, syscalls

_LOAD, _EQUAL, _GREATER_OR_EQUAL, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_ERRNO = 0x00050000
_PERMISSION, _NO_SUCH_CALL, _NOT_SUPPORTED = (_ERRNO | code for code in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP))
_DONE_NOTHING = _ERRNO
"""Answered "done" without being made."""
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_NUMBER, _MACHINE = 0, 4
_AF_UNIX = 1
_SECCOMP_MODE_FILTER = 2
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_IOCTLS = {
    "TCGETS": 0x5401,
    "TCGETS2": 0x802C542A,
    "TIOCGPGRP": 0x540F,
    "TIOCGWINSZ": 0x5413,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
    "FIOASYNC": 0x5452,
}
"""Asking about terminals and setting descriptors; among those left out: typing into a terminal, flags of files."""
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE, _F_NOTIFY = 8, 10, 15, 1024, 1026
_LEASES = (_F_SETLEASE, _F_NOTIFY)
"""They hold up, or watch, whoever opens the same file on the host."""
_BUFFER_SIZES = (7, 8, 32, 33)
"""SO_SNDBUF, SO_RCVBUF and their forced kind: kernel memory that counts for nobody without a control group."""
_PR_SCHED_CORE = 62
_PRCTLS = (kernel.PR_SET_DUMPABLE, kernel.PR_SET_SECCOMP, _PR_SCHED_CORE)
"""Else nobody could measure its memory, or it could put a filter of its own, or a claim to cores, on what it starts."""


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _argument(index: int, *, high: bool = False) -> bytes:
    """Load the low half of an argument (or the high one) from the data that the filter sees (little-endian)."""
    return _step(_LOAD, 16 + 8 * index + 4 * high)


def _case(number: int, *steps: bytes) -> bytes:
    """What to do about one call; the steps must end with a verdict on every way."""
    body = b"".join(steps)
    return _step(_EQUAL, number, 0, len(body) // 8) + body


def _answer(number: int, verdict: int) -> bytes:
    return _case(number, _step(_RETURN, verdict))


def _only(number: int, argument: int, values: Collection[int]) -> bytes:
    """Allowed when the argument is one of the values."""
    yes = [_step(_EQUAL, value, 0, 1) + _step(_RETURN, _ALLOW) for value in values]
    return _case(number, _argument(argument), *yes, _step(_RETURN, _PERMISSION))


def _never(number: int, argument: int, values: Collection[int]) -> bytes:
    """Allowed unless the argument is one of the values."""
    no = [_step(_EQUAL, value, 0, 1) + _step(_RETURN, _PERMISSION) for value in values]
    return _case(number, _argument(argument), *no, _step(_RETURN, _ALLOW))


def _no_address(number: int, argument: int) -> bytes:
    """Allowed when the pointer to an address is null: to the other end of a pair only."""
    no = [
        _argument(argument, high=high) + _step(_EQUAL, 0, 1, 0) + _step(_RETURN, _PERMISSION) for high in (False, True)
    ]
    return _case(number, *no, _step(_RETURN, _ALLOW))


def _only_for_itself(number: int, kind: int) -> bytes:
    """Calls with (kind of target, id): the process itself only."""
    is_own = _argument(0) + _step(_EQUAL, kind, 1, 0) + _step(_RETURN, _PERMISSION)
    return _case(
        number, is_own, _argument(1), _step(_EQUAL, 0, 0, 1), _step(_RETURN, _ALLOW), _step(_RETURN, _PERMISSION)
    )


def _no_new_namespace(number: int) -> bytes:
    new = _step(_ANY_BIT, kernel.CLONE_NEW_ANY, 0, 1) + _step(_RETURN, _PERMISSION)
    return _case(number, _argument(0), new, _step(_RETURN, _ALLOW))


def _no_emptying_on_reading(number: int, flags: int) -> bytes:
    """O_TRUNC without asking to write empties a file all the same."""
    mask = _step(_AND, os.O_ACCMODE | os.O_TRUNC) + _step(_EQUAL, os.O_TRUNC, 0, 1) + _step(_RETURN, _PERMISSION)
    return _case(number, _argument(flags), mask, _step(_RETURN, _ALLOW))


def _times_seem_to_change(number: int) -> bytes:
    """Done nothing, but refused when (path, "now"): that is how a file that does not exist yet is touched."""
    path, times = 1, 2
    done = _step(_RETURN, _DONE_NOTHING)
    given = [_argument(times, high=high) + _step(_EQUAL, 0, 1, 0) + done for high in (False, True)]
    named = [
        _argument(path, high=high) + _step(_EQUAL, 0, 1, 0) + _step(_RETURN, _PERMISSION) for high in (False, True)
    ]
    return _case(number, *given, *named, done)


def _head() -> bytes:
    """Calls of another processor mode end the process; then the number of the call is looked at."""
    return (
        _step(_LOAD, _MACHINE)
        + _step(_EQUAL, _ARCHITECTURE[platform.machine()], 1, 0)
        + _step(_RETURN, _KILL)
        + _step(_LOAD, _NUMBER)
        + _step(_GREATER_OR_EQUAL, _X32_BIT, 0, 1)
        + _step(_RETURN, _KILL)
    )


def _everywhere() -> dict[str, bytes]:
    """Calls that get through with some arguments only, at every level."""
    numbers = {**syscalls.numbers(syscalls.ALLOWED), **syscalls.numbers(syscalls.FILTERED)}
    return {
        **{name: _answer(numbers[name], _PERMISSION) for name in syscalls.REACHING_OUT},
        "sendto": _no_address(numbers["sendto"], 4),
        "setsockopt": _never(numbers["setsockopt"], 2, _BUFFER_SIZES),
        "fcntl": _never(numbers["fcntl"], 1, _LEASES),
        "socket": _only(numbers["socket"], 0, [_AF_UNIX]),
        "socketpair": _only(numbers["socketpair"], 0, [_AF_UNIX]),
        "clone": _no_new_namespace(numbers["clone"]),
        "ioctl": _only(numbers["ioctl"], 1, _IOCTLS.values()),
        "prctl": _never(numbers["prctl"], 0, _PRCTLS),
        "prlimit64": _only(numbers["prlimit64"], 0, [0]),
        "setpriority": _only_for_itself(numbers["setpriority"], _PRIO_PROCESS),
        "ioprio_set": _only_for_itself(numbers["ioprio_set"], _IOPRIO_WHO_PROCESS),
    }


def _on_the_host(abi: int, pid: int) -> dict[str, bytes]:
    """What a script must not do where it shares the host's file system and processes; `abi` is Landlock's."""
    numbers = {**syscalls.numbers(syscalls.ALLOWED), **syscalls.numbers(syscalls.FILTERED)}
    rules = {name: _answer(numbers[name], _DONE_NOTHING) for name in syscalls.OWNERSHIP if name in numbers}
    rules["utimensat"] = _times_seem_to_change(numbers["utimensat"])
    rules |= {name: _answer(numbers[name], _NOT_SUPPORTED) for name in syscalls.EXTENDED_ATTRIBUTES}
    rules["socket"] = _answer(numbers["socket"], _PERMISSION)
    rules["fcntl"] = _never(numbers["fcntl"], 1, [_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, *_LEASES])
    if abi < 6:
        rules |= {name: _only(numbers[name], 0, [pid]) for name in ("kill", "tkill", "tgkill")}
        queues = ("rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
        rules |= {name: _answer(numbers[name], _PERMISSION) for name in queues}
    if abi < 3:
        rules["truncate"] = _answer(numbers["truncate"], _PERMISSION)
        rules["openat2"] = _answer(numbers["openat2"], _NO_SUCH_CALL)
        opens = {"open": 1, "openat": 2}
        rules |= {name: _no_emptying_on_reading(numbers[name], at) for name, at in opens.items() if name in numbers}
    return rules


def _assemble(special: dict[str, bytes]) -> bytes:
    plain = {name: number for name, number in syscalls.numbers(syscalls.ALLOWED).items() if name not in special}
    parts = [_head(), *special.values(), *(_answer(number, _ALLOW) for number in plain.values())]
    parts += [_answer(number, _NO_SUCH_CALL) for number in syscalls.numbers(syscalls.ABSENT).values()]
    parts += [_step(_GREATER_OR_EQUAL, syscalls.NEWEST, 0, 1), _step(_RETURN, _NO_SUCH_CALL)]
    return b"".join([*parts, _step(_RETURN, _PERMISSION)])


def program() -> bytes:
    """The filter as BPF bytes for this machine, for a script in namespaces of its own."""
    return _assemble(_everywhere())


def program_on_the_host(abi: int, pid: int) -> bytes:
    """The filter for a script (process `pid`) without namespaces, which does what Landlock of this ABI leaves open.

    No socket but pairs; owners, modes and times of files change only seemingly; older kernels: no signal but to itself.
    """
    return _assemble({**_everywhere(), **_on_the_host(abi, pid)})


def lock(bpf: bytes) -> None:
    """Put this thread and all it starts under the filter, for good; needs no_new_privs."""
    steps = ctypes.create_string_buffer(bpf, len(bpf))
    head = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(bpf) // 8, ctypes.addressof(steps)), 16)
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head)
