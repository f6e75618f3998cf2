"""What drives the model as a whole: Shapley values of many rows, and how large they are on average.

Of each row the chance of the class that the model gives it is taken apart (two classes: of the positive one). A large
table is sampled, which is said; the more time there is, the more walks each row gets.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tools.explaining.asking import Ints, Model, Quantity, codes_of, piled, quantity
from tools.explaining.background import Background
from tools.explaining.row import shown
from tools.explaining.shapley import Walks, contributions, walks
from tools.metrics import Array
from tools.predictions import Predictions
from tools.reference import numbers

ROWS = 200
ROWS_AT_ONCE = 10
ROUNDS = 8
"""Each gives every row two pairs of walks."""
PAIRS = 2
RESAMPLES = 200
LEVEL = (2.5, 97.5)


class Influence(BaseModel):
    """One column over all rows."""

    model_config = ConfigDict(frozen=True)

    column: str
    mean: float
    """Mean size of its contributions, in units of the answer."""
    ci_low: float
    """95 %, over the rows."""
    ci_high: float
    direction: float | None = None
    """Rank correlation of value and contribution, −1 to 1; None for what has no order."""


class Overview(BaseModel):
    """The columns, the most influential first."""

    model_config = ConfigDict(frozen=True)

    of: str
    columns: tuple[Influence, ...]
    rows: int
    pairs: int
    """Pairs of walks per row."""
    compared_with: str
    sentence: str
    note: str = ""


@dataclass(frozen=True)
class Detail:
    """What the overview was made of, for the chart and for a file."""

    columns: tuple[str, ...]
    values: pa.Table
    """The rows."""
    contributions: Array
    """(rows, columns)"""
    base: Array
    prediction: Array
    heights: Array
    """(rows, columns): where the row's value stands among those of its column, 0 to 1; NaN for what has no order."""


async def overview(model: Model, rows: pa.Table, background: Background) -> tuple[Overview, Detail]:
    """Take at most ROWS of `rows` apart, as far as time allows.

    Raises `ModelFailed`, `PredictionsRefused`, `SandboxError`.
    """
    sample = _sample(rows, model.contract.seed)
    pile = piled([background.rows, sample], model.contract)
    sums, counts, value, label = await _walked(model, pile, len(background.rows))
    done = np.flatnonzero(counts)
    found = sums[done] / counts[done, None]
    kept = sample.take(pa.array(done))
    heights = _heights(model, kept)
    detail = Detail(model.features, kept, found, value[done] - found.sum(axis=1), value[done], heights)
    columns = _influences(model, detail)
    summary = Overview(
        of=label.label,
        columns=columns,
        rows=len(done),
        pairs=int(counts[done].min()),
        compared_with=background.source,
        sentence=_sentence(columns, label),
        note=_note(len(done), len(rows), int(counts[done].min())),
    )
    return summary, detail


def _sample(rows: pa.Table, seed: int) -> pa.Table:
    """In random order, so that the rows that were reached in time are a sample as well."""
    order = np.random.default_rng(seed).permutation(len(rows))[:ROWS]
    return rows.take(pa.array(order))


async def _walked(model: Model, pile: pa.Table, behind: int) -> tuple[Array, Ints, Array, Quantity]:
    """(rows, columns) sums of contributions, pairs of walks per row, the rows' own answers, and what they are.

    Few rows first, then as many at once as fit, at the speed so far, into half of the time left.
    """
    generator = np.random.default_rng([model.contract.seed, 1])
    codes, rows = codes_of(pile), len(pile) - behind
    sums, counts = np.zeros((rows, len(model.features))), np.zeros(rows, dtype=np.int64)
    values, label = np.zeros(rows), Quantity("")
    at, count = 0, min(ROWS_AT_ONCE, rows)
    while count > 0 and at < ROUNDS * rows:
        before = model.clock()
        chosen = np.arange(at, at + count) % rows
        plans = [_plan(codes, behind, int(row), generator) for row in chosen]
        walked = [np.where(p.taken, behind + row, p.background[:, None]) for p, row in zip(plans, chosen, strict=True)]
        own = np.repeat((behind + chosen)[:, None], len(model.features), axis=1)
        said = await model.said(pile, np.concatenate([own, *walked]))
        cuts = count + np.cumsum([0, *map(len, walked)])
        for place, row in enumerate(chosen):
            what = _quantity(model, said, place)
            answers = what.of(said)
            values[row] = answers[place]
            sums[row] += contributions(plans[place], answers[cuts[place] : cuts[place + 1]]).sum(axis=0)
            counts[row] += PAIRS
            label = what
        at += count
        fits = int(model.left / 2 / max((model.clock() - before) / count, 1e-9))
        count = max(0, min(fits, rows, ROUNDS * rows - at))  # the last question may have taken longer than was left
    if model.contract.task == "multiclass":
        label = Quantity("the predicted chance of the predicted class", label.code, label.chance)
    return sums, counts, values, label


def _quantity(model: Model, said: Predictions, place: int) -> Quantity:
    """What is taken apart of one row."""
    return quantity(model.contract, said, int(said.values[place]) if model.contract.classes else None)


def _plan(codes: Ints, behind: int, row: int, generator: np.random.Generator) -> Walks:
    starts = generator.choice(behind, PAIRS, replace=False)
    return walks(codes[:behind] == codes[behind + row], starts, generator)


def _heights(model: Model, rows: pa.Table) -> Array:
    columns = []
    for name in model.features:
        role = model.role(name)
        found = numbers(rows.column(name), role) if role in ("number", "date") else None
        if found is None or np.isnan(found).all():
            columns.append(np.full(len(rows), np.nan))
            continue
        ranks = stats.rankdata(found, nan_policy="omit")
        columns.append((ranks - 0.5) / max(int((~np.isnan(found)).sum()), 1))
    return np.column_stack(columns)


def _influences(model: Model, detail: Detail) -> tuple[Influence, ...]:
    sizes = np.abs(detail.contributions)
    generator = np.random.default_rng([model.contract.seed, 2])
    times = generator.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES) / len(sizes)
    low, high = np.percentile(times @ sizes, LEVEL, axis=0)
    means = sizes.mean(axis=0)
    return tuple(
        Influence(
            column=detail.columns[place],
            mean=float(means[place]),
            ci_low=float(min(low[place], means[place])),
            ci_high=float(max(high[place], means[place])),
            direction=None
            if model.contract.task == "multiclass"
            else _direction(detail.heights[:, place], detail.contributions[:, place]),
        )
        for place in np.argsort(-means, kind="stable")
    )


def _direction(heights: Array, parts: Array) -> float | None:
    there = ~np.isnan(heights)
    if there.sum() < 10 or np.ptp(heights[there]) == 0 or np.ptp(parts[there]) == 0:
        return None
    return float(stats.spearmanr(heights[there], parts[there]).statistic)


def _sentence(columns: tuple[Influence, ...], what: Quantity) -> str:
    strong = [one for one in columns if one.mean > 0][:3]
    if not strong:
        return "No column moves the answer: the model says the same whatever the row holds."
    named = ", ".join(f"“{one.column}” ({what.step(one.mean).lstrip('+')}{_way(one)})" for one in strong)
    return f"What moves {what.label} most, by how much on average over the rows: {named}."


def _way(one: Influence) -> str:
    if one.direction is None or abs(one.direction) < 0.6:
        return ""
    return ", higher values raise it" if one.direction > 0 else ", higher values lower it"


def _note(rows: int, of: int, pairs: int) -> str:
    said = [f"A sample of {rows:,} of {of:,} rows was taken apart."] if rows < of else []
    if pairs < 2 * PAIRS:
        said.append(
            "There was time for few walks per row, so single contributions are rough; the averages are steadier."
        )
    return " ".join(said)


def contributions_csv(detail: Detail) -> str:
    """One line per row and column: row,column,value,contribution,base,prediction."""
    import csv
    import io

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["row", "column", "value", "contribution", "base", "prediction"])
    for place, name in enumerate(detail.columns):
        for row, value in enumerate(detail.values.column(name).to_pylist()):
            numbers_ = (detail.contributions[row, place], detail.base[row], detail.prediction[row])
            table.writerow([row + 1, name, shown(value), *(f"{number:.6g}" for number in numbers_)])
    return out.getvalue()
