"""The report sections of a blueprint: what to do with the result, in numbers of the sealed rows.

Everything here is computed on the trusted side, from predictions as data, sealed labels and the table itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.blueprints.model import Section
from tools.blueprints.script import active
from tools.charts import small
from tools.contract import BlueprintPart, Contract
from tools.markdown import plain
from tools.metrics import Array
from tools.predictions import Predictions, read_predictions
from tools.resampling import Truth, redrawn_in, resampled
from tools.score import read_truth
from tools.seal import sealed_rows

Json = dict[str, Any]
TOP = 10
RESAMPLES = 1000


def outcome(
    contract: Contract, *, table: Path, dataset_id: str, labels: Path, predictions: Path, script: str
) -> Json | None:
    """The blueprint's part of report.json; None without a blueprint. Numbers are written as people read them.

    `script` is the training script: a user's own may compute nothing of it.
    """
    part = contract.blueprint
    if part is None:
        return None
    truth = read_truth(labels, contract)
    found = read_predictions(predictions, contract, len(truth.codes))
    rows = sealed_rows(table, dataset_id, contract)
    known = pq.read_table(table, columns=_columns(part)).take(pa.array(rows))
    names = _names(part, known, rows)
    if contract.task == "regression" and not part.action:
        values = about_numbers(truth, found, part, names)
    elif contract.task == "binary" and found.probabilities is not None and part.action:
        values = about_classes(truth, found, contract, part, known, names)
    else:
        values = {}
    sections = [Section(title=title, text=text) for title, text in part.sections] if values else []
    used = {one.name for one in active(contract) if f"def {one.name}(" in script}
    return {
        "title": part.title,
        "sentence": part.sentence,
        "quality": part.quality,
        "quality_parts": [{"name": n, "points_lost": p, "sentence": s} for n, p, s in part.quality_parts],
        "derived": [
            {
                "name": one.name,
                "meaning": one.meaning,
                "from": [name for _, name in one.sources],
                "used": one.name in used,
            }
            for one in part.derived
        ],
        "stated": [one.model_dump(mode="json") for one in part.stated],
        "sections": [{"title": _filled(one.title, values), "text": one.filled(values).strip()} for one in sections],
    }


def _filled(title: str, values: dict[str, str]) -> str:
    return Section(title=title, text=title).filled(values)


def _columns(part: BlueprintPart) -> list[str]:
    ids = [name for name, kind in part.kinds if kind == "id"][:1]
    return list(dict.fromkeys([*ids, *([part.value_column] if part.value_column else [])]))


def _names(part: BlueprintPart, known: pa.Table, rows: NDArray[np.int64]) -> list[str]:
    """What each sealed row is called: its identifier, or where it stands in the table (from 1)."""
    ids = [name for name, kind in part.kinds if kind == "id"][:1]
    if not ids:
        return [f"row {row + 1:,} of the table" for row in rows]
    return [plain(str(value))[:60] for value in known.column(ids[0]).to_pylist()]


# ---- classes: whom to act on, and what that is worth


def about_classes(
    truth: Truth,
    found: Predictions,
    contract: Contract,
    part: BlueprintPart,
    known: pa.Table,
    names: list[str],
) -> dict[str, str]:
    """A row is chosen when probability x success x factor x value is more than the cost of acting."""
    assert found.probabilities is not None
    positive = contract.classes.index(contract.positive_class or contract.classes[-1])
    probability, really = found.probabilities[:, positive], truth.codes == positive
    stated = {one.name: one.value for one in part.stated}
    kept = stated["success"] * stated["factor"] * row_values(part, known, len(probability))
    gain = probability * kept - stated["cost"]
    chosen = gain > 0
    seen = np.where(chosen, really * kept - stated["cost"], 0.0)
    low, high = interval(seen, redrawn_in(truth, contract))
    hits = int((chosen & really).sum())
    order = np.argsort(-gain, kind="stable")[:TOP]
    return {
        "action": part.action,
        "rows": f"{len(gain):,}",
        "base_rate": f"{really.mean():.0%}",
        "chosen": f"{int(chosen.sum()):,}",
        "hits": f"{hits:,}",
        "hit_rate": f"{hits / chosen.sum():.0%}" if chosen.any() else "–",
        "expected": amount(gain[chosen].sum()),
        "seen": amount(seen.sum()),
        "seen_low": amount(low),
        "seen_high": amount(high),
        "cost": amount(stated["cost"]),
        "success": f"{stated['success']:.0%}",
        "factor": small(stated["factor"]),
        "table": _ranking(order, part, names, probability, kept, gain),
    }


def row_values(part: BlueprintPart, known: pa.Table, rows: int) -> Array:
    """What each row is worth: its value column, and the stated value where that is missing."""
    usual = next(one.value for one in part.stated if one.name == "value")
    if part.value_column is None:
        return np.full(rows, usual)
    values = known.column(part.value_column).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(values), values, usual).astype(np.float64)


def interval(values: Array, truth: Truth) -> tuple[float, float]:
    """95 % bootstrap interval of a sum over the sealed rows, rows of one unit drawn together."""
    sums = np.array([float(weights @ values) for weights in resampled(truth, None, RESAMPLES, seed=0)])
    low, high = np.percentile(sums, [2.5, 97.5])
    return float(low), float(high)


def _ranking(
    order: NDArray[np.int64],
    part: BlueprintPart,
    names: list[str],
    probability: Array,
    kept: Array,
    gain: Array,
) -> str:
    lines = [f"| | probability | worth if it works | expected value of a {part.action} |", "|---|---|---|---|"]
    for row in order:
        lines.append(f"| {names[row]} | {probability[row]:.0%} | {amount(kept[row])} | {amount(gain[row])} |")
    return "\n".join(lines)


# ---- numbers: how far off, which way, where


def about_numbers(truth: Truth, found: Predictions, part: BlueprintPart, names: list[str]) -> dict[str, str]:
    """Errors in the target's own unit and as a share of the true value."""
    errors = found.values - truth.codes
    sized = truth.codes != 0
    shares = np.abs(errors[sized]) / np.abs(truth.codes[sized])
    order = np.argsort(-np.abs(errors), kind="stable")[:TOP]
    lines = ["| | predicted | really | off by |", "|---|---|---|---|"]
    lines += [
        f"| {names[row]} | {amount(found.values[row])} | {amount(truth.codes[row])} | {amount(errors[row])} |"
        for row in order
    ]
    return {
        "rows": f"{len(errors):,}",
        "typical_error": amount(float(np.median(np.abs(errors)))),
        "typical_percent": f"{np.median(shares):.0%}" if len(shares) else "–",
        "within": f"{part.within:.0%}",
        "within_share": f"{(shares <= part.within).mean():.0%}" if len(shares) else "–",
        "too_high": f"{(errors > 0).mean():.0%}",
        "bias": f"{amount(abs(float(errors.mean())))} too {'high' if errors.mean() > 0 else 'low'}",
        "table": "\n".join(lines),
    }


def amount(value: float) -> str:
    """Money and counts: whole where they are large."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
