"""The system-call filter that a script runs under: an allow-list in classic BPF, decided by number and a few arguments.

Unknown calls and calls of another processor mode never get through; there is no socket but the Unix kind, no new
namespace, no memory that no limit counts.
"""

import ctypes
import errno
import platform
import struct

from sandbox import kernel, syscalls

_LOAD, _EQUAL, _GREATER_OR_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_PERMISSION, _NO_SUCH_CALL = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_NUMBER, _MACHINE = 0, 4
_AF_UNIX = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_SECCOMP_MODE_FILTER = 2


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _argument(index: int) -> int:
    """Where the low half of an argument lies in the data that the filter sees (little-endian)."""
    return 16 + 8 * index


def _answer(number: int, verdict: int) -> bytes:
    return _step(_EQUAL, number, 0, 1) + _step(_RETURN, verdict)


def _only_unix_sockets(number: int) -> bytes:
    return (
        _step(_EQUAL, number, 0, 4)
        + _step(_LOAD, _argument(0))
        + _step(_EQUAL, _AF_UNIX, 0, 1)
        + _step(_RETURN, _ALLOW)
        + _step(_RETURN, _PERMISSION)
    )


def _no_new_namespace(number: int) -> bytes:
    return (
        _step(_EQUAL, number, 0, 4)
        + _step(_LOAD, _argument(0))
        + _step(_ANY_BIT, kernel.CLONE_NEW_ANY, 0, 1)
        + _step(_RETURN, _PERMISSION)
        + _step(_RETURN, _ALLOW)
    )


def _no_typing_into_terminals(number: int) -> bytes:
    return (
        _step(_EQUAL, number, 0, 5)
        + _step(_LOAD, _argument(1))
        + _step(_EQUAL, _TIOCSTI, 1, 0)
        + _step(_EQUAL, _TIOCLINUX, 0, 1)
        + _step(_RETURN, _PERMISSION)
        + _step(_RETURN, _ALLOW)
    )


def program() -> bytes:
    """The filter as BPF bytes for this machine; also what `bwrap --seccomp` takes."""
    filtered = syscalls.numbers(syscalls.FILTERED)
    parts = [
        _step(_LOAD, _MACHINE),
        _step(_EQUAL, _ARCHITECTURE[platform.machine()], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_GREATER_OR_EQUAL, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
        _only_unix_sockets(filtered["socket"]),
        _only_unix_sockets(filtered["socketpair"]),
        _no_new_namespace(filtered["clone"]),
        _no_typing_into_terminals(filtered["ioctl"]),
    ]
    parts += [_answer(number, _ALLOW) for number in syscalls.numbers(syscalls.ALLOWED).values()]
    parts += [_answer(number, _NO_SUCH_CALL) for number in syscalls.numbers(syscalls.ABSENT).values()]
    parts += [_step(_GREATER_OR_EQUAL, syscalls.NEWEST, 0, 1), _step(_RETURN, _NO_SUCH_CALL)]
    return b"".join([*parts, _step(_RETURN, _PERMISSION)])


def lock(bpf: bytes) -> None:
    """Put this thread and all it starts under the filter, for good; needs no_new_privs."""
    steps = ctypes.create_string_buffer(bpf, len(bpf))
    head = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(bpf) // 8, ctypes.addressof(steps)), 16)
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head)
