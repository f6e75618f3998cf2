"""An explanation in words, data and charts: of one row, of a change, of a column, of the model.

Both doors call `explained`; what it needs is a way to ask the model, rows, and rows to compare with.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from tools.charts import Chart
from tools.explaining.asking import ExplainError, Model, Quantity
from tools.explaining.background import Background
from tools.explaining.change import Alternative, WhatIf, what_if
from tools.explaining.charts import dependence_chart, overview_chart, row_chart, what_if_chart
from tools.explaining.column import Dependence, dependence
from tools.explaining.model import Overview, contributions_csv, overview
from tools.explaining.row import Why, strongest, why_row
from tools.markdown import plain

About = Literal["row", "change", "column", "model"]
TOP = 6
CURVES = 3
"""Columns whose influence is drawn when the whole model is explained."""
CAVEAT = "This tells what the model relies on, not what causes what."


@dataclass(frozen=True)
class Query:
    """What is to be explained."""

    about: About
    row: int | None = None
    """From 1, of the table; None for the model and for columns."""
    column: str | None = None
    may_change: tuple[str, ...] = ()
    wanted: str | None = None


@dataclass(frozen=True)
class Explained:
    """One explanation."""

    about: About
    text: str
    """Markdown."""
    facts: Mapping[str, Any]
    """The same as data, JSON-ready."""
    charts: tuple[Chart, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    """Name of a CSV file -> its text."""


async def explained(
    model: Model, query: Query, row: pa.Table | None, rows: pa.Table, background: Background
) -> Explained:
    """Answer the query: `row` is the one that it is about, `rows` are those that a mean is taken over.

    Raises `ExplainError`, `ModelFailed`, `PredictionsRefused`, `SandboxError`.
    """
    match query.about:
        case "row":
            return told_row(*await why_row(model, _one(row), background), query.row)
        case "change":
            return told_change(await what_if(model, _one(row), background, query.may_change, query.wanted), query.row)
        case "column":
            if query.column is None:
                raise ExplainError(f"Say which column: the model uses {_listed(model.features)}.")
            return told_column(await dependence(model, query.column, rows, background))
        case "model":
            return await _whole(model, rows, background)


def _one(row: pa.Table | None) -> pa.Table:
    if row is None or len(row) != 1:
        raise ExplainError("Say which row, for example “why row 1?”.")
    return row


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


async def _whole(model: Model, rows: pa.Table, background: Background) -> Explained:
    """The summary with half of the time, then the curves of the strongest columns as far as there is time."""
    half = Model(model.ask, model.contract, model.clock() + model.left / 2, model.clock)
    summary, detail = await overview(half, rows, background)
    curves: list[Dependence] = []
    for one in summary.columns[: 2 * CURVES]:
        if len(curves) == CURVES or model.left <= 0 or one.mean <= 0:
            break
        if model.role(one.column) in ("text", "id"):
            continue
        try:
            curves.append(await dependence(model, one.column, rows, background))
        except ExplainError:
            continue
    found = told_model(summary, tuple(curves))
    pictures = (overview_chart(summary, detail), *found.charts)
    return Explained(
        "model", found.text, found.facts, pictures, {"shap_values.csv": contributions_csv(detail), **found.tables}
    )


def told_model(summary: Overview, curves: tuple[Dependence, ...]) -> Explained:
    """The model as a whole, in words."""
    lines = [plain(summary.sentence), *(f"- {plain(curve.sentence)}" for curve in curves)]
    lines += [f"Compared with {plain(summary.compared_with)}. {plain(summary.note)} {CAVEAT}".replace("  ", " ")]
    named = [dependence_chart(curve, f"dependence_{number}") for number, curve in enumerate(curves, 1)]
    facts = {"overview": summary.model_dump(mode="json"), "dependence": [_without_lines(curve) for curve in curves]}
    tables = {f"dependence_{number}.csv": _curve_csv(curve) for number, curve in enumerate(curves, 1)}
    return Explained(
        "model", _spaced(lines), facts, tuple(named), {"shap_summary.csv": _summary_csv(summary), **tables}
    )


def told_row(why: Why, what: Quantity, row: int | None) -> Explained:
    """Why this row, in words."""
    which = "This row" if row is None else f"Row {row:,}"
    head = f"**{which}: the model says {plain(why.answer)}**"
    if what.code is not None:
        head += f" ({plain(why.of)}: {what.shown(why.value)})"
    named, rest = strongest(why, TOP)
    lines = [
        f"{head}. On average over {plain(why.compared_with)} {plain(why.of)} is {what.shown(why.base)}; "
        "what this row's values add to it or take away:"
    ]
    lines += [f"- {plain(part.column)} = {plain(part.value)}: {what.step(part.contribution)}" for part in named]
    if rest:
        step = what.step(sum(part.contribution for part in rest))
        lines.append(f"- the other {len(rest)} columns together: {step}")
    lines.append(f"It adds up to {what.shown(why.value)}. {plain(why.note)} {CAVEAT}".replace("  ", " "))
    table = [("column", "value", "contribution", "ci_low", "ci_high")]
    rows = [
        (p.column, p.value, f"{p.contribution:.6g}", f"{p.ci_low:.6g}", f"{p.ci_high:.6g}") for p in why.contributions
    ]
    facts = {"row": row, "why": why.model_dump(mode="json")}
    return Explained("row", _spaced(lines), facts, (row_chart(why, what),), {"why_row.csv": _csv([*table, *rows])})


def told_change(found: WhatIf, row: int | None) -> Explained:
    """What would change it, in words."""
    which = "This row" if row is None else f"Row {row:,}"
    lines = [f"**{which}: the model says {plain(found.answer)}.** {plain(found.sentence)}"]
    lines += [f"- {_changes(one)}: {plain(one.answer)}" for one in found.alternatives[1:]]
    ending = [
        plain(found.note),
        "Each row above was asked of the model as it stands." if found.alternatives else "",
        CAVEAT,
    ]
    lines.append(" ".join(part for part in ending if part))
    table: list[tuple[str, ...]] = [("alternative", "column", "before", "after", "answer")]
    for number, one in enumerate(found.alternatives, 1):
        table += [(str(number), change.column, change.before, change.after, one.answer) for change in one.changes]
    chart = what_if_chart(found)
    facts = {"row": row, "what_if": found.model_dump(mode="json")}
    return Explained("change", _spaced(lines), facts, (chart,) if chart else (), {"what_if.csv": _csv(table)})


def _changes(one: Alternative) -> str:
    return " and ".join(f"{plain(c.column)} {plain(c.after)} instead of {plain(c.before)}" for c in one.changes)


def told_column(found: Dependence) -> Explained:
    """One column, in words."""
    lines = [
        plain(found.sentence),
        f"Mean over {found.rows:,} rows, each asked with {len(found.points)} values. {CAVEAT}",
    ]
    facts = {"dependence": [found.model_dump(mode="json")]}
    return Explained("column", _spaced(lines), facts, (dependence_chart(found),), {"dependence.csv": _curve_csv(found)})


def _without_lines(curve: Dependence) -> dict[str, Any]:
    return curve.model_dump(mode="json", exclude={"lines"})


def _summary_csv(summary: Overview) -> str:
    head = ("column", "mean", "ci_low", "ci_high", "direction")
    rows = [
        (one.column, f"{one.mean:.6g}", f"{one.ci_low:.6g}", f"{one.ci_high:.6g}",
         "" if one.direction is None else f"{one.direction:.3f}")
        for one in summary.columns
    ]  # fmt: skip
    return _csv([head, *rows])


def _curve_csv(curve: Dependence) -> str:
    head = ("column", "value", "mean", "ci_low", "ci_high", "low_10", "high_90")
    rows = [
        (curve.column, p.value, *(f"{v:.6g}" for v in (p.mean, p.ci_low, p.ci_high, p.low, p.high)))
        for p in curve.points
    ]
    return _csv([head, *rows])


def _csv(rows: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _spaced(lines: list[str]) -> str:
    """Paragraphs apart, the items of a list together."""
    text = ""
    for line in lines:
        joint = "\n" if line.startswith("- ") and text.rsplit("\n", 1)[-1].startswith("- ") else "\n\n"
        text += (joint if text else "") + line.strip()
    return text
