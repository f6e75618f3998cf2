"""Reads features.py as text: it is never imported here, and runs nowhere but in the training script in the sandbox."""

import ast
from functools import lru_cache
from importlib import resources

from tools.blueprints.model import BlueprintError, Feature
from tools.blueprints.script import OWN_NAMES
from tools.blueprints.source import defined, names_of, texts_of
from tools.lint import check
from tools.lint.program import words
from tools.syntax import tree_of

ALLOWED = ("import numpy as np", "import pandas as pd")
OTHER_ROWS = words(
    "mean median std var sem sum prod min max rank quantile mode describe nunique unique value_counts cumsum "
    "cumprod cummax cummin shift diff pct_change rolling expanding ewm groupby sort_values sort_index factorize "
    "qcut argsort argmax argmin idxmax idxmin transform agg aggregate apply pipe ffill bfill interpolate nanmean "
    "nanmedian nanmax nanmin nanstd nansum average percentile nanpercentile nanquantile corr cov drop_duplicates "
    "duplicated sample head tail"
)
"""Methods that look at other rows, unless they are told to work along a row (axis=1)."""


def read_features(source: str, *, linted: bool = True) -> tuple[tuple[Feature, ...], str]:
    """The functions of features.py and its text without imports; `BlueprintError` with the line of what is wrong."""
    blocking = next((found for found in check(source) if found.blocks), None) if linted else None
    if blocking is not None:
        raise BlueprintError(f"line {blocking.line}: {blocking.sentence}")
    tree = tree_of(source)
    kept = [node for node in tree.body if not _is_docstring(node) and not _is_import(node)]
    for node in kept:
        _check_statement(node)
    functions = [node for node in kept if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    text = "\n\n\n".join(part for part in texts_of(source, kept) if part)
    return tuple(_feature(node) for node in functions), text


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node) in ALLOWED


def _check_statement(node: ast.stmt) -> None:
    if isinstance(node, ast.FunctionDef):
        _check_function(node)
    elif not (isinstance(node, ast.Assign) and all(_is_capital(target) for target in node.targets)):
        raise _wrong(node, "besides functions and constants in CAPITALS only numpy as np and pandas as pd may stand")
    elif not _is_literal(node.value):
        raise _wrong(node, "a constant has to be a plain value")
    for name in defined(node):
        if name in taken_names():
            raise _wrong(node, f"the training script has a “{name}” of its own; choose another name")


def _check_function(node: ast.FunctionDef) -> None:
    given = node.args
    if node.decorator_list or given.vararg or given.kwarg or given.posonlyargs or given.kwonlyargs:
        raise _wrong(node, f"“{node.name}” has to be a plain function with plain parameters")
    if node.name.startswith("_"):
        return _check_rows(node)
    if not given.args:
        raise _wrong(node, f"“{node.name}” has no parameter; its parameters are the columns that it uses")
    if any(not (isinstance(default, ast.Constant) and default.value is None) for default in given.defaults):
        raise _wrong(node, f"a parameter of “{node.name}” may have the default None and no other")
    if not ast.get_docstring(node):
        raise _wrong(node, f"“{node.name}” needs a docstring: what it means, in one sentence")
    return _check_rows(node)


def _check_rows(function: ast.FunctionDef) -> None:
    for node in ast.walk(function):
        if not isinstance(node, ast.Attribute) or node.attr not in OTHER_ROWS:
            continue
        if not any(
            isinstance(call, ast.Call) and call.func is node and _along_rows(call) for call in ast.walk(function)
        ):
            raise _wrong(
                node, f"“.{node.attr}” looks at other rows (or add axis=1); a feature may use its own row only"
            )


def _along_rows(call: ast.Call) -> bool:
    return any(
        word.arg == "axis" and isinstance(word.value, ast.Constant) and word.value.value == 1 for word in call.keywords
    )


def _is_capital(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id.isupper()


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def taken_names() -> frozenset[str]:
    """What the training scripts define at their top level, and what is added to them for a blueprint."""
    files = [file for file in resources.files("tools.recipes").iterdir() if file.name.endswith(".py")]
    texts = [file.read_text(encoding="utf-8") for file in files if not file.name.startswith("_")]
    return OWN_NAMES.union(*(names_of(text) for text in texts)) - {"pd", "np"}


def _wrong(node: ast.AST, what: str) -> BlueprintError:
    return BlueprintError(f"line {getattr(node, 'lineno', 1)}: {what}")


def _feature(node: ast.FunctionDef) -> Feature:
    names = [argument.arg for argument in node.args.args]
    free = len(names) - len(node.args.defaults)
    meaning = " ".join((ast.get_docstring(node) or "").split())
    return Feature(name=node.name, meaning=meaning, needs=tuple(names[:free]), uses=tuple(names[free:]))
