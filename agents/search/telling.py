"""What of a script a language model is told: the parts worth changing in full, the others by their names.

The parameters in CAPITALS hold class labels and the names of all columns, so of them only the names are told.
"""

import ast
import difflib
from collections.abc import Collection

from tools.lint import Finding
from tools.syntax import tree_of

MOST_LETTERS = 4_000
"""Of the parts of a script that are told in full; a call has to stay small."""
MOST_DIFFERENCE = 4_000
COLUMNS = frozenset({"NUMBERS", "CATEGORIES", "DATES", "TEXTS"})
"""Who reads these prepares the columns, which is where most gains are."""


def outline(script: str) -> str:
    """The script for a reader who is to change it: what prepares columns in full, the rest by its names."""
    tree, lines = tree_of(script), script.split("\n")
    parts, named, left = [f"# imported: {', '.join(_imported(tree))}"], [], MOST_LETTERS
    whole = len(script) <= MOST_LETTERS
    for node in tree.body:
        text = _text(node, lines)
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
            continue
        if (name := _parameter(node)) is not None:
            parts.append(f"{name} = {_told_value(node)}")
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts.append(f"\n{text}")
        elif whole or (_names(node) & COLUMNS and len(text) <= left):
            left -= len(text)
            parts.append(f"\n\n{text}")
        else:
            named.append(node.name)
    return "\n".join([*parts, *([f"\n# not shown: {', '.join(named)}"] if named else [])])


def difference(before: str, after: str) -> str:
    """What was changed, as a unified diff without the parameters."""
    old, new = (_without_parameters(text).splitlines() for text in (before, after))
    text = "\n".join(list(difflib.unified_diff(old, new, lineterm="", n=1))[2:])
    return text if len(text) <= MOST_DIFFERENCE else f"{text[:MOST_DIFFERENCE]}\n(cut here)"


def objections(findings: Collection[Finding]) -> str:
    """What the critic has against a script; its sentences speak of code alone."""
    blocking = [finding for finding in findings if finding.blocks]
    return " ".join(f"Line {finding.line}: {finding.sentence}" for finding in blocking[:3])


def _imported(tree: ast.Module) -> list[str]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.asname or alias.name for alias in node.names]
    return found


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _parameter(node: ast.stmt) -> str | None:
    """The name of a parameter in CAPITALS with a plain value."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        if name.isupper() and isinstance(node.value, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.Constant):
            return name
    return None


def _told_value(node: ast.stmt) -> str:
    """Numbers and the name of the measure; whatever may come from the table is left out."""
    assert isinstance(node, ast.Assign), "asked by the caller"
    value = node.value
    plain = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    return ast.unparse(value) if plain or _parameter(node) in ("METRIC", "SPLIT") else "..."


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _text(node: ast.stmt, lines: list[str]) -> str:
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    return "\n".join(lines[first - 1 : node.end_lineno])


def _without_parameters(script: str) -> str:
    """The script with nothing of the table in it."""
    lines = script.split("\n")
    for node in reversed(tree_of(script).body):
        if (name := _parameter(node)) is not None:
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {_told_value(node)}"]
    return "\n".join(lines)
