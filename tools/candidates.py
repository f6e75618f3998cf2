"""Which of the compared models cannot be told apart from the best: their out-of-fold predictions, measured here.

What a script says of its models' scores is not used: the labels are ours, and the predictions are read like those for
the sealed rows. They are still the script's own claim to be out of fold, so nothing of this is a score.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.intervals import LEVEL
from tools.markdown import plain
from tools.metrics import METRICS, Array
from tools.multiplicity import among_the_best, reaches
from tools.predictions import Predictions, PredictionsRefused, read_some
from tools.resampling import Truth
from tools.score import judge
from tools.training_truth import in_blocks, training_labels

RESAMPLES = 400
MOST = 20
"""Candidates that are compared; a search may have tried hundreds, and the best of them come first."""
FEWEST_ROWS = 20


class Candidate(BaseModel):
    """One model on the common validation rows."""

    model_config = ConfigDict(frozen=True)

    model: str
    value: float
    ci_low: float
    ci_high: float
    behind: float
    """How much worse than the best one, in units of the measure."""
    behind_low: float
    behind_high: float
    """95 % interval for all candidates together."""
    tied: bool
    """No other candidate is better beyond chance, all pairs taken together."""


class Candidates(BaseModel):
    """The models of the leaderboard, compared with each other."""

    model_config = ConfigDict(frozen=True)

    metric: str
    rows: int
    """Training rows that every candidate has predicted without having seen them."""
    candidates: tuple[Candidate, ...]
    """The best first."""
    sentence: str


def file_of(model: str) -> str:
    """Where the recipes leave what one candidate says of validation rows."""
    return f"oof_{model}.parquet"


def candidates(
    outputs: Path, train: Path, contract: Contract, leaderboard: Sequence[Mapping[str, Any]], groups: Path | None = None
) -> Candidates | None:
    """None when there are not two candidates with sound predictions of the same rows."""
    labels = training_labels(train, contract)
    rows, given = _common(outputs, contract, [str(row.get("model", "")) for row in leaderboard], len(labels))
    metric = METRICS[contract.metric]
    if len(given) < 2 or len(rows) < FEWEST_ROWS or (contract.classes and len(np.unique(labels[rows])) < 2):
        return None
    truth = Truth(labels[rows], _units(rows, groups, contract))
    judged = judge([(name, metric) for name in given], given, truth, contract, RESAMPLES, contract.seed)
    sign = 1.0 if metric.greater_is_better else -1.0
    values = sign * np.array([judged.exact[name, metric.name] for name in given])
    drawn = sign * np.column_stack([judged.drawn[name, metric.name] for name in given])
    if not np.isfinite(values).all():
        return None
    best, behind = among_the_best(values, drawn), _behind(values, drawn)
    found = []
    for place, name in enumerate(given):
        scalar, (gap, low, high) = judged.scalar(name, metric), behind[place]
        one = Candidate(
            model=name, value=scalar.value, ci_low=scalar.ci_low, ci_high=scalar.ci_high,
            behind=gap, behind_low=low, behind_high=high, tied=bool(best[place]),
        )  # fmt: skip
        found.append(one)
    ranked = tuple(sorted(found, key=lambda one: one.behind))
    return Candidates(metric=metric.name, rows=len(rows), candidates=ranked, sentence=_sentence(ranked, len(rows)))


def _common(
    outputs: Path, contract: Contract, names: Sequence[str], rows: int
) -> tuple[NDArray[np.int64], dict[str, Predictions]]:
    """(the rows that all candidates have predicted, what each says of them); a file that is not sound is left out."""
    found: dict[str, tuple[NDArray[np.int64], Predictions]] = {}
    for name in list(dict.fromkeys(names))[:MOST]:
        path = outputs / file_of(name)
        if not name.isidentifier() or path.is_symlink() or not path.is_file():
            continue
        try:
            where, said = read_some(path, contract, rows)
        except PredictionsRefused:
            continue
        if METRICS[contract.metric].needs != "probability" or said.probabilities is not None:
            found[name] = where, said
    if not found:
        return np.arange(0), {}
    common = next(iter(found.values()))[0]
    for where, _ in found.values():
        common = np.intersect1d(common, where, assume_unique=True)
    return common, {name: _taken(where, said, common) for name, (where, said) in found.items()}


def _taken(where: NDArray[np.int64], said: Predictions, common: NDArray[np.int64]) -> Predictions:
    places = np.searchsorted(where, common)
    chances = said.probabilities
    return Predictions(said.values[places], None if chances is None else chances[places])


def _units(rows: NDArray[np.int64], groups: Path | None, contract: Contract) -> NDArray[np.int64]:
    """Training rows depend on each other as the sealed ones do: by group, or by neighbours in time."""
    if contract.split.rule == "time":
        return in_blocks(len(rows))
    if groups is not None and groups.is_file():
        return np.asarray(pq.read_table(groups).column("group").to_numpy(), dtype=np.int64)[rows]
    return np.arange(len(rows))


def _behind(values: Array, drawn: Array) -> list[tuple[float, float, float]]:
    """Of each candidate: (difference to the best, its limits for all of them together)."""
    best = int(values.argmax())
    reach = reaches(drawn)[best]
    apart = values[best] - values
    return [(float(gap), float(gap - half), float(gap + half)) for gap, half in zip(apart, reach, strict=True)]


def _sentence(ranked: Sequence[Candidate], rows: int) -> str:
    tied = [plain(one.model) for one in ranked if one.tied and one is not ranked[0]]
    worse = [plain(one.model) for one in ranked if not one.tied]
    first = plain(ranked[0].model)
    how = f"on {rows:,} training rows, all pairs taken together at {LEVEL:.0%}"
    if not tied:
        return f"Of {len(ranked)} models {first} is better than every other beyond chance ({how})."
    also = f"{_listed(tied)} cannot be told apart from {first}, the best of {len(ranked)} models ({how})"
    if not worse:
        return f"{also}: a smaller or faster one of them would do as well."
    return f"{also}; {_listed(worse)} {'is' if len(worse) == 1 else 'are'} worse beyond chance."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
