"""The charts of the closer look: value by threshold, error by group, loss by number of training rows."""

from tools import charts
from tools.charts import ACCENT, OTHER, TEXT, Chart
from tools.honest import Honest
from tools.learning import Learning
from tools.slices import Slices
from tools.threshold import Decision


def honest_charts(found: Honest) -> tuple[Chart, ...]:
    """Those that apply."""
    drawn = []
    if found.decision is not None:
        drawn.append(_profit(found.decision))
    if found.slices is not None and found.slices.table:
        drawn.append(_slices(found.slices))
    if found.learning is not None and len(found.learning.points) > 1:
        drawn.append(_learning(found.learning))
    return tuple(drawn)


def _profit(decision: Decision) -> Chart:
    values: list[charts.Row] = [{"x": round(x, 4), "y": round(y, 6)} for x, y in decision.curve]
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": "act from this chance on", "axis": {"format": ".0%"}},
        "y": {"field": "y", "type": "quantitative", "title": "value per row"},
    }
    at = {
        "data": {"values": [{"x": decision.threshold}]},
        "mark": {"type": "rule", "color": OTHER, "strokeDash": [5, 4], "strokeWidth": 2},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
    }
    line = {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 2}, "encoding": encoding}
    worth = decision.worth[0]
    subtitle = f"dashed: {decision.threshold:.1%}, by your costs alone, worth {worth.value:,.4g} per sealed row"
    alt = f"Value per row by threshold on the sealed rows: {subtitle}."
    return charts._chart("profit", "What acting is worth", subtitle, [line, at], values, alt)


def _slices(slices: Slices) -> Chart:
    failing = {one.rows_are for one in slices.failing}
    ranked = sorted(slices.table, key=lambda one: -one.error)
    values = []
    for one in ranked:
        mark = "! " if one.rows_are in failing else ""
        bar = charts._bar(f"{mark}{one.rows_are}", one.error, f"{charts.small(one.error)} ({one.rows:,} rows)")
        values.append({**bar, "low": one.ci_low, "high": one.ci_high})
    stand = f"{len(failing)} marked “!” stand out" if failing else "none stands out"
    subtitle = f"{slices.of} of groups of sealed rows; {stand} beyond chance"
    alt = f"Error by group: {subtitle}." + (f" The worst: {slices.failing[0].rows_are}." if failing else "")
    return charts._bars("slices", "Where it fails", subtitle, values, slices.of, alt, ranges=True)


def _learning(learning: Learning) -> Chart:
    values: list[charts.Row] = [
        {"rows": one.rows, "loss": one.loss, "low": one.ci_low, "high": one.ci_high} for one in learning.points
    ]
    x = {"field": "rows", "type": "quantitative", "title": "training rows", "scale": {"type": "log", "nice": False}}
    y = {"field": "loss", "type": "quantitative", "title": learning.measure, "scale": {"zero": False}}
    tips = [charts._tip("rows", "training rows", ","), charts._tip("loss", learning.measure, ".4~g")]
    layers = [
        {
            "mark": {"type": "rule", "color": TEXT},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "circle", "color": ACCENT, "opacity": 1, "size": 60},
            "encoding": {"x": x, "y": y, "tooltip": tips},
        },
    ]
    subtitle = f"{learning.measure} of a light model on left-out training rows; lower is better"
    alt = f"Learning curve: {learning.sentence}"
    return charts._chart("learning_curve", "Would more rows help?", subtitle, layers, values, alt)
