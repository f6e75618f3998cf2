"""What the watch of a run sees where no control group counts: memory, processor time and disk that try to hide."""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.quota import Quota, TreeMeter

PROJECT = Path(__file__).resolve().parents[2]

SHARED = """
import mmap, time
held = []
for _ in range(6):
    held.append(mmap.mmap(-1, 64 * 2**20))
    for at in range(0, 64 * 2**20, 2**20):
        held[-1][at:at + 2**20] = b"x" * 2**20
    held[-1].madvise(mmap.MADV_DONTNEED)
time.sleep(3)
print("held", flush=True)
"""
SHARED_AND_SHUT = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" + SHARED
LEADER = """
import ctypes, os, threading, time
def hold():
    time.sleep(0.1)
    block = bytearray(170 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(3)
    os.write(1, b"held\\n")
    os._exit(0)
for _ in range(2):
    if os.fork() == 0:
        threading.Thread(target=hold).start()
        ctypes.CDLL(None).syscall(SYS_EXIT, 0)
time.sleep(4)
""".replace("SYS_EXIT", "93" if os.uname().machine == "aarch64" else "60")
UNREADABLE = """
import os, subprocess, tempfile
program = os.path.join(tempfile.gettempdir(), "p")
with open("/usr/bin/perl", "rb") as source, open(os.open(program, os.O_CREAT | os.O_WRONLY, 0o111), "wb") as target:
    target.write(source.read())
started = [subprocess.Popen([program, "-e", '$x = "a" x 150e6; sleep 3; print "held\\\\n"']) for _ in range(3)]
[each.wait() for each in started]
"""
UNCOUNTED = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.monotonic() + 15
while time.monotonic() < end:
    if os.fork() == 0:
        done = time.process_time() + 0.3
        while time.process_time() < done:
            pass
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass
print("held", flush=True)
"""
WAITED_FOR = UNCOUNTED.replace("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "").replace("+ 15", "+ 1")
ODD_NAME = """
import mmap, os, time
os.makedirs("outputs/a /dev", exist_ok=True)
held = []
for _ in range(6):
    with open("outputs/a /dev/zero", "w+b") as file:
        file.write(bytes(8 * 2**20))
        file.flush()
        held.append(mmap.mmap(file.fileno(), 0))
    os.unlink("outputs/a /dev/zero")
time.sleep(2)
print("held", flush=True)
"""
LAST_THREAD = """
import ctypes, os, threading, time
def hold():
    time.sleep(0.1)
    for _ in range(6):
        file = os.open("outputs/f", os.O_RDWR | os.O_CREAT)
        os.unlink("outputs/f")
        os.write(file, bytes(8 * 2**20))
    time.sleep(2)
    os.write(1, b"held\\n")
    os._exit(0)
threading.Thread(target=hold).start()
ctypes.CDLL(None).syscall(SYS_EXIT, 0)
""".replace("SYS_EXIT", "93" if os.uname().machine == "aarch64" else "60")

MEMORY = {"shared": SHARED, "shared and shut": SHARED_AND_SHUT, "leader": LEADER, "unreadable": UNREADABLE}
DISK = {"odd name": ODD_NAME, "last thread": LAST_THREAD}


def watched(script: str, memory_mb: int = 200, cpu_seconds: float = 60.0) -> tuple[str | None, TreeMeter]:
    """What the watch says of a script that runs as a child of ours, without a sandbox."""
    with tempfile.TemporaryDirectory() as place:
        outputs = Path(place, "outputs")
        outputs.mkdir()
        meter = TreeMeter(Quota({str(outputs): 32}, 60), lambda _: (0, 0), memory_mb=memory_mb, cpu_seconds=cpu_seconds)
        command = [sys.executable, "-I", "-c", script]
        with subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, env={"TMPDIR": place}) as child:
            try:
                return _first_broken(meter, child), meter
            finally:
                for pid in meter.pids():
                    if pid != str(child.pid):
                        with contextlib.suppress(ProcessLookupError):  # it has just ended
                            os.kill(int(pid), 9)
                child.kill()


def _first_broken(meter: TreeMeter, child: "subprocess.Popen[bytes]") -> str | None:
    while child.poll() is None:
        if broken := meter.sample():
            return broken
        time.sleep(0.05)
    return None


@pytest.mark.parametrize("name", MEMORY)
def test_memory_is_found_where_it_hides(name: str) -> None:
    broken, _ = watched(MEMORY[name], cpu_seconds=math.inf)  # other children of this process use some too
    assert broken == "memory"


@pytest.mark.parametrize("name", DISK)
def test_removed_files_are_found_where_they_hide(name: str) -> None:
    broken, _ = watched(DISK[name])
    assert broken == "disk_quota"


def test_time_of_children_that_nobody_waits_for_counts() -> None:
    broken, _ = watched(UNCOUNTED, cpu_seconds=1.0)
    assert broken == "cpu"


@pytest.mark.slow  # children of earlier tests that are reaped meanwhile would count too
def test_time_of_children_that_are_waited_for_counts_once() -> None:
    broken, meter = watched(WAITED_FOR)
    assert broken is None
    assert 0.2 < meter.cpu_seconds() < 2.2  # one after the other for a second and a bit


def test_small_shared_memory_is_nothing_bad() -> None:
    script = "import mmap, time; m = mmap.mmap(-1, 2**26); m[0] = 1; time.sleep(0.3)"
    assert watched(script, memory_mb=512)[0] is None


_IN_A_SANDBOX = """
    import asyncio, json, sys
    from pathlib import Path
    from sandbox.base import Job, Limits, Outcome, Output
    from sandbox.choose import open_sandbox
    from tests.sandbox.test_meter import MEMORY, DISK, UNCOUNTED

    async def run(sandbox, script, **limits):
        said, outcome = "", None
        job = Job("a", script, limits=Limits(**({"memory_mb": 200, "written_mb": 32, "seconds": 20} | limits)))
        async for event in sandbox.run(job):
            if isinstance(event, Output):
                said += event.text
            elif isinstance(event, Outcome):
                outcome = event
        return outcome.kind, outcome.peak_memory_mb, "held" in said

    async def main(level):
        sandbox = open_sandbox(level)
        found = {name: await run(sandbox, script) for name, script in MEMORY.items()}
        found["uncounted"] = await run(sandbox, UNCOUNTED, cpu_seconds=1)
        if level == "reduced":
            found |= {name: await run(sandbox, script) for name, script in DISK.items()}
        found["short"] = await run(sandbox, "print(1)")
        await sandbox.close()
        print(json.dumps(found))

    asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("level", ["full", "reduced"])
def test_nothing_hides_from_the_limits_of_an_ordinary_user(level: str) -> None:
    around = ["-m", "tests.sandbox.as_user"] if os.geteuid() == 0 else []
    command = [sys.executable, *around, "-c", f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"]
    command[-1] += dedent(_IN_A_SANDBOX)
    done = subprocess.run([*command, level], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    kinds = {name: kind for name, (kind, _, _) in found.items()}
    _, short_mb, _ = found.pop("short")
    assert 1 < short_mb <= 200
    assert kinds.pop("short") == "ok"
    assert {kinds[name] for name in MEMORY} == {"memory"}, kinds
    assert kinds["uncounted"] == "cpu", kinds
    assert level == "full" or {kinds[name] for name in DISK} == {"disk_quota"}, kinds
    assert not any(held for _, _, held in found.values())
