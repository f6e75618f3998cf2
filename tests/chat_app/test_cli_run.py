"""`modelwright run` from the first byte to the last: in a pipe, in a terminal, interrupted, and on bad input."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from agents.events import CodeWritten, Failed
from agents.state import CodeAuthor
from chat_app.handing_over import failure_sentence
from tests.chat_app.test_cli import COMMAND, assert_one_sentence, clean_environment, modelwright
from tools.samples import write_sample

BUDGET = "10"
FILES = (
    "report.json",
    "report.md",
    "train.py",
    "leaderboard.csv",
    "contract.json",
    "events.jsonl",
    "notebook.ipynb",
    "bundle.zip",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run on the iris sample: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    arguments = ("run", "iris", "predict species", "--yes", "--budget", BUDGET, "--seed", "7", "--out", "result")
    done = modelwright(*arguments, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "result", done.stdout


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_every_promised_file_is_there(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    assert [name for name in FILES if not (folder / name).is_file()] == []
    assert list((folder / "charts").glob("*.png"))
    assert any((folder / "model").iterdir())
    assert [path.name for path in folder.parent.iterdir()] == ["result"]


def test_the_report_holds_what_was_promised(finished: tuple[Path, str]) -> None:
    found = report(finished[0])
    for name in ("task", "target", "rows_train", "rows_holdout", "verdict", "holdout_looks", "seconds"):
        assert name in found
    for score in (found["metric"], found["baseline"]):
        assert set(score) >= {"name", "value", "ci_low", "ci_high", "greater_is_better"}
    assert set(found["hashes"]) >= {"data", "code", "contract"}
    assert found["budget_seconds"] == float(BUDGET)
    assert all(set(row) >= {"model", "cv_score", "seconds"} for row in found["leaderboard"])
    assert all(set(probe) >= {"probe", "passed", "detail"} for probe in found["audit"])


def test_the_log_is_complete_and_in_order(finished: tuple[Path, str]) -> None:
    lines = [json.loads(line) for line in (finished[0] / "events.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["type"] == "MESSAGE_RECEIVED"
    assert lines[-1]["type"] == "TURN_ENDED"


def test_a_pipe_gets_plain_lines_and_a_summary(finished: tuple[Path, str]) -> None:
    folder, shown = finished
    assert "\x1b" not in shown
    for part in ("Read iris", "sandbox", "Leaderboard", "sealed rows", "Baseline", "Verdict", "./result"):
        assert part in shown
    assert f"{report(folder)['metric']['value']:.4g}" in shown


def test_the_leaderboard_is_the_reports(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    with (folder / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [row["model"] for row in report(folder)["leaderboard"]]


def test_predict_uses_the_model_in_the_sandbox(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = finished
    done = modelwright("predict", folder, write_sample("iris", tmp_path), "--out", "predicted.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "predicted.csv").open(newline="") as file:
        predicted = [row["prediction"] for row in csv.DictReader(file)]
    assert len(predicted) == 150
    assert len(set(predicted)) == 3


def test_predict_knows_the_samples(finished: tuple[Path, str], tmp_path: Path) -> None:
    done = modelwright("predict", finished[0], "iris", "--out", "p.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Predicted 150 rows: p.csv\n")
    assert "the set holds the true class for 90 % or more on average" in done.stdout


def test_predict_takes_rows_as_json_and_answers_in_json(finished: tuple[Path, str], tmp_path: Path) -> None:
    row = '{"sepal_length_cm": 5.1, "petal_length_cm": 1.4, "petal_width_cm": 99}'
    wishes = ("--row", row, "--fill-missing", "--level", "0.8", "--json")
    done = modelwright("predict", finished[0], *wishes, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (said,) = found["predictions"]
    assert said["warnings"] == "petal_width_cm 99 is above what training had (up to 2.5)"
    assert said["prediction"] in said["set"].split(" | ")
    assert (found["rows"], found["interval"]["level"], found["rows_with_warnings"]) == (1, 0.8, 1)
    assert "'sepal_width_cm' is not in the table and counts as missing" in " ".join(found["notes"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name a table to predict, or give a row with --row"),
        (("iris",), "Say with --out where the predictions go"),
        (("iris", "--out", "p.csv", "--level", "95"), "The level 95 is not between 0.5 and 0.999; 0.9 is usual"),
        (("--row", '{"petal_width_cm": 1}'), "With --fill-missing, what is not there counts as missing"),
        (("--row", "petal_width_cm=1"), 'give an object such as {"age": 42}'),
    ],
)
def test_predict_says_what_it_needs(
    arguments: tuple[str, ...], sentence: str, finished: tuple[Path, str], tmp_path: Path
) -> None:
    done = modelwright("predict", finished[0], *arguments, folder=tmp_path)
    assert_one_sentence(done, 2)
    assert sentence in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own can only be made by root")
def test_predictions_that_do_not_fit_the_disk_are_said(finished: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = on_small_disk("8k", "out", tmp_path, "predict", finished[0], "iris", "--out", "out/p.csv")
    assert_one_sentence(done, 4)
    assert done.stderr == "modelwright: out/p.csv could not be written: No space left on device.\n"


def test_predict_says_what_is_no_model(finished: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    done = modelwright("predict", tmp_path, "t.csv", "--out", "p.csv", folder=tmp_path)
    assert_one_sentence(done, 2)
    assert not (tmp_path / "p.csv").exists()


def test_an_earlier_result_is_replaced_and_said(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    before = report(folder)
    arguments = ("run", "iris", "predict species", "--yes", "--budget", BUDGET, "--seed", "7", "--out", "result")
    done = modelwright(*arguments, folder=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "Replacing the earlier result" in done.stdout
    after = report(folder)
    assert after["hashes"] == before["hashes"]
    assert after["holdout_looks"] == before["holdout_looks"] + 1


# Interrupted

STAGES = (
    "Read iris",
    "The table's quality",
    "Predict species",
    "Training script",
    "Training in the sandbox",
    "fold",
    "Scoring the sealed rows",
    "Probing the result",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"), [*((stage, signal.SIGINT) for stage in STAGES), ("fold", signal.SIGTERM)]
)
def test_a_run_that_is_interrupted_leaves_nothing(moment: str, number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "iris", "predict species", "--yes", "--budget", BUDGET],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = next((line for line in process.stdout if moment in line), None)
    assert shown is not None, f"{moment!r} was never shown"
    started = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "modelwright: Interrupted; nothing is left running.\n"
    assert list(tmp_path.iterdir()) == []
    if STAGES.index(moment) < STAGES.index("Training script"):
        assert kept_projects(tmp_path) == []
    assert psutil.wait_procs(started, timeout=10)[1] == []


def kept_projects(folder: Path) -> list[Path]:
    """Folders of projects in the home that belongs to this working folder."""
    return list((Path(clean_environment(folder)["MODELWRIGHT_HOME"]) / "projects").iterdir())


# In a terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Any]:
    """`modelwright run` on a pseudo-terminal of 80 columns."""
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "run", "iris", "predict species", "--budget", BUDGET, "--out", "result"],
        cwd=str(tmp_path),
        env={**clean_environment(tmp_path), "TERM": "xterm-256color"},
        dimensions=(40, 80),
        encoding="utf-8",
        timeout=240,
    )
    yield child
    child.close(force=True)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_person_changes_the_plan_approves_and_gets_the_result(terminal: Any, tmp_path: Path) -> None:
    terminal.expect("Is this the right plan")
    terminal.expect(r"\[r\]eject: ")
    assert "species" in plain(terminal.before)
    terminal.sendline("e")
    terminal.expect("change: ")
    terminal.sendline("seed=3")
    terminal.expect("change: ")
    terminal.sendline("")
    terminal.expect(r"\[r\]eject: ")
    assert "seed 3" in plain(terminal.before)
    terminal.sendline("a")
    terminal.expect("May this script run")
    terminal.expect(r"\[r\]eject: ")
    assert "network" in plain(terminal.before)
    terminal.sendline("a")
    terminal.expect("Verdict")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert json.loads((tmp_path / "result" / "contract.json").read_text())["seed"] == 3


def test_ctrl_c_at_a_question_ends_the_run(terminal: Any, tmp_path: Path) -> None:
    terminal.expect(r"\[r\]eject: ")
    terminal.sendintr()
    terminal.expect("Interrupted")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_at_a_question_ends_the_run(number: signal.Signals, terminal: Any, tmp_path: Path) -> None:
    terminal.expect(r"\[r\]eject: ")
    terminal.kill(number)
    terminal.expect("Interrupted; nothing is left running.")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert list(tmp_path.iterdir()) == []
    assert kept_projects(tmp_path) == []


def test_a_rejected_plan_trains_nothing(terminal: Any, tmp_path: Path) -> None:
    terminal.expect(r"\[r\]eject: ")
    terminal.sendline("r")
    terminal.expect("What should be different")
    terminal.sendline("")
    terminal.expect("nothing was trained")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 2
    assert list(tmp_path.iterdir()) == []


# Bad input


def table(rows: list[str]) -> bytes:
    return ("\n".join(rows) + "\n").encode()


NUMBERS = [f"{number},{number % 7},{number % 2}" for number in range(60)]
BAD: dict[str, bytes] = {
    "empty": b"",
    "header only": table(["a,b,y"]),
    "one row": table(["a,b,y", "1,2,0"]),
    "one column": table(["y", *[str(number % 2) for number in range(60)]]),
    "garbage": bytes(range(256)) * 40,
    "constant target": table(["a,b,y", *[f"{number},{number % 7},1" for number in range(60)]]),
    "target of gaps": table(["a,b,y", *[f"{number},{number % 7}," for number in range(60)]]),
    "every label different": table(["a,b,y", *[f"{number % 5},{number % 7},label {number}" for number in range(60)]]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_table_that_leads_to_no_model_gets_one_sentence(kind: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(BAD[kind])
    done = modelwright("run", "t.csv", "predict y", "--yes", "--budget", BUDGET, folder=tmp_path)
    assert_one_sentence(done, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert kept_projects(tmp_path) == []


def test_a_target_that_is_not_there_is_asked_for_in_the_request(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(table(["alpha,beta,gamma", *NUMBERS]))
    done = modelwright("run", "t.csv", "predict turnover", "--yes", folder=tmp_path)
    said = assert_one_sentence(done, 2)
    assert "gamma" in said
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def on_small_disk(size: str, place: str, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command where `place` is a file system of its own with this much room."""
    small = f'mount -t tmpfs -o size={size} none "{place}" && exec "$0" "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", small, *COMMAND, *arguments],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own can only be made by root")
@pytest.mark.parametrize("size", ["100k", "300k", "600k", "1m"])
def test_a_home_on_a_full_disk_is_one_sentence(size: str, tmp_path: Path) -> None:
    home = clean_environment(tmp_path)["MODELWRIGHT_HOME"]
    Path(home).mkdir()
    arguments = ("run", "iris", "predict species", "--yes", "--budget", BUDGET)
    done = on_small_disk(size, home, tmp_path, *arguments)
    assert "is full; make room" in assert_one_sentence(done, 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("author", ["recipe", "user"])
def test_only_who_wrote_the_script_is_told_to_change_it(author: CodeAuthor) -> None:
    written = CodeWritten(attempt=1, code_hash="0" * 64, author=author, lines=3)
    failed = Failed("TRAIN", "script", "'(' was never closed", "Edit the script.")
    said = failure_sentence(failed, [written, failed])
    assert said.startswith("'(' was never closed. ")
    assert ("Edit the script" in said) == (author == "user")


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own can only be made by root")
def test_a_full_disk_at_the_end_keeps_the_result(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    arguments = ("run", "iris", "predict species", "--yes", "--budget", BUDGET, "--out", "out")
    done = on_small_disk("64k", "out", tmp_path, *arguments)
    said = assert_one_sentence(done, 4)
    assert "No space left on device" in said
    kept = re.search(r"The result is safe in (.+)\.\n", said)
    assert kept is not None
    assert (Path(kept[1]) / "report.json").is_file()


def test_without_isolation_nothing_runs(tmp_path: Path) -> None:
    """A machine that forbids namespaces and Landlock, made with the same kind of filter that locks our scripts in."""
    code = (
        "import ctypes; from sandbox import seccomp; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0);"
        "seccomp.lock(seccomp.program()); from modelwright import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "iris", "predict species", "--yes"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert_one_sentence(done, 3)
    assert list(tmp_path.iterdir()) == []
