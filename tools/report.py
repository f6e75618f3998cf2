"""The result in JSON, in a page for people, and in a few sentences; every number comes from the scorer or the log."""

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from tools.audit import Probe
from tools.blueprints.page import blueprint_page, blueprint_text
from tools.charts import Chart, small
from tools.contract import Contract
from tools.explained import price as readability
from tools.explained import section as explained_part
from tools.explaining.page import explain_page, groups_text
from tools.honest import Honest
from tools.importance import Importance
from tools.ingest.errors import counted
from tools.lint import Finding
from tools.markdown import plain
from tools.metrics import METRICS
from tools.model_folder import versions
from tools.model_words import computed_page, cost_page, remarks_text, words_text
from tools.models.page import model_page, model_text, report_part
from tools.score import Scalar, Score
from tools.search_page import search_section, search_text
from tools.split_report import split_section

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
        "profile": "" if contract.model else contract.profile,
        "weight_column": contract.weight_column,
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
        "audit": [_finite(one.model_dump(mode="json")) for one in probes],
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "importance": [_important(item) for item in importance],
        "importance_measure": importance_measure(contract),
        "holdout_looks": looks,
        "seconds": round(seconds, 2),
        "budget_seconds": contract.budget_seconds,
        "model": report_part(contract.model, leaderboard if verified else (), contract.metric),
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
        words_text(report),
        _drivers(report),
        _warnings(report),
        remarks_text(report),
        search_text(report),
        model_text(report),
        readability(report),
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
    worsens = f"by how much {report['importance_measure']} worsens when a column is shuffled: {named}."
    measured, columns = len(report["importance"]), len(report["features"])
    part = f"Of the {counted(measured, 'column')} that could be measured (of {columns}), {worsens}"
    head = f"What drives it, {worsens}" if measured >= columns else part
    return "\n".join(part for part in (head, groups_text(report)) if part)


def _warnings(report: Mapping[str, Any]) -> str:
    alarms = [probe for probe in report["audit"] if probe["passed"] is False]
    if alarms:
        return "\n".join(["**Take care:**", *(f"- {_audited(probe)}" for probe in alarms)])
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
        _place_in_plan(report.get("plan")),
        _headline(report),
        words_text(report),
        _scores_table(report),
        "\n\n".join(part for part in ("## What drives it", _importance_part(report), groups_text(report)) if part),
        explain_page(report),
        blueprint_page(report),
        computed_page(report),
        "\n\n".join(part for part in ("## Can it be trusted?", _audit_list(report), remarks_text(report)) if part),
        "\n\n".join(part for part in ("## A closer look", _closer_look(report), _slices_table(report)) if part)
        if report.get("closer")
        else "",
        model_page(report),
        explained_part(report),
        search_section(report),
        "## Models compared\n\n" + _leaderboard_table(report),
        "\n\n".join(part for part in ("## How it was judged", _judging(report), split_section(report)) if part),
        "## Pictures\n\n" + "\n\n".join(_picture(chart) for chart in charts) if charts else "",
        _listed("Assumptions", report["assumptions"]),
        _listed("Notes", report["notes"]),
        cost_page(report),
        "## To repeat it\n\n" + _provenance(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _place_in_plan(plan: Mapping[str, Any] | None) -> str:
    return f"Step {plan['step']} of {plan['of']} of one message." if plan else ""


def _scores_table(report: Mapping[str, Any]) -> str:
    lines = ["| measure | this model | 95 % interval |", "|---|---|---|"]
    for one in (report["metric"], *report["also"]):
        lines.append(f"| {one['label']} | {amount(one['name'], one['value'])} | {interval(one)} |")
    for one in report["baselines"]:
        shown = amount(one["name"], one["value"])
        lines.append(f"| {one['label']} of the {_called(one['model'])} | {shown} | {interval(one)} |")
    return "\n".join(lines)


def _audited(item: Mapping[str, Any]) -> str:
    """What a probe saw, what it would mean in use, and what repairs it."""
    repair = item.get("repair")
    again = f"To repair it: {repair['label']} ({repair['flag']})." if repair else ""
    return " ".join(sentence(part) for part in (item["detail"], item.get("in_use", ""), again) if part)


def _importance_part(report: Mapping[str, Any]) -> str:
    measured, columns = len(report["importance"]), len(report["features"])
    if measured >= columns:
        return _importance_table(report) or "No column made a measurable difference."
    if not measured:
        return "It could not be measured."
    head = f"{measured} of {columns} columns could be measured; the others may matter as much."
    return "\n\n".join(part for part in (head, _importance_table(report)) if part)


def _importance_table(report: Mapping[str, Any]) -> str:
    rows = [item for item in report["importance"] if item.get("drop") is not None][:15]
    if not rows:
        return ""
    lines = [f"| column | {report['importance_measure']} worsens by | 95 % interval |", "|---|---|---|"]
    for item in rows:
        limits = f"{small(item['ci_low'] or 0.0)} to {small(item['ci_high'] or 0.0)}"
        lines.append(f"| {plain(item['feature'])} | {small(item['drop'])} | {limits} |")
    return "\n".join(lines)


def _audit_list(report: Mapping[str, Any]) -> str:
    marks = {True: "passed", False: "**look here**", None: "not applicable"}
    lines = [f"- {marks[item['passed']]}: {_audited(item)} ({item['probe']})" for item in report["audit"]]
    return "\n".join(lines) or "No probe was run."


def _leaderboard_table(report: Mapping[str, Any]) -> str:
    if report["claimed"]:
        return "The script is not our recipe, so the scores that it printed about its own models are not shown here."
    name = report["metric"]["name"]
    behind = _behind(report)
    against = " worse than the best by |" if behind else ""
    lines = [f"| model | {report['metric']['label']} in cross-validation | seconds |{against}"]
    lines += ["|---|---|---|" + ("---|" if behind else "")]
    for row in report["leaderboard"]:
        took = "–" if row["seconds"] is None else f"{row['seconds']:.1f}"
        apart = f" {behind.get(row['model'], '–')} |" if behind else ""
        score = "no score yet" if row["cv_score"] is None else amount(name, row["cv_score"])
        lines.append(f"| {plain(row['model'])} | {score} | {took} |{apart}")
    if len(lines) <= 2:
        return "The script reported no comparison of models."
    said = sentence(report["candidates"]["sentence"]) if behind else ""
    return "\n\n".join(part for part in ("\n".join(lines), said, _earlier_table(report)) if part)


def _behind(report: Mapping[str, Any]) -> dict[str, str]:
    """Model -> how far it is behind the best one; intervals hold for all of them together."""
    found = (report.get("candidates") or {}).get("candidates", [])
    return {
        one["model"]: "the best" if place == 0 else _apart(one, tied=one["tied"]) for place, one in enumerate(found)
    }


def _apart(one: Mapping[str, Any], *, tied: bool) -> str:
    limits = f"{small(one['behind'])} ({small(one['behind_low'])} to {small(one['behind_high'])})"
    return f"{limits}: not to be told apart" if tied else limits


def _earlier_table(report: Mapping[str, Any]) -> str:
    """Earlier attempts on the same sealed rows."""
    if not report["earlier"]:
        return ""
    lines = ["On the same sealed rows, paired; the intervals hold for all earlier attempts together:", ""]
    lines += ["| earlier attempt | this one is better by | 95 % interval |", "|---|---|---|"]
    for one in report["earlier"]:
        limits = f"{small(one['ci_low'])} to {small(one['ci_high'])}"
        lines.append(f"| {plain(one['against'])} | {small(one['value'])} | {limits} |")
    return "\n".join(lines)


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
        f"The run took {report['seconds']:.0f} s of {report['budget_seconds']:.0f} s, without writing these files."
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
