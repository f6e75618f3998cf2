"""One program out of pieces: imports on top, the texts in order, and nothing in it that the task leaves idle."""

import ast
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence

from tools.blueprints.source import defined
from tools.syntax import tree_of

Edit = tuple[int, int, str]
"""From a place in the bytes of a text to another: what stands there instead."""

Item = ast.expr | ast.keyword | ast.arg
"""What may stand between commas."""


def joined(main: str, pieces: Sequence[str]) -> str:
    """The program: the docstring of `main`, the imports of all, the pieces, the rest of `main`."""
    texts = [*pieces, main]
    nodes = [node for source in texts for node in tree_of(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = "\n".join(_imports([node for node in nodes if not _is_ours(node)]))
    head = main[: main.index('"""', 3) + 3]
    return "\n\n".join([head, imports, *(_body(source) for source in texts)]) + "\n"


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tools.")


def _body(source: str) -> str:
    """What stands below docstring and imports."""
    last = [node for node in tree_of(source).body[1:] if isinstance(node, ast.Import | ast.ImportFrom)][-1]
    return "".join(source.splitlines(keepends=True)[last.end_lineno or 0 :]).strip("\n")


def _imports(nodes: Sequence[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    """Each module once, the standard library first."""
    plain = {ast.unparse(node): node.names[0].name for node in nodes if isinstance(node, ast.Import)}
    named: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            named.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
    lines = [(module, 0, text) for text, module in plain.items()]
    lines += [(module, 1, _named(module, sorted(names, key=_case))) for module, names in named.items()]
    for standard in (True, False):
        group = [line for line in lines if (line[0].split(".")[0] in sys.stdlib_module_names) == standard]
        yield from (text for *_, text in sorted(group, key=lambda line: (line[1], line[0])))
        yield from [""] if standard and group else []


def _case(name: str) -> tuple[bool, str]:
    return not name.isupper(), name


def _named(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    filled = textwrap.fill(", ".join(names), 116, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return line if len(line) <= 120 else f"from {module} import (\n{filled},\n)"


def folded(source: str, facts: Mapping[str, bool | str], absent: Collection[str] = ()) -> str:
    """The program with these names replaced by what they are: idle branches, functions and imports are gone.

    A name that is absent is no argument of any function, no factor and nothing to assign to, wherever it stands.
    """
    while edits := list(_edits(tree_of(source), source.encode(), facts)):
        source = _edited(source, edits)
    while edits := list(_cuts(tree_of(source), source.encode(), frozenset(absent))):
        source = _edited(source, edits)
    while True:
        tree = tree_of(source)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        shorter = _edited(source, list(_unused(tree, source.encode(), used, set(facts))))
        if shorter == source:
            return _tidied(source)
        source = shorter


def _known(node: ast.expr, facts: Mapping[str, bool | str]) -> bool | None:
    """What a condition is, where the facts decide it."""
    match node:
        case ast.Name(id=name) if isinstance(facts.get(name), bool):
            return bool(facts[name])
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=value)]):
            return facts[name] == value if name in facts else None
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            value = _known(inner, facts)
            return None if value is None else not value
        case ast.BoolOp(op=op, values=values):
            found = [_known(value, facts) for value in values]
            stops = isinstance(op, ast.Or)
            return stops if stops in found else None if None in found else not stops
    return None


def _edits(tree: ast.AST, text: bytes, facts: Mapping[str, bool | str]) -> Iterator[Edit]:
    """The outermost things that can be simplified; what is inside them comes with the next look."""
    for node in ast.iter_child_nodes(tree):
        value = _known(node.test, facts) if isinstance(node, ast.If | ast.IfExp) else None
        if isinstance(node, ast.If) and value is not None:
            yield _branch(node, text, value)
        elif isinstance(node, ast.IfExp) and value is not None:
            yield _put(text, node, node.body if value else node.orelse)
        elif isinstance(node, ast.UnaryOp) and _known(node, facts) is not None:
            yield *_span(node, text), str(_known(node, facts))
        elif isinstance(node, ast.BoolOp) and any(_known(value, facts) is not None for value in node.values):
            word, whole = (" and " if isinstance(node.op, ast.And) else " or "), _known(node, facts)
            kept = [text[slice(*_span(value, text))].decode() for value in node.values if _known(value, facts) is None]
            yield *_span(node, text), word.join(kept) if whole is None else str(whole)
        else:
            yield from _edits(node, text, facts)


def _branch(node: ast.If, text: bytes, value: bool) -> Edit:
    """The statements of the branch that is taken, moved to where the `if` stood; of an `elif` they follow an `else`."""
    lines, offsets = text.decode().splitlines(keepends=True), list(_offsets(text))
    body, kept = node.body if value else node.orelse, list[str]()
    own, indent = lines[node.lineno - 1].lstrip(), " " * node.col_offset
    if body and lines[body[0].lineno - 1].lstrip().startswith("elif"):
        kept = lines[body[0].lineno - 1 : body[-1].end_lineno]
        kept[0] = kept[0] if own.startswith("elif") else kept[0].replace("elif", "if", 1)
    elif body:
        begin = node.test.end_lineno or node.lineno
        if not value:
            begin = node.body[-1].end_lineno or node.lineno
            begin += 1 + next(place for place, line in enumerate(lines[begin:]) if line.strip() == "else:")
        kept = lines[begin : body[-1].end_lineno]
        if own.startswith("elif"):
            kept = [f"{indent}else:\n", *kept]
        else:
            shift = body[0].col_offset - node.col_offset
            kept = [line[shift:] if line[:shift].isspace() else line for line in kept]
    return offsets[node.lineno - 1], offsets[node.end_lineno or node.lineno], "".join(kept)


def _put(text: bytes, node: ast.expr, kept: ast.expr) -> Edit:
    """An expression instead of the one that it is a part of, without brackets that it does not need."""
    start, end = _span(node, text)
    tight = isinstance(kept, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant | ast.List)
    before = text[start - 2 : start - 1].decode()
    if tight and text[start - 1 : start] == b"(" and text[end : end + 1] == b")" and not _calls(before):
        start, end = start - 1, end + 1
    return start, end, text[slice(*_span(kept, text))].decode()


def _calls(before: str) -> bool:
    return before.isalnum() or before in ("_", ")", "]")


def _cuts(tree: ast.AST, text: bytes, absent: frozenset[str]) -> Iterator[Edit]:
    """The outermost places where an absent name stands."""
    for node in ast.iter_child_nodes(tree):
        lost = [place for place, item in enumerate(_items(node)) if _is_absent(item, absent)]
        if isinstance(node, ast.Assign) and (_is_absent(node.targets[0], absent) or _is_absent(node.value, absent)):
            yield _statement(node, text)
        elif isinstance(node, ast.Assign) and (pair := _unpacked(node, absent)):
            targets, values, places = pair
            if len(places) == len(targets.elts):
                yield _statement(node, text)
            else:
                yield _without(text, targets, places)
                yield _without(text, values, places)
        elif isinstance(node, ast.BinOp) and (_is_absent(node.left, absent) or _is_absent(node.right, absent)):
            yield _put(text, node, node.left if _is_absent(node.right, absent) else node.right)
        elif lost:
            yield _without(text, node, lost)
        else:
            yield from _cuts(node, text, absent)


def _unpacked(node: ast.Assign, absent: frozenset[str]) -> tuple[ast.Tuple, ast.Tuple, list[int]] | None:
    """Targets and values of `a, b = 1, 2`, and at which places nothing is left to be set."""
    match node:
        case ast.Assign(targets=[ast.Tuple() as targets], value=ast.Tuple() as values):
            places = [place for place, target in enumerate(targets.elts) if _is_absent(target, absent)]
            return (targets, values, places) if places else None
    return None


def _statement(node: ast.stmt, text: bytes) -> Edit:
    """All lines of it are gone."""
    offsets = list(_offsets(text))
    return offsets[node.lineno - 1], offsets[node.end_lineno or node.lineno], ""


def _is_absent(node: Item, absent: frozenset[str]) -> bool:
    """The name alone, as an attribute of something named (self.weights), or a part of it (weights[rows])."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(value=ast.Name(), attr=name):
            return name in absent
        case ast.Subscript(value=value) | ast.keyword(value=value) | ast.Starred(value=value):
            return _is_absent(value, absent)
    return False


def _items(node: ast.AST) -> list[Item]:
    """What stands between commas, in the order of the text."""
    match node:
        case ast.Call(args=args, keywords=keywords):
            return sorted([*args, *keywords], key=lambda item: (item.lineno, item.col_offset))
        case ast.arguments(args=names):
            return list(names)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return list(parts)
    return []


def _without(text: bytes, node: ast.AST, lost: Collection[int]) -> Edit:
    """What stands between commas, but for these places; at least one stays."""
    items, ends = _items(node), dict[Item, ast.expr]()
    if isinstance(node, ast.arguments) and node.defaults:
        ends = dict(zip(items[-len(node.defaults) :], node.defaults, strict=True))
    spans = [(_span(item, text)[0], _span(ends.get(item, item), text)[1]) for item in items]
    kept = [text[slice(*span)].decode() for place, span in enumerate(spans) if place not in lost]
    return spans[0][0], spans[-1][1], ", ".join(kept)


def _offsets(text: bytes) -> Iterator[int]:
    yield 0
    at = 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        yield at


def _span(node: Item, text: bytes) -> tuple[int, int]:
    offsets = list(_offsets(text))
    return offsets[node.lineno - 1] + node.col_offset, offsets[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)


def _edited(source: str, edits: Sequence[Edit]) -> str:
    text = source.encode()
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new.encode() + text[end:]
    return text.decode()


def _unused(tree: ast.Module, text: bytes, used: set[str], facts: set[str]) -> Iterator[Edit]:
    """Functions, classes and imports that nobody names, constants that are facts or that only such things used."""
    offsets = list(_offsets(text))
    lines = text.decode().splitlines(keepends=True)
    literals = {name for node in tree.body if _is_parameter(node) for name in defined(node)} - facts
    for node in tree.body:
        names = set(defined(node))
        if not names or names & used or names & literals:
            if isinstance(node, ast.ImportFrom) and names - used:
                kept = _named(node.module or "", [alias.name for alias in node.names if alias.name in used])
                yield offsets[node.lineno - 1], offsets[node.end_lineno or 0], kept + "\n"
            continue
        first = node.lineno - 1
        while first > 0 and lines[first - 1].startswith("#") and not lines[first - 1].startswith("# ----"):
            first -= 1
        yield offsets[first], offsets[node.end_lineno or 0], ""


PARAMETERS = frozenset(
    ["TARGET", "CLASSES", "ORDER", "NUMBERS", "CATEGORIES", "DATES", "TEXTS", "METRIC", "TIME_BUDGET", "SEED", "N_JOBS"]
)
"""What stays on top of a script even where it is idle: people look for it there."""


def _is_parameter(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and bool(PARAMETERS.intersection(defined(node)))


def _tidied(source: str) -> str:
    """Two empty lines around what stands at the top, one between methods, elsewhere as many as there were."""
    lines: list[str] = []
    empty = 0
    for line in map(str.rstrip, source.splitlines()):
        if line and lines:
            lines += [""] * _gap(lines[-1], line, empty)
        lines += [line] if line else []
        empty = 0 if line else empty + 1
    return "\n".join(lines) + "\n"


def _gap(before: str, line: str, empty: int) -> int:
    """How many empty lines stand between these two; `empty` of them are there now."""
    defines, inside = line.lstrip().startswith(("def ", "class ", "@")), line[0].isspace()
    if before.lstrip().startswith(("#", "@")) or before.endswith(":"):
        return min(empty, 1 if inside else 2)
    if inside:  # one between methods, none within functions
        return 1 if defines and line.startswith("    ") and not line.startswith("     ") else 0
    ends = before[0].isspace() and line[0] not in ")]}" and not line.startswith(("else", "elif", "except"))
    return 2 if defines or ends or line.startswith("# ----") else min(empty, 2)
