"""Charts: valid Vega-Lite, small, theme-neutral, and drawn to real PNG files by a process that ends with us."""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import charts
from tools.chart_images import ChartError, Renderer, png
from tools.charts import Chart

LABELS = ["Approach and initial descent into the terminal area", "Ünïcödé – фаза", "<b>x</b>", 'quote " here', "12"]
SQUARE = [[i * j % 7 + 10 * (i == j) for j in range(5)] for i in range(5)]
DIAGONAL = [(i / 1000, (i / 1000) ** 0.4) for i in range(1001)]
MANY = [(float(i), float(i) + i % 13) for i in range(5000)]


def all_charts() -> list[Chart]:
    rows = [{"model": "a", "cv_score": 0.8, "seconds": 1}, {"model": "b", "cv_score": 0.9, "seconds": 2}]
    return [
        charts.target_classes("Churn", list(zip(LABELS, [5, 4, 3, 2, 1], strict=True))),
        charts.target_numbers("price", [(0.0, 10.0, 3), (10.0, 20.0, 5)]),
        charts.missingness([("Cabin", 0.77), ("Age", 0.2)], columns=11),
        charts.missingness([], columns=4),
        charts.leaderboard(rows, "ROC-AUC", greater_is_better=True),
        charts.confusion_matrix(LABELS, SQUARE),
        charts.roc({"Yes": DIAGONAL}, {"Yes": 0.71}),
        charts.roc(dict.fromkeys(LABELS, DIAGONAL), dict.fromkeys(LABELS, 0.71)),
        charts.precision_recall({"Yes": DIAGONAL}, {"Yes": 0.5}, 0.3),
        charts.calibration([(0.1, 0.2, 10), (0.9, 0.8, 12)]),
        charts.predicted_vs_actual("price", MANY),
        charts.residuals("price", MANY[:10]),
        charts.importance([("tenure", 0.1, 0.08, 0.12), ("plan", -0.01, -0.02, 0.01)], "ROC-AUC"),
    ]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as started:
        yield started


def size(picture: bytes) -> tuple[int, int]:
    """Width and height from a PNG's header."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def values(chart: Chart) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart.spec["data"]["values"]
    return found


@pytest.mark.parametrize("chart", all_charts(), ids=lambda chart: chart.name)
def test_every_chart_is_valid_vega_lite_and_brings_no_theme(chart: Chart) -> None:
    import altair

    altair.Chart.from_dict(chart.spec)
    text = json.dumps(chart.spec, allow_nan=False)
    assert "background" not in chart.spec
    assert "url" not in text
    assert chart.alt.endswith(".")
    assert chart.title


def test_importance_says_in_words_what_matters_and_how_much_was_measured() -> None:
    one, both = ("tenure", 0.1, 0.08, 0.12), ("plan", 0.05, 0.04, 0.06)
    useless = ("city", -0.01, -0.02, 0.0)
    assert charts.importance([one, both], "ROC-AUC").alt == "Permutation importance: tenure and plan matter most."
    few = charts.importance([one, useless], "ROC-AUC", of=10).alt
    assert few == "Permutation importance: tenure matters most. Only 2 of 10 columns could be measured."
    assert charts.importance([useless], "ROC-AUC", of=1).alt == "Permutation importance: no column matters."


def test_all_are_drawn_as_pictures_of_a_readable_size(renderer: Renderer, tmp_path: Path) -> None:
    found = all_charts()
    for index, chart in enumerate(found):
        (path,) = renderer.render_all([chart], tmp_path / str(index))
        width, height = size(path.read_bytes())
        assert path.name == f"{chart.name}.png"
        assert 500 <= width <= 2400
        assert 100 <= height <= 2400


def test_a_set_is_drawn_in_its_order(renderer: Renderer, tmp_path: Path) -> None:
    distinct = list({chart.name: chart for chart in all_charts()}.values())
    paths = renderer.render_all(distinct, tmp_path)
    assert [path.stem for path in paths] == [chart.name for chart in distinct]
    assert all(size(path.read_bytes())[0] > 100 for path in paths)


def test_a_spec_that_is_no_chart_is_an_error_and_the_next_one_is_drawn(renderer: Renderer) -> None:
    with pytest.raises(ChartError, match="could not be drawn"):
        renderer.png({"mark": 7, "encoding": "nonsense"})
    assert size(renderer.png(all_charts()[0].spec))


def test_a_worker_that_died_is_replaced(renderer: Renderer) -> None:
    renderer.warm()
    for worker in renderer._workers:
        worker._ready().kill()
    assert size(renderer.png(all_charts()[0].spec))


def test_nothing_is_fetched_for_a_chart() -> None:
    spec = {"data": {"url": "http://127.0.0.1:9/a.csv"}, "mark": "point", "encoding": {}}
    with pytest.raises(ValueError, match="[Aa]llow|denied|not permitted|External"):
        png(spec)


def test_workers_end_when_we_close() -> None:
    started = Renderer(workers=1)
    started.warm()
    process: subprocess.Popen[bytes] = started._workers[0]._ready()
    started.close()
    assert process.poll() is not None


def test_a_worker_ends_when_its_stdin_is_closed() -> None:
    started = Renderer(workers=1)
    process = started._workers[0]._ready()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    started.close()


def test_many_rows_are_sampled_always_alike_and_it_is_said() -> None:
    first, again = charts.predicted_vs_actual("price", MANY), charts.predicted_vs_actual("price", MANY)
    assert first == again
    assert len(values(first)) == charts.MAX_POINTS
    assert "a sample of 2,000 of 5,000 sealed rows" in first.spec["title"]["subtitle"]
    assert "10 sealed rows" in charts.residuals("price", MANY[:10]).spec["title"]["subtitle"]
    assert "a sample of 10 of 70 " in charts.residuals("price", MANY[:10], rows=70).spec["title"]["subtitle"]


def test_curves_are_thinned_and_keep_both_ends() -> None:
    points = values(charts.roc({"Yes": [(i / 9999, i / 9999) for i in range(10_000)]}, {"Yes": 0.5}))
    assert len(points) <= charts.MAX_CURVE_POINTS + 2
    assert (points[0]["x"], points[-1]["x"]) == (0.0, 1.0)


def test_many_classes_become_the_largest_and_the_rest() -> None:
    bars = values(charts.target_classes("t", [(f"c{i}", 100 - i) for i in range(50)]))
    assert len(bars) == 21
    assert bars[-1]["label"] == "30 more"
    assert sum(bar["value"] for bar in bars) == sum(100 - i for i in range(50))


def test_a_large_confusion_matrix_keeps_every_row_counted() -> None:
    counts = [[(i + j) % 3 for j in range(60)] for i in range(60)]
    cells = values(charts.confusion_matrix([f"c{i}" for i in range(60)], counts))
    assert len(cells) == charts.MAX_CLASSES**2
    assert sum(cell["rows"] for cell in cells) == sum(map(sum, counts))
    assert {cell["true"] for cell in cells} >= {"31 smaller"}


def test_bars_leave_room_for_their_numbers_and_show_the_best_model_first() -> None:
    scores: dict[str, float | None] = {"worse": 9.5, "best": 1.5, "none": None}
    rows = [{"model": name, "cv_score": score} for name, score in scores.items()]
    chart = charts.leaderboard(rows, "RMSE", greater_is_better=False)
    assert [bar["label"] for bar in values(chart)] == ["best", "worse"]
    low, high = chart.spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low == 0
    assert high > 9.5
    assert "best is best with 1.5" in chart.alt


def test_a_confusion_matrix_counts_what_is_right() -> None:
    chart = charts.confusion_matrix(["No", "Yes"], [[90, 10], [20, 30]])
    assert "120 of 150 sealed rows right" in chart.alt
    shares = {(cell["true"], cell["predicted"]): cell["share"] for cell in values(chart)}
    assert shares["Yes", "No"] == pytest.approx(0.4)
