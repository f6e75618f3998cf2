"""The analysis contract: what is predicted from what, how it is judged, in how much time. People read this."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.models.choice import ModelChoice

Task = Literal["binary", "multiclass", "regression"]
Role = Literal["number", "category", "boolean", "text", "date", "id", "constant", "empty"]
Pairs = tuple[tuple[str, str], ...]
"""A mapping as a contract can hold it: contracts are hashed."""
ProfileName = Literal["best", "compact", "explainable"]
SplitRule = Literal["random", "stratified", "time", "group", "predefined"]


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
    """The date (rule "time"), the entity ("group"), or what says train or test ("predefined"); None otherwise."""
    holdout_fraction: float = Field(default=0.2, gt=0.0, lt=0.9)
    reason: str = ""
    evidence: tuple[str, ...] = ()
    """What in the table speaks for one split or another, a sentence each."""
    ordered_by: str | None = None
    """The column by which rows are earlier or later, whatever the rule: later rows are compared with random ones."""
    repeats: str | None = None
    """The column of an entity that has several rows, whatever the rule: unseen entities are compared with seen ones."""


class Derived(BaseModel):
    """A column that the training script computes from others of the same row, by a function of a blueprint."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Literal["number", "category"]
    sources: Pairs
    """Parameter of the function, column of the table."""
    needs: tuple[str, ...]
    """Parameters without which it cannot be computed."""
    meaning: str
    use: bool = True


Operation = Literal[
    "ratio", "difference", "sum", "product", "log", "bin", "year", "month", "weekday", "hour", "days_between"
]
"""What a column may be computed by, beside the functions of a blueprint; see tools/formulas.py."""


class Formula(BaseModel):
    """A column that the training script computes from others of the same row, by one operation."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Made by us; it is the name of a function in the script."""
    operation: Operation
    sources: tuple[str, ...]
    edges: tuple[float, ...] = ()
    """Of bins, rising."""
    reason: str = ""
    by: str = ""
    """The language model that proposed it."""
    use: bool = True


class Proposal(BaseModel):
    """A change of the plan that a language model proposed and nothing in the table supports: made on a click."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["drop", "split", "metric"]
    name: str
    """The column, the rule of the split, or the metric."""
    column: str | None = None
    """Of a split."""
    sentence: str
    by: str


class Stated(BaseModel):
    """A number that the report assumes because no table holds it."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float
    meaning: str


class Costs(BaseModel):
    """What a decision about one row of two classes costs or brings, in the user's unit."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="forbid")

    false_positive: float = Field(gt=0.0, le=1e12)
    """Acting on a row of the other class."""
    false_negative: float = Field(default=0.0, ge=0.0, le=1e12)
    """Not acting on a row of the positive class."""
    true_positive: float = Field(default=0.0, ge=0.0, le=1e12)
    """Gain of acting on a row of the positive class, costs of acting taken off."""

    @model_validator(mode="after")
    def _something_is_at_stake(self) -> "Costs":
        if self.false_negative + self.true_positive <= 0:
            raise ValueError("a miss has to cost something, or a hit to bring something")
        return self


class BlueprintPart(BaseModel):
    """What a contract has from a blueprint; it is complete, so the blueprint's folder is not needed any more."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    sentence: str
    """How well the table fits, and how to leave it out."""
    matched: Pairs
    """Column of the blueprint, column of the table."""
    kinds: Pairs
    """Column of the table, its kind in the blueprint."""
    derived: tuple[Derived, ...] = ()
    code: str = ""
    """Functions of the computed columns; they run in the sandbox alone."""
    quality: float
    """0 to 100."""
    quality_parts: tuple[tuple[str, float, str], ...] = ()
    """Name, points lost, sentence."""
    action: str = ""
    """What is done about the rows that the model points at; "" when nothing is."""
    value_column: str | None = None
    stated: tuple[Stated, ...] = ()
    within: float = 0.1
    sections: tuple[tuple[str, str], ...] = ()
    """Title and Markdown with {{places}} for the report."""


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
    costs: Costs | None = None
    """The same in numbers, for a decision threshold; two classes only."""
    budget_seconds: float = Field(default=60.0, ge=5.0, le=86_400.0)
    """Wall clock for the whole run: training, scoring and audit."""
    candidates: tuple[str, ...] = ("linear", "lightgbm", "extra_trees", "xgboost", "catboost", "neural_net")
    profile: ProfileName = "best"
    """A blend as good as time allows; one model under 5 MB and 5 ms a row; or one that a person can read."""
    weight_column: str | None = None
    """Its values say how much each training row counts; it is no feature, and the score counts every row once."""
    model: ModelChoice | None = None
    """Chosen by hand: this kind of model and no other; `candidates` then wait until it is taken back."""
    improve_seconds: float | None = Field(default=None, ge=0.0, le=86_400.0)
    """A language model looks for a better script after the recipe, in what the budget leaves and so much more; None: no
    search."""
    seed: int = 0
    assumptions: tuple[str, ...] = ()
    blueprint: BlueprintPart | None = None
    formulas: tuple[Formula, ...] = ()
    """Computed columns beside those of a blueprint."""
    proposals: tuple[Proposal, ...] = ()
    """Not made; each can be made at the gate."""
    sample_rows: int = Field(default=200, ge=0, le=200)
    """Training rows (without the target) kept beside the model for explanations; 0: none."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that the model may use, in table order."""
        return tuple(column.name for column in self.columns if column.use)

    @property
    def kinds_of_model(self) -> tuple[str, ...]:
        """What will be trained: the one that was chosen by hand, else the candidates."""
        return (self.model.estimator,) if self.model else self.candidates


class ContractError(ValueError):
    """No sound contract is possible, or a change does not fit; the message is one sentence for the user."""
