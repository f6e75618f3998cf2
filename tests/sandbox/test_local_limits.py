"""Every way to end is told by its kind, with a sentence, and nothing is left running."""

import asyncio
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.base import Limits
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import SMALL, play

BRIEF = Limits(cpus=2, memory_mb=512, seconds=1, processes=24, written_mb=16, output_mb=1)

BOMBS = {
    "array": ("import numpy as np\nx = np.ones(2**30)", "memory"),
    "small objects": ("x = []\nwhile True: x.append(bytearray(1000))", "memory"),
    "doubling text": ("s = 'x'\nwhile True: s += s", "memory"),
    "a family of hogs": (
        "import os, time\nfor _ in range(12):\n    if os.fork() == 0:\n"
        "        x = bytearray(90_000_000); time.sleep(30)\ntime.sleep(30)",
        "memory",
    ),
    "shared memory": ("f = open('/dev/shm/x', 'wb')\nwhile True: f.write(bytes(1_000_000))", "file_size"),
    "shared memory, many files": (
        "from pathlib import Path\nfor i in range(2000): Path(f'/dev/shm/{i}').write_bytes(bytes(1_000_000))",
        "disk_quota",
    ),
    "fork bomb": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "pids"),
    "thread bomb": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
        "pids",
    ),
    "big file": ("f = open('outputs/x', 'wb')\nwhile True: f.write(bytes(1_000_000))", "disk_quota"),
    "many big files": (
        "from pathlib import Path\nfor i in range(100): Path(f'outputs/{i}').write_bytes(bytes(1_000_000))",
        "disk_quota",
    ),
    "many empty files": ("from pathlib import Path\nfor i in range(9999): Path(f'outputs/{i}').touch()", "disk_quota"),
    "flood of stdout": ("while True: print('x' * 1000)", "output_limit"),
    "flood of stderr": ("import sys\nwhile True: sys.stderr.write('x' * 1000)", "output_limit"),
    "flood without a line": ("import os\nwhile True: os.write(1, b'@@' + b'x' * 10000)", "output_limit"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "signal"),
    "abort": ("import os; os.abort()", "signal"),
    "killed by itself": ("import os; os.kill(os.getpid(), 9)", "signal"),
    "map beyond the quota": (
        "import mmap\nfor name in 'ab':\n    f = open('outputs/' + name, 'w+b'); f.truncate(2**24)\n"
        "    m = mmap.mmap(f.fileno(), 0)\n    for i in range(0, len(m), 4096): m[i] = 1",
        "disk_quota",
    ),
}

LATE = (
    "while True: pass",
    "import time; time.sleep(60)",
    "sum(range(10**12))",
    "import signal, time\nfor number in (2, 15): signal.signal(number, signal.SIG_IGN)\nwhile True: time.sleep(1)",
)


@pytest.mark.parametrize(("script", "kind"), BOMBS.values(), ids=BOMBS)
async def test_a_bomb_is_stopped_and_named(sandbox: LocalSandbox, script: str, kind: str) -> None:
    patient = replace(BRIEF, seconds=2 if kind == "pids" else 30)
    played = await play(sandbox, script, limits=patient)
    assert played.outcome.kind == kind, (played.outcome, played.stderr[-500:])
    assert played.outcome.message.endswith((".", "device", "large"))
    assert not played.outcome.ok


async def test_when_time_is_up_it_is_up_whatever_the_script_does(sandbox: LocalSandbox) -> None:
    played = await asyncio.gather(*(play(sandbox, script, limits=BRIEF) for script in LATE))
    assert {(one.outcome.kind, one.outcome.ok) for one in played} == {("timeout", False)}
    assert all("1 s" in one.outcome.message for one in played)


async def test_one_file_that_is_too_large_is_told(sandbox: LocalSandbox) -> None:
    script = "f = open('outputs/x', 'wb')\nwhile True: f.write(bytes(1_000_000))"
    played = await play(sandbox, script, limits=Limits(memory_mb=64, written_mb=64, seconds=10))
    assert played.outcome.kind == "file_size"
    assert "64 MB" in played.outcome.message


async def test_a_daemon_does_not_outlive_its_script(sandbox: LocalSandbox) -> None:
    script = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
    """
    played = await play(sandbox, dedent(script))
    assert played.outcome.kind == "ok"
    assert played.outcome.seconds < 60


async def test_more_processor_time_than_the_share_is_told(sandbox: LocalSandbox) -> None:
    """With a control group the share is enforced by slowing down, so either limit may be met first."""
    played = await play(sandbox, "while True: pass", limits=Limits(cpus=0.25, seconds=2))
    assert played.outcome.kind in ("cpu", "timeout")


async def test_a_memory_error_leaves_a_traceback_to_learn_from(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "import numpy as np\nx = np.ones(2**30)", limits=SMALL)
    assert "MemoryError" in played.stderr
    assert "512 MB" in played.outcome.message


async def test_a_script_may_save_its_work_when_time_is_up(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = """
        from pathlib import Path
        try:
            while True: sum(range(1000))
        except KeyboardInterrupt:
            Path("outputs/best.txt").write_text("so far")
    """
    played = await play(sandbox, dedent(script), limits=BRIEF, outputs=tmp_path / "out")
    assert played.outcome.kind == "timeout"
    assert (tmp_path / "out/best.txt").read_text() == "so far"


async def test_a_memory_mapped_file_may_be_larger_than_memory(sandbox: LocalSandbox) -> None:
    script = """
        import numpy as np
        m = np.memmap("outputs/m", dtype="u1", mode="w+", shape=(2**23,))
        m[::4096] = 1
        print(m.sum())
    """
    assert (await play(sandbox, dedent(script))).stdout == "2048\n"


async def test_a_full_box_does_not_hinder_the_next_run(sandbox: LocalSandbox) -> None:
    await play(sandbox, BOMBS["many big files"][0], limits=BRIEF)
    script = "from pathlib import Path\nPath('outputs/a').write_bytes(bytes(15_000_000))\nprint('fits')"
    assert (await play(sandbox, script, limits=BRIEF)).stdout == "fits\n"


async def test_what_was_printed_up_to_the_limit_is_kept(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "while True: print('x' * 99)", limits=BRIEF)
    assert len(played.stdout) == played.outcome.output_bytes == 2**20
