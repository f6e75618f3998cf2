"""New rows under an old contract: do they fit, which are really new, and which of two models does better on them?

The old contract decides everything: which columns, how the hold-out is chosen, by which measure. Rows that the old
project has had already are no test of its model, so they are left out before anything is sealed.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from tools.contract import Contract
from tools.ingest import Dataset
from tools.original import Original, sealed_rows, training_rows
from tools.predict import PredictError, prepare
from tools.reference import Reference, kind_of, numbers
from tools.retype import Retyped, column_type, retyped
from tools.seal import SealError, label_text, target_column

Level = Literal["blocks", "warning", "note"]
MANY_MISSING = 0.05
"""Share of missing values by which a column may exceed training before it is said."""
COINCIDENCE = 0.01
"""Level of the test whether more rows are known than rows of this table resemble each other anyway."""
MOST_UNREADABLE = 0.5


class ReplayError(ValueError):
    """The new rows cannot be used for this at all; the message is a sentence for the user."""


class Finding(BaseModel):
    """One thing about how the new table fits the contract."""

    model_config = ConfigDict(frozen=True)

    level: Level
    kind: str
    """missing, extra, type, categories, range, gaps, target, classes, known, time or groups."""
    column: str | None = None
    sentence: str


@dataclass(frozen=True)
class Fitted:
    """New rows in the types of training, with everything that had to be said."""

    table: pa.Table
    """Features, the split column and, where it is there, the target (text labels or float64)."""
    has_target: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Fresh:
    """The rows that the old project has not had."""

    table: pa.Table
    in_training: int
    """Rows left out because the old model was trained on them."""
    in_holdout: int
    """Rows left out because the old model was judged by them."""
    findings: tuple[Finding, ...]


def fit(original: Original, dataset: Dataset) -> Fitted:
    """Check the new table against the contract and bring it into the types of training.

    Raises `ReplayError` when columns that the model needs are missing or cannot be read, or there is no row.
    """
    contract = original.contract
    if not dataset.rows:
        raise ReplayError(f"{dataset.name} has no rows.")
    notes = _columns_fit(original, dataset)
    target = contract.target if contract.target in dataset.names else None
    raw = pq.read_table(dataset.path, columns=[n for n in _of_contract(contract) if n in dataset.names and n != target])
    columns, changed = {}, []
    for name in raw.column_names:
        stored = _stored(name, original.reference)
        found = retyped(raw.column(name), stored) if stored else Retyped(raw.column(name), 0, "")
        changed += _type_findings(name, raw.column(name), found, stored or "")
        columns[name] = found.column
    table = pa.table(columns)
    if target is not None:
        values = pq.read_table(dataset.path, columns=[target])
        table = table.append_column(target, _target(values, contract))
    missing = [] if target else [_no_target(contract, dataset)]
    said = (*notes, *changed, *missing, *_values_fit(original.reference, table, contract))
    return Fitted(table, target is not None, said)


def _columns_fit(original: Original, dataset: Dataset) -> list[Finding]:
    features = original.contract.features
    missing = [name for name in features if name not in dataset.names]
    if missing and 2 * len(missing) > len(features):
        raise ReplayError(
            f"{dataset.name} seems to be another table: it has {len(features) - len(missing)} of the {len(features)} "
            f"columns that the model needs; “{missing[0]}” is missing, for example."
        )
    try:
        prepare(original.model, dataset)
    except PredictError as problem:
        raise ReplayError(str(problem)) from problem
    known = {*_of_contract(original.contract), original.contract.target}
    extra = [name for name in dataset.names if name not in known]
    if not extra:
        return []
    named = ", ".join(f"“{name[:60]}”" for name in extra[:6]) + (
        f" and {len(extra) - 6} more" if len(extra) > 6 else ""
    )
    return [Finding(level="note", kind="extra", sentence=f"The contract knows no {named}; not used.")]


def _of_contract(contract: Contract) -> tuple[str, ...]:
    """Every column that the contract names, used or not, but the target."""
    more = (contract.split.column, contract.blueprint.value_column if contract.blueprint else None)
    return tuple(dict.fromkeys((*(column.name for column in contract.columns), *filter(None, more))))


def _no_target(contract: Contract, dataset: Dataset) -> Finding:
    close = difflib.get_close_matches(contract.target, dataset.names, 1, 0.7)
    lower = {name.casefold().strip(): name for name in dataset.names}
    meant = lower.get(contract.target.casefold().strip()) or next(iter(close), None)
    hint = f" (is “{meant}” meant to be it?)" if meant and meant not in contract.features else ""
    return Finding(
        level="warning",
        kind="target",
        column=contract.target,
        sentence=f"{dataset.name} has no column “{contract.target}”{hint}, so no model can be judged or trained on it.",
    )


def _stored(name: str, reference: Reference) -> str | None:
    """The type that the column had in training; None for a split column that is no feature."""
    return next((column.type for column in reference.columns if column.name == name), None)


def _type_findings(name: str, raw: pa.ChunkedArray, found: Retyped, stored: str) -> list[Finding]:
    if not found.unreadable and not found.changed:
        return []
    filled = max(len(raw) - raw.null_count, 1)
    if found.unreadable > MOST_UNREADABLE * filled:
        raise ReplayError(
            f"“{name}” held {_said(stored)} in training, but {found.unreadable:,} of {filled:,} values are none "
            f"(“{found.example[:40]}”, for example)."
        )
    lost = f"; {found.unreadable:,} values are none and count as missing" if found.unreadable else ""
    return [
        Finding(
            level="warning" if found.unreadable else "note",
            kind="type",
            column=name,
            sentence=f"“{name}” held {_said(stored)} in training and holds {_said(str(raw.type))} now{lost}.",
        )
    ]


def _said(stored: str) -> str:
    words = {"integer": "whole numbers", "number": "numbers", "boolean": "yes/no", "date": "dates"}
    return words.get(column_type(stored), "dates with time" if column_type(stored) == "datetime" else "text")


def _target(values: pa.Table, contract: Contract) -> pa.ChunkedArray:
    """The target as the script gets it; what no longer is a number is the user's input to repair."""
    try:
        return target_column(values, contract)
    except SealError as problem:
        raise ReplayError(str(problem)) from problem


def _values_fit(reference: Reference, table: pa.Table, contract: Contract) -> list[Finding]:
    """Ranges, categories and gaps of the columns that are there."""
    found: list[Finding] = []
    for before in reference.columns:
        if before.name not in table.column_names:
            continue
        column = table.column(before.name)
        if before.kind in ("number", "date"):
            found += _outside(before.name, numbers(column, before.kind), before.minimum, before.maximum)
        elif before.kind == "category" and before.name != contract.target and before.complete:
            found += _unknown(before.name, column, set(before.levels))
        share = column.null_count / max(len(column), 1)
        if share > before.missing / max(before.rows, 1) + MANY_MISSING:
            then = before.missing / max(before.rows, 1)
            told = f"“{before.name}” is missing in {share:.1%} of the rows; in training it was {then:.1%}."
            found.append(Finding(level="warning", kind="gaps", column=before.name, sentence=told))
    return found


def _outside(name: str, values: NDArray[np.float64], low: float | None, high: float | None) -> list[Finding]:
    if low is None or high is None:
        return []
    with np.errstate(invalid="ignore"):
        count = int(((values < low) | (values > high)).sum())
    if not count:
        return []
    rows = f"{count:,} of {len(values):,} rows"
    told = f"“{name}” is outside the range of training in {rows}."
    return [Finding(level="warning", kind="range", column=name, sentence=told)]


def _unknown(name: str, column: pa.ChunkedArray, known: set[str]) -> list[Finding]:
    labels = label_text(column)
    unknown = pc.and_(labels.is_valid(), pc.invert(pc.is_in(labels, value_set=pa.array(sorted(known), pa.string()))))
    new = pc.value_counts(labels.filter(unknown).combine_chunks()).to_pylist()
    if not new:
        return []
    ranked = sorted(new, key=lambda pair: (-pair["counts"], pair["values"]))
    named = ", ".join(f"“{pair['values'][:40]}” ({pair['counts']:,})" for pair in ranked[:3])
    more = f" and {len(ranked) - 3} more" if len(ranked) > 3 else ""
    told = f"“{name}” has categories that training never saw: {named}{more}."
    return [Finding(level="warning", kind="categories", column=name, sentence=told)]


def fresh_rows(original: Original, fitted: Fitted) -> Fresh:
    """Leave out what the old project has had: equal rows, and in a split by time rows that are not later.

    Raises `ReplayError` when nothing is left. Where the training rows are not at hand that is said.
    """
    table, contract = fitted.table, original.contract
    findings: list[Finding] = []
    in_training = in_holdout = 0
    if original.has_rows:
        names = [n for n in (*contract.features, contract.target) if n in table.column_names]
        trained, judged, twins = _known(original, table, names)
        if _more_than_coincidence(int(trained.sum()), len(trained), twins):
            keep = ~(trained | judged)
            in_training, in_holdout = int(trained.sum()), int((judged & ~trained).sum())
            table = table.filter(pa.array(keep))
            findings.append(_known_finding(in_training, in_holdout, len(keep)))
        elif trained.any():
            told = (
                f"{int(trained.sum()):,} rows equal a training row, as chance would have it in a table in which "
                f"{twins:.0%} of the training rows have a twin; they stay."
            )
            findings.append(Finding(level="note", kind="known", sentence=told))
    else:
        told = "The training rows are not at hand, so rows that the old model knows already cannot be told apart."
        findings.append(Finding(level="warning", kind="known", sentence=told))
    if not table.num_rows:
        raise ReplayError(f"All {fitted.table.num_rows:,} rows are known to the old project already; bring new ones.")
    table, later = _later(original, table)
    return Fresh(table, in_training, in_holdout, (*findings, *later, *_groups_finding(contract)))


def _known(original: Original, table: pa.Table, names: Sequence[str]) -> tuple[
    NDArray[np.bool_], NDArray[np.bool_], float
]:  # fmt: skip
    """Per new row: is it a training row, is it a sealed row; and the share of training rows that have a twin."""
    before, sealed = training_rows(original), sealed_rows(original)
    assert before is not None, "asked by the caller"
    trained = _keys(before, names, original.contract)
    judged = _keys(sealed, names, original.contract) if sealed is not None else np.array([], dtype=np.uint64)
    now = _keys(table, names, original.contract)
    _, counts = np.unique(trained, return_counts=True)
    twins = float(counts[counts > 1].sum() / max(len(trained), 1))
    return np.isin(now, trained), np.isin(now, judged), twins


def _keys(table: pa.Table, names: Sequence[str], contract: Contract) -> NDArray[np.uint64]:
    """A 64-bit hash per row over these columns, whatever their types were: numbers as numbers, the rest as text."""
    columns = {}
    for place, name in enumerate(names):
        column = table.column(name)
        kind = kind_of(name, contract)
        plain = kind in ("number", "date") and column_type(str(column.type)) != "text"
        columns[str(place)] = numbers(column, kind) if plain else label_text(column).to_pandas().fillna("\x00")
    frame = pd.DataFrame(columns)
    return np.asarray(pd.util.hash_pandas_object(frame, index=False, categorize=False), dtype=np.uint64)


def _more_than_coincidence(known: int, rows: int, twins: float) -> bool:
    """In a table of few values new rows equal old ones by chance; as often as old ones equal each other."""
    return bool(known and stats.binomtest(known, rows, min(twins, 1.0), alternative="greater").pvalue < COINCIDENCE)


def _known_finding(in_training: int, in_holdout: int, rows: int) -> Finding:
    left = f"{in_training:,} of {rows:,} rows were in the old model's training"
    judged = f", {in_holdout:,} more were the rows that it was judged by" if in_holdout else ""
    return Finding(level="warning", kind="known", sentence=f"{left}{judged}: they are no test of it and were left out.")


def _later(original: Original, table: pa.Table) -> tuple[pa.Table, list[Finding]]:
    """In a split by time only rows after the old table test what the contract asks: how it does on what comes next."""
    split, until = original.contract.split, original.reference.until
    if split.rule != "time" or split.column not in table.column_names:
        return table, []
    if until is None:
        told = f"How far the old table reached in “{split.column}” is not known, so older rows cannot be told apart."
        return table, [Finding(level="warning", kind="time", column=split.column, sentence=told)]
    moments = table.column(split.column)
    later = _after(moments, until)
    if later is None:
        told = f"“{split.column}” holds {moments.type} values now, so it cannot be told which rows are later."
        return table, [Finding(level="warning", kind="time", column=split.column, sentence=told)]
    if later.all():
        return table, []
    if not later.any():
        raise ReplayError(
            f"The contract splits by time, and no row is later than {until}, where the old table ends "
            f"(“{split.column}”); bring rows from after it."
        )
    told = f"{int((~later).sum()):,} rows are not later than {until}, where the old table ends, and were left out."
    return table.filter(pa.array(later)), [Finding(level="warning", kind="time", column=split.column, sentence=told)]


def _after(moments: pa.ChunkedArray, until: str) -> NDArray[np.bool_] | None:
    """Which rows lie after that moment; rows without one stay, the seal will drop them. None: not comparable."""
    values = moments.to_pandas()
    try:
        if pd.api.types.is_numeric_dtype(values):
            return np.asarray(~(values <= float(until)), dtype=bool)
        dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
        return np.asarray(~(dates <= pd.to_datetime(until, utc=True)), dtype=bool)
    except (ValueError, TypeError):
        return None


def _groups_finding(contract: Contract) -> list[Finding]:
    if contract.split.rule != "group":
        return []
    told = (
        f"Whether the old model has met a “{contract.split.column}” of the new rows is not known; where it has, "
        "it may do better here than on new ones."
    )
    return [Finding(level="note", kind="groups", column=contract.split.column, sentence=told)]


def judgeable(table: pa.Table, contract: Contract) -> tuple[pa.Table, list[Finding]]:
    """Without the rows of classes that the contract does not have: neither model could ever be right there."""
    if contract.task == "regression" or contract.target not in table.column_names:
        return table, []
    labels = table.column(contract.target)
    known = pc.or_(labels.is_null(), pc.is_in(labels, value_set=pa.array(contract.classes, pa.string())))
    unknown = labels.filter(pc.invert(known))
    if not len(unknown):
        return table, []
    named = ", ".join(f"“{label[:40]}”" for label in sorted(set(unknown.to_pylist()))[:3])
    told = (
        f"{len(unknown):,} rows have a class that the contract does not know ({named}) and were left out of the "
        "comparison; such rows need a new contract."
    )
    found = Finding(level="warning", kind="classes", column=contract.target, sentence=told)
    return table.filter(known), [found]
