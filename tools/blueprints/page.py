"""The blueprint's part of a report as Markdown: for the page, and shorter for the chat."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.markdown import plain


def blueprint_page(report: Mapping[str, Any]) -> str:
    """Its sections, the computed columns and the quality of the data; "" without a blueprint."""
    part = report.get("blueprint")
    if not part:
        return ""
    sections = [f"## {plain(section['title'])}\n\n{section['text']}" for section in part["sections"]]
    return "\n\n".join([*sections, _columns(part), _quality(part), _stated(part)]).rstrip()


def blueprint_text(report: Mapping[str, Any]) -> str:
    """The sections alone, with their titles in bold."""
    part = report.get("blueprint")
    if not part:
        return ""
    return "\n\n".join(f"**{plain(section['title'])}**\n\n{section['text']}" for section in part["sections"])


def _columns(part: Mapping[str, Any]) -> str:
    lines = [f"## Computed columns\n\n{plain(part['sentence'])}\n"]
    lines += ["| computed | from | meaning |", "|---|---|---|"]
    for one in part["derived"]:
        name = plain(one["name"]) + ("" if one["used"] else " (off)")
        lines.append(f"| {name} | {', '.join(plain(source) for source in one['from'])} | {plain(one['meaning'])} |")
    said = (
        "What drives the model is measured on the table's own columns: shuffling one changes what is computed from it."
    )
    return "\n".join([*lines, "", said])


def _quality(part: Mapping[str, Any]) -> str:
    lost: Sequence[Mapping[str, Any]] = part["quality_parts"]
    lines = [f"## Data for this question: {part['quality']:.0f} of 100", ""]
    lines += [f"- {one['points_lost']:g} points for {plain(one['name'])}: {plain(one['sentence'])}" for one in lost]
    return "\n".join([*lines, *([] if lost else ["Nothing to complain about."])])


def _stated(part: Mapping[str, Any]) -> str:
    if not part["stated"]:
        return ""
    lines = ["## Assumed, because no table says it", ""]
    lines += [f"- {plain(one['name'])} = {one['value']:g}: {plain(one['meaning'])}" for one in part["stated"]]
    return "\n".join(lines)


def blueprint_facts(part: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Name and text of what a contract has from a blueprint, for a terminal."""
    if not part:
        return []
    facts = [("Blueprint", f"{part['title']}; data {part['quality']:.0f} of 100 for this question")]
    facts += [("", f"{points:g} points for {name}: {sentence}") for name, points, sentence in part["quality_parts"]]
    for one in part["derived"]:
        state = "" if one["use"] else " (switched off)"
        sources = ", ".join(column for _, column in one["sources"])
        facts.append(("Computed", f"{one['name']}{state}: {one['meaning']} From {sources}."))
    return facts + [("Stated", f"{one['name']}={one['value']:g}: {one['meaning']}") for one in part["stated"]]
