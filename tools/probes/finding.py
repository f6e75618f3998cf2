"""What one probe says: fine or not, in words, with its figures, what it would mean in use, and what repairs it."""

import shlex
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Repair(BaseModel):
    """A change of the contract that answers a finding; the user is asked again before anything runs."""

    model_config = ConfigDict(frozen=True)

    label: str
    """What a button says, e.g. “Leave out “gross””."""
    changes: dict[str, Any]
    """Fields of the contract as agents/planning/changes.py takes them."""
    flag: str
    """The same for `modelwright run`, e.g. "--drop gross"."""


class Probe(BaseModel):
    """One probe: what was tried, whether it is fine, and what was seen, in a sentence or two."""

    model_config = ConfigDict(frozen=True)

    probe: str
    passed: bool
    detail: str
    in_use: str = ""
    """One sentence: what would happen in production. Only where something was found."""
    evidence: dict[str, float | str] = Field(default_factory=dict)
    repair: Repair | None = None


def without_columns(names: Sequence[str], features: Sequence[str]) -> Repair | None:
    """Leave these columns out; None when nothing would be left to learn from."""
    gone = [name for name in dict.fromkeys(names) if name in features]
    if not gone or len(gone) >= len(features):
        return None
    shown = ", ".join(f"“{name}”" for name in gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
    flag = " ".join(f"--drop {shlex.quote(name)}" for name in gone)
    return Repair(label=f"Leave out {shown}", changes={"exclude": gone}, flag=flag)


def split_by(rule: str, column: str) -> Repair:
    """Another split: "time" or "group"."""
    what = "time, using" if rule == "time" else "group:"
    return Repair(
        label=f"Split by {what} “{column}”",
        changes={"split": {"rule": rule, "column": column}},
        flag=f"--split {shlex.quote(f'{rule}:{column}')}",
    )
