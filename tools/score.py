"""The trusted scorer: labels that no script ever saw, predictions read as data, numbers with intervals and baselines.

Intervals: percentile bootstrap (Efron 1979) with the same resamples for model and baselines, so that differences are
paired. Rows are redrawn as the hold-out was drawn: within each class after a stratified split, in whole groups after a
split by group, in blocks of consecutive rows after a split by time (Carlstein 1986).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.metrics import METRICS, Array, Metric, Weighted
from tools.predictions import Predictions, PredictionsRefused, read_predictions

Comparison = Literal["better", "tie", "worse", "guess"]
Kind = Literal["right", "label", "ranking", "value"]
"""Of a measure: by labels ("right": without a single mistake), by the order of the rows, by anything else."""
LEVEL = (2.5, 97.5)
MOST_DRAWN = 8_000_000
"""Rows redrawn over all resamples; beyond it fewer resamples are taken (but 200): large tables need fewer."""
JUDGED_FOR_GUESSING_BY: Mapping[str, str] = {"recall": "balanced_accuracy", "precision": "balanced_accuracy"}
"""Calling every row positive has perfect recall, so whether a model only guesses is asked of another measure."""

RANKING = ("roc_auc", "average_precision")
"""Measures of the order of the rows alone."""
NEW_ROWS = "that says nothing about how far new rows may differ."


class Scalar(BaseModel):
    """One measure on the sealed rows with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    value: float
    ci_low: float
    ci_high: float
    greater_is_better: bool


class Baseline(Scalar):
    """The same measure for a baseline on the same rows."""

    model: str
    """"dummy" (ignores the features) or "linear" (standard preprocessing)."""


class Difference(BaseModel):
    """Paired: model against baseline on the same resamples. Positive: the model is better."""

    model_config = ConfigDict(frozen=True)

    against: str
    value: float
    ci_low: float
    ci_high: float


class Score(BaseModel):
    """What the sealed rows say about a model."""

    model_config = ConfigDict(frozen=True)

    metric: Scalar
    also: tuple[Scalar, ...]
    baseline: Baseline
    """The stronger of the baselines."""
    baselines: tuple[Baseline, ...]
    difference: Difference
    """Against `baseline`."""
    earlier: tuple[Difference, ...] = ()
    """Against the predictions of earlier attempts on the same rows, where there are some."""
    comparison: Comparison
    verdict: str
    rows: int
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Truth:
    """Labels of the sealed rows as the measures need them."""

    codes: Array
    """Class codes in the order of `contract.classes`, or numbers."""
    unit: NDArray[np.int64]


def read_truth(labels_path: Path, contract: Contract) -> Truth:
    """The sealed labels; they are ours, so a mismatch with the contract is our error and raises ValueError."""
    table = pq.read_table(labels_path).sort_by("row")
    unit = table.column("unit").to_numpy()
    if contract.task == "regression":
        return Truth(np.asarray(table.column("target").to_numpy(), dtype=np.float64), unit)
    codes = {label: code for code, label in enumerate(contract.classes)}
    return Truth(np.array([codes[label] for label in table.column("target").to_pylist()], dtype=np.float64), unit)


@dataclass(frozen=True)
class _Judged:
    """Every measure of every set of predictions: on the sealed rows, and on each resample of them."""

    exact: Mapping[tuple[str, str], float]
    """(whose predictions, measure) -> value."""
    drawn: Mapping[tuple[str, str], Array]
    """(whose predictions, measure) -> one value per resample; the same resamples for all."""

    def scalar(self, who: str, metric: Metric) -> Scalar:
        """The measure with its interval."""
        value = self.exact[who, metric.name]
        low, high = _interval(self.drawn[who, metric.name], value)
        return Scalar(
            name=metric.name,
            label=metric.label,
            value=value,
            ci_low=low,
            ci_high=high,
            greater_is_better=metric.greater_is_better,
        )

    def difference(self, metric: Metric, against: str) -> Difference:
        """How much better the model is than `against`, paired."""
        sign = 1.0 if metric.greater_is_better else -1.0
        value = sign * (self.exact[MODEL, metric.name] - self.exact[against, metric.name])
        gaps = sign * (self.drawn[MODEL, metric.name] - self.drawn[against, metric.name])
        low, high = _interval(gaps, value)
        return Difference(against=against, value=value, ci_low=low, ci_high=high)


MODEL = "model"


def score(
    labels_path: Path,
    predictions_path: Path,
    contract: Contract,
    *,
    baselines: Mapping[str, Path],
    earlier: Mapping[str, Path] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Judge the predictions against the sealed labels.

    `baselines`: "dummy" and any others -> their predictions, checked like the model's; `earlier`: names of earlier
    attempts -> theirs. Raises `PredictionsRefused` for a file that is not a full set of predictions.
    """
    truth = read_truth(labels_path, contract)
    rows = len(truth.codes)
    given = {MODEL: read_predictions(predictions_path, contract, rows)}
    rivals = earlier or {}
    given |= {name: read_predictions(path, contract, rows) for name, path in {**baselines, **rivals}.items()}
    metric = METRICS[contract.metric]
    guessing = METRICS[JUDGED_FOR_GUESSING_BY.get(contract.metric, contract.metric)]
    also, notes = _judgeable(contract, given[MODEL])
    wanted = [(MODEL, m) for m in dict.fromkeys((metric, guessing, *also))]
    wanted += [(name, m) for name in baselines for m in dict.fromkeys((metric, guessing))]
    wanted += [(name, metric) for name in rivals]
    judged = _judge(wanted, given, truth, contract, resamples, seed)
    ranked = sorted(baselines, key=lambda name: metric.better(judged.exact[name, metric.name], 0.0), reverse=True)
    found = tuple(Baseline(model=name, **judged.scalar(name, metric).model_dump()) for name in ranked)
    own, difference = judged.scalar(MODEL, metric), judged.difference(metric, ranked[0])
    further = tuple(judged.scalar(MODEL, m) for m in also)
    comparison = _compare(difference, judged.difference(guessing, "dummy"))
    return Score(
        metric=own,
        also=further,
        baseline=found[0],
        baselines=found,
        difference=difference,
        earlier=tuple(judged.difference(metric, name) for name in rivals),
        comparison=comparison,
        verdict=_verdict(comparison, judged, guessing, rows),
        rows=rows,
        method=_method(truth, contract, len(judged.drawn[MODEL, metric.name])),
        notes=(*notes, *_cautions((own, *further), judged, truth, given[MODEL], contract)),
    )


def _judgeable(contract: Contract, model: Predictions) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
    """The further measures that these predictions allow, and a note about those that they do not."""
    also = [METRICS[name] for name in dict.fromkeys(contract.also) if name != contract.metric]
    if contract.task == "regression" or model.probabilities is not None:
        return tuple(also), ()
    if METRICS[contract.metric].needs == "probability":
        raise PredictionsRefused(
            f"The model gives labels but no probabilities, which {METRICS[contract.metric].label} needs: give it "
            "predict_proba, or judge it by balanced accuracy."
        )
    skipped = [metric.label for metric in also if metric.needs == "probability"]
    notes = (f"The model gives no probabilities, so {' and '.join(skipped)} cannot be computed.",) if skipped else ()
    return tuple(metric for metric in also if metric.needs != "probability"), notes


def prepared(metric: Metric, truth: Array, predictions: Predictions, contract: Contract) -> Weighted:
    """The measure as a function of row weights, with binary tasks turned so that 1 is the positive class."""
    probabilities, values = predictions.probabilities, predictions.values
    if contract.task != "binary":
        wanted = probabilities if metric.needs == "probability" else values
        assert wanted is not None, "checked by _judgeable"
        return metric.prepare(truth, wanted, len(contract.classes))
    positive = _positive(contract)
    is_positive = (truth == positive).astype(np.float64)
    if metric.needs == "label":
        return metric.prepare(is_positive, (values == positive).astype(np.float64), 2)
    assert probabilities is not None, "checked by _judgeable"
    return metric.prepare(is_positive, probabilities[:, positive], 2)


def _positive(contract: Contract) -> int:
    """Code of the positive class of a binary task."""
    return contract.classes.index(contract.positive_class or contract.classes[-1])


def _judge(
    wanted: list[tuple[str, Metric]],
    given: Mapping[str, Predictions],
    truth: Truth,
    contract: Contract,
    resamples: int,
    seed: int,
) -> _Judged:
    measures = {(who, m.name): prepared(m, truth.codes, given[who], contract) for who, m in wanted}
    everywhere = np.ones(len(truth.codes))
    count = int(np.clip(MOST_DRAWN / len(everywhere), min(200, resamples), resamples))
    drawn = {key: np.empty(count) for key in measures}
    for number, weights in enumerate(resampled(truth, _strata(truth, contract), count, seed)):
        for key, measure in measures.items():
            drawn[key][number] = measure(weights)
    return _Judged({key: measure(everywhere) for key, measure in measures.items()}, drawn)


def _strata(truth: Truth, contract: Contract) -> NDArray[np.int64] | None:
    """Class per row where rows are redrawn within classes: as the split did, or where a class could vanish."""
    if contract.task == "regression" or len(np.unique(truth.unit)) < len(truth.unit):
        return None
    codes = truth.codes.astype(np.int64)
    smallest = int(np.bincount(codes)[np.unique(codes)].min())
    return codes if contract.split.rule == "stratified" or smallest < 10 else None


def resampled(truth: Truth, strata: NDArray[np.int64] | None, count: int, seed: int) -> Iterator[Array]:
    """Row weights of `count` bootstrap resamples: how often each row was drawn."""
    generator = np.random.default_rng(seed)
    _, unit = np.unique(truth.unit, return_inverse=True)
    units, rows = int(unit.max()) + 1, len(unit)
    if strata is None:
        for _ in range(count):
            times = np.bincount(generator.integers(0, units, units, dtype=np.int32), minlength=units)
            yield (times if units == rows else times[unit]).astype(np.float64)
        return
    order = np.argsort(strata, kind="stable")
    _, first, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    start, size = np.repeat(first, sizes), np.repeat(sizes, sizes)
    weights = np.empty(rows)
    for _ in range(count):
        picked = start + (generator.random(rows, dtype=np.float32) * size).astype(np.int64)
        weights[order] = np.bincount(np.minimum(picked, start + size - 1), minlength=rows)
        yield weights


def _interval(values: Array, value: float) -> tuple[float, float]:
    """The middle 95 % of the resamples in which the measure is defined; it always holds the value itself."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return value, value
    low, high = np.percentile(defined, LEVEL)
    return min(float(low), value), max(float(high), value)


def _compare(difference: Difference, guess: Difference) -> Comparison:
    if guess.ci_low <= 0:
        return "guess"
    if difference.ci_low > 0:
        return "better"
    return "worse" if difference.ci_high < 0 else "tie"


def _verdict(comparison: Comparison, judged: _Judged, guessing: Metric, rows: int) -> str:
    match comparison:
        case "better":
            return "better than the baseline"
        case "worse":
            return "worse than the baseline"
        case "tie":
            return "a tie with the baseline"
        case "guess":
            own, dummy = judged.scalar(MODEL, guessing), judged.exact["dummy", guessing.name]
            return (
                f"no better than guessing: its {guessing.label} is {guessing.format(own.value)} "
                f"({guessing.format(own.ci_low)} to {guessing.format(own.ci_high)}) on {rows} rows, and always "
                f"giving the same answer gets {guessing.format(dummy)}"
            )


def _method(truth: Truth, contract: Contract, resamples: int) -> str:
    if len(np.unique(truth.unit)) < len(truth.unit):
        how = (
            "blocks of consecutive rows"
            if contract.split.rule == "time"
            else f"whole groups of {contract.split.column}"
        )
    else:
        how = "rows within each class" if _strata(truth, contract) is not None else "rows"
    return f"95 % percentile bootstrap (Efron 1979), {resamples} resamples of {how}; differences are paired"


def _cautions(
    scalars: tuple[Scalar, ...], judged: _Judged, truth: Truth, model: Predictions, contract: Contract
) -> tuple[str, ...]:
    """What the intervals do not say; the deciding measure comes first in `scalars`."""
    flat = [item for item in scalars if item.ci_low == item.ci_high]
    kinds = dict.fromkeys(_kind(item) for item in flat)
    notes = [_no_width(kind, [i for i in flat if _kind(i) == kind], truth, model, contract) for kind in kinds]
    if scalars[0].name == "recall" and (MODEL, "precision") in judged.exact:
        notes.append(f"Recall is bought with false alarms: precision is {judged.exact[MODEL, 'precision']:.3f}.")
    return tuple(notes)


def _kind(item: Scalar) -> Kind:
    """Which sort of measure it is."""
    if METRICS[item.name].needs == "label":
        return "right" if item.value == 1.0 else "label"
    return "ranking" if item.name in RANKING else "value"


def _no_width(kind: Kind, flat: list[Scalar], truth: Truth, model: Predictions, contract: Contract) -> str:
    """One sentence for all measures of a kind whose interval has no width: that is no certainty."""
    rows = len(truth.codes)
    about = f"The interval of {' and '.join(item.label for item in flat)} has no width because"
    match kind:
        case "right":
            counted = _counted(flat[0].name, truth, model, contract)
            units = len(np.unique(truth.unit[counted]))
            return (
                f"{about} every one of the {int(counted.sum())} rows is right; with 95 % confidence fewer than "
                f"{min(1.0, 3 / units):.1%} of such rows are wrong (rule of three, Hanley & Lippman-Hand 1983)."
            )
        case "ranking":
            return f"{about} no resample changes the order of the rows ({_per_class(truth, contract)}): {NEW_ROWS}"
        case "label":
            return f"{about} its value is the same whichever of the {rows} rows are drawn: {NEW_ROWS}"
        case "value":
            return f"{about} each of the {rows} rows gives the same value: {NEW_ROWS}"


def _counted(name: str, truth: Truth, model: Predictions, contract: Contract) -> NDArray[np.bool_]:
    """The rows that the measure looks at: recall sees the true, precision the predicted positives of two classes."""
    if contract.task == "binary" and name in ("recall", "precision"):
        codes = truth.codes if name == "recall" else model.values
        return np.asarray(codes == _positive(contract), dtype=np.bool_)
    return np.ones(len(truth.codes), dtype=np.bool_)


def _per_class(truth: Truth, contract: Contract, most: int = 5) -> str:
    counts = np.bincount(truth.codes.astype(np.int64), minlength=len(contract.classes))
    rarest = sorted(zip(counts.tolist(), contract.classes, strict=True))
    named = ", ".join(f"{rows} “{label[:30]}”" for rows, label in rarest[:most])
    return named + (f", {len(rarest) - most} larger classes" if len(rarest) > most else "")
