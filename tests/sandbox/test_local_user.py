"""The same promises hold when an ordinary user runs us (attacks and bombs have their own way to become one)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TESTS = [f"tests/sandbox/test_{part}.py" for part in ("box", "limits", "poison", "local_places")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_ordinary_user_is_protected_as_well() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests ran as an ordinary user already")
    command = [sys.executable, "-m", "tests.sandbox.as_user", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
