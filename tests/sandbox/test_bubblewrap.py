"""What is particular to boxes made by bubblewrap: they stand ready, are used once, and have a size from the start."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox import staging
from sandbox.base import Limits
from sandbox.local import LocalSandbox
from sandbox.probe import try_level
from sandbox.standing import StandingBoxes
from tests.sandbox.host import PROJECT
from tests.sandbox.scenes import SMALL, play
from tests.sandbox.test_reduced import below, gone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
STUBBORN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
print("running", flush=True)
while True: time.sleep(1)
"""


@pytest.fixture(scope="module")
def boxes() -> Iterator[LocalSandbox]:
    isolation = try_level("bubblewrap")
    if isolation.level == "none":
        pytest.skip(f"no bubblewrap on this machine: {isolation.reason}. {isolation.advice}")
    sandbox = LocalSandbox(isolation)
    yield sandbox
    asyncio.run(sandbox.close())


async def test_a_box_is_used_once_and_shows_nothing_of_the_host(boxes: LocalSandbox) -> None:
    script = """
        import os
        from pathlib import Path
        print(os.path.exists("/tmp/me"), sum(p.isdigit() for p in os.listdir("/proc")), os.getuid())
        Path("/tmp/me").write_text("x"); Path("/dev/shm/me").write_text("x")
        for path in ("/proc/1/environ", "/proc/1/mem", "/.modelwright/sandbox/boxed.py"):
            try: Path(path).read_bytes()
            except OSError: continue
            print("GOT IN", path)
        print(sorted(os.listdir("/etc")), os.listdir("/dev/shm"), Path("/proc/sys/kernel/core_pattern").exists())
        try: open("/proc/sys/kernel/core_pattern", "w")
        except OSError as problem: print(problem.strerror)
    """
    for _ in range(2):
        said = (await play(boxes, dedent(script))).stdout.splitlines()
        assert said[0] == "False 2 1000"
        assert not any("GOT IN" in line for line in said)
        assert "['me'] True" in said[1]
        assert "shadow" not in said[1]


async def test_a_larger_job_gets_a_larger_box_and_a_smaller_one_is_watched(boxes: LocalSandbox) -> None:
    script = (
        "import os\nfor place in ('outputs', '/tmp'):\n    s = os.statvfs(place); print(s.f_blocks * s.f_frsize >> 20)"
    )
    usual = await play(boxes, script, limits=Limits())
    large = await play(boxes, script, limits=Limits(written_mb=700, memory_mb=3000))
    assert (usual.stdout, large.stdout) == ("512\n1024\n", "700\n1500\n")
    fill = "from pathlib import Path\nfor i in range(40): Path(f'outputs/{i}').write_bytes(bytes(1_000_000))"
    assert (await play(boxes, fill, limits=SMALL)).outcome.kind == "disk_quota"


async def test_a_box_that_died_while_it_stood_is_replaced(boxes: LocalSandbox) -> None:
    await boxes.warm()
    standing = below(os.getpid())
    assert standing
    for pid in standing:
        if b"bwrap" in Path(f"/proc/{pid}/comm").read_bytes():
            os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(gone(standing), 10)
    assert (await play(boxes, "print('hello')")).stdout == "hello\n"


def test_a_folder_for_temporary_files_that_only_root_can_pass_will_do(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    program = f"""
        import asyncio, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from sandbox.base import Job, Output
        from sandbox.choose import open_sandbox
        async def main():
            sandbox = open_sandbox("bubblewrap")
            async for event in sandbox.run(Job("a", "print(len(open('inputs/me').read()) > 99)", {{"me": __file__}})):
                if isinstance(event, Output): print(event.text)
            await sandbox.close()
        asyncio.run(main())
    """
    if try_level("bubblewrap").level == "none":
        pytest.skip("no bubblewrap on this machine")
    (tmp_path / "program.py").write_text(dedent(program).replace("__file__", "Path(__file__)").replace(
        "import asyncio", "from pathlib import Path\nimport asyncio", 1))  # fmt: skip
    environment = {**os.environ, "TMPDIR": str(tmp_path / "private")}
    done = subprocess.run([sys.executable, tmp_path / "program.py"], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
    assert list((tmp_path / "private").iterdir()) == []


async def test_closing_ends_every_box_and_removes_its_folder(
    boxes: LocalSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = StandingBoxes("bubblewrap", 2)
    source.refill()
    assert await source.stand() == 2
    assert source.memory_mb() > 50
    assert len(list(tmp_path.iterdir())) == 2
    source.end()
    assert list(tmp_path.iterdir()) == []


async def test_a_killed_application_leaves_no_process_and_its_folders_are_swept(
    boxes: LocalSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    program = f"""
        import asyncio, sys, tempfile
        tempfile.tempdir = {str(tmp_path)!r}
        sys.path.insert(0, {str(PROJECT)!r})
        from sandbox.base import Job
        from sandbox.choose import open_sandbox
        async def main():
            async for event in open_sandbox("bubblewrap").run(Job("a", {STUBBORN!r})):
                print(event.text, end="", flush=True)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE) as application:
        assert application.stdout is not None
        assert await asyncio.to_thread(application.stdout.readline) == b"running\n"
        family = below(application.pid)
        assert len(family) >= 4
        application.kill()
        await asyncio.wait_for(gone(family), 10)
    assert list(tmp_path.iterdir()) != []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    staging.sweep()
    assert list(tmp_path.iterdir()) == []
