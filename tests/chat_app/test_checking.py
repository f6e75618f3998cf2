"""`modelwright check`: the real command on real files; a table for people, JSON for programs, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HARMLESS = "import pandas as pd\n\nprint(pd.read_csv('inputs/a.csv').describe())\n"
HARMFUL = "import os\nprint(undefined)\nos.system('ls')\n"


def modelwright(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As a person types it, in a window of 80 columns."""
    command = [str(Path(sys.executable).with_name("modelwright")), *words]
    env = {**os.environ, "COLUMNS": "80", "MODELWRIGHT_HOME": str(folder / "home")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=env)


def test_a_harmless_script(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HARMLESS)
    done = modelwright(tmp_path, "check", "a.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "found nothing" in done.stdout
    told = json.loads(modelwright(tmp_path, "check", "a.py", "--json").stdout)
    assert told == {"verdict": "ok", "counts": {"block": 0, "ask": 0, "note": 0}, "findings": []}


def test_notes_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"import math\n{HARMLESS}")
    done = modelwright(tmp_path, "check", "a.py", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (0, "ok")
    assert told["counts"] == {"block": 0, "ask": 0, "note": 1}
    assert told["findings"][0] == {
        "tool": "ruff",
        "rule": "F401",
        "severity": "note",
        "line": 1,
        "column": 8,
        "message": "`math` imported but unused.",
    }


def test_a_harmful_script_in_a_narrow_window(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(HARMFUL)
    done = modelwright(tmp_path, "check", "evil.py")
    assert done.returncode == 1
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert all(word in done.stdout for word in ("block", "ask", "policy:process", "F821", "bandit", "os.system"))


def test_a_harmful_script_as_json(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(HARMFUL)
    done = modelwright(tmp_path, "check", "--json", "evil.py")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (1, "block")
    assert told["counts"]["block"] >= 1
    assert told["counts"]["ask"] >= 1
    assert {"ruff", "bandit", "policy"} == {found["tool"] for found in told["findings"]}
    assert all(found["line"] >= 1 and found["column"] >= 1 and found["message"] for found in told["findings"])


def test_what_only_asks_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import unknown_package\nprint(unknown_package)\n")
    done = modelwright(tmp_path, "check", "a.py", "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "ask")


def test_what_is_no_python_is_a_finding_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ndef f(:\n")
    done = modelwright(tmp_path, "check", "a.py", "--json")
    (found,) = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert (found["tool"], found["severity"], found["line"]) == ("syntax", "block", 2)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("missing.py", None, "no file"),
        ("folder", None, "folder"),
        ("latin.py", "x = 'ä'".encode("latin-1"), "UTF-8"),
        ("empty.py", b"\n \n", "empty"),
        ("large.py", b"x = 1\n" * 200_000, "1 MB"),
        ("book.ipynb", b"{}", "nbconvert"),
    ],
)
def test_what_is_no_script_is_one_sentence(tmp_path: Path, name: str, content: bytes | None, word: str) -> None:
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = modelwright(tmp_path, "check", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_a_script_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("open('/etc/\\x1b[31mpasswd')\nimport \x1b]0;title\x07\n")
    done = modelwright(tmp_path, "check", "a.py")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout


def test_a_script_may_come_from_stdin() -> None:
    command = [str(Path(sys.executable).with_name("modelwright")), "check", "-"]
    done = subprocess.run(command, input=HARMFUL, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\nstdin: " in done.stdout
    assert "os.system" in done.stdout
