"""How long a choice will take, roughly: the number of fits, and seconds by the size of the table."""

import math

from tools.models.catalogue import Cost, Estimator
from tools.models.choice import ModelChoice, ModelError, Task, Value

MOST_CANDIDATES = 5_000
"""Of a grid, however fast each is."""
PATIENCE = 2.0
"""An estimate is rough: only what takes this many times the training time is refused."""


def candidates(choice: ModelChoice) -> int:
    """How many parameter settings a search is to compare, beside what was chosen by hand."""
    if choice.search == "none":
        return 0
    if choice.search == "grid":
        return math.prod(len(one.values) for one in choice.space)
    return choice.trials


def fits(choice: ModelChoice) -> int:
    """How often a model is fitted: on every fold for every candidate, and on all rows."""
    return (candidates(choice) + 1) * choice.folds + 1


def fit_seconds(one: Estimator, choice: ModelChoice, task: Task, *, rows: int, columns: int, classes: int) -> float:
    """Of one fit with what was chosen; the searched parameters count with their largest value."""
    cost = one.cost
    return cost.base + cost.per_million * _work(cost, rows, columns) * _units(one, choice) * _outputs(
        cost, task, classes
    )


def _work(cost: Cost, rows: int, columns: int) -> float:
    return rows / 1e6 * (rows if cost.squared else max(1, columns))


def _outputs(cost: Cost, task: Task, classes: int) -> int:
    return classes if cost.per_class and task == "multiclass" else 1


def _units(one: Estimator, choice: ModelChoice) -> float:
    name = one.cost.units
    if name is None:
        return 1.0
    searched = next((dimension for dimension in choice.space if dimension.name == name), None)
    if searched is not None and choice.search != "none":
        return max(_number(value) for value in (*searched.values, searched.high))
    return _number(dict(choice.parameters).get(name, one.parameters[name].default))


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 1.0


def check_time(
    one: Estimator, choice: ModelChoice, task: Task, *, rows: int, columns: int, classes: int, seconds: float
) -> str:
    """What has to be said of the time, "" when nothing has.

    `seconds`: what the training gets. `ModelError` for a grid, or a single fit, that is far beyond it.
    """
    each = fit_seconds(one, choice, task, rows=rows, columns=columns, classes=classes)
    tried, total = candidates(choice), fits(choice)
    needed = each * total
    about = f"{total:,} fits ({tried:,} candidates on {choice.folds} folds), about {lasting(needed)} on this table"
    if choice.search == "grid" and (tried > MOST_CANDIDATES or needed > PATIENCE * seconds):
        raise ModelError(
            f"The grid is too large: {about}, but the training has {lasting(seconds)}. Name fewer values, use a "
            f"randomised search or Optuna, which try as many as there is time for, or give it {lasting(1.5 * needed)}."
        )
    if each > PATIENCE * seconds:
        raise ModelError(
            f"One {one.title} with these parameters takes about {lasting(each)} on this table, but the training has "
            f"{lasting(seconds)}: take fewer {one.cost.units or 'columns'}, or give it more time."
        )
    if choice.search != "none" and needed > seconds:
        return (
            f"The search would be {about}; the training has {lasting(seconds)} and stops in time with the best so far."
        )
    return ""


def lasting(seconds: float) -> str:
    """ "40 seconds", "3 minutes", "5 hours"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} second{'' if round(seconds) <= 1 else 's'}"
    if seconds < 5400:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{math.ceil(seconds / 3600):,} hours"
