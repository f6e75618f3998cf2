"""The report: the promised keys, JSON without NaN, and words in which every number is the report's."""

import json
import re
from pathlib import Path
from typing import Any

from tests.tools.result_scene import Result
from tools.audit import Probe
from tools.importance import Importance
from tools.markdown import plain
from tools.report import answer_text, report_json, report_md


def again(result: Result, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "contract": result.contract, "score": result.score, "probes": [], "looks": 1,
        "rows_train": result.sealed.rows_train, "leaderboard": [], "verified": True, "importance": [], "seconds": 1.0,
        "hashes": {"data": "d" * 64, "code": "c" * 64, "contract": "a" * 64},
    }  # fmt: skip
    return report_json(**{**given, **changes})


def test_the_promised_keys_are_there(result: Result) -> None:
    report = result.report
    promised = {
        "task", "target", "rows_train", "rows_holdout", "metric", "baseline", "verdict", "leaderboard", "audit",
        "holdout_looks", "seconds", "budget_seconds", "hashes",
    }  # fmt: skip
    assert promised <= set(report)
    for score in (report["metric"], report["baseline"]):
        assert {"name", "value", "ci_low", "ci_high", "greater_is_better"} <= set(score)
        assert score["ci_low"] <= score["value"] <= score["ci_high"]
    assert {"model", "cv_score", "seconds"} == set(report["leaderboard"][0])
    assert {"probe", "passed", "detail", "in_use", "evidence", "repair"} == set(report["audit"][0])
    assert {"data", "code", "contract"} <= set(report["hashes"])
    assert report["rows_train"] + report["rows_holdout"] == result.dataset.rows


def test_it_is_json_even_when_a_number_is_not_defined(result: Result) -> None:
    odd = result.score.model_copy(update={"metric": result.score.metric.model_copy(update={"ci_low": float("nan")})})
    report = again(result, score=odd, leaderboard=[{"model": "m", "cv_score": float("nan"), "seconds": float("inf")}])
    json.dumps(report, allow_nan=False)
    assert report["metric"]["ci_low"] is None
    assert report["leaderboard"] == [{"model": "m", "cv_score": None, "seconds": None}]
    assert "–" in answer_text(report)


def test_what_a_foreign_script_prints_about_itself_is_no_reported_number(result: Result) -> None:
    report = again(result, leaderboard=[{"model": "mine", "cv_score": 0.777, "seconds": 1}], verified=False)
    assert [row["cv_score"] for row in report["leaderboard"]] == [None]
    assert report["claimed"][0]["cv_score"] == 0.777
    assert "0.777" not in report_md(report)
    assert "not used anywhere" in answer_text(report)


def test_a_leaderboard_of_nonsense_becomes_a_leaderboard(result: Result) -> None:
    report = again(result, leaderboard=[{"model": ["x"] * 99, "cv_score": "high", "seconds": None}, {}])
    assert [row["cv_score"] for row in report["leaderboard"]] == [None, None]
    assert all(len(row["model"]) <= 80 for row in report["leaderboard"])


def test_the_answer_says_score_interval_baseline_verdict_and_what_drives_it(result: Result) -> None:
    text = answer_text(result.report)
    metric, baseline = result.report["metric"], result.report["baseline"]
    for number in (metric["value"], metric["ci_low"], metric["ci_high"], baseline["value"]):
        assert f"{number:.3f}" in text
    assert result.report["verdict"].lower() in text.lower()
    assert "mean radius (0.12)" in text
    assert "The rows are in no order." in text
    assert "1 audit probes ran" not in text


def test_what_could_not_be_measured_is_not_told_as_unimportant(result: Result) -> None:
    one = Importance(column="mean radius", drop=0.12, ci_low=0.1, ci_high=0.14)
    report = again(result, importance=[one])
    columns = len(result.contract.features)
    assert f"Of the 1 column that could be measured (of {columns}), by how much" in answer_text(report)
    assert "What drives it, by" not in answer_text(report)
    assert f"1 of {columns} columns could be measured; the others may matter as much." in report_md(report)
    every = [one.model_copy(update={"column": name}) for name in result.contract.features]
    assert "What drives it, by how much" in answer_text(again(result, importance=every))


def test_every_number_of_the_answer_is_in_the_report(result: Result) -> None:
    known = [*_numbers(result.report), 95.0]
    for found in re.findall(r"(?<![\w.])\d[\d,]*\.?\d*", answer_text(result.report)):
        number = float(found.replace(",", "").rstrip("."))
        decimals = len(found.split(".")[1]) if "." in found.rstrip(".") else 0
        assert any(abs(number - value) <= 0.5 * 10**-decimals + 1e-9 for value in known), found


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)] + [float(len(value))]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_a_failed_probe_is_beside_the_score(result: Result) -> None:
    alarm = Probe(probe="single_feature", passed=False, detail="tenure alone reaches ROC-AUC 0.99")
    report = again(result, probes=[alarm])
    assert "**Take care:**\n- tenure alone reaches ROC-AUC 0.99." in answer_text(report)
    assert "**look here**: tenure alone" in report_md(report)


def test_many_looks_at_the_sealed_rows_are_said(result: Result) -> None:
    assert "scored 4 times" in answer_text(again(result, looks=4))
    assert "scored once" in report_md(again(result, looks=1))


def test_the_page_has_every_part_and_a_picture_for_each_chart(result: Result) -> None:
    page = report_md(result.report, result.charts)
    for heading in ("What drives it", "Can it be trusted?", "Models compared", "How it was judged", "To repeat it"):
        assert f"## {heading}" in page
    assert page.count("](charts/") == len(result.charts)
    assert result.report["hashes"]["data"] in page


def test_names_from_the_table_cannot_become_markup(result: Result) -> None:
    contract = result.contract.model_copy(update={"target": "a|b <img src=x> [c](d) *e*\n# f", "request": "`x`"})
    page = report_md(again(result, contract=contract))
    assert "<img" not in page.replace("\\<", "")
    assert "\n# f" not in page
    assert plain("extra_trees") == "extra_trees"
    assert plain("__init__") == r"\_\_init\_\_"


def test_no_machine_path_is_in_a_report(result: Result, tmp_path: Path) -> None:
    assert str(tmp_path.parent) not in json.dumps(result.report)
