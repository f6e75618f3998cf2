"""The scorer: numbers that can be recomputed by hand, verdicts that follow from them, files that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from tests.tools.modelling_scene import contract_for, numbers, sealed_scene, two_classes, write_predictions
from tools.contract import Split
from tools.curves import curves
from tools.predictions import PredictionsRefused
from tools.score import Score, score


class Judge:
    """A sealed table of 1000 rows (200 held out) and predictions made by hand."""

    def __init__(self, folder: Path, metric: str = "roc_auc", also: tuple[str, ...] = (), rows: int = 1000) -> None:
        columns = two_classes(rows)
        self.folder = folder
        self.contract = contract_for(columns, "answer", metric=metric, also=also)
        self.sealed = sealed_scene(columns, self.contract, folder)
        self.truth = np.array(pq.read_table(self.sealed.holdout_labels)["target"].to_pylist()) == "yes"
        self.noise = np.random.default_rng(5).normal(size=len(self.truth))

    def sure(self, strength: float) -> Path:
        """Predictions that are right in proportion to `strength` (0: pure noise)."""
        odds = strength * (2 * self.truth - 1) + self.noise
        return self.write(1 / (1 + np.exp(-odds)), f"sure{strength}")

    def write(self, p: np.ndarray, name: str, **more: Any) -> Path:
        label = np.where(p >= 0.5, "yes", "no").tolist()
        columns = {"row": np.arange(len(p)), "prediction": label, "p_0": 1 - p, "p_1": p} | more
        return write_predictions(self.folder / f"{name}.parquet", **columns)

    def dummy(self) -> Path:
        return self.write(np.full(len(self.truth), self.truth.mean()), "dummy")

    def judge(self, predictions: Path, linear: Path | None = None, **options: Any) -> Score:
        baselines = {"dummy": self.dummy()} | ({"linear": linear} if linear else {})
        return score(self.sealed.holdout_labels, predictions, self.contract, baselines=baselines, **options)


def test_a_good_model_beats_a_weak_baseline(tmp_path: Path) -> None:
    scene = Judge(tmp_path, also=("log_loss", "f1"))
    result = scene.judge(scene.sure(2.0), scene.sure(0.5))
    assert result.comparison == "better"
    assert result.verdict == "better than the baseline"
    assert result.baseline.model == "linear"
    assert [item.name for item in result.also] == ["log_loss", "f1"]
    assert result.difference.ci_low > 0
    assert result.difference.value == pytest.approx(result.metric.value - result.baseline.value)
    assert result.rows == len(scene.truth)
    assert "within each class" in result.method


def test_the_same_predictions_are_a_tie_and_worse_ones_are_worse(tmp_path: Path) -> None:
    scene = Judge(tmp_path)
    tie = scene.judge(scene.sure(1.0), scene.sure(1.0))
    assert (tie.comparison, tie.verdict) == ("tie", "a tie with the baseline")
    assert tie.difference.ci_low == tie.difference.ci_high == 0
    assert scene.judge(scene.sure(0.7), scene.sure(3.0)).verdict == "worse than the baseline"


def test_noise_is_called_guessing_with_the_reason(tmp_path: Path) -> None:
    scene = Judge(tmp_path)
    result = scene.judge(scene.sure(0.0), scene.sure(0.0))
    assert result.comparison == "guess"
    assert result.verdict.startswith("no better than guessing: its ROC-AUC is 0.")
    assert "gets 0.500" in result.verdict


def test_calling_everything_positive_is_guessing_although_recall_is_perfect(tmp_path: Path) -> None:
    scene = Judge(tmp_path, metric="recall", also=("precision",))
    everything = scene.write(np.full(len(scene.truth), 0.9), "all")
    result = scene.judge(everything)
    assert result.metric.value == 1.0
    assert result.comparison == "guess"
    assert "balanced accuracy" in result.verdict
    assert any("precision is" in note for note in result.notes)


def test_intervals_repeat_and_shrink_with_more_rows(tmp_path: Path) -> None:
    small, large = Judge(tmp_path / "small"), Judge(tmp_path / "large", rows=8000)
    one, two = small.judge(small.sure(1.0)), small.judge(small.sure(1.0))
    assert one == two
    wide = one.metric.ci_high - one.metric.ci_low
    narrow = large.judge(large.sure(1.0)).metric
    assert narrow.ci_high - narrow.ci_low < wide / 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says(tmp_path: Path) -> None:
    """Accuracy of a model that is right with probability 0.8: 95 % intervals of 60 samples."""
    columns = {"x": list(range(500)), "answer": ["no", "yes"] * 250}
    contract = contract_for(columns, "answer", metric="accuracy", split=Split(rule="random", holdout_fraction=0.4))
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"].to_pylist()) == "yes"
    dummy = write_predictions(tmp_path / "dummy.parquet", row=np.arange(len(truth)), prediction=["no"] * len(truth))
    generator, hits = np.random.default_rng(0), 0
    for _ in range(60):
        right = generator.random(len(truth)) < 0.8
        label = np.where(right == truth, "yes", "no").tolist()
        made = write_predictions(tmp_path / "made.parquet", row=np.arange(len(truth)), prediction=label)
        found = score(sealed.holdout_labels, made, contract, baselines={"dummy": dummy}, resamples=200).metric
        hits += found.ci_low <= 0.8 <= found.ci_high
    assert hits >= 51


def test_the_interval_of_a_mean_error_covers_it_for_normal_noise(tmp_path: Path) -> None:
    columns = numbers(500)
    contract = contract_for(columns, "price", metric="mae", split=Split(rule="random", holdout_fraction=0.4))
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"])
    generator, hits = np.random.default_rng(1), 0
    for _ in range(60):
        value = truth + generator.normal(0, 100, len(truth))
        made = write_predictions(tmp_path / "made.parquet", row=np.arange(len(truth)), prediction=value)
        found = score(sealed.holdout_labels, made, contract, baselines={"dummy": made}, resamples=200).metric
        hits += found.ci_low <= 100 * np.sqrt(2 / np.pi) <= found.ci_high
    assert 51 <= hits < 60


def test_errors_that_hang_together_in_time_are_redrawn_in_blocks(tmp_path: Path) -> None:
    """A slow drift of the error tells less than independent rows do, so the interval after a split by time is wider."""
    columns = {**numbers(1000), "day": list(range(1000))}
    drift = np.sin(np.arange(200) / 15) * 100
    widths = []
    for split in (Split(rule="time", column="day"), Split(rule="random")):
        contract = contract_for(columns, "price", metric="mae", split=split)
        sealed = sealed_scene(columns, contract, tmp_path / split.rule)
        truth = np.array(pq.read_table(sealed.holdout_labels).sort_by("row")["target"])
        day = np.array(pq.read_table(sealed.holdout_features)["day"])
        value = truth + drift[np.argsort(np.argsort(day))]
        made = write_predictions(tmp_path / f"{split.rule}.parquet", row=np.arange(200), prediction=value)
        found = score(sealed.holdout_labels, made, contract, baselines={"dummy": made})
        assert ("blocks of consecutive rows" in found.method) is (split.rule == "time")
        widths.append(found.metric.ci_high - found.metric.ci_low)
    assert widths[0] > 1.3 * widths[1]


def test_rows_of_one_group_are_redrawn_together(tmp_path: Path) -> None:
    """Twenty copies of each of 25 rows tell no more than 25 rows: the interval must not pretend otherwise."""
    generator = np.random.default_rng(0)
    signal = generator.normal(size=50).repeat(20)
    columns = {
        "x": signal,
        "family": [f"f{i // 20}" for i in range(1000)],
        "answer": np.where(signal + generator.normal(size=50).repeat(20) > 0, "yes", "no").tolist(),
    }
    widths = []
    for rule, column in (("group", "family"), ("random", None)):
        contract = contract_for(
            columns,
            "answer",
            metric="accuracy",
            without=["family"],
            split=Split(rule=rule, column=column, holdout_fraction=0.5),  # type: ignore[arg-type]
        )
        sealed = sealed_scene(columns, contract, tmp_path / rule)
        x = np.array(pq.read_table(sealed.holdout_features)["x"])
        label = np.where(x > 0, "yes", "no").tolist()
        made = write_predictions(tmp_path / rule / "made.parquet", row=np.arange(len(x)), prediction=label)
        found = score(sealed.holdout_labels, made, contract, baselines={"dummy": made}).metric
        widths.append(found.ci_high - found.ci_low)
    assert widths[0] > 2 * widths[1]


def test_perfect_labels_are_no_certainty(tmp_path: Path) -> None:
    """Without a mistake among n rows, Wilson's interval still ends at n / (n + 1.96²)."""
    scene = Judge(tmp_path, metric="accuracy", rows=100)
    result = scene.judge(scene.write(scene.truth.astype(float), "perfect"))
    rows = len(scene.truth)
    assert result.metric.ci_low == pytest.approx(rows / (rows + 1.96**2), abs=1e-4)
    assert result.metric.ci_high == 1.0


def test_a_perfect_order_of_few_rows_is_no_certainty_either(tmp_path: Path) -> None:
    scene = Judge(tmp_path, also=("average_precision", "f1", "precision", "recall"), rows=30)
    result = scene.judge(scene.write(scene.truth.astype(float) * 0.9, "perfect"))
    for one in (result.metric, *result.also):
        assert one.value == one.ci_high == 1.0
        assert 0.3 < one.ci_low < 0.8
    assert "rough" not in " ".join(result.notes), "the seal says it already"


def test_a_model_that_names_no_positive_says_nothing_about_precision(tmp_path: Path) -> None:
    scene = Judge(tmp_path, also=("precision",))
    (precision,) = scene.judge(scene.write(np.full(len(scene.truth), 0.2), "none")).also
    assert (precision.ci_low, precision.ci_high) == (0.0, 1.0)


def test_an_interval_without_width_is_explained(tmp_path: Path) -> None:
    constant = Judge(tmp_path / "constant")
    assert "no resample changes the order" in constant.judge(constant.write(np.full(200, 0.9), "all")).notes[0]
    columns = numbers(100)
    contract = contract_for(columns, "price", metric="rmse")
    sealed = sealed_scene(columns, contract, tmp_path / "numbers")
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"])
    made = write_predictions(tmp_path / "exact.parquet", row=np.arange(len(truth)), prediction=truth)
    (note,) = score(sealed.holdout_labels, made, contract, baselines={"dummy": made}).notes
    assert note.startswith("The interval of RMSE has no width because each of the 20 rows gives the same value")


def test_an_error_that_hangs_on_a_few_rows_is_said(tmp_path: Path) -> None:
    columns = numbers(1000)
    contract = contract_for(columns, "price", metric="rmse")
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"])
    wrong = np.random.default_rng(0).normal(0, 1, len(truth))
    wrong[:2] = 100
    paths = {
        name: truth + error
        for name, error in {"even": np.ones(len(truth)) + 0.1 * wrong.clip(-1, 1), "few": wrong}.items()
    }
    notes = {}
    for name, values in paths.items():
        made = write_predictions(tmp_path / f"{name}.parquet", row=np.arange(len(truth)), prediction=values)
        notes[name] = score(sealed.holdout_labels, made, contract, baselines={"dummy": made}).notes
    assert notes["even"] == ()
    assert "4 of 200 rows carry" in notes["few"][0]


def test_many_looks_at_the_same_rows_raise_the_bar(tmp_path: Path) -> None:
    """A gain that one look calls better is no gain when it was the best of a hundred."""
    scene = Judge(tmp_path)
    other = np.random.default_rng(6).normal(size=len(scene.truth))
    model, rival = scene.sure(1.0), scene.write(1 / (1 + np.exp(-(0.6 * (2 * scene.truth - 1) + other))), "rival")
    once, often = scene.judge(model, rival), scene.judge(model, rival, looks=100)
    assert once.comparison == "better"
    assert often.comparison == "tie"
    assert (once.metric, once.difference) == (often.metric, often.difference)
    assert "one look alone would have said better" in often.verdict
    assert "Bonferroni" in often.verdict
    strong = scene.judge(scene.sure(3.0), scene.sure(0.5), looks=3)
    assert strong.verdict.startswith("better than the baseline, also after correction for the 3 looks")


@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_two_classes_score_as_in_scikit_learn(tmp_path: Path, strength: float) -> None:
    names = ("log_loss", "balanced_accuracy", "f1", "brier", "average_precision")
    scene = Judge(tmp_path, also=names)
    made = scene.sure(strength)
    result, p = scene.judge(made), np.array(pq.read_table(made)["p_1"])
    label, y = p >= 0.5, scene.truth
    theirs = [sk.roc_auc_score(y, p), sk.log_loss(y, p), sk.balanced_accuracy_score(y, label), sk.f1_score(y, label)]
    theirs += [sk.brier_score_loss(y, p), sk.average_precision_score(y, p)]
    assert [item.value for item in (result.metric, *result.also)] == pytest.approx(theirs)


def test_several_classes_and_numbers_score_as_in_scikit_learn(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    columns = {"x": generator.normal(size=300), "kind": generator.choice(["a", "b", "c"], 300).tolist()}
    contract = contract_for(columns, "kind", also=("balanced_accuracy", "accuracy"))
    sealed = sealed_scene(columns, contract, tmp_path / "classes")
    y = pq.read_table(sealed.holdout_labels)["target"].to_pylist()
    p = generator.dirichlet([1, 1, 1], len(y))
    label = np.array(contract.classes)[p.argmax(axis=1)].tolist()
    columns = {"row": np.arange(len(y)), "prediction": label, **{f"p_{i}": p[:, i] for i in range(3)}}
    made = write_predictions(tmp_path / "classes.parquet", **columns)
    result = score(sealed.holdout_labels, made, contract, baselines={"dummy": made})
    theirs = [sk.log_loss(y, p, labels=contract.classes), sk.balanced_accuracy_score(y, label)]
    theirs += [sk.accuracy_score(y, label)]
    assert [item.value for item in (result.metric, *result.also)] == pytest.approx(theirs)

    columns = numbers(300)
    contract = contract_for(columns, "price", also=("mae", "r2", "median_absolute_error"))
    sealed = sealed_scene(columns, contract, tmp_path / "numbers")
    y = np.array(pq.read_table(sealed.holdout_labels)["target"])
    value = y + generator.normal(0, 4_000, len(y))
    made = write_predictions(tmp_path / "numbers.parquet", row=np.arange(len(y)), prediction=value)
    result = score(sealed.holdout_labels, made, contract, baselines={"dummy": made})
    theirs = [np.sqrt(sk.mean_squared_error(y, value)), sk.mean_absolute_error(y, value)]
    theirs += [sk.r2_score(y, value), sk.median_absolute_error(y, value)]
    assert [item.value for item in (result.metric, *result.also)] == pytest.approx(theirs)


def test_a_new_attempt_is_compared_with_earlier_ones_on_the_same_resamples(tmp_path: Path) -> None:
    scene = Judge(tmp_path)
    first, same = scene.sure(0.7), scene.sure(2.0)
    result = scene.judge(scene.sure(2.0), earlier={"attempt 1": first, "attempt 2": same})
    gained, equal = result.earlier
    assert (gained.against, equal.against) == ("attempt 1", "attempt 2")
    assert gained.value == pytest.approx(result.metric.value - scene.judge(first).metric.value)
    assert 0 < gained.ci_low < gained.value < gained.ci_high
    assert equal.ci_low == equal.value == equal.ci_high == 0
    wide = scene.judge(first).metric
    assert gained.ci_high - gained.ci_low < (wide.ci_high - wide.ci_low) + (
        result.metric.ci_high - result.metric.ci_low
    )
    assert scene.judge(first, earlier={"attempt 2": same}).earlier[0].ci_high < 0


def test_a_model_without_probabilities_is_judged_by_labels_only(tmp_path: Path) -> None:
    scene = Judge(tmp_path, metric="balanced_accuracy", also=("roc_auc", "f1"))
    label = np.where(scene.truth, "yes", "no").tolist()
    made = write_predictions(tmp_path / "labels.parquet", row=np.arange(len(label)), prediction=label)
    result = scene.judge(made)
    assert [item.name for item in result.also] == ["f1"]
    assert "ROC-AUC cannot be computed" in result.notes[0]
    with pytest.raises(PredictionsRefused, match="predict_proba"):
        Judge(tmp_path / "auc").judge(made)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"row": None}, "no column “row”"),
        ({"prediction": None}, "no column “prediction”"),
        ({"row": lambda n: np.zeros(n, dtype=int)}, "each exactly once"),
        ({"row": lambda n: np.arange(n) + 1}, "each exactly once"),
        ({"row": lambda n: np.arange(n) + 0.5}, "whole numbers"),
        ({"prediction": lambda n: ["maybe"] * n}, "“maybe” is predicted"),
        ({"prediction": lambda n: [None] * n}, "labels as text|no prediction"),
        ({"prediction": lambda n: np.ones(n)}, "class labels as text"),
        ({"p_0": lambda n: np.full(n, 0.9)}, "add up to 1"),
        ({"p_0": lambda n: np.full(n, np.nan)}, "missing or infinite"),
        ({"p_0": lambda n: np.full(n, -1.0), "p_1": lambda n: np.full(n, 2.0)}, "outside 0 to 1"),
        ({"p_0": lambda n: ["1"] * n}, "must hold numbers"),
        ({"p_1": None}, "1 of 2 classes"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    scene = Judge(tmp_path)
    rows = len(scene.truth)
    columns: dict[str, Any] = {
        "row": np.arange(rows),
        "prediction": ["yes"] * rows,
        "p_0": np.full(rows, 0.4),
        "p_1": np.full(rows, 0.6),
    }
    for name, make in change.items():
        if make is None:
            del columns[name]
        else:
            columns[name] = make(rows)
    made = write_predictions(tmp_path / "bad.parquet", **columns)
    with pytest.raises(PredictionsRefused, match=sentence):
        scene.judge(made)


def test_missing_short_damaged_and_disguised_files_are_refused(tmp_path: Path) -> None:
    scene = Judge(tmp_path)
    good = scene.sure(1.0)
    with pytest.raises(PredictionsRefused, match="left no nothing.parquet"):
        scene.judge(tmp_path / "nothing.parquet")
    (tmp_path / "link.parquet").symlink_to(good)
    with pytest.raises(PredictionsRefused, match="left no link.parquet"):
        scene.judge(tmp_path / "link.parquet")
    (tmp_path / "words.parquet").write_text("row,prediction\n0,yes\n")
    with pytest.raises(PredictionsRefused, match="is not a Parquet file"):
        scene.judge(tmp_path / "words.parquet")
    data = bytearray(good.read_bytes())
    data[40:120] = b"\xff" * 80
    (tmp_path / "damaged.parquet").write_bytes(data)
    with pytest.raises(PredictionsRefused):
        scene.judge(tmp_path / "damaged.parquet")
    pq.write_table(pq.read_table(good).slice(0, 5), tmp_path / "short.parquet")
    with pytest.raises(PredictionsRefused, match="has 5 rows, but"):
        scene.judge(tmp_path / "short.parquet")


def test_a_bomb_is_not_unfolded(tmp_path: Path) -> None:
    scene = Judge(tmp_path)
    rows = len(scene.truth)
    bomb = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 50_000_000]))
    made = write_predictions(tmp_path / "bomb.parquet", row=np.arange(rows), prediction=bomb)
    with pytest.raises(PredictionsRefused, match="larger than predictions can be"):
        scene.judge(made)


def test_numbers_are_judged_too(tmp_path: Path) -> None:
    columns = numbers(1000)
    contract = contract_for(columns, "price", metric="r2", also=("rmse", "mae"))
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"])
    near, far = truth + np.random.default_rng(0).normal(0, 3000, len(truth)), np.full(len(truth), truth.mean())
    paths = {
        name: write_predictions(tmp_path / f"{name}.parquet", row=np.arange(len(truth)), prediction=values)
        for name, values in {"near": near, "far": far}.items()
    }
    result = score(sealed.holdout_labels, paths["near"], contract, baselines={"dummy": paths["far"]})
    assert result.metric.value > 0.99
    assert result.comparison == "better"
    assert result.baseline.value == pytest.approx(0.0)
    drawn = curves(sealed.holdout_labels, paths["near"], contract)
    assert len(drawn.actual_predicted) == len(truth)
    assert sum(bar.rows for bar in drawn.residuals) == len(truth)


def test_curves_are_small_and_agree_with_the_rows(tmp_path: Path) -> None:
    scene = Judge(tmp_path, rows=6000)
    made = scene.sure(1.0)
    drawn = curves(scene.sealed.holdout_labels, made, scene.contract)
    assert drawn.confusion is not None
    assert sum(map(sum, drawn.confusion.counts)) == len(scene.truth)
    (curve,) = drawn.classes
    assert curve.label == "yes"
    assert (curve.roc[0], curve.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert len(curve.roc) < 220
    assert curve.share == pytest.approx(scene.truth.mean())
    area = np.trapezoid([y for _, y in curve.roc], [x for x, _ in curve.roc])
    assert area == pytest.approx(scene.judge(made).metric.value, abs=0.01)
    assert sum(part.rows for part in drawn.calibration) == len(scene.truth)


def test_many_classes_are_put_together(tmp_path: Path) -> None:
    labels = [f"c{i:02}" for i in range(40)] * 20
    columns = {"x": list(range(800)), "kind": labels}
    contract = contract_for(columns, "kind")
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = pq.read_table(sealed.holdout_labels)["target"].to_pylist()
    table = np.full((len(truth), 40), 1 / 40)
    made = write_predictions(
        tmp_path / "made.parquet",
        row=np.arange(len(truth)),
        prediction=truth,
        **{f"p_{i}": table[:, i] for i in range(40)},
    )
    drawn = curves(sealed.holdout_labels, made, contract)
    assert drawn.confusion is not None
    assert drawn.confusion.classes[-1] == "(other classes)"
    assert sum(drawn.confusion.counts[i][i] for i in range(20)) == len(truth)
