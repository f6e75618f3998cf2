"""Many models at once: who cannot be told apart from the best, and how far training rows promise too much."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, sealed_scene, two_classes, write_predictions
from tools.candidates import Candidates, candidates
from tools.contract import Split
from tools.explained import price
from tools.honest import optimism
from tools.measuring import Scalar
from tools.multiplicity import among_the_best, critical, widening
from tools.own_estimate import OwnEstimate
from tools.score import Score, score


def board(*names: str) -> list[dict[str, Any]]:
    return [{"model": name, "cv_score": 0.9, "seconds": 1.0} for name in names]


class Training:
    """A sealed table, and models of known strength that have judged its training rows."""

    def __init__(self, folder: Path, rows: int = 1000) -> None:
        columns = two_classes(rows)
        self.contract = contract_for(columns, "answer")
        self.sealed = sealed_scene(columns, self.contract, folder)
        self.outputs = folder
        labels = pq.read_table(self.sealed.train).column("answer").to_pylist()
        self.truth = np.array([label == "yes" for label in labels])
        self.noise = np.random.default_rng(3).normal(size=len(labels))

    def judged(self, name: str, strength: float, seed: int, rows: slice = slice(None), **more: Any) -> None:
        """`strength`: how much of the truth the model knows; its own errors are those of the seed."""
        own = np.random.default_rng(seed).normal(size=len(self.truth))
        chance = 1 / (1 + np.exp(-(strength * (2 * self.truth - 1) + 0.9 * self.noise + 0.3 * own)))
        found = {"row": np.arange(len(chance)), "p_0": 1 - chance, "p_1": chance} | more
        found["prediction"] = np.where(chance >= 0.5, "yes", "no").astype(object)
        write_predictions(self.outputs / f"oof_{name}.parquet", **{key: part[rows] for key, part in found.items()})

    def compare(self, *names: str) -> Candidates | None:
        return candidates(self.outputs, self.sealed.train, self.contract, board(*names))


def test_models_that_differ_by_luck_are_tied_and_a_poor_one_is_not(tmp_path: Path) -> None:
    scene = Training(tmp_path)
    for seed, (name, strength) in enumerate({"trees": 1.0, "linear": 1.0, "poor": 0.4}.items()):
        scene.judged(name, strength, seed)
    found = scene.compare("trees", "linear", "poor", "dummy")
    assert found is not None
    assert {one.model: one.tied for one in found.candidates} == {"trees": True, "linear": True, "poor": False}
    first, *others = found.candidates
    assert first.behind == 0
    assert all(one.behind > 0 and one.behind_low < one.behind < one.behind_high for one in others)
    assert "cannot be told apart" in found.sentence
    assert "poor is worse beyond chance" in found.sentence


def test_a_clear_winner_is_named(tmp_path: Path) -> None:
    scene = Training(tmp_path)
    scene.judged("trees", 2.0, 1)
    scene.judged("linear", 0.5, 2)
    found = scene.compare("linear", "trees")
    assert found is not None
    assert found.sentence.startswith("Of 2 models trees is better than every other beyond chance (on 800 training")


def test_only_rows_that_all_have_predicted_count(tmp_path: Path) -> None:
    scene = Training(tmp_path)
    scene.judged("one", 1.0, 1, rows=slice(0, 500))
    scene.judged("two", 1.0, 2, rows=slice(300, 800))
    found = scene.compare("one", "two")
    assert found is not None
    assert found.rows == 200


@pytest.mark.parametrize("harm", ["missing", "text", "link", "impossible", "short", "a path"])
def test_a_file_that_is_not_sound_is_left_out(tmp_path: Path, harm: str) -> None:
    scene = Training(tmp_path)
    scene.judged("good", 1.0, 1)
    scene.judged("bad", 1.0, 2)
    path, name = tmp_path / "oof_bad.parquet", "bad"
    match harm:
        case "missing":
            path.unlink()
        case "text":
            path.write_text("no table")
        case "link":
            path.rename(tmp_path / "elsewhere.parquet")
            path.symlink_to(tmp_path / "elsewhere.parquet")
        case "impossible":
            pq.write_table(pa.table({"row": [0, 0], "prediction": ["yes", "yes"]}), path)
        case "short":
            scene.judged("bad", 1.0, 2, rows=slice(0, 5))
        case "a path":
            name = "../oof_bad"
    assert scene.compare("good", name) is None


def test_rows_of_a_group_hang_together(tmp_path: Path) -> None:
    """Twenty copies of forty rows tell no more than forty rows: what looks decided by 800 rows is a tie by groups."""
    generator = np.random.default_rng(1)
    signal = generator.normal(size=50).repeat(20)
    columns = {"x": signal, "family": [f"f{i // 20}" for i in range(1000)], "price": signal}
    found = {}
    for rule in ("random", "group"):
        split = Split(rule=rule, column="family" if rule == "group" else None)
        contract = contract_for(columns, "price", without=["family"], split=split)
        sealed = sealed_scene(columns, contract, tmp_path / rule)
        truth = pq.read_table(sealed.train).column("price").to_numpy()
        for name, size, seed in (("a", 1.0, 5), ("b", 1.15, 6)):
            errors = dict(zip(np.unique(truth), np.random.default_rng(seed).normal(size=50), strict=False))
            said = truth + size * np.array([errors[value] for value in truth])
            write_predictions(tmp_path / rule / f"oof_{name}.parquet", row=np.arange(len(truth)), prediction=said)
        compared = candidates(tmp_path / rule, sealed.train, contract, board("a", "b"), sealed.groups)
        assert compared is not None
        found[rule] = compared.candidates[1].behind_high - compared.candidates[1].behind_low
    assert found["group"] > 2 * found["random"]


def test_more_comparisons_need_more_and_copies_need_nothing() -> None:
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(4000, 20))
    assert critical(drawn[:, :1]) == pytest.approx(1.96, abs=0.08)
    assert critical(drawn) == pytest.approx(3.02, abs=0.12)  # Šidák's, as the twenty are independent
    assert critical(np.repeat(drawn[:, :1], 20, axis=1)) == pytest.approx(critical(drawn[:, :1]), abs=1e-9)
    assert widening(np.zeros((100, 3))) == 1.0
    assert widening(np.full((100, 3), np.nan)) == 1.0


def test_of_equal_candidates_the_best_is_rarely_said_to_beat_another() -> None:
    """Ten equal models, 300 times: with 95 % intervals one by one most rounds would have a winner."""
    generator, wrong, naive = np.random.default_rng(0), 0, 0
    for _ in range(300):
        values = generator.normal(size=10)
        drawn = values + generator.normal(size=(400, 10))
        wrong += not among_the_best(values, drawn).all()
        naive += bool(values.max() - values.min() > 1.96 * np.sqrt(2))
    assert wrong / 300 < 0.09
    assert naive / 300 > 0.4


def test_attempts_are_compared_all_at_once(tmp_path: Path) -> None:
    columns = numbers(500)
    contract = contract_for(columns, "price", metric="mae")
    sealed = sealed_scene(columns, contract, tmp_path)
    truth = pq.read_table(sealed.holdout_labels).column("target").to_numpy()

    def said(seed: int, spread: float) -> Path:
        value = truth + spread * np.random.default_rng(seed).normal(size=len(truth))
        return write_predictions(tmp_path / f"{seed}.parquet", row=np.arange(len(truth)), prediction=value)

    own, earlier = said(0, 50), {f"attempt {seed}": said(seed, 50 + seed) for seed in range(1, 6)}
    options: dict[str, Any] = {"baselines": {"dummy": said(9, 200)}}
    alone = score(sealed.holdout_labels, own, contract, earlier={"attempt 1": earlier["attempt 1"]}, **options).earlier
    together = score(sealed.holdout_labels, own, contract, earlier=earlier, **options).earlier
    assert together[0].value == alone[0].value
    assert together[0].ci_high - together[0].ci_low > 1.15 * (alone[0].ci_high - alone[0].ci_low)


def scored(name: str, value: float, low: float, high: float) -> Score:
    """A score as the sealed rows would give it; only its measure counts here."""
    scalar = Scalar(
        name=name, label=name, value=value, ci_low=low, ci_high=high, greater_is_better=name not in ("rmse", "log_loss")
    )
    return Score.model_construct(metric=scalar)


@pytest.mark.parametrize(
    ("name", "sealed", "training", "optimistic"),
    [
        ("roc_auc", (0.87, 0.84, 0.90), 0.91, True),
        ("roc_auc", (0.87, 0.84, 0.90), 0.89, False),
        ("roc_auc", (0.87, 0.84, 0.90), 0.80, False),
        ("rmse", (10.0, 9.0, 11.5), 8.0, True),
        ("rmse", (10.0, 9.0, 11.5), 9.5, False),
        ("rmse", (10.0, 9.0, 11.5), 15.0, False),
    ],
)
def test_training_rows_that_promise_too_much_are_called_optimistic(
    name: str, sealed: tuple[float, float, float], training: float, optimistic: bool
) -> None:
    found = optimism(scored(name, *sealed), [{"model": "trees", "cv_score": training, "seconds": 1.0}])
    assert found is not None
    assert found.optimistic is optimistic
    assert found.ci_low < found.by < found.ci_high
    assert found.by == pytest.approx(abs(training - sealed[0]) * (1 if optimistic or found.by > 0 else -1))
    assert ("optimistic by" in found.sentence) is optimistic


def test_doubt_about_the_training_rows_themselves_counts(tmp_path: Path) -> None:
    """Sixty training rows cannot promise much, so they cannot promise too much either."""
    scene = Training(tmp_path, rows=75)
    scene.judged("trees", 1.0, 1)
    scene.judged("linear", 0.9, 2)
    rivals = scene.compare("trees", "linear")
    assert rivals is not None
    best = rivals.candidates[0]
    row = [{"model": best.model, "cv_score": best.value, "seconds": 1.0}]
    sealed = scored("roc_auc", best.value - 0.05, best.value - 0.09, best.value - 0.01)
    alone, doubtful = optimism(sealed, row), optimism(sealed, row, rivals)
    assert alone is not None
    assert doubtful is not None
    assert alone.optimistic
    assert not doubtful.optimistic
    assert doubtful.ci_high - doubtful.ci_low > alone.ci_high - alone.ci_low


def promised(value: float, low: float, high: float) -> OwnEstimate:
    """What the training rows say of the saved model."""
    metric = scored("roc_auc", value, low, high).metric
    return OwnEstimate.model_construct(how="folds of the training", metric=metric, rows=300)


def test_a_single_model_is_as_uncertain_as_its_own_estimate() -> None:
    sealed, row = scored("roc_auc", 0.87, 0.84, 0.90), [{"model": "trees", "cv_score": 0.91, "seconds": 1.0}]
    alone, measured = optimism(sealed, row), optimism(sealed, row, None, promised(0.91, 0.87, 0.95))
    assert alone is not None
    assert measured is not None
    assert alone.optimistic
    assert not measured.optimistic
    assert "0.910 (0.870 to 0.950)" in measured.sentence
    easier = optimism(sealed, row, None, promised(0.70, 0.68, 0.72))
    assert easier is not None
    assert "easier" in easier.sentence


def test_guessing_is_no_model_that_promises_anything() -> None:
    rows = [{"model": "dummy", "cv_score": 0.99, "seconds": 0.1}]
    assert optimism(scored("roc_auc", 0.6, 0.5, 0.7), rows) is None
    found = optimism(scored("roc_auc", 0.6, 0.5, 0.7), [*rows, {"model": "trees", "cv_score": 0.62, "seconds": 1.0}])
    assert found is not None
    assert found.model == "trees"


@pytest.mark.parametrize(
    ("reference", "said"),
    [((0.02, 0.01, 0.03), "it is even better, 0.02"), ((0.02, -0.01, 0.05), "no difference beyond chance, 0.02")],
)
def test_readability_that_costs_nothing_has_its_interval(reference: tuple[float, ...], said: str) -> None:
    names = ("model", "value", "behind", "behind_low", "behind_high")
    board = [("sparse_linear", 0.9, 0.0, 0.0, 0.0), ("boosted_trees", 0.88, *reference)]
    found = {"rows": 500, "candidates": [dict(zip(names, one, strict=True)) for one in board]}
    sentence = price({"profile": "explainable", "metric": {"name": "roc_auc"}, "candidates": found})
    assert said in sentence
    assert f"95 % interval {reference[1]:.3g} to {reference[2]:.3g}" in sentence
    assert "one model of boosted trees" in sentence
