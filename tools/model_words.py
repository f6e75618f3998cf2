"""What language models have said of a result, as Markdown, each piece with the name of who said it."""

from collections.abc import Mapping
from typing import Any

from tools.markdown import plain


def words_text(report: Mapping[str, Any]) -> str:
    """The result in a model's words; "" without any."""
    words = report.get("words")
    if not words:
        return ""
    head = f"**In other words** (by {plain(words['by'])}; every number in it was checked against this run):"
    return f"{head} {' '.join(plain(sentence) for sentence in words['sentences'])}"


def remarks_text(report: Mapping[str, Any]) -> str:
    """What a model would warn of; "" when it has nothing to warn of."""
    remarks = report.get("remarks") or []
    if not remarks:
        return ""
    head = f"**A language model remarks** ({plain(remarks[0]['by'])}; nothing above was changed by it):"
    lines = [f"- {remark_line(one)}" for one in remarks]
    return "\n".join([head, *lines])


def remark_line(one: Mapping[str, Any]) -> str:
    """ "weak evidence, about score: The interval is wide." """
    about = plain(one["figure"].removeprefix("chart_").replace("_", " "))
    return f"{plain(one['kind'])}, about {about}: {plain(one['sentence'])}"


def computed_page(report: Mapping[str, Any]) -> str:
    """Columns that were computed on advice; "" without any."""
    columns = report.get("computed") or []
    if not columns:
        return ""
    lines = ["## Columns computed on advice", "", "| computed | how | why | proposed by |", "|---|---|---|---|"]
    for one in columns:
        name = plain(one["name"]) + ("" if one["used"] else " (off)")
        lines.append(f"| {name} | {plain(one['how'])} | {plain(one['reason'])} | {plain(one['by'])} |")
    said = (
        "What drives the model is measured on the table's own columns: shuffling one changes what is computed from it."
    )
    return "\n".join([*lines, "", said])


def cost_page(report: Mapping[str, Any]) -> str:
    """What language models were asked and cost in this run; "" when nobody was."""
    spent = report.get("language_model")
    if not spent:
        return ""
    lines = ["## Language models", "", "| role | calls | tokens sent | tokens answered | money | seconds |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    rows = [*spent["by_role"].items(), *([("in all", spent)] if len(spent["by_role"]) > 1 else [])]
    for role, one in rows:
        cells = (f"{one['calls']:,}", f"{one['tokens_in']:,}", f"{one['tokens_out']:,}", f"{one['money']:.4g}")
        lines.append(f"| {role} | {' | '.join(cells)} | {one['seconds']:.1f} |")
    said = [f"Asked: {', '.join(plain(name) for name in spent['endpoints'])}.", _left(spent)]
    said += ["Some server counted no tokens; they are estimated."] if spent["estimated"] else []
    said += [plain(spent["budget_reached"])] if spent["budget_reached"] else []
    return "\n".join([*lines, "", " ".join(said)])


def _left(spent: Mapping[str, Any]) -> str:
    """What of the table has left."""
    if "vision" in spent["by_role"]:
        return "The picture that came along left this machine as a whole."
    if not spent["rows"]:
        return "Of the table, names, types and counts of columns left this machine, and no value of a cell."
    masked = ", ".join(kind.replace("_", " ").lower() for kind in spent["masked"])
    return f"{spent['rows']} rows of the table left this machine; masked in them: {masked or 'nothing had to be'}."
