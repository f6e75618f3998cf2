"""Program: be root (or an ordinary user) of a disposable system, and run a program of this folder there as process 1.

The system has this one's files under an overlay that vanishes, and process list, network, names and shared memory of
its own; what is written stays in memory and is gone with it. For root only.
"""

import ctypes
import fcntl
import os
import socket
import stat
import struct
import sys
from pathlib import Path

from sandbox import kernel
from tests.sandbox.as_user import UID
from tests.sandbox.host import PROJECT

_STAGE = "/tmp"  # covered by a mount that only we see
_SIOCSIFADDR, _SIOCSIFFLAGS = 0x8916, 0x8914
_NEW = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


def _overlay() -> None:
    """This root under a layer of memory; mounts of other file systems that Python lies on come along."""
    kernel.make_mounts_private()
    needed = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, PROJECT)}
    needed |= {"/sys/fs/cgroup"}
    root = Path("/").stat().st_dev
    apart = {path for path in needed if Path(path).stat().st_dev != root or path.startswith("/tmp/")}
    clones = {path: kernel.clone_mount(path) for path in sorted(apart)}
    kernel.mount("x", _STAGE, "tmpfs", 0, "size=256m")
    for layer in ("upper", "work", "root"):
        Path(_STAGE, layer).mkdir()
    layers = f"lowerdir=/,upperdir={_STAGE}/upper,workdir={_STAGE}/work"
    kernel.mount("x", f"{_STAGE}/root", "overlay", 0, layers)
    _furnish(clones)
    kernel.enter_root(f"{_STAGE}/root")


def _furnish(clones: dict[str, int]) -> None:
    inside = Path(_STAGE, "root")
    for target, kind in {"/proc": "proc", "/sys": "sysfs", "/tmp": "tmpfs"}.items():
        kernel.mount("x", f"{inside}{target}", kind, 0, "mode=1777" if kind == "tmpfs" else "")
    for path, clone in clones.items():
        if not path.startswith("/sys/"):
            Path(f"{inside}{path}").mkdir(parents=True, exist_ok=True)
        kernel.attach(clone, f"{inside}{path}")
    _devices(inside / "dev")
    kernel.mount("x", f"{inside}/dev/shm", "tmpfs", 0, "mode=1777")
    kernel.mount("x", f"{inside}/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    (inside / "etc/resolv.conf").unlink(missing_ok=True)
    (inside / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    for way in {p for path in (sys.prefix, sys.base_prefix, PROJECT) for p in Path(path).resolve().parents}:
        there = inside / str(way)[1:]
        there.chmod(there.stat().st_mode | stat.S_IXOTH)


def _devices(folder: Path) -> None:
    """Nodes of our own for all devices of this machine: what is done to the folder is done to ours."""
    found = [p for p in (*Path("/dev").iterdir(), *Path("/dev/net").glob("*")) if not p.is_symlink()]
    kernel.mount("x", str(folder), "tmpfs", 0, "mode=755")
    for name in ("shm", "pts", "net"):
        (folder / name).mkdir()
    os.umask(0)
    for path in found:
        about = path.stat()
        if stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode):
            os.mknod(folder / path.relative_to("/dev"), about.st_mode, about.st_rdev)
    os.umask(0o022)
    (folder / "fd").symlink_to("/proc/self/fd")


def _network() -> None:
    """A loopback of our own, which also is where a cloud keeps its metadata service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for name, address in (("lo", "127.0.0.1"), ("lo:0", "169.254.169.254")):
            wish = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, _SIOCSIFADDR, wish)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", 1))


def main() -> None:
    """`outside.py root|user PROGRAM...`; ends with the exit code of the program."""
    user, *program = sys.argv[1:]
    kernel.unshare(_NEW)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.die_with_parent(9)
    _overlay()
    os.chdir(PROJECT)
    _network()
    if user == "user":
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        ctypes.CDLL(None).prctl(kernel.PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.execve(sys.executable, [sys.executable, *program], {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})


if __name__ == "__main__":
    main()
