"""What a script of an analysis leaves is read as data: everything that is not, is refused with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.analysing import supported_text
from tools.analysis import AnalysisError, Answer, ChartForm, drawn, read_analysis
from tools.chart_images import png

GOOD: dict[str, Any] = {"text": "Fine.", "numbers": {"n": 3}, "table": None}
POINT = {"x": "a", "y": 1.0}


def left(folder: Path, answer: Any = GOOD, chart: Any = None) -> Path:
    """A folder as a sandbox leaves it."""
    for name, value in (("answer.json", answer), ("chart.json", chart)):
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("answer", "chart", "sentence"),
    [
        ("not json", None, "is no JSON"),
        ("[" * 100_000, None, "is no JSON"),
        ({**GOOD, "text": " "}, None, "text is empty"),
        ({**GOOD, "text": "x" * 7000}, None, "answer.json: text"),
        ('{"text": "x", "numbers": {"n": NaN}}', None, "answer.json: numbers"),
        ({**GOOD, "numbers": {"n": "three"}}, None, "numbers"),
        ({**GOOD, "table": {"columns": ["a"], "rows": [[1, 2]]}}, None, "has not 1 cells"),
        ({**GOOD, "table": {"columns": [], "rows": []}}, None, "table"),
        ({**GOOD, "table": {"columns": ["a"], "rows": [[{"b": 1}]]}}, None, "table"),
        ({**GOOD, "table": {"columns": ["a"], "rows": [[1]] * 201}}, None, "table"),
        ([1], None, "the whole"),
        (GOOD, {"kind": "pie", "points": [POINT]}, "kind"),
        (GOOD, {"kind": "bar", "points": []}, "points"),
        (GOOD, {"kind": "bar", "points": [POINT] * 2001}, "points"),
        (GOOD, '{"kind": "bar", "points": [{"x": "a", "y": Infinity}]}', "points"),
        (GOOD, [{"kind": "bar", "points": [POINT]}] * 5, "4 are the most"),
        ('{"text": "' + "x" * 2_100_000 + '"}', None, "more than 2 MB"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, answer: Any, chart: Any, sentence: str) -> None:
    with pytest.raises(AnalysisError) as refused:
        read_analysis(left(tmp_path, answer, chart), "a")
    assert sentence in str(refused.value)
    assert "three" not in str(refused.value)  # no value of a cell: a model may be told the sentence


def test_nothing_and_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="left no"):
        read_analysis(tmp_path, "a")
    (tmp_path / "answer.json").symlink_to("/etc/hostname")
    with pytest.raises(AnalysisError, match="no regular file"):
        read_analysis(tmp_path, "a")


HOSTILE = '<img src=x onerror=alert(1)> datum["a"] {{x}}'


@pytest.mark.parametrize("kind", ["bar", "line", "scatter", "histogram"])
@pytest.mark.parametrize(
    "xs", [["a", "b"], [1, 2.5], ["2024-01-01", "2024-02-01"], [HOSTILE, "b"], list("abcdefghijkl")]
)
def test_every_form_can_be_drawn_and_words_stay_data(kind: str, xs: list[Any]) -> None:
    points = [{"x": x, "y": n, "series": s} for n, x in enumerate(xs) for s in ("", HOSTILE)]
    form = ChartForm.model_validate({"kind": kind, "title": HOSTILE, "x": HOSTILE, "y": "$y", "points": points})
    chart = drawn(form, "a-1")
    assert png(chart.spec).startswith(b"\x89PNG")
    words = json.dumps({**chart.spec, "data": 0, "title": 0})
    assert "url" not in chart.spec["data"]
    assert words.count("onerror") == words.count(json.dumps(HOSTILE)[1:-1])  # titles and the order of colours alone
    assert chart.alt.startswith(HOSTILE[:20])


def test_only_numbers_that_were_computed_are_said() -> None:
    answer = Answer.model_validate(
        {
            "text": "North sells 12.5 on average, in 2023. South sells 99. It is 45 % of all. Ward 7 has none. "
            "Twice more.",
            "numbers": {"north": 12.4961, "share": 0.4512},
            "table": {"columns": ["ward"], "rows": [["Ward 7"]]},
        }
    )
    text, gone = supported_text(answer, ["sales"], "average sales in 2023")
    assert text == "North sells 12.5 on average, in 2023. It is 45 % of all. Ward 7 has none."
    assert gone == 2  # nothing computed 99, and nothing “twice”


@pytest.mark.parametrize(
    "left",
    [
        {"text": "x", "numbers": {"Rumpelstiltskin": "none"}},
        {"text": "x", "table": {"columns": ["a"], "rows": [[10**400]]}},
        {"text": "x", "table": {"columns": ["a"], "rows": [["\ud800"]]}},
    ],
)
def test_what_cannot_be_used_is_refused_without_naming_a_value(left: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(left))
    with pytest.raises(AnalysisError) as refused:
        read_analysis(tmp_path, "p")
    assert "Rumpelstiltskin" not in str(refused.value)
