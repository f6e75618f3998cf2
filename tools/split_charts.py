"""The chart of rolling origins: the score of a quick model on the rows after each moment, beside random rows."""

from tools import charts
from tools.charts import ACCENT, OTHER, TEXT, Chart
from tools.metrics import METRICS
from tools.resplit import Later, Resplit


def split_charts(found: Resplit) -> tuple[Chart, ...]:
    """One where rows have an order in time and more than one origin was judged."""
    later = found.later
    return (_origins(later),) if later is not None and len(later.origins) > 1 else ()


def _origins(later: Later) -> Chart:
    metric = METRICS[later.metric]
    values: list[charts.Row] = [
        {"rows": one.learned_from, "score": one.value, "low": one.ci_low, "high": one.ci_high} for one in later.origins
    ]
    x = {
        "field": "rows",
        "type": "quantitative",
        "title": f"rows learned from, oldest first (by {later.column})",
        "scale": {"zero": False, "padding": 20},
    }
    y = {"field": "score", "type": "quantitative", "title": metric.label, "scale": {"zero": False}}
    tips = [charts._tip("rows", "learned from the first", ","), charts._tip("score", metric.label, ".4~g")]
    layers = [
        {
            "data": {"values": [{"y": later.at_random.value}]},
            "mark": {"type": "rule", "color": OTHER, "strokeDash": [5, 4], "strokeWidth": 2},
            "encoding": {"y": {"field": "y", "type": "quantitative"}},
        },
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
    way = "higher is better" if metric.greater_is_better else "lower is better"
    shown = metric.format(later.at_random.value)
    subtitle = f"quick model on the rows after each moment ({way}); dashed: random rows, {shown}"
    alt = f"Score by origin: {later.sentence}"
    return charts._chart("rolling_origin", "How it does on later rows", subtitle, layers, values, alt)
