"""Scripts that use up what there is, or end as badly as they can, each with the outcomes that are right for it."""

from dataclasses import dataclass, replace

from sandbox.base import Limits, OutcomeKind
from sandbox.probe import Level

BRIEF = Limits(cpus=2, memory_mb=256, seconds=1, processes=24, written_mb=16, output_mb=1)
PATIENT = replace(BRIEF, seconds=120)
"""For bombs whose own limit must come first."""


@dataclass(frozen=True)
class Bomb:
    """`text` must end in one of `kinds`; more than one only where the kernel may meet either limit first."""

    text: str
    kinds: tuple[OutcomeKind, ...]
    limits: Limits = PATIENT


def _ends(text: str, *kinds: OutcomeKind, limits: Limits = PATIENT) -> Bomb:
    return Bomb(text, kinds, limits)


_BIG_FILES = """
import tempfile
from pathlib import Path
for i in range(300): Path({}, f"mwbomb-{{i}}").write_bytes(bytes(1_000_000))
"""
_HOGS = """
import os, time
for _ in range(12):
    if os.fork() == 0:
        x = bytearray(60_000_000); time.sleep(120)
time.sleep(120)
"""
_SHARED = """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 2**24))
    kept[-1][::4096] = bytes(2**12)
"""
_SHARED_BY_MANY = """
import mmap, os, time
for _ in range(8):
    if os.fork() == 0:
        kept = mmap.mmap(-1, 2**26)
        kept[::4096] = bytes(2**14)
        time.sleep(120)
time.sleep(120)
"""
_SEGMENTS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
while True:
    if libc.shmget(0, 2**26, 0o1600) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
_MAPPED = """
import mmap
for name in "ab":
    f = open("outputs/" + name, "w+b"); f.truncate(2**24)
    m = mmap.mmap(f.fileno(), 0)
    for i in range(0, len(m), 4096): m[i] = 1
"""
_DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd) if {closing} else None
        time.sleep(600)
    os._exit(0)
"""
_HELD_BY_PROGRAM = """
import subprocess
subprocess.Popen(["sleep", "600"], start_new_session=True)
"""
_BUSY_FAMILY = """
import os
for _ in range(6): os.fork()
while True: pass
"""
_FLOOD_OF_BOTH = """
import os, threading
def flood(fd):
    while True: os.write(fd, b"x" * 10000)
threading.Thread(target=flood, args=(1,)).start()
flood(2)
"""
_DEAF = """
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
while True: time.sleep(1)
"""
_STUBBORN = """
import time
while True:
    try:
        while True: time.sleep(0.01)
    except BaseException: pass
"""
_DEEP = """
import sys
sys.setrecursionlimit(10**9)
x = []
for _ in range(100_000): x = [x]
repr(x)
"""
_KILLS = """
import os
for target in {targets}:
    try: os.kill(target, 9)
    except OSError: pass
"""
_ZIP = """
import io, zipfile
with zipfile.ZipFile("outputs/bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
    with z.open("zeros", "w", force_zip64=True) as f:
        for _ in range(100): f.write(bytes(10**6))
"""
_TABLE = """
import pyarrow as pa, pyarrow.parquet as pq
column = pa.DictionaryArray.from_arrays(pa.array([0] * 10**6, pa.int32()), ["x" * 10**5])
pq.write_table(pa.table({"x": column}), "outputs/predictions.parquet", compression="zstd")
"""
_REMOVES = """
import os, shutil
for folder in ("inputs", "outputs", "/tmp", "/dev/shm", os.getcwd()): shutil.rmtree(folder, ignore_errors=True)
"""
_ZOMBIES = """
import os
for _ in range(200):
    try:
        if os.fork() == 0: os._exit(0)
    except BlockingIOError:
        os.wait()
"""
_CLOSED = """
import os
for fd in range(3): os.close(fd)
"""

BOMBS = {
    "an array": _ends("import numpy as np\nx = np.ones(2**30)", "memory"),
    "small objects": _ends("x = []\nwhile True: x.append(bytearray(1000))", "memory"),
    "a text that doubles": _ends("s = 'x'\nwhile True: s += s", "memory"),
    "a number that grows": _ends(
        "x = 3\nwhile True: x = x * x << 2**20", "memory", "timeout", limits=replace(PATIENT, seconds=3)
    ),
    "a family of hogs": _ends(_HOGS, "memory"),
    "shared pages": _ends(_SHARED, "memory"),
    "shared pages of many": _ends(_SHARED_BY_MANY, "memory"),
    "files in memory": _ends("import os\nwhile True: os.write(os.memfd_create('x'), bytes(2**24))", "error"),
    "segments of shared memory": _ends(_SEGMENTS, "error"),
    "files in /dev/shm": _ends(_BIG_FILES.format("'/dev/shm'"), "disk_quota", "memory"),
    "temporary files": _ends(_BIG_FILES.format("tempfile.gettempdir()"), "disk_quota", "memory"),
    "one file": _ends("f = open('outputs/x', 'wb')\nwhile True: f.write(bytes(1_000_000))", "disk_quota", "file_size"),
    "one file that is too large": _ends(
        "f = open('outputs/x', 'wb')\nwhile True: f.write(bytes(1_000_000))",
        "file_size",
        "disk_quota",
        limits=replace(PATIENT, memory_mb=16, written_mb=32),
    ),
    "many files": _ends(_BIG_FILES.format("'outputs'"), "disk_quota"),
    "empty files": _ends("for i in range(9999): open(f'outputs/{i}', 'w').close()", "disk_quota"),
    "folders": _ends("import os\nfor i in range(9999): os.mkdir(f'outputs/{i}')", "disk_quota"),
    "a hole of a terabyte": _ends("open('outputs/x', 'wb').truncate(2**40)", "file_size"),
    "holes": _ends("for i in range(9): open(f'outputs/{i}', 'wb').truncate(2**23)", "disk_quota"),
    "a mapped file": _ends(_MAPPED, "disk_quota"),
    "forks": _ends(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "pids", limits=replace(BRIEF, seconds=5)
    ),
    "threads": _ends(
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        "pids",
    ),
    "zombies": _ends(_ZOMBIES, "ok"),
    "descriptors": _ends("kept = []\nwhile True: kept.append(open('/dev/null'))", "error"),
    "pipes that are full": _ends(
        "import os\nwhile True:\n    r, w = os.pipe(); os.set_blocking(w, False); os.write(w, bytes(65536))", "error"
    ),
    "a flood": _ends("while True: print('x' * 1000)", "output_limit"),
    "a flood of errors": _ends("import sys\nwhile True: sys.stderr.write('x' * 1000)", "output_limit"),
    "a flood without a line": _ends("import os\nwhile True: os.write(1, b'@@' + b'x' * 10000)", "output_limit"),
    "a flood of metrics": _ends("while True: print('@@{\"a\": 1}')", "output_limit"),
    "a flood on both": _ends(_FLOOD_OF_BOTH, "output_limit"),
    "a flood by another program": _ends("import os; os.execv('/usr/bin/yes', ['yes'])", "output_limit"),
    "a traceback without end": _ends("raise ValueError('x' * 10**7)", "output_limit"),
    "a loop": _ends("while True: pass", "timeout", "cpu", limits=BRIEF),
    "a sleep": _ends("import time; time.sleep(60)", "timeout", limits=BRIEF),
    "a loop in C": _ends("sum(range(10**12))", "timeout", "cpu", limits=BRIEF),
    "an expression that never matches": _ends(
        "import re; re.match('(a+)+$', 'a' * 60 + 'b')", "timeout", "cpu", limits=BRIEF
    ),
    "deaf to every signal": _ends(_DEAF, "timeout", limits=BRIEF),
    "a program that catches all": _ends(_STUBBORN, "timeout", limits=BRIEF),
    "another program that sleeps": _ends(
        "import os; os.execv('/usr/bin/sleep', ['sleep', '60'])", "timeout", limits=BRIEF
    ),
    "a script that stops itself": _ends("import os; os.kill(os.getpid(), 19)", "timeout", limits=BRIEF),
    "a busy family": _ends(_BUSY_FAMILY, "cpu", "timeout", "pids", limits=replace(BRIEF, cpus=0.5, processes=80)),
    "a daemon": _ends(_DAEMON.format(closing=True), "ok"),
    "a daemon that holds the output": _ends(_DAEMON.format(closing=False), "ok"),
    "a program that holds the output": _ends(_HELD_BY_PROGRAM, "ok"),
    "the end in mid-sentence": _ends("import os\nos.write(1, b'x' * 50000); os._exit(7)", "error"),
    "no output to write to": _ends(_CLOSED, "ok"),
    "a wild pointer": _ends("import ctypes; ctypes.string_at(0)", "signal"),
    "an abort": _ends("import os; os.abort()", "signal"),
    "an alarm": _ends("import signal; signal.alarm(1); signal.pause()", "signal"),
    "a sudden end": _ends("import os; os._exit(5)", "error"),
    "a function that calls itself": _ends("def f(): f()\nf()", "error"),
    "a stack that overflows": _ends(_DEEP, "signal", "error", "memory"),
    "killing everyone": _ends(_KILLS.format(targets="(-1,)"), "ok", "signal"),
    "killing its watchers": _ends(_KILLS.format(targets="(1, os.getppid() or 1)"), "ok"),
    "killing its group": _ends(_KILLS.format(targets="(0,)"), "ok", "signal"),
    "removing all": _ends(_REMOVES, "ok"),
    "a bomb in a zip file": _ends(_ZIP, "ok"),
    "a bomb in a table": _ends(_TABLE, "ok"),
}

_WITHOUT_NAMESPACES: dict[str, tuple[OutcomeKind, ...]] = {
    "files in /dev/shm": ("error",),  # it may write nowhere but to its own folders
    "zombies": ("ok", "pids"),  # an ordinary user's limit of processes is the user's, so the watcher counts
}
DIFFERENT: dict[Level, dict[str, tuple[OutcomeKind, ...]]] = {
    "full": {}, "bubblewrap": {}, "reduced": _WITHOUT_NAMESPACES, "none": {},
}  # fmt: skip
"""Where a level has other means, and so another outcome is right."""


def kinds_at(level: Level, name: str) -> tuple[OutcomeKind, ...]:
    """The outcomes that are right for a bomb at a level."""
    return DIFFERENT[level].get(name, BOMBS[name].kinds)
