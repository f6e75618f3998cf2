"""Good code hardly notices: the same script says the same, to the last bit, inside a sandbox and without one."""

import asyncio
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sandbox.base import Artifact, Limits
from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox.ordinary import SCRIPTS, TABLE_ROWS
from tests.sandbox.scenes import Played, play
from tests.tools.modelling_scene import contract_for, sealed_scene
from tools import recipes
from tools.contract import Contract
from tools.ingest import ingest
from tools.samples import SAMPLES, write_sample

ROOMY = Limits(cpus=2, memory_mb=2048, seconds=200)
THREADS = min(2, len(os.sched_getaffinity(0)))
PASSING_TIME = {"seconds", "done", "took"}
"""What may differ between two runs of the same recipe: how long its parts took,"""
SECONDS = re.compile(r"\b[0-9.]+(?= s\b| of )")
"""in its words too; and which of two fits that go on at the same time speaks first."""
HEAVY = ("processes of joblib", "statistics", "models")
"""Scripts that are run with the slow tests."""
REDUCED = {"processes": "PermissionError"}
"""Scripts that need the semaphores of /dev/shm, which the reduced level has not, and what they say of it on stderr."""


@dataclass(frozen=True)
class Told:
    """What a script said and left, wherever it ran."""

    stdout: str
    stderr: str
    exit_code: int | None
    metrics: Sequence[object]
    files: Mapping[str, Path]


def outside(script: str, inputs: Mapping[str, Path], folder: Path) -> Told:
    """The script run by the same Python in a folder of its own, with as many threads and nothing around it."""
    (folder / "inputs").mkdir(parents=True)
    (folder / "outputs").mkdir()
    (folder / "tmp").mkdir()
    for name, path in inputs.items():
        (folder / "inputs" / name).symlink_to(path)
    (folder / "script.py").write_text(script, encoding="utf-8")
    counts = {f"{library}_NUM_THREADS": str(THREADS) for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
    clean = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        **counts,
    }
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    lines = done.stdout.splitlines(keepends=True)
    return Told(
        stdout="".join(line for line in lines if not line.startswith("@@")),
        stderr=done.stderr.replace(f"{folder}/", ""),
        exit_code=done.returncode,
        metrics=[json.loads(line[2:]) for line in lines if line.startswith("@@")],
        files={str(path.relative_to(folder / "outputs")): path for path in _files(folder / "outputs")},
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _told(played: Played) -> Told:
    files: tuple[Artifact, ...] = played.outcome.files
    named = {artifact.name: artifact.path for artifact in files}
    return Told(played.stdout, played.stderr, played.outcome.exit_code, played.metrics, named)


async def inside(sandbox: LocalSandbox, script: str, inputs: Mapping[str, Path], folder: Path) -> Told:
    """The script in the sandbox."""
    played = await play(sandbox, script, inputs=inputs, outputs=folder, limits=ROOMY)
    assert played.outcome.kind in ("ok", "error"), played.outcome.message
    return _told(played)


def assert_same(one: Told, other: Told) -> None:
    """Word by word; files by name."""
    assert one.stderr == other.stderr
    assert one.stdout == other.stdout
    assert one.metrics == other.metrics
    assert one.exit_code == other.exit_code
    assert sorted(one.files) == sorted(other.files)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A small table as CSV, and as Parquet in a folder."""
    folder = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(7)
    number = random.normal(size=TABLE_ROWS)
    frame = pd.DataFrame(
        {
            "number": number,
            "gaps": np.where(random.uniform(size=TABLE_ROWS) < 0.1, np.nan, random.gamma(2, 3, TABLE_ROWS)),
            "size": number * 3 + random.normal(size=TABLE_ROWS),
            "kind": random.choice(["red", "grün", "blue"], TABLE_ROWS),
            "moment": pd.Timestamp("2023-11-01") + pd.to_timedelta(np.arange(TABLE_ROWS), "D"),
            "label": np.where(number + random.normal(size=TABLE_ROWS) > 0, "yes", "no"),
        }
    )
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "folder").mkdir()
    frame.to_parquet(folder / "folder/table.parquet")
    return {"table.csv": folder / "table.csv", "folder": folder / "folder"}


def _slow_unless(usual: bool) -> Sequence[pytest.MarkDecorator]:
    return () if usual else (pytest.mark.slow,)


@pytest.fixture(scope="session", params=[pytest.param(name, marks=_slow_unless(name == LEVELS[0])) for name in LEVELS])
def local(request: pytest.FixtureRequest) -> Iterator[tuple[Level, LocalSandbox]]:
    """A sandbox of each level that this machine has."""
    isolation = try_level(request.param)
    if isolation.level == "none":
        pytest.skip(f"this machine has no level {request.param!r}: {isolation.reason}")
    sandbox = LocalSandbox(isolation)
    yield request.param, sandbox
    asyncio.run(sandbox.close())


@pytest.fixture(scope="session")
def expected(inputs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Told]:
    """What an ordinary script says outside, found out once."""

    @functools.cache
    def find_out(name: str) -> Told:
        told = outside(SCRIPTS[name], inputs, tmp_path_factory.mktemp("outside") / "work")
        assert told.exit_code == (1 if name == "failure" else 0), told.stderr
        return told

    return find_out


@pytest.mark.parametrize("name", [pytest.param(name, marks=_slow_unless(name not in HEAVY)) for name in SCRIPTS])
async def test_an_ordinary_script_says_the_same_inside(
    local: tuple[Level, LocalSandbox],
    name: str,
    inputs: Mapping[str, Path],
    expected: Callable[[str], Told],
    tmp_path: Path,
) -> None:
    level, sandbox = local
    found = await inside(sandbox, SCRIPTS[name], inputs, tmp_path / "inside")
    if level == "reduced" and name in REDUCED:
        assert REDUCED[name] in found.stderr, "the list of what this level cannot do is out of date"
        assert expected(name).stdout.startswith(found.stdout)
    else:
        assert_same(found, expected(name))


PREDICT = """
import runpy, sys
sys.argv[1:] = ["inputs/table.parquet", "outputs/predictions.parquet"]
runpy.run_path("inputs/model/predict.py", run_name="__main__")
"""
"""The program that people take home, beside its model."""


@dataclass(frozen=True)
class Step:
    """One recipe on one sample, and what it says outside."""

    name: str
    script: str
    inputs: Mapping[str, Path]
    expected: Told


@pytest.fixture(scope="session")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Step]]:
    """Every recipe on a sample, run outside once; the recipes that need a model get the one that was trained there."""

    @functools.cache
    def find_out(sample: str) -> list[Step]:
        folder = tmp_path_factory.mktemp(sample)
        contract, parts = _work_on(sample, folder)
        done: list[Step] = []
        for name, script in _recipes(contract).items():
            told = outside(script, parts, folder / "outside" / name)
            assert told.exit_code == 0, told.stderr
            done.append(Step(name, script, dict(parts), told))
            if name == "train":
                parts["model"] = _model_folder(contract, script, told, folder / "model")
        return done

    return find_out


def _recipes(contract: Contract) -> dict[str, str]:
    """Name -> filled program; training comes first."""
    return {
        "train": recipes.recipe_for(contract, train_seconds=20),
        "baseline": recipes.baseline_for(contract),
        "audit": recipes.audit_for(contract, seconds=60),
        "predict": PREDICT,
    }


def _work_on(sample: str, folder: Path) -> tuple[Contract, dict[str, Path]]:
    """The contract of a sample and its sealed parts, by the names under which recipes read them."""
    dataset = ingest(write_sample(sample, folder / "sample"), folder / "data")
    target = SAMPLES[sample].target
    frame = pd.read_parquet(dataset.path)
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    if sample == "diabetes":
        columns[target] = columns[target].astype(float)
    contract = contract_for(columns, target)
    sealed = sealed_scene(columns, contract, folder)
    parts = {"train.parquet": sealed.train, "holdout_features.parquet": sealed.holdout_features}
    return contract, {**parts, "table.parquet": sealed.holdout_features}


def _model_folder(contract: Contract, script: str, trained: Told, folder: Path) -> Path:
    folder.mkdir()
    (folder / "predict.py").write_text(recipes.predictor_for(contract), encoding="utf-8")
    (folder / "train.py").write_text(script, encoding="utf-8")
    (folder / "model.joblib").write_bytes(trained.files["model.joblib"].read_bytes())
    return folder


def _timeless(value: object) -> object:
    """Without the fields that only say how long something took, or how much had been done by then."""
    if isinstance(value, dict):
        return {name: _timeless(inner) for name, inner in value.items() if name not in PASSING_TIME}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def _timeless_told(told: Told) -> Told:
    """What a recipe said, in an order of its own."""
    metrics = sorted((_timeless(record) for record in told.metrics), key=repr)
    return replace(told, stdout=SECONDS.sub("#", told.stdout), metrics=metrics)


def assert_same_tables(one: Told, other: Told) -> None:
    """Every table and record that a recipe left, value by value."""
    for name, path in one.files.items():
        if name.endswith(".parquet"):
            pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(other.files[name]), check_exact=True)
        elif name.endswith(".json"):
            assert _timeless(json.loads(path.read_text())) == _timeless(json.loads(other.files[name].read_text()))


@pytest.mark.parametrize(
    "sample", [pytest.param(name, marks=_slow_unless(name in ("iris", "diabetes"))) for name in SAMPLES]
)
async def test_every_recipe_says_the_same_inside(
    local: tuple[Level, LocalSandbox], sample: str, steps: Callable[[str], list[Step]], tmp_path: Path
) -> None:
    _, sandbox = local
    for step in steps(sample):
        found = await inside(sandbox, step.script, step.inputs, tmp_path / step.name)
        assert_same(_timeless_told(found), _timeless_told(step.expected))
        assert_same_tables(found, step.expected)
