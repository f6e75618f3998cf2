"""Which rows are held out: at random, by class, by time, by group or as a column says. tools/seal.py writes them."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tools.contract import Contract, Split
from tools.predefined import Part, parts_of

Index = NDArray[np.int64]


class SealError(ValueError):
    """The table cannot be split as the contract says; the message is a sentence for the user."""


@dataclass(frozen=True)
class Cut:
    """Row numbers of the two parts (in the order in which they are written) and the hold-out's resampling units."""

    train: Index
    holdout: Index
    rule: str
    notes: tuple[str, ...] = ()
    unit: Index | None = None
    """Per hold-out row: rows of one unit depend on each other and are resampled together."""


def cut_rows(table: pa.Table, target: pa.ChunkedArray, contract: Contract, seed: int) -> Cut:
    if contract.split.rule == "time":
        return _by_time(moments_of(table, contract.split), contract.split.holdout_fraction, contract.split)
    generator = np.random.default_rng(seed)
    return _shuffled(_without_order(table, target, contract, generator), generator)


def _shuffled(cut: Cut, generator: np.random.Generator) -> Cut:
    """Both parts in random order: in a table that is sorted by its target a row's place would give its label away."""
    train, holdout = generator.permutation(len(cut.train)), generator.permutation(len(cut.holdout))
    unit = None if cut.unit is None else cut.unit[holdout]
    return replace(cut, train=cut.train[train], holdout=cut.holdout[holdout], unit=unit)


def _without_order(table: pa.Table, target: pa.ChunkedArray, contract: Contract, generator: np.random.Generator) -> Cut:
    fraction = contract.split.holdout_fraction
    match contract.split.rule:
        case "predefined":
            return _by_label(labels_of(table, contract.split))
        case "group":
            return _by_group(groups_of(table, contract.split), _codes(target), fraction, contract, generator)
        case "stratified" if contract.task != "regression":
            return _stratified(_codes(target), contract, fraction, generator)
        case rule:
            return _random(target.length(), fraction, rule, generator)


def _codes(column: pa.ChunkedArray) -> Index:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _holdout_size(rows: int, fraction: float) -> int:
    return min(max(round(rows * fraction), 2), rows - 2)


def _random(rows: int, fraction: float, rule: str, generator: np.random.Generator) -> Cut:
    order = generator.permutation(rows)
    size = _holdout_size(rows, fraction)
    notes = ("A number has no classes to balance, so the rows were drawn at random.",) if rule == "stratified" else ()
    return Cut(np.sort(order[size:]), np.sort(order[:size]), "random", notes)


def _stratified(codes: Index, contract: Contract, fraction: float, generator: np.random.Generator) -> Cut:
    """Each class gives its share (at least one row); a class with one row stays in training, and that is said."""
    holdout: list[Index] = []
    notes: list[str] = []
    sizes = np.bincount(codes)
    for code in range(len(sizes)):
        rows = generator.permutation(np.flatnonzero(codes == code))
        share = 0 if len(rows) < 2 else min(max(round(len(rows) * fraction), 1), len(rows) - 1)
        holdout.append(rows[:share])
    single = int((sizes == 1).sum())
    if single:
        notes.append(
            f"{single} class{'es' if single > 1 else ''} of “{contract.target}” with a single row went to training and "
            "cannot be tested."
        )
    chosen = np.sort(np.concatenate(holdout))
    return Cut(np.setdiff1d(np.arange(len(codes)), chosen), chosen, "stratified", tuple(notes))


def moments_of(table: pa.Table, split: Split) -> NDArray[np.float64]:
    """The split column as numbers that grow with time; NaN where there is none."""
    column = table.column(_split_column(split))
    if pa.types.is_date32(column.type) or pa.types.is_date64(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parsed_dates(column, split)
    try:
        numbers = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SealError(
            f"“{split.column}” holds {column.type} values, not dates, so rows cannot be put in order."
        ) from error
    moments = np.asarray(pc.fill_null(numbers, float("nan")).to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(moments), moments, np.nan)


def _parsed_dates(column: pa.ChunkedArray, split: Split) -> pa.ChunkedArray:
    """Text that is an ISO 8601 date after all; any other spelling could be read in two ways, so it is refused."""
    import pandas as pd

    dates = pd.to_datetime(column.to_pandas(), errors="coerce", utc=True, format="ISO8601")
    found = int(dates.notna().sum())
    if found == 0 or found < 0.95 * (column.length() - column.null_count):
        raise SealError(
            f"“{split.column}” is text, not dates, so rows cannot be put in order by it; choose a date column or write "
            "dates like 2024-01-31."
        )
    return pa.chunked_array([pa.Array.from_pandas(dates)]).cast(pa.int64())


def _split_column(split: Split) -> str:
    if split.column is None:
        raise SealError(f"A split by {split.rule} needs a column to split by; name one in the contract.")
    return split.column


def _by_time(moments: NDArray[np.float64], fraction: float, split: Split) -> Cut:
    """The last rows by time are held out; rows of the same moment stay together. Training is written oldest first."""
    order = np.argsort(moments, kind="stable")
    ranked = moments[order]
    boundaries = np.flatnonzero(np.diff(ranked) > 0) + 1
    if not len(boundaries):
        raise SealError(f"“{split.column}” is the same in every row, so there is no earlier and later to split by.")
    wanted = len(order) - _holdout_size(len(order), fraction)
    at = int(boundaries[np.argmin(np.abs(boundaries - wanted))])
    holdout = order[at:]
    block = max(1, round(len(holdout) ** (1 / 3)))
    return Cut(order[:at], holdout, "time", unit=np.arange(len(holdout)) // block)


def labels_of(table: pa.Table, split: Split) -> list[Part | None]:
    """The part that each row belongs to, as the split column says; None where it says nothing."""
    name = _split_column(split)
    texts = _as_text(table.column(name))
    parts = parts_of(name, [text for text in dict.fromkeys(texts) if text is not None])
    if parts is None:
        seen = ", ".join(f"“{text}”" for text in list(dict.fromkeys(filter(None, texts)))[:4])
        raise SealError(
            f"“{name}” does not say which rows to learn from and which to judge by: it holds {seen or 'nothing'}; "
            "values like train, validation and test would."
        )
    return [None if text is None else parts[text] for text in texts]


def _as_text(column: pa.ChunkedArray) -> list[str | None]:
    """Each value as the profile writes it, so that what was recognised there is recognised here."""
    if pa.types.is_floating(column.type):
        return [None if v is None else str(int(v)) if float(v).is_integer() else str(v) for v in column.to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]


def _by_label(parts: list[Part | None]) -> Cut:
    """The rows that the table itself sets apart; those for validation are learned from, as validation is inside."""
    held = np.array([part == "hold-out" for part in parts], dtype=bool)
    inside = sum(part == "validation" for part in parts)
    notes = (f"{inside} rows marked for validation are learned from: validation happens inside.",) if inside else ()
    return Cut(np.flatnonzero(~held), np.flatnonzero(held), "predefined", notes)


def groups_of(table: pa.Table, split: Split) -> Index:
    """Group number per row; a row without a group is a group of its own."""
    column = table.column(_split_column(split))
    codes = _codes(column)
    alone = np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    codes[alone] = codes.max(initial=0) + 1 + np.arange(int(alone.sum()))
    return codes


def _by_group(groups: Index, codes: Index, fraction: float, contract: Contract, generator: np.random.Generator) -> Cut:
    """Whole groups are held out, as near to the fraction as they allow; for classes both parts must have them."""
    distinct, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    name = contract.split.column
    if len(distinct) < 2:
        raise SealError(f"“{name}” has a single value, so no group can be held out.")
    wanted = _holdout_size(len(groups), fraction)
    for _ in range(20):
        order = generator.permutation(len(distinct))
        reached = np.cumsum(sizes[order])[:-1]
        chosen = order[: int(np.argmin(np.abs(reached - wanted))) + 1]
        inside = np.isin(inverse, chosen)
        if contract.task == "regression" or (len(set(codes[inside])) > 1 and len(set(codes[~inside])) > 1):
            unit = inverse[inside].astype(np.int64)
            return Cut(np.flatnonzero(~inside), np.flatnonzero(inside), "group", unit=unit)
    raise SealError(
        f"However the groups of “{name}” are divided, one part has only one class of “{contract.target}”; "
        "split the rows at random instead."
    )


def check_cut(cut: Cut, target: pa.ChunkedArray, contract: Contract) -> None:
    for part, rows in (("training", cut.train), ("hold-out", cut.holdout)):
        if len(rows) < 2:
            raise SealError(f"The {part} part would have {len(rows)} rows; choose another split.")
        if contract.task != "regression" and pc.count_distinct(target.take(pa.array(rows))).as_py() < 2:
            raise SealError(
                f"With this split the {part} rows have only one class of “{contract.target}”, so nothing can be "
                f"{'learned' if part == 'training' else 'judged'}; choose another split."
            )
