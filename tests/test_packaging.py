"""The wheel: built, installed into an environment that sees our dependencies, used from another folder."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agents", "tools", "sandbox", "prompts", "chat_app")


def run(*command: str | Path, folder: Path) -> str:
    """Run in a folder without any variable that could help to find the checkout."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "MODELWRIGHT_HOME": str(folder / "home")}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, ROOT, folder=out)
    return next(out.glob("modelwright-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and our dependencies by a path file instead of a download."""
    place = tmp_path_factory.mktemp("elsewhere") / "env"
    venv.create(place, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        place / "bin" / "python",
        "--disable-pip-version-check",
    ]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, folder=place)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return place


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_keeps_our_folders_private(wheel: Path) -> None:
    top = {name.split("/")[0] for name in names(wheel)}
    assert {entry for entry in top if not entry.endswith(".dist-info")} == {"modelwright.py", "_modelwright"}


def test_every_source_and_data_file_is_in_the_wheel(wheel: Path) -> None:
    held = set(names(wheel))
    wanted = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    needed = [path.relative_to(ROOT).as_posix() for path in wanted if belongs(path)]
    assert [name for name in needed if f"_modelwright/{name}" not in held] == []
    assert any(name.endswith(".md") for name in needed)
    assert any("/recipes/" in name for name in needed)
    assert any("/public/" in name for name in needed)


def belongs(path: Path) -> bool:
    """What the program needs at run time: not the sources of the browser bundle, no caches."""
    inside = path.relative_to(ROOT)
    return inside.parts[:2] != ("chat_app", "ui") and "__pycache__" not in inside.parts and path.suffix != ".pyc"


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    assert [name for name in names(wheel) if "node_modules" in name or "/ui/" in name or name.startswith("tests")] == []


def test_the_command_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    command = installed / "bin" / "modelwright"
    assert run(command, "--version", folder=tmp_path).startswith("modelwright 0.")
    code = "import modelwright, chat_app.settings, prompts; print(chat_app.settings.__file__, prompts.__file__)"
    for path in run(installed / "bin" / "python", "-c", code, folder=tmp_path).split():
        assert "_modelwright" in path


def test_a_profile_can_be_made_with_the_installed_command(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{number},{number % 3}\n" for number in range(50)))
    shown = run(installed / "bin" / "modelwright", "profile", "t.csv", folder=tmp_path)
    assert "50 rows" in shown
