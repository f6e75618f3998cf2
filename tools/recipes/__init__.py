"""Whole training programs, readable and runnable alone; the expert fills the CAPITALS on top from the contract."""

import ast
import pprint
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import Any

from tools.blueprints import script as blueprint
from tools.contract import Contract
from tools.metrics import METRICS
from tools.models import script as chosen
from tools.recipes.compose import folded, joined
from tools.recipes.plan import LEAST_TO_SIEVE, LEAST_TO_STACK, MOST_TO_SEARCH, MOST_TO_SHARE, UNKNOWN, less, plan, width
from tools.syntax import tree_of


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
    for node in tree_of(source).body:
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
        statement = tree_of(written).body[0]
        same = isinstance(statement, ast.Expr) and bool(ast.literal_eval(statement.value) == plain)
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


def recipe_for(contract: Contract, *, train_seconds: float, rows: int | None = None) -> str:
    """The training script of a contract: the recipe of its task with everything filled in.

    `rows` are those of training: they decide how much is done, and what a table of this size cannot use is left out.
    None: nobody knows yet, a table of usual size is assumed.
    """
    if contract.model is not None:
        return _chosen_for(contract, train_seconds=train_seconds)
    kinds = blueprint.parameters(contract, _kinds(contract))
    work = plan(contract, kinds, seconds=train_seconds, cores=CORES, rows=rows)
    values = {
        **kinds,
        **asdict(work),
        "TARGET": contract.target,
        "CLASSES": ordered_classes(contract),
        "ORDER": list(contract.classes),
        "METRIC": contract.metric,
        "TIME_BUDGET": round(float(train_seconds), 1),
        "SEED": contract.seed,
        "N_JOBS": CORES,
        "KINDS": _kinds_of_model(contract, dear=len(work.STRENGTHS["linear"]) == 1),
    }
    source = _training(_facts(contract, kinds, rows), contract.metric, contract.profile == "explainable")
    places = _assignments(source)
    wanted = {name: value for name, value in values.items() if name in places}
    script = _replaced(source, {places[name].value: _literal(value) for name, value in wanted.items()})
    return blueprint.with_functions(script, contract)


CORES = 2
TRAINING_PIECES = ("train_settings", "train_columns", "train_judging", "train_models")
ABSOLUTE_METRICS = ("mae", "mape", "median_absolute_error")
RANKING_METRICS = ("roc_auc", "average_precision")
PROBABILITY_METRICS = ("log_loss", "brier")


def _kinds_of_model(contract: Contract, *, dear: bool) -> list[str]:
    """What is tried, the first one of which makes the first model; one linear kind where such models take long."""
    names, twice = _families(contract), {"lightgbm_small": "lightgbm", "linear_quantiles": "linear"}
    order = [
        "lightgbm",
        "linear",
        "extra_trees",
        "lightgbm_small",
        "xgboost",
        "catboost",
        "linear_quantiles",
        "neural_net",
    ]
    if dear:  # quantiles are shared with the network, but a trend goes beyond them
        order.remove("linear_quantiles" if contract.split.rule == "time" else "linear")
    return [name for name in order if twice.get(name, name) in names]


def _families(contract: Contract) -> tuple[str, ...]:
    """The kinds of model that the contract names; of a compact model those that are small."""
    if contract.profile != "compact":
        return contract.candidates
    return tuple(name for name in contract.candidates if name in ("lightgbm", "linear", "catboost")) or ("linear",)


@cache
def _training(facts: frozenset[tuple[str, bool]], metric: str, explainable: bool) -> str:
    """The training program with nothing in it that is idle where these facts hold."""
    main, pieces = ("explainable", TRAINING_PIECES[:3]) if explainable else ("training", TRAINING_PIECES)
    known = dict(facts)
    needed = {"weights": known["WEIGHTED"], "rule": known["REGRESSION"] or known["LABELLED"]}
    if not explainable:
        needed["whole"] = known["LARGE"] and not known["BY_TIME"]
    absent = [name for name, is_needed in needed.items() if not is_needed]
    return folded(joined(text(main), [text(piece) for piece in pieces]), {**known, "METRIC": metric}, absent)


def _facts(contract: Contract, kinds: Mapping[str, list[str]], rows: int | None) -> frozenset[tuple[str, bool]]:
    regression, compact = contract.task == "regression", contract.profile == "compact"
    by_time = contract.split.rule == "time"
    rows, names = rows or UNKNOWN, _families(contract)
    return frozenset(
        {
            "REGRESSION": regression,
            "ABSOLUTE": regression and contract.metric in ABSOLUTE_METRICS,
            "SEVERAL": contract.task == "multiclass",
            "RANKED": contract.metric in RANKING_METRICS,
            "LESS_IS_BETTER": not METRICS[contract.metric].greater_is_better,
            "LABELLED": not regression and contract.metric not in RANKING_METRICS + PROBABILITY_METRICS,
            "BY_TIME": by_time,
            "BY_GROUP": contract.split.rule == "group",
            "WEIGHTED": contract.weight_column is not None,
            "COMPACT": compact,
            "HAS_CATEGORIES": bool(kinds["CATEGORIES"]),
            "HAS_DATES": bool(kinds["DATES"]),
            "HAS_TEXTS": bool(kinds["TEXTS"]),
            "LIGHTGBM": "lightgbm" in names,
            "XGBOOST": "xgboost" in names,
            "CATBOOST": "catboost" in names,
            "FOREST": "extra_trees" in names,
            "LINEAR": "linear" in names,
            "NEURAL": "neural_net" in names,
            "STACKED": "lightgbm" in names and rows >= LEAST_TO_STACK and not (by_time or compact),
            "SIEVED": rows > LEAST_TO_SIEVE,
            "LARGE": rows > MOST_TO_SEARCH,
            "BIG": rows * width(kinds) >= MOST_TO_SHARE,
        }.items()
    )


def _chosen_for(contract: Contract, *, train_seconds: float) -> str:
    """The training script of a model that was chosen by hand."""
    values = {
        **blueprint.parameters(contract, _kinds(contract)),
        **chosen.parameters(contract),
        "TARGET": contract.target,
        "CLASSES": ordered_classes(contract),
        "ORDER": list(contract.classes),
        "SPLIT": contract.split.rule if contract.split.rule in ("time", "group") else "random",
        "METRIC": contract.metric,
        "TIME_BUDGET": round(float(train_seconds), 1),
        "SEED": contract.seed,
    }
    return blueprint.with_functions(chosen.with_estimator(fill("chosen", values), contract), contract)


def predictor_for(contract: Contract) -> str:
    """The program that predicts a table with the model.joblib beside it (and train.py, its definitions)."""
    checks = resources.files("tools").joinpath("rowwise.py").read_text(encoding="utf-8")
    return _composed(fill("predict", _prediction(contract)), checks, text("home"))


def explainer_for(contract: Contract) -> str:
    """The program that explains the model beside it, with the text of tools/explaining/shapley.py in it."""
    positive = contract.positive_class or contract.classes[-1] if contract.task == "binary" else ""
    program = text("explain")
    places, values = _assignments(program), {"POSITIVE": positive, "SEED": contract.seed}
    filled = _replaced(program, {places[name].value: _literal(value) for name, value in values.items()})
    shapley = resources.files("tools.explaining").joinpath("shapley.py").read_text(encoding="utf-8")
    return _with_shapley(filled, shapley)


def _with_shapley(program: str, shapley: str) -> str:
    """The module's text below the imports, instead of the line that imports it."""
    line = next(node for node in tree_of(program).body if _is_ours(node))
    imports = [node for node in tree_of(shapley).body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines, module = program.splitlines(keepends=True), shapley.splitlines(keepends=True)
    missing = [one for one in imports if ast.unparse(one) not in program]
    needed = "".join("".join(module[one.lineno - 1 : one.end_lineno]) for one in missing)
    body = "".join(module[imports[-1].end_lineno or 0 :]).strip("\n")
    return "".join([*lines[: line.lineno - 1], needed, *lines[line.end_lineno :]]).replace(
        "\n\n\ndef put_together", f"\n\n{body}\n\n\ndef put_together", 1
    )


def worker_for(contract: Contract) -> str:
    """The program that stays: loads inputs/model.joblib with the text of `predictor_for` and answers on stdout."""
    predicting, answering = fill("predict", _prediction(contract)), text("worker")
    shared = next(node for node in tree_of(answering).body if _is_ours(node))
    lines = answering.splitlines(keepends=True)
    own = "".join([*lines[: shared.lineno - 1], *lines[shared.end_lineno :]])
    return f"{predicting}\n\n{own}"


def _composed(first: str, *others: str) -> str:
    """One program of several: imports of all on top of the first, the rest below it."""
    known = [node for node in tree_of(first).body if isinstance(node, ast.Import | ast.ImportFrom)]
    written, added, bodies = {ast.unparse(node) for node in known}, dict[str, bool](), []
    for source in others:
        imports = [node for node in tree_of(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        added |= {ast.unparse(node): _is_built_in(node) for node in imports if not _is_ours(node)}
        bodies.append("".join(source.splitlines(keepends=True)[imports[-1].end_lineno or 0 :]).strip("\n"))
    lines = first.splitlines(keepends=True)
    for built_in in (False, True):  # from below, so that the places above stay
        place = max(node.end_lineno or 0 for node in known if _is_built_in(node) or not built_in)
        lines[place:place] = [f"{text}\n" for text, is_so in added.items() if is_so == built_in and text not in written]
    return "\n\n\n".join(["".join(lines).rstrip("\n"), *bodies]) + "\n"


def _is_built_in(node: ast.Import | ast.ImportFrom) -> bool:
    name = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
    return name.split(".")[0] in sys.stdlib_module_names


def _is_ours(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tools.")


def baseline_for(contract: Contract) -> str:
    """The program of the baselines: inputs/{train,holdout_features}.parquet -> outputs/{dummy,linear}.parquet."""
    return fill("baseline", {**_kinds(contract), **_target(contract), "METRIC": contract.metric, "MAX_ROWS": 20_000})


AUDIT_PIECES = ("audit_models", "audit_columns", "audit_identities", "audit_rows", "audit_suite")


def audit_for(contract: Contract, *, seconds: float) -> str:
    """The program of the probes: inputs/{train,holdout_features}.parquet -> outputs/probe.json."""
    work = {
        "SPLIT": contract.split.rule,
        "SPLIT_COLUMN": contract.split.column or "",
        "MAX_ROWS": 2000,
        "SHUFFLES": 3,
        "SECONDS": round(seconds, 1),
    }
    return _with_pieces(fill("audit", {**_kinds(contract), **_target(contract), **work}), AUDIT_PIECES)


def _with_pieces(program: str, pieces: tuple[str, ...]) -> str:
    """The program with the pieces that it imports standing in its text, where the first of them was imported."""
    ours = [node for node in tree_of(program).body if _is_ours(node)]
    lines = program.splitlines(keepends=True)
    for node in reversed(ours):
        lines[node.lineno - 1 : node.end_lineno] = []
    at = ours[0].lineno - 1
    return "".join([*lines[:at], *(_bare(text(piece)) for piece in pieces), *lines[at:]])


def _bare(source: str) -> str:
    """Without its docstring and the imports of ours."""
    lines = source.splitlines(keepends=True)
    for node in reversed(tree_of(source).body):
        if _is_ours(node) or (isinstance(node, ast.Expr) and node.lineno == 1):
            lines[node.lineno - 1 : node.end_lineno] = []
    return "".join(lines).strip("\n") + "\n\n\n"


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


def resplit_for(contract: Contract, *, seconds: float) -> str:
    """The program of other splits: inputs/{train,order}.parquet -> predictions of random, later and unseen rows."""
    kinds = _kinds(contract)
    del kinds["TEXTS"]
    work = {"ORIGINS": [0.5, 0.6, 0.7, 0.8, 0.9], "FOLDS": 5, "MAX_ROWS": 10_000, "SECONDS": round(seconds, 1)}
    return fill("resplit", {**kinds, **_target(contract), **work})


def nested_for(contract: Contract, *, folds: int, seconds: float) -> str:
    """The program that runs inputs/train.py on outer folds: inputs/{train,groups}.parquet -> outputs/nested.parquet."""
    split = contract.split.rule if contract.split.rule in ("time", "group") else "random"
    return fill("nested", {**_target(contract), "SPLIT": split, "FOLDS": folds, "SECONDS": round(seconds, 1)})


def with_budget(script: str, seconds: float) -> str:
    """The same training script with other seconds to work in, and less work where they are fewer (our own recipes).

    One that keeps no budget stays as it is.
    """
    places, told = _assignments(script), parameters(script)
    if "TIME_BUDGET" not in places:
        return script
    changed = {"TIME_BUDGET": round(float(seconds), 1), **less(told, seconds / told["TIME_BUDGET"])}
    return _replaced(script, {places[name].value: repr(value) for name, value in changed.items()})


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
