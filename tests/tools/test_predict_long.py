"""Slow proofs: memory stays flat however long the table is, and real tables are held as often as promised."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for
from tests.tools.result_scene import Result
from tests.tools.test_predict import delivered
from tools.conformal import of_classes, of_numbers
from tools.predictions import Predictions
from tools.rowwise import class_sets, interval

MEASURE = """
import asyncio, resource, sys
from pathlib import Path
import numpy as np
import pyarrow.parquet as pq
from tools.ingest import Column, Dataset, ingest
from tools.predict import prepare
from tools.predict_rows import Wishes, predict_table
from tools.predictions import Predictions

async def half(rows):
    chances = np.full((len(rows), 2), 0.5)
    return Predictions(np.zeros(len(rows)), chances)

model, table, out = map(Path, sys.argv[1:])
if table.suffix == ".csv":
    dataset = ingest(table, out.parent / "data")
else:  # read already: what is measured is predicting alone
    columns = tuple(Column(name, "number") for name in pq.read_schema(table).names)
    dataset = Dataset("", table, table.name, pq.read_metadata(table).num_rows, columns)
done = asyncio.run(predict_table(prepare(model, dataset), half, out, Wishes()))
print(done.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "most"), [(".parquet", 1.15), (".csv", 1.75)])
def test_eight_times_the_rows_need_hardly_more_memory(suffix: str, most: float, result: Result, tmp_path: Path) -> None:
    """Reading a CSV holds some row groups of 122,880 rows per core, which the short table does not fill."""
    model = delivered(result, tmp_path / "model")
    peaks = []
    for name, rows in (("short", 100_000), ("long", 800_000)):
        (tmp_path / name).mkdir()
        values = np.random.default_rng(0).integers(10, 20, rows)
        table = pa.table(dict.fromkeys(result.contract.features, values))
        if suffix == ".csv":
            pc.write_csv(table, tmp_path / f"{name}.csv")
        else:
            pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=50_000)
        arguments = [model, tmp_path / f"{name}{suffix}", tmp_path / name / f"out{suffix}"]
        command = [sys.executable, "-c", MEASURE, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found, peak = map(int, done.stdout.split())
        assert found == rows
        peaks.append(peak)
    assert peaks[1] < most * peaks[0], peaks


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_held_back_rows_of_a_real_table_lie_in_their_intervals(level: float) -> None:
    """Mean over twenty divisions into training, sealed and fresh rows."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge

    X, y = load_diabetes(return_X_y=True)
    shares = []
    for seed in range(20):
        train, sealed, fresh = np.split(np.random.default_rng(seed).permutation(len(X)), [150, 250])
        model = Ridge(alpha=0.1).fit(X[train], y[train])
        found = of_numbers(y[sealed], model.predict(X[sealed]), "random")
        lower, upper = interval(model.predict(X[fresh]), found.parts, level)
        shares.append(((lower <= y[fresh]) & (y[fresh] <= upper)).mean())
    assert np.mean(shares) == pytest.approx(level, abs=0.025), shares


@pytest.mark.slow
def test_held_back_rows_of_a_real_table_lie_in_their_sets() -> None:
    from sklearn.datasets import load_digits
    from sklearn.naive_bayes import GaussianNB

    X, y = load_digits(return_X_y=True)
    columns = {"x": np.zeros(10), "digit": [str(digit) for digit in range(10)]}
    contract = contract_for(columns, "digit")
    shares = []
    for seed in range(20):
        train, sealed, fresh = np.split(np.random.default_rng(seed).permutation(len(X)), [400, 1_200])
        model = GaussianNB(var_smoothing=1e-3).fit(X[train], y[train])
        chances = model.predict_proba(X[sealed])
        found = of_classes(y[sealed], Predictions(np.zeros(len(sealed)), chances), contract)
        assert found is not None
        sets = class_sets(model.predict_proba(X[fresh]), found.parts, 0.9)
        shares.append(sets[np.arange(len(fresh)), y[fresh]].mean())
    assert 0.88 <= float(np.mean(shares)) <= 0.97, shares  # of a model so sure that most scores are 0
