"""Asking a model what it would say about rows that are put together from others: the ground of every explanation.

The model is a function behind `Ask` (it is only ever loaded in the sandbox); what is asked are tables of features and
never a label. A table of questions is a pile of rows and, for each question and column, the row that the value is
taken from, so that values keep their types and only ever are values that occurred.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tools.answers import joined
from tools.contract import Contract, Role
from tools.measuring import positive
from tools.metrics import Array
from tools.predictions import Predictions

ROWS_AT_ONCE, CELLS_AT_ONCE = 20_000, 4_000_000
Ask = Callable[[pa.Table], Awaitable[Predictions]]
Clock = Callable[[], float]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class ExplainError(ValueError):
    """What was asked cannot be explained; the message is a sentence or two for the user."""


@dataclass(frozen=True)
class Model:
    """A model that can be asked, and for how long."""

    ask: Ask
    contract: Contract
    until: float
    """By `clock`: the last question is asked before."""
    clock: Clock = time.monotonic

    @property
    def features(self) -> tuple[str, ...]:
        """The columns in the order of every matrix here."""
        return self.contract.features

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - self.clock()

    def role(self, column: str) -> Role:
        """What a feature is."""
        return next(one.role for one in self.contract.columns if one.name == column)

    async def said(self, pile: pa.Table, source: Ints) -> Predictions:
        """Predictions for rows put together from `pile`: source[question, column] is the row of the value."""
        await asyncio.sleep(0)  # a question about no row asks nobody, and others want their turn all the same
        most = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(1, len(self.features))))
        parts = [await self.ask(assembled(pile, source[start : start + most])) for start in range(0, len(source), most)]
        return joined(parts)


@dataclass(frozen=True)
class Quantity:
    """The number that is explained: a predicted number, the chance of a class, or whether a class is the answer."""

    label: str
    """In words, for a sentence: the predicted chance of “yes”."""
    code: int | None = None
    """Place of the class; None for numbers."""
    chance: bool = True
    """False for a model without probabilities: one where the class is the answer, else zero."""

    def of(self, predictions: Predictions) -> Array:
        """One number per row."""
        if self.code is None:
            return np.asarray(predictions.values, dtype=np.float64)
        if self.chance and predictions.probabilities is not None:
            return np.asarray(predictions.probabilities[:, self.code], dtype=np.float64)
        return np.asarray(predictions.values == self.code, dtype=np.float64)

    def shown(self, value: float) -> str:
        """For people: 31.4 % or 1,250."""
        return f"{value:.1%}" if self.code is not None else amount(value)

    def step(self, value: float) -> str:
        """The same with its sign, for a difference."""
        sign = "+" if value >= 0 else "−"
        if self.code is not None:
            return f"{sign}{abs(value) * 100:.1f} points"
        return f"{sign}{amount(abs(value))}"


def quantity(contract: Contract, predictions: Predictions, code: int | None = None) -> Quantity:
    """What is explained of this model: for two classes the positive one, else the class `code`, or the number."""
    if contract.task == "regression":
        return Quantity(f"the predicted {contract.target}")
    if contract.task == "binary":
        code = positive(contract)
    assert code is not None, "a class of several has to be named"
    label = f"“{contract.classes[code]}”"
    if predictions.probabilities is None:
        return Quantity(f"the answer {label} (1: given, 0: not)", code, chance=False)
    return Quantity(f"the predicted chance of {label}", code)


def amount(value: float) -> str:
    """A number for people: three to four digits, thousands apart."""
    if value == 0 or 1e-3 <= abs(value) < 1e15:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:.3g}"


def assembled(pile: pa.Table, source: Ints) -> pa.Table:
    """The rows that `source` puts together."""
    columns = [pile.column(place).take(pa.array(source[:, place])) for place in range(pile.num_columns)]
    return pa.table(columns, schema=pile.schema).combine_chunks()


def piled(parts: Sequence[pa.Table], contract: Contract) -> pa.Table:
    """The features of the tables one below the other; where types differ, the one that holds both."""
    kept = [part.select(list(contract.features)) for part in parts]
    columns = {name: _together([part.column(name) for part in kept]) for name in contract.features}
    return pa.table(columns)


def _together(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    kinds = {column.type for column in columns if not pa.types.is_null(column.type)}
    wanted = next(iter(kinds), pa.null())
    if len(kinds) > 1:
        numeric = all(
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) for kind in kinds
        )
        wanted = pa.float64() if numeric else pa.string()
        columns = [_readable(column, wanted) for column in columns]
    chunks = [chunk for column in columns for chunk in column.cast(wanted).chunks]
    return pa.chunked_array(chunks, type=wanted).combine_chunks() if chunks else pa.chunked_array([], type=wanted)


def _readable(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Truth values go to numbers by way of whole ones; as text they are written like Python does."""
    return column.cast(pa.int8()) if pa.types.is_boolean(column.type) and pa.types.is_floating(wanted) else column


def features_in(table: pa.Table, contract: Contract) -> pa.Table:
    """The features of a table in the contract's order; what it does not have is missing everywhere."""
    columns = {
        name: table.column(name) if name in table.column_names else pa.nulls(len(table)) for name in contract.features
    }
    return pa.table(columns)


def equal_cells(pile: pa.Table, one: int, others: Ints) -> Flags:
    """(others, columns): whether each row has the value of row `one` there; two gaps are equal."""
    codes = codes_of(pile)
    return np.asarray(codes[others] == codes[one])


def codes_of(pile: pa.Table) -> Ints:
    """(rows, columns): equal values have equal numbers; a gap is −1."""
    columns = []
    for column in pile.columns:
        found = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_null(found.type):
            columns.append(np.full(len(found), -1, dtype=np.int64))
            continue
        indices = found.dictionary_encode().indices.fill_null(-1)
        columns.append(np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64))
    return np.column_stack(columns) if columns else np.empty((len(pile), 0), dtype=np.int64)
