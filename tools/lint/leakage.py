"""Ways in which a script can fool its author: the answer among the features, learning before the split, written scores.

These are heuristics over straight-line code: a table is followed from where it is read, through renamings, column
choices and cleaning, to where something is fitted on it. What cannot be followed is not reported.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tools.lint.finding import Finding, error, warning
from tools.lint.program import Program, words

SPLITS = words(
    """
    train_test_split KFold StratifiedKFold GroupKFold StratifiedGroupKFold TimeSeriesSplit RepeatedKFold
    RepeatedStratifiedKFold ShuffleSplit StratifiedShuffleSplit GroupShuffleSplit LeaveOneOut cross_val_score
    cross_validate cross_val_predict GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV
    """
)
CROSS = words("cross_val_score cross_validate cross_val_predict learning_curve validation_curve")
HARMLESS_FITS = words("LabelEncoder LabelBinarizer MultiLabelBinarizer FunctionTransformer CountEncoder")
"""They learn names from the labels and nothing about the rows."""
READS = words("read_parquet read_csv read_table read_json read_excel read_feather")
KEEPS = words(
    """
    copy fillna dropna astype sample reset_index sort_values drop_duplicates select_dtypes replace rename assign
    convert_dtypes infer_objects set_index clip round to_numpy head query interpolate ffill bfill where mask
    """
)
"""Methods after which a table still has every column (or all of one kind) and every row that counts."""
SCORES = words(
    """
    score scores cv_score best_score mean_score test_score val_score accuracy balanced_accuracy auc roc_auc
    average_precision pr_auc log_loss logloss f1 precision recall brier rmse mse mae r2 mape
    median_absolute_error
    """
)
_SPOKEN = re.compile(
    r"\b(accuracy|auc|f1|precision|recall|r2|rmse|mse|mae|mape|log_?loss|score)\b[^\n{}]{0,16}?[:=]\s*[01]?\.\d+",
    re.IGNORECASE,
)
_TOLD = re.compile(r"\"(cv_score|value|score)\"\s*:\s*-?\d+\.\d+")

Has = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Table:
    """What is known of a name: all rows of the table, and whether the target is still among its columns."""

    target: Has
    is_target: bool = False
    """The column that is predicted, alone."""


Known = dict[str, Table]


def findings(program: Program, *, target: str, features: Sequence[str]) -> Iterator[Finding]:
    """Everything that leaks, in the order of the rules."""
    yield from _listed_target(program, target, features)
    yield from _flow(program, target)
    yield from _written_scores(program)
    yield from _no_model(program)


def _listed_target(program: Program, target: str, features: Sequence[str]) -> Iterator[Finding]:
    """FEATURES = [..., TARGET]"""
    if target in features:
        return
    for name, value in program.values.items():
        listed = program.literal(value)
        if not re.search(r"feature|predictor|^X_?col|^inputs?$|_FEATURES$", name, re.IGNORECASE):
            continue
        if isinstance(value, ast.Dict):
            listed = [program.literal(key) for key in value.keys if key is not None]
        if isinstance(listed, list) and target in listed:
            yield _target_leak(value, target, f"the list {name}")


def _target_leak(at: ast.AST, target: str, where: str) -> Finding:
    return error(
        "leakage:target",
        at,
        f"The target {target!r} is among the features ({where}): the model would be told the answer.",
    )


def _flow(program: Program, target: str) -> Iterator[Finding]:
    """Follow tables through the module, then through each function (whose parameters are unknown)."""
    last_split = max(
        (node.lineno for node in program.nodes if isinstance(node, ast.Call) and _name(node.func) in SPLITS), default=0
    )
    module = _Scope(program, target, {}, last_split)
    yield from module.run(program.tree.body)
    for node in program.nodes:
        if isinstance(node, ast.FunctionDef) and not _is_method(program, node):
            hidden = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
            known = {name: table for name, table in module.known.items() if name not in hidden}
            yield from _Scope(program, target, known, last_split).run(node.body)


def _is_method(program: Program, node: ast.FunctionDef) -> bool:
    """Inside a class `fit` gets what the caller gives it."""
    return any(isinstance(above, ast.ClassDef) for above in program.ancestors(node))


class _Scope:
    """One function body (or the module), statement by statement."""

    def __init__(self, program: Program, target: str, known: Known, last_split: int) -> None:
        self.program, self.target, self.last_split = program, target, last_split
        self.known = dict(known)

    def run(self, body: list[ast.stmt]) -> Iterator[Finding]:
        """Statements in textual order; branches and loops are read once."""
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            yield from self._calls(statement)
            self._learn(statement)
            for block in ("body", "orelse", "finalbody", "handlers"):
                for inner in getattr(statement, block, []):
                    yield from self.run(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])

    def _calls(self, statement: ast.stmt) -> Iterator[Finding]:
        for expression in _own_expressions(statement):
            for node in ast.walk(expression):
                if isinstance(node, ast.Call):
                    yield from self._fit(node)

    def _fit(self, node: ast.Call) -> Iterator[Finding]:
        name = _name(node.func)
        fits = isinstance(node.func, ast.Attribute) and name in ("fit", "fit_transform", "fit_resample")
        if not fits and name not in CROSS:
            return
        given = _arguments(node, ("X", "y"))
        rows = given[1] if name in CROSS and len(given) > 1 else given[0] if given else None
        table = self._table(rows)
        if table is None or table.is_target:
            return
        labelled = len(given) > (2 if name in CROSS else 1)
        if table.target == "yes" and labelled:
            yield _target_leak(node, self.target, f"{ast.unparse(rows) if rows else 'X'} still holds that column")
        if fits and self._learns_too_early(node, name, labelled):
            yield _early(node, name, labelled)

    def _learns_too_early(self, node: ast.Call, name: str, labelled: bool) -> bool:
        """A transformer is fitted on every row, and the same rows are split or cross-validated further down."""
        if self.last_split <= node.lineno:
            return False
        if name != "fit":
            return not self._is_harmless(node)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else node
        return not labelled and not self._is_harmless(node) and self._transforms_later(receiver)

    def _is_harmless(self, node: ast.Call) -> bool:
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(receiver, ast.Name):
            receiver = self.program.values.get(receiver.id)
        return isinstance(receiver, ast.Call) and _name(receiver.func) in HARMLESS_FITS

    def _transforms_later(self, receiver: ast.AST) -> bool:
        return isinstance(receiver, ast.Name) and receiver.id in self.program.transformers

    def _learn(self, statement: ast.stmt) -> None:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                self._set(name, self._popped(value) or self._table(value))
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                for one, value in zip(names, values, strict=True):
                    if isinstance(one, ast.Name):
                        self._set(one.id, self._popped(value) or self._table(value))
            case ast.Assign(targets=[ast.Tuple(elts=names)]):
                for one in names:
                    if isinstance(one, ast.Name):
                        self._set(one.id, None)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))], value=value):
                self._column_set(name, value)
            case ast.Delete(targets=targets):
                for one in targets:
                    if isinstance(one, ast.Subscript) and isinstance(one.value, ast.Name):
                        self._dropped(one.value.id, self.program.literal(one.slice))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) as call):
                if verb == "pop" or (verb == "drop" and any(word.arg == "inplace" for word in call.keywords)):
                    self._dropped(name, self._drop_list(call))
            case ast.For(target=ast.Name(id=name)):
                self._set(name, None)
            case _:
                return

    def _set(self, name: str, table: Table | None) -> None:
        if table is None:
            self.known.pop(name, None)
        else:
            self.known[name] = table

    def _popped(self, value: ast.expr | None) -> Table | None:
        """y = df.pop(TARGET): df is without it from here on."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="pop"), args=[column]) if name in self.known:
                self._dropped(name, self.program.literal(column))
                return Table("unknown", is_target=self.program.literal(column) == self.target)
            case _:
                return None

    def _dropped(self, name: str, columns: object) -> None:
        if name in self.known:
            self.known[name] = _without(self.known[name], columns, self.target)

    def _column_set(self, name: str, value: ast.expr) -> None:
        """X["hint"] = y * 2"""
        table = self._table(value)
        if name in self.known and self.known[name].target == "no" and table is not None and table.is_target:
            self.known[name] = Table("yes")

    def _table(self, node: ast.expr | None) -> Table | None:
        """What an expression holds, if it is all rows of the table; None: unknown or only some rows."""
        match node:
            case ast.Name(id=name):
                return self.known.get(name)
            case ast.Call():
                return self._from_call(node)
            case ast.Subscript(value=base, slice=chosen):
                return self._chosen(base, chosen)
            case ast.Attribute(value=base, attr=column):
                table = self._table(base)
                if table is None or column in ("iloc", "loc", "columns", "index", "shape", "dtypes"):
                    return None
                return (
                    Table("no", is_target=True)
                    if column == self.target
                    else table
                    if column in ("values", "T")
                    else None
                )
            case ast.BinOp(left=left):
                table = self._table(left)
                return table if table is not None and table.is_target else None
            case _:
                return None

    def _from_call(self, node: ast.Call) -> Table | None:
        name = _name(node.func)
        if name in READS and "holdout" not in ast.unparse(node):
            columns = next(
                (self.program.literal(word.value) for word in node.keywords if word.arg in ("columns", "usecols")), None
            )
            chosen = any(word.arg in ("columns", "usecols") for word in node.keywords)
            return Table(_among(columns, self.target)) if chosen else Table("yes")
        if name in ("get_dummies", "DataFrame", "concat", "asarray", "array", "deepcopy") and node.args:
            return self._table(node.args[0])
        if not isinstance(node.func, ast.Attribute):
            return None
        table = self._table(node.func.value)
        if table is None:
            return None
        if name == "drop":
            return _without(table, self._drop_list(node), self.target)
        if name in ("fit_transform", "map", "apply", "str"):
            return table if table.is_target else None
        return table if name in KEEPS else None

    def _drop_list(self, node: ast.Call) -> object:
        arguments = _arguments(node, ("columns", "labels"))
        return self.program.literal(arguments[0]) if arguments else None

    def _chosen(self, base: ast.expr, chosen: ast.expr) -> Table | None:
        if isinstance(base, ast.Attribute) and base.attr == "loc":
            match chosen:
                case ast.Tuple(elts=[ast.Slice(lower=None, upper=None), columns]):
                    return self._chosen(base.value, columns)
                case _:
                    return None
        table = self._table(base)
        if table is None:
            return None
        columns_ = self.program.literal(chosen)
        if isinstance(columns_, str):
            return Table("no", is_target=columns_ == self.target)
        if isinstance(columns_, list):
            return Table(_among(columns_, self.target))
        named = isinstance(chosen, ast.Name) and re.search(r"col|feat|[A-Z]{3}|numeric|categ", chosen.id)
        return Table("unknown") if named else None


def _among(columns: object, target: str) -> Has:
    if not isinstance(columns, list) or None in columns and target not in columns:
        return "unknown"
    return "yes" if target in columns else "no"


def _without(table: Table, columns: object, target: str) -> Table:
    names = columns if isinstance(columns, list) else [columns]
    if target in names:
        return Table("no")
    return Table("unknown") if None in names else table


def _early(node: ast.Call, name: str, labelled: bool) -> Finding:
    seen = "the rows and their labels" if labelled else "every row"
    sentence = (
        f"{name} learns from {seen} before the data is split, so validation has seen what it should judge and the "
        "saved model lacks the step; put it into a Pipeline that is fitted inside each fold."
    )
    return error("leakage:fit-before-split", node, sentence)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement, not those of the statements inside it."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.withitem):
            yield child.context_expr


def _arguments(node: ast.Call, keywords: tuple[str, ...]) -> list[ast.expr]:
    """Positional arguments, then those given by these names."""
    return [*node.args, *(word.value for name in keywords for word in node.keywords if word.arg == name)]


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _written_scores(program: Program) -> Iterator[Finding]:
    """Scores that are typed, not computed."""
    for node in program.nodes:
        if isinstance(node, ast.Dict):
            yield from _written_in_dict(program, node)
        elif isinstance(node, ast.Call) and _name(node.func) in ("print", "write", "info", "dumps", "write_text"):
            yield from _spoken(program, node)


def _written_in_dict(program: Program, node: ast.Dict) -> Iterator[Finding]:
    keys = [program.literal(key) if key is not None else None for key in node.keys]
    told = {"kind", "name", "model"} & {key for key in keys if isinstance(key, str)}
    for key, value in zip(keys, node.values, strict=True):
        number = program.literal(value)
        is_score = key in SCORES or (key == "value" and told)
        if is_score and isinstance(number, float) and number not in (0.0, -1.0) and abs(number) != float("inf"):
            yield _hard_coded(node, f"{key} = {number:g}")


def _spoken(program: Program, node: ast.Call) -> Iterator[Finding]:
    for argument in node.args:
        text = program.path(argument)
        found = (_SPOKEN.search(text) or _TOLD.search(text)) if text else None
        if found:
            yield _hard_coded(node, found.group(0))


def _hard_coded(at: ast.AST, what: str) -> Finding:
    return error(
        "leakage:hard-coded-score",
        at,
        f"{what!r} is a score written by hand; a score has to be computed from predictions.",
    )


def _no_model(program: Program) -> Iterator[Finding]:
    """The runner looks for outputs/model.joblib."""
    if not any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and "model.joblib" in node.value
        for node in program.nodes
    ):
        sentence = (
            "The script does not seem to write outputs/model.joblib, and without a model there is nothing to score."
        )
        yield warning("policy:no-model", 1, sentence)
