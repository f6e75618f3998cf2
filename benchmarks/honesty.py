"""Whether the reported 95 % interval holds the score on fresh rows, for each measure and size of hold-out.

    nice python -m benchmarks.honesty [--seeds 20] [--first 0] [--resamples 1000] [--only NAME ...]

Of each table a large stock of rows is known, and one fixed model's predictions of it. For each seed a small table is
drawn from the stock, its hold-out is cut by tools/split.py as in every project, the scorer gives the intervals, and the
truth is the score on the stock's other rows. The interval is about the scorer, so the model is cheap: of generated
tables a formula, of real ones boosted trees of 500 rows that are not in the stock. `percentile` is what the plain
percentile bootstrap of the same resamples would have said. Written to results/honesty.csv.

The methods of tools/intervals.py were chosen on half of the tables (CHOSEN_ON) with seeds from 1000 on. The other
tables and the seeds of the committed file had no part in the choice; the summary shows the halves apart. Twenty seeds
take about three minutes of one core.
"""

import argparse
import csv
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import automl_tables
from benchmarks.honesty_report import Outcome, markdown, show
from benchmarks.readme import put_into_readme
from tools.contract import Contract, Split, SplitRule, Task
from tools.metrics import METRICS, Array, default_metric
from tools.predictions import Predictions
from tools.score import LEVEL, MODEL, Judged, Truth, judge, prepared, taken
from tools.split import cut_rows

RESULTS = Path(__file__).parent / "results" / "honesty.csv"
STOCK = 60_000
HOLDOUT = 0.2
LEARN = 500
"""Rows of a real table that its model learns from."""


@dataclass(frozen=True)
class Stock:
    """Many rows of which tables are drawn, and what one model says about each."""

    truth: Array
    """Class codes or numbers."""
    predictions: Predictions
    group: NDArray[np.int64] | None = None
    """Rows of one group depend on each other; numbers from 0, ascending."""
    in_order: bool = False
    """Rows follow each other in time and depend on the ones before."""


@dataclass(frozen=True)
class Table:
    """One line of the benchmark: where the rows come from, and how many are held out."""

    name: str
    task: Task
    holdout: int
    stock: Callable[[np.random.Generator], Stock]
    rule: SplitRule = "random"
    metrics: tuple[str, ...] = ()
    """Instead of the field's own for the task."""


def _sigmoid(odds: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def _of_two(is_positive: Array, chance: Array, group: NDArray[np.int64] | None = None, ordered: bool = False) -> Stock:
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    predictions = Predictions((chance >= 0.5).astype(float), np.column_stack([1 - chance, chance]))
    return Stock(is_positive, predictions, group, ordered)


def two(
    random: np.random.Generator, *, signal: float = 1.5, shift: float = 0.0, sure: float = 1.0, groups: int = 0,
    memory: float = 0.0,
) -> Stock:  # fmt: skip
    """Two classes. `shift`: of the odds; `sure`: beyond 1 the model exaggerates; `memory`: of the noise in time."""
    seen = random.normal(size=STOCK)
    group = np.arange(STOCK) // groups if groups else None
    hidden = random.normal(size=STOCK) * 0.0 if group is None else random.normal(size=STOCK)[group] * 1.2
    hidden = hidden + (1.2 * _remembering(random, memory) if memory else 0.0)
    is_positive = (random.random(STOCK) < _sigmoid(signal * seen + shift + hidden)).astype(np.float64)
    return _of_two(is_positive, _sigmoid(sure * (signal * seen + shift)), group, bool(memory))


def _remembering(random: np.random.Generator, memory: float) -> Array:
    """An autoregressive series of spread one."""
    from scipy.signal import lfilter

    steps = random.normal(size=STOCK) * np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], steps))


def several(random: np.random.Generator, *, shares: Sequence[float], signal: float = 2.0) -> Stock:
    """As many classes as shares."""
    truth = random.choice(len(shares), STOCK, p=np.array(shares) / sum(shares))
    odds = signal * np.eye(len(shares))[truth] + random.normal(size=(STOCK, len(shares))) + np.log(shares)
    chances = np.exp(1.3 * odds)
    chances /= chances.sum(axis=1, keepdims=True)
    return Stock(truth.astype(float), Predictions(chances.argmax(axis=1).astype(float), chances))


def number(
    random: np.random.Generator, *, noise: str = "normal", signal: float = 1.0, groups: int = 0, memory: float = 0.0
) -> Stock:
    """A number with noise of some shape."""
    seen = random.normal(size=STOCK)
    group = np.arange(STOCK) // groups if groups else None
    match noise:
        case "heavy":
            error = random.standard_t(4, STOCK)
        case "uneven":
            error = random.normal(size=STOCK) * np.exp(0.7 * seen)
        case "skewed":
            return Stock(np.exp(seen + 0.6 * random.normal(size=STOCK)), Predictions(np.exp(seen), None))
        case _:
            error = random.normal(size=STOCK)
    if group is not None:
        error = 0.6 * error + random.normal(size=STOCK)[group]
    if memory:
        error = _remembering(random, memory)
    return Stock(signal * seen + error, Predictions(0.9 * signal * seen, None), group, bool(memory))


def real(random: np.random.Generator, *, name: str) -> Stock:
    """A real table: the first rows teach, the others are the stock."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    table = next(one for one in automl_tables.available() if one.name == name)
    frame = table.read().dropna(subset=[table.target]).sample(frac=1.0, random_state=1).head(STOCK)
    target = frame.pop(table.target)
    features = np.column_stack(
        [c if pd.api.types.is_numeric_dtype(c) else pd.factorize(c)[0] for _, c in frame.items()]
    ).astype(float)
    if table.task == "regression":
        numbers = target.to_numpy(dtype=float)
        trees = HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(features[:LEARN], numbers[:LEARN])
        return Stock(numbers[LEARN:], Predictions(trees.predict(features[LEARN:]), None))
    codes, names = pd.factorize(target.astype(str), sort=True)
    many = np.bincount(codes)[codes] >= 0.02 * len(codes)
    features, codes = features[many], pd.factorize(names[codes[many]], sort=True)[0]
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(features[:LEARN], codes[:LEARN])
    chances = np.full((len(codes) - LEARN, codes.max() + 1), 1e-6)
    chances[:, model.classes_] += model.predict_proba(features[LEARN:])
    chances /= chances.sum(axis=1, keepdims=True)
    return Stock(codes[LEARN:].astype(float), Predictions(chances.argmax(axis=1).astype(float), chances))


def _drift(random: np.random.Generator) -> Stock:
    return number(random, memory=0.8)


TABLES = (
    Table("two even classes", "binary", 200, two, "stratified"),
    Table("two even classes, few rows", "binary", 40, two, "stratified"),
    Table("two classes at random", "binary", 100, two),
    Table("hard question", "binary", 150, partial(two, signal=0.4), "stratified"),
    Table("nearly perfect", "binary", 200, partial(two, signal=8.0), "stratified"),
    Table("nearly perfect, few rows", "binary", 60, partial(two, signal=8.0), "stratified"),
    Table("rare class (9 %)", "binary", 200, partial(two, shift=-3.0), "stratified"),
    Table("very rare class (2 %)", "binary", 1000, partial(two, shift=-5.0), "stratified"),
    Table("rare class (5 %), weak", "binary", 300, partial(two, shift=-3.6, signal=0.8), "stratified"),
    Table("rare class (4 %), strong", "binary", 300, partial(two, shift=-5.5, signal=3.0), "stratified"),
    Table("very rare class (1 %)", "binary", 2000, partial(two, shift=-6.5, signal=2.0), "stratified"),
    Table("rare class (7 %) at random", "binary", 150, partial(two, shift=-3.0, signal=1.0)),
    Table("rare class in groups of five", "binary", 400, partial(two, shift=-3.2, groups=5), "group"),
    Table("far too sure", "binary", 150, partial(two, sure=3.0), "stratified"),
    Table("groups of ten", "binary", 400, partial(two, groups=10), "group"),
    Table("groups of five", "binary", 150, partial(two, groups=5), "group"),
    Table("two classes in time", "binary", 300, partial(two, memory=0.7), "time"),
    Table("three classes", "multiclass", 150, partial(several, shares=(1, 1, 1)), "stratified"),
    Table("five uneven classes", "multiclass", 300, partial(several, shares=(10, 5, 3, 1, 1)), "stratified"),
    Table("ten classes", "multiclass", 500, partial(several, shares=(1,) * 10), "stratified"),
    Table("three classes, few rows", "multiclass", 45, partial(several, shares=(2, 2, 1)), "stratified"),
    Table("number, few rows", "regression", 40, number),
    Table("number", "regression", 200, number),
    Table("weak signal", "regression", 150, partial(number, signal=0.3)),
    Table("heavy tails", "regression", 200, partial(number, noise="heavy")),
    Table("uneven noise", "regression", 150, partial(number, noise="uneven")),
    Table("skewed number", "regression", 300, partial(number, noise="skewed")),
    Table("groups of eight, number", "regression", 240, partial(number, groups=8), "group"),
    Table("number in time", "regression", 200, partial(number, memory=0.5), "time"),
    Table("long memory", "regression", 400, _drift, "time"),
)  # fmt: skip
SIZE_OF_REAL = {"telco_churn": 150, "california": 200, "bike_hour": 300, "taxis_tip": 100, "wine_quality": 120,
                "bird_strikes": 150, "affairs": 100, "doctor_visits": 200, "digits": 60}  # fmt: skip


def tables() -> tuple[Table, ...]:
    """The generated ones, and the real ones that are there and large."""
    found = {table.name: table for table in automl_tables.available() if not table.by_time}
    return TABLES + tuple(
        Table(name, found[name].task, rows, partial(real, name=name),
              "random" if found[name].task == "regression" else "stratified")
        for name, rows in SIZE_OF_REAL.items() if name in found
    )  # fmt: skip


def measured(table: Table, *, seeds: Iterable[int], resamples: int) -> list[Outcome]:
    """Every measure of one table over the seeds."""
    stock = table.stock(np.random.default_rng(zlib.crc32(table.name.encode())))
    contract = _contract(table, stock)
    names = (contract.metric, *contract.also)
    population = {name: prepared(METRICS[name], stock.truth, stock.predictions, contract) for name in names}
    found: dict[str, list[tuple[float, float, float, float, float]]] = defaultdict(list)
    for seed in seeds:
        drawn = _drawn(table, stock, np.random.default_rng([zlib.crc32(table.name.encode()), seed]))
        judged = _once(stock, drawn, contract, names, resamples, seed)
        fresh = np.ones(len(stock.truth))
        fresh[drawn] = 0.0
        for name in names:
            scalar = judged.scalar(MODEL, METRICS[name])
            low, high = np.nanpercentile(judged.drawn[MODEL, name], LEVEL)
            found[name].append((population[name](fresh), scalar.ci_low, scalar.ci_high, float(low), float(high)))
    return [_outcome(table, name, np.array(values), name == contract.metric) for name, values in found.items()]


def _contract(table: Table, stock: Stock) -> Contract:
    classes: tuple[str, ...] = ()
    if table.task != "regression":
        classes = tuple(str(code) for code in range(int(stock.truth.max()) + 1))
    counts = {name: int((stock.truth == code).sum()) for code, name in enumerate(classes)}
    metric, also = default_metric(table.task, counts)
    more = () if table.task == "regression" else ("accuracy", "precision", "recall")
    if table.task == "regression":
        also = (*also, "r2")
    return Contract(
        request="", row_unit="one row", task=table.task, target="y", classes=classes,
        positive_class=classes[1] if table.task == "binary" else None, columns=(), metric=metric,
        also=tuple(dict.fromkeys((*also, *more))),
        split=Split(rule=table.rule, column="c" if table.rule in ("group", "time") else None, holdout_fraction=HOLDOUT),
    )  # fmt: skip


def _drawn(table: Table, stock: Stock, random: np.random.Generator) -> NDArray[np.int64]:
    """Rows of the stock that are this user's table."""
    rows = round(table.holdout / HOLDOUT)
    if stock.in_order:
        return int(random.integers(0, len(stock.truth) - rows)) + np.arange(rows)
    if stock.group is None:
        return random.choice(len(stock.truth), rows, replace=False)
    size = int((stock.group == 0).sum())
    chosen = random.choice(int(stock.group.max()) + 1, rows // size, replace=False)
    return np.flatnonzero(np.isin(stock.group, chosen))


def _once(
    stock: Stock, drawn: NDArray[np.int64], contract: Contract, names: Sequence[str], resamples: int, seed: int
) -> Judged:
    """What the scorer says about the hold-out of the table that was drawn."""
    target: Any = stock.truth[drawn]
    if contract.classes:
        target = np.array(contract.classes)[target.astype(int)]
    place = np.arange(len(drawn)) if stock.group is None else stock.group[drawn]
    table = pa.table({"y": target, "c": place})
    cut = cut_rows(table, table.column("y"), contract, seed)
    held = drawn[cut.holdout]
    unit = np.arange(len(held)) if cut.unit is None else cut.unit
    wanted = [(MODEL, METRICS[name]) for name in names]
    given = {MODEL: taken(stock.predictions, held)}
    return judge(wanted, given, Truth(stock.truth[held], unit), contract, resamples, seed)


def _outcome(table: Table, name: str, found: Array, decides: bool) -> Outcome:
    truth, low, high, percentile_low, percentile_high = found.T
    inside = (low <= truth) & (truth <= high)
    return Outcome(
        table=table.name,
        task=table.task,
        rule=table.rule,
        holdout=table.holdout,
        metric=name,
        decides=decides,
        truth=round(float(truth.mean()), 4),
        intervals=len(found),
        covered=int(inside.sum()),
        too_low=int((high < truth).sum()),
        too_high=int((low > truth).sum()),
        width=round(float((high - low).mean()), 4),
        percentile_covered=int(((percentile_low <= truth) & (truth <= percentile_high)).sum()),
        percentile_width=round(float((percentile_high - percentile_low).mean()), 4),
    )


def main() -> None:
    """Run, write and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    wanted = [table for table in tables() if given.only is None or table.name in given.only]
    began = time.monotonic()
    work = partial(measured, seeds=range(given.first, given.first + given.seeds), resamples=given.resamples)
    with ProcessPoolExecutor(2) as pool:
        outcomes: list[Outcome] = []
        for table, part in zip(wanted, pool.map(work, wanted), strict=True):
            held, count = sum(one.covered for one in part), sum(one.intervals for one in part)
            print(f"{table.name}: {held} of {count}, {time.monotonic() - began:.0f} s so far", flush=True)
            outcomes += part
            _write(outcomes, given.out)
    print(show(outcomes))
    if given.out == RESULTS and given.only is None:
        put_into_readme("honesty", markdown(outcomes), "docs/numbers.md")


def _write(outcomes: Sequence[Outcome], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(outcomes[0])))
        writer.writeheader()
        writer.writerows(asdict(one) for one in outcomes)


if __name__ == "__main__":
    main()
