"""Edits of a contract, field by field: what the user typed at the gate, read and checked before anything changes."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from agents.language.families import ALL_CANDIDATES
from agents.language.time_limit import LEAST_SECONDS, MOST_SECONDS, budget
from agents.language.words import quoted
from agents.planning.advice import carried, dismissed, tidied
from agents.planning.advice import edited as edited_formulas
from agents.planning.blueprints import edited as edited_blueprint
from agents.planning.blueprints import kept as kept_blueprint
from agents.planning.columns import EDITED_IN, EDITED_OUT, SAID, check_features, plan_columns, unusable, used
from agents.planning.costs import read_costs
from agents.planning.evidence import evidence_of, marked_share
from agents.planning.judging import also_for, check_metric, cost_of_errors
from agents.planning.models import checked, with_model
from agents.planning.models import kept as kept_model
from agents.planning.split import NEEDS_COLUMN, check_split, keeps_apart, the_column_for, with_evidence
from agents.planning.target import TargetPlan, plan_target, target_column
from agents.state import Request
from tools.contract import ColumnPlan, Contract, ContractError, ProfileName, Role, Split, SplitRule, Task
from tools.profile import ColumnProfile, Profile

FIELDS = (
    "target",
    "task",
    "positive_class",
    "columns",
    "include",
    "exclude",
    "split",
    "metric",
    "also",
    "budget_seconds",
    "candidates",
    "profile",
    "weight_column",
    "model",
    "seed",
    "row_unit",
    "cost_of_errors",
    "costs",
    "sample_rows",
    "improve_seconds",
    "request",
    "assumptions",
    "blueprint",
    "formulas",
    "proposals",
)
_MAX_TEXT = 2_000
_SAID = "You asked for it."
_NO_FEATURE = ("id", "constant", "empty")


class Propose(Protocol):
    """agents.data_scientist.propose."""

    def __call__(
        self, request: Request, profile: Profile, *, budget_seconds: float, seed: int, strict: bool = False
    ) -> Contract: ...


def merged(
    contract: Contract, changes: Mapping[str, Any], profile: Profile, propose: Propose, templates: Path | None = None
) -> Contract:
    """Apply the changes in an order in which each can rely on the one before."""
    unknown = [name for name in changes if name not in FIELDS and name != "classes"]
    if unknown:
        raise ContractError(f"A contract has no field “{unknown[0]}”; you can change {', '.join(FIELDS)}.")
    _check_classes_untouched(contract, changes)
    before = contract
    contract = kept_blueprint(before, _retargeted(contract, changes, profile, propose))
    contract = kept_model(before.model, contract, profile)
    contract = contract if contract.columns is before.columns else carried(before, contract)
    contract = contract.model_copy(update={"improve_seconds": before.improve_seconds})
    for name, apply in _EDITS.items():
        if name in changes:
            contract = apply(contract, changes[name], profile)
    if contract.blueprint is not None:
        contract = kept_blueprint(before, contract)
    if "model" in changes:
        contract = with_model(contract, changes["model"], profile, templates, metric_said="metric" in changes)
    else:
        contract = checked(contract, profile)
    check_features(contract.columns, contract.target)
    check_split(contract.split.rule, contract.split.column, profile, contract.target, contract.task)
    return tidied(contract)


def _check_classes_untouched(contract: Contract, changes: Mapping[str, Any]) -> None:
    if (
        "classes" in changes
        and "target" not in changes
        and "task" not in changes
        and tuple(changes["classes"] or ()) != contract.classes
    ):
        raise ContractError("The classes are read from the table and cannot be changed in the contract.")


def _retargeted(contract: Contract, changes: Mapping[str, Any], profile: Profile, propose: Propose) -> Contract:
    """A new target or task: everything that hangs on it is made anew, the rest is kept."""
    target = _text("target", changes.get("target", contract.target))
    task = _task(changes["task"]) if "task" in changes else None
    if target == contract.target and task in (None, contract.task):
        return contract
    request = request_of(contract).model_copy(update={"target": target, "task": task})
    request = request.model_copy(update={"exclude": tuple(name for name in request.exclude if name != target)})
    if target != contract.target:
        target_column(profile, target)
        request = request.model_copy(
            update={"split_rule": None, "split_column": None} if request.split_column == target else {}
        )
    renewed = propose(
        request, profile, budget_seconds=contract.budget_seconds, seed=contract.seed, strict=task is not None
    )
    if task is not None and renewed.task != task:
        raise ContractError(
            f"“{target}” has {len(renewed.classes)} classes, so the task is {renewed.task}, not {task}."
        )
    return renewed


def _task(value: object) -> Task:
    if value not in get_args(Task):
        raise ContractError(f"There is no task “{value}”; choose {quoted(get_args(Task), 'or')}.")
    return cast(Task, value)


def request_of(contract: Contract) -> Request:
    """What of the contract was asked for, as far as it does not hang on the target's kind."""
    asked = contract.split.reason == _SAID
    return Request(
        kind="revise",
        text=contract.request,
        target=contract.target,
        exclude=tuple(
            column.name for column in contract.columns if not column.use and column.reason in (SAID, EDITED_OUT)
        ),
        split_rule=contract.split.rule if asked and contract.split.rule in NEEDS_COLUMN else None,
        split_column=contract.split.column if asked else None,
        holdout_fraction=contract.split.holdout_fraction,
        candidates=contract.candidates,
    )


def changed_request(contract: Contract, request: Request, previous: Request | None) -> Request:
    """The request, completed from the contract (which may have been edited) where the follow-up says nothing new."""

    def silent(name: str) -> bool:
        value = getattr(request, name)
        return value in (None, ()) or (previous is not None and getattr(previous, name) == value)

    fields = ("task", "positive_class", "metric", "budget_seconds", "candidates", "profile", "seed")
    update: dict[str, Any] = {name: getattr(contract, name) for name in fields if silent(name)}
    if silent("split_rule") and silent("split_column"):
        update |= {"split_rule": contract.split.rule, "split_column": contract.split.column}
    if silent("holdout_fraction"):
        update["holdout_fraction"] = contract.split.holdout_fraction
    return request.model_copy(update=update)


# --- one reader per field ---


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
        raise ContractError(f"The field {field} needs a text of 1 to {_MAX_TEXT:,} characters.")
    return value if field == "target" else value.strip()


def _number(field: str, value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ContractError(f"The field {field} needs a number, not “{value}”.")
    return float(value)


def _list(field: str, value: object) -> list[Any]:
    if isinstance(value, str):
        value = [piece.strip() for piece in value.split(",") if piece.strip()]
    if not isinstance(value, list | tuple):
        raise ContractError(f"The field {field} needs a list.")
    return list(value)


def _names(field: str, value: object, profile: Profile) -> list[str]:
    names = _list(field, value)
    for name in names:
        if name not in profile.names:
            raise ContractError(f"The table has no column “{name}”.")
    return names


def _target_plan(contract: Contract, profile: Profile) -> TargetPlan:
    return plan_target(profile, contract.target, contract.task, contract.positive_class)


def _edit_positive(contract: Contract, value: object, profile: Profile) -> Contract:
    if contract.task != "binary":
        if value in (None, ""):
            return contract
        raise ContractError(
            f"Only a task with two classes has a positive class; “{contract.target}” is {contract.task}."
        )
    plan = plan_target(profile, contract.target, contract.task, _text("positive_class", value), strict=True)
    said = tuple(sentence for sentence in contract.assumptions if "is the positive class" not in sentence)
    return contract.model_copy(
        update={
            "positive_class": plan.positive,
            "cost_of_errors": cost_of_errors(contract.metric, plan),
            "assumptions": said,
        }
    )


def _edit_columns(contract: Contract, value: object, profile: Profile) -> Contract:
    """A list of {name, use?, role?, …}, {name: use} or {name: {use?, role?}}; columns that are not mentioned stay."""
    items = (
        [_named(name, plan) for name, plan in value.items()] if isinstance(value, Mapping) else _list("columns", value)
    )
    for item in items:
        if isinstance(item, ColumnPlan):
            item = item.model_dump()
        if not isinstance(item, Mapping) or "name" not in item:
            raise ContractError("Each changed column needs its name and whether it is used.")
        contract = _one_column(contract, item, profile)
    return contract


def _named(name: str, plan: object) -> dict[str, Any]:
    return {**plan, "name": name} if isinstance(plan, Mapping) else {"name": name, "use": plan}


def _one_column(contract: Contract, item: Mapping[str, Any], profile: Profile) -> Contract:
    name = item["name"]
    if name == contract.target:
        raise ContractError(f"“{name}” is the target, so it cannot be a feature as well.")
    plan = next((column for column in contract.columns if column.name == name), None)
    if plan is None:
        raise ContractError(f"The table has no column “{name}”.")
    odd = [key for key in item if key not in ColumnPlan.model_fields]
    if odd:
        raise ContractError(f"A column has no field “{odd[0]}”; you can change use and role.")
    role = item.get("role", plan.role)
    use = item.get("use", plan.use and not (role != plan.role and role in _NO_FEATURE))
    if not isinstance(use, bool):
        raise ContractError(f"Whether “{name}” is used has to be true or false.")
    if (use, role) == (plan.use, plan.role):
        return contract
    return _with_plan(contract, _replanned(profile.column(name), use, role, plan, contract.task))


def _replanned(column: ColumnProfile, use: bool, role: object, plan: ColumnPlan, task: Task) -> ColumnPlan:
    if not use:
        kept = cast(Role, role) if role in _NO_FEATURE else plan.role
        return ColumnPlan(name=column.name, role=kept, use=False, reason=EDITED_OUT)
    if role != plan.role and role in _NO_FEATURE:
        raise ContractError(f"“{column.name}” cannot be both {role} and a feature; choose another role or use=no.")
    if never := unusable(column):
        raise ContractError(f"“{column.name}” cannot be a feature: {never[:1].lower()}{never[1:]}")
    return used(column, _role(column, role), task, EDITED_IN)


def _role(column: ColumnProfile, role: object) -> Role:
    """Numbers need numbers, dates need dates; any column can be a category, text columns can be texts."""
    if role not in get_args(Role):
        raise ContractError(f"There is no role “{role}”; choose number, category, text or date.")
    fits = {"number": column.is_numeric, "date": column.type in ("date", "datetime"), "text": column.type == "text"}
    if not fits.get(cast(str, role), True):
        raise ContractError(f"“{column.name}” holds {column.type} values, so it cannot be used as a {role}.")
    return cast(Role, role)


def _with_plan(contract: Contract, plan: ColumnPlan) -> Contract:
    return contract.model_copy(
        update={"columns": tuple(plan if column.name == plan.name else column for column in contract.columns)}
    )


def _switch(contract: Contract, names: Iterable[str], use: bool, profile: Profile) -> Contract:
    for name in names:
        contract = _one_column(contract, {"name": name, "use": use}, profile)
    return contract


def _edit_include(contract: Contract, value: object, profile: Profile) -> Contract:
    """Use exactly these columns; an empty list: all that make sense."""
    names = _names("include", value, profile)
    if not names:
        apart = keeps_apart(contract.split)
        return contract.model_copy(
            update={"columns": plan_columns(profile, contract.target, contract.task, group=apart)}
        )
    if contract.target in names:
        raise ContractError(f"“{contract.target}” is the target, so it cannot be a feature as well.")
    contract = _switch(contract, names, True, profile)
    return _switch(contract, [column.name for column in contract.columns if column.name not in names], False, profile)


def _edit_exclude(contract: Contract, value: object, profile: Profile) -> Contract:
    return _switch(
        contract, [name for name in _names("exclude", value, profile) if name != contract.target], False, profile
    )


def _edit_split(contract: Contract, value: object, profile: Profile) -> Contract:
    """{rule?, column?, holdout_fraction?}; a rule alone may also be given as text."""
    if isinstance(value, str):
        value = {"rule": value}
    if not isinstance(value, Mapping) or set(value) - set(Split.model_fields):
        raise ContractError("A split has a rule, a column and a holdout_fraction.")
    rule = value.get("rule", contract.split.rule)
    if rule not in get_args(SplitRule):
        raise ContractError(f"There is no split “{rule}”; choose {quoted(get_args(SplitRule), 'or')}.")
    name = value.get("column", contract.split.column if rule == contract.split.rule else None) or None
    if rule in ("random", "stratified"):
        name = None
    found = evidence_of(profile, contract.target)
    if name is None and "column" not in value:
        name = the_column_for(rule, found)
    check_split(rule, name, profile, contract.target, contract.task)
    fraction = _number("holdout_fraction", value.get("holdout_fraction", contract.split.holdout_fraction))
    if rule == "predefined" and name is not None:
        fraction = marked_share(profile.column(name))  # the column says how many
    elif not 0.05 <= fraction <= 0.5:
        raise ContractError(f"The hold-out has to be a share of 0.05 to 0.5 of the rows, not {fraction:g}.")
    changed = (rule, name) != (contract.split.rule, contract.split.column)
    split = Split(rule=rule, column=name, holdout_fraction=fraction, reason=_SAID if changed else contract.split.reason)
    split = with_evidence(split, found)
    return _regrouped(
        contract.model_copy(update={"split": split, "assumptions": _without_split_words(contract, changed)}),
        contract,
        profile,
    )


def _without_split_words(contract: Contract, changed: bool) -> tuple[str, ...]:
    return tuple(
        sentence
        for sentence in contract.assumptions
        if not changed or not re.search(r"Split by time\?|say “split randomly”|say “grouped by", sentence)
    )


def _regrouped(contract: Contract, before: Contract, profile: Profile) -> Contract:
    """The column that groups the rows is no feature; one that no longer does is judged as usual."""
    old, new = keeps_apart(before.split), keeps_apart(contract.split)
    if old == new:
        return contract
    usual = {plan.name: plan for plan in plan_columns(profile, contract.target, contract.task, group=new)}
    return contract.model_copy(
        update={
            "columns": tuple(usual[column.name] if column.name in (old, new) else column for column in contract.columns)
        }
    )


def _edit_metric(contract: Contract, value: object, profile: Profile) -> Contract:
    name = _text("metric", value)
    check_metric(name, contract.task)
    if name == contract.metric:
        return contract
    plan = _target_plan(contract, profile)
    return contract.model_copy(
        update={"metric": name, "also": also_for(name, plan), "cost_of_errors": cost_of_errors(name, plan)}
    )


def _edit_also(contract: Contract, value: object, profile: Profile) -> Contract:
    names = [_text("also", name) for name in _list("also", value)]
    for name in names:
        check_metric(name, contract.task)
    return contract.model_copy(update={"also": tuple(dict.fromkeys(name for name in names if name != contract.metric))})


def _edit_budget(contract: Contract, value: object, profile: Profile) -> Contract:
    if isinstance(value, str) and (said := budget(value).value) is not None:
        value = said
    seconds = _number("budget_seconds", value)
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ContractError(
            f"The time for a run has to be {LEAST_SECONDS:g} to {MOST_SECONDS:,.0f} seconds, not {seconds:g}."
        )
    return contract.model_copy(update={"budget_seconds": seconds})


def _edit_candidates(contract: Contract, value: object, profile: Profile) -> Contract:
    names = _list("candidates", value)
    unknown = [name for name in names if name not in ALL_CANDIDATES]
    if unknown or not names:
        raise ContractError(
            (f"There is no kind of model “{unknown[0]}”" if unknown else "At least one kind of model has to be tried")
            + f"; there are {', '.join(ALL_CANDIDATES)}."
        )
    return contract.model_copy(update={"candidates": tuple(name for name in ALL_CANDIDATES if name in names)})


def _edit_profile(contract: Contract, value: object, profile: Profile) -> Contract:
    if value not in get_args(ProfileName):
        raise ContractError(f"There is no profile “{value}”; choose {quoted(get_args(ProfileName), 'or')}.")
    return contract.model_copy(update={"profile": value})


def _edit_weight(contract: Contract, value: object, profile: Profile) -> Contract:
    """The column of row weights; it stops being a feature. Nothing: all rows count the same."""
    if value in (None, "", "none", "no", "off"):
        return contract.model_copy(update={"weight_column": None})
    name = _text("weight_column", value)
    if name not in profile.names:
        raise ContractError(f"The table has no column “{name}”.")
    column = profile.column(name)
    if name == contract.target or not column.is_numeric:
        why = "it is the target" if name == contract.target else f"it holds {column.type} values"
        raise ContractError(f"“{name}” cannot weigh the rows: {why}; a weight is a number, not below 0.")
    if isinstance(column.minimum, float) and column.minimum < 0:
        raise ContractError(f"“{name}” cannot weigh the rows: its smallest value is {column.minimum:g}.")
    contract = contract.model_copy(update={"weight_column": name})
    return _switch(contract, [name], False, profile) if name in contract.features else contract


def _edit_seed(contract: Contract, value: object, profile: Profile) -> Contract:
    seed = _number("seed", value)
    if seed != int(seed) or not 0 <= seed < 2**32:
        raise ContractError(f"The seed has to be a whole number from 0 to 4294967295, not {value}.")
    return contract.model_copy(update={"seed": int(seed)})


def _edit_words(field: str) -> Callable[[Contract, object, Profile], Contract]:
    return lambda contract, value, profile: contract.model_copy(update={field: _text(field, value)})


def _edit_assumptions(contract: Contract, value: object, profile: Profile) -> Contract:
    return contract.model_copy(
        update={"assumptions": tuple(_text("assumptions", sentence) for sentence in _list("assumptions", value))}
    )


def _edit_sample_rows(contract: Contract, value: object) -> Contract:
    rows = _number("sample_rows", value)
    if rows != int(rows) or not 0 <= rows <= 200:
        raise ContractError(f"Beside the model 0 to 200 training rows can be kept for explanations, not {value}.")
    return contract.model_copy(update={"sample_rows": int(rows)})


def _edit_search(contract: Contract, value: object) -> Contract:
    """No search, or so many seconds more for it than what the budget leaves."""
    if value is None or value is False or str(value).strip().lower() in ("no", "off", "none", ""):
        return contract.model_copy(update={"improve_seconds": None})
    more = str(value).strip().lower() in ("yes", "on", "true")
    seconds = 0.0 if more else _number("improve_seconds", value)
    if not 0 <= seconds <= MOST_SECONDS:
        raise ContractError(f"The improvement search may take 0 to {MOST_SECONDS:,.0f} more seconds, not {value}.")
    return contract.model_copy(update={"improve_seconds": seconds})


_EDITS: dict[str, Callable[[Contract, object, Profile], Contract]] = {
    "positive_class": _edit_positive,
    "split": _edit_split,
    "include": _edit_include,
    "exclude": _edit_exclude,
    "columns": _edit_columns,
    "metric": _edit_metric,
    "also": _edit_also,
    "budget_seconds": _edit_budget,
    "candidates": _edit_candidates,
    "profile": _edit_profile,
    "weight_column": _edit_weight,
    "seed": _edit_seed,
    "row_unit": _edit_words("row_unit"),
    "cost_of_errors": _edit_words("cost_of_errors"),
    "sample_rows": lambda contract, value, profile: _edit_sample_rows(contract, value),
    "improve_seconds": lambda contract, value, profile: _edit_search(contract, value),
    "costs": lambda contract, value, profile: contract.model_copy(update={"costs": read_costs(value, contract)}),
    "request": _edit_words("request"),
    "assumptions": _edit_assumptions,
    "blueprint": lambda contract, value, profile: edited_blueprint(contract, value),
    "formulas": lambda contract, value, profile: edited_formulas(contract, value),
    "proposals": lambda contract, value, profile: dismissed(contract, value),
}
