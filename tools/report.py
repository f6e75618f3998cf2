"""The result in JSON, in a page for people, and in a few sentences; every number comes from the scorer or the log."""

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from tools.audit import Probe
from tools.blueprints.page import blueprint_page, blueprint_text
from tools.charts import Chart, small
from tools.contract import Contract
from tools.honest import Honest
from tools.importance import Importance
from tools.lint import Finding
from tools.markdown import plain
from tools.metrics import METRICS
from tools.model_folder import versions
from tools.score import Scalar, Score

WITH_VERSIONS = ("modelwright", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "lightgbm", "joblib")
TOP = 5

Json = dict[str, Any]


def report_json(
    *,
    contract: Contract,
    score: Score,
    probes: Sequence[Probe],
    looks: int,
    rows_train: int,
    leaderboard: Sequence[Mapping[str, Any]],
    verified: bool,
    importance: Sequence[Importance],
    seconds: float,
    hashes: Mapping[str, str],
    split_rule: str | None = None,
    notes: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    author: str = "recipe",
    attempt: int = 1,
    isolation: str = "",
    closer: Honest | None = None,
) -> Json:
    """report.json: everything that is known of a result, JSON-ready (no NaN).

    `verified` is False for a script that is not our unmodified recipe: what it printed about itself is then kept under
    `claimed`, and no number of it is reported. `hashes` has at least data, code and contract (SHA-256).
    """
    rows = [_row(row) for row in leaderboard]
    return {
        "task": contract.task,
        "target": contract.target,
        "request": contract.request,
        "rows_train": rows_train,
        "rows_holdout": score.rows,
        "metric": _scalar(score.metric),
        "baseline": {**_scalar(score.baseline), "model": score.baseline.model},
        "baselines": [{**_scalar(one), "model": one.model} for one in score.baselines],
        "difference": _finite(score.difference.model_dump(mode="json")),
        "also": [_scalar(one) for one in score.also],
        "earlier": [_finite(one.model_dump(mode="json")) for one in score.earlier],
        "comparison": score.comparison,
        "verdict": score.verdict,
        "leaderboard": rows if verified else [{"model": "script", "cv_score": None, "seconds": None}],
        "claimed": [] if verified else rows,
        "audit": [{"probe": one.probe, "passed": one.passed, "detail": one.detail} for one in probes],
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "importance": [_important(item) for item in importance],
        "importance_measure": importance_measure(contract),
        "holdout_looks": looks,
        "seconds": round(seconds, 2),
        "budget_seconds": contract.budget_seconds,
        "split": {**contract.split.model_dump(mode="json"), "rule": split_rule or contract.split.rule},
        "features": list(contract.features),
        "positive_class": contract.positive_class,
        "classes": list(contract.classes),
        "assumptions": list(contract.assumptions),
        "notes": [*notes, *score.notes],
        "method": score.method,
        "author": author,
        "attempt": attempt,
        "seed": contract.seed,
        "isolation": isolation,
        **_closer(closer or Honest()),
        "hashes": dict(hashes),
        "versions": {"python": platform.python_version(), **versions(WITH_VERSIONS)},
    }


def _closer(closer: Honest) -> Json:
    """Calibration, decision, slices, learning, optimism, each None where it does not apply, and their sentences."""
    return {**_rounded(closer.model_dump(mode="json")), "closer": list(closer.sentences)}


def _rounded(value: Any) -> Any:
    """Six digits, so that lists of numbers stay small; JSON knows no NaN."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _scalar(one: Scalar) -> Json:
    fields = one.model_dump(mode="json", include={"name", "label", "value", "ci_low", "ci_high", "greater_is_better"})
    return _finite(fields)


def importance_measure(contract: Contract) -> str:
    """What the drops are drops of; measures of labels move too rarely, so another one may stand in for them."""
    metric = METRICS[contract.metric]
    return "the score" if metric.needs == "label" else metric.label


def _important(item: Importance) -> Json:
    return _finite({"feature": item.column, "drop": item.drop, "ci_low": item.ci_low, "ci_high": item.ci_high})


def _row(row: Mapping[str, Any]) -> Json:
    """Untrusted: a script printed it."""
    number = row.get("cv_score")
    seconds = row.get("seconds")
    return _finite(
        {
            "model": str(row.get("model", ""))[:80],
            "cv_score": float(number) if isinstance(number, int | float) else None,
            "seconds": float(seconds) if isinstance(seconds, int | float) else None,
        }
    )


def _finite(values: Json) -> Json:
    """JSON knows no NaN and no infinity."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }


def amount(name: str, value: float | None) -> str:
    """A value of the metric `name` as people read it."""
    if value is None:
        return "–"
    known = METRICS.get(name)
    return known.format(value) if known else f"{value:.4g}"


def interval(score: Mapping[str, Any]) -> str:
    """ "0.81 to 0.87" """
    return f"{amount(score['name'], score['ci_low'])} to {amount(score['name'], score['ci_high'])}"


def answer_text(report: Mapping[str, Any]) -> str:
    """The result in a few sentences (Markdown) for the chat and the end of a run."""
    paragraphs = [
        _headline(report),
        _drivers(report),
        _warnings(report),
        blueprint_text(report),
        _closer_look(report),
        _limits(report),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _headline(report: Mapping[str, Any]) -> str:
    metric, baseline = report["metric"], report["baseline"]
    value = amount(metric["name"], metric["value"])
    way = "higher is better" if metric["greater_is_better"] else "lower is better"
    verdict = sentence(report["verdict"][:1].upper() + report["verdict"][1:])
    return (
        f"**{metric['label']} {value}** for {plain(report['target'])} on {report['rows_holdout']:,} sealed rows "
        f"(95 % interval {interval(metric)}; {way}). The {_called(baseline['model'])} reaches "
        f"{amount(baseline['name'], baseline['value'])} on the same rows. **{verdict}**"
    )


def _called(model: str) -> str:
    names = {"dummy": "baseline that ignores every column", "linear": "simple linear baseline"}
    return names.get(model, f"baseline ({model})")


def _drivers(report: Mapping[str, Any]) -> str:
    strong = [item for item in report["importance"] if (item.get("drop") or 0) > 0][:TOP]
    if not strong:
        return ""
    named = ", ".join(f"{plain(item['feature'])} ({small(item['drop'])})" for item in strong)
    return f"What drives it, by how much {report['importance_measure']} worsens when a column is shuffled: {named}."


def _warnings(report: Mapping[str, Any]) -> str:
    alarms = [probe for probe in report["audit"] if probe["passed"] is False]
    if alarms:
        return "\n".join(["**Take care:**", *(f"- {sentence(probe['detail'])}" for probe in alarms)])
    ran = sum(probe["passed"] is True for probe in report["audit"])
    return f"{ran} audit probe{'s' if ran > 1 else ''} ran and raised no alarm." if ran else ""


def _closer_look(report: Mapping[str, Any]) -> str:
    return "\n".join(f"- {sentence(line)}" for line in report.get("closer") or [])


def _slices_table(report: Mapping[str, Any]) -> str:
    found = report.get("slices")
    if not found or not found["failing"]:
        return ""
    lines = [f"| rows where | rows | {found['of']} | 95 % interval | elsewhere |", "|---|---|---|---|---|"]
    for one in found["failing"]:
        limits = f"{small(one['ci_low'])} to {small(one['ci_high'])}"
        cells = (plain(one["rows_are"]), f"{one['rows']:,}", small(one["error"]), limits, small(one["elsewhere"]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _limits(report: Mapping[str, Any]) -> str:
    said = [sentence(note) for note in report["notes"]]
    if report["holdout_looks"] > 1:
        said.append(
            f"The sealed rows have been scored {report['holdout_looks']} times; the best of several is a little lucky."
        )
    if report["claimed"]:
        said.append("Scores that the script printed about itself are not used anywhere.")
    said += [sentence(assumption) for assumption in report["assumptions"]]
    return " ".join(said)


def report_md(report: Mapping[str, Any], charts: Sequence[Chart] = ()) -> str:
    """report.md: a page that a manager can read from top to bottom and an engineer can check."""
    parts = [
        f"# {plain(report['target'])}: the result",
        f"> {plain(report['request'])}" if report["request"] else "",
        _headline(report),
        _scores_table(report),
        "## What drives it\n\n" + (_importance_table(report) or "No column made a measurable difference."),
        blueprint_page(report),
        "## Can it be trusted?\n\n" + _audit_list(report),
        "\n\n".join(part for part in ("## A closer look", _closer_look(report), _slices_table(report)) if part)
        if report.get("closer")
        else "",
        "## Models compared\n\n" + _leaderboard_table(report),
        "## How it was judged\n\n" + _judging(report),
        "## Pictures\n\n" + "\n\n".join(_picture(chart) for chart in charts) if charts else "",
        _listed("Assumptions", report["assumptions"]),
        _listed("Notes", report["notes"]),
        "## To repeat it\n\n" + _provenance(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _scores_table(report: Mapping[str, Any]) -> str:
    lines = ["| measure | this model | 95 % interval |", "|---|---|---|"]
    for one in (report["metric"], *report["also"]):
        lines.append(f"| {one['label']} | {amount(one['name'], one['value'])} | {interval(one)} |")
    for one in report["baselines"]:
        shown = amount(one["name"], one["value"])
        lines.append(f"| {one['label']} of the {_called(one['model'])} | {shown} | {interval(one)} |")
    return "\n".join(lines)


def _importance_table(report: Mapping[str, Any]) -> str:
    rows = [item for item in report["importance"] if item.get("drop") is not None][:15]
    if not rows:
        return ""
    lines = [f"| column | {report['importance_measure']} worsens by |", "|---|---|"]
    return "\n".join([*lines, *(f"| {plain(item['feature'])} | {small(item['drop'])} |" for item in rows)])


def _audit_list(report: Mapping[str, Any]) -> str:
    marks = {True: "passed", False: "**look here**", None: "not applicable"}
    lines = [f"- {marks[item['passed']]}: {sentence(item['detail'])} ({item['probe']})" for item in report["audit"]]
    return "\n".join(lines) or "No probe was run."


def _leaderboard_table(report: Mapping[str, Any]) -> str:
    if report["claimed"]:
        return "The script is not our recipe, so the scores that it printed about its own models are not shown here."
    name = report["metric"]["name"]
    lines = [f"| model | {report['metric']['label']} in cross-validation | seconds |", "|---|---|---|"]
    for row in report["leaderboard"]:
        took = "–" if row["seconds"] is None else f"{row['seconds']:.1f}"
        lines.append(f"| {plain(row['model'])} | {amount(name, row['cv_score'])} | {took} |")
    return "\n".join(lines) if len(lines) > 2 else "The script reported no comparison of models."


def _picture(chart: Chart) -> str:
    return f"![{plain(chart.alt)}](charts/{chart.name}.png)"


def _judging(report: Mapping[str, Any]) -> str:
    split = report["split"]
    by = f" by {plain(split['column'])}" if split.get("column") else ""
    looks = report["holdout_looks"]
    times = "once" if looks == 1 else f"{looks} times"
    return (
        f"{report['rows_train']:,} rows to learn from, {report['rows_holdout']:,} sealed rows to judge by "
        f"({split['rule']} split{by}). No training program ever saw the answers of the sealed rows; they were scored "
        f"{times}. Intervals: {sentence(report['method'])} "
        f"The run took {report['seconds']:.0f} s of {report['budget_seconds']:.0f} s."
    )


def _listed(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"## {title}\n", *(f"- {sentence(item)}" for item in items)]) if items else ""


def _provenance(report: Mapping[str, Any]) -> str:
    hashes = "\n".join(f"- {name}: `{digest}`" for name, digest in report["hashes"].items())
    installed = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    how = "`python train.py` trains again; `notebook.ipynb` does so and checks the score."
    return f"{hashes}\n- seed: {report['seed']}\n- {installed}\n\n{how}"


def sentence(text: str) -> str:
    """One line that ends with a full stop; its first word may be a column's name, so its case is left alone."""
    line = plain(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."
