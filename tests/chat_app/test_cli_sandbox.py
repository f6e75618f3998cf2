"""`modelwright sandbox run` and `check` in a shell: real processes, the real sandbox, real signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pexpect
import psutil
import pytest

from sandbox.probe import Level, try_level
from tests.chat_app.test_cli import COMMAND, assert_one_sentence, clean_environment, in_shell, modelwright

OK = {"outcome", "exit_code", "seconds", "peak_memory_mb", "stdout", "stderr", "truncated", "files", "isolation"}
ENDLESS = "import time\nprint('here', flush=True)\ntime.sleep(60)\n"


def write(folder: Path, text: str, name: str = "s.py") -> str:
    (folder / name).write_text(dedent(text))
    return name


def ran(folder: Path, text: str, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the one object on stdout; nothing on stderr."""
    done = modelwright("sandbox", "run", write(folder, text), "--json", *arguments, folder=folder)
    assert done.stderr == "", done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, told


def test_inputs_are_read_only_and_outputs_come_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep.txt").write_text("deep")
    script = """
        import os, pathlib
        print(sorted(os.listdir("inputs")), pathlib.Path("inputs/folder/deep.txt").read_text())
        try:
            open("inputs/t.csv", "a")
        except OSError as error:
            print(type(error).__name__)
        pathlib.Path("outputs/sub").mkdir()
        pathlib.Path("outputs/sub/copy.csv").write_bytes(pathlib.Path("inputs/t.csv").read_bytes())
    """
    code, told = ran(tmp_path, script, "--in", "t.csv", "--in", "folder", "--out", "new/out")
    assert code == 0, told
    assert told["stdout"].splitlines()[0] == "['folder', 't.csv'] deep"
    assert told["stdout"].splitlines()[1] in ("OSError", "PermissionError")
    assert told["files"] == [{"name": "sub/copy.csv", "bytes": 4}]
    assert (tmp_path / "new" / "out" / "sub" / "copy.csv").read_text() == "a\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "new", "s.py", "t.csv"]


def test_the_object_holds_what_was_promised(tmp_path: Path) -> None:
    script = """
        import sys
        print("words")
        print('@@{"kind": "progress", "done": 1}')
        print("complaint", file=sys.stderr)
        sys.exit(7)
    """
    code, told = ran(tmp_path, script)
    assert code == 1
    assert set(told) >= OK
    assert (told["outcome"], told["exit_code"], told["signal"]) == ("error", 7, None)
    assert (told["stdout"], told["stderr"]) == ("words\n", "complaint\n")
    assert told["metrics"] == [{"kind": "progress", "done": 1}]
    assert told["seconds"] > 0
    assert told["peak_memory_mb"] > 1
    assert not told["truncated"]
    assert "exit code 7" in told["message"]


def test_what_the_script_says_goes_to_the_stream_it_chose_and_the_end_is_one_line(tmp_path: Path) -> None:
    text = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nopen('outputs/x', 'w').write('1')\n"
    done = modelwright("sandbox", "run", write(tmp_path, text), folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "out\n"
    first, last = done.stderr.splitlines()
    assert first == "err"
    for part in ("modelwright: The script finished in", "ok · ", " MB at its peak", "1 file thrown away without --out"):
        assert part in last


@pytest.mark.parametrize(
    ("script", "arguments", "outcome"),
    [
        ("while True: pass", ("--time", "1"), "timeout"),
        ("try:\n while True: pass\nexcept KeyboardInterrupt: raise SystemExit(3)", ("--time", "1"), "timeout"),
        ("bytearray(900 * 2**20)", ("--memory", "128"), "memory"),
        ("open('outputs/x', 'wb').write(bytes(9 * 2**20))", ("--written", "4"), "disk_quota"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", (), "signal"),
    ],
)
def test_a_limit_that_was_set_is_met(script: str, arguments: tuple[str, ...], outcome: str, tmp_path: Path) -> None:
    code, told = ran(tmp_path, script, *arguments)
    assert (code, told["outcome"]) == (1, outcome), told
    assert told["signal"] == (signal.SIGSEGV if outcome == "signal" else None)
    if outcome in ("timeout", "signal"):
        assert told["exit_code"] is None


@pytest.mark.parametrize(
    ("level", "files", "code"), [("full", ["big", "small"], 1), ("bubblewrap", [], None), ("reduced", [], None)]
)
def test_beyond_its_files_a_script_is_refused_by_the_kernel_or_ended_by_us_as_documented(
    level: Level, files: list[str], code: int | None, tmp_path: Path
) -> None:
    if try_level(level).level != level:
        pytest.skip(f"this machine has no {level}")
    script = "open('outputs/small', 'w').write('x')\nopen('outputs/big', 'wb').write(bytes(300 * 2**20))\ninput()"
    _, told = ran(tmp_path, script, "--level", level, "--written", "16")
    assert told["outcome"] == "disk_quota"
    assert ([file["name"] for file in told["files"]], told["exit_code"], told["signal"]) == (files, code, None)


def test_too_many_words_are_cut_and_it_is_said(tmp_path: Path) -> None:
    code, told = ran(tmp_path, "while True: print('x' * 1000)", "--output", "1")
    assert (code, told["outcome"], told["truncated"]) == (1, "output_limit", True)
    assert len(told["stdout"]) <= 2**20
    assert told["output_bytes"] <= 2**20


def test_a_script_cannot_steer_the_terminal(tmp_path: Path) -> None:
    text = r"""print("\x1b]0;owned\x07\x1b[2Jdone\ttabbed")"""
    write(tmp_path, text)
    screen = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "sandbox", "run", "s.py"],
        cwd=str(tmp_path),
        env=clean_environment(tmp_path),
        encoding="utf-8",
        timeout=60,
    )
    shown = screen.read()
    screen.close()
    assert "done" in shown
    assert "\x1b" not in shown
    assert "�" in shown
    assert modelwright("sandbox", "run", "s.py", folder=tmp_path).stdout == "\x1b]0;owned\x07\x1b[2Jdone\ttabbed\n"


def test_a_script_may_come_from_stdin(tmp_path: Path) -> None:
    done = in_shell("echo 'print(6 * 7)' | modelwright sandbox run -", tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n")


@pytest.mark.parametrize(
    ("line", "code", "stdout"),
    [
        ("modelwright sandbox run s.py >&-", 0, ""),
        ("modelwright sandbox run s.py --json >&-", 0, ""),
        ("modelwright sandbox run s.py 2>&-", 0, "1\n"),
        ("modelwright sandbox run s.py <&- >&- 2>&-", 0, ""),
        ("modelwright sandbox run - <&-", 2, ""),
        ("modelwright check - <&-", 2, ""),
        ("modelwright run iris 'predict species' <&-", 2, ""),
    ],
)
def test_a_stream_that_is_closed_is_an_empty_one(line: str, code: int, stdout: str, tmp_path: Path) -> None:
    write(tmp_path, "print(1)")
    done = in_shell(line, tmp_path)
    assert (done.returncode, done.stdout) == (code, stdout), done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert ("modelwright: " in done.stderr) == ("2>&-" not in line and "--json" not in line)


def test_inputs_may_follow_like_a_shell_writes_them(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)
    write(tmp_path, "import os; print(sorted(os.listdir('inputs')))")
    done = in_shell("modelwright sandbox run s.py --in *.csv", tmp_path)
    assert done.stdout == "['a.csv', 'b.csv']\n", done.stderr


def test_what_the_check_would_block_is_said_and_runs_behind_the_lock(tmp_path: Path) -> None:
    text = """
        import socket
        try:
            socket.create_connection(("127.0.0.1", 80), timeout=1)
        except OSError:
            print("no way out")
    """
    done = modelwright("sandbox", "run", write(tmp_path, text), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no way out\n")
    assert done.stderr.startswith("modelwright: Warning: line ")
    _, told = ran(tmp_path, text)
    assert told["findings"]
    assert set(told["findings"][0]) == {"line", "rule", "sentence"}


# Bad input


@pytest.mark.parametrize(
    ("prepare", "arguments", "said"),
    [
        ("", ("gone.py",), "There is no file gone.py"),
        ("", (".",), "is a folder"),
        ("touch empty.py", ("empty.py",), "is empty"),
        (r"printf '\xff\xfe' > b.py", ("b.py",), "no UTF-8 text"),
        ("", ("-",), "stdin is empty"),
        ("", ("s.py", "--in", "gone.csv"), "There is no file gone.csv"),
        ("mkdir d; touch a.csv d/a.csv", ("s.py", "--in", "a.csv", "--in", "d/a.csv"), "would be inputs/a.csv"),
        ("mkfifo pipe", ("s.py", "--in", "pipe"), "neither a file nor a folder"),
        ("touch out", ("s.py", "--out", "out"), "--out needs a folder"),
        ("mkdir out; touch out/x", ("s.py", "--out", "out"), "holds files already"),
        ("", ("s.py", "--out", "/proc/new"), "Nothing can be written to /proc: it takes no files."),
        ("", ("s.py", "--time", "nan"), "nan is no number from 0.1 to 86,400. See `modelwright sandbox run --help`."),
        ("", ("s.py", "--time", "-1"), "-1 is no number from 0.1"),
        ("", ("s.py", "--cpus", "many"), "many is no number from 0.05"),
        ("", ("s.py", "--sandbox", "docke"), "See `modelwright sandbox run --help`."),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    prepare: str, arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    write(tmp_path, "print(1)")
    subprocess.run(["bash", "-c", prepare], cwd=tmp_path, check=True)
    done = modelwright("sandbox", "run", *arguments, folder=tmp_path)
    assert said in assert_one_sentence(done, 2)
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_an_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    write(tmp_path, "print(1)")
    (tmp_path / "secret.csv").write_text("a")
    (tmp_path / "secret.csv").chmod(0)
    done = modelwright("sandbox", "run", "s.py", "--in", "secret.csv", folder=tmp_path)
    assert "Permission denied" in assert_one_sentence(done, 2)


def test_overwriting_replaces_only_what_has_the_name_of_a_new_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_text("old")
    (out / "mine").write_text("mine")
    code, _ = ran(tmp_path, "open('outputs/x', 'w').write('new')", "--out", "out", "--overwrite")
    assert code == 0
    assert {path.name: path.read_text() for path in out.iterdir()} == {"x": "new", "mine": "mine"}


def test_nothing_is_written_through_a_link_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    text = "import os; os.mkdir('outputs/sub'); open('outputs/sub/x', 'w').write('new')"
    done = modelwright("sandbox", "run", write(tmp_path, text), "--out", "out", "--overwrite", folder=tmp_path)
    assert "leads out of the folder" in done.stderr
    assert done.returncode == 4
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_folder_one_stands_in_stays_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("open('outputs/x', 'w').write('1')")
    (tmp_path / "out").mkdir()
    before = (tmp_path / "out").stat()
    done = modelwright("sandbox", "run", "../s.py", "--out", ".", folder=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    after = (tmp_path / "out").stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]


# Ends from outside


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The endless script, once it has said that it is there."""
    write(folder, ENDLESS)
    process = subprocess.Popen(
        [*COMMAND, "sandbox", "run", "s.py", *arguments],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP))],
)
def test_an_interruption_ends_the_run_with_its_outcome(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        ours = children(process)
        assert ours
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("modelwright: The script was stopped on request. [killed_by_user · ")
    assert psutil.wait_procs(ours, timeout=10)[1] == []


def test_what_stays_behind_in_outputs_is_told(tmp_path: Path) -> None:
    script = "import os\nos.symlink('/etc', 'outputs/link')\n"
    code, told = ran(tmp_path, script, "--out", "new")
    assert (code, told["files"], told["left_behind"]) == (0, [], ["link (a link)"])
    done = modelwright("sandbox", "run", "s.py", folder=tmp_path)
    assert done.stderr.splitlines()[-2] == "modelwright: Left behind in outputs/: link (a link)."


def test_an_interruption_is_an_outcome_in_json_too(tmp_path: Path) -> None:
    with running(tmp_path, "--json", "--in", ".") as process:
        wait_for_the_script(process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    told = json.loads(stdout)
    assert (process.returncode, told["outcome"], stderr) == (130, "killed_by_user", "")


def wait_for_the_script(process: "subprocess.Popen[str]") -> None:
    """Until a process of ours runs; in JSON nothing is said before the end."""
    while not children(process):
        assert process.poll() is None


def catches(process: "subprocess.Popen[str]", number: signal.Signals) -> bool:
    """Whether the process has a handler for that signal."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (mask,) = (line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_an_interruption_before_there_is_a_script_is_said_too(
    arguments: tuple[str, ...], number: signal.Signals, tmp_path: Path
) -> None:
    """It waits for its script on stdin, where nothing comes."""
    process = subprocess.Popen(
        [*COMMAND, "sandbox", "run", "-", *arguments],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not catches(process, signal.SIGTERM):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 130
        stdout, stderr = process.communicate()
    finally:
        process.kill()
        process.communicate()
    if arguments:
        told = json.loads(stdout)
        assert (told["outcome"], told["exit_code"], told["files"], stderr) == ("killed_by_user", None, [], "")
    else:
        assert stderr == "modelwright: Interrupted; nothing is left running.\n"


def test_who_stops_reading_ends_it_without_a_word(tmp_path: Path) -> None:
    write(tmp_path, "while True: print('x' * 1000)")
    done = in_shell("modelwright sandbox run s.py | head -n 1", tmp_path)
    assert done.stdout == "x" * 1000 + "\n"
    assert (done.returncode, done.stderr) == (4, "")


def test_an_output_that_is_full_is_said(tmp_path: Path) -> None:
    write(tmp_path, "print(1)")
    done = in_shell("modelwright sandbox run s.py > /dev/full", tmp_path)
    assert assert_one_sentence(done, 4).endswith("could not be written: No space left on device.\n")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_isolation_nothing_runs(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A machine that forbids namespaces and Landlock, made with the same kind of filter that locks our scripts in."""
    write(tmp_path, "open('outputs/x', 'w')")
    code = (
        "import ctypes; from sandbox import seccomp; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0);"
        "seccomp.lock(seccomp.program()); from modelwright import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sandbox", "run", "s.py", "--out", "out", *arguments],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if arguments:
        assert done.returncode == 3
        assert json.loads(done.stdout)["outcome"] == "sandbox_broken"
    else:
        assert_one_sentence(done, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["s.py"]
