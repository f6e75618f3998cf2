"""Charts as Vega-Lite specifications: one dict that the chat draws as it is and chart_images.py turns into PNG.

Theme-neutral: no background, no text colours but a grey that is readable on white and on black; whoever draws brings
the theme. Field names are ours (label, value, …): a column or class name from the user's table is only ever data or a
title, never part of a Vega expression.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.contract import Contract
from tools.profiling.model import ColumnProfile

Spec = dict[str, Any]
Row = dict[str, Any]
Point = tuple[float, float]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MAX_POINTS = 2000
"""More points than this are drawn by a fixed random sample, which the subtitle says."""
MAX_CURVE_POINTS = 400
MAX_BARS = 20
WIDTH, HEIGHT = 460, 280
MAX_CURVES = 8
MAX_CLASSES = 30
"""A confusion matrix of more classes keeps the largest and puts the others together."""
ACCENT, OTHER, TEXT = "#4f83e3", "#9aa0a6", "#808488"
"""Ours, what it is compared with, and words inside the plot: readable on white and on black."""
TILES, ON_LIGHT, ON_DARK = ["#eaf1fd", "#1f4fa8"], "#1f2328", "#ffffff"
"""Tiles bring their own ground, so their words need no theme."""
LABEL_LIMIT = 170
"""Pixels that a class or column name may take at an axis; the rest is an ellipsis (the tooltip has it all)."""


@dataclass(frozen=True)
class Chart:
    """One picture: `name` is its file name without suffix, `alt` says in words what it shows."""

    name: str
    title: str
    spec: Spec
    alt: str


def target_distribution(column: ColumnProfile, contract: Contract) -> Chart:
    """The target as the profile counted it: bars for classes, a histogram for numbers."""
    if contract.task == "regression" and column.histogram is not None:
        edges, counts = column.histogram.edges, column.histogram.counts
        return target_numbers(column.name, list(zip(edges[:-1], edges[1:], counts, strict=True)))
    return target_classes(column.name, [(item.value, item.count) for item in column.top])


def target_classes(target: str, counts: Sequence[tuple[str, int]]) -> Chart:
    """Rows per class, largest first; beyond 20 classes the small ones are one bar."""
    ranked = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    rows = sum(count for _, count in ranked)
    shown, rest = ranked[:MAX_BARS], ranked[MAX_BARS:]
    values = [_bar(label, count, f"{count:,} ({count / max(rows, 1):.1%})") for label, count in shown]
    if rest:
        count = sum(count for _, count in rest)
        values.append(_bar(f"{len(rest)} more", count, f"{count:,} ({count / max(rows, 1):.1%})"))
    largest = f"the largest is {shown[0][0]} with {shown[0][1]:,}" if shown else "none has a row"
    alt = f"Rows per class of {target}: {len(ranked)} classes over {rows:,} rows; {largest}."
    return _bars("target_distribution", f"Classes of {target}", f"{rows:,} rows", values, "rows", alt)


def target_numbers(target: str, bins: Sequence[tuple[float, float, int]]) -> Chart:
    """Histogram of a numeric target; each bin is (from, to, rows)."""
    values = [{"low": low, "high": high, "rows": count} for low, high, count in bins]
    rows = sum(count for *_, count in bins)
    x = {"field": "low", "type": "quantitative", "bin": {"binned": True}, "title": target}
    layer = {
        "mark": {"type": "bar", "color": ACCENT, "binSpacing": 1},
        "encoding": {
            "x": {**x, "axis": _axis([high for _, high, _ in bins])},
            "x2": {"field": "high"},
            "y": {"field": "rows", "type": "quantitative", "title": "rows"},
            "tooltip": [_tip("low", "from", ".6~g"), _tip("high", "to", ".6~g"), _tip("rows", "rows", ",")],
        },
    }
    low, high = (bins[0][0], bins[-1][1]) if bins else (0.0, 0.0)
    alt = f"Histogram of {target}: {rows:,} rows from {low:g} to {high:g}."
    return _chart("target_distribution", f"Distribution of {target}", f"{rows:,} rows", [layer], values, alt)


def missingness(shares: Sequence[tuple[str, float]], *, columns: int) -> Chart:
    """Share of missing values per column (0 to 1), the emptiest 20 of `columns`."""
    ranked = sorted((pair for pair in shares if pair[1] > 0), key=lambda pair: (-pair[1], pair[0]))
    values = [_bar(name, share, f"{share:.1%}") for name, share in ranked[:MAX_BARS]]
    more = f", the emptiest {MAX_BARS} shown" if len(ranked) > MAX_BARS else ""
    subtitle = f"{len(ranked)} of {columns} columns have gaps{more}" if ranked else "no column has a gap"
    alt = f"Missing values: {subtitle}." + (f" Most are in {ranked[0][0]} ({ranked[0][1]:.1%})." if ranked else "")
    return _bars("missingness", "Missing values", subtitle, values, "share of rows", alt)


def leaderboard(rows: Sequence[Mapping[str, Any]], metric_label: str, *, greater_is_better: bool) -> Chart:
    """Cross-validated score of each model, best first; rows are {model, cv_score, seconds} and perhaps {remark}."""
    scored = [row for row in rows if isinstance(row.get("cv_score"), int | float)]
    ranked = sorted(scored, key=lambda row: float(row["cv_score"]), reverse=greater_is_better)[:MAX_BARS]
    texts = [f"{float(row['cv_score']):.4g}{row.get('remark', '')}" for row in ranked]
    values = [_bar(str(row["model"]), float(row["cv_score"]), text) for row, text in zip(ranked, texts, strict=True)]
    way = "higher is better" if greater_is_better else "lower is better"
    best = f" The best is {ranked[0]['model']} with {values[0]['value']:.4g}." if ranked else ""
    alt = f"Leaderboard of {len(ranked)} models by cross-validated {metric_label} ({way}).{best}"
    subtitle = f"cross-validated {metric_label} on training rows, {way}"
    return _bars("leaderboard", "Models compared", subtitle, values, metric_label, alt)


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Chart:
    """Hold-out rows by true class (rows) and predicted class (columns); colour is the share of the true class."""
    right, rows = sum(line[i] for i, line in enumerate(counts)), sum(map(sum, counts))
    labels, counts = _largest(labels, counts)
    values = _cells(labels, counts)
    few = len(labels) <= 12
    digits = max((len(f"{value['rows']:,}") for value in values), default=1)
    step = max(56 if len(labels) <= 4 else 40, 8 * digits + 8) if few else 22
    axis: Row = {"labelLimit": LABEL_LIMIT, "grid": False, "domain": False, "ticks": False}
    across = {**axis, "labelAngle": 0 if _short(labels, step) else -40}
    encoding = {
        "x": _nominal("predicted", "predicted", labels, across),
        "y": _nominal("true", "true", labels, axis),
    }
    colour = {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1], "range": TILES}, "legend": None}
    tips = [_tip("true", "true"), _tip("predicted", "predicted"), _tip("rows", "rows", ",")]
    tips.append(_tip("share", "share of the true class", ".1%"))
    tiles = {"mark": "rect", "encoding": {"color": colour, "tooltip": tips}}
    words = {
        "mark": {"type": "text", "fontSize": 12 if step > 30 else 9},
        "encoding": {
            "text": {"field": "rows", "type": "quantitative", "format": "," if step > 30 else ".2~s"},
            "color": {"condition": {"test": "datum.share > 0.62", "value": ON_DARK}, "value": ON_LIGHT},
        },
    }
    spec = {"encoding": encoding, "layer": [tiles, words] if len(labels) <= 20 else [tiles]}
    title = "Confusion matrix"
    subtitle = f"{right:,} of {rows:,} sealed rows right; colour: share of the true class"
    size = {"width": {"step": step}, "height": {"step": step}}
    return Chart("confusion_matrix", title, _spec(title, subtitle, spec, values, size), f"{title}: {subtitle}.")


def _cells(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Row]:
    return [
        {"true": true, "predicted": predicted, "rows": int(rows), "share": round(rows / max(sum(line), 1), 4)}
        for true, line in zip(labels, counts, strict=True)
        for predicted, rows in zip(labels, line, strict=True)
    ]


def _largest(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> tuple[list[str], list[list[int]]]:
    """At most MAX_CLASSES rows and columns; what is smaller becomes one class of its own at the end."""
    if len(labels) <= MAX_CLASSES:
        return list(labels), [list(line) for line in counts]
    by_rows = sorted(range(len(labels)), key=lambda i: -sum(counts[i]))
    kept = sorted(by_rows[: MAX_CLASSES - 1])
    rest = by_rows[MAX_CLASSES - 1 :]
    groups = [[i] for i in kept] + [rest]
    names = [labels[i] for i in kept] + [f"{len(rest)} smaller"]
    return names, [[sum(counts[i][j] for i in down for j in across) for across in groups] for down in groups]


def roc(curves: Mapping[str, Sequence[Point]], areas: Mapping[str, float]) -> Chart:
    """True against false positive rate; one curve per class, or one alone for binary tasks."""
    subtitle = _areas("area", areas)
    guess: list[Row] = [{"x": end, "y": end, "order": end} for end in (0.0, 1.0)]
    axes = ("false positive rate", "true positive rate")
    alt = f"ROC curve on the sealed rows: {subtitle}."
    return _curves("roc", "ROC curve", subtitle, _named(curves, areas), axes, guess, alt)


def precision_recall(
    curves: Mapping[str, Sequence[Point]], areas: Mapping[str, float], base_rate: float | None
) -> Chart:
    """Precision against recall; the dashed line is the share of the positive class, which guessing reaches."""
    subtitle = _areas("average precision", areas)
    guess: list[Row] = []
    if base_rate is not None:
        guess = [{"x": x, "y": base_rate, "order": x} for x in (0.0, 1.0)]
    title, axes = "Precision and recall", ("recall", "precision")
    alt = f"Precision-recall curve on the sealed rows: {subtitle}."
    return _curves("precision_recall", title, subtitle, _named(curves, areas), axes, guess, alt)


def _areas(what: str, areas: Mapping[str, float]) -> str:
    if len(areas) == 1:
        return f"{what} {next(iter(areas.values())):.3f}"
    more = f"; the first {MAX_CURVES} of {len(areas)} classes" if len(areas) > MAX_CURVES else ""
    return f"each class against the rest; {what} beside its name{more}"


def _named(curves: Mapping[str, Sequence[Point]], areas: Mapping[str, float]) -> Mapping[str, Sequence[Point]]:
    """The area joins the name in the legend."""
    return {f"{areas[name]:.2f}  {name}" if name in areas else name: points for name, points in curves.items()}


def calibration(bins: Sequence[tuple[float, float, int]], *, several: bool = False) -> Chart:
    """Predicted chance against the observed share; each bin is (mean predicted, observed share, rows).

    `several`: of more than two classes the chance is that of the predicted class.
    """
    values: list[Row] = [{"x": x, "y": y, "rows": rows} for x, y, rows in bins]
    encoding = _xy("predicted chance", "observed share", unit=True)
    size = {"field": "rows", "type": "quantitative", "title": "rows", "scale": {"range": [30, 160]}, "legend": None}
    tips = [_tip("x", "predicted", ".3f"), _tip("y", "observed", ".3f"), _tip("rows", "rows", ",")]
    layers = [
        _diagonal([0.0, 1.0]),
        {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 1.5}, "encoding": encoding},
        {
            "mark": {"type": "circle", "color": ACCENT, "opacity": 1},
            "encoding": {**encoding, "size": size, "tooltip": tips},
        },
    ]
    worst = max((abs(x - y) for x, y, _ in bins), default=0.0)
    what = "of the predicted class; " if several else ""
    subtitle = f"{what}on the dashed line, 30 % means 30 %; dot size: rows"
    alt = f"Calibration on the sealed rows: the largest gap between predicted and observed is {worst:.2f}."
    return _chart("calibration", "Calibration", subtitle, layers, values, alt)


def predicted_vs_actual(target: str, points: Sequence[Point], *, rows: int | None = None) -> Chart:
    """(actual, predicted) of sealed rows (`rows` in all); on the dashed line the model is right."""
    shown, note = _sample(points, rows)
    ends = [value for point in shown for value in point] or [0.0, 1.0]
    subtitle = f"{target} on {note}; on the dashed line the model is right"
    return _scatter("predicted_vs_actual", "Predicted and actual", subtitle, shown, ("actual", "predicted"),
                    _diagonal([min(ends), max(ends)]))  # fmt: skip


def residuals(target: str, points: Sequence[Point], *, rows: int | None = None) -> Chart:
    """(predicted, actual - predicted) of sealed rows; a pattern means that something was not learned."""
    shown, note = _sample(points, rows)
    zero = {
        "data": {"values": [{"y": 0}]},
        "mark": {"type": "rule", "color": OTHER, "strokeDash": [5, 4]},
        "encoding": {"y": {"field": "y", "type": "quantitative"}},
    }
    subtitle = f"{target} on {note}; above zero the model said too little"
    return _scatter("residuals", "Residuals", subtitle, shown, ("predicted", "actual − predicted"), zero)


def importance(rows: Sequence[tuple[str, float, float, float]], metric_label: str, *, of: int = 0) -> Chart:
    """(column, loss of score when shuffled, low, high) per column, the 20 that matter most; `of` all its columns."""
    ranked = sorted(rows, key=lambda row: (-row[1], row[0]))[:MAX_BARS]
    values = [
        {**_bar(name, mean, small(mean)), "low": min(low, mean), "high": max(high, mean)}
        for name, mean, low, high in ranked
    ]
    top = [name for name, loss, *_ in ranked[:3] if loss > 0]
    part = f" Only {len(rows)} of {of} columns could be measured." if len(rows) < of else ""
    subtitle = f"how much {metric_label} gets worse when a column is shuffled in the sealed rows"
    named = " and ".join([", ".join(top[:-1]), top[-1]] if len(top) > 1 else top)
    matter = "matters" if len(top) == 1 else "matter"
    alt = f"Permutation importance: {f'{named} {matter} most' if top else 'no column matters'}.{part}"
    title = "What the model relies on"
    return _bars("importance", title, subtitle, values, f"loss of {metric_label}", alt, ranges=True)


def _axis(numbers: Sequence[float]) -> Row:
    """10 000 and more as 10k; d3 would write zero as 0k then."""
    if max((abs(number) for number in numbers), default=0.0) < 10_000:
        return {"labelOverlap": True}
    return {"labelOverlap": True, "format": "~s", "labelExpr": "datum.value == 0 ? '0' : datum.label"}


def small(value: float) -> str:
    """Three digits, never in the notation of programmers."""
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else "under 0.0001"


def _bar(label: str, value: float, text: str) -> Row:
    return {"label": label, "value": value, "text": text}


def _bars(name: str, title: str, subtitle: str, values: list[Row], unit: str, alt: str, *,
          ranges: bool = False) -> Chart:  # fmt: skip
    """Horizontal bars in the order given, each with its number, so that no axis of numbers is needed."""
    order = [value["label"] for value in values]
    y = _nominal("label", None, order, {"labelLimit": LABEL_LIMIT, "ticks": False, "domain": False})
    scale = {"domain": _room(values), "nice": False}
    x = {"field": "value", "type": "quantitative", "scale": scale, "axis": None}
    layers: list[Row] = [
        {
            "mark": {"type": "bar", "color": ACCENT, "height": {"band": 0.72}},
            "encoding": {"x": x, "y": y, "tooltip": [_tip("label", "name"), _tip("text", unit)]},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5, "color": TEXT},
            "encoding": {"x": {**x, "field": "high"} if ranges else x, "y": y, "text": {"field": "text"}},
        },
    ]
    if ranges:
        whisker = {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y}
        layers.insert(1, {"mark": {"type": "rule", "color": TEXT}, "encoding": whisker})
    size = {"width": WIDTH, "height": {"step": 26 if len(values) <= 8 else 19}}
    body = {"layer": layers, "view": {"stroke": None}}
    return Chart(name, title, _spec(title, subtitle, body, values, size), alt)


def _room(values: list[Row]) -> list[float]:
    """From the lowest value (or zero) to the highest plus room for the longest number at the end of its bar."""
    low = min([0.0, *(float(value["low"] if "low" in value else value["value"]) for value in values)])
    high = max([low + 1e-12, *(float(value["high"] if "high" in value else value["value"]) for value in values)])
    words = 10 + 6.6 * max((len(str(value["text"])) for value in values), default=0)
    return [low, low + (high - low) * WIDTH / (WIDTH - min(words, WIDTH / 2))]


def _curves(name: str, title: str, subtitle: str, curves: Mapping[str, Sequence[Point]], axes: tuple[str, str],
            guess: list[Row], alt: str) -> Chart:  # fmt: skip
    """Lines between 0 and 1 on both axes; at most MAX_CURVES, those given first."""
    values: list[Row] = []
    drawn = list(curves.items())[:MAX_CURVES]
    for label, points in drawn:
        # Every k-th point keeps the shape of a curve; a random sample would not.
        keep = points[:: max(1, len(points) // min(MAX_CURVE_POINTS, MAX_POINTS // len(drawn)))]
        ends = [points[-1]] if points and keep[-1] != points[-1] else []
        values += [
            {"curve": label, "x": round(x, 5), "y": round(y, 5), "order": number}
            for number, (x, y) in enumerate([*keep, *ends])
        ]
    encoding = {**_xy(*axes, unit=True), "order": {"field": "order", "type": "quantitative"}}
    colour: Row = {"value": ACCENT}
    if len(drawn) > 1:
        legend = {"labelLimit": LABEL_LIMIT, "symbolType": "stroke", "symbolStrokeWidth": 3}
        names = [label for label, _ in drawn]
        colour = {"field": "curve", "type": "nominal", "title": None, "sort": names, "legend": legend}
    lines = {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {**encoding, "color": colour}}
    dashed = {"type": "line", "color": OTHER, "strokeDash": [5, 4], "strokeWidth": 1}
    layers = [{"data": {"values": guess}, "mark": dashed, "encoding": encoding}] if guess else []
    return _chart(name, title, subtitle, [*layers, lines], values, alt)


def _scatter(name: str, title: str, subtitle: str, points: Sequence[Point], axes: tuple[str, str], line: Row) -> Chart:
    values = [{"x": x, "y": y} for x, y in points]
    dense = len(values) > 400
    mark = {"type": "circle", "color": ACCENT, "size": 16 if dense else 36, "opacity": 0.35 if dense else 0.6}
    tips = [_tip("x", axes[0], ".6~g"), _tip("y", axes[1], ".6~g")]
    encoding = _xy(*axes)
    for number, axis in enumerate(("x", "y")):
        encoding[axis]["axis"] = _axis([point[number] for point in points])
    layers = [{"mark": mark, "encoding": {**encoding, "tooltip": tips}}, line]
    return _chart(name, title, subtitle, layers, values, f"{title}: {subtitle}.")


def _sample(points: Sequence[Point], rows: int | None) -> tuple[Sequence[Point], str]:
    """At most MAX_POINTS, always the same ones, and how many in words."""
    if len(points) > MAX_POINTS:
        chosen = sorted(random.Random(0).sample(range(len(points)), MAX_POINTS))
        return _sample([points[i] for i in chosen], rows or len(points))
    if rows is not None and rows > len(points):
        return points, f"a sample of {len(points):,} of {rows:,} sealed rows"
    return points, f"{len(points):,} sealed rows"


def _diagonal(ends: list[float]) -> Row:
    mark = {"type": "line", "color": OTHER, "strokeDash": [5, 4], "strokeWidth": 1.5}
    return {
        "data": {"values": [{"x": end, "y": end} for end in ends]},
        "mark": mark,
        "encoding": {name: {"field": name, "type": "quantitative"} for name in ("x", "y")},
    }


def _xy(x: str, y: str, *, unit: bool = False) -> Row:
    scale = {"domain": [0, 1]} if unit else {"zero": False, "nice": True}
    return {
        name: {"field": name, "type": "quantitative", "title": title, "scale": dict(scale), "axis": {"format": ".1f"}}
        for name, title in (("x", x), ("y", y))
    }


def _nominal(field: str, title: str | None, order: list[str], axis: Row) -> Row:
    return {"field": field, "type": "nominal", "title": title, "sort": order, "axis": axis}


def _tip(field: str, title: str, number: str | None = None) -> Row:
    tip = {"field": field, "title": title, "type": "quantitative" if number else "nominal"}
    return {**tip, "format": number} if number else tip


def _short(labels: Sequence[str], step: int) -> bool:
    """Every label fits under its own column."""
    return max((len(label) for label in labels), default=0) * 6.5 < step


def _chart(name: str, title: str, subtitle: str, layers: list[Row], values: list[Row], alt: str) -> Chart:
    size = {"width": WIDTH, "height": HEIGHT}
    return Chart(name, title, _spec(title, subtitle, {"layer": layers}, values, size), alt)


def _spec(title: str, subtitle: str, body: Row, values: list[Row], size: Row) -> Spec:
    if not values:
        size, body = {"width": WIDTH, "height": 40}, {"mark": "point", "encoding": {}}
    heading = {"text": _cut(title), "subtitle": _cut(subtitle, 100), "anchor": "start", "subtitleColor": TEXT}
    return {"$schema": SCHEMA, "title": heading, **size, "data": {"values": values}, **body}


def _cut(text: str, most: int = 70) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
