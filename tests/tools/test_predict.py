"""Predict with a model folder: the real sandbox loads the model, the rows come back with their predictions."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.tools.result_scene import Result
from tools.ingest import Dataset, ingest
from tools.model_folder import schema_text
from tools.predict import PredictError, check_output, collect, find_model, prepare
from tools.predictions import Predictions
from tools.worker import Workers


@pytest.fixture
def folder(result: Result, tmp_path: Path) -> Path:
    """A delivered model folder."""
    model = tmp_path / "delivered" / "model"
    model.mkdir(parents=True)
    shutil.copy(result.model, model)
    (model / "train.py").write_text(result.script)
    (model / "schema.json").write_text(schema_text(result.contract))
    return model


def table(tmp_path: Path, text: str, name: str = "table.csv") -> Dataset:
    (tmp_path / name).write_text(text)
    return ingest(tmp_path / name, tmp_path / "data")


def some_rows(result: Result, tmp_path: Path, **added: str) -> Dataset:
    """Three rows with the columns of the model in another order, and more columns."""
    names = list(reversed(result.contract.features))
    lines = [",".join([*added, *names])]
    lines += [",".join([*added.values(), *(str(10.5 + row) for _ in names)]) for row in range(3)]
    return table(tmp_path, "\n".join(lines) + "\n")


async def test_the_delivered_model_predicts_the_sealed_rows_to_the_same_score(
    result: Result, folder: Path, tmp_path: Path, workers: Workers
) -> None:
    dataset = ingest(result.sealed.holdout_features, tmp_path / "data")
    ready = prepare(folder.parent, dataset)
    found = await workers.predict(ready.folder, ready.contract, dataset.path)
    assert collect(ready, found, tmp_path / "answer.csv") == dataset.rows
    with (tmp_path / "answer.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = pq.read_table(result.sealed.holdout_labels).sort_by("row").column("target").to_pylist()
    right = sum(row["prediction"] == label for row, label in zip(rows, labels, strict=True)) / len(rows)
    counts = result.curves.confusion
    assert counts is not None
    assert right == pytest.approx(sum(line[i] for i, line in enumerate(counts.counts)) / len(rows))
    assert float(rows[0]["p_benign"]) + float(rows[0]["p_malignant"]) == pytest.approx(1)
    assert ready.notes == ()


ANSWERED = Predictions(np.array([0.0, 0.0, 1.0]), np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]]))
"""Of three rows; the first class is “benign”."""


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".xlsx", ".json", ".ndjson"])
def test_every_kind_of_file_holds_rows_and_predictions(
    suffix: str, result: Result, folder: Path, tmp_path: Path
) -> None:
    ready = prepare(folder, some_rows(result, tmp_path, code="007", note="=1+1"))
    out = tmp_path / "new folder" / f"answer{suffix}"
    assert collect(ready, ANSWERED, out) == 3
    found = ingest(out, tmp_path / "back")
    rows = found.head(3)
    assert [row["prediction"] for row in rows] == ["benign", "benign", "malignant"]
    assert [row["p_benign"] for row in rows] == [0.6, 0.9, 0.2]
    assert [row["code"] for row in rows] == ["007"] * 3
    assert [row["note"] for row in rows] == ["=1+1"] * 3
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_table_with_its_own_prediction_column_keeps_it(result: Result, folder: Path, tmp_path: Path) -> None:
    ready = prepare(folder, some_rows(result, tmp_path, prediction="old"))
    collect(ready, ANSWERED, tmp_path / "a.parquet")
    names = pq.read_schema(tmp_path / "a.parquet").names
    assert names.count("prediction") == 1
    assert "prediction (2)" in names


def test_missing_columns_are_named_and_a_near_miss_is_asked_about(result: Result, folder: Path, tmp_path: Path) -> None:
    names = [name for name in result.contract.features if name != "mean texture"]
    dataset = table(tmp_path, ",".join([*names, "Mean Texture"]) + "\n" + ",".join(["1"] * 6) + "\n")
    with pytest.raises(PredictError, match=r"lacks the column 'mean texture'.*is 'Mean Texture' meant to be"):
        prepare(folder, dataset)


def test_extra_columns_and_odd_types_are_notes(result: Result, folder: Path, tmp_path: Path) -> None:
    names = list(result.contract.features)
    dataset = table(tmp_path, ",".join([*names, "city"]) + "\n" + ",".join(["much", *["1"] * 5, "Oslo"]) + "\n")
    ready = prepare(folder, dataset)
    assert any("'mean radius' should hold numbers" in note for note in ready.notes)
    assert any("does not use 'city'" in note for note in ready.notes)


def test_a_folder_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PredictError, match="no model folder"):
        find_model(tmp_path / "nowhere")
    with pytest.raises(PredictError, match=r"holds no model\.joblib and schema\.json"):
        find_model(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"task": "binary"}', "\x00", "[" * 100_000])
def test_a_damaged_schema_is_a_sentence(content: str, folder: Path, result: Result, tmp_path: Path) -> None:
    (folder / "schema.json").write_text(content)
    with pytest.raises(PredictError, match="damaged"):
        prepare(folder, some_rows(result, tmp_path))


def test_the_output_must_be_a_kind_of_file_that_we_write(tmp_path: Path) -> None:
    with pytest.raises(PredictError, match=r"should end in one of \.csv"):
        check_output(tmp_path / "answer.docx")
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(PredictError, match="is a folder"):
        check_output(tmp_path / "x.csv")


def test_the_schema_gives_back_what_prediction_needs(result: Result, folder: Path) -> None:
    found = json.loads((folder / "schema.json").read_text())
    assert [feature["name"] for feature in found["features"]] == list(result.contract.features)
    assert found["classes"] == ["benign", "malignant"]
