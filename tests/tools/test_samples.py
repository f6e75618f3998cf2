"""The built-in tables: readable, deterministic, and read back as they are."""

import csv
from pathlib import Path

import pytest

from tools.ingest import ingest
from tools.profile import profile
from tools.samples import SAMPLES, is_sample, write_sample

SHAPES = {"iris": (150, 5), "breast_cancer": (569, 31), "diabetes": (442, 11), "wine": (178, 14), "digits": (1797, 65)}
CLASSES = {
    "iris": {"setosa": 50, "versicolor": 50, "virginica": 50},
    "breast_cancer": {"benign": 357, "malignant": 212},
    "wine": {"grignolino": 71, "barolo": 59, "barbera": 48},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_a_clean_table_with_its_target(name: str, tmp_path: Path) -> None:
    dataset = ingest(write_sample(name, tmp_path), tmp_path / "data")
    assert (dataset.rows, len(dataset.columns)) == SHAPES[name]
    assert dataset.account == ()
    assert SAMPLES[name].target == dataset.names[-1]
    assert all(column.replace("_", "").isalnum() for column in dataset.names)
    found = profile(dataset)
    assert found.quality > 99
    if name in CLASSES:
        assert found.column(SAMPLES[name].target).counts == CLASSES[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_written_the_same_every_time(name: str, tmp_path: Path) -> None:
    first = write_sample(name, tmp_path / "a").read_bytes()
    assert write_sample(name, tmp_path / "b").read_bytes() == first
    assert write_sample(name, tmp_path / "a").read_bytes() == first
    assert [path.name for path in (tmp_path / "a").iterdir()] == [f"{name}.csv"]


def test_the_values_are_the_librarys(tmp_path: Path) -> None:
    with write_sample("iris", tmp_path).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm", "species"]
    assert rows[1] == ["5.1", "3.5", "1.4", "0.2", "setosa"]
    with write_sample("diabetes", tmp_path).open(encoding="utf-8") as file:
        assert next(csv.DictReader(file))["progression"] == "151"


def test_names_are_found_however_they_are_written() -> None:
    assert all(is_sample(name) for name in ("iris", "Breast Cancer", "breast-cancer", " WINE "))
    assert not any(is_sample(name) for name in ("", "iris.csv", "/tmp/iris", "titanic"))


def test_an_unknown_sample_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="choose iris, breast_cancer"):
        write_sample("titanic", tmp_path)


def test_every_request_names_its_sample_and_its_target() -> None:
    for sample in SAMPLES.values():
        assert sample.name.replace("_", " ") in sample.request
        assert sample.target in sample.request
        assert sample.label
        assert sample.description.endswith(".")
