"""Shapley values by walks: exact for additive models, right beside full enumeration, and always adding up."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.explaining.shapley import averaged, contributions, walks

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]


def by_walks(model: Function, row: Floats, background: Floats, pairs: int, seed: int = 0) -> tuple[Floats, Floats]:
    """(pairs, columns) of contributions and how many rows were asked about."""
    plan = walks(background == row, np.arange(pairs) % len(background), np.random.default_rng(seed))
    rows = np.where(plan.taken, row, background[plan.background])
    return contributions(plan, model(rows)), rows


def enumerated(model: Function, row: Floats, background: Floats) -> Floats:
    """The definition: every coalition, weighted (Shapley 1953), averaged over the background."""
    columns = len(row)
    found = np.zeros(columns)
    for column in range(columns):
        others = [other for other in range(columns) if other != column]
        for size in range(columns):
            weight = math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns)
            for coalition in combinations(others, size):
                without = background.copy()
                without[:, list(coalition)] = row[list(coalition)]
                with_it = without.copy()
                with_it[:, column] = row[column]
                found[column] += weight * (model(with_it) - model(without)).mean()
    return found


@pytest.fixture
def background() -> Floats:
    return np.random.default_rng(1).normal(size=(40, 6))


def interacting(rows: Floats) -> Floats:
    return np.asarray(rows[:, 0] * rows[:, 1] + np.where(rows[:, 2] > 0, rows[:, 3], -1.0) + 0.5 * rows[:, 4])


def test_an_additive_model_is_exact(background: Floats) -> None:
    slopes = np.array([3.0, -2.0, 0.0, 1.0, 0.5, 10.0])
    row = np.array([1.0, 2.0, 3.0, -1.0, 0.0, 0.25])
    pairs, _ = by_walks(lambda rows: rows @ slopes, row, background, len(background))
    np.testing.assert_allclose(pairs.mean(axis=0), slopes * (row - background.mean(axis=0)), atol=1e-12)


def test_interactions_are_as_full_enumeration_says(background: Floats) -> None:
    row = np.array([1.5, -2.0, 0.7, 2.0, 1.0, 9.0])
    pairs, _ = by_walks(interacting, row, background, 4000)
    parts, errors = averaged(pairs)
    exact = enumerated(interacting, row, background)
    np.testing.assert_allclose(parts, exact, atol=0.03)
    assert np.all(np.abs(parts - exact) <= 4.5 * errors + 1e-12)
    assert parts[5] == 0.0  # what the model does not look at gets nothing, not only little


@pytest.mark.parametrize("pairs", [1, 7, 40])
def test_contributions_add_up_from_the_average_of_the_rows_used(background: Floats, pairs: int) -> None:
    row = np.array([1.5, -2.0, 0.7, 2.0, 1.0, 9.0])
    found, _ = by_walks(interacting, row, background, pairs)
    begins = interacting(background[:pairs])
    np.testing.assert_allclose(found.sum(axis=1), interacting(row[None])[0] - begins, atol=1e-12)


def test_equal_values_are_nobodys_doing_and_equal_rows_are_asked_about_once(background: Floats) -> None:
    background[:, 2] = 0.7
    row = np.array([1.5, -2.0, 0.7, 2.0, 1.0, 9.0])
    found, rows = by_walks(interacting, row, background, 40)
    assert np.all(found[:, 2] == 0.0)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_one_column_and_a_row_that_is_its_own_background() -> None:
    one, _ = by_walks(lambda rows: rows[:, 0] ** 2, np.array([3.0]), np.array([[1.0], [2.0]]), 2)
    assert one.ravel().tolist() == [8.0, 5.0]
    same, _ = by_walks(interacting, np.ones(6), np.ones((3, 6)), 3)
    assert not same.any()


def test_one_pair_has_no_error_to_tell() -> None:
    parts, errors = averaged(np.array([[1.0, 2.0]]))
    assert parts.tolist() == [1.0, 2.0]
    assert np.isnan(errors).all()
