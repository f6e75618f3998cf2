"""Fills the recipe `chosen` from a contract whose model was chosen by hand."""

import ast
from collections.abc import Mapping
from typing import Any

from tools.contract import Contract
from tools.models.catalogue import Estimator, estimators
from tools.models.choice import Dimension, ModelChoice, ModelError, Value
from tools.syntax import tree_of

N_JOBS = 2
SHOWN_AS = "Estimator"


def parameters(contract: Contract) -> dict[str, Any]:
    """The CAPITALS of the recipe that hang on the model."""
    choice = _choice(contract)
    one = _estimator(choice)
    regression = contract.task == "regression"
    settings = {**one.settings, **(one.settings_numbers if regression else one.settings_classes)}
    preparation = {**one.preparation, **(one.preparation_numbers if regression else one.preparation_classes)}
    there = one.of(contract.task)
    set_by: dict[str, Value] = {name: known.default for name, known in there.items() if known.default is not None}
    set_by.update(choice.parameters)
    columns = {name for name, known in there.items() if known.part == "columns"}
    stands_for: Mapping[str, int] = {"SEED": contract.seed, "N_JOBS": N_JOBS}
    return {
        "NAME": one.name,
        "PARAMETERS": {name: value for name, value in set_by.items() if name not in columns},
        "SETTINGS": {name: stands_for.get(str(value), value) for name, value in settings.items()},
        "PREPARATION": {
            "levels": "codes",
            "scale": "no",
            "gaps": False,
            **preparation,
            **{name: set_by[name] for name in sorted(columns)},
        },
        "SEARCH": choice.search,
        "SPACE": {found.name: _searched(found) for found in choice.space},
        "TRIALS": choice.trials,
        "FOLDS": choice.folds,
    }


def with_estimator(script: str, contract: Contract) -> str:
    """The script with the import of the chosen class instead of the one that stands in the recipe."""
    path = _estimator(_choice(contract)).path(contract.task)
    if path is None:
        raise ModelError(f"{contract.model and contract.model.estimator} does not predict what “{contract.target}” is.")
    module, _, name = path.rpartition(".")
    node = next(
        node
        for node in tree_of(script).body
        if isinstance(node, ast.ImportFrom) and node.names[0].asname == SHOWN_AS and len(node.names) == 1
    )
    lines = script.splitlines(keepends=True)
    comment = lines[node.lineno - 1].rstrip("\n").partition("#")[2]
    lines[node.lineno - 1] = f"from {module} import {name} as {SHOWN_AS}  #{comment}\n"
    return "".join(lines)


def _choice(contract: Contract) -> ModelChoice:
    if contract.model is None:
        raise LookupError("The contract has no model that was chosen by hand.")
    return contract.model


def _estimator(choice: ModelChoice) -> Estimator:
    try:
        return estimators()[choice.estimator]
    except KeyError as error:
        raise ModelError(f"There is no kind of model “{choice.estimator}” any more.") from error


def _searched(found: Dimension) -> list[Value] | dict[str, Any]:
    if found.values:
        return list(found.values)
    return {"low": found.low, "high": found.high, "log": found.log}
