"""Any table that pandas can make, as a hypothesis strategy, and the files that it can be written to."""

import datetime as dt
import decimal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import pandas as frames

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
AWKWARD_NAMES = (
    "", " ", "\t", "a", "A", "a ", "target", "row", "prediction", "p_0", "predict", "it", "everything", "id", "date",
    "Preis (€)", "naïve", "名前", "😀", "x" * 300, "a,b", 'say "x"', "it's", "a\nb", "$", "{x}", "%s", "__class__",
    "nan", "None", "1", "1.5", "-", "‮abc", "e\u0301", "SELECT * FROM data", "../up", "rowid", "COLUMNS(*)", "*",
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(AWKWARD_NAMES), ANY_TEXT, st.integers(-3, 3), st.just(float("nan")))
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


def _nested() -> st.SearchStrategy[Any]:
    leaf = st.none() | st.integers(-9, 9) | st.text("ab", max_size=2)
    return st.lists(leaf, max_size=3) | st.dictionaries(st.sampled_from("xy"), leaf, max_size=2)


def _zoned() -> st.SearchStrategy[dt.datetime]:
    zones = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30))])
    return st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1), timezones=zones)


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "small numbers": st.integers(0, 3),
    "numbers": st.floats(-1e3, 1e3, width=32),
    "any float": st.floats(),
    "huge": st.integers(-(10**40), 10**40) | st.sampled_from([2**63, -(2**63), 2**64, 10**308, 10**400]),
    "tiny and huge": st.sampled_from([5e-324, 1e-300, -0.0, 1.7e308, -1.7e308, 1e15, 1.0000000001]),
    "words": st.sampled_from(["yes", "no", "maybe"]),
    "any text": ANY_TEXT,
    "long text": st.text("ab c.", min_size=50, max_size=400),
    "booleans": st.booleans(),
    "dates": st.dates(),
    "moments": st.datetimes(),
    "times": st.times(),
    "durations": st.timedeltas(dt.timedelta(days=-300), dt.timedelta(days=300)),
    "zoned": _zoned(),
    "decimals": st.decimals(-(10**6), 10**6, places=2) | st.just(decimal.Decimal("NaN")),
    "nested": _nested(),
    "bytes": st.binary(max_size=6),
    "numbers with texts": st.integers(0, 5) | st.sampled_from(["n.a.", "5 kg"]),
    "look-alikes": st.sampled_from(
        ["1", "01", "1,5", "1.5", "NA", "null", "-", "", " ", "inf", "nan", "2024-13-45", "31.12.2024", "12/31/2024",
         "TRUE", "=1+1", "'", '"', "\\N", "0x1F", "1e5", "5%", "€ 3", "<b>", "\u200b", "9" * 400]
    ),
    "mixed": st.one_of(st.integers(-5, 5), st.floats(), ANY_TEXT, st.booleans(), st.none(), st.dates()),
    "nothing": st.none(),
}  # fmt: skip
SHAPES = ("free", "free", "constant", "unique", "rare", "gaps")
"""How the cells of a column are made from its kind; "rare": one row differs from all others."""


@dataclass(frozen=True)
class AnyTable:
    """A frame (its labels may repeat), which column is to be predicted, and what was drawn, for the failure's text."""

    frame: pd.DataFrame
    target: int
    kinds: tuple[str, ...]

    def __repr__(self) -> str:
        return f"AnyTable({self.frame.to_dict('split')!r}, target={self.target}, kinds={self.kinds})"


@st.composite
def _cells(draw: st.DrawFn, kind: str, rows: int) -> list[Any]:
    """Few drawn values make a column of many rows: drawing each of them would take most of the time."""
    shape = draw(st.sampled_from(SHAPES))
    if shape == "unique" and rows:
        return [f"u{number}" if kind in ("words", "any text") else number for number in range(rows)]
    pool = draw(st.lists(CELLS[kind], min_size=1, max_size=8))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    match shape:
        case "constant":
            cells = pool[:1] * rows
        case "rare":
            cells = pool[:1] * rows
            cells[-1:] = pool[-1:] * min(1, rows)
        case _:
            cells = [pool[place] for place in random.integers(0, len(pool), rows)]
    if shape == "gaps":
        cells = [None if gone else cell for cell, gone in zip(cells, random.random(rows) < 0.5, strict=True)]
    return cells


def _series(cells: Sequence[Any], as_category: bool) -> pd.Series:
    """As pandas would type it, or untyped where it cannot; a category only of what can be one."""
    try:
        column = pd.Series(list(cells), dtype=None if cells else object)
        return column.astype("category") if as_category else column
    except (TypeError, ValueError, OverflowError):
        return pd.Series(list(cells), dtype=object)


@st.composite
def tables(draw: st.DrawFn, fewest_rows: int = 0, most_rows: int = 60) -> AnyTable:
    """0 to 6 columns of any kind under any name, in part made by hypothesis' own strategy for frames."""
    rows = draw(st.sampled_from([n for n in (0, 1, 3, 10, 12, 30, 30, 60) if fewest_rows <= n <= most_rows]))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=0 if fewest_rows == 0 else 1, max_size=5))
    names = [draw(NAMES) for _ in kinds]
    columns = [_series(draw(_cells(kind, rows)), draw(st.integers(0, 5)) == 0) for kind in kinds]
    frame = pd.concat(columns, axis=1, ignore_index=True) if columns else pd.DataFrame(index=range(rows))
    frame.columns = pd.Index(names, dtype=object)
    if draw(st.booleans()) and rows:
        dtypes = st.sampled_from(["float64", "int64", "bool", "datetime64[ns]", "uint8", "float32"])
        made = draw(
            frames.data_frames(
                [frames.column(f"h{place}", dtype=draw(dtypes)) for place in range(2)],
                index=frames.range_indexes(min_size=rows, max_size=rows),
            )
        )
        frame, kinds = pd.concat([frame, made], axis=1), [*kinds, *map(str, made.dtypes)]
    return AnyTable(frame, draw(st.integers(0, max(0, frame.shape[1] - 1))), tuple(kinds))


@st.composite
def learnable(draw: st.DrawFn) -> AnyTable:
    """40 rows or more with a target that something can be learned of, beside columns of any kind."""
    table = draw(tables(fewest_rows=30, most_rows=30))
    rows = draw(st.integers(40, 90))
    frame = pd.concat([table.frame] * 3, ignore_index=True).head(rows)
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    signal = random.normal(size=rows)
    target: Any = draw(st.sampled_from(["number", "yes or no", "three classes", "0 or 1"]))
    noisy = signal + 0.3 * random.normal(size=rows)
    values = {
        "number": noisy * 10.0 ** draw(st.integers(-9, 12)),
        "yes or no": np.where(noisy > 0, "yes", "no"),
        "three classes": np.digitize(noisy, [-0.5, 0.5]).astype(str),
        "0 or 1": (noisy > 0).astype(int),
    }[target]
    frame.insert(0, "signal", signal)
    frame.insert(0, "outcome", values)
    return AnyTable(frame, 0, (target, "signal", *table.kinds))


FORMATS = ("csv", "tsv", "parquet", "ndjson", "json")


def write(table: AnyTable, kind: str, folder: Path, encoding: str = "utf-8") -> Path | None:
    """The file as pandas writes it; None where pandas itself cannot."""
    path = folder / f"table.{kind}"
    frame = table.frame
    try:
        match kind:
            case "csv" | "tsv":
                frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",", encoding=encoding)
            case "parquet":
                frame.set_axis(frame.columns.astype(str), axis=1).to_parquet(path, index=False)
            case "ndjson":
                frame.to_json(path, orient="records", lines=True, date_format="iso")
            case _:
                frame.to_json(path, orient="records", date_format="iso")
    except Exception:  # pandas and pyarrow raise whatever they like for what they cannot write
        return None
    return path
