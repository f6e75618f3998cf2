"""Columns that carry the same information: shuffling one of them alone hides how much the model needs what they share.

Pairs are compared by the measure that fits: rank correlation of two numbers, correlation ratio of a number and a
category, bias-corrected Cramér's V of two categories (Bergsma 2013). Groups by complete linkage, so that every two
columns of a group are alike.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import cluster, spatial, stats

from tools.contract import Contract
from tools.metrics import Array
from tools.reference import numbers

ALIKE = 0.9
MOST_COLUMNS = 60
MOST_LEVELS = 50
FEWEST_ROWS = 30


def alike(rows: pa.Table, contract: Contract) -> tuple[tuple[str, ...], ...]:
    """Groups of two or more columns of the table, each in table order."""
    roles = {column.name: column.role for column in contract.columns if column.use}
    kept, columns = [], []
    for name in [name for name in contract.features if name in rows.column_names][:MOST_COLUMNS]:
        column = _column(rows.column(name), roles[name])
        if column is not None:
            kept.append(name)
            columns.append(column)
    if len(kept) < 2 or len(rows) < FEWEST_ROWS:
        return ()
    apart = np.array(
        [[0.0 if i == j else 1 - _likeness(a, b) for j, b in enumerate(columns)] for i, a in enumerate(columns)]
    )
    apart = np.clip((apart + apart.T) / 2, 0, 1)
    tree = cluster.hierarchy.linkage(spatial.distance.squareform(apart, checks=False), "complete")
    of = cluster.hierarchy.fcluster(tree, 1 - ALIKE, "distance")
    groups = [tuple(name for name, group in zip(kept, of, strict=True) if group == one) for one in dict.fromkeys(of)]
    return tuple(group for group in groups if len(group) > 1)


class _Column:
    """Ranks of a number or codes of a category; `there` says which rows have a value."""

    def __init__(self, values: Array, there: NDArray[np.bool_], *, ordered: bool) -> None:
        self.values, self.there, self.ordered = values, there, ordered


def _column(column: pa.ChunkedArray, role: str) -> _Column | None:
    if role in ("number", "date"):
        found = numbers(column, role)  # type: ignore[arg-type]
        there = ~np.isnan(found)
        if there.sum() < FEWEST_ROWS or np.ptp(found[there]) == 0:
            return None
        return _Column(stats.rankdata(found, nan_policy="omit"), there, ordered=True)
    if role not in ("category", "boolean"):
        return None
    coded = column.combine_chunks().dictionary_encode()
    if not 2 <= len(coded.dictionary) <= MOST_LEVELS:
        return None
    codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.float64)
    return _Column(codes, codes >= 0, ordered=False)


def _likeness(a: _Column, b: _Column) -> float:
    """0 to 1, on the rows that have both values."""
    both = a.there & b.there
    if both.sum() < FEWEST_ROWS:
        return 0.0
    x, y = a.values[both], b.values[both]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    if a.ordered and b.ordered:
        return float(abs(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]))
    if a.ordered or b.ordered:
        return 0.0 if a.ordered == b.ordered else _ratio(*((x, y) if a.ordered else (y, x)))
    return _cramer(x, y)


def _ratio(ranks: Array, codes: Array) -> float:
    """Correlation ratio, corrected for the number of levels (epsilon squared)."""
    _, place = np.unique(codes, return_inverse=True)
    sizes = np.bincount(place)
    means = np.bincount(place, ranks) / sizes
    total = float(((ranks - ranks.mean()) ** 2).sum())
    within = float(((ranks - means[place]) ** 2).sum())
    rows, levels = len(ranks), len(sizes)
    if rows <= levels or total == 0:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - (within / (rows - levels)) / (total / (rows - 1)))))


def _cramer(x: Array, y: Array) -> float:
    first, second = np.unique(x, return_inverse=True)[1], np.unique(y, return_inverse=True)[1]
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    rows, (r, k) = len(x), table.shape
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    phi = float(((table - expected) ** 2 / expected).sum()) / rows
    phi = max(0.0, phi - (r - 1) * (k - 1) / (rows - 1))
    r_, k_ = r - (r - 1) ** 2 / (rows - 1), k - (k - 1) ** 2 / (rows - 1)
    least = min(r_, k_) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0
