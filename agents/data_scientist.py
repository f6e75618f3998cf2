"""The data scientist's decision: a request and a profile become the analysis contract; edits are checked."""

from pathlib import Path

from agents.language.families import ALL_CANDIDATES
from agents.planning.changes import changed_request, merged
from agents.planning.columns import check_features, plan_columns, suspects
from agents.planning.judging import check_metric, cost_of_errors, plan_metric, row_unit
from agents.planning.split import check_split, keeps_apart, plan_split
from agents.planning.target import plan_target, target_column
from agents.state import Request
from tools.contract import ColumnPlan, Contract, ContractError
from tools.profile import Profile

__all__ = ["ContractError", "merge", "problems", "propose", "revise"]

DEFAULT_CANDIDATES = ALL_CANDIDATES


def propose(request: Request, profile: Profile, *, budget_seconds: float, seed: int, strict: bool = False) -> Contract:
    """The contract for a request; `ContractError` when none is possible.

    A wish that does not fit the data (a measure, a task, a split) is replaced and said, or with `strict` an error.
    """
    if request.target is None:
        raise ContractError("No column to predict is named; say which one.")
    target = plan_target(profile, request.target, request.task, request.positive_class, strict=strict)
    split, split_said = plan_split(request, profile, request.target, target.task, strict=strict)
    apart = keeps_apart(split)
    columns = plan_columns(
        profile, request.target, target.task, include=request.include, exclude=request.exclude, group=apart
    )
    check_features(columns, request.target)
    metric, also, metric_said = plan_metric(request, target, strict=strict)
    unit, unit_said = row_unit(profile)
    said = (
        *request.assumptions,
        *target.assumptions,
        *_gaps(profile, request.target),
        *unit_said,
        *split_said,
        *metric_said,
        *_ignored(request, columns),
        *suspects(profile, request.target, columns),
    )
    return Contract(
        request=request.text,
        row_unit=unit,
        task=target.task,
        target=request.target,
        positive_class=target.positive,
        classes=target.classes,
        columns=columns,
        split=split,
        metric=metric,
        also=also,
        cost_of_errors=cost_of_errors(metric, target),
        budget_seconds=request.budget_seconds or budget_seconds,
        candidates=request.candidates or DEFAULT_CANDIDATES,
        profile=request.profile or "best",
        seed=seed if request.seed is None else request.seed,
        assumptions=tuple(dict.fromkeys(said)),
    )


def _gaps(profile: Profile, target: str) -> tuple[str, ...]:
    column = target_column(profile, target)
    gone = column.missing + column.infinite
    return (f"{gone:,} of {profile.rows:,} rows have no usable value in “{target}” and are left out.",) if gone else ()


def _ignored(request: Request, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    """Columns that were asked for but cannot be used."""
    refused = [
        column
        for column in columns
        if column.name in request.include and not column.use and column.name not in request.exclude
    ]
    return tuple(
        f"“{column.name}” cannot be used: {column.reason[:1].lower()}{column.reason[1:]}" for column in refused
    )


def revise(contract: Contract, request: Request, profile: Profile, *, previous: Request | None = None) -> Contract:
    """The contract after a follow-up. What was edited at the gate stays, unless the follow-up speaks of it.

    `previous` is the request that the contract was made for; with it only the fields that changed are applied.
    """
    if request.target != contract.target:
        return propose(request, profile, budget_seconds=contract.budget_seconds, seed=contract.seed)
    renewed = propose(
        changed_request(contract, request, previous),
        profile,
        budget_seconds=contract.budget_seconds,
        seed=contract.seed,
    )
    costs = contract.costs if (renewed.task, set(renewed.classes)) == (contract.task, set(contract.classes)) else None
    kept = {"row_unit": contract.row_unit, "costs": costs, "weight_column": contract.weight_column}
    return renewed.model_copy(update={"columns": _kept_edits(contract, renewed, request), **kept})


def _kept_edits(contract: Contract, renewed: Contract, request: Request) -> tuple[ColumnPlan, ...]:
    edited = {column.name: column for column in contract.columns if column.reason.endswith("in the contract.")}
    spoken = {*request.include, *request.exclude}
    kept = tuple(
        edited[column.name] if column.name in edited and column.name not in spoken else column
        for column in renewed.columns
    )
    check_features(kept, contract.target)
    return kept


def merge(contract: Contract, changes: dict[str, object], profile: Profile, templates: Path | None = None) -> Contract:
    """The contract with the user's edits, each checked; `ContractError` for the first that does not fit.

    Another target or task makes everything that hangs on it anew. Fields: see `agents.planning.changes.FIELDS`.
    `templates`: the user's folder of model templates.
    """
    return merged(contract, changes, profile, propose, templates)


def problems(contract: Contract, profile: Profile) -> tuple[str, ...]:
    """Why the contract cannot be run as it is, a sentence each; empty when it is sound."""
    found: list[str] = []
    for check in (_check_target, _check_columns, _check_split, _check_metric, _check_candidates):
        try:
            check(contract, profile)
        except ContractError as error:
            found.append(str(error))
    return tuple(found)


def _check_target(contract: Contract, profile: Profile) -> None:
    plan = plan_target(profile, contract.target, contract.task, contract.positive_class, strict=True)
    if plan.task != contract.task:
        raise ContractError(f"“{contract.target}” makes a {plan.task} task, but the contract says {contract.task}.")
    if set(plan.classes) != set(contract.classes):
        raise ContractError(f"The classes in the contract are not those of “{contract.target}”.")
    if contract.task == "binary" and contract.positive_class is None:
        raise ContractError("A task with two classes needs a positive class.")


def _check_columns(contract: Contract, profile: Profile) -> None:
    unknown = [column.name for column in contract.columns if column.name not in profile.names]
    if unknown:
        raise ContractError(f"The table has no column “{unknown[0]}”.")
    if any(column.name == contract.target for column in contract.columns):
        raise ContractError(f"“{contract.target}” is the target, so it cannot be a feature as well.")
    check_features(contract.columns, contract.target)


def _check_split(contract: Contract, profile: Profile) -> None:
    check_split(contract.split.rule, contract.split.column, profile, contract.target, contract.task)


def _check_metric(contract: Contract, profile: Profile) -> None:
    check_metric(contract.metric, contract.task)
    for name in contract.also:
        check_metric(name, contract.task)


def _check_candidates(contract: Contract, profile: Profile) -> None:
    unknown = [name for name in contract.candidates if name not in DEFAULT_CANDIDATES]
    if unknown:
        raise ContractError(f"There is no kind of model “{unknown[0]}”; there are {', '.join(DEFAULT_CANDIDATES)}.")
    if not contract.candidates:
        raise ContractError("At least one kind of model has to be tried.")
