"""The charts that belong to one result, from the profile, the scorer's curves, the leaderboard and the importance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools import charts
from tools.charts import Chart
from tools.contract import Contract
from tools.curves import ClassCurve, Curves
from tools.honest import Honest
from tools.honest_charts import honest_charts
from tools.importance import Importance
from tools.metrics import METRICS
from tools.profile import Profile
from tools.report import importance_measure
from tools.score import Score


def result_charts(
    contract: Contract,
    profile: Profile,
    score: Score,
    curves: Curves,
    leaderboard: Sequence[Mapping[str, Any]],
    importance: Sequence[Importance],
    closer: Honest | None = None,
) -> tuple[Chart, ...]:
    """Everything that applies to the task, the result first and the data last.

    `leaderboard`: verified rows only (an unverified script's own numbers are not drawn).
    """
    metric = METRICS[contract.metric]
    found: list[Chart] = []
    if curves.confusion is not None:
        found.append(charts.confusion_matrix(curves.confusion.classes, curves.confusion.counts))
    if curves.classes:
        found += _class_charts(contract, score, curves.classes)
    if curves.calibration:
        bins = [(one.predicted, one.observed, one.rows) for one in curves.calibration]
        found.append(charts.calibration(bins, several=contract.task == "multiclass"))
    if curves.actual_predicted:
        pairs = curves.actual_predicted
        found.append(charts.predicted_vs_actual(contract.target, pairs, rows=score.rows))
        apart = [(predicted, actual - predicted) for actual, predicted in pairs]
        found.append(charts.residuals(contract.target, apart, rows=score.rows))
    if importance:
        drops = [(item.column, item.drop, item.ci_low, item.ci_high) for item in importance]
        found.append(charts.importance(drops, importance_measure(contract), of=len(contract.features)))
    if closer is not None:
        found += honest_charts(closer)
    if any(row.get("cv_score") is not None for row in leaderboard):
        remarked = _remarked(leaderboard, closer)
        found.append(charts.leaderboard(remarked, metric.label, greater_is_better=metric.greater_is_better))
    found.append(charts.target_distribution(profile.column(contract.target), contract))
    found.append(charts.missingness(profile.missingness, columns=len(profile.columns)))
    return tuple(found)


def titles(contract: Contract) -> dict[str, str]:
    """Name and title of the charts that a result of this task has, before any of them is drawn."""
    found = {"importance": "What the model relies on", "target_distribution": "How the target is distributed"}
    if contract.task == "regression":
        return {"predicted_vs_actual": "Predicted and actual", "residuals": "Residuals", **found}
    curves = {"roc": "ROC curve", "precision_recall": "Precision and recall", "calibration": "Calibration"}
    return {"confusion_matrix": "Confusion matrix", **curves, **found}


def _remarked(leaderboard: Sequence[Mapping[str, Any]], closer: Honest | None) -> list[dict[str, Any]]:
    """Which models cannot be told apart from the best."""
    rivals = closer.candidates.candidates[1:] if closer is not None and closer.candidates else ()
    tied = {one.model for one in rivals if one.tied}
    return [{**row, "remark": " (a tie with the best)" if row["model"] in tied else ""} for row in leaderboard]


def _class_charts(contract: Contract, score: Score, classes: Sequence[ClassCurve]) -> list[Chart]:
    """ROC and precision-recall; of many classes the most frequent."""
    ranked = sorted(classes, key=lambda one: -one.share)
    areas = {one.label: _area(one) for one in ranked}
    averages = {one.label: _average_precision(one) for one in ranked}
    if contract.task == "binary":
        exact = {one.name: one.value for one in (score.metric, *score.also)}
        areas = {label: exact.get("roc_auc", area) for label, area in areas.items()}
        averages = {label: exact.get("average_precision", area) for label, area in averages.items()}
    share = ranked[0].share if contract.task == "binary" else None
    return [
        charts.roc({one.label: one.roc for one in ranked}, areas),
        charts.precision_recall({one.label: one.precision_recall for one in ranked}, averages, share),
    ]


def _area(curve: ClassCurve) -> float:
    """Trapezoids under the thinned curve: right to about three digits."""
    x, y = np.array(curve.roc).T
    return float(np.trapezoid(y, x))


def _average_precision(curve: ClassCurve) -> float:
    """Steps of the thinned curve: right to about two digits."""
    recall, precision = np.array(curve.precision_recall).T
    return float(np.diff(recall, prepend=0.0) @ precision)
