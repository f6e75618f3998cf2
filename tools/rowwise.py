"""What stands beside the prediction of a row: an interval or a set of classes, and what is unusual about the row.

The product uses this module and predict.py takes its text home, so it needs numpy and pandas alone. How the numbers of
conformal.json came about is told in tools/conformal.py.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Known = Mapping[str, Any]
"""A column of reference.json: what it was like in training."""

MARGIN = 0.05
"""A number may lie beyond those of training by this part of their range before it is remarked on."""
MOST_REMARKS = 5
"""Of one row."""
MOST_LETTERS = 40
"""Of one value in a remark."""


@dataclass(frozen=True)
class Fault:
    """Rows in which a column is not as in training, and why."""

    column: str
    """"" for the whole row."""
    kind: str
    """unreadable, below, above, unseen, missing, empty."""
    words: str
    rows: NDArray[np.intp]
    """Positions in the table."""
    values: tuple[str, ...]
    """One per row, as text."""


def remarks(faults: Sequence[Fault], rows: int) -> list[str]:
    """One text per row; "" for a row like those of training."""
    found: dict[int, list[str]] = {}
    for fault in faults:
        for row, value in zip(fault.rows.tolist(), fault.values, strict=True):
            found.setdefault(row, []).append(" ".join(part for part in (fault.column, value, fault.words) if part))
    return [_together(found.get(row, [])) for row in range(rows)]


def _together(said: list[str]) -> str:
    rest = len(said) - MOST_REMARKS
    return "; ".join(said[:MOST_REMARKS]) + (f"; and {rest} more" if rest > 0 else "")


def faults(table: pd.DataFrame, columns: Sequence[Known]) -> list[Fault]:
    """What is unlike training in these rows; `columns` are those of reference.json that are features.

    A column that the table does not have is passed over: that is said of the table, not of its rows.
    """
    there = [known for known in columns if known["name"] in table.columns]
    cells: dict[str, pd.Series] = {known["name"]: pd.Series(table[known["name"]]) for known in there}
    gaps = {name: _gaps(values) for name, values in cells.items()}
    found = [fault for known in there for fault in _of_column(cells[known["name"]], known, gaps[known["name"]])]
    empty = np.logical_and.reduce(list(gaps.values())) if gaps else np.zeros(len(table), bool)
    if empty.any():
        found = [fault for fault in found if fault.kind != "missing" or not empty[fault.rows].all()]
        found.insert(0, _fault("", "empty", "no value in any column that the model uses", empty, None))
    return found


def _gaps(values: pd.Series) -> NDArray[np.bool_]:
    """Missing, or nothing but blanks."""
    gaps = values.isna().to_numpy(dtype=bool)
    if not _is_text(values):
        return gaps
    codes, distinct = pd.factorize(values)
    blank = np.array([isinstance(value, str) and not value.strip() for value in distinct] + [False], dtype=bool)
    return np.asarray(gaps | blank[codes], dtype=bool)


def _is_text(values: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(values) or pd.api.types.is_object_dtype(values))


def _of_column(values: pd.Series, known: Known, gaps: NDArray[np.bool_]) -> Iterator[Fault]:
    name = known["name"]
    if gaps.any() and known["rows"] and not known["missing"]:
        yield _fault(name, "missing", "is missing, which it never was in training", gaps, None)
    if known["kind"] in ("number", "date"):
        yield from _of_numbers(values, known, gaps)
    elif known["kind"] == "category" and not known["rest"]:  # else rare levels are not listed, and nobody can tell
        yield from _of_categories(values, known, gaps)


def _of_numbers(values: pd.Series, known: Known, gaps: NDArray[np.bool_]) -> Iterator[Fault]:
    name, kind = known["name"], known["kind"]
    read = as_days(values) if kind == "date" else as_numbers(values)
    lost = np.isnan(read) & ~gaps
    if lost.any():
        words = f"is no {kind}, so it counts as missing"
        yield _fault(name, "unreadable", words, lost, values)
    low, high = known["minimum"], known["maximum"]
    if low is None or high is None:
        return
    room = MARGIN * (high - low)
    for place, outside, limit in (("below", read < low - room, low), ("above", read > high + room, high)):
        if outside.any():
            end = "from" if place == "below" else "up to"
            yield _fault(name, place, f"is {place} what training had ({end} {_end(limit, kind)})", outside, values)


def as_numbers(values: pd.Series) -> NDArray[np.float64]:
    """Numbers as the model's own program reads them; NaN for what is none."""
    if not pd.api.types.is_numeric_dtype(values):
        values = pd.to_numeric(values, errors="coerce")
    return np.asarray(values.to_numpy(dtype="float64", na_value=np.nan))


def as_days(values: pd.Series) -> NDArray[np.float64]:
    """Dates in days since 1970, read as the model's own program reads them; NaN for what is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a guessed format: what cannot be read is told per row
        moments = pd.to_datetime(values, errors="coerce", utc=True).dt.tz_localize(None)
    days = np.asarray(moments.to_numpy().astype("datetime64[us]").astype("int64") / 86_400e6)
    return np.where(moments.isna().to_numpy(), np.nan, days)


def _end(limit: float, kind: str) -> str:
    if kind == "number":
        return f"{limit:.6g}" if abs(limit) < 1e6 or limit != int(limit) else f"{int(limit):,}"
    try:
        return str(np.datetime64(math.floor(limit), "D"))
    except (OverflowError, ValueError):
        return f"day {limit:.6g}"


def _of_categories(values: pd.Series, known: Known, gaps: NDArray[np.bool_]) -> Iterator[Fault]:
    codes, distinct = pd.factorize(values)
    levels = set(known["levels"])
    if known["type"] == "bool":
        levels |= {level.casefold() for level in levels}
    new = np.array([_spelling(value) not in levels for value in distinct] + [False], dtype=bool)
    unseen = new[codes] & ~gaps
    if unseen.any():
        yield _fault(known["name"], "unseen", "was not in training", unseen, values)


def _spelling(value: Any) -> str:
    """One spelling for each value, as reference.json has it: 1 and 1.0 are "1"."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def _fault(name: str, kind: str, words: str, inside: NDArray[np.bool_], values: pd.Series | None) -> Fault:
    rows = np.flatnonzero(inside)
    shown = [""] * len(rows) if values is None else [_shown(value) for value in values.iloc[rows].tolist()]
    return Fault(name, kind, words, rows, tuple(shown))


def _shown(value: Any) -> str:
    words = str(value)[:200].removesuffix(" 00:00:00") if not isinstance(value, float) else f"{value:.12g}"
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def interval(
    predictions: NDArray[np.float64], conformal: Known, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lower, upper) of each predicted number; NaN where too few rows were sealed for this level."""
    reach = np.array(_at_level(conformal, level))[np.searchsorted(conformal["edges"], predictions, side="right")]
    reach = np.where(np.isfinite(reach), reach, np.nan)
    lower, upper = predictions - reach, predictions + reach
    floor = conformal["floor"]
    return (lower if floor is None else np.where(lower < floor, np.minimum(floor, predictions), lower)), upper


def class_sets(probabilities: NDArray[np.float64], conformal: Known, level: float) -> NDArray[np.bool_]:
    """(rows, classes): whether a class is in the set of the row; the likeliest one always is."""
    limits = np.array(_at_level(conformal, level))  # one for all classes, or one for each
    inside = 1 - probabilities <= limits + 1e-9
    if len(inside):
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return np.asarray(inside, dtype=bool)


def _at_level(conformal: Known, level: float) -> list[float]:
    """The quantile of each group at the nearest stored level that is not lower; infinite: too few rows."""
    place = next(number for number, stored in enumerate(conformal["levels"]) if stored >= level - 1e-9)
    return [math.inf if stored[place] is None else float(stored[place]) for stored in conformal["quantiles"]]


def in_words(sets: NDArray[np.bool_], classes: Sequence[str]) -> list[str]:
    """The classes of each row, divided by a bar."""
    kinds, codes = np.unique(sets, axis=0, return_inverse=True)
    texts = [" | ".join(label for label, inside in zip(classes, kind, strict=True) if inside) for kind in kinds]
    return [texts[code] for code in codes.ravel().tolist()]
