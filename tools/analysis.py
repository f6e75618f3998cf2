"""What a script of a free analysis has left, read as data with limits: an answer in words, numbers, a table, charts.

Nothing of it is drawn or shown as it came. A chart is a closed form of our own (never a specification of a charting
library, which may hold expressions and addresses), from which the Vega-Lite specification is made here.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tools.charts import ACCENT, HEIGHT, LABEL_LIMIT, SCHEMA, TEXT, WIDTH, Chart

ANSWER_FILE, CHART_FILE = "answer.json", "chart.json"
MOST_BYTES = 2_000_000
MOST_POINTS, MOST_CHARTS, MOST_ROWS, MOST_COLUMNS = 2000, 4, 200, 20
MOST_LETTERS, MOST_NUMBERS = 6000, 1000
MOST_WHOLE = 10**18
MANY_BARS = 8
LONG_NAME = 12
"""More bars, and those with longer names, lie down, so that their names can be read."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")

_OUR_NAMES = frozenset(["text", "numbers", "table", "columns", "rows", "kind", "title", "x", "y", "points", "series"])
"""What an error may name; a key of `numbers` is a value of the table, perhaps."""

T = TypeVar("T", bound=BaseModel)
Cell = str | int | float | bool | None


class AnalysisError(ValueError):
    """What a script has left cannot be used; the message says what was seen, without any value in it."""


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    if isinstance(value, int) and abs(value) > MOST_WHOLE:
        raise ValueError("too large a number")
    if isinstance(value, str):
        value.encode()  # half a character cannot be written; UnicodeEncodeError is a ValueError
    return value


Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=300)]


class Table(BaseModel):
    """A small table beside the answer."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[Name, ...] = Field(min_length=1, max_length=MOST_COLUMNS)
    rows: tuple[tuple[Annotated[Cell, BeforeValidator(_finite)], ...], ...] = Field(max_length=MOST_ROWS)


class Answer(BaseModel):
    """outputs/answer.json."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(max_length=MOST_LETTERS)
    numbers: dict[Name, Number] = Field(default_factory=dict, max_length=MOST_NUMBERS)
    table: Table | None = None


class Point(BaseModel):
    """One bar, dot or corner of a line."""

    model_config = ConfigDict(frozen=True)

    x: Annotated[str, Field(max_length=300)] | Number
    y: Number
    series: Annotated[str, Field(max_length=300)] = ""


class ChartForm(BaseModel):
    """outputs/chart.json, or one of the list in it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["bar", "line", "scatter", "histogram"]
    title: Annotated[str, Field(max_length=300)] = ""
    x: Name = ""
    y: Name = ""
    points: tuple[Point, ...] = Field(min_length=1, max_length=MOST_POINTS)


@dataclass(frozen=True)
class Found:
    """Everything that a script has left, checked."""

    answer: Answer
    charts: tuple[Chart, ...]


def read_analysis(outputs: Path, prefix: str) -> Found:
    """Read both files; `prefix` names the charts. Raises AnalysisError."""
    answer = _read(outputs / ANSWER_FILE, Answer)
    if not answer.text.strip():
        raise AnalysisError(f"outputs/{ANSWER_FILE}: text is empty")
    if answer.table is not None:
        width = len(answer.table.columns)
        if any(len(row) != width for row in answer.table.rows):
            raise AnalysisError(f"outputs/{ANSWER_FILE}: a row of the table has not {width} cells like its columns")
    forms = _forms(outputs / CHART_FILE)
    charts = tuple(drawn(form, f"{prefix}-{number}") for number, form in enumerate(forms, start=1))
    return Found(answer, charts)


def _forms(path: Path) -> tuple[ChartForm, ...]:
    if not path.exists():
        return ()
    value = _json(path)
    several = value if isinstance(value, list) else [value]
    if len(several) > MOST_CHARTS:
        raise AnalysisError(f"outputs/{CHART_FILE}: {len(several)} charts; {MOST_CHARTS} are the most")
    return tuple(_fitting(one, ChartForm, CHART_FILE) for one in several)


def _read(path: Path, form: type[Answer]) -> Answer:
    if not path.exists():
        raise AnalysisError(f"the script left no outputs/{path.name}")
    return _fitting(_json(path), form, path.name)


def _json(path: Path) -> Any:
    if path.is_symlink() or not path.is_file():
        raise AnalysisError(f"outputs/{path.name} is no regular file")
    if path.stat().st_size > MOST_BYTES:
        raise AnalysisError(f"outputs/{path.name} has more than {MOST_BYTES // 1_000_000} MB")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise AnalysisError(f"outputs/{path.name} is no JSON") from None


def _fitting(value: Any, form: type[T], name: str) -> T:
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, str) or part in _OUR_NAMES)
        raise AnalysisError(f"outputs/{name}: {where or 'the whole'}: {first['msg']}") from None


def drawn(form: ChartForm, name: str) -> Chart:
    """The chart of a form. Names of axes and values are data or titles, never part of an expression."""
    series = list(dict.fromkeys(point.series for point in form.points))
    values = [{"x": point.x, "y": point.y, "series": point.series} for point in form.points]
    numeric = all(not isinstance(point.x, str) for point in form.points)
    dates = not numeric and all(_DATE.fullmatch(str(point.x)) for point in form.points)
    if not numeric:
        values = [{**value, "x": str(value["x"])} for value in values]
    kind = "quantitative" if numeric else "temporal" if dates and form.kind != "bar" else "nominal"
    names = {str(value["x"]) for value in values}
    lies = form.kind == "bar" and not numeric and (len(names) > MANY_BARS or max(map(len, names)) > LONG_NAME)
    along, across = ("y", "x") if lies else ("x", "y")
    encoding: dict[str, Any] = {
        along: {"field": "x", "type": kind, "title": form.x or None, **_axis(kind, form.kind)},
        across: {"field": "y", "type": "quantitative", "title": form.y or None},
        "tooltip": [{"field": "x", "type": kind, "title": form.x or "x"}, {"field": "y", "title": form.y or "y"}],
    }
    if len(series) > 1:
        encoding["color"] = {"field": "series", "type": "nominal", "title": None, "sort": series}
        if form.kind in ("bar", "histogram") and kind == "nominal":
            encoding[f"{along}Offset"] = {"field": "series", "sort": series}
    size: dict[str, Any] = {"width": WIDTH, "height": {"step": 19} if lies else HEIGHT}
    title = form.title.strip() or f"{form.y or 'values'} by {form.x or 'x'}"
    spec = {
        "$schema": SCHEMA,
        "title": {"text": _cut(title), "anchor": "start", "subtitleColor": TEXT},
        **size,
        "data": {"values": values},
        "mark": _mark(form.kind, len(series) > 1),
        "encoding": encoding,
    }
    return Chart(name, _cut(title), spec, _in_words(form, title))


def _axis(kind: str, chart: str) -> Mapping[str, Any]:
    if kind == "nominal":
        return {"sort": None, "axis": {"labelLimit": LABEL_LIMIT, "labelOverlap": True}}
    return {"scale": {"zero": False}} if kind == "quantitative" and chart in ("line", "scatter") else {}


def _mark(kind: str, several: bool) -> dict[str, Any]:
    marks: dict[str, dict[str, Any]] = {
        "bar": {"type": "bar"},
        "histogram": {"type": "bar", "binSpacing": 1},
        "line": {"type": "line", "point": {"size": 24}, "strokeWidth": 2},
        "scatter": {"type": "circle", "opacity": 0.6},
    }
    return {**marks[kind], **({} if several else {"color": ACCENT})}


def _in_words(form: ChartForm, title: str) -> str:
    ys = [point.y for point in form.points]
    several = len({point.series for point in form.points})
    parts = f" in {several} series" if several > 1 else ""
    return f"{_cut(title)}: a {form.kind} chart of {len(ys):,} points{parts}, from {min(ys):.4g} to {max(ys):.4g}."


def _cut(text: str, most: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
