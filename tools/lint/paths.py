"""Paths and addresses in a script: those that it opens, and those that merely stand in its text."""

import ast
from collections.abc import Iterator

from tools.lint import mentions, places
from tools.lint.access import LISTERS, Access, accesses
from tools.lint.finding import Finding, error, security, warning
from tools.lint.program import Program, words
from tools.lint.values import UNKNOWN

_DESTRUCTIVE = words(
    """
    os.remove os.unlink os.rmdir os.rename os.replace shutil.rmtree shutil.move shutil.copy shutil.copyfile
    shutil.copytree pathlib.Path.unlink pathlib.Path.rmdir pathlib.Path.rename pathlib.Path.write_text
    """
)


def findings(program: Program) -> Iterator[Finding]:
    """Paths that leave the working folder, writing outside outputs/, reading what is not there."""
    touched = list(accesses(program))
    for access in touched:
        yield from _judge(access) if access.is_certain else _judge_one_of_several(access)
    is_dynamic = any(access.is_dynamic and access.how != "list" for access in touched)
    for node in program.nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call | ast.Subscript):
            yield from mentions.findings(program, node, is_dynamic)
        if isinstance(node, ast.Assign | ast.AugAssign):
            yield from _climbs_on(node)
        if isinstance(node, ast.Name | ast.Attribute):
            yield from _name(program, node)
            yield from _handed_on(program, node)


def _judge(access: Access) -> Iterator[Finding]:
    if access.how == "list":
        yield from _listed(access)
    elif access.how == "remove":
        yield from _removed(access)
    elif access.is_number:
        yield error("policy:path", access.node, "A file is opened by the number of its descriptor; name it.")
    elif access.path is not None:
        judge = places.read if access.how == "read" else places.written
        yield from judge(access.path, access.node)


def _judge_one_of_several(access: Access) -> Iterator[Finding]:
    """A name that is given several values: only what leads away with one of them matters, and a person may know."""
    if access.path is None or access.is_dynamic:
        return
    is_foreign = access.how == "remove" and not places.is_own(access.path)
    if is_foreign or (places.leaves(access.path) and not places.is_scratch(access.path)):
        shown = places.short(access.path)
        sentence = (
            f"{shown!r} is one of the places that {access.what} may be given; only inputs/ and outputs/ are yours."
        )
        yield error("policy:destructive" if is_foreign else "policy:path", access.node, sentence)


def _listed(access: Access) -> Iterator[Finding]:
    """Looking for files anywhere but in inputs/ and outputs/."""
    if access.path is None or access.is_dynamic:
        sentence = "Which folder is looked through is known only at run time; a script has inputs/ and outputs/."
        yield warning("policy:listing", access.node, sentence)
    elif access.path.strip(f"./*{UNKNOWN}") == "" and not places.leaves(access.path):
        yield warning(
            "policy:listing", access.node, "Looking around is not needed; a script finds its files in inputs/."
        )
    else:
        yield from places.read(access.path, access.node)


def _removed(access: Access) -> Iterator[Finding]:
    if access.what == "chmod" and access.mode & 0o6000:
        yield security("destructive", access.node, "The file would run with the rights of its owner.")
    elif access.path is None or access.is_dynamic:
        sentence = (
            f"What {access.what} removes or moves is known only at run time; only files in outputs/ may be touched."
        )
        yield error("policy:destructive", access.node, sentence)
    elif not places.is_own(access.path):
        sentence = (
            f"{access.what} removes, moves or changes {places.short(access.path)!r}, which the script did not make."
        )
        yield security("destructive", access.node, sentence)


def _name(program: Program, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
    origin = program.dotted(node) or ""
    name = node.attr if isinstance(node, ast.Attribute) else node.id
    if name == "__file__" and isinstance(node, ast.Name):
        sentence = "__file__ is not known in the sandbox; use inputs/ and outputs/ as they are."
        yield warning("policy:path", node, sentence)
    if origin in ("pathlib.Path.home", "os.path.expanduser", "os.path.expandvars", "os.pardir") or (
        name == "expanduser" and isinstance(node, ast.Attribute)
    ):
        yield security("path", node, f"{origin or name} leads out of the working folder.")
    elif isinstance(node, ast.Attribute) and _is_anchor(program, node):
        yield security("path", node, f"{node.attr} is the root of the whole disk; a script has inputs/ and outputs/.")
    elif isinstance(node, ast.Attribute) and _climbs(node):
        yield security("path", node, "Climbing to parent folders leads out of the working folder.")


def _handed_on(program: Program, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
    """[os.walk][0]("/"), partial(os.remove)"""
    origin = program.dotted(node)
    if origin in LISTERS and program.is_handed_on(node):
        sentence = f"{origin} is handed on, so the folders that it looks through cannot be checked."
        yield warning("policy:listing", node, sentence)
    if origin in _DESTRUCTIVE and program.is_handed_on(node):
        yield error(
            "policy:destructive", node, f"{origin} is handed on, so what it removes or moves cannot be checked."
        )


def _climbs(node: ast.Attribute) -> bool:
    above = node.value
    return node.attr == "parents" or (
        node.attr == "parent" and isinstance(above, ast.Attribute) and above.attr == "parent"
    )


def _climbs_on(node: ast.Assign | ast.AugAssign) -> Iterator[Finding]:
    """here = here.parent: once more with each turn of a loop."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(value=ast.Name(id=same), attr="parent")):
            if name == same:
                yield security("path", node, "Climbing to parent folders leads out of the working folder.")


def _is_anchor(program: Program, node: ast.Attribute) -> bool:
    """Path.cwd().anchor is "/"."""
    return node.attr in ("anchor", "root", "drive") and program.made_by(node.value).startswith("pathlib.")
