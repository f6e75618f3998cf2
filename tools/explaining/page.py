"""The part of the report that says how the model decides, and which columns carry the same information."""

from collections.abc import Mapping
from typing import Any

from tools.charts import small
from tools.markdown import plain

MOST = 12


def explain_page(report: Mapping[str, Any]) -> str:
    """A section of report.md; "" where the answers were not taken apart."""
    found = report.get("explanation")
    if not found:
        return ""
    summary = found["overview"]
    lines = ["| column | moves the answer on average by | 95 % interval |", "|---|---|---|"]
    for one in summary["columns"][:MOST]:
        limits = f"{small(one['ci_low'])} to {small(one['ci_high'])}"
        lines.append(f"| {plain(one['column'])} | {small(one['mean'])} | {limits} |")
    how = (
        f"Shapley values of {summary['rows']:,} sealed rows, {summary['pairs']} pairs of walks each, in units of "
        f"{plain(summary['of'])}. One row: `modelwright explain FOLDER TABLE --row 1`, or “why row 1?” in the chat."
    )
    return "\n\n".join(["## How it decides", found["text"], "\n".join(lines), how])


def groups_text(report: Mapping[str, Any]) -> str:
    """Which columns are each other's stand-ins, a line each."""
    return "\n".join(f"- {plain(group['sentence'])}" for group in report.get("importance_groups") or [])
