"""The figures of a result under names, and whether a sentence says any number that is none of them.

A number in a sentence is supported when it is a figure rounded to as many places as are written, of which at least two
digits count (0.83 and 83 % for 0.8312, 1,200 for 1,234), or exactly a figure; a sign has to agree. What follows none of
the rules (digits of other scripts, “0,91”, “5k”, “half”, “twice”) is not supported: a sentence that is wrongly left out
costs a sentence, one that is wrongly kept costs the trust in all others.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.metrics import METRICS
from tools.report import amount

Json = Mapping[str, Any]
MOST_COLUMNS, MOST_MODELS = 5, 4
"""Of importance and of the leaderboard: the first ones."""


@dataclass(frozen=True)
class Figure:
    """One number that the run produced."""

    name: str
    value: float
    text: str
    """As people are shown it."""
    about: str
    """What it is, for a model; names of columns in it, never a value of a cell."""


_NUMBER = re.compile(
    r"(?P<sign>(?:(?<=\s)|(?<=^)|(?<=\())[-\u2212+])?(?<![\w.,])(?P<digits>\d{1,3}(?:,\d{3})+|\d+)(?P<places>\.\d+)?"
    r"(?P<percent>\s*%|\s+per\s?cent\b|\s+percent\w*)?(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_UNITS = {word: number for number, word in enumerate(_WORDS, start=2)}
_LEVEL = re.compile(r"\b95\s*(?:%|per\s?cent)(?:\s*-?\s*confidence)?\s+intervals?\b", re.IGNORECASE)
"""How every interval is called; no figure, since “a score of 95 %” would be one too."""
_SAYS_A_NUMBER = re.compile(
    r"\b(?:half|halves|halved|halving|thirds?|quarters?|twice|thrice|doubl\w*|tripl\w*|quadrupl\w*|dozens?|\w*teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|\w+fold)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(rf"\b(?:{'|'.join(_UNITS)})\b", re.IGNORECASE)


def figures_of(report: Json) -> tuple[Figure, ...]:
    """Of report.json, or of a part of it: what is not there yet is left out."""
    found = [*_scores(report), *_counts(report), *_columns(report), *_models(report)]
    return tuple({figure.name: figure for figure in found if math.isfinite(figure.value)}.values())


def _scores(report: Json) -> Iterable[Figure]:
    metric = report["metric"]
    yield from _with_interval("score", metric, metric["name"], f"{metric['label']} of the model on the sealed rows")
    baseline = report["baseline"]
    yield from _with_interval("baseline", baseline, metric["name"], "the same of the baseline that does not learn much")
    for one in report.get("also") or ():
        yield from _with_interval(one["name"], one, one["name"], f"{one['label']} of the model, reported as well")
    gain = report["difference"]
    for name, key in (("gain", "value"), ("gain_low", "ci_low"), ("gain_high", "ci_high")):
        if gain.get(key) is not None:
            about = {"gain": "by how much the model is better than the baseline"}.get(
                name, f"{name[5:]} end of its interval"
            )
            yield Figure(name, gain[key], f"{gain[key]:+.3g}", about)


def _with_interval(name: str, one: Json, metric: str, about: str) -> Iterable[Figure]:
    for suffix, key, what in (
        ("", "value", ""),
        ("_low", "ci_low", "low end of "),
        ("_high", "ci_high", "high end of "),
    ):
        value = one.get(key)
        if value is not None:
            yield Figure(f"{name}{suffix}", float(value), amount(metric, value), f"{what}{about}")


def _counts(report: Json) -> Iterable[Figure]:
    for name, key, about in (
        ("rows_train", "rows_train", "rows that it learned from"),
        ("rows_sealed", "rows_holdout", "sealed rows that judged it"),
        ("looks", "holdout_looks", "how often the sealed rows have judged a model"),
        ("rarest_class_share", "rarest_class_share", "share of the rarest class in the table"),
        ("budget_seconds", "budget_seconds", "seconds that the run might take"),
    ):
        value = report.get(key)
        if value is not None:
            text = f"{value:.1%}" if name.endswith("share") else f"{value:,.0f}"
            yield Figure(name, float(value), text, about)
    if report.get("features"):
        count = len(report["features"])
        yield Figure("columns_used", count, f"{count:,}", "columns that it uses")
    probes = report.get("audit") or ()
    ran = [probe for probe in probes if probe.get("passed") is not None]
    failed = sum(probe["passed"] is False for probe in ran)
    yield Figure("probes", len(ran), str(len(ran)), "audit probes that ran")
    yield Figure("probes_failed", failed, str(failed), "of them that raised an alarm")


def _columns(report: Json) -> Iterable[Figure]:
    strong = [item for item in report.get("importance") or () if (item.get("drop") or 0) > 0]
    for place, item in enumerate(strong[:MOST_COLUMNS], start=1):
        about = f"by how much the score worsens when this column is shuffled: {_quoted(item['feature'])}"
        yield Figure(f"importance_{place}", item["drop"], f"{item['drop']:.3g}", about)


def _models(report: Json) -> Iterable[Figure]:
    scored = [row for row in report.get("leaderboard") or () if row.get("cv_score") is not None]
    for place, row in enumerate(scored[:MOST_MODELS], start=1):
        text = amount(report["metric"]["name"], row["cv_score"])
        yield Figure(
            f"model_{place}",
            row["cv_score"],
            text,
            f"of the kind {_quoted(row['model'])} in cross-validation",
        )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def unsupported(sentence: str, figures: Sequence[Figure], names: Iterable[str] = ()) -> tuple[str, ...]:
    """The numbers of a sentence that are no figures, as they are written. `names`: columns, which may hold digits; they
    count as names only between quotation marks."""
    text = _LEVEL.sub("interval", _without_names(unicodedata.normalize("NFC", sentence), names))
    odd = [letter for letter in text if letter.isnumeric() and not letter.isascii()]
    found = [match.group().strip() for match in _NUMBER.finditer(text) if not _is_figure(match, figures)]
    rest = _NUMBER.sub(" ", text)
    found += re.findall(r"\S*[0-9]\S*", rest)
    found += [match.group() for match in _SAYS_A_NUMBER.finditer(text)]
    counts = {figure.value for figure in figures}
    found += [match.group() for match in _UNIT.finditer(text) if _UNITS[match.group().lower()] not in counts]
    return tuple(dict.fromkeys([*found, *odd]))


def _without_names(text: str, names: Iterable[str]) -> str:
    """Measures that have a digit in their name, and columns between quotation marks."""
    for one in METRICS.values():
        if any(letter.isnumeric() for letter in one.label):
            text = re.sub(rf"(?<!\w){re.escape(one.label)}(?!\w)", " ", text)
    for name in sorted(names, key=len, reverse=True):
        for left, right in (("“", "”"), ('"', '"'), ("'", "'"), ("`", "`")):
            text = text.replace(f"{left}{name}{right}", " ")
    return text


def _is_figure(match: re.Match[str], figures: Sequence[Figure]) -> bool:
    places = len(match["places"] or ".") - 1
    digits = (match["digits"] + (match["places"] or "")).replace(",", "")
    sign = -1.0 if match["sign"] in ("-", "\u2212") else 1.0
    return any(
        _rounds_to(scale * figure.value, float(digits), digits, places, signed=sign if match["sign"] else None)
        for figure in figures
        for scale in _scales(figure, bool(match["percent"]))
    )


def _scales(figure: Figure, percent: bool) -> tuple[float, ...]:
    """A share may be written in percent; a figure that is one already is written as it is."""
    return (100.0,) if percent else (1.0, 100.0) if figure.text.endswith("%") else (1.0,)


def _rounds_to(value: float, written: float, digits: str, places: int, *, signed: float | None) -> bool:
    if signed is not None and value * signed < 0:
        return False
    size = abs(value)
    if abs(size - written) <= 1e-12 * max(1.0, size):
        return True
    counting = digits.replace(".", "").lstrip("0")
    if len(counting) < 2:
        return False
    if abs(size - written) <= 0.5 * 10.0**-places * (1 + 1e-9):
        return True
    whole = len(str(int(size)))
    steps = [10.0 ** (whole - kept) for kept in range(2, whole)] if places == 0 else []
    return any(abs(size - written) <= 0.5 * step and written % step == 0 for step in steps)
