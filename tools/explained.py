"""What a readable model says of itself (profile “explainable”), and what it costs to be readable."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.markdown import plain
from tools.metrics import METRICS, Metric

PAGE, DATA = "explanation.md", "explanation.json"
REFERENCE = "boosted_trees"
"""What the explainable recipe compares its models with on the same folds."""
_MOST_BYTES = 2_000_000


def readable(path: Path) -> bool:
    """A plain file of a size that a person might read; a script wrote it."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES


def price(report: Mapping[str, Any]) -> str:
    """What readability costs, by validation rows: a sentence with an interval; "" for other profiles.

    The figures are the trusted side's (tools/candidates.py), computed from predictions of rows not fitted on.
    """
    if report.get("profile") != "explainable":
        return ""
    found = {one["model"]: one for one in (report.get("candidates") or {}).get("candidates", [])}
    readable_ones = [one for name, one in found.items() if name != REFERENCE]
    if REFERENCE not in found or not readable_ones:
        return "What readability costs could not be measured: too few validation rows."
    best = min(readable_ones, key=lambda one: one["behind"])
    metric, reference = METRICS[report["metric"]["name"]], found[REFERENCE]
    told = f"{metric.label} {best['value']:.4g} against {reference['value']:.4g} of one model of boosted trees"
    rows = (report.get("candidates") or {}).get("rows", 0)
    name = plain(best["model"].replace("_", " "))
    on = f"the {name} model has {told} that nobody can read, on {rows:,} training rows not fitted on."
    if best["behind"] <= 0:  # the candidates are held against the best of them, here the readable one
        gap, low, high = (reference[part] for part in ("behind", "behind_low", "behind_high"))
        seen = "it is even better" if low > 0 else "no difference beyond chance"
        return f"Readability costs nothing here: {seen}, {_limits(metric, gap, low, high)}; {on}"
    return f"What readability costs: {_limits(metric, best['behind'], best['behind_low'], best['behind_high'])}; {on}"


def _limits(metric: Metric, gap: float, low: float, high: float) -> str:
    return f"{gap:.3g} of {metric.label} (95 % interval {low:.3g} to {high:.3g})"


def section(report: Mapping[str, Any]) -> str:
    """The part of report.md."""
    said = price(report)
    return f"## Readable on purpose\n\n{said} The whole model is in `model/{PAGE}`." if said else ""
