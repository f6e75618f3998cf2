"""Sealed rows that training has seen already: exact twins, found here, and near ones, found by the audit program.

Equal rows are no leak by themselves: in a table of a few categories many rows are equal, and their targets differ. So
twins are weighed: does the score stand on them, or do their targets agree where equal rows of an honest table would
not?
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.contract import Contract
from tools.metrics import METRICS, Metric
from tools.predictions import read_predictions
from tools.probes.evidence import Near
from tools.probes.finding import Probe
from tools.score import Score, prepared, read_truth
from tools.seal import Sealed, label_text

MANY = 0.01
FEWEST_ROWS = 20
"""Fewer rows than this say nothing."""
COPIES = 0.95
"""Agreement of the targets from which twins are copies."""
EXACT, NEAR = "duplicates across the split", "near twins across the split"
IN_USE = "In use no answer stands in the training rows already, so the score will fall to that of the other rows."

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """Sealed rows whose features all occur in one training row as well."""

    rows: Index
    total: int
    partners: Index
    """One training row of each."""

    @property
    def share(self) -> float:
        """Of all sealed rows."""
        return len(self.rows) / self.total if self.total else 0.0


def duplicates_across_split(train: Path, holdout_features: Path) -> Duplicates:
    """Rows of the hold-out that training has seen with exactly the same features (missing equals missing)."""
    names = pq.read_schema(holdout_features).names
    total = pq.read_metadata(holdout_features).num_rows
    key = "hash(" + ", ".join(_quoted(name) for name in names) + ")"
    # Hashes of 64 bits: a chance match among a million rows of each part has a probability of about 5e-8.
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(
            "select held.row, seen.row as partner from "
            f"(select {key} as k, file_row_number as row from read_parquet(?, file_row_number=true)) held join "
            f"(select {key} as k, min(file_row_number) as row from read_parquet(?, file_row_number=true) group by k) "
            "seen on held.k = seen.k order by held.row",
            [str(holdout_features), str(train)],
        ).fetchnumpy()
    return Duplicates(np.asarray(found["row"], np.int64), total, np.asarray(found["partner"], np.int64))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class _Judge:
    """The sealed rows, what training knows of their twins, and the model's score with and without some of them."""

    contract: Contract
    sealed: Sealed
    predictions: Path | None
    score: Score | None

    @property
    def metric(self) -> Metric:
        return METRICS[self.contract.metric]

    def without(self, rows: Index) -> float | None:
        """The measure on the other sealed rows; None where it is not defined."""
        if self.predictions is None or self.score is None:
            return None
        truth = read_truth(self.sealed.holdout_labels, self.contract).codes
        weights = np.ones(len(truth))
        weights[rows] = 0.0
        if weights.sum() < FEWEST_ROWS:
            return None
        model = read_predictions(self.predictions, self.contract, len(truth))
        value = prepared(self.metric, truth, model, self.contract)(weights)
        return value if np.isfinite(value) else None

    def carries(self, without: float, rows: Index) -> bool:
        """Whether the score without the twins is certainly worse."""
        assert self.score is not None
        value, low, high = (getattr(self.score.metric, name) for name in ("value", "ci_low", "ci_high"))
        wider = (self.score.rows / max(self.score.rows - len(rows), 1)) ** 0.5  # fewer rows tell less
        inside = value - wider * (value - low) <= without <= value + wider * (high - value)
        return not inside and self.metric.better(without, value) < 0

    def agreement(self, rows: Index, partners: Index) -> float:
        """How often a twin has the target of its partner: the mean over the classes, for numbers over unequal ones."""
        mine = read_truth(self.sealed.holdout_labels, self.contract).codes[rows]
        theirs = _targets(self.sealed.train, self.contract)[partners]
        if self.contract.task != "regression":
            return (
                float(np.mean([(theirs[mine == code] == code).mean() for code in np.unique(mine)]))
                if _two(mine)
                else 0.0
            )
        everyone = read_truth(self.sealed.holdout_labels, self.contract).codes
        values, counts = np.unique(everyone, return_counts=True)
        rare = np.isin(mine, values[counts <= 0.05 * len(everyone)])
        close = np.abs(mine - theirs) <= 0.02 * float(np.std(everyone))
        return float(close[rare].mean()) if rare.sum() >= 5 else 0.0


def _two(codes: NDArray[np.float64]) -> bool:
    """At least two classes with three rows: with one class agreement says nothing."""
    counts = np.unique(codes, return_counts=True)[1]
    return bool((counts >= 3).sum() >= 2)


def _targets(train: Path, contract: Contract) -> NDArray[np.float64]:
    column = pq.read_table(train, columns=[contract.target]).column(0)
    if contract.task == "regression":
        return np.asarray(column.to_numpy(), dtype=np.float64)
    codes = {label: code for code, label in enumerate(contract.classes)}
    return np.array([codes.get(label, -1) for label in label_text(column).to_pylist()], dtype=np.float64)


def exact(
    contract: Contract, sealed: Sealed, predictions: Path | None, score: Score | None
) -> tuple[Probe, Duplicates]:
    """The probe and the twins."""
    twins = duplicates_across_split(sealed.train, sealed.holdout_features)
    seen = f"{len(twins.rows)} of {twins.total} sealed rows ({twins.share:.1%}) have a twin in training"
    judge = _Judge(contract, sealed, predictions, score)
    if twins.share <= MANY:
        return Probe(probe=EXACT, passed=True, detail=f"{seen}.", evidence={"share": twins.share}), twins
    return _weighed(EXACT, seen, twins.rows, twins.partners, twins.share, judge), twins


def near(
    contract: Contract, sealed: Sealed, found: Near, exactly: Duplicates, predictions: Path | None, score: Score | None
) -> Probe:
    """Rows that are a training row with the last digits changed; `exactly` are told apart already."""
    known = set(exactly.rows.tolist())
    there = [
        (row, partner) for row, partner in found.pairs if row < sealed.rows_holdout and partner < sealed.rows_train
    ]
    pairs = np.array([pair for pair in there if pair[0] not in known], dtype=np.int64).reshape(-1, 2)
    share = len(pairs) / max(found.asked, 1)
    seen = f"{len(pairs)} of {found.asked} sealed rows looked at ({share:.1%}) are nearly equal to a row in training"
    if share <= MANY or len(pairs) < 4:
        return Probe(probe=NEAR, passed=True, detail=f"{seen}.", evidence={"share": share})
    judge = _Judge(contract, sealed, predictions, score)
    if judge.agreement(pairs[:, 0], pairs[:, 1]) < COPIES:
        detail = f"{seen}, but their targets differ, so they are different rows."
        return Probe(probe=NEAR, passed=True, detail=detail, evidence={"share": share})
    return _weighed(NEAR, seen, pairs[:, 0], pairs[:, 1], share, judge)


def _weighed(name: str, seen: str, rows: Index, partners: Index, share: float, judge: _Judge) -> Probe:
    without, agreement = judge.without(rows), judge.agreement(rows, partners)
    evidence: dict[str, float | str] = {"share": share, "agreement": agreement}
    if judge.score is None:
        detail = f"{seen}: the score may be memory. Remove repeated rows."
        return Probe(probe=name, passed=False, detail=detail, in_use=IN_USE, evidence=evidence)
    if without is not None:
        value, metric = judge.score.metric.value, judge.metric
        evidence["without"] = without
        seen += f"; without them {metric.label} is {metric.format(without)} instead of {metric.format(value)}"
        if judge.carries(without, rows):
            detail = f"{seen}: part of the score is memory. Remove repeated rows, or split by group."
            return Probe(probe=name, passed=False, detail=detail, in_use=IN_USE, evidence=evidence)
    if agreement >= COPIES:
        detail = f"{seen}. They are copies, the target included, so they judge nothing. Remove repeated rows."
        return Probe(probe=name, passed=False, detail=detail, in_use=IN_USE, evidence=evidence)
    why = "so they do not carry the score" if without is not None else "but what they are asked for differs"
    return Probe(probe=name, passed=True, detail=f"{seen}, {why}.", evidence=evidence)
