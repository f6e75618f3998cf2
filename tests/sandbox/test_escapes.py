"""What a tester got through to from inside a run, and does not get through to any more, at any level."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox import attend
from sandbox.base import SandboxError
from sandbox.local import LocalSandbox
from sandbox.probe import Level, try_level
from tests.sandbox.host import PROJECT
from tests.sandbox.scenes import PATIENT, play

REFUSED = """
import array, ctypes, fcntl, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
ours, theirs = socket.socketpair()
folder = os.open("inputs", os.O_RDONLY)
table = os.open("inputs/a.csv", os.O_RDONLY)
name = struct.pack("=H", 1) + b"inputs/nobody\\0"
step = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000))
head = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", 1, ctypes.addressof(step)))

def made(answer):
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")

ATTACKS = {
    "passing a descriptor": lambda: socket.send_fds(ours, [b"x"], [0]),
    "passing a message": lambda: ours.sendmsg([b"x"]),
    "connecting": lambda: made(libc.connect(ours.fileno(), name, len(name))),
    "sending to an address": lambda: made(libc.sendto(ours.fileno(), b"x", 1, 0, name, len(name))),
    "a large send buffer": lambda: ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096),
    "a large receive buffer": lambda: ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),
    "a lease": lambda: fcntl.fcntl(table, fcntl.F_SETLEASE, fcntl.F_RDLCK),
    "watching a folder": lambda: fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS),
    "a filter of its own": lambda: made(libc.prctl(22, 2, head)),
    "a claim to a core": lambda: made(libc.prctl(62, 1, 0, 0, 0)),
}
for attack, attempt in ATTACKS.items():
    try:
        attempt()
        print("GOT IN:", attack)
    except PermissionError:
        pass
    except OSError as problem:
        print(attack, problem)
ours.send(b"still"), print(theirs.recv(9).decode())
"""
QUEUE = """
import ctypes, os, resource, signal, struct
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
content = ctypes.create_string_buffer(struct.pack("=iiiiQ", 40, 0, -1, 0, 0) + bytes(112))
number = {"x86_64": 129, "aarch64": 138}[os.uname().machine]
queued = 0
while queued < 5000 and ctypes.CDLL(None).syscall(number, os.getpid(), 40, content) == 0:
    queued += 1
print(queued <= 1024, resource.getrlimit(resource.RLIMIT_NOFILE))
"""
TOUCH = """
import os
from pathlib import Path
before = os.stat("/dev/null").st_mtime_ns
try:
    os.utime("/dev/null")
except OSError:
    pass
print(os.stat("/dev/null").st_mtime_ns == before)
written = os.write(os.open("/dev/null", os.O_WRONLY), b"x")
print(written, open("/dev/zero", "rb").read(2), open("/dev/null").read() == "")
Path("outputs/own").touch()
os.utime("outputs/own", (1, 1))
print(os.stat("outputs/own").st_mtime)
"""
WORKERS = """
import asyncio, concurrent.futures, multiprocessing
from joblib import Parallel, delayed

def double(n):
    return 2 * n

async def sleep():
    await asyncio.sleep(0)
    process = await asyncio.create_subprocess_exec("/usr/bin/true")
    return await process.wait()

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(double, [1, 2]))
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        print(list(pool.map(double, [1, 2])))
    print(Parallel(2, prefer="processes")(delayed(abs)(n) for n in (-2, -4)), asyncio.run(sleep()))
"""
CONNECTED = """
import multiprocessing

if __name__ == "__main__":
    for name, begin in {
        "Manager": lambda: multiprocessing.Manager().dict(),
        "forkserver": lambda: multiprocessing.get_context("forkserver").Pool(1),
    }.items():
        try:
            begin()
        except PermissionError:
            print(name, "refused")
"""
HALF = "print('never')\nx = '\ud800'\n"


def _level(level: Level) -> LocalSandbox:
    found = try_level(level)
    if found.level == "none":
        pytest.skip(f"this machine has no level {level!r}: {found.reason}")
    return LocalSandbox(found, ready=0)


@pytest.fixture(params=["full", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bubblewrap", "reduced"))])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[LocalSandbox]:
    """A sandbox of each level."""
    local = _level(request.param)
    yield local
    await local.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_a_script_cannot_starve_or_reach_the_host_by_system_calls(place: LocalSandbox, folder: Path) -> None:
    (folder / "a.csv").write_text("a\n1\n")
    played = await play(place, REFUSED, inputs={"a.csv": folder / "a.csv"})
    assert played.stdout == "still\n", played.stderr


async def test_signals_and_open_files_are_few(place: LocalSandbox) -> None:
    assert (await play(place, QUEUE)).stdout == "True (256, 256)\n"


async def test_a_device_keeps_its_times_and_the_scripts_own_files_change_theirs(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, TOUCH, outputs=None)
    assert played.stdout == "True\n1 b'\\x00\\x00' True\n1.0\n", played.stderr


async def test_workers_need_nothing_of_what_is_refused(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, WORKERS, limits=PATIENT)
    assert played.stdout == "[2, 4]\n[2, 4]\n[2, 4] 0\n", played.stderr


async def test_what_connects_its_processes_by_name_fails_at_once_and_says_why(sandbox: LocalSandbox) -> None:
    """The price of refusing `connect` and descriptors in messages; docs/sandbox.md names it."""
    assert (await play(sandbox, CONNECTED)).stdout == "Manager refused\nforkserver refused\n"


@pytest.mark.parametrize("kind", ["a socket", "a named pipe"])
async def test_a_folder_with_a_way_out_is_not_an_input(place: LocalSandbox, folder: Path, kind: str) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        (folder / "deep").mkdir()
        agent.bind(str(folder / "deep/odd")) if kind == "a socket" else os.mkfifo(folder / "deep/odd")
        with pytest.raises(SandboxError, match=f"^inputs/d/deep/odd is {kind}"):
            await play(place, "print('ran')", inputs={"d": folder})


async def test_half_a_character_is_an_error_of_the_script(place: LocalSandbox) -> None:
    played = await play(place, HALF)
    assert played.outcome.kind == "error"
    assert "SyntaxError: (unicode error)" in played.stderr
    assert played.stdout == ""


@pytest.mark.parametrize("level", ["full", "bubblewrap", "reduced"])
def test_a_private_umask_takes_no_level_away(level: Level) -> None:
    """As root, folders on the way would be shut for the user that a script is."""
    usual = try_level(level)
    if usual.level == "none":
        pytest.skip(usual.reason)
    program = f"import os; os.umask(0o077); from sandbox.probe import try_level; print(try_level({level!r}).level)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{level}\n", done.stderr


def test_a_descriptor_that_cannot_be_passed_is_not_lost_in_silence() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        with pytest.raises(OSError, match="Bad file descriptor"):
            attend.tell(ours, "outputs", (10**6,))
        theirs.close()
        attend.tell(ours, "outputs", (0,))  # nobody listens any more: no error
