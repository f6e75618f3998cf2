"""Intervals and sets hold the truth as often as they say: on made-up tables, and on held-back rows of real ones."""

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, two_classes
from tools.conformal import (
    LEVELS,
    Conformal,
    ConformalError,
    conformal,
    conformal_text,
    of_classes,
    of_numbers,
    quantiles,
    read_conformal,
)
from tools.metrics import Array
from tools.predictions import Predictions, write_predictions
from tools.rowwise import class_sets, in_words, interval

CLASSES = contract_for(two_classes(), "answer")


def held(truth: Array, predicted: Array, found: Conformal, level: float) -> Array:
    lower, upper = interval(predicted, found.parts, level)
    return cast(Array, (lower <= truth) & (truth <= upper))


def uneven(rows: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """(truth, prediction): errors grow with the prediction, have heavy tails, and the model is biased."""
    predicted = generator.uniform(1, 100, rows)
    return predicted * (1.1 + 0.2 * generator.standard_t(4, rows)), predicted


@pytest.mark.parametrize("rows", [20, 99, 600])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_say(rows: int, level: float) -> None:
    """The mean over many calibrations, whose error is far below the margin (Angelopoulos & Bates 2023, 3.2)."""
    generator = np.random.default_rng(rows)
    shares = []
    for _ in range(300):
        truth, predicted = uneven(rows, generator)
        found = of_numbers(truth, predicted, "random")
        shares.append(held(*uneven(400, generator), found, level).mean())
    groups = len(found.edges) + 1
    assert level - 0.01 <= np.mean(shares) <= level + groups / (rows + 1) + 0.01
    low, high = found.certain(level)
    inside = np.mean([low - 0.04 <= share <= high + 0.04 for share in shares])
    assert inside > 0.9


def test_within_ranges_of_the_prediction_each_range_is_held() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = uneven(4_000, generator)
    found = of_numbers(truth, predicted, "random")
    assert len(found.edges) == 9
    fresh, said = uneven(20_000, generator)
    inside = held(fresh, said, found, 0.9)
    for low, high in ((1, 20), (40, 60), (80, 100)):
        assert inside[(said > low) & (said < high)].mean() == pytest.approx(0.9, abs=0.03)
    lower, upper = interval(np.array([5.0, 95.0]), found.parts, 0.9)
    assert upper[1] - lower[1] > 5 * (upper[0] - lower[0])


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_sets_hold_the_true_class_also_of_a_model_that_is_far_too_sure(share: float) -> None:
    """A rare class is held as often as the common one, because each has a limit of its own."""
    generator = np.random.default_rng(1)

    def rows(count: int) -> tuple[Any, Predictions]:
        truth = (generator.random(count) < share).astype(np.int64)
        odds = 8 * (truth - 0.5 + generator.normal(0, 0.8, count))
        chance = 1 / (1 + np.exp(-odds))
        return truth, Predictions((chance > 0.5).astype(float), np.column_stack([1 - chance, chance]))

    found = of_classes(*rows(3_000), CLASSES)
    assert found is not None
    assert len(found.quantiles) == 2
    truth, fresh = rows(40_000)
    assert fresh.probabilities is not None
    sets = class_sets(fresh.probabilities, found.parts, 0.9)
    inside = sets[np.arange(len(truth)), truth]
    for code in (0, 1):
        assert inside[truth == code].mean() == pytest.approx(0.9, abs=0.035)
    assert sets.any(axis=1).all()
    assert (fresh.values == truth).mean() < 0.8


def test_a_class_with_few_sealed_rows_shares_the_limit_of_all() -> None:
    truth = np.array([0] * 95 + [1] * 5)
    chances = np.full((100, 2), 0.5)
    found = of_classes(truth, Predictions(np.zeros(100), chances), CLASSES)
    assert found is not None
    assert found.sizes == (100,)
    assert of_classes(truth, Predictions(np.zeros(100), None), CLASSES) is None


def test_the_quantile_is_the_one_of_the_theory() -> None:
    """With 99 scores the 90 % one is the 90th smallest; with 9 the largest; with 8 there is none."""
    stored = dict(zip(LEVELS, quantiles(np.arange(99, 0, -1.0)), strict=True))
    assert (stored[0.9], stored[0.5], stored[0.99]) == (90, 50, 99)
    assert stored[0.995] is None
    assert dict(zip(LEVELS, quantiles(np.arange(1.0, 10)), strict=True))[0.9] == 9
    assert dict(zip(LEVELS, quantiles(np.arange(1.0, 9)), strict=True))[0.9] is None


def test_a_level_between_two_takes_the_higher_and_too_few_rows_give_no_interval() -> None:
    truth = np.arange(1.0, 100)
    found = of_numbers(truth, np.zeros(99), "random", floor=0.0)
    assert interval(np.array([0.0]), found.parts, 0.895)[1].tolist() == [90]
    lower, upper = interval(np.array([0.0, 50.0]), found.parts, 0.999)
    assert np.isnan([*lower, *upper]).all()
    assert interval(np.array([5.0, -3.0]), found.parts, 0.9)[0].tolist() == [0.0, -3.0]
    few = of_classes(np.zeros(20, np.int64), Predictions(np.zeros(20), np.tile([0.9, 0.1], (20, 1))), CLASSES)
    assert few is not None
    assert class_sets(np.array([[0.9, 0.1]]), few.parts, 0.999).tolist() == [[True, True]]


def test_sets_in_words_are_the_classes_with_bars() -> None:
    sets = np.array([[True, False, True], [False, True, False]])
    assert in_words(sets, ["a", "b | c", "ü"]) == ["a | ü", "b | c"]
    assert in_words(sets[:0], ["a", "b", "c"]) == []


@pytest.mark.parametrize(("rule", "words"), [("time", "as the world moves on"), ("group", "fewer groups than rows")])
def test_a_split_that_weakens_the_promise_is_told(rule: Any, words: str) -> None:
    truth = np.arange(1.0, 100)
    assert words in of_numbers(truth, truth, rule).promise(0.9)
    said = of_numbers(truth, truth, "random").promise(0.9)
    assert said.startswith("Of new rows like the 99 sealed ones, the interval holds the true value for 90 % or more")
    assert words not in said


def test_it_comes_from_the_sealed_labels_and_goes_to_a_file_and_back(tmp_path: Path) -> None:
    contract = contract_for(numbers(), "price")
    pq.write_table(pa.table({"price": [3.0, 9.0]}), tmp_path / "train.parquet")
    rows = np.arange(12)
    labels = pa.table({"row": rows[::-1], "target": rows[::-1] * 2.0, "unit": rows})
    pq.write_table(labels, tmp_path / "labels.parquet")
    write_predictions(Predictions(rows.astype(np.float64), None), contract, tmp_path / "predictions.parquet")
    found = conformal(
        tmp_path / "labels.parquet", tmp_path / "predictions.parquet", tmp_path / "train.parquet", contract
    )
    assert found is not None
    assert (found.rows, found.floor) == (12, 0.0)
    assert interval(np.array([100.0]), found.parts, 0.9)[0].tolist() == [89.0]  # the largest but none of 0 to 11
    (tmp_path / "conformal.json").write_text(conformal_text(found))
    assert read_conformal(tmp_path / "conformal.json") == found
    write_predictions(Predictions(rows[:8].astype(np.float64), None), contract, tmp_path / "few.parquet")
    pq.write_table(labels.slice(4), tmp_path / "few-labels.parquet")
    few = [tmp_path / name for name in ("few-labels.parquet", "few.parquet", "train.parquet")]
    assert conformal(few[0], few[1], few[2], contract) is None


@pytest.mark.parametrize(
    "change",
    [{"quantiles": [[1.0]]}, {"levels": [0.9]}, {"rows": 0}, {"edges": [1.0]}, {"sizes": []}, {"task": "binary"}],
)
def test_a_file_that_contradicts_itself_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    found = of_numbers(np.arange(20.0), np.zeros(20), "random").parts | change
    (tmp_path / "conformal.json").write_text(json.dumps(found))
    with pytest.raises(ConformalError, match="is damaged"):
        read_conformal(tmp_path / "conformal.json")


def test_predictions_that_are_all_alike_make_one_range() -> None:
    found = of_numbers(np.arange(1000.0), np.zeros(1000), "random")
    assert found.edges == ()
    assert math.isclose(interval(np.zeros(1), found.parts, 0.9)[1][0], 900)
