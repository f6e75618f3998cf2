"""A model that was chosen by hand: the kind, its parameters, and how others are searched. Part of a contract."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Value = bool | int | float | str | None
"""None: the library's "no limit" (of a tree's depth, for example)."""
Task = Literal["binary", "multiclass", "regression"]
"""The same as in tools/contract.py, which imports this file."""
Search = Literal["none", "grid", "randomised", "optuna"]


class Dimension(BaseModel):
    """What is tried of one parameter: some values, or a range."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    values: tuple[Value, ...] = ()
    low: int | float | None = None
    """With `high` a range; both whole: whole numbers."""
    high: int | float | None = None
    log: bool = False
    """Drawn evenly by size (0.01, 0.1, 1) and not by distance."""

    @property
    def text(self) -> str:
        """As it can be typed: "100,300" or "0.01..0.3"."""
        if self.values:
            return ",".join(written(value) for value in self.values)
        return f"{written(self.low)}..{written(self.high)}"


class ModelChoice(BaseModel):
    """One kind of model instead of our own selection."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    estimator: str
    """A name in tools/models/estimators."""
    parameters: tuple[tuple[str, Value], ...] = ()
    """What was set; the others have the default of the catalogue."""
    search: Search = "none"
    space: tuple[Dimension, ...] = ()
    trials: int = Field(default=30, ge=1, le=1000)
    """Candidates of a randomised or Optuna search."""
    folds: int = Field(default=5, ge=2, le=10)
    """Inner folds on the training rows."""
    template: str = ""
    """The template that it began with, or the name under which it was saved."""
    sentence: str = ""
    """What a person should know of this choice, e.g. that the time will not do for all candidates."""


class ModelError(ValueError):
    """A choice that cannot be; the message is one sentence for the user."""


def written(value: object) -> str:
    """A value as people type it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
