"""The improvement search in a report: a sentence for the answer, a table for the page, names of its scripts."""

from collections.abc import Mapping
from typing import Any

from tools.markdown import plain
from tools.metrics import METRICS


def search_text(report: Mapping[str, Any]) -> str:
    """What came of it, in one paragraph; "" where there was no search."""
    found = report.get("search")
    return plain(found["sentence"]) if found and found["tried"] else ""


def search_section(report: Mapping[str, Any]) -> str:
    """Every script with what came of it (Markdown); "" where there was no search."""
    found = report.get("search")
    if not found:
        return ""
    head = f"## Improvement search\n\n{plain(found['sentence'])}"
    if not found["tried"]:
        return head
    how = (
        "Scripts are compared on training rows kept aside, by this product and not by the scripts; only the one that "
        "is ahead there meets the recipe on the sealed rows."
    )
    if found["gain"]:
        gain = found["gain"]
        how += (
            f" There script {found['candidate']} is ahead by {gain['value']:+.3g} (95 % interval {gain['ci_low']:+.3g} "
            f"to {gain['ci_high']:+.3g}, paired; more is better); {found['looks']} looks at these rows were counted."
        )
    lines = ["| script | made from | idea | on rows kept aside | gain, 95 % interval |", "|---|---|---|---|---|"]
    lines += [_row(one, report) for one in found["scripts"]]
    return f"{head}\n\n{how}\n\n" + "\n".join(lines) + f"\n\nThe search ended because: {plain(found['why_it_ended'])}"


def _row(one: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    name = f"{one['script']}, the recipe" if one["script"] == 0 else str(one["script"])
    if one["script"] and one["script"] == report["search"]["stands"]:
        name = f"**{name}**"
    made_from = "–" if one["made_from"] is None else str(one["made_from"])
    metric, value, gain = METRICS[report["metric"]["name"]], one["value"], one["gain"]
    shown = metric.format(value["value"]) if value else f"{one['status']}: {one['trouble']}"
    apart = f"{gain['value']:+.3g} ({gain['ci_low']:+.3g} to {gain['ci_high']:+.3g})" if gain else "–"
    return f"| {name} | {made_from} | {plain(one['idea']) or '–'} | {plain(shown)} | {apart} |"


def script_name(number: int) -> str:
    """The file of a script, below the folder of a result."""
    return f"search/script_{number}.py"
