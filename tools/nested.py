"""When nested cross-validation is worth its time: few rows, many models to choose from, and seconds left over."""

from dataclasses import dataclass

MOST_ROWS = 500
"""With more rows the choice among a handful of models adds little to the winner's score (Cawley & Talbot 2010)."""
FEWEST_ROWS = 60
FOLDS = (5, 3)
"""As many as there is time for."""
LEAST_SECONDS = 3.0
"""For one outer fold; a recipe does nothing useful in less."""
LEAST_SHARE = 1 / 3
"""Of the time of the real training; with less the recipe would be another one."""
WITH_START = 1.15
"""Reading the rows, loading the model and predicting come on top of the script's own time."""


@dataclass(frozen=True)
class Nesting:
    """How many outer folds, with how much time each for the script; 0 folds: none, and `why`."""

    folds: int
    seconds: float
    why: str


def plan_nesting(rows: int, candidates: int, trained_seconds: float, seconds_left: float) -> Nesting:
    """`trained_seconds`: what the real training took; `seconds_left`: of the budget, with all else paid for."""
    if not FEWEST_ROWS <= rows <= MOST_ROWS or candidates < 2:
        return Nesting(0, 0.0, "")  # nobody asks for it: a sentence would only be in the way
    least = max(LEAST_SECONDS, LEAST_SHARE * trained_seconds)
    for folds in FOLDS:
        each = min(seconds_left / folds / WITH_START, max(LEAST_SECONDS, trained_seconds))
        if each >= least:
            return Nesting(
                folds,
                each,
                f"{rows:,} rows chose among several models, so the choice itself was judged as well: {folds} outer "
                f"folds of at most {each:.0f} s each, where the training took {trained_seconds:.0f} s.",
            )
    needed = FOLDS[-1] * WITH_START * least
    return Nesting(
        0,
        0.0,
        f"{rows:,} rows chose among several models, so the cross-validated score of the best is a little lucky; nested "
        f"cross-validation tells by how much, but needs about {needed:.0f} s after the training, which were not left.",
    )
