"""Runs that are stopped, crowded, or lose their parent leave no process, mount, descriptor, group or folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from sandbox import cgroups, probe, usher
from sandbox.base import Limits, Outcome, Output, SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import PATIENT, job, play

PROJECT = Path(__file__).resolve().parents[2]
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
print("running")
while True: time.sleep(1)
"""


def processes_of(owner: int) -> list[int]:
    """Every process that was forked for the application `owner`: they all carry its pid in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdecimal() else []
        except OSError:
            continue
        if str(owner).encode() in words and any(b"sandbox.zygote" in word for word in words):
            found.append(int(entry.name))
    return found


def groups_of(owner: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"modelwright-{owner}-*"))


async def wait_until_gone(pids: Iterable[int], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        gone = asyncio.Event()
        loop.add_reader(fd, gone.set)
        try:
            await asyncio.wait_for(gone.wait(), seconds)
        finally:
            loop.remove_reader(fd)
            os.close(fd)


async def fresh(*, ready: int = 0) -> LocalSandbox:
    """One of its own, so that its processes can be counted; with none that stand ready unless asked for."""
    sandbox = LocalSandbox(probe.probe(), ready=ready)
    await sandbox.warm()
    return sandbox


@pytest.fixture
async def alone() -> AsyncIterator[LocalSandbox]:
    sandbox = await fresh()
    yield sandbox
    await sandbox.close()


async def test_leaving_the_iterator_kills_the_whole_tree(alone: LocalSandbox) -> None:
    before = set(processes_of(os.getpid()))
    run = alone.run(job(STUBBORN))
    assert await anext(run) == Output("stdout", "running\n")
    assert len(set(processes_of(os.getpid())) - before) >= 3
    await run.aclose()
    assert set(processes_of(os.getpid())) == before


async def test_cancelling_the_task_kills_the_whole_tree(alone: LocalSandbox) -> None:
    before = set(processes_of(os.getpid()))
    running = asyncio.Event()

    async def follow() -> None:
        async for _ in alone.run(job(STUBBORN)):
            running.set()

    task = asyncio.create_task(follow())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(processes_of(os.getpid())) == before


def held() -> tuple[int, list[Path]]:
    """Descriptors of ours, and control groups."""
    return len(os.listdir("/proc/self/fd")), groups_of(os.getpid())  # noqa: PTH208


@pytest.mark.parametrize("stays", [False, True])
async def test_a_run_that_is_cancelled_while_it_begins_leaves_nothing(alone: LocalSandbox, stays: bool) -> None:
    async def begin() -> None:
        if stays:
            await (await alone.serve(job("input()"))).close()
        else:
            await play(alone, STUBBORN)

    await play(alone, "print(1)")
    processes, before = set(processes_of(os.getpid())), held()
    for turns in range(1, 16):
        task = asyncio.create_task(begin())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert held() == before
    await wait_until_gone(set(processes_of(os.getpid())) - processes, 5)


async def test_a_run_can_be_stopped_while_it_begins(alone: LocalSandbox) -> None:
    stubborn = job(STUBBORN)

    async def follow() -> list[object]:
        return [event async for event in alone.run(stubborn)]

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    assert await alone.stop(stubborn.id)
    (outcome,) = await following
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "killed_by_user"


async def test_a_run_ends_although_a_stranger_holds_its_stream(alone: LocalSandbox) -> None:
    before = set(processes_of(os.getpid()))
    run = alone.run(job("print('on')\nimport time\ntime.sleep(600)"))
    assert await anext(run) == Output("stdout", "on\n")
    script = max(set(processes_of(os.getpid())) - before)
    try:
        stream = os.open(f"/proc/{script}/fd/1", os.O_WRONLY)
    except PermissionError:
        pytest.skip("only root can take hold of a script's stream")
    os.kill(script, signal.SIGKILL)
    try:
        outcome = await asyncio.wait_for(anext(run), 30)
    finally:
        os.close(stream)
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.signal) == ("signal", signal.SIGKILL)
    await run.aclose()


async def test_whoever_watches_a_script_is_not_slowed_down_with_it(alone: LocalSandbox) -> None:
    if not groups_of(os.getpid()) and cgroups.new_group("none", Limits()) is None:
        pytest.skip("no control group can be made here")
    script = """
        import os
        print(open("/proc/1/cgroup").read() != open("/proc/self/cgroup").read(), os.nice(0) > 0)
    """
    assert (await play(alone, dedent(script))).stdout == "True True\n"


async def test_stopping_a_run_by_name_gives_an_outcome(sandbox: LocalSandbox, tmp_path: Path) -> None:
    stubborn = job("open('outputs/a', 'w').close()\n" + STUBBORN, outputs=tmp_path / "out")
    events = []
    async for event in sandbox.run(stubborn):
        events.append(event)
        await sandbox.stop(stubborn.id)
    assert isinstance(events[-1], Outcome)
    assert events[-1].kind == "killed_by_user"
    assert not await sandbox.stop("no such run")


@pytest.mark.parametrize(
    "script", ["while True: print('x' * 10000)", "sum(range(9**7))\nprint('on')\nwhile True: pass"]
)
async def test_whoever_ends_a_run_its_figures_are_told(sandbox: LocalSandbox, script: str) -> None:
    begun = job(f"x = bytearray(20_000_000)\nsum(range(2 * 10**6))\n{script}", limits=PATIENT)  # ticks are 10 ms
    events = []
    async for event in sandbox.run(begun):
        events.append(event)
        if event == Output("stdout", "on\n"):
            await sandbox.stop(begun.id)
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.kind in ("output_limit", "killed_by_user")
    assert outcome.seconds > 0
    assert outcome.cpu_seconds > 0
    assert outcome.peak_memory_mb > 15
    assert outcome.output_bytes >= 3


@pytest.mark.parametrize("script", ["while True: pass", "import os\nos.fork()\nos.fork()\nwhile True: pass"])
async def test_processor_time_has_a_limit_of_its_own(sandbox: LocalSandbox, script: str) -> None:
    """One process meets its own limit, several the one that they have together."""
    outcome = (await play(sandbox, script, limits=Limits(seconds=100, cpu_seconds=1))).outcome
    assert outcome.kind == "cpu"
    assert "1 s of processor time" in outcome.message
    assert 1 <= outcome.cpu_seconds < 20


def test_the_limits_are_those_that_are_documented() -> None:
    assert Limits() == Limits(cpus=2, memory_mb=2048, seconds=120, processes=64, written_mb=512, output_mb=10)


@pytest.mark.parametrize("ready", [0, 2])
async def test_nothing_is_left_after_many_runs(ready: int, tmp_path: Path) -> None:
    others, groups = set(processes_of(os.getpid())), set(groups_of(os.getpid()))
    sandbox = await fresh(ready=ready)
    await play(sandbox, "print(1)")
    await sandbox.close()
    mounts, descriptors = Path("/proc/self/mounts").read_text(), len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        await play(sandbox, "open('outputs/a', 'w')", outputs=tmp_path / str(number))
        await sandbox.stand()
    tree = set(processes_of(os.getpid())) - others
    await sandbox.close()
    await wait_until_gone(tree, 5)
    assert Path("/proc/self/mounts").read_text() == mounts
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert set(groups_of(os.getpid())) == groups
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3", "4"]


async def test_runs_at_once_keep_apart(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = """
        import os
        from pathlib import Path
        me = os.environ["ME"]
        assert os.listdir("outputs") == [] and not os.path.exists("/tmp/me")
        Path("outputs/me.txt").write_text(me); Path("/tmp/me").write_text(me); Path("/dev/shm/me").write_text(me)
        for i in range(200): print(me)
    """
    played = await asyncio.gather(
        *(play(sandbox, dedent(script), environment={"ME": str(n)}, outputs=tmp_path / str(n)) for n in range(6))
    )
    for number, one in enumerate(played):
        assert one.stdout == f"{number}\n" * 200
        assert (tmp_path / str(number) / "me.txt").read_text() == str(number)


async def test_one_id_is_one_run(sandbox: LocalSandbox) -> None:
    first = job(STUBBORN)
    run = sandbox.run(first)
    await anext(run)
    with pytest.raises(SandboxError, match="going on already"):
        await anext(sandbox.run(first))
    await run.aclose()


async def test_a_dead_zygote_is_replaced_and_its_run_is_reported_broken() -> None:
    others = set(processes_of(os.getpid()))
    sandbox = await fresh()
    try:
        run = sandbox.run(job(STUBBORN))
        await anext(run)
        tree = set(processes_of(os.getpid())) - others
        os.kill(min(tree), signal.SIGKILL)  # the zygote: all others were forked from it
        with pytest.raises(SandboxBroken):
            await anext(run)
        await wait_until_gone(tree, 5)
        assert (await play(sandbox, "print('again')")).stdout == "again\n"
    finally:
        await sandbox.close()


async def test_an_usher_that_is_killed_is_replaced_with_its_zygote_and_ends_its_runs() -> None:
    if (level := probe.probe()).level != "full":
        pytest.skip(f"the level {level.level!r} has no usher")
    others = set(processes_of(os.getpid()))
    sandbox = LocalSandbox(level)
    try:
        run = sandbox.run(job("print('on', flush=True)\nimport time\ntime.sleep(600)"))
        await anext(run)
        tree = set(processes_of(os.getpid())) - others
        born = Path(f"/proc/{min(tree)}/task/{min(tree)}/children").read_text().split()  # of the zygote
        (one,) = [pid for pid in born if Path(f"/proc/{pid}/comm").read_text().strip() == usher.NAME]
        os.kill(int(one), signal.SIGKILL)
        with pytest.raises(SandboxBroken):
            await anext(run)
        await wait_until_gone(tree, 5)
        assert (await play(sandbox, "print('again')")).stdout == "again\n"
    finally:
        await sandbox.close()


async def test_warming_twice_at_once_makes_one_zygote_and_closing_ends_it_with_its_runs() -> None:
    others = set(processes_of(os.getpid()))
    sandbox = LocalSandbox(probe.probe(), ready=0)
    await asyncio.gather(sandbox.warm(), sandbox.warm(), play(sandbox, "print(1)"))
    assert len(set(processes_of(os.getpid())) - others) == (2 if probe.probe().level == "full" else 1)  # and its usher
    run = sandbox.run(job(STUBBORN))
    await anext(run)
    tree = set(processes_of(os.getpid())) - others
    assert len(tree) >= 5
    await sandbox.close()
    events = [event async for event in run]
    assert isinstance(events[-1], Outcome)
    assert events[-1].kind == "killed_by_user"
    await wait_until_gone(tree, 5)


PHASES = {
    "warming": """
        asyncio.create_task(sandbox.warm())
        while not processes_of(os.getpid()):
            await asyncio.sleep(0.01)
        print("now", flush=True)
        await asyncio.sleep(600)
    """,
    "standing": """
        await sandbox.warm()
        assert await sandbox.stand() == 2
        print("now", flush=True)
        await asyncio.sleep(600)
    """,
    "starting": """
        await sandbox.warm()
        for number in range(5):
            asyncio.ensure_future(anext(sandbox.run(Job(str(number), STUBBORN))))
        await asyncio.sleep(0)
        print("now", flush=True)
        await asyncio.sleep(600)
    """,
    "running": """
        async for event in sandbox.run(Job("a", STUBBORN, outputs=OUT)):
            print("now", flush=True)
    """,
    "copying": """
        script = "for i in range(20): open(f'outputs/{i}', 'wb').write(bytes(25_000_000))"
        async def watch():
            while not list(OUT.parent.glob(".*partial*")):
                await asyncio.sleep(0.001)
            print("now", flush=True)
        asyncio.create_task(watch())
        async for event in sandbox.run(Job("a", script, outputs=OUT)):
            pass
    """,
}


@pytest.mark.parametrize("phase", PHASES)
async def test_nothing_survives_a_killed_application(phase: str, tmp_path: Path) -> None:
    body = indent(dedent(PHASES[phase]), "    ")
    program = (
        f"import asyncio, os, sys\nsys.path.insert(0, {str(PROJECT)!r})\nfrom pathlib import Path\n"
        "from sandbox.base import Job\nfrom sandbox.local import LocalSandbox\nfrom sandbox.probe import probe\n"
        "from tests.sandbox.test_local_life import STUBBORN, processes_of\n"
        f"OUT = Path({str(tmp_path / 'out')!r})\n"
        f"async def main():\n    sandbox = LocalSandbox(probe())\n{body}\nasyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as application:
        assert application.stdout is not None
        assert application.stdout.readline() == b"now\n"
        tree = processes_of(application.pid)
        assert tree
        application.send_signal(signal.SIGKILL)
        await wait_until_gone(tree, 2)
    assert processes_of(application.pid) == []
    cgroups.sweep()
    assert groups_of(application.pid) == []
    assert not (tmp_path / "out").exists()


async def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    program = f"""
        import asyncio, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from sandbox import kernel
        from sandbox.base import Job, SandboxBroken
        from sandbox.local import LocalSandbox
        from sandbox.probe import probe
        kernel.unshare(kernel.CLONE_NEWNS); kernel.make_mounts_private()
        disk = Path({str(tmp_path)!r})
        kernel.mount("tmpfs", str(disk), "tmpfs", 0, "size=1m")
        script = "for i in range(3): open(f'outputs/{{i}}', 'wb').write(bytes(500_000))"
        async def main():
            sandbox = LocalSandbox(probe())
            try:
                async for event in sandbox.run(Job("a", script, outputs=disk / "out")): pass
            except SandboxBroken as problem:
                print(problem, list(disk.iterdir()))
            await sandbox.close()
        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True)
    assert "No space left on device" in done.stdout, done
    assert done.stdout.strip().endswith("[]")


async def test_a_slow_listener_does_not_lose_a_line(sandbox: LocalSandbox) -> None:
    script = "for i in range(20000): print(i)"
    text = ""
    async for event in sandbox.run(job(script)):
        await asyncio.sleep(0)
        text += event.text if isinstance(event, Output) else ""
    assert text == "".join(f"{i}\n" for i in range(20000))


def test_the_probe_says_what_it_found() -> None:
    found = probe.probe()
    assert (found.level == "none") == bool(found.advice)
    assert found.reason


def test_without_isolation_there_is_no_sandbox() -> None:
    nothing = probe.Isolation("none", "none", "making namespaces was refused", "Switch on user namespaces.")
    with pytest.raises(SandboxUnavailable, match=r"refused\. Switch on user namespaces"):
        LocalSandbox(nothing)


def _as_root_of_a_namespace(then: str) -> "subprocess.CompletedProcess[str]":
    """As in a rootless container: an ordinary user who is user id 0 there, with no other user to become."""
    program = f"""
        import asyncio, os, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from sandbox import kernel
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {{uid}} 1")
        Path("/proc/self/gid_map").write_text(f"0 {{gid}} 1")
        from sandbox.base import Job, Output
        from sandbox.choose import open_sandbox
    """
    user = ["-m", "tests.sandbox.as_user"] if os.geteuid() == 0 else []
    command = [sys.executable, *user, "-c", dedent(program) + dedent(then)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)


def test_root_of_a_namespace_is_protected_like_an_ordinary_user() -> None:
    done = _as_root_of_a_namespace("""
        async def main():
            sandbox = open_sandbox("full")
            async for event in sandbox.run(Job("a", "import os; print(os.getuid(), os.path.exists('/var'))")):
                if isinstance(event, Output): print(event.text)
            await sandbox.close()
        asyncio.run(main())
    """)
    assert done.stdout.strip() == "1000 False", done.stderr
