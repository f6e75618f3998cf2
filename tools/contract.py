"""The analysis contract: what is predicted from what, how it is judged, in how much time. People read this."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["binary", "multiclass", "regression"]
Role = Literal["number", "category", "boolean", "text", "date", "id", "constant", "empty"]
SplitRule = Literal["random", "stratified", "time", "group"]


class ColumnPlan(BaseModel):
    """One column: whether it is a feature, how it is prepared, and why."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    use: bool
    """True: a feature. The target has its own field and is never in this list."""
    steps: tuple[str, ...] = ()
    """Preparation in words, in order, e.g. ("fill gaps with the median", "standardise")."""
    reason: str = ""


class Split(BaseModel):
    """How the hold-out is chosen."""

    model_config = ConfigDict(frozen=True)

    rule: SplitRule = "random"
    column: str | None = None
    """The date (rule "time") or the entity (rule "group"); None otherwise."""
    holdout_fraction: float = Field(default=0.2, gt=0.0, lt=0.9)
    reason: str = ""


class Contract(BaseModel):
    """Everything that the training script and the scorer have to agree on."""

    model_config = ConfigDict(frozen=True)

    request: str
    """The user's sentence."""
    row_unit: str
    """What one row is, e.g. "one customer"."""
    task: Task
    target: str
    positive_class: str | None = None
    """Binary only; one of `classes`."""
    classes: tuple[str, ...] = ()
    """Every class label as text, in the order of the probability columns; empty for regression."""
    columns: tuple[ColumnPlan, ...]
    split: Split
    metric: str
    """A name in tools/metrics.py; the one that decides."""
    also: tuple[str, ...] = ()
    """Further metrics that are reported."""
    cost_of_errors: str = ""
    budget_seconds: float = Field(default=60.0, ge=5.0, le=86_400.0)
    """Wall clock for the whole run: training, scoring and audit."""
    candidates: tuple[str, ...] = ("linear", "lightgbm", "extra_trees")
    seed: int = 0
    assumptions: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that the model may use, in table order."""
        return tuple(column.name for column in self.columns if column.use)


class ContractError(ValueError):
    """No sound contract is possible, or a change does not fit; the message is one sentence for the user."""
