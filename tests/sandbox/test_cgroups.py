"""Control groups: made where they may be, read correctly, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import staging
from sandbox.base import Limits
from sandbox.cgroups import Group, Usage, let_go, new_group, sweep, tidy
from sandbox.scope import delegated_group, divide

PROJECT = Path(__file__).resolve().parents[2]


def test_a_new_group_has_our_limits_and_goes_away() -> None:
    group = new_group("test", Limits(memory_mb=64, written_mb=8, processes=5))
    if group is None:
        pytest.skip("no control group can be made here")
    assert all(folder.is_dir() for folder in group.folders.values())
    assert group.usage().oom_kills == 0
    assert group.remove()
    assert not any(folder.exists() for folder in group.folders.values())


def test_what_is_left_in_a_group_can_be_ended() -> None:
    group = new_group("left", Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    joining = group.join_descriptors()
    stray = os.fork()
    if stray == 0:
        for fd in joining:
            os.write(fd, b"0")
        signal.pause()
    try:
        while not all((folder / "cgroup.procs").read_text() for folder in group.folders.values()):
            pass
        assert not group.remove()
        group.kill()
    finally:
        os.waitpid(stray, 0)
        for fd in joining:
            os.close(fd)
    let_go(group)
    assert tidy()


def test_version_2_counters_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n")
    (tmp_path / "pids.events").write_text("max 7\n")
    (tmp_path / "memory.peak").write_text(f"{3 * 2**20}\n")
    assert Group({"all": tmp_path}).usage() == Usage(oom_kills=2, refused_tasks=7, peak_mb=3.0)


def test_missing_counters_are_no_reason_to_fail(tmp_path: Path) -> None:
    assert Group({"all": tmp_path}).usage() == Usage()
    assert Group({"memory": tmp_path}).usage() == Usage()


def test_sweeping_takes_the_dead_and_leaves_the_living() -> None:
    group = new_group("living", Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    dead = [folder.with_name("modelwright-4194304-1") for folder in group.folders.values()]
    for folder in dead:
        folder.mkdir()
    sweep()
    assert not any(folder.exists() for folder in dead)
    assert all(folder.exists() for folder in group.folders.values())
    group.remove()


def _joined(group: Group, then: str) -> "subprocess.Popen[bytes]":
    """A process in the group that says a line and then does something."""
    places = [str(folder / "cgroup.procs") for folder in group.folders.values()]
    script = f"import signal, os\nfor p in {places!r}: open(p, 'w').write('0')\nprint(1, flush=True)\n{then}"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    return process


def test_sweeping_ends_what_an_application_left_running() -> None:
    maker = (
        "import os, signal, sys; from sandbox.cgroups import new_group; from sandbox.base import Limits\n"
        "group = new_group('left', Limits())\nprint(*(group.folders.values() if group else ()), flush=True)\n"
        "signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", maker], stdout=subprocess.PIPE, cwd=PROJECT) as application:
        assert application.stdout is not None
        folders = [Path(name) for name in application.stdout.readline().decode().split()]
        if not folders:
            application.kill()
            pytest.skip("no control group can be made here")
        stray = _joined(Group({str(number): folder for number, folder in enumerate(folders)}), "signal.pause()")
        with stray:
            try:
                sweep()
                assert stray.poll() is None, "its application lives"
                application.kill()
                application.wait()
                sweep()
                assert stray.wait(5) == -signal.SIGKILL
            finally:
                application.kill()
                stray.kill()
    sweep()
    assert not any(folder.exists() for folder in folders)


def test_another_process_with_the_number_of_a_dead_owner_does_not_keep_its_groups() -> None:
    group = new_group("mine", Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    earlier = [folder.with_name(f"modelwright-{os.getpid()}-1.{namespace}-0") for folder in group.folders.values()]
    elsewhere = [folder.with_name(f"modelwright-{os.getpid()}-1.7-0") for folder in group.folders.values()]
    for folder in (*earlier, *elsewhere):
        folder.mkdir()
    sweep()
    assert not any(folder.exists() for folder in earlier)
    assert all(folder.exists() for folder in elsewhere), "another pid namespace's: nothing is known of its owner"
    for folder in elsewhere:
        folder.rmdir()
    assert group.remove()


def test_only_a_name_that_tells_its_owner_for_certain_gets_its_processes_killed() -> None:
    group = new_group("one", Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    old = {name: folder.with_name("modelwright-4194304-9") for name, folder in group.folders.items()}
    for folder in old.values():
        folder.mkdir()
    with _joined(Group(old), "signal.pause()") as stray:
        try:
            sweep()
            assert stray.poll() is None
        finally:
            stray.kill()
    sweep()
    assert not any(folder.exists() for folder in old.values())
    assert group.remove()


def test_a_folder_of_the_same_name_is_no_reason_to_do_without() -> None:
    first = new_group("same", Limits())
    if first is None:
        pytest.skip("no control group can be made here")
    second = new_group("same", Limits())
    assert second is not None
    assert set(first.folders.values()).isdisjoint(second.folders.values())
    assert first.remove()
    assert second.remove()


def test_root_is_told_when_groups_cannot_be_made_any_more(tmp_path: Path) -> None:
    group = new_group("works", Limits())
    if group is None or os.geteuid() != 0:
        pytest.skip("root can make no control group here")
    assert group.remove()
    with pytest.raises(OSError, match="no control group could be made any more"):
        new_group("lost", Limits(), tmp_path / "gone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_sweeping_ends_the_user_of_an_abandoned_folder_but_not_of_one_in_use(tmp_path: Path) -> None:
    user = next(uid for uid in reversed(staging.USERS) if not _is_taken(uid))
    sleep = [
        sys.executable,
        "-c",
        f"import os, signal; os.setresuid({user}, {user}, {user}); print(1, flush=True); signal.pause()",
    ]
    folder = staging.make(tmp_path, user)
    with subprocess.Popen(sleep, stdout=subprocess.PIPE) as stray:
        try:
            assert stray.stdout is not None
            assert stray.stdout.readline() == b"1\n"
            staging.sweep([tmp_path])
            assert stray.poll() is None
            os.close(folder.outputs)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another_run:
                another_run.bind(staging.name_of_user(user))
                staging.sweep([tmp_path])
                assert stray.poll() is None
            folder = staging.make(tmp_path, user)
            os.close(folder.outputs)
            staging.sweep([tmp_path])
            assert stray.wait(5) == -signal.SIGKILL
        finally:
            stray.kill()
    assert not folder.path.exists()


def _is_taken(uid: int) -> bool:
    """Whether a process is that user: none of those is to be ended by a test."""

    def owner(entry: Path) -> int | None:
        try:
            return entry.stat().st_uid
        except OSError:
            return None

    return any(owner(entry) == uid for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def test_limits_can_be_raised_and_lowered_for_the_job() -> None:
    group = new_group("changing", Limits(memory_mb=512, processes=9))
    if group is None:
        pytest.skip("no control group can be made here")
    for limits in (Limits(memory_mb=4096, processes=70), Limits(memory_mb=64, processes=5)):
        group.limit(limits)
        (pids,) = {folder for name, folder in group.folders.items() if name in ("pids", "all")}
        assert int((pids / "pids.max").read_text()) == limits.processes + 2
    let_go(group)
    assert tidy()


def _fake_scope(folder: Path) -> Path:
    """The files of a delegated group of version 2, as plain files."""
    folder.mkdir()
    (folder / "cgroup.controllers").write_text("cpu memory pids")
    (folder / "cgroup.subtree_control").write_text("")
    return folder


def test_a_delegated_group_is_divided_and_its_groups_get_their_limits(tmp_path: Path) -> None:
    scope = divide(_fake_scope(tmp_path / "modelwright-7.scope"), 7)
    assert (scope / "zygote/cgroup.procs").read_text() == "7"
    assert (scope / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    (scope / "cgroup.subtree_control").write_text("cpu memory pids")  # as the kernel shows it
    group = new_group("1", Limits(cpus=1.5, memory_mb=100, written_mb=4, processes=5), scope)
    assert group is not None
    written = {file.name: file.read_text() for file in group.folders["all"].iterdir()}
    assert written == {
        "memory.max": str(200 * 2**20),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "7",
        "cpu.max": "150000 100000",
    }


async def test_without_a_systemd_of_the_user_there_is_none_and_no_error() -> None:
    assert await delegated_group(os.getpid()) is None or os.geteuid() != 0
