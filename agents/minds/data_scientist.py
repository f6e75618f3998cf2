"""The data scientist's second mind: it reads the expert's plan once and says what could be better.

Each piece of its advice is held against the profile (agents/planning/advice.py): what the table supports is made, what
it does not support is offered to the user, what does not fit is left out. Nothing that the user said is changed.
"""

import json
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import shown
from agents.minds.asking import Asker, in_line
from agents.planning import advice
from agents.state import Request
from prompts.render import render
from tools.contract import Contract, Operation
from tools.formulas import OPERATIONS
from tools.metrics import METRICS
from tools.profile import Profile
from tools.schema import Schema, schema_of

MOST_SHOWN = 120
"""Columns of a wide table that are told of, features first."""


class Computed(BaseModel):
    """A column to be computed from others of the same row."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one short sentence, why it says more than the columns themselves")
    operation: Operation
    columns: list[str] = Field(description="names exactly as in the list, in the order that the operation takes them")


class Doubtful(BaseModel):
    """A column that should perhaps not be used."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one short sentence")
    column: str = Field(description="name exactly as in the list")
    why: Literal["leak", "useless"] = Field(description="leak: known only when the answer is; useless: says nothing")


class OtherSplit(BaseModel):
    """Another way to choose the rows that judge."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one short sentence")
    rule: Literal["random", "stratified", "time", "group"]
    column: str | None = Field(description="the date or the entity; null for random and stratified")


class OtherMetric(BaseModel):
    """Another measure."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one short sentence, which errors are expensive")
    metric: str


class Advice(BaseModel):
    """What could be better about the plan; empty lists and nulls where it is good as it is."""

    model_config = ConfigDict(extra="ignore")

    compute: list[Computed] = Field(description="at most 5 columns, the most telling first")
    doubt: list[Doubtful] = Field(description="at most 5 columns")
    split: OtherSplit | None
    metric: OtherMetric | None


@dataclass(frozen=True)
class Advised:
    """The plan with what stands of the advice."""

    contract: Contract
    said: str = ""
    """In one sentence why the expert's plan stands alone, or what was left out; "" when there is nothing to say."""


async def advised(contract: Contract, request: Request, profile: Profile, ask: Asker, *, asks_user: bool) -> Advised:
    """Ask about a plan. `asks_user`: the plan is shown before it is used; where it is not, nothing is computed on
    advice, since nobody could take it back."""
    schema = _told(contract, schema_of(profile))
    view = shown(schema, [], ask.rows)
    left = len(profile.columns) - len(schema.columns)
    asked = [
        SystemMessage(
            render(
                "data_scientist",
                columns="\n".join([view.text, *([f"({left:,} further columns are not shown)"] if left else [])]),
                plan=plan_in_json(contract, schema),
                operations="\n".join(f"- {name}({', '.join(how.takes)})" for name, how in OPERATIONS.items()),
                metrics=", ".join(name for name, one in METRICS.items() if contract.task in one.tasks),
            )
        ),
        HumanMessage(request.text[:2000]),
    ]
    heard = await ask.decide("reasoning", asked, Advice, about=view)
    if heard.value is None:
        return Advised(contract, f"{heard.trouble} The built-in expert decides.")
    return applied(heard.value, contract, request, profile, by=heard.who, asks_user=asks_user)


def _told(contract: Contract, schema: Schema) -> Schema:
    """Features first where not all columns can be told of; always in the order of the table."""
    first = [contract.target, *contract.features, *schema.names]
    kept = set(list(dict.fromkeys(first))[:MOST_SHOWN])
    return Schema(tuple(column for column in schema.columns if column.name in kept), schema.rows)


def plan_in_json(contract: Contract, schema: Schema) -> str:
    """The plan without a value of a cell: classes by their number only."""
    known = set(schema.names)
    told = {
        "target": contract.target,
        "task": contract.task,
        "classes": len(contract.classes),
        "metric": contract.metric,
        "split": {"rule": contract.split.rule, "column": contract.split.column},
        "not_used": [column.name for column in contract.columns if not column.use and column.name in known],
        "computed_already": [one.name for one in (contract.blueprint.derived if contract.blueprint else ())],
        "rows": schema.rows,
    }
    return json.dumps(told, ensure_ascii=False)


def applied(
    said: Advice, contract: Contract, request: Request, profile: Profile, *, by: str, asks_user: bool
) -> Advised:
    """The plan with every piece of the advice that stands before the profile."""
    plan, lost = contract, 0
    for doubt in said.doubt[:8]:
        leaks = doubt.why == "leak"
        found = advice.without(plan, doubt.column, request, profile, reason=in_line(doubt.reason), by=by, leaks=leaks)
        plan, lost = (found, lost) if found else (plan, lost + 1)
    doubted = {one.name for one in plan.proposals}
    for wish in said.compute[: advice.MOST_FORMULAS]:
        made = None
        if not doubted & set(wish.columns):
            made = advice.formula(
                wish.operation, wish.columns, plan, profile, reason=in_line(wish.reason), by=by, use=asks_user
            )
        if made is None:
            lost += 1
            continue
        plan = plan.model_copy(update={"formulas": (*plan.formulas, made)})
    if said.split is not None:
        rule, column, why = said.split.rule, said.split.column, in_line(said.split.reason)
        found = advice.split(plan, rule, column, request, profile, reason=why, by=by)
        plan, lost = (found, lost) if found else (plan, lost + 1)
    if said.metric is not None:
        found = advice.metric(plan, said.metric.metric, request, reason=in_line(said.metric.reason), by=by)
        plan, lost = (found, lost) if found else (plan, lost + 1)
    return Advised(advice.tidied(plan), _lost(lost, by))


def _lost(lost: int, by: str) -> str:
    if not lost:
        return ""
    what = "One piece of advice" if lost == 1 else f"{lost} pieces of advice"
    return f"{what} of {by} did not fit the table or your words and {'was' if lost == 1 else 'were'} left out."
