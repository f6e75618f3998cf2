"""What stands on the host for a hostile script to go after, and an eye on whether any of it was touched.

The secret is a word of the form canary-<16 hex>-end. It is in our own environment from the first instruction on, in
files, in the memory, environment and descriptors of a bystander, in shared memory, in a keyring, and is what every
listener answers with. A script gets its SHA-256 only, so that it can prove to have found the word.
"""

import contextlib
import ctypes
import hashlib
import os
import platform
import resource
import secrets
import selectors
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
VARIABLE = "MODELWRIGHT_TEST_API_KEY"
VICTIMS = ("write", "truncate", "mode", "times", "owner", "attribute", "unlink", "rename", "link", "watch")
_DROP = Path("/var/tmp")
_METADATA = ("169.254.169.254", 80)
_BYSTANDER = """
import os, sys
kept = open(sys.argv[1])
os.unlink(sys.argv[1])
print("there", flush=True)
sys.stdin.read()
"""
_LISTENERS = 64
_libc = ctypes.CDLL(None, use_errno=True)


def with_secret() -> str:
    """The secret of this process, in its environment since it began; starts the program anew to put it there."""
    if VARIABLE not in os.environ:
        word = f"canary-{secrets.token_hex(8)}-end"
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, VARIABLE: word})
    return os.environ[VARIABLE]


class _Listeners(threading.Thread):
    """Answers every connection and datagram with the secret and remembers that there was one."""

    def __init__(self, secret: str) -> None:
        super().__init__(daemon=True)
        self._secret = secret.encode()
        self._selector = selectors.DefaultSelector()
        self._end, self._wake = os.pipe()
        self._selector.register(self._end, selectors.EVENT_READ)
        self.visited: list[str] = []

    def add(self, name: str, family: int, kind: int, address: Any) -> Any:
        """Listen; the address in use."""
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        if kind == socket.SOCK_STREAM:
            listener.listen(_LISTENERS)
        self._selector.register(listener, selectors.EVENT_READ, name)
        return listener.getsockname()

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._end:
                    return
                assert isinstance(key.fileobj, socket.socket)
                self.visited.append(key.data)
                with contextlib.suppress(OSError):  # the visitor has gone
                    self._answer(key.fileobj)

    def _answer(self, listener: socket.socket) -> None:
        if listener.type == socket.SOCK_DGRAM:
            question, visitor = listener.recvfrom(512)
            if visitor:
                listener.sendto(_dns_answer(question) if listener.getsockname()[1] == 53 else self._secret, visitor)
            return
        caller, _ = listener.accept()
        with caller:
            caller.sendall(self._secret)

    def end(self) -> None:
        os.write(self._wake, b".")
        self.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        os.close(self._end)
        os.close(self._wake)


def _dns_answer(question: bytes) -> bytes:
    """127.0.0.1, for any name (RFC 1035); nothing for other kinds of question."""
    end = question.index(b"\0", 12) + 5
    asked_for_ipv4 = question[end - 4 : end - 2] == b"\0\1"
    head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if asked_for_ipv4 else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"
    return head + question[12:end] + (record if asked_for_ipv4 else b"")


@dataclass
class Host:
    """Everything planted; `facts` is what a script is told, `damage` what it has done."""

    folder: Path
    facts: dict[str, Any]
    bystander: "subprocess.Popen[str]"
    listeners: _Listeners
    inherited: int
    before: dict[str, Any] = field(default_factory=dict)

    def damage(self) -> list[str]:
        """In words, what is not as it was before the attacks."""
        now = self._look()
        changed = [f"{name}: {self.before.get(name)} -> {now.get(name)}" for name in {*self.before, *now}
                   if self.before.get(name) != now.get(name)]  # fmt: skip
        return sorted([*changed, *(f"a visit at {name}" for name in set(self.listeners.visited))])

    def _look(self) -> dict[str, Any]:
        files = {str(p.relative_to(self.folder)): _about(p) for p in _below(self.folder)}
        pid = self.bystander.pid
        return files | {
            "the bystander lives": self.bystander.poll() is None,
            "its niceness": os.getpriority(os.PRIO_PROCESS, pid) if self.bystander.poll() is None else None,
            "its files limit": resource.prlimit(pid, resource.RLIMIT_NOFILE) if self.bystander.poll() is None else None,
            "host name": socket.gethostname(),
            "core pattern": Path("/proc/sys/kernel/core_pattern").read_text(),
            "dropped": [str(p) for p in _DROP.glob(f"{self.facts['tag']}*")],
            "in shared memory": [str(p) for p in Path("/dev/shm").glob(f"{self.facts['tag']}*")],  # noqa: S108
            "packages": [str(p) for p in Path(sys.prefix).glob(f"lib/*/site-packages/{self.facts['tag']}*")],
        }


def _below(folder: Path) -> list[Path]:
    """Everything in a folder, not what is in folders that a script has made."""
    return sorted(p for p in folder.rglob("*") if "outputs" not in p.parts)


def _about(path: Path) -> tuple[Any, ...]:
    seen = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
    attributes = () if path.is_symlink() else tuple(os.listxattr(path))
    # The modification time of a folder tells nothing that its list of files does not.
    when = seen.st_mtime_ns if stat.S_ISREG(seen.st_mode) else 0
    return (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_nlink, when, attributes, content)


def _plant_files(folder: Path, secret: str) -> dict[str, Any]:
    for name in ("home/.ssh", "victims", "inputs", "neighbour", "sealed"):
        (folder / name).mkdir(parents=True)
    (folder / "canary.txt").write_text(secret)
    (folder / "home/.ssh/id_ed25519").write_text(secret)
    (folder / "home/.ssh/id_ed25519").chmod(0o600)
    (folder / "home/.env").write_text(f"KEY={secret}\n")
    (folder / "neighbour/private.txt").write_text(secret)
    (folder / "sealed/holdout_labels.parquet").write_text(secret)
    (folder / "inputs/a").write_text("input")
    os.mkfifo(folder / "fifo")
    for name in VICTIMS:
        (folder / "victims" / name).write_text("whole")
    tool = folder / "tool"
    shutil.copyfile(shutil.which("id") or "/usr/bin/id", tool)
    tool.chmod(0o4755)
    return {name: str(folder / path) for name, path in {
        "canary": "canary.txt", "key": "home/.ssh/id_ed25519", "env": "home/.env", "fifo": "fifo", "tool": "tool",
        "home": "home", "victims": "victims", "input": "inputs/a",
        "sealed": "sealed",
    }.items()}  # fmt: skip


def _plant_listeners(listeners: _Listeners, folder: Path, tag: str) -> dict[str, Any]:
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    facts = {
        "tcp": listeners.add("TCP", socket.AF_INET, stream, ("127.0.0.1", 0))[1],
        "udp": listeners.add("UDP", socket.AF_INET, datagram, ("127.0.0.1", 0))[1],
        "unix": listeners.add("a Unix socket", socket.AF_UNIX, stream, str(folder / "docker.sock")),
        "unix_datagram": listeners.add("a datagram socket", socket.AF_UNIX, datagram, str(folder / "log.sock")),
        "tcp6": 0,
    }
    listeners.add("an abstract socket", socket.AF_UNIX, stream, f"\0{tag}")
    with contextlib.suppress(OSError):  # a host without IPv6
        facts["tcp6"] = listeners.add("TCP over IPv6", socket.AF_INET6, stream, ("::1", 0))[1]
    for name, family, kind, address in (
        ("a name server", socket.AF_INET, datagram, ("127.0.0.1", 53)),
        ("the metadata service", socket.AF_INET, stream, _METADATA),
    ):
        with contextlib.suppress(OSError):  # only in a network of our own
            listeners.add(name, family, kind, address)
    return facts


def _plant_memory(secret: str, tag: str) -> dict[str, Any]:
    """Shared memory of both kinds, a message queue and a key that our children inherit."""
    Path("/dev/shm", tag).write_text(secret)
    _libc.shmat.restype = ctypes.c_void_p
    segment = _libc.shmget(0, 4096, 0o1600)
    place = _libc.shmat(segment, None, 0)
    if segment >= 0 and place not in (None, ctypes.c_void_p(-1).value):
        ctypes.memmove(place, secret.encode(), len(secret))
    queue = _libc.mq_open(f"/{tag}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    if queue >= 0:
        _libc.mq_send(queue, secret.encode(), len(secret), 0)
    keyctl, add_key = (250, 248) if platform.machine() == "x86_64" else (219, 217)
    _libc.syscall(keyctl, 1, None)  # a session keyring of our own, which our children inherit
    key = _libc.syscall(add_key, b"user", tag.encode(), secret.encode(), len(secret), -3)
    return {"segment": segment, "serial": key}


def _disk() -> str:
    """A disk of this system, best one that root may read."""
    disks = sorted(str(p) for p in Path("/dev").iterdir() if p.is_block_device())
    for disk in disks:
        with contextlib.suppress(OSError):
            os.close(os.open(disk, os.O_RDONLY))
            return disk
    return disks[0] if disks else "/dev/loop0"


def _number(device: str) -> int:
    return Path(device).stat().st_rdev if Path(device).exists() else os.makedev(7, 0)


@contextlib.contextmanager
def stand(folder: Path, secret: str) -> Iterator[Host]:
    """Plant everything in `folder` (made by the caller) and around; take it away again."""
    tag = f"mw-{secret[7:15]}"
    facts = _plant_files(folder, secret)
    listeners = _Listeners(secret)
    facts |= _plant_listeners(listeners, folder, tag)
    facts |= _plant_memory(secret, tag)
    listeners.start()
    held = folder / "held"
    held.write_text(secret)
    bystander = subprocess.Popen(
        [sys.executable, "-c", _BYSTANDER, str(held), secret],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder / "neighbour",
        env={"TOKEN": secret, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert bystander.stdout is not None
    assert bystander.stdout.readline() == "there\n"
    reader, writer = os.pipe()
    os.write(writer, secret.encode())
    os.close(writer)
    facts |= {
        "folder": str(folder), "tag": tag, "pid": bystander.pid, "project": str(PROJECT), "disk": _disk(),
        "disk_number": [os.major(_number(_disk())), os.minor(_number(_disk()))],
        "proof": hashlib.sha256(secret.encode()).hexdigest(), "uid": os.getuid(), "hostname": socket.gethostname(),
        "host_net": str(Path("/proc/self/ns/net").readlink()),
    }  # fmt: skip
    host = Host(folder, facts, bystander, listeners, reader)
    host.before = host._look()
    try:
        yield host
    finally:
        bystander.communicate()
        listeners.end()
        os.close(reader)
        Path("/dev/shm", tag).unlink(missing_ok=True)
        _libc.shmctl(facts["segment"], 0, None)
        _libc.mq_unlink(f"/{tag}".encode())
