"""Predictions files made to hurt: each is refused by its footer, before a value of it is decoded."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, two_classes
from tools.contract import Contract
from tools.predictions import PredictionsRefused, read_predictions

ROWS = 200
LONG = "y" * 400_000


@pytest.fixture
def contract() -> Contract:
    return contract_for(two_classes(), "answer")


def honest() -> dict[str, Any]:
    """Columns of a good file."""
    columns = {"row": np.arange(ROWS), "prediction": ["yes"] * ROWS}
    return {**columns, "p_0": np.full(ROWS, 0.4), "p_1": np.full(ROWS, 0.6)}


def without_data(path: Path) -> Path:
    """The file with everything but its footer destroyed: whoever decodes a value of it finds it damaged."""
    data = bytearray(path.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") + 8
    data[4:-footer] = b"\xff" * (len(data) - footer - 4)
    path.write_bytes(data)
    return path


def written(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "made.parquet", **options)
    return without_data(folder / "made.parquet")


def test_an_honest_file_is_read_whatever_wrote_it(tmp_path: Path, contract: Contract) -> None:
    texts = pa.array(["yes"] * ROWS)
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        for compression in ("snappy", "none"):
            table = pa.table({**honest(), "prediction": texts.cast(kind)})
            pq.write_table(table, tmp_path / "made.parquet", compression=compression, row_group_size=50)
            found = read_predictions(tmp_path / "made.parquet", contract, ROWS)
            assert found.values.tolist() == [1.0] * ROWS
            assert found.probabilities is not None
            assert found.probabilities[0].tolist() == [0.4, 0.6]
    pq.write_table(pa.table(honest()), tmp_path / "made.parquet")
    with pytest.raises(PredictionsRefused, match="damaged"):
        read_predictions(without_data(tmp_path / "made.parquet"), contract, ROWS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"more": np.zeros(ROWS)}, "has 5 columns, but only row, prediction, p_0, p_1 belong there"),
        ({"p_1": pa.array([[1.0]] * ROWS)}, "nested columns"),
        ({"p_1": pa.array([{"a": 1.0}] * ROWS)}, "nested columns"),
        ({"p_1": pa.array([LONG] * ROWS)}, "“p_1” must hold numbers, not string"),
        ({"row": pa.array(["0"] * ROWS)}, "“row” must hold whole numbers"),
        ({"row": pa.array(np.arange(ROWS), pa.timestamp("us"))}, "“row” must hold whole numbers"),
        ({"prediction": pa.array([b"yes"] * ROWS)}, "“prediction” must hold class labels as text, not binary"),
        ({"prediction": [str(i) + "y" * 100_000 for i in range(ROWS)]}, "larger than predictions can be"),
    ],
)
def test_wrong_columns_are_refused_unread(
    tmp_path: Path, contract: Contract, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PredictionsRefused, match=sentence):
        read_predictions(written(tmp_path, {**honest(), **change}), contract, ROWS)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"compression": "zstd"}, "packed in a way"),
        ({"compression": "gzip"}, "packed in a way"),
        ({"use_dictionary": False, "column_encoding": {"prediction": "DELTA_BYTE_ARRAY"}}, "packed in a way"),
        ({"row_group_size": 1}, "cut into 200 pieces"),
    ],
)
def test_a_file_that_unfolds_is_refused_unread(
    tmp_path: Path, contract: Contract, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PredictionsRefused, match=sentence):
        read_predictions(written(tmp_path, honest(), **options), contract, ROWS)


def test_many_rows_in_a_small_file_are_refused_unread(tmp_path: Path, contract: Contract) -> None:
    rows = 300_000
    columns = {"row": np.zeros(rows, dtype=int), "prediction": pa.repeat("yes", rows)}
    made = written(tmp_path, {**columns, "p_0": np.zeros(rows), "p_1": np.ones(rows)})
    assert made.stat().st_size < 10_000
    with pytest.raises(PredictionsRefused, match="300000 rows, but 200 were to be predicted"):
        read_predictions(made, contract, ROWS)


def test_a_long_text_and_one_that_is_no_text_are_refused(tmp_path: Path, contract: Contract) -> None:
    broken = pa.array([b"\xff\xfe"] * ROWS).view(pa.string())
    for values, sentence in (([LONG[:50_000]] * ROWS, "longer than any label"), (broken, "not UTF-8")):
        pq.write_table(pa.table({**honest(), "prediction": values}), tmp_path / "made.parquet")
        with pytest.raises(PredictionsRefused, match=sentence):
            read_predictions(tmp_path / "made.parquet", contract, ROWS)


@pytest.mark.parametrize("many", [lambda n: "x" * n, lambda n: "é" * n])
def test_labels_and_columns_with_long_names_are_no_attack(tmp_path: Path, many: Callable[[int], str]) -> None:
    label = many(20_000)
    contract = contract_for({"x": [1, 2], "answer": ["no", label]}, "answer")
    code = contract.classes.index(label)
    columns = {"row": np.arange(3), "prediction": [label] * 3, f"p_{code}": np.ones(3), f"p_{1 - code}": np.zeros(3)}
    pq.write_table(pa.table(columns), tmp_path / "made.parquet")
    assert read_predictions(tmp_path / "made.parquet", contract, 3).values.tolist() == [float(code)] * 3


def test_a_label_from_a_file_is_named_without_control_characters(tmp_path: Path, contract: Contract) -> None:
    pq.write_table(pa.table({**honest(), "prediction": ["may\x1b[2J\nbe"] * ROWS}), tmp_path / "made.parquet")
    with pytest.raises(PredictionsRefused, match=r"^“may \[2J be” is predicted, but it is not a class of “answer”"):
        read_predictions(tmp_path / "made.parquet", contract, ROWS)


def test_numbers_that_no_score_can_be_computed_from_are_refused(tmp_path: Path) -> None:
    contract = contract_for({"x": [1.0], "y": [1.0]}, "y")
    pq.write_table(pa.table({"row": [0, 1, 2], "prediction": [1e200, 1.0, -1e90]}), tmp_path / "made.parquet")
    with pytest.raises(PredictionsRefused, match="^2 predictions are beyond"):
        read_predictions(tmp_path / "made.parquet", contract, 3)


LIE = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from tests.tools.modelling_scene import contract_for
from tools.predictions import PredictionsRefused, read_predictions

def varint(number):
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])

def read_varint(data, place):
    end = place
    while data[end] & 128:
        end += 1
    return sum((data[at] & 127) << 7 * (at - place) for at in range(place, end + 1)), end + 1

path, rows = Path(sys.argv[1]), 5_000
columns = {"row": np.arange(rows), "prediction": np.random.default_rng(0).normal(size=rows)}
pq.write_table(pa.table(columns), path, use_dictionary=False)
part, data = pq.read_metadata(path).row_group(0).column(1), bytearray(path.read_bytes())
size = part.data_page_offset + 3  # a page header: type, unpacked size, packed size, each a zigzag number
_, packed = read_varint(data, size)
given, end = read_varint(data, packed + 1)
claim = varint(2 * 2_000_000_000)
more = len(claim) - (packed - size)
chunk = part.data_page_offset + part.total_compressed_size
header = data[:size] + claim + data[packed : packed + 1] + varint(given - 2 * more)
path.write_bytes(header + data[end : chunk - more] + data[chunk:])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_predictions(path, contract_for({"x": [1.0], "y": [1.0]}, "y"), rows)
except PredictionsRefused as refused:
    print(refused)
touched = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(pa.default_memory_pool().max_memory() // 10**6, touched // 1024)
"""


def test_a_page_that_claims_two_gigabytes_costs_address_space_but_no_memory(tmp_path: Path) -> None:
    """No footer says how large a page is. Arrow reserves what the page claims, and finds the lie before it fills it."""
    done = subprocess.run([sys.executable, "-c", LIE, str(tmp_path / "lie.parquet")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sentence, numbers = done.stdout.strip().splitlines()
    assert sentence == "lie.parquet is damaged and cannot be read as Parquet."
    reserved, touched = map(int, numbers.split())
    assert reserved > 1_900  # the lie was told and believed
    assert touched < 50
