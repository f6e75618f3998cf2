"""Process 1 of a container or of a rented machine: starts one script, keeps its limits, tells how it ended.

It speaks frames with the application over its own stdin and stdout: one byte of kind, four bytes of length
(big-endian), content. With `--text` each frame leaves as a line of base64, for channels that carry text only.

    in    r request (JSON)   i input for the script   k stop the script
    out   s it has begun     o, e what it wrote       x how it ended (JSON)   b the sandbox failed (words)
          f a file of outputs/ follows (JSON: name, bytes)    d some of it
          z that was all (JSON: what was left behind)

A script cannot reach this process: as process 1 it takes no signal from inside, its memory and descriptors are closed
to others, and the script holds pipes of its own. When the application goes, stdin ends, and so does everything here.
Only the standard library and a few modules beside it: it travels as one file (sandbox/image/bundle.py).
"""

import argparse
import base64
import contextlib
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from sandbox import kernel, seccomp
from sandbox.image.apart import UID, enter_namespaces, map_user
from sandbox.watch import EVERY, Meter

_MB = 2**20
_CHUNK = 65536
_HEAD = struct.Struct(">cI")
_MOMENT = 0.01
_GRACE = 1.0
"""Seconds from the first polite signal (SIGINT) to the end."""
_LIBRARIES_MB, _STACKS_MB = 640, 128
"""Address space that numeric libraries and threads reserve without using it."""
_MAX_FILES, _MAX_DEPTH, _MAX_PATH = 1000, 32, 2000
"""As where the application takes files itself (sandbox/artifacts.py)."""
_MOST_TOLD = 20
_OPEN_FILES = 1024
_YEARS = 2**30
_OWN_TASKS = 5
"""This process and its threads, where they have the script's user id."""
_COUNTERS = {
    "oom_kills": ("oom_kill", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"),
    "refused_tasks": ("max", "/sys/fs/cgroup/pids.events", "/sys/fs/cgroup/pids/pids.events"),
}


class Channel:
    """Frames with the application; writing is safe from several threads."""

    def __init__(self, source: int, sink: int, *, text: bool) -> None:
        self._source, self._sink, self._text = source, sink, text
        self._lock = threading.Lock()

    def send(self, kind: str, content: bytes = b"") -> None:
        """Write one frame; nobody listening means that we are about to be ended."""
        frame = _HEAD.pack(kind.encode(), len(content)) + content
        data = memoryview(base64.b64encode(frame) + b"\n" if self._text else frame)
        with self._lock, contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._sink, data) :]

    def tell(self, kind: str, **facts: Any) -> None:
        """Write one frame of JSON."""
        self.send(kind, json.dumps(facts).encode())

    def receive(self) -> tuple[str, bytes]:
        """The next frame; ("", b"") when the application has gone."""
        head = self._exactly(_HEAD.size)
        if len(head) < _HEAD.size:
            return "", b""
        kind, length = _HEAD.unpack(head)
        content = self._exactly(length)
        return (kind.decode(), content) if len(content) == length else ("", b"")

    def _exactly(self, length: int) -> bytes:
        parts = []
        while length and (part := os.read(self._source, min(length, _CHUNK))):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class Keeper:
    """One script, from its start to its last file."""

    def __init__(self, channel: Channel, request: dict[str, Any]) -> None:
        self._channel, self._request = channel, request
        self._limits: dict[str, Any] = request["limits"]
        self._stays = bool(request["stays"])
        self._output_left = _YEARS * _MB if self._stays else self._limits["output_mb"] * _MB
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped: str | None = None
        self._oom_kills = 0

    def run(self) -> None:
        """Everything; returns when there is nothing more to say."""
        before = {name: _counter(*places) for name, places in _COUNTERS.items()}
        self._oom_kills = before["oom_kills"]
        child, stdin, pumps = self._begin()
        threading.Thread(target=self._obey, args=(stdin,), daemon=True).start()
        began = time.monotonic()
        seconds = float(_YEARS) if self._stays else self._limits["seconds"]
        meter = Meter(memory_mb=self._limits["memory_mb"], cpu_seconds=_cpu_seconds(self._limits, seconds) + 1)
        why, code = self._wait(child, meter, began + seconds)
        ended = time.monotonic()
        late = _end_all(child)
        code = late if code is None else code
        for pump in pumps:
            pump.join()
        self._channel.tell(
            "x",
            why=why,
            code=code,
            seconds=ended - began,
            cpu_seconds=meter.cpu_seconds(),
            peak_mb=meter.highest_mb(),
            tasks=meter.most_tasks,
            **{name: _counter(*places) - before[name] for name, places in _COUNTERS.items()},
        )
        left: list[tuple[str, str]] = []
        if self._request["collect"]:
            self._send_files(left)
        self._channel.tell("z", left_behind=left[:_MOST_TOLD], more=max(len(left) - _MOST_TOLD, 0))

    def _begin(self) -> tuple[int, int, list[threading.Thread]]:
        """Start the script: its process, our end of its stdin, the threads that pass on what it writes."""
        (in_r, in_w), (out_r, out_w), (err_r, err_w), (go_r, go_w) = (os.pipe() for _ in range(4))
        child = os.fork()
        if child == 0:
            _become_script(self._request, (in_r, out_w, err_w), go_w)
        for fd in (in_r, out_w, err_w, go_w):
            os.close(fd)
        if problem := os.read(go_r, _CHUNK):
            raise RuntimeError(problem.decode(errors="replace"))
        os.close(go_r)
        if not self._stays:
            os.close(in_w)
        self._channel.send("s")
        pumps = [threading.Thread(target=self._pump, args=pair) for pair in ((out_r, "o"), (err_r, "e"))]
        for pump in pumps:
            pump.start()
        return child, in_w, pumps

    def _pump(self, fd: int, kind: str) -> None:
        while data := _read_lines(fd, _CHUNK, patient=not self._stays):
            with self._lock:
                allowed = data[: self._output_left]
                over = len(data) > self._output_left
                self._output_left -= len(allowed)
            if allowed:
                self._channel.send(kind, allowed)
            if over:
                self._stop("output_limit")
        os.close(fd)
        self._wake.set()

    def _obey(self, stdin: int) -> None:
        """What the application asks for while the script runs."""
        while True:
            kind, content = self._channel.receive()
            if kind == "i":
                with contextlib.suppress(OSError):  # the script does not listen any more
                    _write(stdin, content)
            elif kind == "k":
                self._stop("killed")
            elif kind == "":
                self._stop("left")
                return

    def _stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason
        self._wake.set()

    def _wait(self, child: int, meter: Meter, deadline: float) -> tuple[str, int | None]:
        """("exit", wait status) or the name of what ended it."""
        polite = [(deadline, signal.SIGINT), (deadline + _GRACE / 2, signal.SIGTERM)]
        while True:
            self._wake.wait(EVERY)
            self._wake.clear()
            ended, code = os.waitpid(child, os.WNOHANG)
            now = time.monotonic()
            if ended and not self._stopped:
                return ("exit" if now < deadline else "timeout"), code
            if ended or self._stopped:
                return self._stopped or "exit", code if ended else None
            if now >= deadline + _GRACE:
                return "timeout", None
            if polite and now >= polite[0][0]:
                os.kill(child, polite.pop(0)[1])
            if broken := meter.sample():
                return broken, None
            if _counter(*_COUNTERS["oom_kills"]) > self._oom_kills:
                return "memory", None  # a tree in which the kernel had to kill is not worth going on with
            _reap_orphans(child)

    def _send_files(self, left_behind: list[tuple[str, str]]) -> None:
        for number, (path, name, size) in enumerate(_files("outputs", "", 0, left_behind)):
            if number > _MAX_FILES:
                return
            try:
                reader = _reader(path)
            except PermissionError:  # made unreadable by the script: its loss
                left_behind.append((name, "it cannot be read"))
                continue
            with reader:
                self._channel.tell("f", name=name, bytes=size)
                left = size
                while left and (chunk := reader.read(min(_CHUNK, left))):
                    self._channel.send("d", chunk)
                    left -= len(chunk)


def _read_lines(fd: int, most: int, *, patient: bool) -> bytes:
    """What is there; the rest of a line is waited for a moment, because unbuffered text comes in crumbs."""
    data = os.read(fd, most)
    while patient and data and not data.endswith(b"\n") and len(data) < most:
        if not select.select([fd], [], [], _MOMENT)[0] or not (more := os.read(fd, most - len(data))):
            break
        data += more
    return data


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _reader(path: str) -> Any:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _files(folder: str, prefix: str, depth: int, left_behind: list[tuple[str, str]]) -> Iterator[tuple[str, str, int]]:
    """(path, name, bytes) of the regular files below a folder; the name of what else is there, and why it stays."""
    with contextlib.suppress(PermissionError):  # the script may have shut it; its processes are dead
        os.chmod(folder, 0o700)  # noqa: PTH101  a foreign machine's Python, kept simple
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208
    except PermissionError:
        left_behind.append((prefix or "outputs", "it cannot be read"))
        return
    for entry in entries:
        path, name = f"{folder}/{entry}", f"{prefix}{entry}"
        about = os.stat(path, follow_symlinks=False)  # noqa: PTH116
        if reason := _reason_to_leave(about, name, depth):
            left_behind.append((name, reason))
        elif stat.S_ISDIR(about.st_mode):
            yield from _files(path, f"{name}/", depth + 1, left_behind)
        else:
            yield path, name, about.st_size


def _reason_to_leave(about: os.stat_result, name: str, depth: int) -> str | None:
    if stat.S_ISLNK(about.st_mode):
        return "a link"
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        return "neither a file nor a folder"
    if len(os.fsencode(name)) > _MAX_PATH or (stat.S_ISDIR(about.st_mode) and depth >= _MAX_DEPTH):
        return "too deep"
    return None


def _counter(key: str, *places: str) -> int:
    for place in places:
        with contextlib.suppress(OSError), open(place) as lines:  # noqa: PTH123
            for line in lines:
                name, _, value = line.partition(" ")
                if name == key:
                    return int(value)
    return 0


def _reap_orphans(child: int) -> None:
    """Process 1 inherits the dead of the whole run."""
    while True:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None or found.si_pid in (0, child):
            return
        os.waitpid(found.si_pid, 0)


def _end_all(child: int) -> int | None:
    """Kill whatever is left in this process namespace; the script's wait status if it is known only now."""
    assert os.getpid() == 1, "only process 1 may kill all others"
    status: int | None = None
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            pid, code = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        status = code if pid == child else status


def _become_script(request: dict[str, Any], stdio: tuple[int, int, int], going: int) -> NoReturn:
    """Lock in and turn into the script's interpreter; what goes wrong before that is told on `going`."""
    try:
        os.setpgid(0, 0)
        for target, source in enumerate(stdio):
            os.dup2(source, target)
        if not request["stays"]:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        kernel.close_all_but({0, 1, 2, going})
        os.set_inheritable(going, False)
        _drop_rank()
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
            score.write("1000")
        _set_limits(request)  # after it: a limit counts the tasks of the user namespace in which it is set
        environment = {"PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin"}  # noqa: PTH120
        environment.update(request["environment"])
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.lock(seccomp.program())
        os.execve(sys.executable, [sys.executable, "script.py"], environment)
    except BaseException as problem:  # nothing of the script has run: the application hears of a broken sandbox
        os.write(going, kernel.in_words(problem).encode()[:2000])
        os._exit(1)


def _drop_rank() -> None:
    """No user of the machine, no capability, nothing to be gained from a setuid program."""
    was_root = os.getuid() == 0
    if was_root:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else the files of /proc/self are not ours
    if was_root:
        kernel.unshare(kernel.CLONE_NEWUSER)  # its tasks are then counted apart from everybody else's
        map_user(UID, UID)


def _cpu_seconds(limits: dict[str, Any], seconds: float) -> float:
    """Processor time that a run of so many seconds may use."""
    return float(limits["cpu_seconds"] or limits["cpus"] * seconds)


def _set_limits(request: dict[str, Any]) -> None:
    limits = request["limits"]
    cpu = _YEARS if request["stays"] else int(_cpu_seconds(limits, limits["seconds"])) + 3
    wanted = {
        resource.RLIMIT_DATA: (limits["memory_mb"] + _LIBRARIES_MB + _STACKS_MB) * _MB,
        resource.RLIMIT_FSIZE: max(limits["written_mb"], limits["memory_mb"] // 2) * _MB,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_STACK: 8 * _MB,
        resource.RLIMIT_CORE: 0,
    }
    if request["own_users"]:
        wanted[resource.RLIMIT_NPROC] = limits["processes"] + _OWN_TASKS
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        kept = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (kept, kept))


def main(arguments: list[str]) -> None:
    """Read the request, run the script, leave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--own-namespaces", action="store_true")
    options = parser.parse_args(arguments)
    channel = Channel(0, 1, text=options.text)
    try:
        os.chdir(options.folder)
        _, content = channel.receive()
        request = json.loads(content)
        request["own_users"] = options.own_namespaces
        if options.own_namespaces:
            enter_namespaces(request)
        if os.getpid() != 1:
            raise RuntimeError("the keeper is not process 1 of a namespace of its own")
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        Keeper(channel, request).run()
    except Exception as problem:  # whatever it is, the application must hear of it
        channel.send("b", kernel.in_words(problem).encode())
        os._exit(1)
    os._exit(0)  # a thread still listens
