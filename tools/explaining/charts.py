"""The charts of explanations: contributions of a row, of many rows, an influence curve, and what would change."""

from typing import Any

import numpy as np

from tools import charts
from tools.charts import ACCENT, OTHER, TEXT, Chart
from tools.explaining.asking import Quantity
from tools.explaining.change import WhatIf
from tools.explaining.column import Dependence
from tools.explaining.model import Detail, Overview
from tools.explaining.row import Why, strongest
from tools.ingest.errors import counted

MOST_BARS = 14
DOWN = "#c4732b"
"""Contributions against; readable on white and on black, and apart from ACCENT for the colour-blind."""
COLD_TO_HOT = ["#3b6fd4", "#9aa0a6", "#c4732b"]
Row = dict[str, Any]


def row_chart(why: Why, what: Quantity, name: str = "why_row") -> Chart:
    """A waterfall from the average prediction to the row's own."""
    shown, rest = strongest(why, MOST_BARS)
    values, at = [_step("average", 0.0, why.base, what.shown(why.base), "end")], why.base
    for part in shown:
        label = f"{part.column} = {part.value}"
        values.append(_step(label, at, at + part.contribution, what.step(part.contribution), _sign(part.contribution)))
        at += part.contribution
    if rest:
        step = sum(part.contribution for part in rest)
        values.append(_step(counted(len(rest), "more column"), at, at + step, what.step(step), _sign(step)))
    values.append(_step("this row", 0.0, why.value, what.shown(why.value), "end"))
    order = [value["label"] for value in values]
    y = charts._nominal("label", None, order, {"labelLimit": 240, "ticks": False, "domain": False})
    ends = [end for value in values[1:-1] for end in (value["low"], value["high"])] or [why.base, why.value]
    span = max(max(ends) - min(ends), 1e-9)
    scale = {"domain": [min(ends) - 0.12 * span, max(ends) + 0.3 * span], "nice": False, "zero": False, "clamp": True}
    x = {"field": "low", "type": "quantitative", "scale": scale, "axis": None}
    colour = {
        "field": "way",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["up", "down", "end"], "range": [ACCENT, DOWN, OTHER]},
    }
    tips = [charts._tip("label", "column"), charts._tip("text", "contribution")]
    layers = [
        {
            "mark": {"type": "bar", "height": {"band": 0.72}},
            "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "color": colour, "tooltip": tips},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5, "color": TEXT},
            "encoding": {"x": {**x, "field": "right"}, "y": y, "text": {"field": "text"}},
        },
    ]
    subtitle = f"{why.of}: from {what.shown(why.base)} on average to {what.shown(why.value)}"
    size = {"width": charts.WIDTH, "height": {"step": 24}}
    spec = charts._spec("Why this answer", subtitle, {"layer": layers, "view": {"stroke": None}}, values, size)
    first = why.contributions[0]
    alt = f"Why this answer: {subtitle}. The strongest is {first.column} with {what.step(first.contribution)}."
    return Chart(name, "Why this answer", spec, alt)


def _step(label: str, start: float, end: float, text: str, way: str) -> Row:
    low, high = min(start, end), max(start, end)
    return {"label": label, "low": low, "high": high, "right": high, "text": text, "way": way}


def _sign(value: float) -> str:
    return "up" if value >= 0 else "down"


def overview_chart(summary: Overview, detail: Detail) -> Chart:
    """A dot for each row and column: how much the value moved the answer, its colour how high the value is."""
    names = [one.column for one in summary.columns if one.mean > 0][:MOST_BARS]
    generator = np.random.default_rng(0)
    values: list[Row] = []
    for name in names:
        place = detail.columns.index(name)
        lift = generator.uniform(-0.32, 0.32, len(detail.contributions))
        for row, (part, height) in enumerate(
            zip(detail.contributions[:, place], detail.heights[:, place], strict=True)
        ):
            values.append(
                {
                    "label": name,
                    "x": float(f"{part:.5g}"),
                    "lift": round(float(lift[row]), 3),
                    "height": None if np.isnan(height) else round(float(height), 3),
                }
            )
    values = values[: charts.MAX_POINTS * 2]
    y = charts._nominal("label", None, names, {"labelLimit": charts.LABEL_LIMIT, "ticks": False, "domain": False})
    unit = "contribution" if "chance" not in summary.of else "contribution, 0.1 is 10 points"
    x = {"field": "x", "type": "quantitative", "title": unit, "axis": charts._axis([value["x"] for value in values])}
    colour = {
        "field": "height",
        "type": "quantitative",
        "title": "value",
        "scale": {"domain": [0, 0.5, 1], "range": COLD_TO_HOT},
        "legend": {"values": [0, 1], "labelExpr": "datum.value > 0.5 ? 'high' : 'low'", "gradientLength": 80},
    }
    lift_ = {"field": "lift", "type": "quantitative", "scale": {"domain": [-0.6, 0.6]}}
    place_ = {"x": x, "y": y, "yOffset": lift_}
    layers = [
        {
            "data": {"values": [{"x": 0}]},
            "mark": {"type": "rule", "color": OTHER},
            "encoding": {"x": {"field": "x", "type": "quantitative"}},
        },
        {
            "data": {"values": [value for value in values if value["height"] is None]},
            "mark": {"type": "circle", "size": 18, "opacity": 0.7, "color": OTHER},
            "encoding": place_,
        },
        {
            "data": {"values": [value for value in values if value["height"] is not None]},
            "mark": {"type": "circle", "size": 18, "opacity": 0.7},
            "encoding": {**place_, "color": colour},
        },
    ]
    subtitle = f"Shapley values of {summary.rows:,} rows, {summary.of}; colour: its value, grey: no order"
    spec = charts._spec(
        "What moves the answer", subtitle, {"layer": layers}, values, {"width": charts.WIDTH, "height": {"step": 28}}
    )
    return Chart("shap_summary", "What moves the answer", spec, f"What moves the answer. {summary.sentence}")


def dependence_chart(found: Dependence, name: str = "dependence") -> Chart:
    """The mean with its band over single rows; bars with whiskers for categories."""
    title = f"How “{found.column}” influences it"
    alt = f"{title}: {found.sentence}"
    if found.kind == "category":
        rows = [
            {
                **charts._bar(point.value, point.mean, charts.small(point.mean)),
                "low": point.ci_low,
                "high": point.ci_high,
            }
            for point in found.points
        ]
        subtitle = f"{found.of}, mean over {found.rows:,} rows if all had this value"
        return charts._bars(name, title, subtitle, rows, found.of, alt, ranges=True)
    values: list[Row] = [
        {"at": point.at, "value": point.value, "mean": point.mean, "low": point.ci_low, "high": point.ci_high}
        for point in found.points
    ]
    singles = [
        {"at": point.at, "y": float(f"{line[number]:.5g}"), "row": row}
        for row, line in enumerate(found.lines)
        for number, point in enumerate(found.points)
    ]
    x: Row = {"field": "at", "type": "quantitative", "title": found.column, "scale": {"zero": False, "nice": False}}
    if found.kind == "date":
        for one in (*values, *singles):
            one["at"] = int(float(one["at"]) * 86_400_000)
        x |= {"type": "temporal"}
    y = {"field": "mean", "type": "quantitative", "title": found.of, "scale": {"zero": False}}
    tips = [charts._tip("value", found.column), charts._tip("mean", found.of, ".4~g")]
    layers = [
        {
            "data": {"values": singles},
            "mark": {"type": "line", "color": OTHER, "opacity": 0.25, "strokeWidth": 1},
            "encoding": {
                "x": x,
                "y": {"field": "y", "type": "quantitative"},
                "detail": {"field": "row", "type": "nominal"},
            },
        },
        {
            "mark": {"type": "area", "color": ACCENT, "opacity": 0.25},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 2.5}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "circle", "color": ACCENT, "opacity": 1, "size": 28},
            "encoding": {"x": x, "y": y, "tooltip": tips},
        },
    ]
    subtitle = f"mean over {found.rows:,} rows with 95 % band; grey: single rows"
    return charts._chart(name, title, subtitle, layers, values, alt)


def what_if_chart(found: WhatIf, what: Quantity | None = None, name: str = "what_if") -> Chart | None:
    """What the answer is now and after each alternative; None where none was found."""
    if not found.alternatives:
        return None
    form = "{:.1%}".format if found.share else charts.small
    values = [charts._bar("as it is", found.value, form(found.value))]
    for number, one in enumerate(found.alternatives, 1):
        changes = ", ".join(f"{change.column}: {change.after}" for change in one.changes)
        values.append(charts._bar(f"{number}. {changes}", one.value, f"{form(one.value)} ({one.answer})"))
    subtitle = f"{found.of} after each change; wanted: {found.wanted}"
    return charts._bars(name, "What would change the answer", subtitle, values, found.of, f"{found.sentence}")
