"""What an expression is worth, as far as reading alone tells: constants put together, paths with unknown parts."""

import ast
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tools.lint.bindings import NOT_KNOWN, Bindings, Options
from tools.lint.folding import MAX_TEXT as MAX_VALUE
from tools.lint.folding import built, characters, from_hex, joined, parent

MAX_STEPS = 300_000
MAX_WORLDS = 12
UNKNOWN = NOT_KNOWN.id
"""Stands for the part of a text that only a run would tell."""
TEMPORARY = "\N{WHITE CIRCLE}"
"""Stands for a folder that `tempfile` makes."""

_PATHS = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath", "os.path.join", "str", "os.fspath"})
_SAME = frozenset({"resolve", "absolute", "as_posix", "with_suffix", "with_name", "with_stem"})
_WRAPPERS = frozenset(
    {
        "os.path.abspath", "os.path.realpath", "os.path.normpath", "sorted", "list", "tuple", "reversed", "iter",
        "io.TextIOWrapper", "io.BufferedReader",
    }
)  # fmt: skip
_TEMPFILES = re.compile(r"tempfile\.(mkd?s?temp|TemporaryDirectory|NamedTemporaryFile|TemporaryFile|gettempdir)$")
_FIXED = {"os.sep": "/", "os.path.sep": "/", "os.pardir": "..", "os.path.pardir": "..", "os.curdir": "."}
_PURE: dict[str, Callable[..., Any]] = {
    "replace": str.replace, "strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip, "lower": str.lower,
    "upper": str.upper, "swapcase": str.swapcase, "title": str.title, "removeprefix": str.removeprefix,
    "removesuffix": str.removesuffix, "split": str.split,
}  # fmt: skip
_FIELD = re.compile(r"\{[^{}]*\}")
_PERCENT = re.compile(r"%[sdri]")

Found = TypeVar("Found")


class Values:
    """Folds the expressions of one script: `bindings` say what a name may be, `looped` names stand for each of many."""

    def __init__(
        self, bindings: Bindings, looped: Mapping[str, ast.expr], dotted: Callable[[ast.AST], str | None]
    ) -> None:
        self._bindings, self._looped, self._dotted = bindings, looped, dotted
        self._steps = 0
        self._chosen: dict[int, int] = {}
        self._open: dict[int, Options] = {}
        self._through_calls = False

    def worlds(self, look: Callable[[], Found], *, through_calls: bool = False) -> list[Found]:
        """What `look` finds for each value that the names it meets may have; one entry if they are certain."""
        before = self._chosen, self._open, self._through_calls
        found: list[Found] = []
        waiting: list[dict[int, int]] = [{}]
        self._through_calls = through_calls
        while waiting and len(found) < MAX_WORLDS:
            self._chosen, self._open = waiting.pop(0), {}
            result = look()
            if not self._open:
                found.append(result)
                continue
            which, options = next(iter(self._open.items()))
            waiting += [{**self._chosen, which: position} for position in range(len(options))]
        if waiting:  # too many to look at: what is not certain stays unknown
            self._chosen = {}
            found.append(look())
        self._chosen, self._open, self._through_calls = before
        return found

    def _value(self, node: ast.AST) -> ast.expr | None:
        """What a name stands for in the world that is looked at; None if it is not known."""
        options = self._bindings.options(node, through_calls=self._through_calls)
        if len(options) < 2:
            return options[0] if options else None
        if (chosen := self._chosen.get(id(options))) is None:
            self._open[id(options)] = options
            return None
        return options[chosen]

    @property
    def is_opaque(self) -> bool:
        """Folding was given up, so nothing that was not found means anything."""
        return self._steps > MAX_STEPS

    def _is_tired(self) -> bool:
        """A few hostile lines could be followed for ever (lists of lists of lists); an honest script is far below."""
        self._steps += 1
        return self.is_opaque

    def literal(self, node: ast.AST | None, depth: int = 0) -> object:
        """The value of a constant expression (names assigned once are followed); None if unknown."""
        if node is None or depth > 12 or self._is_tired():
            return None
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self.literal(self._value(node), depth + 1)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [self.literal(item, depth + 1) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.literal(operand, depth + 1)
                return -value if isinstance(value, int | float) else None
            case ast.BinOp():
                return self._combined(node, depth + 1)
            case ast.Subscript():
                return self._picked(node, depth + 1)
            case ast.Call():
                return self._computed(node, depth + 1)
            case ast.Attribute():
                return _FIXED.get(self._dotted(node) or "") or self.literal(self._own(node), depth + 1)
            case ast.ListComp() | ast.GeneratorExp():
                return self._each(node, depth + 1)
            case _:
                return None

    def _combined(self, node: ast.BinOp, depth: int) -> object:
        left, right = self.literal(node.left, depth), self.literal(node.right, depth)
        match node.op, left, right:
            case (ast.Add(), str(), str()) | (ast.Add(), list(), list()) | (ast.Add(), bytes(), bytes()):
                return (left + right)[:MAX_VALUE]  # type: ignore[operator]
            case (ast.Mult(), str() | bytes() | list(), int()):
                return left[:MAX_VALUE] * min(right, MAX_VALUE // (len(left) or 1) + 1)
            case (ast.Mod(), str(), _):
                filled = self._filled(_PERCENT, left, right if isinstance(right, list) else [right])
                return None if UNKNOWN in filled else filled
            case _:
                return None

    def _filled(self, pattern: re.Pattern[str], template: str, parts: Sequence[object]) -> str:
        """A template whose places are taken by the parts in order."""
        left = list(parts)

        def one(found: re.Match[str]) -> str:
            part = left.pop(0) if left else None
            return str(part) if isinstance(part, str | int) else UNKNOWN

        return pattern.sub(one, template[:MAX_VALUE])[:MAX_VALUE]

    def _picked(self, node: ast.Subscript, depth: int) -> object:
        """NAMES[0], "txet"[::-1]"""
        if (given := self._value(node)) is not None:
            return self.literal(given, depth)
        if isinstance(entries := self._whole(node.value), ast.Dict):
            return self._entry(entries, self.literal(node.slice, depth), depth)
        whole = self.literal(node.value, depth)
        if not isinstance(whole, str | list | bytes):
            return None
        if isinstance(node.slice, ast.Slice):
            bounds = [node.slice.lower, node.slice.upper, node.slice.step]
            numbers = [None if bound is None else self.literal(bound, depth) for bound in bounds]
            known = [number for number in numbers if isinstance(number, int)]
            if len(known) != sum(bound is not None for bound in bounds) or numbers[2] == 0:
                return None
            return whole[slice(*(number if isinstance(number, int) else None for number in numbers))]
        position = self.literal(node.slice, depth)
        fits = isinstance(position, int) and -len(whole) <= position < len(whole)
        return whole[position] if fits and isinstance(position, int) else None

    def _whole(self, node: ast.expr) -> ast.expr:
        return (self._value(node) if isinstance(node, ast.Name) else node) or node

    def _own(self, node: ast.Attribute) -> ast.expr | None:
        """self.out, CONFIG.out: what the script itself gave it, not a part of a library."""
        return None if self._dotted(node) else self._value(node)

    def _entry(self, entries: ast.Dict, key: object, depth: int) -> object:
        """PLACES["a"] of a dictionary that is written down."""
        for name, value in zip(entries.keys, entries.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == key:
                return self.literal(value, depth)
        return None

    def _computed(self, node: ast.Call, depth: int) -> object:
        """chr(47), "".join([...]), "a b".split(), bytes([...]).decode() and the like."""
        match node.func:
            case ast.Name(id="chr" | "str" | "bytes" | "bytearray" | "list" | "tuple" | "reversed" | "map" as name):
                return built(name, node, [self.literal(one, depth) for one in node.args])
            case ast.Attribute(value=ast.Name(id="bytes" | "bytearray"), attr="fromhex"):
                return from_hex(self.literal(node.args[0], depth) if node.args else None)
            case ast.Attribute(value=base, attr=method):
                whole = self.literal(base, depth)
                if isinstance(whole, str | bytes):
                    return self._method(whole, method, node, depth)
        return None

    def _method(self, whole: str | bytes, method: str, node: ast.Call, depth: int) -> object:
        given = [self.literal(one, depth) for one in node.args]
        if isinstance(whole, bytes):
            return whole.decode("latin-1") if method == "decode" else None
        if method == "encode":
            return whole.encode(errors="replace")
        if method == "join" and given and isinstance(given[0], list) and all(isinstance(one, str) for one in given[0]):
            return whole.join(given[0])[:MAX_VALUE]
        if method == "format" and not node.keywords:
            filled = self._filled(_FIELD, whole, given)
            return None if UNKNOWN in filled else filled
        if method in _PURE and all(isinstance(one, str) for one in given) and not node.keywords:
            try:
                return _PURE[method](whole, *given)
            except (TypeError, ValueError):
                return None
        return None

    def _each(self, node: ast.ListComp | ast.GeneratorExp, depth: int) -> object:
        """[chr(c) for c in NUMBERS], the one loop that is worth following."""
        match node:
            case (
                ast.ListComp(
                    elt=ast.Call(func=ast.Name(id="chr"), args=[ast.Name(id=used)]),
                    generators=[ast.comprehension(target=ast.Name(id=name), iter=items, ifs=[])],
                )
                | ast.GeneratorExp(
                    elt=ast.Call(func=ast.Name(id="chr"), args=[ast.Name(id=used)]),
                    generators=[ast.comprehension(target=ast.Name(id=name), iter=items, ifs=[])],
                )
            ) if used == name:
                return characters(self.literal(items, depth))
            case _:
                return None

    def path(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """A text as far as it is known: `UNKNOWN` stands for the rest; None if nothing is known or it is no text."""
        if node is None or depth > 12 or self._is_tired():
            return None
        match node:
            case ast.Constant(value=value):
                return value if isinstance(value, str) else os.fsdecode(value) if isinstance(value, bytes) else None
            case ast.Name(id=name) if name in self._looped:
                return self.element(self._looped[name], depth + 1)
            case ast.Name(id="__file__"):
                return "script.py"
            case ast.Name():
                return self.path(self._value(node), depth + 1)
            case ast.JoinedStr(values=parts):
                return "".join(self._part(part, depth + 1) for part in parts)[:MAX_VALUE]
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as op, right=right):
                return joined(
                    [self.path(left, depth + 1), self.path(right, depth + 1)], "/" if isinstance(op, ast.Div) else ""
                )
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                template = self.literal(left, depth + 1)
                given = self.literal(right, depth + 1)
                parts_ = given if isinstance(given, list) else [given]
                return self._filled(_PERCENT, template, parts_) if isinstance(template, str) else None
            case ast.Call():
                return self._called(node, depth)
            case ast.Attribute(value=base, attr="name"):
                made = self.path(base, depth + 1)
                temporary = made is not None and made.startswith(TEMPORARY)
                return made if temporary else self.path(self._own(node), depth + 1)
            case ast.Attribute(value=base, attr="parent") if (below := self.path(base, depth + 1)) is not None:
                return parent(below)
            case ast.Attribute() if (given := self._own(node)) is not None:
                return self.path(given, depth + 1)
            case ast.Subscript() if (given := self._value(node)) is not None:
                return self.path(given, depth + 1)
            case ast.IfExp() if (same := self.path(node.body, depth + 1)) == self.path(node.orelse, depth + 1):
                return same
            case ast.Starred(value=inner):
                return self._common(self.literal(inner, depth + 1))
            case _:
                found = self.literal(node, depth + 1)
                return found if isinstance(found, str) else None

    def _part(self, part: ast.expr, depth: int) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        found = self.literal(part.value, depth) if isinstance(part, ast.FormattedValue) else None
        return found if isinstance(found, str) else UNKNOWN

    def _called(self, node: ast.Call, depth: int) -> str | None:
        origin = self._dotted(node.func) or (node.func.id if isinstance(node.func, ast.Name) else "")
        if origin.removeprefix("pathlib.") in _PATHS:
            return joined(self._parts(node.args, depth + 1)) if node.args else "."
        if origin in ("pathlib.Path.cwd", "os.getcwd", "os.path.dirname"):
            return self._folder(node, origin, depth)
        if origin in _WRAPPERS and node.args:
            return self.path(node.args[0], depth + 1)
        if _TEMPFILES.match(origin):
            where = next((word.value for word in node.keywords if word.arg == "dir"), None)
            return TEMPORARY if where is None else self.path(where, depth + 1)
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in _SAME:
                return self.path(node.func.value, depth + 1)
            if node.func.attr == "joinpath" and (base := self.path(node.func.value, depth + 1)) is not None:
                return joined([base, *(self.path(one, depth + 1) for one in node.args)])
            if node.func.attr == "format" and isinstance(template := self.literal(node.func.value, depth + 1), str):
                return self._filled(_FIELD, template, [self.literal(one, depth + 1) for one in node.args])
        if (given := self._value(node)) is not None:
            return self.path(given, depth + 1)
        found = self.literal(node, depth + 1)
        return found if isinstance(found, str) else self._looked_up(node, depth) or self.element(node, depth + 1)

    def _looked_up(self, node: ast.Call, depth: int) -> str | None:
        """settings.get("out", "outputs"): its default, where nothing else is written down."""
        match node:
            case ast.Call(func=ast.Attribute(value=base, attr="get"), args=[key, default]):
                entries = self._whole(base)
                if isinstance(entries, ast.Dict):
                    found = self._entry(entries, self.literal(key, depth), depth)
                    return found if isinstance(found, str) else self.path(default, depth + 1)
                return self.path(default, depth + 1)
            case _:
                return None

    def _parts(self, given: list[ast.expr], depth: int) -> list[str | None]:
        """The arguments of a join, those of a written list too: join(*["/", "etc"])."""
        parts: list[str | None] = []
        for one in given:
            spread = self.literal(one.value, depth) if isinstance(one, ast.Starred) else None
            parts += [part if isinstance(part, str) else None for part in spread] if isinstance(spread, list) else []
            parts += [] if isinstance(spread, list) else [self.path(one, depth)]
        return parts

    def _folder(self, node: ast.Call, origin: str, depth: int) -> str | None:
        if origin != "os.path.dirname":
            return "."
        inner = self.path(node.args[0], depth + 1) if node.args else None
        return inner.rpartition("/")[0] or "." if inner is not None else None

    def element(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """What is common to the texts or paths that an iterable gives: Path("a").glob("*") -> a/…"""
        if node is None or depth > 12:
            return None
        match node:
            case ast.Call(func=ast.Attribute(value=base, attr="glob" | "rglob" | "iterdir")) if not self._dotted(
                node.func
            ):
                folder = self.path(base, depth + 1)
                return None if folder is None else f"{folder.rstrip('/')}/{UNKNOWN}"
            case ast.Call(func=func, args=[first, *_]) if (self._dotted(func) or "").startswith(
                ("glob.", "os.scandir")
            ):
                pattern = self.path(first, depth + 1)
                return None if pattern is None else pattern.replace("*", UNKNOWN)
            case ast.Call(func=ast.Name(id="sorted" | "list" | "tuple" | "reversed" | "set"), args=[first, *_]):
                return self.element(first, depth + 1)
            case ast.Name():
                return self.element(self._value(node), depth + 1)
            case ast.List() | ast.Tuple() | ast.Set():
                return self._common(self.literal(node, depth + 1))
            case _:
                return None

    def _common(self, items: object) -> str | None:
        if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
            return None
        return str(items[0]) if len(items) == 1 else os.path.commonprefix(items) + UNKNOWN
