"""Runs that are stopped, crowded, or lose their parent leave no process, mount, descriptor, group or folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox import cgroups, probe
from sandbox.base import Outcome, Output, SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.choose import open_sandbox
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import job, play

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


async def fresh() -> LocalSandbox:
    sandbox = open_sandbox()
    assert isinstance(sandbox, LocalSandbox)
    await sandbox.warm()
    return sandbox


async def test_leaving_the_iterator_kills_the_whole_tree(sandbox: LocalSandbox) -> None:
    await sandbox.warm()
    before = set(processes_of(os.getpid()))
    run = sandbox.run(job(STUBBORN))
    assert await anext(run) == Output("stdout", "running\n")
    assert len(set(processes_of(os.getpid())) - before) >= 3
    await run.aclose()  # type: ignore[attr-defined]
    assert set(processes_of(os.getpid())) == before


async def test_cancelling_the_task_kills_the_whole_tree(sandbox: LocalSandbox) -> None:
    await sandbox.warm()
    before = set(processes_of(os.getpid()))
    running = asyncio.Event()

    async def follow() -> None:
        async for _ in sandbox.run(job(STUBBORN)):
            running.set()

    task = asyncio.create_task(follow())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(processes_of(os.getpid())) == before


async def test_stopping_a_run_by_name_gives_an_outcome(sandbox: LocalSandbox, tmp_path: Path) -> None:
    stubborn = job("open('outputs/a', 'w').close()\n" + STUBBORN, outputs=tmp_path / "out")
    events = []
    async for event in sandbox.run(stubborn):
        events.append(event)
        await sandbox.stop(stubborn.id)
    assert isinstance(events[-1], Outcome)
    assert events[-1].kind == "killed_by_user"
    assert not await sandbox.stop("no such run")


async def test_nothing_is_left_after_many_runs(sandbox: LocalSandbox, tmp_path: Path) -> None:
    await play(sandbox, "print(1)")
    mounts, descriptors = Path("/proc/self/mounts").read_text(), len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        await play(sandbox, "open('outputs/a', 'w')", outputs=tmp_path / str(number))
    assert Path("/proc/self/mounts").read_text() == mounts
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert groups_of(os.getpid()) == []
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
    await run.aclose()  # type: ignore[attr-defined]


async def test_a_dead_zygote_is_replaced_and_its_run_is_reported_broken() -> None:
    others = set(processes_of(os.getpid()))
    sandbox = await fresh()
    try:
        run = sandbox.run(job(STUBBORN))
        await anext(run)
        tree = set(processes_of(os.getpid())) - others
        assert sandbox._zygote is not None
        sandbox._zygote.process.kill()
        with pytest.raises(SandboxBroken):
            await anext(run)
        await wait_until_gone(tree, 5)
        assert (await play(sandbox, "print('again')")).stdout == "again\n"
    finally:
        await sandbox.close()


async def test_warming_twice_at_once_makes_one_zygote_and_closing_ends_it_with_its_runs() -> None:
    others = set(processes_of(os.getpid()))
    sandbox = open_sandbox()
    assert isinstance(sandbox, LocalSandbox)
    await asyncio.gather(sandbox.warm(), sandbox.warm(), play(sandbox, "print(1)"))
    assert len(set(processes_of(os.getpid())) - others) == 1
    run = sandbox.run(job(STUBBORN))
    await anext(run)
    tree = set(processes_of(os.getpid())) - others
    assert len(tree) >= 5
    await sandbox.close()
    events = [event async for event in run]
    assert isinstance(events[-1], Outcome)
    assert events[-1].kind == "killed_by_user"
    await wait_until_gone(tree, 5)


async def test_nothing_survives_a_killed_application(tmp_path: Path) -> None:
    program = f"""
        import asyncio, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from sandbox.choose import open_sandbox
        from sandbox.base import Job
        async def main():
            async for event in open_sandbox().run(Job("a", {STUBBORN!r}, outputs=Path({str(tmp_path / "out")!r}))):
                print(event.text, end="", flush=True)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE) as application:
        assert application.stdout is not None
        assert application.stdout.readline() == b"running\n"
        tree = processes_of(application.pid)
        assert len(tree) >= 5
        application.send_signal(signal.SIGKILL)
        await wait_until_gone(tree, 2)
    assert processes_of(application.pid) == []
    assert list(tmp_path.iterdir()) == []
    cgroups.sweep()
    assert groups_of(application.pid) == []


async def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    program = f"""
        import asyncio, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from sandbox import kernel
        from sandbox.choose import open_sandbox
        from sandbox.base import Job, SandboxBroken
        kernel.unshare(kernel.CLONE_NEWNS); kernel.make_mounts_private()
        disk = Path({str(tmp_path)!r})
        kernel.mount("tmpfs", str(disk), "tmpfs", 0, "size=1m")
        script = "for i in range(3): open(f'outputs/{{i}}', 'wb').write(bytes(500_000))"
        async def main():
            sandbox = open_sandbox()
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


def test_a_machine_without_user_namespaces_is_refused_with_advice() -> None:
    """A user namespace in which no further one may be made stands in for such a machine."""
    program = f"""
        import os, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from sandbox import kernel
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {{uid}} 1")
        Path("/proc/self/gid_map").write_text(f"0 {{gid}} 1")
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        from sandbox.choose import open_sandbox
        open_sandbox()
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True)
    said = done.stderr.splitlines()[-1]
    assert "SandboxUnavailable: No isolation for running scripts: making namespaces was refused" in said
    assert "max_user_namespaces" in said or "AppArmor" in said or "container" in said


def test_root_of_a_namespace_is_protected_like_an_ordinary_user() -> None:
    """As in a rootless container: user id 0, but no other user to become."""
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
        async def main():
            sandbox = open_sandbox()
            async for event in sandbox.run(Job("a", "import os; print(os.getuid(), os.path.exists('/var'))")):
                if isinstance(event, Output): print(event.text)
            await sandbox.close()
        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True)
    assert done.stdout.strip() == "1000 False", done.stderr
