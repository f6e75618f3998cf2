"""The trusted scorer: labels that no script ever saw, predictions read as data, numbers with intervals and baselines.

Intervals: tools/intervals.py, from a bootstrap with the same resamples for model and baselines, so that differences
are paired. Rows are redrawn as the hold-out was drawn: within each class after a stratified split (the shares of the
classes as the whole table knows them), in whole groups after a split by group, in at most twenty blocks of consecutive
rows after a split by time (Carlstein 1986; as few as batch means, Schmeiser 1982, so that blocks hardly depend).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from tools.cautions import cautions
from tools.contract import Contract
from tools.intervals import NAMED, Draws, Information, Studentized, corrected, interval, of_difference, studentized
from tools.measuring import Scalar as Scalar
from tools.measuring import as_measured
from tools.measuring import positive as positive
from tools.measuring import prepared as prepared
from tools.measuring import taken as taken
from tools.metrics import METRICS, Array, Metric
from tools.multiplicity import widening
from tools.predictions import Predictions, PredictionsRefused, read_predictions
from tools.resampling import Truth as Truth
from tools.resampling import how_much_is_known, redrawn_in, strata
from tools.resampling import resampled as resampled

Comparison = Literal["better", "tie", "worse", "guess"]
LEVEL = (2.5, 97.5)
"""Percentiles of the middle 95 % of resamples."""
MOST_DRAWN = 8_000_000
"""Rows redrawn over all resamples; beyond it fewer resamples are taken (but 200): large tables need fewer."""
JUDGED_FOR_GUESSING_BY: Mapping[str, str] = {"recall": "balanced_accuracy", "precision": "balanced_accuracy"}
"""Calling every row positive has perfect recall, so whether a model only guesses is asked of another measure."""


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
    """Against the predictions of earlier attempts on the same rows; their intervals hold for all of them together."""
    comparison: Comparison
    verdict: str
    looks: int = 1
    """Scorings of these rows so far, this one included; the verdict is held to the level that so many need."""
    rows: int
    method: str
    notes: tuple[str, ...] = ()


def read_truth(labels_path: Path, contract: Contract) -> Truth:
    """The sealed labels; they are ours, so a mismatch with the contract is our error and raises ValueError."""
    table = pq.read_table(labels_path).sort_by("row")
    unit = table.column("unit").to_numpy()
    if contract.task == "regression":
        return Truth(np.asarray(table.column("target").to_numpy(), dtype=np.float64), unit)
    codes = {label: code for code, label in enumerate(contract.classes)}
    return Truth(np.array([codes[label] for label in table.column("target").to_pylist()], dtype=np.float64), unit)


@dataclass(frozen=True)
class Judged:
    """Every measure of every set of predictions: on the sealed rows, and on each resample of them."""

    exact: Mapping[tuple[str, str], float]
    """(whose predictions, measure) -> value."""
    drawn: Mapping[tuple[str, str], Array]
    """(whose predictions, measure) -> one value per resample; the same resamples for all."""
    errors: Mapping[tuple[str, str], tuple[Array, float, tuple[float, float]]]
    """Of mean losses: standard error of the logarithm on each resample, on the rows, and with one more bad row."""
    known: Mapping[str, Information]

    def scalar(self, who: str, metric: Metric) -> Scalar:
        """The measure with its interval."""
        value = self.exact[who, metric.name]
        drawn = Draws(self.drawn[who, metric.name], *self.errors.get((who, metric.name), ()))
        low, high = interval(metric, value, drawn, self.known[who])
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
        low, high = of_difference(value, gaps, self.known[MODEL])
        return Difference(against=against, value=value, ci_low=low, ci_high=high)

    def differences(self, metric: Metric, against: Sequence[str]) -> tuple[Difference, ...]:
        """The same against several, with intervals that hold for all of them together (tools/multiplicity.py)."""
        if len(against) < 2:
            return tuple(self.difference(metric, name) for name in against)
        own = self.drawn[MODEL, metric.name]
        wider = widening(np.column_stack([own - self.drawn[name, metric.name] for name in against]))
        return tuple(_widened(self.difference(metric, name), wider) for name in against)

    def strict(self, metric: Metric, against: str, looks: int) -> Difference:
        """The difference at the level that so many looks at the same rows need."""
        plain = self.difference(metric, against)
        low, high = corrected(plain.value, (plain.ci_low, plain.ci_high), looks, self.known[MODEL])
        return plain.model_copy(update={"ci_low": low, "ci_high": high})


def _widened(plain: Difference, wider: float) -> Difference:
    low, high = plain.value - wider * (plain.value - plain.ci_low), plain.value + wider * (plain.ci_high - plain.value)
    return plain.model_copy(update={"ci_low": low, "ci_high": high})


MODEL = "model"


def score(
    labels_path: Path,
    predictions_path: Path,
    contract: Contract,
    *,
    baselines: Mapping[str, Path],
    earlier: Mapping[str, Path] | None = None,
    looks: int = 1,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Judge the predictions against the sealed labels.

    `baselines`: "dummy" and any others -> their predictions, checked like the model's; `earlier`: names of earlier
    attempts -> theirs; `looks`: how often these rows have been scored, this time included.
    Raises `PredictionsRefused` for a file that is not a full set of predictions.
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
    judged = judge(wanted, given, truth, contract, resamples, seed)
    ranked = sorted(baselines, key=lambda name: metric.better(judged.exact[name, metric.name], 0.0), reverse=True)
    found = tuple(Baseline(model=name, **judged.scalar(name, metric).model_dump()) for name in ranked)
    own, difference = judged.scalar(MODEL, metric), judged.difference(metric, ranked[0])
    further = tuple(judged.scalar(MODEL, m) for m in also)
    comparison = _compare(judged.strict(metric, ranked[0], looks), judged.strict(guessing, "dummy", looks))
    return Score(
        metric=own,
        also=further,
        baseline=found[0],
        baselines=found,
        difference=difference,
        earlier=judged.differences(metric, tuple(rivals)),
        comparison=comparison,
        verdict=_verdict(comparison, judged, guessing, rows) + _held_to(comparison, difference, looks),
        looks=looks,
        rows=rows,
        method=_method(truth, contract, len(judged.drawn[MODEL, metric.name])),
        notes=(*notes, *cautions((own, *further), truth, given[MODEL], contract)),
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


def judge(
    wanted: list[tuple[str, Metric]],
    given: Mapping[str, Predictions],
    truth: Truth,
    contract: Contract,
    resamples: int,
    seed: int,
) -> Judged:
    """Each wanted measure of whose predictions, with its resamples."""
    measures = {(who, m.name): prepared(m, truth.codes, given[who], contract) for who, m in wanted}
    everywhere = np.ones(len(truth.codes))
    count = int(np.clip(MOST_DRAWN / len(everywhere), min(200, resamples), resamples))
    drawn = {key: np.empty(count) for key in measures}
    blocks = redrawn_in(truth, contract)
    errors = {(who, m.name): _studentized(m, blocks, given[who], contract) for who, m in wanted if m.loss}
    strays = {key: np.empty(count) for key in errors}
    known_shares = how_much_is_known(contract)
    for number, weights in enumerate(resampled(blocks, strata(truth, contract), count, seed, known_shares)):
        for key, measure in measures.items():
            drawn[key][number] = measure(weights)
        for key, error in errors.items():
            strays[key][number] = error(weights)
    return Judged(
        {key: measure(everywhere) for key, measure in measures.items()},
        drawn,
        {key: (strays[key], error(everywhere), error.one_worse()) for key, error in errors.items()},
        {who: _information(blocks, given[who], contract) for who, _ in wanted},
    )


def _studentized(metric: Metric, blocks: Truth, predictions: Predictions, contract: Contract) -> Studentized:
    assert metric.loss is not None, "asked by the caller"
    loss = metric.loss(*as_measured(metric, blocks.codes, predictions, contract))
    return studentized(loss, blocks.unit, root=metric.name == "rmse")


def _information(blocks: Truth, predictions: Predictions, contract: Contract) -> Information:
    units, rows = len(np.unique(blocks.unit)), len(blocks.unit)
    if contract.task == "regression":
        return Information(units, units, units)
    classes = [blocks.codes == code for code in np.unique(blocks.codes)]
    shares = _shares(blocks.codes, predictions.values, contract) if units == rows else {}
    if contract.task == "multiclass":
        typical = max(1, units // len(classes))
        return Information(units, typical, typical, shares, averaged=len(classes))
    called = len(np.unique(blocks.unit[predictions.values == positive(contract)]))
    return Information(units, min(len(np.unique(blocks.unit[inside])) for inside in classes), called, shares)


def _shares(truth: Array, called: Array, contract: Contract) -> dict[str, tuple[tuple[int, int], ...]]:
    """Of the measures that are means of shares: (hits, counted) per class."""
    counts = [
        (int((inside & said).sum()), int(inside.sum()), int(said.sum()))
        for code in np.unique(truth)
        for inside, said in [(truth == code, called == code)]
    ]
    shares = {}
    if contract.task == "binary":
        shares["balanced_accuracy"] = tuple((hits, rows) for hits, rows, _ in counts)
        inside, said = truth == positive(contract), called == positive(contract)
        counts = [(int((inside & said).sum()), int(inside.sum()), int(said.sum()))]
        shares["recall"] = tuple((hits, rows) for hits, rows, _ in counts)
    return shares | {
        "precision": tuple((hits, named) for hits, _, named in counts),
        "f1": tuple((hits, rows + named - hits) for hits, rows, named in counts),
    }


def _compare(difference: Difference, guess: Difference) -> Comparison:
    if guess.ci_low <= 0:
        return "guess"
    if difference.ci_low > 0:
        return "better"
    return "worse" if difference.ci_high < 0 else "tie"


def _held_to(comparison: Comparison, plain: Difference, looks: int) -> str:
    """What the looks at the same rows change about the verdict, for its end."""
    if looks < 2:
        return ""
    level = f"the {looks} looks at these rows (Bonferroni: {1 - 0.05 / looks:.1%} intervals)"
    if comparison in ("better", "worse"):
        return f", also after correction for {level}"
    return f"; one look alone would have said better, but not after {level}" if plain.ci_low > 0 else ""


def _verdict(comparison: Comparison, judged: Judged, guessing: Metric, rows: int) -> str:
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
        how = "rows within each class" if strata(truth, contract) is not None else "rows"
    return f"{NAMED}; from {resamples} bootstrap resamples of {how}"
