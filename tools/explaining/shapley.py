"""Shapley values of one prediction by walks from another row to it: numpy and nothing else of ours, so it travels.

A walk starts at a row of the background and takes over one value after another, in a random order, until it is the
explained row; what the prediction does at a step belongs to the column of that step (Štrumbelj & Kononenko 2014;
Lundberg & Lee 2017, interventional). Each order is walked forwards and backwards, which cancels much of the noise
(antithetic permutations: Mitchell, Cooper, Frank & Holmes 2022). The steps of a walk add up to its whole way, so the
contributions add up exactly from the average prediction of the background rows that were used to the row's own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Walks:
    """What to ask for some pairs of walks, and how the answers belong together."""

    taken: Flags
    """(questions, columns): the value of the explained row, else that of the background row."""
    background: Ints
    """(questions,): the place of the background row."""
    path: Ints
    """(pairs, 2, columns + 1): which question each step is the answer of."""
    orders: Ints
    """(pairs, 2, columns): the column that each step takes over."""


def walks(same: Flags, starts: Ints, generator: np.random.Generator) -> Walks:
    """One pair of walks from each of `starts`, places in the background; equal rows are asked about once.

    `same`: (background rows, columns), whether the background row has the explained row's own value there.
    """
    columns = same.shape[1]
    forwards = np.array([generator.permutation(columns) for _ in starts], dtype=np.int64).reshape(len(starts), columns)
    orders = np.stack([forwards, forwards[:, ::-1]], axis=1)
    rank = np.argsort(orders, axis=2)
    steps = np.arange(columns + 1)
    taken = rank[:, :, None, :] < steps[:, None]
    taken &= ~same[starts][:, None, None, :]
    arrived = (taken == ~same[starts][:, None, None, :]).all(axis=3)
    begins = np.where(arrived, starts[0], starts[:, None, None])
    taken[arrived] = True
    key = np.concatenate([begins.reshape(-1, 1).view(np.uint8).reshape(begins.size, -1),
                          np.packbits(taken.reshape(-1, columns), axis=1)], axis=1)  # fmt: skip
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return Walks(
        taken.reshape(-1, columns)[first],
        begins.reshape(-1)[first].astype(np.int64),
        place.reshape(begins.shape).astype(np.int64),
        orders,
    )


def contributions(found: Walks, answers: Floats) -> Floats:
    """(pairs, columns): what each column contributed on each pair of walks; `answers` in the order of the questions."""
    steps = np.diff(answers[found.path], axis=2)
    by_column = np.empty_like(steps)
    np.put_along_axis(by_column, found.orders, steps, axis=2)
    return np.asarray(by_column.mean(axis=1))


def averaged(pairs: Floats) -> tuple[Floats, Floats]:
    """(contributions, their standard errors) of the columns, from those of the pairs."""
    count = len(pairs)
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(pairs.shape[1], np.nan)
    return pairs.mean(axis=0), errors
