"""What is particular to the level without namespaces: shared processes, shared disk, older kernels."""

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox import staging, tree
from sandbox.base import Limits, Output, SandboxBroken
from sandbox.local import LocalSandbox
from sandbox.probe import try_level
from sandbox.quota import Quota, TreeMeter, used_on_disk
from sandbox.watch import pause
from tests.sandbox.host import PROJECT
from tests.sandbox.scenes import job, play

PATIENT = Limits(cpus=2, memory_mb=512, seconds=60, processes=32, written_mb=16, output_mb=1)
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
print(os.getcwd(), flush=True)
while True: time.sleep(1)
"""
OLD_KERNEL = """
    import ctypes, json, os, signal, sys
    sys.path.insert(0, PROJECT)
    from sandbox import kernel, seccomp
    libc = ctypes.CDLL(None, use_errno=True)
    other = os.fork()
    if other == 0:
        signal.pause()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.lock(seccomp.program_on_the_host(2, os.getpid()))
    said = {}
    def tried(name, deed):
        try:
            deed()
            said[name] = 0
        except OSError as problem:
            said[name] = problem.errno
    tried("itself", lambda: os.kill(os.getpid(), 0))
    for name, target in (("another", other), ("everybody", -1), ("its group", 0)):
        tried(name, lambda: os.kill(target, 0))
    tried("by descriptor", lambda: signal.pidfd_send_signal(os.pidfd_open(other), 0))
    tried("truncate", lambda: os.truncate(sys.argv[1], 0))
    tried("emptying on reading", lambda: os.close(os.open(sys.argv[1], os.O_RDONLY | os.O_TRUNC)))
    tried("reading", lambda: os.close(os.open(sys.argv[1], os.O_RDONLY)))
    tried("writing", lambda: os.close(os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)))
    result = libc.syscall(437, -100, sys.argv[1].encode(), None, 0)
    said["openat2"] = ctypes.get_errno()
    print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def reduced() -> Iterator[LocalSandbox]:
    isolation = try_level("reduced")
    if isolation.level == "none":
        pytest.skip(f"no reduced level on this machine: {isolation.reason}. {isolation.advice}")
    sandbox = LocalSandbox(isolation)
    yield sandbox
    asyncio.run(sandbox.close())


async def gone(pids: list[int]) -> None:
    for pid in pids:
        while Path(f"/proc/{pid}").exists() and b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().split()[2:3]:
            await asyncio.sleep(0.01)


def below(pid: int) -> list[int]:
    return [found for child in tree.children(pid) for found in (child, *below(child))]


async def test_no_process_but_its_own_is_to_be_seen(reduced: LocalSandbox) -> None:
    script = f"""
        import os, psutil
        from pathlib import Path
        def refused(deed):
            try: deed()
            except OSError: return True
            return False
        print(refused(lambda: os.listdir("/proc")))
        for pid in (1, {os.getpid()}, os.getppid()):
            names = ("cmdline", "environ", "status", "mem")
            print([refused(lambda: Path(f"/proc/{{pid}}/{{name}}").read_bytes()) for name in names])
        print(Path("/proc/self/status").read_text().split()[1], psutil.virtual_memory().total > 0)
    """
    played = await play(reduced, dedent(script), limits=PATIENT)
    assert played.stdout == "True\n" + "[True, True, True, True]\n" * 3 + "python True\n", played.stderr


async def test_files_only_seem_to_change_their_mode_and_times(reduced: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("input")
    (tmp_path / "a").chmod(0o644)
    os.utime(tmp_path / "a", (1000, 1000))
    script = f"""
        import os, shutil
        from pathlib import Path
        for path in ("inputs/a", {str(tmp_path / "a")!r}):
            os.chmod(path, 0o777); os.utime(path, (5, 5)); os.chown(path, 1, 1)
            try: os.setxattr(path, "user.x", b"1")
            except OSError as problem: print(problem.strerror)
        shutil.copy2("inputs/a", "outputs/copy")
        Path("outputs/touched").touch(); Path("outputs/touched").touch()
        print(os.stat("inputs/a").st_mode & 0o777 == 0o777, sorted(os.listdir("outputs")))
    """
    played = await play(reduced, dedent(script), inputs={"a": tmp_path / "a"})
    assert played.stdout == "Operation not supported\n" * 2 + "False ['copy', 'touched']\n", played.stderr
    about = (tmp_path / "a").stat()
    assert (about.st_mode & 0o777, about.st_mtime, about.st_uid) == (0o644, 1000, os.getuid())


async def test_as_root_every_run_is_another_user(reduced: LocalSandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become others")
    script = "import os, time\nprint(os.getresuid(), os.getgroups())\ntime.sleep(0.5)"
    said = {played.stdout for played in await asyncio.gather(*(play(reduced, script) for _ in range(3)))}
    assert len(said) == 3
    assert all(line.endswith(" []\n") and "(0" not in line for line in said)


async def test_a_run_cannot_enter_the_folder_of_another(reduced: LocalSandbox) -> None:
    first = reduced.run(job(STUBBORN))
    told = await anext(first)
    assert isinstance(told, Output)
    script = (
        f"import os\nfor name in ('', '/outputs', '/script.py'):\n    print(os.access({told.text.strip()!r} + name, 4))"
    )
    tried = f"open({told.text.strip()!r} + '/script.py')"
    played = await play(reduced, f"{script}\n{tried}")
    assert "PermissionError" in played.stderr
    await first.aclose()


async def test_labels_of_samples_cannot_be_read(reduced: LocalSandbox) -> None:
    script = """
        import sklearn, sklearn.datasets
        from pathlib import Path
        folder = Path(sklearn.__file__).parent / "datasets"
        print((folder / "_base.py").read_text()[:3])
        for path in sorted((folder / "data").glob("*.csv*")):
            try: path.read_bytes()
            except PermissionError: continue
            print("GOT IN", path)
        try: sklearn.datasets.load_iris()
        except PermissionError: print("refused")
    """
    assert (await play(reduced, dedent(script), limits=PATIENT)).stdout == '"""\nrefused\n'


async def test_a_watcher_that_is_killed_leaves_no_process(reduced: LocalSandbox) -> None:
    run = reduced.run(job(STUBBORN))
    told = await anext(run)
    assert isinstance(told, Output)
    mine = [pid for pid in below(os.getpid()) if told.text.strip() in _cwd(pid)]
    assert len(mine) == 2
    os.kill(_parent(min(mine)), signal.SIGKILL)
    with pytest.raises(SandboxBroken):
        await anext(run)
    await gone(mine)
    assert not Path(told.text.strip()).exists()


async def test_a_run_that_loses_all_who_watch_it_is_ended_by_the_zygote(reduced: LocalSandbox) -> None:
    run = reduced.run(job(STUBBORN))
    told = await anext(run)
    assert isinstance(told, Output)
    mine = [pid for pid in below(os.getpid()) if told.text.strip() in _cwd(pid)]
    watcher = _parent(min(mine))
    supervisor = _parent(watcher)
    for pid in (supervisor, watcher):
        os.kill(pid, signal.SIGSTOP)
    for pid in (supervisor, watcher):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(SandboxBroken):
        await asyncio.wait_for(anext(run), 30)
    await gone(mine)
    assert (await play(reduced, "print(1)")).stdout == "1\n"


async def test_a_watcher_does_not_outlive_its_supervisor(reduced: LocalSandbox) -> None:
    """Else the user id that the supervisor holds would be another run's as well."""
    run = reduced.run(job(STUBBORN))
    told = await anext(run)
    assert isinstance(told, Output)
    mine = [pid for pid in below(os.getpid()) if told.text.strip() in _cwd(pid)]
    os.kill(_parent(_parent(min(mine))), signal.SIGKILL)
    with pytest.raises(SandboxBroken):
        await asyncio.wait_for(anext(run), 30)
    await gone(mine)


async def test_threads_of_joblib_work_and_its_processes_are_done_without(reduced: LocalSandbox) -> None:
    script = """
        import os, threading
        from joblib import Parallel, delayed
        together = threading.Barrier(2)
        def meet(_):
            together.wait(20)
            return os.getpid()
        here = os.getpid()
        print(Parallel(n_jobs=2, backend="threading")(delayed(meet)(i) for i in range(4)) == 4 * [here])
        for backend in ("loky", "multiprocessing"):
            print(Parallel(n_jobs=2, backend=backend)(delayed(os.getpid)() for _ in range(3)) == 3 * [here])
        try:
            Parallel(n_jobs=2, prefer="threads")(delayed(int)(text) for text in "12x")
        except ValueError as problem:
            print(problem)
    """
    played = await play(reduced, dedent(script), limits=PATIENT)
    assert played.stdout == "True\nTrue\nTrue\ninvalid literal for int() with base 10: 'x'\n", played.stderr
    assert played.stderr == ""


def _parent(pid: int) -> int:
    return next(int(line.split()[1]) for line in _status(pid) if line.startswith("PPid"))


def _cwd(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115  a process may be gone
    except OSError:
        return ""


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


@pytest.mark.slow
async def test_a_killed_application_leaves_neither_process_nor_folder(reduced: LocalSandbox) -> None:
    program = f"""
        import asyncio, sys
        sys.path.insert(0, {str(PROJECT)!r})
        from sandbox.base import Job
        from sandbox.choose import open_sandbox
        async def main():
            async for event in open_sandbox("reduced").run(Job("a", {STUBBORN!r})):
                print(event.text, end="", flush=True)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE) as application:
        assert application.stdout is not None
        folder = Path((await asyncio.to_thread(application.stdout.readline)).decode().strip())
        assert folder.exists()
        family = below(application.pid)
        assert len(family) >= 5
        application.kill()
        await asyncio.wait_for(gone(family), 10)
    assert not folder.parent.exists()


async def test_what_a_script_leaves_is_removed_however_deep_and_shut_it_is(reduced: LocalSandbox) -> None:
    script = """
        import os
        print(os.getcwd())
        os.chdir("outputs")
        for _ in range(1500):
            os.mkdir("deeper"); os.chdir("deeper")
        os.mkdir("shut", 0)
        os.symlink("/", "root")
    """
    played = await play(reduced, dedent(script), limits=PATIENT)
    assert played.outcome.kind == "disk_quota"
    assert not Path(played.stdout.strip()).parent.exists()


def test_two_may_remove_the_same_folder_at_once(tmp_path: Path) -> None:
    """The application and a run's supervisor do so where one of them thinks that the other is gone."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ThreadPoolExecutor(3) as pool:
        for _ in range(6):
            folder = staging.make(tmp_path, None)
            for number in range(10):
                (folder.scratch / f"{number}/inner").mkdir(parents=True)
                (folder.scratch / f"{number}/file").touch()
            os.close(folder.outputs)
            list(pool.map(staging.remove, [folder.path] * 3))
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_multiprocessing_is_told_to_be_missing(reduced: LocalSandbox) -> None:
    script = "import multiprocessing\nmultiprocessing.Pool(2)"
    played = await play(reduced, script)
    assert played.outcome.kind == "error"
    assert "PermissionError" in played.stderr or "OSError" in played.stderr


def test_too_many_processes_are_told_before_each_is_looked_at() -> None:
    crowd = [subprocess.Popen(["sleep", "60"]) for _ in range(5)]
    try:
        assert len(tree.descendants(3)) >= 3
        meter = TreeMeter(Quota({}, 3), used_on_disk, memory_mb=-1000, cpu_seconds=0)
        assert meter.sample() == "pids"
    finally:
        for process in crowd:
            process.kill()
            process.wait()


def test_however_long_a_measurement_takes_the_next_one_is_soon() -> None:
    assert pause(0.02) == pytest.approx(0.18)
    assert pause(15) <= 1


def test_abandoned_folders_are_swept_and_those_in_use_are_not() -> None:
    place = staging.place_beside(())
    used, left = staging.make(place), staging.make(place)
    (left.scratch / "file").write_text("x")
    os.close(left.outputs)
    staging.sweep()
    assert used.path.exists()
    assert not left.path.exists()
    os.close(used.outputs)
    staging.remove(used.path)


def test_nothing_else_is_ever_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made by this module"):
        staging.remove(tmp_path)


def test_on_older_kernels_the_filter_does_what_landlock_does_not_yet(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("content")
    program = dedent(OLD_KERNEL.replace("PROJECT", repr(str(PROJECT))))
    command = [sys.executable, "-c", program, str(tmp_path / "victim")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        os.killpg(process.pid, signal.SIGKILL)
    refused = ("another", "everybody", "its group", "by descriptor", "truncate", "emptying on reading")
    assert {name: said[name] for name in refused} == dict.fromkeys(refused, errno.EPERM)
    assert said["openat2"] == errno.ENOSYS
    assert said["itself"] == said["reading"] == said["writing"] == 0
