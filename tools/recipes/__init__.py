"""Whole training programs, readable and runnable alone; the expert fills the CAPITALS on top from the contract."""

import ast
import pprint
from collections.abc import Mapping
from importlib import resources
from typing import Any

from tools.blueprints import script as blueprint
from tools.contract import Contract


class RecipeError(ValueError):
    """A parameter is unknown or was left unset."""


def text(recipe: str) -> str:
    """The program as it is in this folder; `recipe` is its file name without .py."""
    return resources.files(__package__).joinpath(f"{recipe}.py").read_text(encoding="utf-8")


def parameters(source: str) -> dict[str, Any]:
    """The CAPITALS on top of a program: name -> value, for every top-level assignment of a literal."""
    return {name: ast.literal_eval(node.value) for name, node in _assignments(source).items()}


def _assignments(source: str) -> dict[str, ast.Assign]:
    found: dict[str, ast.Assign] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.isupper() and _is_literal(node.value):
                found[name] = node
    return found


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def fill(recipe: str, values: Mapping[str, Any]) -> str:
    """The program with every parameter set; unknown or unset ones are a `RecipeError`. Comments behind them stay."""
    source = text(recipe)
    places = _assignments(source)
    unknown, unset = sorted(set(values) - set(places)), sorted(set(places) - set(values))
    if unknown:
        raise RecipeError(f"Recipe “{recipe}” has no parameter {unknown[0]}; it has {', '.join(places)}.")
    if unset:
        raise RecipeError(f"Recipe “{recipe}” needs a value for {', '.join(unset)}.")
    return _replaced(source, {places[name].value: _literal(value) for name, value in values.items()})


def _literal(value: Any) -> str:
    """Python source of a plain value, wrapped where it is long; anything that is not plain is refused."""
    plain = list(value) if isinstance(value, tuple) else value
    written = pprint.pformat(plain, width=110, compact=True, sort_dicts=False)
    try:
        same = bool(ast.literal_eval(written) == plain)
    except ValueError:
        same = False
    if not same:
        raise RecipeError(f"{value!r} cannot be written as a Python literal.")
    return written if len(written) < 90 or written[0] not in "[{" else f"{written[0]}\n {written[1:-1]},\n{written[-1]}"


def _replaced(source: str, changes: Mapping[ast.expr, str]) -> str:
    """Source positions are in UTF-8 bytes, so the text is cut as bytes."""
    lines = source.encode().splitlines(keepends=True)
    for node, new in sorted(changes.items(), key=lambda change: -change[0].lineno):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + new.encode() + tail]
    return b"".join(lines).decode()


def recipe_for(contract: Contract, *, train_seconds: float) -> str:
    """The training script of a contract: the recipe of its task with everything filled in."""
    common = {
        **blueprint.parameters(contract, _kinds(contract)),
        "TARGET": contract.target,
        "SPLIT": contract.split.rule if contract.split.rule in ("time", "group") else "random",
        "METRIC": contract.metric,
        "CANDIDATES": list(contract.candidates),
        "TIME_BUDGET": round(float(train_seconds), 1),
        "SEED": contract.seed,
        "N_JOBS": 2,
    }
    if contract.task == "regression":
        return blueprint.with_functions(fill("regression", common), contract)
    script = fill("classification", {**common, "CLASSES": ordered_classes(contract)})
    return blueprint.with_functions(script, contract)


def predictor_for(contract: Contract) -> str:
    """The program that predicts a table with the model.joblib beside it (and train.py, its definitions)."""
    return fill("predict", _prediction(contract))


def worker_for(contract: Contract) -> str:
    """The program that stays: loads inputs/model.joblib with the text of `predictor_for` and answers on stdout."""
    predicting, answering = predictor_for(contract), text("worker")
    guard = ast.parse(predicting).body[-1]
    shared = next(node for node in ast.parse(answering).body if _is_from_here(node))
    lines = answering.splitlines(keepends=True)
    own = "".join([*lines[: shared.lineno - 1], *lines[shared.end_lineno :]])
    return "".join(predicting.splitlines(keepends=True)[: guard.lineno - 1]) + own


def _is_from_here(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == f"{__name__}.predict"


def baseline_for(contract: Contract) -> str:
    """The program of the baselines: inputs/{train,holdout_features}.parquet -> outputs/{dummy,linear}.parquet."""
    return fill("baseline", {**_kinds(contract), **_target(contract), "METRIC": contract.metric, "MAX_ROWS": 20_000})


def audit_for(contract: Contract, *, seconds: float) -> str:
    """The program of the probes on training rows: inputs/train.parquet -> outputs/probe.json."""
    kinds = _kinds(contract)
    del kinds["TEXTS"]
    work = {"MAX_ROWS": 4000, "SHUFFLES": 3, "SECONDS": round(seconds, 1)}
    return fill("audit", {**kinds, **_target(contract), **work})


def learning_for(contract: Contract, *, seconds: float) -> str:
    """The program of the learning curve: inputs/train.parquet -> outputs/learning.json."""
    kinds = _kinds(contract)
    del kinds["TEXTS"]
    work = {
        "SPLIT": "time" if contract.split.rule == "time" else "random",
        "MAX_ROWS": 10_000,
        "PARTS": 5,
        "REPEATS": 5,
    }
    return fill("learning", {**kinds, **_target(contract), **work, "SECONDS": round(seconds, 1)})


def _kinds(contract: Contract) -> dict[str, list[str]]:
    features = [column for column in contract.columns if column.use]
    return {
        "NUMBERS": [column.name for column in features if column.role == "number"],
        "CATEGORIES": [column.name for column in features if column.role not in ("number", "date", "text")],
        "DATES": [column.name for column in features if column.role == "date"],
        "TEXTS": [column.name for column in features if column.role == "text"],
    }


def _target(contract: Contract) -> dict[str, Any]:
    return {"TARGET": contract.target, "CLASSES": list(contract.classes), "SEED": contract.seed}


def _prediction(contract: Contract) -> dict[str, Any]:
    kinds = _kinds(contract)
    return {
        "CLASSES": list(contract.classes),
        "FEATURES": list(contract.features),
        "NUMBERS": kinds["NUMBERS"],
        "DATES": kinds["DATES"],
    }


def ordered_classes(contract: Contract) -> list[str]:
    """Of two classes the positive one comes second; more keep the contract's order."""
    if contract.task != "binary" or contract.positive_class is None:
        return list(contract.classes)
    return [label for label in contract.classes if label != contract.positive_class] + [contract.positive_class]
