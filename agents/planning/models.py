"""A model that was chosen by hand, as part of a contract: by words, on the command line or at the gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.code_generator import training_seconds
from agents.planning.judging import also_for, cost_of_errors
from agents.planning.target import plan_target
from tools.contract import Contract, ContractError
from tools.metrics import METRICS
from tools.models.catalogue import estimator, plain_name
from tools.models.choice import ModelChoice, ModelError
from tools.models.cost import check_time
from tools.models.reading import read_choice
from tools.models.shelf import Shelf, check_name, save, shelf
from tools.profile import Profile

USUAL = "lightgbm"
"""What is tuned when somebody says "tune it" and names no kind."""
_OFF = ("", "no", "none", "off", "auto", "automatic", "false")
_ONE_HOT = 8
"""Columns that a category becomes, on average."""


def with_model(
    contract: Contract, order: object, profile: Profile, templates: Path | None, *, metric_said: bool = False
) -> Contract:
    """The contract with the model that an order asks for; no, off or nothing takes an earlier one back.

    A template may bring the measure for its problem, unless the user has named one. Raises `ContractError`.
    """
    wanted = _mapping(order, templates)
    if wanted is None:
        return contract.model_copy(update={"model": None})
    try:
        found = shelf(templates)
        if wanted.get("save_as"):
            check_name(str(wanted["save_as"]))
        if not ({"estimator", "template"} & set(wanted)) and contract.model is None:
            wanted = {"estimator": USUAL, **wanted}
        choice = read_choice(wanted, contract.task, found, contract.model)
        if wanted.get("template") and not metric_said:
            contract = _with_metric(contract, str(wanted["template"]), found, profile)
        return _timed(contract.model_copy(update={"model": choice}), profile)
    except ModelError as error:
        raise ContractError(str(error)) from error


def _mapping(order: object, templates: Path | None) -> dict[str, Any] | None:
    """A word alone is a kind of model, or a template."""
    if order is None or order is False or (isinstance(order, str) and order.strip().casefold() in _OFF):
        return None
    if isinstance(order, str):
        try:
            return {"estimator": estimator(order).name}
        except ModelError as error:
            if any(plain_name(order) == plain_name(one.name) for one in shelf(templates).templates):
                return {"template": order}
            raise ContractError(str(error)) from error
    if not isinstance(order, Mapping):
        raise ContractError("A model is the name of its kind, or a kind with parameters; no leaves the choice to us.")
    given = {str(name): value for name, value in order.items() if value is not None and value != ""}
    named = given.get("estimator")
    if isinstance(named, str) and named.strip().casefold() in _OFF:
        return None
    return given or None


def checked(contract: Contract, profile: Profile) -> Contract:
    """The contract once more, after something else in it was changed: does the model still fit, is there time?"""
    if contract.model is None:
        return contract
    try:
        if estimator(contract.model.estimator).path(contract.task) is None:
            raise ModelError(
                f"{estimator(contract.model.estimator).title} cannot predict “{contract.target}” ({contract.task}); "
                "choose another kind of model, or model=no."
            )
        return _timed(contract, profile)
    except ModelError as error:
        raise ContractError(str(error)) from error


def kept(choice: ModelChoice | None, contract: Contract, profile: Profile) -> Contract:
    """An earlier choice in a contract that was made anew; where it does not fit any more it is dropped and said."""
    if choice is None:
        return contract
    try:
        there = tuple((name, value) for name, value in choice.parameters if _exists(name, choice, contract))
        searched = tuple(one for one in choice.space if _exists(one.name, choice, contract))
        search = choice.search if searched else "none"
        same = choice.model_copy(update={"parameters": there, "space": searched, "search": search})
        return checked(contract.model_copy(update={"model": same}), profile)
    except ContractError as error:
        said = f"{error} Until then I choose the models myself."
        return contract.model_copy(update={"model": None, "assumptions": (*contract.assumptions, said)})


def _exists(name: str, choice: ModelChoice, contract: Contract) -> bool:
    return name in estimator(choice.estimator).of(contract.task)


def save_wanted(contract: Contract, order: object, templates: Path | None) -> Path | None:
    """Keep the contract's model as a template where the order says so; None where it does not. Raises OSError."""
    name = order.get("save_as") if isinstance(order, Mapping) else None
    if not name or contract.model is None or templates is None:
        return None
    return save(contract.model, str(name), templates)


def _with_metric(contract: Contract, template: str, found: Shelf, profile: Profile) -> Contract:
    name = found.named(template).metric.get(contract.task)
    if name is None or name == contract.metric or contract.task not in METRICS[name].tasks:
        return contract
    plan = plan_target(profile, contract.target, contract.task, contract.positive_class)
    said = f"The template “{template}” judges by {METRICS[name].label}; name another measure if you want one."
    return contract.model_copy(
        update={
            "metric": name,
            "also": also_for(name, plan),
            "cost_of_errors": cost_of_errors(name, plan),
            "assumptions": (*contract.assumptions, said),
        }
    )


def _timed(contract: Contract, profile: Profile) -> Contract:
    """With a sentence where the time will not do for all of a search; `ModelError` where it makes no sense."""
    assert contract.model is not None
    one = estimator(contract.model.estimator)
    sentence = check_time(
        one,
        contract.model,
        contract.task,
        rows=round(profile.rows * (1 - contract.split.holdout_fraction)),
        columns=_width(contract, one.preparation.get("levels") == "one_hot"),
        classes=len(contract.classes),
        seconds=training_seconds(contract.budget_seconds),
    )
    return contract.model_copy(update={"model": contract.model.model_copy(update={"sentence": sentence})})


def _width(contract: Contract, one_hot: bool) -> int:
    """Columns of the matrix that the model sees, roughly."""
    by_role = {"number": 1, "date": 6, "text": 80}
    used = [column for column in contract.columns if column.use]
    return sum(by_role.get(column.role, _ONE_HOT if one_hot else 1) for column in used)
