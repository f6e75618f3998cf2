"""Boxes that stand ready, and zygotes that are relieved: fast, used once, and never noticed otherwise."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.base import Limits, Outcome, Output
from sandbox.launch import Zygote
from sandbox.local import LocalSandbox
from sandbox.probe import probe
from sandbox.relief import Shift
from tests.sandbox.scenes import Parts, job, play
from tests.sandbox.test_local_life import processes_of, wait_until_gone


@pytest.fixture
async def alone() -> AsyncIterator[LocalSandbox]:
    isolation = probe()
    if isolation.level != "full":
        pytest.skip(f"no namespaces on this machine: {isolation.reason}")
    sandbox = LocalSandbox(isolation)
    await sandbox.warm()
    yield sandbox
    await sandbox.close()


def zygote_of(others: set[int]) -> int:
    """The first of our processes that was not there before: all others were forked from it."""
    return min(set(processes_of(os.getpid())) - others)


def tasks(pid: int) -> dict[str, int]:
    """Processor time of each thread, in ticks."""
    stats = {task.name: (task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()}
    return {name: sum(map(int, text.rpartition(")")[2].split()[11:13])) for name, text in stats.items()}


async def test_a_box_that_stands_is_used_and_another_takes_its_place(alone: LocalSandbox) -> None:
    assert await alone.stand() == 2
    standing = set(processes_of(os.getpid()))
    run = alone.run(job("print('hello')\nimport time; time.sleep(600)"))
    assert await anext(run) == Output("stdout", "hello\n")
    assert await _until_standing(alone, 2) == 2
    await run.aclose()
    assert len(standing - set(processes_of(os.getpid()))) == 3  # supervisor, process 1 and the script were there


async def _until_standing(sandbox: LocalSandbox, wanted: int) -> int:
    while (standing := await sandbox.stand()) < wanted:
        await asyncio.sleep(0.01)
    return standing


async def test_a_box_gets_its_limits_and_its_world_from_the_job(alone: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n1\n")
    script = """
        import os, resource
        from pathlib import Path
        def megabytes(folder):
            space = os.statvfs(folder)
            return space.f_blocks * space.f_frsize // 2**20
        print(megabytes("outputs"), megabytes("/tmp"), megabytes("/dev/shm"))
        print(resource.getrlimit(resource.RLIMIT_NPROC)[0], len(os.sched_getaffinity(0)), os.environ["OMP_NUM_THREADS"])
        print(os.environ["ME"], Path("inputs/table.csv").read_text().split(), Path("script.py").read_text()[:5])
        print(os.readlink("/proc/self/fd/0"))
        try:
            bytearray(400 * 2**20)
        except MemoryError:
            print("too much")
    """
    limits = Limits(cpus=1, memory_mb=200, seconds=20, processes=7, written_mb=33, output_mb=1)
    await alone.stand()
    parts: Parts = {"inputs": {"table.csv": tmp_path / "table.csv"}, "environment": {"ME": "me"}, "limits": limits}
    played = await play(alone, dedent(script), **parts)
    said = ["33 100 100", "8 1 1", "me ['a', '1'] \nimpo", "/dev/null", "too much"]
    assert played.stdout == "\n".join(said).replace("\\n", "\n") + "\n", played.stderr


async def test_boxes_that_stood_together_share_no_random_state(alone: LocalSandbox) -> None:
    script = "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), uuid.uuid4())"
    await alone.stand()
    said = [(await play(alone, script)).stdout.split() for _ in range(2)]
    assert not set(said[0]) & set(said[1])


async def test_boxes_that_have_died_are_not_missed() -> None:
    before = set(processes_of(os.getpid()))
    alone = LocalSandbox(probe())
    await alone.warm()
    await alone.stand()
    boxes = set(processes_of(os.getpid())) - before
    for pid in boxes - {min(boxes)}:  # the zygote stays
        with contextlib.suppress(ProcessLookupError):  # its supervisor's end was its own
            os.kill(pid, signal.SIGKILL)
    await wait_until_gone(boxes - {min(boxes)}, 10)
    assert (await play(alone, "print('still')")).stdout == "still\n"
    await alone.close()


async def test_a_box_that_dies_with_its_job_in_hand_is_replaced() -> None:
    before = set(processes_of(os.getpid()))
    alone = LocalSandbox(probe(), ready=1)
    await alone.warm()
    await alone.stand()
    zygote, *box = sorted(set(processes_of(os.getpid())) - before)
    for pid in box:
        os.kill(pid, signal.SIGSTOP)
    playing = asyncio.create_task(play(alone, "print('on')"))
    for _ in range(20):  # the job is handed over
        await asyncio.sleep(0)
    for pid in box:
        os.kill(pid, signal.SIGKILL)
    played = await playing
    assert (played.stdout, played.outcome.kind) == ("on\n", "ok")
    await alone.close()


async def test_several_may_wait_for_the_same_boxes() -> None:
    alone = LocalSandbox(probe())
    await alone.warm()
    async with asyncio.timeout(60):
        assert await asyncio.gather(*(alone.stand() for _ in range(3))) == [2, 2, 2]
    await alone.close()


async def test_the_zygote_shares_no_folder_of_settings(alone: LocalSandbox) -> None:
    """Whoever owned a shared one could plant a matplotlibrc there."""
    others = set(processes_of(os.getpid()))
    sandbox = LocalSandbox(probe(), ready=0)
    await sandbox.warm()
    environment = Path(f"/proc/{zygote_of(others)}/environ").read_bytes().split(b"\0")
    assert b"MPLCONFIGDIR=/tmp/matplotlib" not in environment
    assert any(word.startswith(b"MPLCONFIGDIR=") for word in environment)
    await sandbox.close()


async def test_a_script_that_stays_gets_its_questions_in_a_box_that_stood(alone: LocalSandbox) -> None:
    script = """
        import sys
        reader, writer = sys.stdin.buffer, sys.stdout.buffer
        while head := reader.read(8):
            text = reader.read(int.from_bytes(head, "big"))
            writer.write(len(text).to_bytes(8, "big") + text[::-1]); writer.flush()
    """
    await alone.stand()
    session = await alone.serve(job(dedent(script)))
    assert await session.ask(b"abc", seconds=10, most_bytes=100) == b"cba"
    await session.close()


async def test_a_zygote_is_relieved_and_cuts_no_run() -> None:
    others = set(processes_of(os.getpid()))
    sandbox = LocalSandbox(probe(), shift=Shift(runs=2))
    try:
        await sandbox.warm()
        first = zygote_of(others)
        long = sandbox.run(job("print('on')\nimport time\ntime.sleep(600)"))
        staying = sandbox.run(job("print('on')\nimport time\ntime.sleep(600)"))
        await anext(long)
        await anext(staying)
        while (await sandbox.idle_memory_mb()) and await _pid(sandbox) == first:
            await asyncio.sleep(0.02)
        assert (await play(sandbox, "print('from the new one')")).stdout == "from the new one\n"
        assert Path(f"/proc/{first}").exists(), "its runs are still going on"
        await staying.aclose()
        await long.aclose()
        await wait_until_gone([first], 5)
        assert (await play(sandbox, "print('on it goes')")).stdout == "on it goes\n"
    finally:
        await sandbox.close()


async def _pid(sandbox: LocalSandbox) -> int:
    source = await sandbox._relief.ready()
    assert isinstance(source, Zygote)
    return source.process.pid


async def test_a_crash_touches_no_other_run(alone: LocalSandbox) -> None:
    witness = alone.run(job("import time\nprint('here', flush=True)\ntime.sleep(1)\nprint('still here')"))
    assert await anext(witness) == Output("stdout", "here\n")
    crashes = [
        "import ctypes; ctypes.string_at(0)",
        "import os; os.kill(-1, 9)",
        "import os; os.abort()",
        "x = bytearray(2**40)",
    ]
    played = await asyncio.gather(*(play(alone, script) for script in crashes))
    assert not any(one.outcome.ok for one in played[:1])
    events = [event async for event in witness]
    assert events[0] == Output("stdout", "still here\n")
    assert isinstance(events[-1], Outcome)
    assert events[-1].ok


async def test_the_zygote_imports_and_never_computes() -> None:
    """A thread that has worked would be missing in every fork, and its parallel regions would wait for it for ever."""
    others = set(processes_of(os.getpid()))
    sandbox = LocalSandbox(probe(), ready=0)
    try:
        await sandbox.warm()
        zygote = zygote_of(others)
        threads = tasks(zygote)
        assert {name: ticks for name, ticks in threads.items() if name != str(zygote) and ticks} == {}
        loaded = Path(f"/proc/{zygote}/maps").read_text()
        assert all(name in loaded for name in ("libgomp", "lib_lightgbm", "_openmp_helpers", "ft2font", "_multiarray"))
        script = "import sys\nprint({'matplotlib.pyplot', 'plotly.express', 'lightgbm'} <= sys.modules.keys())"
        assert (await play(sandbox, script)).stdout == "True\n"
        assert tasks(zygote).keys() == threads.keys()
        assert 50 < await sandbox.idle_memory_mb() < 400
    finally:
        await sandbox.close()
