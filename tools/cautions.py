"""What the intervals do not say, in sentences for the notes of a score."""

from typing import Literal

import numpy as np

from tools.contract import Contract
from tools.measuring import Scalar, as_measured
from tools.metrics import METRICS
from tools.predictions import Predictions
from tools.resampling import Truth

Kind = Literal["label", "ranking", "value"]
"""Of a measure: by labels, by the order of the rows, by anything else."""

RANKING = ("roc_auc", "average_precision")
"""Measures of the order of the rows alone."""
CARRIED = 0.5
"""Share of a loss in a fiftieth of the rows from which on its mean is said to hang on them."""
NEW_ROWS = "that says nothing about how far new rows may differ."


def cautions(scalars: tuple[Scalar, ...], truth: Truth, model: Predictions, contract: Contract) -> tuple[str, ...]:
    """What the intervals do not say; the deciding measure comes first in `scalars`."""
    flat = [item for item in scalars if item.ci_low == item.ci_high]
    kinds = dict.fromkeys(_kind(item) for item in flat)
    notes = [_no_width(kind, [i for i in flat if _kind(i) == kind], truth, model, contract) for kind in kinds]
    notes += _carried(scalars[0], truth, model, contract)
    precision = next((item.value for item in scalars if item.name == "precision"), None)
    if scalars[0].name == "recall" and precision is not None:
        notes.append(f"Recall is bought with false alarms: precision is {precision:.3f}.")
    return tuple(notes)


def _carried(item: Scalar, truth: Truth, model: Predictions, contract: Contract) -> list[str]:
    """Where a few rows carry a mean, no interval can know what a rarer one would do."""
    metric = METRICS[item.name]
    if metric.loss is None:
        return []
    loss = np.sort(metric.loss(*as_measured(metric, truth.codes, model, contract)))[::-1]
    few = max(1, len(loss) // 50)
    share = float(loss[:few].sum() / loss.sum()) if loss.sum() > 0 else 0.0
    if share < CARRIED or len(loss) < 2 * few:
        return []
    rows = f"{few} of {len(loss)} rows carry" if few > 1 else f"One of {len(loss)} rows carries"
    return [f"{rows} {share:.0%} of the {metric.label}, so new rows may well be worse than the interval says."]


def _kind(item: Scalar) -> Kind:
    """Which sort of measure it is."""
    if METRICS[item.name].needs == "label":
        return "label"
    return "ranking" if item.name in RANKING else "value"


def _no_width(kind: Kind, flat: list[Scalar], truth: Truth, model: Predictions, contract: Contract) -> str:
    """One sentence for all measures of a kind whose interval has no width: that is no certainty."""
    rows = len(truth.codes)
    about = f"The interval of {' and '.join(item.label for item in flat)} has no width because"
    match kind:
        case "ranking":
            return f"{about} no resample changes the order of the rows ({_per_class(truth, contract)}): {NEW_ROWS}"
        case "label":
            return f"{about} its value is the same whichever of the {rows} rows are drawn: {NEW_ROWS}"
        case "value":
            return f"{about} each of the {rows} rows gives the same value: {NEW_ROWS}"


def _per_class(truth: Truth, contract: Contract, most: int = 5) -> str:
    counts = np.bincount(truth.codes.astype(np.int64), minlength=len(contract.classes))
    rarest = sorted(zip(counts.tolist(), contract.classes, strict=True))
    named = ", ".join(f"{rows} “{label[:30]}”" for rows, label in rarest[:most])
    return named + (f", {len(rarest) - most} larger classes" if len(rarest) > most else "")
