"""Which expressions a name, an attribute, an entry or a call of the script's own function may stand for."""

import ast
import bisect
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_OPTIONS = 4
"""A name that is given more values than that is one whose value only a run would tell."""
NOT_KNOWN = ast.Name(id="\N{WHITE SQUARE}", ctx=ast.Load())
"""Stands for a value that only a run would tell."""
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Options = tuple[ast.expr, ...]
_OWN_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class _Store:
    """One place where something gets a value; None: not by an expression that can be followed."""

    scope: ast.AST | None
    key: str
    value: ast.expr | None
    statement: ast.AST
    adds: ast.operator | None = None


class Bindings:
    """All that is given a value in one script; text alone decides, no order of execution is known but the simplest."""

    def __init__(self, nodes: Sequence[ast.AST], parents: Mapping[ast.AST, ast.AST]) -> None:
        self._parents = parents
        self._globals = {
            (self._function(node), name)
            for node in nodes
            if isinstance(node, ast.Global | ast.Nonlocal)
            for name in node.names
        }
        self._functions = _once_each(node for node in nodes if isinstance(node, _OWN_FUNCTION))
        self._calls: dict[str, list[ast.Call]] = {}
        for node in nodes:
            if isinstance(node, ast.Call):
                self._calls.setdefault(getattr(node.func, "id", getattr(node.func, "attr", "")), []).append(node)
        called = {call.func for calls in self._calls.values() for call in calls}
        loads = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        self._handed_on = {load.id for load in loads if load not in called}
        self._lines: dict[str, list[int]] = {}
        for load in sorted(loads, key=lambda one: one.lineno):
            self._lines.setdefault(load.id, []).append(load.lineno)
        self._table: dict[tuple[ast.AST | None, str], Options] = {}
        self._parameters: dict[tuple[ast.AST, str], Options] = {}
        self._fill(store for node in nodes for store in self._stores(node))

    def options(self, node: ast.AST, *, through_calls: bool = False) -> Options:
        """What it may stand for, `NOT_KNOWN` among it; () if nothing is known of it at all.

        The same tuple for the same thing. With `through_calls` a parameter stands for what the script's own calls give.
        """
        match node:
            case ast.Name(id=name):
                return self._name(node, name, through_calls)
            case ast.Attribute(attr=name):
                return self._table.get((None, f".{name}"), ())
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key)):
                return self._table.get((None, f"{name}[{key!r}]"), ())
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return self._returned(name)
            case _:
                return ()

    def _name(self, node: ast.Name, name: str, through_calls: bool) -> Options:
        scope = self._function(node)
        while scope is not None:
            if name in _parameters(scope):
                return self._given(scope, name) if through_calls else ()
            if (scope, name) in self._table:
                return self._table[scope, name]
            scope = self._function(scope)
        return self._table.get((None, name), ())

    def _function(self, node: ast.AST) -> ast.AST | None:
        above = self._parents.get(node)
        while above is not None and not isinstance(above, _SCOPES):
            above = self._parents.get(above)
        return above

    def _returned(self, name: str) -> Options:
        function = self._functions.get(name)
        if function is None:
            return ()
        key = (None, f"{name}()")
        if key not in self._table:
            inside = [node for node in ast.walk(function) if self._function(node) is function]
            if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in inside):
                return ()
            self._table[key] = _few([node.value for node in inside if isinstance(node, ast.Return) and node.value])
        return self._table[key]

    def _given(self, function: ast.AST, name: str) -> Options:
        """What the calls of a function give for a parameter, and its default."""
        if (function, name) not in self._parameters:
            self._parameters[function, name] = _few(list(self._arguments(function, name)))
        return self._parameters[function, name]

    def _arguments(self, function: ast.AST, name: str) -> Iterator[ast.expr | None]:
        if not isinstance(function, _OWN_FUNCTION) or self._functions.get(function.name) is not function:
            yield None
            return
        listed = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        is_method = isinstance(self._parents.get(function), ast.ClassDef)
        if is_method and listed[:1] in (["self"], ["cls"]):
            listed = listed[1:]
        if function.name in self._handed_on:
            yield None  # others call it too
        for call in self._calls.get(function.name, ()):
            if isinstance(call.func, ast.Attribute) is is_method:
                yield from _argument(call, name, listed, function)

    def _fill(self, stores: Iterator[_Store]) -> None:
        found: dict[tuple[ast.AST | None, str], list[_Store]] = {}
        for store in sorted(stores, key=lambda one: int(getattr(one.statement, "lineno", 0))):
            earlier = found.setdefault((store.scope, store.key), [])
            if (before := earlier[-1] if earlier else None) and (built := self._built(before, store)) is not store:
                if self._replaces(before, store):
                    earlier.pop()
                store = built
            earlier.append(store)
        self._table = {key: _few([store.value for store in stores]) for key, stores in found.items()}

    def _built(self, before: _Store, store: _Store) -> _Store:
        """u += x and u = u + x: what was there before is a part of it."""
        if before.value is None or store.value is None:
            return store
        if store.adds is not None:
            value: ast.expr = ast.BinOp(left=before.value, op=store.adds, right=store.value)
        else:
            value = _with(store.value, store.key, before.value)
            if value is store.value:
                return store
        return _Store(store.scope, store.key, ast.copy_location(value, store.value), store.statement)

    def _replaces(self, before: _Store, store: _Store) -> bool:
        """One after the other in the same block, and nothing looked in between."""
        first, last = (int(getattr(one.statement, "lineno", 0)) for one in (before, store))
        together = self._parents.get(before.statement) is self._parents.get(store.statement)
        lines = self._lines.get(store.key, [])
        between = bisect.bisect_right(lines, first) < bisect.bisect_left(lines, last)
        return together and not between

    def _stores(self, node: ast.AST) -> Iterator[_Store]:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from self._store(target, value, node)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                yield from self._store(target, value, node)
            case ast.AugAssign(target=target, value=value, op=op):
                for one in self._store(target, value, node):
                    yield _Store(one.scope, one.key, one.value, node, op)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                yield from self._store(target, value, target)
            case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield from self._store(name, None, name)
            case ast.Call(func=ast.Attribute(attr="add_argument")):
                yield from _argparse(node)
            case ast.Call(func=ast.Name(id=name)) if name[:1].isupper():
                for keyword in node.keywords:
                    if keyword.arg:
                        yield _Store(None, f".{keyword.arg}", keyword.value, node)
            case _:
                return

    def _store(self, target: ast.expr, value: ast.expr | None, at: ast.AST) -> Iterator[_Store]:
        match target:
            case ast.Name(id=name):
                if isinstance(self._parents.get(at), ast.ClassDef):
                    yield _Store(None, f".{name}", value, at)
                scope = self._function(target)
                yield _Store(None if (scope, name) in self._globals else scope, name, value, at)
            case ast.Attribute(attr=name):
                yield _Store(None, f".{name}", value, at)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key)):
                yield _Store(None, f"{name}[{key!r}]", value, at)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = getattr(value, "elts", None) if isinstance(value, ast.Tuple | ast.List) else None
                fits = values is not None and len(values) == len(targets)
                made = value if "mkstemp" in (ast.dump(value) if isinstance(value, ast.Call) else "") else None
                for position, one in enumerate(targets):
                    given = values[position] if fits and values else made if position else None
                    yield from self._store(one, None if isinstance(given, ast.Starred) else given, at)
            case ast.Starred(value=inner):
                yield from self._store(inner, None, at)


def _once_each(functions: Iterator[ast.FunctionDef | ast.AsyncFunctionDef]) -> dict[str, ast.AST]:
    """Functions by name; a name that is defined twice is left out."""
    found: dict[str, list[ast.AST]] = {}
    for function in functions:
        found.setdefault(function.name, []).append(function)
    return {name: several[0] for name, several in found.items() if len(several) == 1}


def _parameters(function: ast.AST) -> frozenset[str]:
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments):
        return frozenset()
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(one.arg for one in listed if one is not None)


def _argument(
    call: ast.Call, name: str, listed: list[str], function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[ast.expr | None]:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    position = listed.index(name) if name in listed else len(call.args)
    if named is not None:
        yield named
    elif position < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args):
        yield call.args[position]
    else:
        yield _default(function, name)


def _default(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    arguments = function.args
    listed = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    with_default = dict(zip(reversed(listed), reversed(arguments.defaults), strict=False))
    only = dict(zip((one.arg for one in arguments.kwonlyargs), arguments.kw_defaults, strict=True))
    return with_default.get(name) or only.get(name)


def _argparse(call: ast.Call) -> Iterator[_Store]:
    """add_argument("--out-dir", default="outputs") gives args.out_dir a value."""
    default = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
    names = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if names and default is not None:
        yield _Store(None, f".{names[-1].lstrip('-').replace('-', '_')}", default, call)


def _few(values: Sequence[ast.expr | None]) -> Options:
    known = [value for value in values if value is not None][:MAX_OPTIONS]
    return (*known, *([NOT_KNOWN] if len(known) < len(values) else ()))


def _with(node: ast.expr, name: str, before: ast.expr) -> ast.expr:
    """The expression with what the name stood for in its place; the same object where the name does not occur."""
    if isinstance(node, ast.Name):
        return before if node.id == name and isinstance(node.ctx, ast.Load) else node
    changed: dict[str, object] = {}
    for field, child in ast.iter_fields(node):
        if isinstance(child, ast.expr):
            new: object = _with(child, name, before)
        elif isinstance(child, list):
            new = [_with(one, name, before) if isinstance(one, ast.expr) else one for one in child]
            new = child if all(a is b for a, b in zip(new, child, strict=True)) else new
        else:
            continue
        if new is not child:
            changed[field] = new
    if not changed:
        return node
    made = copy.copy(node)
    for field, new in changed.items():
        setattr(made, field, new)
    return made
