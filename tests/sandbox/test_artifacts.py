"""What a hostile script leaves in outputs/ cannot lead the trusted side astray."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.artifacts import MAX_FILES, Collected, TooMuch, collect
from sandbox.base import Artifact, SandboxBroken
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import play


def gather(source: Path, destination: Path, max_bytes: int = 10_000) -> tuple[Artifact, ...]:
    return everything(source, destination, max_bytes).files


def everything(source: Path, destination: Path, max_bytes: int = 10_000) -> Collected:
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return collect(fd, destination, max_bytes)
    finally:
        os.close(fd)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_only_regular_files_come_out(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (source / "chart.png").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to("/etc")
    os.mkfifo(source / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(source / "socket"))
    (source / "real.txt").write_text("real")
    assert [a.name for a in gather(source, tmp_path / "out")] == ["real.txt"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["real.txt"]
    listener.close()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "a_b"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("...", "_"),
        ("c:\\x", "c__x"),
        (" ", "_"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("é.csv", "é.csv"),
        ("x" * 250 + ".csv", "x" * 196 + ".csv"),
        ("x" * 51 + "-" + "x" * 195 + ".csv", "x" * 195 + ".csv"),
        (os.fsdecode(b"\xff"), "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_names_are_made_safe(source: Path, tmp_path: Path, name: str, shown: str) -> None:
    (source / name).write_text("x")
    (artifact,) = gather(source, tmp_path / "out")
    assert artifact.name == shown
    assert artifact.path == tmp_path / "out" / shown


def test_names_that_become_the_same_do_not_overwrite_each_other(source: Path, tmp_path: Path) -> None:
    for name in ("a?", "a*", "A_"):
        (source / name).write_text(name)
    assert len({artifact.path.read_text() for artifact in gather(source, tmp_path / "out")}) == 3


def test_a_file_and_a_folder_whose_names_become_the_same_both_come_out(source: Path, tmp_path: Path) -> None:
    (source / "a:").write_text("file")
    for folder in ("a_", "a?", "A*"):
        (source / folder).mkdir()
        (source / folder / "inner:").write_text(folder)
    names = {artifact.name: artifact.path.read_text() for artifact in gather(source, tmp_path / "out")}
    assert names == {"a_/inner_": "a_", "A__2/inner_": "A*", "a__3": "file", "a__4/inner_": "a?"}


def test_a_name_that_needs_no_change_is_kept_whatever_else_is_there(source: Path, tmp_path: Path) -> None:
    for name in ("-model.joblib", "model.joblib", "~model.joblib"):
        (source / name).write_text(name)
    gather(source, tmp_path / "out")
    assert (tmp_path / "out/model.joblib").read_text() == "model.joblib"
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_holes_do_not_fill_the_disk(source: Path, tmp_path: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(TooMuch, match="larger than"):
        gather(source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_too_many_files_are_refused_as_a_whole(source: Path, tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (source / str(number)).touch()
    with pytest.raises(TooMuch, match="more than"):
        gather(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [("x" * 197 + ":.a", "x" * 197 + "*.a"), ("日" * 66 + ":a", "日" * 66 + "*a"), (b"\xff" * 120, b"\xff" * 121)],
)
def test_names_at_the_limit_both_come_out(source: Path, tmp_path: Path, one: str | bytes, other: str | bytes) -> None:
    for name in (one, other):
        (source / os.fsdecode(name)).write_bytes(os.fsencode(name))
    found = gather(source, tmp_path / "out")
    assert {artifact.path.read_bytes() for artifact in found} == {os.fsencode(one), os.fsencode(other)}
    assert all(len(artifact.name.encode()) <= 200 for artifact in found)


def test_thousands_of_names_that_become_the_same_take_no_time(source: Path, tmp_path: Path) -> None:
    for number in range(5000):
        (source / ("".join(":*"[number >> bit & 1] for bit in range(13)))).touch()
    with pytest.raises(TooMuch):
        gather(source, tmp_path / "out")


def deep(source: Path, folders: int, name: str = "d") -> Path:
    folder = source
    for _ in range(folders):
        folder = folder / name
        folder.mkdir()
    (folder / "f").touch()
    return folder


def test_deep_folders_come_out_and_endless_ones_are_named(source: Path, tmp_path: Path) -> None:
    deep(source, 32)
    assert [a.name for a in gather(source, tmp_path / "out")] == ["d/" * 32 + "f"]
    (source / ("d/" * 32) / "e").mkdir()
    collected = everything(source, tmp_path / "out2")
    assert [a.name for a in collected.files] == ["d/" * 32 + "f"]
    assert collected.left_behind == ("d/" * 32 + "e (too deep)",)


def test_a_way_longer_than_the_system_takes_is_named(source: Path, tmp_path: Path) -> None:
    (source / "good").touch()
    deep(source, 15, "日" * 66)
    collected = everything(source, tmp_path / "out")
    assert [a.name for a in collected.files] == ["good"]
    (left,) = collected.left_behind
    assert left.endswith("(too deep)")
    assert len(left) < 250


def test_what_stays_behind_is_named_with_the_reason(source: Path, tmp_path: Path) -> None:
    (source / "link:").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    (source / "good").touch()
    collected = everything(source, tmp_path / "out")
    assert [a.name for a in collected.files] == ["good"]
    assert collected.left_behind == ("fifo (neither a file nor a folder)", "link_ (a link)")


def test_of_much_that_stays_behind_some_is_named(source: Path, tmp_path: Path) -> None:
    for number in range(25):
        (source / f"{number:02}").symlink_to("/")
    assert everything(source, tmp_path / "out").left_behind[19:] == ("19 (a link)", "and 5 more")


def test_files_join_a_folder_that_is_there_already(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "out/old").write_text("old")
    (source / "sub").mkdir()
    (source / "sub/new").write_text("new")
    gather(source, tmp_path / "out")
    assert (tmp_path / "out/old").read_text() == "old"
    assert (tmp_path / "out/sub/new").read_text() == "new"


def test_a_destination_that_cannot_be_written_is_one_sentence(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (source / "a").touch()
    with pytest.raises(SandboxBroken, match="could not be saved: File exists") as told:
        gather(source, tmp_path / "file/out")
    assert str(tmp_path) not in str(told.value)
    assert "space" not in str(told.value)


def test_the_leftovers_of_a_killed_copy_are_swept(source: Path, tmp_path: Path) -> None:
    stale = tmp_path / ".out.partial-4194304.7"
    stale.mkdir()
    gather(source, tmp_path / "out")
    assert not stale.exists()


async def test_a_script_that_plants_links_gets_nothing_out(sandbox: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    script = f"""
import os
os.symlink({str(tmp_path / "secret")!r}, "outputs/a")
os.symlink("/etc", "outputs/b")
os.mkfifo("outputs/c")
open("outputs/d", "w").write("mine")
os.chmod("outputs/d", 0)
os.mkdir("outputs/e"); open("outputs/e/f", "w"); os.chmod("outputs/e", 0)
open("outputs/g", "w").write("honest")
"""
    played = await play(sandbox, script, outputs=tmp_path / "out")
    assert played.outcome.ok
    assert {a.name for a in played.outcome.files} <= {"d", "e/f", "g"}
    assert not any(p.is_symlink() for p in (tmp_path / "out").rglob("*"))
    assert "secret" not in [p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file()]


SHUT = {
    "a folder": "os.chmod('outputs/d', 0o400)",
    "a folder, wholly": "os.chmod('outputs/d', 0)",
    "outputs itself": "os.chmod('outputs', 0)",
    "everything": "os.chmod('outputs/d', 0o100); os.chmod('outputs', 0o200)",
}


@pytest.mark.parametrize("line", SHUT.values(), ids=SHUT)
async def test_folders_that_a_script_has_shut_are_opened(sandbox: LocalSandbox, tmp_path: Path, line: str) -> None:
    script = f"import os\nos.mkdir('outputs/d')\nfor a in ('d/x', 'good'): open('outputs/' + a, 'w').close()\n{line}"
    played = await play(sandbox, script, outputs=tmp_path / "out")
    assert played.outcome.ok
    assert [a.name for a in played.outcome.files] == ["d/x", "good"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
@pytest.mark.parametrize("line", SHUT.values(), ids=SHUT)
def test_an_ordinary_user_opens_shut_folders_too(tmp_path: Path, line: str) -> None:
    """Root may enter anything; whoever is not root has to make it accessible first."""
    source, out = tmp_path / "outputs", tmp_path / "out"
    program = f"""
import os
from pathlib import Path
from sandbox.artifacts import collect
os.setresuid(4242, 4242, 4242)
os.chdir({str(tmp_path)!r})
os.makedirs("outputs/d")
for a in ("d/x", "good"): open("outputs/" + a, "w").close()
fd = os.open("outputs", os.O_RDONLY | os.O_DIRECTORY)
{line}
print(sorted(a.name for a in collect(fd, Path({str(out)!r}), 1000).files), end="")
"""
    for folder in (tmp_path, *tmp_path.parents[:3]):  # pytest-xdist puts one more in between
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | (0o777 if folder == tmp_path else 0o055))  # may be /tmp
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("['d/x', 'good']", "")
    assert source.exists()


async def test_names_of_bad_bytes_do_not_cost_the_good_files(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = "open(b'outputs/' + b'\\xff' * 120, 'w').close()\nopen('outputs/good', 'w').close()"
    played = await play(sandbox, script, outputs=tmp_path / "out")
    assert [a.name for a in played.outcome.files][:1] == ["good"]
    assert len(played.outcome.files) == 2


async def test_the_outcome_says_what_stayed_behind(sandbox: LocalSandbox, tmp_path: Path) -> None:
    played = await play(sandbox, "import os\nos.symlink('/etc', 'outputs/a')", outputs=tmp_path / "out")
    assert played.outcome.ok
    assert played.outcome.left_behind == ("a (a link)",)


async def test_too_many_files_of_a_script_are_its_own_fault(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = "for i in range(1500): open(f'outputs/{i}', 'w')"
    played = await play(sandbox, script, outputs=tmp_path / "out")
    assert played.outcome.kind == "disk_quota"
    assert "1000 files" in played.outcome.message
