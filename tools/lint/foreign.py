"""Tables that no training script may learn from: those of libraries, and the sealed rows that are to judge it."""

import ast
import re
from collections.abc import Iterator

from tools.lint import places
from tools.lint.access import accesses
from tools.lint.finding import Finding, error
from tools.lint.program import Program

_LOADERS = re.compile(r"sklearn\.(\w+\.)*datasets\.(\w+\.)*(load_\w+|\*)(\.|$)")
"""What makes tables by chance (make_classification, …) is harmless; what downloads them is a matter of security.py."""
_COLLECTIONS = re.compile(
    r"((statsmodels(\.api)?|shap|sktime|keras|tensorflow\.keras|catboost|altair)\.datasets|plotly\.(express\.)?data)(\.|$)"
)


_SEALED = re.compile(
    r"hold[-_ ]?out|(^|[/_-])(y_?test|labels?|answers?|solution|ground[-_]?truth)([._-]|$)", re.IGNORECASE
)


def findings(program: Program) -> Iterator[Finding]:
    """Each table that is not the user's, or is sealed."""
    for access in accesses(program):
        if access.how == "read" and access.path is not None and _SEALED.search(access.path):
            sentence = (
                f"{places.short(access.path)!r}: the rows that judge the model are sealed, no script may read them."
            )
            yield error("policy:sealed", access.node, sentence)
    for node in program.nodes:
        if isinstance(node, ast.Attribute | ast.Import | ast.ImportFrom | ast.Call):
            for origin in _origins(program, node):
                if _LOADERS.match(origin) or _COLLECTIONS.match(origin):
                    yield _foreign(origin, node)


def _origins(program: Program, node: ast.AST) -> list[str]:
    """Dotted names that a node brings in."""
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=module, names=names):
            return [f"{module}.{name.name}" for name in names]
        case ast.Call(func=ast.Name(id="getattr"), args=[base, name, *_]):
            return [f"{program.dotted(base)}.{program.literal(name)}"]
        case ast.Attribute() if not isinstance(program.parents.get(node), ast.Attribute):
            return [program.dotted(node) or ""]
        case _:
            return []


def _foreign(origin: str, at: ast.AST) -> Finding:
    sentence = f"{origin} brings in a table of its own; the script must learn from inputs/train.parquet only."
    return error("leakage:foreign-table", at, sentence)
