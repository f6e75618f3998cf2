"""Decides the words of an answer that is not a fresh result: why the result is so, what the table holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.markdown import plain
from tools.profile import Profile
from tools.report import amount, interval

MAX_WARNINGS = 6


def why(report: Mapping[str, Any]) -> str:
    """What the last result rests on, every number taken from its report."""
    parts = [_score_sentence(report), _importance_sentence(report)]
    parts += [_leaderboard_sentence(report.get("leaderboard") or [])]
    alarms = [probe for probe in report.get("audit", []) if probe.get("passed") is False]
    parts += [f"**Take care.** {plain(probe['detail'])}" for probe in alarms]
    parts += [f"The split: {plain(report['split']['reason'])}" if report.get("split", {}).get("reason") else ""]
    return "\n\n".join(part for part in parts if part)


def _score_sentence(report: Mapping[str, Any]) -> str:
    metric, baseline = report["metric"], report["baseline"]
    reached = f"{metric['label']} is {amount(metric['name'], metric['value'])} (95 % interval {interval(metric)})"
    return (
        f"On {report['rows_holdout']:,} rows whose answers no script ever saw, {reached}; "
        f"the {baseline['model']} baseline reaches {amount(metric['name'], baseline['value'])}. "
        f"Hence: {report['verdict']}."
    )


def _importance_sentence(report: Mapping[str, Any]) -> str:
    importance, columns = report.get("importance") or [], len(report.get("features") or [])
    strong = [item for item in importance if item.get("drop", 0) > 0][:5]
    if not strong:
        return ""
    named = ", ".join(f"{plain(item['feature'])} ({item['drop']:.3g})" for item in strong)
    measured = f" (of the {len(importance)} of {columns} columns that could be measured)"
    part = measured if len(importance) < columns else ""
    return f"What the model leans on{part}, by how much the score worsens when a column is shuffled: {named}."


def _leaderboard_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    scored = [row for row in rows if row.get("cv_score") is not None]
    if not scored:
        return ""
    named = ", ".join(f"{plain(row['model'])} {row['cv_score']:.4g}" for row in scored[:4])
    return f"Cross-validated on the training rows, best first: {named}."


def describe(profile: Profile, name: str) -> str:
    """The table in a few sentences, and what can be done next."""
    roles: dict[str, list[str]] = {}
    for column in profile.columns:
        roles.setdefault(column.role, []).append(column.name)
    size = f"{profile.rows:,} rows and {len(profile.columns):,} columns"
    lines = [f"**{plain(name)}** has {size}; quality {profile.quality:.0f} of 100."]
    lines += [f"- {role}: {_some(names)}" for role, names in roles.items()]
    lines += [f"- note: {plain(warning)}" for warning in list(profile.warnings)[:MAX_WARNINGS]]
    lines += ["", "Tell me what to predict, for example “predict " + plain(profile.columns[-1].name) + "”."]
    return "\n".join(lines)


def _some(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(plain(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
