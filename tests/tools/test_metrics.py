"""The measures agree with scikit-learn, survive odd input, and weights mean repeated rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from tools.contract import Task
from tools.metrics import METRICS, Metric, default_metric, metrics_for

GENERATOR = np.random.default_rng(7)
ROWS = 500
TRUTH = (GENERATOR.random(ROWS) < 0.3).astype(int)
SCORE = np.round(np.clip(TRUTH * 0.2 + GENERATOR.random(ROWS) * 0.8, 0, 1), 2)  # rounded: many ties
LABEL = (SCORE > 0.5).astype(int)
TRUTH_3 = GENERATOR.integers(0, 3, ROWS)
TABLE_3 = GENERATOR.dirichlet(np.ones(3), ROWS)
LABEL_3 = TABLE_3.argmax(axis=1)
VALUE = GENERATOR.normal(1000, 10, ROWS)
GUESS = VALUE + GENERATOR.normal(0, 3, ROWS)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("roc_auc", SCORE, sk.roc_auc_score(TRUTH, SCORE)),
        ("average_precision", SCORE, sk.average_precision_score(TRUTH, SCORE)),
        ("brier", SCORE, sk.brier_score_loss(TRUTH, SCORE)),
        ("balanced_accuracy", LABEL, sk.balanced_accuracy_score(TRUTH, LABEL)),
        ("accuracy", LABEL, sk.accuracy_score(TRUTH, LABEL)),
        ("f1", LABEL, sk.f1_score(TRUTH, LABEL)),
        ("precision", LABEL, sk.precision_score(TRUTH, LABEL)),
        ("recall", LABEL, sk.recall_score(TRUTH, LABEL)),
    ],
)
def test_two_classes_agree_with_scikit_learn(name: str, ours: np.ndarray, theirs: float) -> None:
    assert METRICS[name].compute(TRUTH, ours) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("roc_auc", TABLE_3, sk.roc_auc_score(TRUTH_3, TABLE_3, multi_class="ovr")),
        ("average_precision", TABLE_3, sk.average_precision_score(np.eye(3)[TRUTH_3], TABLE_3)),
        ("log_loss", TABLE_3, sk.log_loss(TRUTH_3, TABLE_3)),
        ("balanced_accuracy", LABEL_3, sk.balanced_accuracy_score(TRUTH_3, LABEL_3)),
        ("accuracy", LABEL_3, sk.accuracy_score(TRUTH_3, LABEL_3)),
        ("f1", LABEL_3, sk.f1_score(TRUTH_3, LABEL_3, average="macro")),
        ("precision", LABEL_3, sk.precision_score(TRUTH_3, LABEL_3, average="macro")),
        ("recall", LABEL_3, sk.recall_score(TRUTH_3, LABEL_3, average="macro")),
    ],
)
def test_several_classes_agree_with_scikit_learn(name: str, ours: np.ndarray, theirs: float) -> None:
    assert METRICS[name].compute(TRUTH_3, ours, 3) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("rmse", sk.root_mean_squared_error(VALUE, GUESS)),
        ("mae", sk.mean_absolute_error(VALUE, GUESS)),
        ("r2", sk.r2_score(VALUE, GUESS)),
        ("mape", sk.mean_absolute_percentage_error(VALUE, GUESS)),
        ("median_absolute_error", sk.median_absolute_error(VALUE, GUESS)),
    ],
)
def test_numbers_agree_with_scikit_learn(name: str, theirs: float) -> None:
    assert METRICS[name].compute(VALUE, GUESS, 0) == pytest.approx(theirs)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_weight_of_two_is_a_row_twice(metric: Metric) -> None:
    if metric.needs == "value":
        truth, prediction, classes = VALUE, GUESS, 0
    else:
        truth, prediction, classes = TRUTH_3.astype(float), TABLE_3 if metric.needs == "probability" else LABEL_3, 3
    weights = GENERATOR.integers(0, 3, ROWS)
    repeated = np.repeat(np.arange(ROWS), weights)
    weighted = metric.prepare(truth.astype(float), prediction.astype(float), classes)(weights.astype(float))
    assert weighted == pytest.approx(metric.compute(truth[repeated], prediction[repeated], classes))


def test_a_class_that_does_not_occur_is_left_out() -> None:
    truth, label = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert METRICS["balanced_accuracy"].compute(truth, label, 3) == pytest.approx(0.75)
    assert METRICS["recall"].compute(truth, label, 3) == pytest.approx(0.75)  # the mean over both, not that of class 1


def test_what_is_not_defined_is_nan_not_an_error() -> None:
    assert np.isnan(METRICS["roc_auc"].compute(np.ones(5), np.linspace(0, 1, 5)))
    assert np.isnan(METRICS["mape"].compute(np.zeros(3), np.ones(3), 0))
    assert METRICS["roc_auc"].format(float("nan")) == "–"


def test_zero_truth_does_not_blow_up_the_relative_error() -> None:
    assert METRICS["mape"].compute(np.array([0.0, 10.0]), np.array([5.0, 11.0]), 0) == pytest.approx(0.1)


def test_better_points_the_right_way() -> None:
    assert METRICS["roc_auc"].better(0.9, 0.8) > 0
    assert METRICS["rmse"].better(0.9, 0.8) < 0


def test_defaults_are_those_of_the_field() -> None:
    assert default_metric("binary", {"no": 60, "yes": 40})[0] == "roc_auc"
    assert default_metric("binary", {"no": 970, "yes": 30})[0] == "average_precision"
    assert default_metric("binary")[0] == "roc_auc"
    assert default_metric("multiclass")[0] == "log_loss"
    assert default_metric("regression")[0] == "rmse"
    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    for task in tasks:
        metric, also = default_metric(task)
        assert {metric, *also} <= {found.name for found in metrics_for(task)}
        assert metric not in also
