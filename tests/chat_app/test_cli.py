"""The `modelwright` command as a person or a script meets it: real processes, real exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agents.llm.endpoint import Endpoint
from chat_app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-c", "from modelwright import main; main()")
HEAVY = ("pandas", "numpy", "sklearn", "langgraph", "chainlit", "pydantic", "sqlalchemy", "rich.live", "asyncio")


def modelwright(
    *arguments: str | Path, folder: Path, stdin: int | None = subprocess.DEVNULL, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with a home of its own, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=clean_environment(folder, **environment),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    home = str(folder.parent / f"{folder.name}-home")
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": home, "MODELWRIGHT_HOME": home, **more}


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """One line on stderr that begins with our name, the right exit code, no traceback."""
    assert done.returncode == code, done.stdout + done.stderr
    assert re.fullmatch(r"modelwright: .+[.)?!]\n", done.stderr), done.stderr
    return done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, chat_app.cli; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["run", "profile", "predict", "sandbox", "sandbox run", "check", "doctor", "chat"])
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    done = modelwright(*command.split(), "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "Usage: modelwright" in done.stdout


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert re.fullmatch(r"modelwright \d+\.\d+\.\d+\S*\n", modelwright("--version", folder=tmp_path).stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "iris"),
        *(("run", "iris", "x", "--budget", wrong) for wrong in ("1", "nan")),
        ("fly",),
        ("run", "iris", "x", "--profile", "foo"),
    ],
)
def test_a_wrong_call_is_the_users_input(arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = assert_one_sentence(modelwright(*arguments, folder=tmp_path), 2)
    assert f"See `modelwright {'run ' if arguments[0] == 'run' else ''}--help`." in said
    assert "Value error" not in said


def test_what_does_not_fit_the_table_is_refused_before_results_are_promised(tmp_path: Path) -> None:
    refused = modelwright("run", "iris", "predict species", "--yes", "--split", "time:day", folder=tmp_path)
    assert "“day”" in assert_one_sentence(refused, 2)
    assert "Results go to" not in refused.stdout


def in_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`line` in bash, where $0 "$@" is our command; the exit code of the first of a pipe."""
    script = (
        f"set -o pipefail; {line.replace('modelwright', chr(34) + '$0' + chr(34) + ' ' + chr(34) + '$@' + chr(34))}"
    )
    return subprocess.run(
        ["bash", "-c", script, *COMMAND],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_closed_input_is_no_terminal(tmp_path: Path) -> None:
    assert "--yes" in assert_one_sentence(in_shell('modelwright run iris "predict species" <&-', tmp_path), 2)


def test_a_closed_output_hurts_nobody(tmp_path: Path) -> None:
    assert in_shell("modelwright profile iris >&-", tmp_path).stderr == ""


@pytest.mark.parametrize("line", ["profile iris", "--help", 'run iris "predict species" --yes'])
def test_an_output_that_is_full_is_said(line: str, tmp_path: Path) -> None:
    done = in_shell(f"modelwright {line} >/dev/full", tmp_path)
    assert assert_one_sentence(done, 4).endswith("could not be written: No space left on device.\n")


@pytest.mark.parametrize("line", ["profile iris", "--help", 'run iris "predict species" --yes'])
def test_who_stops_reading_is_told_nothing(line: str, tmp_path: Path) -> None:
    done = in_shell(f"modelwright {line} | (read -r _)", tmp_path)
    assert done.stderr == ""
    assert done.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_and_without_yes_nothing_runs(tmp_path: Path) -> None:
    assert "--yes" in assert_one_sentence(modelwright("run", "iris", "predict species", folder=tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("run", "gone.csv", "predict x", "--yes"), ("profile", "gone.csv")])
def test_a_table_that_does_not_exist_is_said_with_the_samples_that_do(command: tuple[str, ...], tmp_path: Path) -> None:
    said = assert_one_sentence(modelwright(*command, folder=tmp_path), 2)
    assert "gone.csv" in said
    assert "iris" in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    assert_one_sentence(modelwright("profile", ".", folder=tmp_path), 2)


def test_other_peoples_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years")
    done = modelwright("run", "iris", "predict species", "--yes", "--out", "thesis", folder=tmp_path)
    assert "holds other files" in assert_one_sentence(done, 2)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_script_that_cannot_be_read_is_said(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    done = modelwright("run", "iris", "predict species", "--yes", "--script", "mine.py", folder=tmp_path)
    assert "mine.py" in assert_one_sentence(done, 2)


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    done = modelwright("doctor", folder=tmp_path, MODELWRIGHT_PORT="eighty")
    assert "MODELWRIGHT_PORT" in assert_one_sentence(done, 2)


def test_the_doctor_tries_what_a_run_needs(tmp_path: Path) -> None:
    done = modelwright("doctor", folder=tmp_path)
    assert done.returncode in (0, 3)
    for name in ("isolation", "storage", "packages", "browser", "models"):
        assert name in done.stdout
    assert "none configured: the built-in experts decide" in " ".join(done.stdout.split())


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    done = modelwright("doctor", folder=tmp_path, MODELWRIGHT_HOME="/proc/modelwright")
    assert done.returncode == 3
    assert "cannot be written" in " ".join(done.stdout.split())


def test_a_home_that_cannot_be_written_is_the_users_input(tmp_path: Path) -> None:
    done = modelwright("run", "iris", "predict species", "--yes", folder=tmp_path, MODELWRIGHT_HOME="/proc/modelwright")
    assert "MODELWRIGHT_HOME" in assert_one_sentence(done, 2)


def test_one_row_and_one_column_are_not_many(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert "1 row, 1 column (" in modelwright("profile", "t.csv", folder=tmp_path).stdout


def test_a_profile_is_readable_and_exists_as_json(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'xy'[number % 2]},{number / 7:.2f}\n" for number in range(60))
    (tmp_path / "t.csv").write_text("id,kind,value\n" + rows)
    shown = modelwright("profile", "t.csv", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "60 rows" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    as_json = modelwright("profile", "t.csv", "--json", folder=tmp_path)
    assert '"rows": 60' in as_json.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_the_example_environment_names_every_setting_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text()
    for name, field in Settings.model_fields.items():
        if name == "home":
            assert "MODELWRIGHT_HOME=" in text
            continue
        if field.annotation == Endpoint | None:
            assert f"#MODELWRIGHT_{name.upper()}__BASE_URL=" in text
            continue
        default = (
            str(field.default).lower()
            if isinstance(field.default, bool)
            else ""
            if field.default is None
            else f"{field.default:g}"
            if isinstance(field.default, float)
            else str(field.default)
        )
        assert f"#MODELWRIGHT_{name.upper()}={default}\n" in text
