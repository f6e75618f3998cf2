"""Permutation importance on sealed rows: how much worse the measure gets when one column is shuffled.

Columns that carry the same information are shuffled together as well, after the single ones. The interval is over the
rows and the repeats, redrawn together. The sealed rows are shuffled here, the model predicts them in its sandbox and
never sees a label, and here its answers are judged (Breiman 2001; Fisher, Rudin & Dominici 2019).

A model of a script that is not ours can recognise that it is being measured, and answer otherwise. So it is asked in a
session that has not seen the sealed rows before, each row with one shuffle only in a question, in an order that it
cannot know. That makes it hard, not impossible: over several questions it sees the same rows again, and a row that no
table would hold gives itself away. Hence `UNVERIFIED` wherever such an importance is shown.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.answers import ModelFailed, joined
from tools.contract import Contract
from tools.metrics import METRICS, Array, Metric
from tools.predictions import Predictions, PredictionsRefused, read_predictions
from tools.redundancy import alike
from tools.score import LEVEL, Truth, prepared, read_truth, resampled

REPEATS = 3
"""Times that a column is shuffled."""
MAX_ROWS = 2_000
"""Sealed rows that are predicted anew each time."""
FEW_ROWS = 500
"""The least that a slow model is asked about, so that more of the columns are measured."""
FIRST_ROWS = 2_000
"""Of the first question: one column of a large table, or many of a small one."""
ROWS_AT_ONCE, CELLS_AT_ONCE = 20_000, 5_000_000
"""Shuffled columns are asked about together, because most models pay per call."""
RESAMPLES = 100
UNVERIFIED = "Importance was measured on the script's own answers; a script that wants to can disguise it."

Ask = Callable[[pa.Table], Awaitable[Predictions]]
"""The model: rows in, predictions out."""
_Shuffle = tuple[int, str]
"""Which repeat of which column, or of which group by its first column's name and a sign."""
_GROUP = "\0"
"""Ends the name of a group: no column is called so."""


class Importance(BaseModel):
    """One column: what shuffling it costs, in units of the measure (positive: the model needs the column)."""

    model_config = ConfigDict(frozen=True)

    column: str
    drop: float
    ci_low: float
    ci_high: float


class GroupImportance(BaseModel):
    """Columns that carry the same information, shuffled together."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...]
    drop: float
    ci_low: float
    ci_high: float
    sentence: str


class Measured(BaseModel):
    """The columns that were measured, the most important first."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[Importance, ...] = ()
    groups: tuple[GroupImportance, ...] = ()
    note: str = ""
    """For the report: what was not measured, and why."""


@dataclass
class _Bench:
    """The sample of sealed rows, how the model does on it, and on each shuffle of it so far."""

    rows: pa.Table
    metric: Metric
    contract: Contract
    secret: int
    """Of the generators: from the sealed labels, so that no script can know how rows are shuffled."""
    truth: Truth
    weights: list[Array]
    """Of the rows: one each, then resamples of them."""
    honest: Predictions
    """What the model said about the rows as they are."""
    before: Array
    after: dict[str, list[Array]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def members(self, name: str) -> tuple[str, ...]:
        """The columns that are shuffled together: a group's, or the one."""
        return self.groups.get(name, (name,))

    def generator(self, repeat: int, column: str) -> np.random.Generator:
        """The same each time, and unknown to every script."""
        return np.random.default_rng(
            [self.contract.seed, self.secret, repeat, self.contract.features.index(self.members(column)[0])]
        )

    def judged(self, predictions: Predictions) -> Array:
        """The measure for each of the weights."""
        if self.metric.needs == "probability" and predictions.probabilities is None:
            raise PredictionsRefused(f"The shuffled rows have no probabilities, which {self.metric.label} needs.")
        measure = prepared(self.metric, self.truth.codes, predictions, self.contract)
        return np.array([measure(times) for times in self.weights])

    def shrink(self, size: int) -> None:
        """Go on with fewer rows and begin anew; where the measure is not defined on them, all stay."""
        chosen = np.sort(np.random.default_rng(self.contract.seed).choice(len(self.rows), size, replace=False))
        truth, honest = Truth(self.truth.codes[chosen], self.truth.unit[chosen]), _taken(self.honest, chosen)
        once = prepared(self.metric, truth.codes, honest, self.contract)(np.ones(size))
        if not np.isfinite(once):
            return
        self.rows, self.truth, self.honest = self.rows.take(pa.array(chosen)), truth, honest
        self.weights = [np.ones(size), *resampled(truth, None, RESAMPLES, self.contract.seed)]
        self.before = self.judged(honest)
        self.after.clear()

    def take(self, shuffles: Sequence[_Shuffle], predictions: Predictions) -> None:
        """Judge what was predicted for these shuffles, one after the other."""
        size = len(self.rows)
        for place, (_, column) in enumerate(shuffles):
            part = _taken(predictions, np.arange(place * size, (place + 1) * size))
            self.after.setdefault(column, []).append(self.judged(part))

    def found(self) -> tuple[Importance, ...]:
        """Mean over the repeats of (measure as it is - measure with the column shuffled)."""
        sign = 1.0 if self.metric.greater_is_better else -1.0
        draws = np.random.default_rng([self.contract.seed, RESAMPLES])
        drops = {column: sign * _over_repeats(self.before, after, draws) for column, after in self.after.items()}
        return tuple(sorted((_importance(*item, self.metric) for item in drops.items()), key=lambda item: -item.drop))


async def importance(
    ask: Ask,
    labels: Path,
    features: Path,
    predictions: Path,
    contract: Contract,
    *,
    seconds: float,
    verified: bool = True,
    telling: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Measured:
    """What the model relies on, by the sealed rows; columns for which there is no time are absent and noted.

    `features` and `labels`: the sealed rows; `predictions`: what the model said about them as they are. `verified`: the
    model is of our own unmodified recipe; any other is asked so that it can hardly recognise what is shuffled, which
    takes more questions. `telling`: how much each column tells alone, by the training rows; those that tell most are
    measured first, so that what there is no time for matters least. A model that fails on the way, or whose answers are
    refused, is no error but a note. Raises `SandboxError`.
    """
    try:
        bench = await asyncio.to_thread(_bench, labels, features, predictions, contract)
        until = clock() + seconds
        order = sorted(contract.features, key=lambda name: -(telling or {}).get(name, -np.inf))
        trouble = await _measure(bench, ask, until, clock, order, mixed=not verified)
        if not trouble and clock() < until:
            bench.groups = {group[0] + _GROUP: group for group in await asyncio.to_thread(alike, bench.rows, contract)}
            trouble = await _measure(bench, ask, until, clock, list(bench.groups), mixed=not verified)
        everything = await asyncio.to_thread(bench.found)
    except PredictionsRefused as refused:
        return Measured(note=f"Importance could not be computed: {refused}")
    columns = tuple(one for one in everything if one.column not in bench.groups)
    groups = tuple(_group(one, bench) for one in everything if one.column in bench.groups)
    notes = [_note(len(columns), len(contract.features), trouble), UNVERIFIED if columns and not verified else ""]
    return Measured(columns=columns, groups=groups, note=" ".join(filter(None, notes)))


async def _measure(
    bench: _Bench, ask: Ask, until: float, clock: Callable[[], float], names: Sequence[str], *, mixed: bool
) -> str:
    """A small question first, then as many columns at once as fit, at the speed so far, into half of the time left.

    A model that is too slow for all columns is asked about fewer rows. Its start counts as part of the first answer, so
    a second question is asked even where that one took most of the time. Returns what the model failed with, or
    nothing.
    """
    columns = bench.rows.column_names
    there = [name for name in names if bench.members(name)[0] in columns]
    everything = [(repeat, name) for repeat in range(REPEATS) for name in there]
    work, at_once, fresh = list(everything), 2 if mixed else max(1, FIRST_ROWS // len(bench.rows)), not bench.after
    while work:
        shuffles, began = [one for one in work[:at_once] if one[0] == work[0][0]], clock()
        try:
            predictions = await _asked(bench, ask, shuffles, mixed)
        except ModelFailed as problem:
            return str(problem)
        await asyncio.to_thread(bench.take, shuffles, predictions)
        del work[: len(shuffles)]
        seconds = max((clock() - began) / len(shuffles), 1e-6)
        if fresh:
            size = len(bench.rows)
            await asyncio.to_thread(_quicker, bench, (until - clock()) / (seconds * len(there)))
            if len(bench.rows) < size:
                work, seconds = list(everything), seconds * len(bench.rows) / size
        most = max(1, min(ROWS_AT_ONCE // len(bench.rows), CELLS_AT_ONCE // max(bench.rows.nbytes // 8, 1)))
        at_once = max(1, min(most, int((until - clock()) / 2 / seconds)))
        if clock() + seconds * (0.5 if fresh else 1.0) > until:
            break
        fresh = False
    return ""


def _quicker(bench: _Bench, share: float) -> None:
    """Fewer rows where there is time for this share of the columns only."""
    size = len(bench.rows)
    if share < 1 and size > FEW_ROWS:
        bench.shrink(max(FEW_ROWS, int(size * max(share, 0.0))))


async def _asked(bench: _Bench, ask: Ask, shuffles: Sequence[_Shuffle], mixed: bool) -> Predictions:
    """What the model says about the rows once for each shuffle, in one question or in as many as there are shuffles."""
    table = await asyncio.to_thread(_all_shuffled, bench, shuffles)
    if not mixed:
        return await ask(table)
    questions = _mixed(len(bench.rows), len(shuffles), bench.generator(*shuffles[0]))
    said = joined([await ask(table.take(pa.array(rows))) for rows in questions])
    return _taken(said, np.argsort(np.concatenate(questions)))


def _mixed(rows: int, shuffles: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Which rows of the tables one below the other each question takes: each row once, with any of the shuffles."""
    first = generator.integers(shuffles, size=rows)
    taken = [(first + turn) % shuffles * rows + np.arange(rows) for turn in range(shuffles)]
    return [generator.permutation(places) for places in taken]


def _note(measured: int, columns: int, trouble: str) -> str:
    if measured >= columns:
        return ""
    rest = f"Importance of {measured} of {columns} columns" if measured else "What the model relies on was not measured"
    return f"{rest}; the model failed: {trouble}" if trouble else f"{rest}; there was no time for more."


def _bench(labels: Path, features: Path, predictions: Path, contract: Contract) -> _Bench:
    truth = read_truth(labels, contract)
    everything = len(truth.codes)
    model = read_predictions(predictions, contract, everything)
    rows = pq.read_table(features)
    sample = _sample(everything, contract.seed)
    part = Truth(truth.codes[sample], truth.unit[sample])
    bench = _Bench(
        rows=rows.select([name for name in rows.column_names if name in contract.features]).take(pa.array(sample)),
        metric=_metric(contract, model),
        contract=contract,
        secret=int.from_bytes(hashlib.sha256(truth.codes.tobytes()).digest()[:8], "big"),
        truth=part,
        weights=[np.ones(len(sample)), *resampled(part, None, RESAMPLES, contract.seed)],
        honest=_taken(model, sample),
        before=np.empty(0),
    )
    bench.before = bench.judged(bench.honest)
    return bench


def _sample(rows: int, seed: int) -> NDArray[np.int64]:
    """At most MAX_ROWS of the rows, ascending."""
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))


def _all_shuffled(bench: _Bench, shuffles: Iterable[_Shuffle]) -> pa.Table:
    """The rows once for each shuffle, one below the other."""
    return pa.concat_tables([_shuffled(bench, *shuffle) for shuffle in shuffles]).combine_chunks()


def _shuffled(bench: _Bench, repeat: int, name: str) -> pa.Table:
    """The rows with the values of one column, or of a group together, dealt out anew."""
    rows = bench.rows
    order = pa.array(bench.generator(repeat, name).permutation(len(rows)))
    for one in bench.members(name):
        place = rows.column_names.index(one)
        rows = rows.set_column(place, rows.schema.field(place), rows.column(place).take(order))
    return rows


def _taken(predictions: Predictions, rows: NDArray[np.int64]) -> Predictions:
    probabilities = predictions.probabilities
    return Predictions(predictions.values[rows], None if probabilities is None else probabilities[rows])


def _metric(contract: Contract, model: Predictions) -> Metric:
    """The measure of the contract; labels alone move too rarely, so probabilities are asked where there are some."""
    metric = METRICS[contract.metric]
    if metric.needs == "label" and model.probabilities is not None:
        return METRICS["roc_auc" if contract.task == "binary" else "log_loss"]
    return metric


def _over_repeats(before: Array, after: Sequence[Array], draws: np.random.Generator) -> Array:
    """Mean drop on the rows (first), then on each resample of the rows and of the repeats with them."""
    drops = np.array([before - one for one in after])
    picked = draws.integers(len(drops), size=(len(drops), drops.shape[1]))
    picked[:, 0] = np.arange(len(drops))
    return np.asarray(np.take_along_axis(drops, picked, axis=0).mean(axis=0))


def _group(one: Importance, bench: _Bench) -> GroupImportance:
    members = bench.groups[one.column]
    named = (
        " and ".join(f"“{name}”" for name in members)
        if len(members) < 4
        else f"“{members[0]}” and {len(members) - 1} like it"
    )
    sentence = (
        f"{named} carry nearly the same information: shuffled together they cost {one.drop:.3g}, "
        "which neither shows alone, because the other still tells."
    )
    return GroupImportance(columns=members, drop=one.drop, ci_low=one.ci_low, ci_high=one.ci_high, sentence=sentence)


def _importance(column: str, drops: Array, metric: Metric) -> Importance:
    """From the drop on the rows themselves (first) and on each resample of them."""
    value, drawn = float(drops[0]), drops[1:][np.isfinite(drops[1:])]
    if not np.isfinite(value):
        raise PredictionsRefused(f"{metric.label} is not defined on the rows that were shuffled.")
    low, high = np.percentile(drawn, LEVEL) if len(drawn) else (value, value)
    return Importance(column=column, drop=value, ci_low=min(float(low), value), ci_high=max(float(high), value))
