"""The cases of the evaluation as they stand in suite.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

Group = Literal["forms", "requests", "refusals", "code", "repairs", "answers"]
GROUPS: tuple[Group, ...] = get_args(Group)
ABOUT: Mapping[Group, str] = {
    "forms": "answers of a given form, by the way of asking for it",
    "requests": "what is to be predicted, in other words and languages",
    "refusals": "requests that the table cannot answer",
    "code": "changes of the training script that pass the critic",
    "repairs": "scripts that fail or are blocked, made to run",
    "answers": "questions about the numbers, answered by a script of the model",
}


class Case(BaseModel):
    """One thing that a model is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    table: str
    """A built-in sample."""


class RequestCase(Case):
    """A message, and what has to be made of it."""

    text: str
    expect: Mapping[str, Any]
    """Fields of `Request`; lists in any order."""
    earlier: Mapping[str, Any] | None = None
    """The request that the message is about."""


class RefusalCase(Case):
    """A message that the table cannot answer."""

    text: str


class CodeCase(Case):
    """A change of the recipe."""

    target: str
    text: str
    must: tuple[str, ...] = ()
    """What the new lines have to hold."""
    about: Literal["script", "plan"] = "script"


class RepairCase(Case):
    """A defect put into the script forest.py.txt."""

    target: str
    search: str
    replace: str
    stderr: str = ""
    """How its run ended; "": the critic blocks it."""
    gone: str = ""
    """What may not be left; "": what was put in."""


class AnswerCase(Case):
    """A question about numbers."""

    text: str
    numbers: tuple[float, ...] = ()
    """Any of them is right, within a thousandth."""
    unanswerable: bool = False


class Suite(BaseModel):
    """Everything that is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    requests: tuple[RequestCase, ...]
    refusals: tuple[RefusalCase, ...]
    code: tuple[CodeCase, ...]
    repairs: tuple[RepairCase, ...]
    answers: tuple[AnswerCase, ...]

    def of(self, group: Group) -> Sequence[Case]:
        """The cases of a group; "forms" has none of its own, it asks the minds' questions in each way."""
        cases: Sequence[Case] = () if group == "forms" else getattr(self, group)
        return cases


@lru_cache(maxsize=1)
def suite() -> Suite:
    """As it is shipped."""
    return Suite.model_validate(tomllib.loads(_beside("suite.toml")))


def forest() -> str:
    """The training script into which defects are put."""
    return _beside("forest.py.txt")


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
