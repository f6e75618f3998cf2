"""Proof after the run that the split was the agreed one: read from the files that were used, not from what was planned.

Everything here is done by the host on its own files. The rows are found anew in the table, so a defect in the split
itself, a part that was written over, or a file of another contract shows as well.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import Contract, Split
from tools.seal import Sealed, parts_again, target_column
from tools.split import Index, SealError, labels_of, moments_of

MOST_COMPARED = 50_000
"""Rows of a part whose every cell is compared with the table; of more a sample."""
NAME = "the agreed split"


@dataclass(frozen=True)
class Proof:
    """What was found; `passed` when the rows were kept apart as the contract says."""

    passed: bool
    detail: str


def prove(table: Path, dataset_id: str, contract: Contract, sealed: Sealed) -> Proof:
    """Check the parts on disk against table and contract.

    Where rows of an older project stand in front of the training rows, the parts of this table are proved, and that
    training holds them as they are.
    """
    try:
        again = parts_again(table, dataset_id, contract)
        faults, said = _same_rows(table, contract, sealed.own, again.train, again.holdout, again.identity)
        if not faults and sealed.own_train is not None:
            faults, said = _in_front(sealed, said)
        if not faults:
            fault, words = _kept_apart(table, contract.split, sealed.rule, again.train, again.holdout)
            faults, said = fault, [*said, words] if words else said
    except (OSError, SealError, pa.ArrowException, KeyError) as problem:
        return Proof(False, f"The split could not be proved: {problem}")
    if faults:
        return Proof(False, f"{' '.join(faults)} The score cannot be trusted: run it again.")
    return Proof(True, " ".join(said))


def _same_rows(
    table: Path, contract: Contract, sealed: Sealed, train: Index, holdout: Index, identity: str
) -> tuple[list[str], list[str]]:
    """The sealed rows are those that the contract names, and each part holds their cells."""
    if identity != sealed.hash:
        return ["The sealed rows are not those that the contract names (their hash differs)."], []
    both = len(np.intersect1d(train, holdout))
    if both:
        return [f"{both:,} rows are in both parts."], []
    whole = pq.read_table(table, columns=[*contract.features, contract.target])
    labels = pq.read_table(sealed.holdout_labels).sort_by("row")
    target = target_column(whole, contract)
    if labels.column("target").to_pylist() != target.take(pa.array(holdout)).to_pylist():
        return ["The sealed answers are not those of the table."], []
    faults = []
    for name, path, rows in (("training", sealed.train, train), ("sealed", sealed.holdout_features, holdout)):
        if not _holds(path, whole, rows, list(contract.features)):
            faults.append(f"The {name} part does not hold the rows that it should.")
    answers = pq.read_table(sealed.train, columns=[contract.target]).column(0).to_pylist()
    if answers != target.take(pa.array(train)).to_pylist():
        faults.append("The answers in the training part are not those of the table.")
    said = (
        f"The {len(holdout):,} sealed rows are exactly those that the plan names (hash {identity[:12]}), none of them "
        f"is among the {len(train):,} training rows."
    )
    return faults, [said]


def _in_front(sealed: Sealed, said: list[str]) -> tuple[list[str], list[str]]:
    """Whether the training part is older rows and then those of this table; with how many were added."""
    new, both = pq.read_table(sealed.own.train), pq.read_table(sealed.train)
    older = both.num_rows - new.num_rows
    if older < 0 or not _same(both.slice(older), new.select(both.column_names).cast(both.schema)):
        return ["The training part does not end with the rows of this table."], []
    return [], [*said, f"{older:,} rows of the older project are learned from as well."]


def _holds(part: Path, whole: pa.Table, rows: Index, features: list[str]) -> bool:
    there = pq.read_table(part, columns=features)
    if there.num_rows != len(rows):
        return False
    chosen = _compared(len(rows))
    return _equal(there.take(chosen), whole.select(features).take(rows[chosen]))


def _same(one: pa.Table, other: pa.Table) -> bool:
    chosen = _compared(one.num_rows)
    return one.num_rows == other.num_rows and _equal(one.take(chosen), other.take(chosen))


def _compared(rows: int) -> Index:
    if rows <= MOST_COMPARED:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MOST_COMPARED, replace=False))


def _equal(one: pa.Table, other: pa.Table) -> bool:
    """pandas takes two gaps, and two numbers that are none, for equal; Arrow does not."""
    return bool(one.to_pandas().equals(other.to_pandas()))


def _kept_apart(table: Path, split: Split, rule: str, train: Index, holdout: Index) -> tuple[list[str], str]:
    """What the rule itself promises, from the split column's own values; (faults, what was found)."""
    if rule not in ("time", "group", "predefined") or split.column is None:
        return [], f"They were drawn at random{', from each class its share' if rule == 'stratified' else ''}."
    column = pq.read_table(table, columns=[split.column])
    if rule == "time":
        return _in_order(column, split, train, holdout)
    values = column.column(0)
    if rule == "group":
        return _no_group_in_both(values, split, train, holdout)
    labels = np.array([part or "" for part in labels_of(column, split)], dtype=object)
    wrong = int((labels[holdout] != "hold-out").sum() + (labels[train] == "hold-out").sum())
    if wrong:
        return [f"{wrong:,} rows are not in the part that “{split.column}” names."], ""
    return [], f"Every row is in the part that “{split.column}” names."


def _in_order(column: pa.Table, split: Split, train: Index, holdout: Index) -> tuple[list[str], str]:
    moments = moments_of(column, split)
    last, first = moments[train].argmax(), moments[holdout].argmin()
    shown = [column.column(0)[int(row)].as_py() for row in (train[last], holdout[first])]
    if moments[train][last] >= moments[holdout][first]:
        early = int((moments[holdout] <= moments[train][last]).sum())
        return [f"{early:,} sealed rows are not later than every training row (by “{split.column}”)."], ""
    return [], f"Training ends with {shown[0]}, the sealed rows begin with {shown[1]} (“{split.column}”)."


def _no_group_in_both(values: pa.ChunkedArray, split: Split, train: Index, holdout: Index) -> tuple[list[str], str]:
    inside = set(values.take(pa.array(holdout)).drop_null().to_pylist())
    outside = set(values.take(pa.array(train)).drop_null().to_pylist())
    both = inside & outside
    if both:
        return [f"{len(both):,} values of “{split.column}” are in both parts."], ""
    return (
        [],
        f"No “{split.column}” is in both parts: {len(outside):,} to learn from, {len(inside):,} others to judge by.",
    )
