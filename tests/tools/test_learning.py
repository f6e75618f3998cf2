"""The learning curve: a question that needs more rows, one that does not, and unsound answers of the sandbox."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for
from tools.learning import Learning, learning
from tools.recipes import learning_for


def learned(columns: dict[str, Any], target: str, folder: Path) -> Learning:
    """The real program (ours, not a stranger's) on these training rows."""
    contract = contract_for(columns, target)
    (folder / "inputs").mkdir(parents=True)
    (folder / "outputs").mkdir()
    pq.write_table(pa.table(columns), folder / "inputs" / "train.parquet")
    (folder / "script.py").write_text(learning_for(contract, seconds=60))
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True, capture_output=True)
    return learning(folder / "outputs" / "learning.json", task=contract.task)


def test_a_hard_question_wants_more_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 6))
    price = x @ [1, 2, -1, 1, 2, 1] + 3 * x[:, 0] * x[:, 1] + random.normal(0, 0.1, 600)
    found = learned({**{f"x{i}": x[:, i] for i in range(6)}, "price": price}, "price", tmp_path)
    assert found.more_rows == "would help"
    assert found.measure == "RMSE"
    assert [one.rows for one in found.points] == [30, 60, 120, 240, 480]
    assert found.points[-1].loss < found.points[0].loss
    assert found.sentence.startswith("More rows would probably help: going from 240 to 480")


def test_where_everything_is_learned_more_rows_hardly_help(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    side = random.choice(["left", "right"], 4000)
    answer = np.where(random.random(4000) < np.where(side == "left", 0.2, 0.7), "yes", "no")
    found = learned({"side": side.tolist(), "answer": answer.tolist()}, "answer", tmp_path)
    assert found.more_rows == "hardly help"
    assert "Better columns would" in found.sentence


def test_noise_is_not_called_a_gain(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    columns = {"x": random.normal(size=400), "answer": random.choice(["yes", "no"], 400).tolist()}
    found = learned(columns, "answer", tmp_path)
    assert all(one.ci_low <= one.loss <= one.ci_high for one in found.points)
    assert found.points[-1].loss > 0.6


def test_where_more_rows_hurt_the_interval_has_the_sign_of_the_value(tmp_path: Path) -> None:
    path = tmp_path / "learning.json"
    path.write_text(json.dumps({"rows": [100, 200], "losses": [[0.50, 0.51, 0.50, 0.51], [0.55, 0.56, 0.55, 0.57]]}))
    found = learning(path, task="binary")
    assert found.gain is not None
    assert found.gain < 0
    said = re.search(
        r"raised the log-loss of a light model by ([\d.]+)% \(95 % interval ([\d.-]+)% to ([\d.-]+)%", found.sentence
    )
    assert said is not None, found.sentence
    value, low, high = map(float, said.groups())
    assert 0 < low < value < high


@pytest.mark.parametrize(
    "answer",
    [
        "no json", {"rows": [10, 20], "losses": [[1, 2], [-1, 2]]}, {"rows": [10], "losses": [[1.0, 2.0]]},
        {"rows": [10, 20], "losses": [[1.0, 2.0], [1.0, 2.0, 3.0]]}, {"rows": [], "losses": []}, [],
    ],
)  # fmt: skip
def test_an_unsound_answer_is_unknown_and_no_error(tmp_path: Path, answer: object) -> None:
    path = tmp_path / "learning.json"
    path.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    found = learning(path, task="binary")
    assert found.more_rows == "unknown"
    assert found.points == ()
    assert "was not measured" in found.sentence


def test_a_link_and_a_missing_file_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "other.json")
    assert learning(tmp_path / "link.json", task="binary").more_rows == "unknown"
    assert learning(tmp_path / "none.json", task="regression").measure == "RMSE"
