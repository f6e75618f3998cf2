"""Is a row predicted by itself? The sealed rows are asked for again, in another order and in small parts.

A model that is fitted before the split in effect (it standardises, ranks or fills gaps over the rows that it is asked
about) answers differently in other company, however innocent its code reads.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from tools.answers import ModelFailed
from tools.contract import Contract
from tools.predictions import Predictions, PredictionsRefused, read_predictions
from tools.probes.finding import Probe

NAME = "rows on their own"
MAX_ROWS = 300
PARTS = 3
TOLERANCE = 1e-4
"""Of a probability, or of the spread of the predicted numbers: parallel sums differ in their last digits."""

Ask = Callable[[pa.Table], Awaitable[Predictions]]


class Batches(BaseModel):
    """How many of the rows that were asked for again got another answer."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(ge=0)
    differing: int = Field(ge=0)
    largest: float = 0.0
    """Largest change of a probability, or of a number in spreads of the predictions."""
    trouble: str = ""
    """Why the rows could not be asked for again."""


async def batches(ask: Ask, holdout_features: Path, predictions: Path, contract: Contract) -> Batches:
    """Ask `PARTS` times for a part of the sealed rows, shuffled; compare with what was said about them together."""
    features = pq.read_table(holdout_features)
    before = read_predictions(predictions, contract, features.num_rows)
    order = np.random.default_rng(contract.seed).permutation(features.num_rows)[:MAX_ROWS]
    if len(order) < PARTS:
        return Batches(rows=0, differing=0)
    changes = np.zeros(len(order))
    for part in np.array_split(np.arange(len(order)), PARTS):
        rows = order[part]
        try:
            now = await ask(features.take(pa.array(rows)))
        except (ModelFailed, PredictionsRefused) as problem:
            return Batches(rows=len(order), differing=0, trouble=str(problem))
        changes[part] = _change(before, now, rows)
    return Batches(rows=len(order), differing=int((changes > TOLERANCE).sum()), largest=float(changes.max()))


def _change(before: Predictions, now: Predictions, rows: np.ndarray) -> np.ndarray:
    if before.probabilities is not None and now.probabilities is not None:
        return np.asarray(np.abs(before.probabilities[rows] - now.probabilities).max(axis=1))
    if before.probabilities is not None or now.probabilities is not None:
        return np.ones(len(rows))
    gaps = np.abs(before.values[rows] - now.values)
    spread = float(np.std(before.values))
    return np.asarray(gaps / spread if spread > 0 else (gaps > 0).astype(float))


def on_their_own(found: Batches) -> Probe:
    """The probe in words."""
    if found.trouble:
        detail = f"The sealed rows were asked for again in small parts, and the model failed: {found.trouble}"
        return Probe(probe=NAME, passed=False, detail=detail, in_use=_IN_USE)
    seen = f"{found.rows} sealed rows were asked for again, in another order and in {PARTS} parts"
    evidence: dict[str, float | str] = {"rows": found.rows, "differing": found.differing, "largest": found.largest}
    if not found.differing:
        return Probe(probe=NAME, passed=True, detail=f"{seen}, with the same answers.", evidence=evidence)
    return Probe(
        probe=NAME,
        passed=False,
        detail=(
            f"{seen}: {found.differing} of them got another answer. The model looks at the other rows of a question "
            "(it may be fitting, ranking or standardising them), so knowledge of the hold-out is in its score."
        ),
        in_use=_IN_USE,
        evidence=evidence,
    )


_IN_USE = "In use rows come in ones and twos, and the answer would depend on which others come with them."
