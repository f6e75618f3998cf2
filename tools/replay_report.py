"""The outcome of a replay: replay.json, replay.md for people, and its pictures."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tools import charts
from tools.charts import Chart
from tools.contract import Contract
from tools.drift import ColumnDrift, Drift
from tools.markdown import plain
from tools.metrics import METRICS
from tools.replay import Finding
from tools.report import sentence
from tools.versus import Verdict, Versus

Json = dict[str, Any]
PICTURED = 4
"""Columns that have moved most get a picture each."""


def replay_json(
    *,
    project: str,
    contract: Contract,
    data: Mapping[str, Any],
    findings: Sequence[Finding],
    drift: Drift,
    versus: Versus | None,
    why_not: str,
    training: Mapping[str, Any] | None,
    hashes: Mapping[str, str],
    seconds: float,
) -> Json:
    """replay.json: everything that was found, JSON-ready (no NaN). `why_not`: why the models were not compared."""
    verdict: Verdict = versus.verdict if versus else "not compared"
    report: Json = _clean(
        {
            "version": 1,
            "project": project,
            "request": contract.request,
            "task": contract.task,
            "target": contract.target,
            "metric": contract.metric,
            "split": contract.split.model_dump(mode="json"),
            "data": dict(data),
            "checks": [finding.model_dump(mode="json") for finding in findings],
            "drift": drift.model_dump(mode="json"),
            "verdict": verdict,
            "sentence": versus.sentence if versus else why_not,
            "comparison": versus.model_dump(mode="json", exclude={"verdict", "sentence"}) if versus else None,
            "training": dict(training) if training else None,
            "hashes": dict(hashes),
            "seconds": round(seconds, 2),
        }
    )
    return report


def json_text(report: Mapping[str, Any]) -> str:
    """replay.json"""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _clean(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def replay_charts(drift: Drift, versus: Versus | None) -> tuple[Chart, ...]:
    """Both models beside the baseline, drift per column, and the columns that have moved most."""
    found = [_models(versus)] if versus else []
    found.append(_sizes(drift))
    pictured = [column for column in drift.moved if column.bars][:PICTURED]
    return (*found, *(_shares(number, column) for number, column in enumerate(pictured, 1)))


def _models(versus: Versus) -> Chart:
    metric = versus.new.metric
    named = [("retrained", metric), ("old model", versus.old.metric), ("baseline", versus.new.baseline)]
    form = METRICS[metric.name].format
    values = [
        {"label": name, "value": one.value, "text": form(one.value), "low": one.ci_low, "high": one.ci_high}
        for name, one in named
    ]
    way = "higher is better" if metric.greater_is_better else "lower is better"
    subtitle = f"{metric.label} on {versus.rows:,} fresh sealed rows with 95 % intervals, {way}"
    alt = f"{subtitle}: " + ", ".join(f"{name} {form(one.value)}" for name, one in named) + "."
    return charts._bars("old_and_new", "Old model and retrained", subtitle, values, metric.label, alt, ranges=True)


def _sizes(drift: Drift) -> Chart:
    measured = [(column, column.psi) for column in drift.columns if column.psi is not None]
    ranked = sorted(measured, key=lambda pair: -pair[1])[: charts.MAX_BARS]
    values = [
        {
            "label": column.name,
            "value": value,
            "text": f"{value:.3f}" + (f" {_how(column)}" if column in drift.moved else ""),
        }
        for column, value in ranked
    ]
    subtitle = f"PSI against training, {drift.rows_now:,} new rows; a size stands where it is more than chance"
    return charts._bars("drift", "What has moved", subtitle, values, "PSI", f"{subtitle}. {drift.sentence}")


def _how(column: ColumnDrift) -> str:
    """How large, and what has moved where it is not the values, whose PSI stands beside it."""
    found = [test.test for test in column.tests if test.size == column.size]
    if not found or "values" in found:
        return column.size
    return f"{column.size} ({' and '.join('gaps' if one == 'missing' else one for one in found)})"


def _shares(number: int, column: ColumnDrift) -> Chart:
    """Shares of the rows per bin or category, training beside now."""
    order = [label for label, *_ in column.bars]
    values = [
        {"label": label, "when": when, "value": round(share, 6)}
        for label, *shares in column.bars
        for when, share in zip(("training", "now"), shares, strict=True)
    ]
    colour = {"field": "when", "type": "nominal", "title": None, "sort": ["training", "now"]}
    scale = {"domain": ["training", "now"], "range": [charts.OTHER, charts.ACCENT]}
    layer = {
        "mark": {"type": "bar"},
        "encoding": {
            "y": {"field": "label", "type": "nominal", "title": None, "sort": order, "axis": {"labelLimit": 170}},
            "yOffset": {"field": "when", "type": "nominal", "sort": ["training", "now"]},
            "x": {"field": "value", "type": "quantitative", "title": None, "axis": {"format": ".0%", "tickCount": 6}},
            "color": {**colour, "scale": scale},
            "tooltip": [{"field": "label", "type": "nominal"}, {"field": "when", "type": "nominal"},
                        {"field": "value", "type": "quantitative", "format": ".1%"}],
        },
    }  # fmt: skip
    size = {"width": charts.WIDTH, "height": {"step": 13}}
    title, alt = f"{column.name}: training and now", f"Shares of {column.name} in training and now: {column.sentence}"
    return Chart(f"moved_{number}", title, charts._spec(title, "shares of the rows", layer, values, size), alt)


def replay_md(report: Mapping[str, Any], pictures: Sequence[Chart]) -> str:
    """replay.md: a page to read from top to bottom."""
    drift, data = report["drift"], report["data"]
    parts = [
        f"# {plain(report['target'])}: replay on {plain(data['name'])}",
        f"**{_title(report['verdict'])}** {sentence(report['sentence'])}",
        _table(report),
        _alarms(report),
        "## Do the new rows fit?\n\n" + _checks(report["checks"], data),
        "## What has moved since training\n\n" + sentence(drift["sentence"]) + "\n\n" + _moved(drift),
        "## How it was done\n\n" + _done(report),
        "## Pictures\n\n" + "\n\n".join(f"![{plain(one.alt)}](charts/{one.name}.png)" for one in pictures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(verdict: str) -> str:
    titles = {
        "replace": "Replace the old model.",
        "keep": "Keep the old model.",
        "no difference": "No difference that these rows can show.",
        "too few rows": "Too few rows for a verdict.",
        "not compared": "The models were not compared.",
    }
    return titles[verdict]


def _table(report: Mapping[str, Any]) -> str:
    compared = report["comparison"]
    if not compared:
        return ""
    lines = ["| model | measure | value | 95 % interval |", "|---|---|---|---|"]
    for name, one in (("retrained", compared["new"]), ("old", compared["old"])):
        for measured in (one["metric"], *one["also"]):
            lines.append(f"| {name} | {_cells(measured)} |")
    lines.append(f"| baseline ({compared['new']['baseline']['model']}) | {_cells(compared['new']['baseline'])} |")
    return "\n".join(lines)


def _alarms(report: Mapping[str, Any]) -> str:
    """What the audit objects to in the retrained model; its score is not to be taken without it."""
    found = (report["training"] or {}).get("alarms") or []
    return "\n".join(
        ["**Take care with the retrained model:**", "", *(f"- {sentence(one)}" for one in found)] if found else []
    )


def _cells(one: Mapping[str, Any]) -> str:
    form = METRICS[one["name"]].format
    return f"{one['label']} | {form(one['value'])} | {form(one['ci_low'])} to {form(one['ci_high'])}"


def _checks(findings: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> str:
    rows = f"{data['rows']:,} rows, {data['fresh']:,} of them new to the old project."
    lines = [f"- {one['level']}: {sentence(one['sentence'])}" for one in findings]
    return "\n".join([rows, "", *lines]) if lines else f"{rows} Nothing to remark."


def _moved(drift: Mapping[str, Any]) -> str:
    said = [f"- {sentence(column['sentence'])}" for column in drift["columns"] if column["sentence"]]
    lines = [
        "| column | size | PSI (by chance) | KS | missing before | now | unknown categories |",
        "|---|---|---|---|---|---|---|",
    ]
    for column in drift["columns"]:
        stability = "–" if column["psi"] is None else f"{column['psi']:.3f} ({column['psi_by_chance']:.3f})"
        distance = "–" if column["ks"] is None else f"{column['ks']:.3f}"
        gaps = f"{column['missing_before']:.1%} | {column['missing_now']:.1%}"
        head = f"| {plain(column['name'])} | {column['size']} | {stability} | {distance}"
        lines.append(f"{head} | {gaps} | {column['new_rows']:,} |")
    return "\n".join([*said, "", *lines] if said else lines)


def _done(report: Mapping[str, Any]) -> str:
    training, split = report["training"], report["split"]
    by = f" by {plain(split['column'])}" if split.get("column") else ""
    parts = [
        f"The contract is the old project's ({split['rule']} split{by}, judged by {METRICS[report['metric']].label})."
    ]
    if training:
        compared = report["comparison"]
        times = "once" if compared["looks"] == 1 else f"{compared['looks']} times"
        parts.append(
            f"The retrained model learned from {training['rows']:,} rows ({training['from']}) with "
            f"{training['script']}; both models predicted the same {compared['rows']:,} sealed rows in the sandbox, "
            f"which holds no answers, and one scorer judged both on the same resamples ({compared['new']['method']}). "
            f"These rows have been scored {times}."
        )
    parts.append(
        "Drift: PSI with the bands 0.1 and 0.25 (Siddiqi 2006); a column counts as moved when a test on it stands "
        "after Benjamini-Hochberg over all tests at 5 %. Bins are those of the training rows."
    )
    return " ".join(parts)
