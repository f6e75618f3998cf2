"""A script as a tree, with the names in it resolved as far as reading alone can do it."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tools.lint.bindings import NOT_KNOWN, Bindings, Options
from tools.lint.finding import Finding
from tools.lint.values import UNKNOWN, Found, Values
from tools.syntax import tree_of

__all__ = ["UNKNOWN", "Program", "Unreadable", "words"]

MAX_BYTES = 200_000
"""A training script is a few hundred lines, besides the table's own words; more is data in disguise, slow to check."""
MAX_DEPTH = 200
"""Expressions inside expressions; people stay below 60, and each checker reads them by calling itself."""
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")

_CONTAINERS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


def words(text: str) -> frozenset[str]:
    """A set of names, written as text so that it reads like a list."""
    return frozenset(text.split())


_COLUMN_ARGUMENTS = words("columns usecols labels subset by on index target classes categories")
_COLUMN_METHODS = words("drop pop get eq ne isin map replace astype groupby sort_values set_index select index append")
_LIST_CALLS = _COLUMN_METHODS | words("ColumnTransformer make_column_transformer rename filter reindex set array Index")


class Unreadable(Exception):
    """The text is not a program that can be checked; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


@dataclass(frozen=True)
class Program:
    """A parsed script."""

    code: str
    tree: ast.Module
    table_words: frozenset[str] = frozenset()
    """Column names and class labels: whatever they look like, they are data."""

    @classmethod
    def parse(cls, code: str, table_words: frozenset[str] = frozenset()) -> "Program":
        """Raises `Unreadable` for text that is no Python, too large, or says it is in another encoding than UTF-8."""
        raw = code.encode("utf-8", "surrogatepass")
        limit = MAX_BYTES + sum(len(repr(word).encode(errors="replace")) + 4 for word in table_words)
        if len(raw) > limit:
            raise Unreadable(_syntax(1, f"The script has {len(raw):,} bytes; at most {limit:,} can be checked."))
        _refuse_cookie(raw)
        try:
            code.encode()
            tree = tree_of(code)
            _refuse_depth(tree)
            compile(tree, "script.py", "exec", dont_inherit=True)
        except SyntaxError as problem:
            raise Unreadable(
                _syntax(problem.lineno or 1, f"This is not valid Python: {problem.msg}, line {problem.lineno or 1}.")
            ) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as problem:
            raise Unreadable(_syntax(1, f"This is not a program that can be read: {_why(problem)}.")) from None
        return cls(code, tree, table_words)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The text as Python counts its lines."""
        return tuple(re.split(r"\r\n|\r|\n", self.code))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node, parents before children."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Child -> parent."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the parent up to the module."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Local name -> dotted origin of an import, e.g. pd -> pandas; plain renamings (o = os) are followed."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    found[name.asname or name.name.split(".")[0]] = (
                        name.name if name.asname else name.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    found[name.asname or name.name] = f"{node.module or ''}.{name.name}"
        for _ in range(3):
            for name_, value in self._assigned:
                if module := _imported(value, found):
                    found.setdefault(name_, module)
                if (origin := _dotted(value, found)) and name_ not in found:
                    found[name_] = origin
        return found

    @cached_property
    def modules(self) -> frozenset[str]:
        """Dotted names of all that is imported, modules and what comes from them."""
        return frozenset(self.aliases.values())

    @cached_property
    def _assigned(self) -> tuple[tuple[str, ast.expr], ...]:
        return tuple(pair for node in self.nodes for pair in _assignments(node))

    @cached_property
    def _once(self) -> frozenset[str]:
        """Names that are given a value in exactly one place of the whole script."""
        stores = Counter(
            node.id for node in self.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        arguments = {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        return frozenset(name for name, times in stores.items() if times == 1) - arguments

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """Name -> its expression, for names that are given a value once, and one place to get it from."""
        return {name: value for name, value in self._assigned if name in self._once}

    @cached_property
    def _looped(self) -> dict[str, ast.expr]:
        """Loop variable -> what is walked through."""
        return {
            node.target.id: node.iter
            for node in self.nodes
            if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name)
            if node.target.id in self._once
        }

    @cached_property
    def transformers(self) -> frozenset[str]:
        """Names whose `.transform` is used somewhere."""
        return frozenset(
            node.value.id
            for node in self.nodes
            if isinstance(node, ast.Attribute) and node.attr == "transform" and isinstance(node.value, ast.Name)
        )

    def dotted(self, node: ast.AST) -> str | None:
        """Where a name or attribute chain comes from ("pandas.read_csv"), None if not from an import."""
        return _dotted(node, self.aliases)

    def is_handed_on(self, node: ast.AST) -> bool:
        """A function is used in another way than by calling it or giving it one other name: the use is out of sight."""
        parent = self.parents.get(node)
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or (
            isinstance(parent, ast.Call) and parent.func is node
        ):
            return False
        if isinstance(parent, ast.Assign | ast.AnnAssign) and parent.value is node:
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            return not all(isinstance(target, ast.Name) for target in targets)
        return True

    @cached_property
    def _values(self) -> Values:
        return Values(self.bindings, self._looped, self.dotted)

    @cached_property
    def bindings(self) -> Bindings:
        """What names, attributes, entries and the script's own functions may stand for."""
        return Bindings(self.nodes, self.parents)

    def worlds(self, look: Callable[[], Found], *, through_calls: bool = False) -> list[Found]:
        """What `look` finds for each value that the names it meets may have; one entry if they are certain."""
        return self._values.worlds(look, through_calls=through_calls)

    def options(self, node: ast.AST) -> Options:
        """The expressions that a name may stand for, those given by the script's own calls too; () if not known."""
        return self.bindings.options(node, through_calls=True)

    def literal(self, node: ast.AST | None) -> object:
        """The value of a constant expression (names assigned once are followed); None if unknown."""
        return self._values.literal(node)

    def path(self, node: ast.AST | None) -> str | None:
        """A path or text as far as it is known: `UNKNOWN` stands for the rest; None if nothing is known."""
        return self._values.path(node)

    def each(self, node: ast.AST | None) -> tuple[str, ...]:
        """The texts that an expression may be, all of them: a literal, those of a loop, what calls give; else ()."""
        if node is None:
            return ()
        walked = self._walked_around(node)
        texts = self.literal(walked) if walked else self.worlds(lambda: self.literal(node), through_calls=True)
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            return ()
        return tuple(dict.fromkeys(texts))

    def _walked_around(self, node: ast.AST) -> ast.expr | None:
        """What the innermost loop around a name walks through, if the name is its variable and nothing else is."""
        if not isinstance(node, ast.Name) or any(one is not NOT_KNOWN for one in self.bindings.options(node)):
            return None
        for above in self.ancestors(node):
            for loop in getattr(above, "generators", [above]):
                if isinstance(loop, ast.For | ast.comprehension) and getattr(loop.target, "id", "") == node.id:
                    return loop.iter
        return None

    @property
    def is_opaque(self) -> bool:
        """Resolving its values was given up, so nothing that was not found means anything."""
        return self._values.is_opaque

    @cached_property
    def loads(self) -> dict[str, list[ast.Name]]:
        """Name -> where it is used."""
        found: dict[str, list[ast.Name]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(node)
        return found

    def walked(self, node: ast.AST) -> ast.expr | None:
        """What a loop variable walks through."""
        return self._looped.get(node.id) if isinstance(node, ast.Name) else None

    def made_by(self, node: ast.AST) -> str:
        """The imported function or class that made a value: `c = duckdb.connect()` -> c is made by duckdb.connect."""
        for _ in range(4):
            if isinstance(node, ast.Name):
                node = self.values.get(node.id, node)
            if isinstance(node, ast.Call):
                if (origin := self.dotted(node.func)) is not None:
                    return origin
                node = node.func.value if isinstance(node.func, ast.Attribute) else node
        return ""

    def is_table_word(self, node: ast.AST) -> bool:
        """A column name or class label where data stands: in a list, an assignment, a subscript; not in `open(…)`."""
        if not isinstance(node, ast.Constant) or node.value not in self.table_words:
            return False
        inner: ast.AST = node
        for above in self.ancestors(node):
            listed = inner is not node
            if isinstance(above, ast.keyword) and above.arg in _COLUMN_ARGUMENTS:
                return True
            if not isinstance(above, _CONTAINERS) and not (listed and isinstance(above, ast.BinOp | ast.keyword)):
                return _stands_as_data(inner, above, listed)
            inner = above
        return False

    @cached_property
    def table_lines(self) -> frozenset[int]:
        """Lines on which words of the table stand as data."""
        return frozenset(
            node.lineno for node in self.nodes if isinstance(node, ast.Constant) and self.is_table_word(node)
        )

    def is_docstring(self, node: ast.AST) -> bool:
        """A string that stands alone: it does nothing."""
        return isinstance(self.parents.get(node), ast.Expr)


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """name = value, with value as name, and the file name of tempfile.mkstemp()."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, value
                elif isinstance(target, ast.Tuple) and "mkstemp" in ast.dump(value):
                    yield from ((one.id, value) for one in target.elts[1:] if isinstance(one, ast.Name))
        case (
            ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            | ast.NamedExpr(target=ast.Name(id=name), value=value)
        ):
            yield name, value
        case ast.withitem(context_expr=value, optional_vars=ast.Name(id=name)):
            yield name, value


def _stands_as_data(inner: ast.AST, above: ast.AST, listed: bool) -> bool:
    """Whether the text (or the list that it is in, then `listed`) is used as data by the node around it."""
    match above:
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is inner
        case ast.Subscript(slice=chosen):
            return chosen is inner
        case ast.Compare():
            return True
        case ast.For(iter=walked) | ast.comprehension(iter=walked):
            return listed and walked is inner
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in (_LIST_CALLS if listed else _COLUMN_METHODS)
        case _:
            return False


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    return ".".join([aliases[node.id], *reversed(parts)])


def _imported(value: ast.expr, aliases: dict[str, str]) -> str:
    """xgb = importlib.import_module("xgboost")"""
    match value:
        case ast.Call(func=func, args=[ast.Constant(value=str(name))]):
            return name if _dotted(func, aliases) == "importlib.import_module" else ""
        case _:
            return ""


def _refuse_cookie(raw: bytes) -> None:
    """Python obeys `# coding: utf-7` when it reads the file, and then the program is not the one that was checked."""
    for number, line in enumerate(raw.splitlines()[:2], start=1):
        found = _COOKIE.match(line)
        if found and found.group(1).decode().lower().replace("_", "-") not in ("utf-8", "utf8", "ascii", "us-ascii"):
            sentence = f"The script says it is written in {found.group(1).decode()!r}; only UTF-8 can be checked."
            raise Unreadable(_syntax(number, sentence, rule="policy:encoding", hard=True))


def _refuse_depth(tree: ast.Module) -> None:
    """`"a" + "a" + …` a thousand times is a tree a thousand deep, and keeps bandit busy for minutes."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            line = int(getattr(node, "lineno", 1))
            sentence = f"This cannot be checked: line {line} is nested too deeply (at most {MAX_DEPTH} levels)."
            raise Unreadable(_syntax(line, sentence, rule="policy:depth", hard=True))
        waiting += [
            (child, depth + isinstance(child, ast.expr)) for child in reversed(list(ast.iter_child_nodes(node)))
        ]


def _syntax(line: int, sentence: str, *, rule: str = "syntax", hard: bool = False) -> Finding:
    return Finding(
        rule=rule,
        source="policy" if hard else "syntax",
        severity="security" if hard else "error",
        line=line,
        sentence=sentence,
        blocks=True,
    )


def _why(problem: BaseException) -> str:
    if isinstance(problem, RecursionError | MemoryError):
        return "its expressions are nested too deeply"
    return str(problem) or type(problem).__name__
