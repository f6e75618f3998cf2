"""Probes beside the score: could this number be too good for a reason that has nothing to do with the question?

What a sandbox measured on training rows (tools/recipes/audit.py) is checked and judged here; what needs the sealed rows
is computed here, on the trusted side.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.contract import Contract
from tools.metrics import METRICS, Metric
from tools.predictions import read_predictions
from tools.score import Score, prepared, read_truth
from tools.seal import Sealed, class_counts

ALONE: dict[str, float] = {"roc_auc": 0.98, "balanced_accuracy": 0.97, "r2": 0.97}
"""One column that reaches this alone is the target in other words until proven otherwise."""
MEASURES = {"roc_auc": "ROC-AUC", "balanced_accuracy": "balanced accuracy", "r2": "R²"}
MANY_DUPLICATES = 0.01
MAX_PROBE_BYTES = 5_000_000
FEWEST_ROWS = 20
"""Fewer rows than this say nothing."""


class Probe(BaseModel):
    """One probe: what was tried, whether it is fine, and what was seen, in a sentence or two."""

    model_config = ConfigDict(frozen=True)

    probe: str
    passed: bool
    detail: str


class Measured(BaseModel):
    """outputs/probe.json of the audit program: untrusted, so every field is checked."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    metric: str = Field(pattern="^(roc_auc|balanced_accuracy|r2)$")
    rows: int = Field(ge=1, le=10_000_000)
    real: float | None = Field(ge=-1e9, le=1.0)
    shuffled: tuple[float, ...] = Field(max_length=20)
    single: dict[str, float] = Field(max_length=100_000)


@dataclass(frozen=True)
class Duplicates:
    """Sealed rows whose features all occur in one training row as well."""

    rows: NDArray[np.int64]
    total: int

    @property
    def share(self) -> float:
        """Of all sealed rows."""
        return len(self.rows) / self.total if self.total else 0.0


def read_probe(path: Path) -> Measured:
    """What the audit program wrote; raises ValueError with a sentence for anything else."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_PROBE_BYTES:
        raise ValueError("The audit program left no probe.json of a sensible size.")
    try:
        return Measured.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"probe.json is not what the audit program writes: {error.errors()[0]['msg']}.") from error


def duplicates_across_split(train: Path, holdout_features: Path) -> Duplicates:
    """Rows of the hold-out that training has seen with exactly the same features (missing equals missing)."""
    names = pq.read_schema(holdout_features).names
    total = pq.read_metadata(holdout_features).num_rows
    key = "hash(" + ", ".join(_quoted(name) for name in names) + ")"
    # Hashes of 64 bits: a chance match among a million rows of each part has a probability of about 5e-8.
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(
            f"select row from (select {key} as k, file_row_number as row from read_parquet(?, file_row_number=true)) "
            f"where k in (select {key} from read_parquet(?)) order by row",
            [str(holdout_features), str(train)],
        ).fetchnumpy()["row"]
    return Duplicates(np.asarray(found, dtype=np.int64), total)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def assemble(
    probe: Path, contract: Contract, sealed: Sealed, *, predictions: Path | None = None, score: Score | None = None
) -> tuple[Probe, ...]:
    """Every probe that applies, each with its finding; a probe that could not run says so and has not passed.

    `probe`: outputs/probe.json of the audit program. With the model's predictions and their score, duplicates are
    judged by what they change; without them, by their number alone.
    """
    duplicates = duplicates_across_split(sealed.train, sealed.holdout_features)
    without = None
    if predictions is not None and duplicates.share > MANY_DUPLICATES:
        without = _score_without(duplicates.rows, sealed.holdout_labels, predictions, contract)
    probes = [
        *_measured(probe, contract, sealed.train),
        _duplicates(duplicates, without, score, METRICS[contract.metric]),
    ]
    if sealed.rule == "time":
        probes.append(_time_order(sealed, contract))
    return tuple(probes)


def _measured(path: Path, contract: Contract, train: Path) -> list[Probe]:
    try:
        measured = read_probe(path)
    except ValueError as error:
        names = ("shuffled target", "single column")
        return [Probe(probe=name, passed=False, detail=f"Not run: {error}") for name in names]
    return [_canary(measured, contract, train), _single(measured, contract)]


def _canary(measured: Measured, contract: Contract, train: Path) -> Probe:
    """Target permutation (Ojala & Garriga 2010): with the target shuffled nothing but chance may be left."""
    name, label = "shuffled target", MEASURES[measured.metric]
    if measured.real is None or not measured.shuffled:
        return Probe(probe=name, passed=True, detail="Not needed: there is no column that a small tree could use.")
    chance, spread = _chance(measured, contract, train)
    mean = float(np.mean(measured.shuffled))
    seen = f"With the target shuffled a small tree reaches {label} {mean:.3f}, with the real one {measured.real:.3f}"
    if mean <= chance + 3 * spread:
        return Probe(probe=name, passed=True, detail=f"{seen}: what is found comes from the target, not the procedure.")
    detail = f"{seen}; chance would be {chance:.3f}. Rows leak between training and validation, so distrust the score."
    return Probe(probe=name, passed=False, detail=detail)


def _chance(measured: Measured, contract: Contract, train: Path) -> tuple[float, float]:
    """(value of chance, a generous standard deviation of it) for the probe's rows."""
    if measured.metric == "r2":
        return 0.0, 1.0 / float(np.sqrt(measured.rows))
    counts = class_counts(pq.read_table(train, columns=[contract.target]).column(0))
    rarest = min(counts.values()) * min(1.0, measured.rows / sum(counts.values()))
    chance = 0.5 if measured.metric == "roc_auc" else 1.0 / len(counts)
    return chance, 0.5 / float(np.sqrt(max(rarest, 1.0)))


def _single(measured: Measured, contract: Contract) -> Probe:
    name, limit = "single column", ALONE[measured.metric]
    powers = {column: power for column, power in measured.single.items() if column in contract.features}
    if not powers:
        return Probe(probe=name, passed=True, detail="Not needed: there is no column that could be tried alone.")
    label, best = MEASURES[measured.metric], max(powers, key=lambda column: powers[column])
    suspects = sorted((column for column in powers if powers[column] >= limit), key=lambda column: -powers[column])
    tried = f"{len(powers)} of {len(contract.features)} columns were tried alone"
    if not suspects:
        detail = f"{tried}; the strongest, “{best}”, reaches {label} {powers[best]:.3f} (suspicious from {limit:g})."
        return Probe(probe=name, passed=True, detail=detail)
    named = ", ".join(f"“{column}” ({label} {powers[column]:.3f})" for column in suspects[:5])
    detail = (
        f"{named} nearly gives “{contract.target}” away on its own. If it is only known once the answer is known, the "
        "model will look this good here and fail in use: leave it out and compare."
    )
    return Probe(probe=name, passed=False, detail=detail)


def _duplicates(duplicates: Duplicates, without: float | None, score: Score | None, metric: Metric) -> Probe:
    """`without`: the measure on the sealed rows that have no twin."""
    name = "duplicates across the split"
    seen = f"{len(duplicates.rows)} of {duplicates.total} sealed rows ({duplicates.share:.1%}) have a twin in training"
    if duplicates.share <= MANY_DUPLICATES:
        return Probe(probe=name, passed=True, detail=f"{seen}.")
    if without is None or score is None:
        return Probe(probe=name, passed=False, detail=f"{seen}: the score may be memory. Remove repeated rows.")
    value = score.metric.value
    seen += f"; without them {metric.label} is {metric.format(without)} instead of {metric.format(value)}"
    if score.metric.ci_low <= without <= score.metric.ci_high or metric.better(without, value) > 0:
        return Probe(probe=name, passed=True, detail=f"{seen}, so they do not carry the score.")
    detail = f"{seen}: part of the score is memory. Remove repeated rows, or split by group."
    return Probe(probe=name, passed=False, detail=detail)


def _score_without(
    rows: NDArray[np.int64], labels_path: Path, predictions_path: Path, contract: Contract
) -> float | None:
    """The measure on the sealed rows that training has not seen; None where it is not defined."""
    truth = read_truth(labels_path, contract).codes
    model = read_predictions(predictions_path, contract, len(truth))
    weights = np.ones(len(truth))
    weights[rows] = 0.0
    if weights.sum() < FEWEST_ROWS:
        return None
    value = prepared(METRICS[contract.metric], truth, model, contract)(weights)
    return value if np.isfinite(value) else None


def _time_order(sealed: Sealed, contract: Contract) -> Probe:
    """Read from the parts themselves where the date is a feature; else the seal vouches for it."""
    name, column = "time order", contract.split.column or ""
    if column not in contract.features or pa.types.is_string(pq.read_schema(sealed.train).field(column).type):
        detail = f"The sealed rows are the latest by “{column}”; nothing later was used for training."
        return Probe(probe=name, passed=True, detail=detail)
    last, first = _extreme(sealed.train, column, "max"), _extreme(sealed.holdout_features, column, "min")
    detail = f"Training ends with {last}, the sealed rows begin with {first}."
    passed = bool(last < first)
    return Probe(probe=name, passed=passed, detail=detail if passed else f"{detail} They overlap, so the future leaks.")


def _extreme(path: Path, column: str, which: Literal["min", "max"]) -> Any:
    with duckdb.connect() as connection:
        found = connection.execute(f"select {which}({_quoted(column)}) from read_parquet(?)", [str(path)]).fetchone()
    return found[0] if found else None
