"""What a blueprint says: the columns of a kind of problem, what is computed from them, how it is judged and told."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.lint.program import words
from tools.metrics import METRICS

Kind = Literal["number", "category", "boolean", "date", "text", "id"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=400)]
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")

CLASS_PLACES = words(
    "rows base_rate chosen hits hit_rate expected seen seen_low seen_high table cost success factor action"
)
"""What a report section on classes can speak of; see tools.blueprints.outcome."""
NUMBER_PLACES = words("rows typical_error typical_percent within within_share too_high bias table")
"""What a report section on a number can speak of."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rules(_Strict):
    """What the values of a column have to be like; rows that break a rule cost quality."""

    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] = ()
    """The only values that make sense, compared without capitals."""
    unique: bool = False
    not_missing: bool = False


class Looks(_Strict):
    """What sets the column apart from another of the same name, e.g. tenure in years from tenure in months."""

    max_above: float | None = None
    max_below: float | None = None


class Column(_Strict):
    """One column that tables of this kind have, whatever it is called there."""

    meaning: Sentence
    kind: Kind
    synonyms: tuple[str, ...] = ()
    required: bool = False
    """Without it the blueprint is not offered."""
    telling: bool = False
    """It speaks for this kind of problem; age or gender are everywhere."""
    after_outcome: bool = False
    """Known only when the answer is known: never a feature."""
    rules: Rules = Rules()
    looks: Looks = Looks()


class ContractDefaults(_Strict):
    """What the contract says where the user says nothing."""

    target: Name
    positive: tuple[str, ...] = ()
    """Words for the class to find, compared without capitals."""
    metric: str | None = None
    cost_of_errors: str = Field(default="", max_length=400)
    split: Literal["time"] | None = None
    """Judge by the latest rows, by `split_column`, where the user and the rows say nothing."""
    split_column: Name | None = None

    @model_validator(mode="after")
    def _known(self) -> "ContractDefaults":
        if self.metric is not None and self.metric not in METRICS:
            raise ValueError(f"there is no measure “{self.metric}”; there are {', '.join(METRICS)}")
        return self


class StatedDefault(_Strict):
    """A number that the report has to assume, because no table holds it."""

    value: float
    meaning: Sentence


class Acting(_Strict):
    """What is done about the rows that the model points at, and what that is worth.

    A row is worth acting on when probability x success x factor x its value is more than the cost.
    """

    action: str = Field(min_length=2, max_length=30)
    """A verb: call, contact, review, inspect."""
    value_from: tuple[Name, ...] = ()
    """The first of these columns that the table has is a row's value; else the stated `value`."""
    cost: StatedDefault
    success: StatedDefault
    factor: StatedDefault
    value: StatedDefault


class Section(_Strict):
    """A part of the report: Markdown with {{places}} that the trusted side fills."""

    title: Sentence
    text: str = Field(min_length=3, max_length=4_000)

    @property
    def places(self) -> frozenset[str]:
        """The names in double braces."""
        return frozenset(_PLACE.findall(self.text))

    def filled(self, values: dict[str, str]) -> str:
        """The text with its places filled; an unknown one stays a dash."""
        return _PLACE.sub(lambda found: values.get(found[1], "–"), self.text)


class Feature(_Strict):
    """One function of features.py."""

    name: Name
    meaning: Sentence
    needs: tuple[str, ...]
    """Parameters without a default: columns that have to be there."""
    uses: tuple[str, ...] = ()
    """Parameters with the default None: taken along where the table has them."""


class Blueprint(_Strict):
    """One folder: blueprint.toml and features.py."""

    name: Name
    title: Sentence
    about: Sentence
    questions: tuple[str, ...] = ()
    at_least: int = Field(default=3, ge=1, le=20)
    """So many telling columns have to be in a table before the blueprint is offered."""
    categories: tuple[str, ...] = ()
    """Features that are kinds; the others are numbers."""
    within: float = Field(default=0.1, gt=0, lt=1)
    """A predicted number is called right within this share of the true one."""
    contract: ContractDefaults
    columns: dict[Name, Column] = Field(min_length=2, max_length=80)
    acting: Acting | None = None
    report: tuple[Section, ...] = Field(default=(), max_length=10)
    features: tuple[Feature, ...] = ()
    code: str = ""
    """The text of features.py without its imports."""

    @model_validator(mode="after")
    def _consistent(self) -> "Blueprint":
        self._names_exist()
        places = CLASS_PLACES if self.acting else NUMBER_PLACES
        for section in self.report:
            if odd := sorted(section.places - places):
                known = ", ".join(sorted(places))
                raise ValueError(f"the report speaks of {{{{{odd[0]}}}}}, which nobody computes; there are {known}")
        return self

    def _names_exist(self) -> None:
        spoken = [self.contract.target, self.contract.split_column, *(self.acting.value_from if self.acting else ())]
        for feature in self.features:
            spoken += [*feature.needs, *feature.uses]
        for name in spoken:
            if name is not None and name not in self.columns:
                raise ValueError(f"“{name}” is no column of the blueprint; it has {', '.join(self.columns)}")
        known = {feature.name for feature in self.features}
        if odd := [name for name in self.categories if name not in known]:
            raise ValueError(f"“{odd[0]}” in categories is no function in features.py")
        for feature in self.features:
            for name in (*feature.needs, *feature.uses):
                if name == self.contract.target or self.columns[name].after_outcome:
                    raise ValueError(f"the feature {feature.name} uses “{name}”, which is known only with the answer")


class BlueprintError(ValueError):
    """A folder is no blueprint; the message is one sentence for its author."""
