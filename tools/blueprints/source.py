"""Pieces of a program's text: what its statements define, and those that a few functions need."""

import ast
from collections.abc import Collection, Iterator, Sequence

from tools.syntax import tree_of


def defined(node: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement brings into being."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Try):
        for inner in (*node.body, *(inner for handler in node.handlers for inner in handler.body)):
            yield from defined(inner)


def names_of(text: str) -> frozenset[str]:
    """Every name at the top level of a program."""
    return frozenset(name for node in tree_of(text).body for name in defined(node))


def texts_of(source: str, nodes: Sequence[ast.stmt]) -> list[str]:
    """The text of statements, each with the comments right above it."""
    lines = source.splitlines()
    texts = []
    for node in nodes:
        first = node.lineno - 1
        while first > 0 and lines[first - 1].startswith("#"):
            first -= 1
        texts.append("\n".join(lines[first : node.end_lineno]).rstrip())
    return texts


def only_used(code: str, functions: Collection[str]) -> str:
    """The text of these functions and of the helpers and constants that they use, in its order."""
    body = tree_of(code).body
    by_name = {name: node for node in body for name in defined(node)}
    wanted, to_do = set[str](), list(functions)
    while to_do:
        name = to_do.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            to_do += [found.id for found in ast.walk(by_name[name]) if isinstance(found, ast.Name)]
    kept = [node for node in body if wanted.intersection(defined(node))]
    capitals = [node for node in kept if isinstance(node, ast.Assign)]
    functions_kept = [node for node in kept if not isinstance(node, ast.Assign)]
    constants = "\n".join(texts_of(code, capitals))
    return "\n\n\n".join(part for part in (constants, *texts_of(code, functions_kept)) if part)
