"""A script as a tree, with the names in it resolved as far as reading alone can do it."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tools.lint.finding import Finding

MAX_BYTES = 200_000
"""A training script is a few hundred lines, besides the table's own words; more is data in disguise, slow to check."""
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
MAX_STEPS, MAX_VALUE = 300_000, 20_000
UNKNOWN = "\N{WHITE SQUARE}"
"""Stands for the part of a path that only a run would tell."""


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
    _looked: Counter[str] = field(default_factory=Counter, compare=False)
    """How much resolving of values has cost so far."""

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
            tree = ast.parse(code, filename="script.py")
            compile(tree, "script.py", "exec", dont_inherit=True)
        except SyntaxError as problem:
            raise Unreadable(
                _syntax(problem.lineno or 1, f"This is not valid Python: {problem.msg}, line {problem.lineno or 1}.")
            ) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as problem:
            raise Unreadable(_syntax(1, f"This is not a program that can be read: {_why(problem)}.")) from None
        return cls(code, tree, table_words)

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
                if (origin := _dotted(value, found)) and name_ not in found:
                    found[name_] = origin
        return found

    @cached_property
    def _assigned(self) -> tuple[tuple[str, ast.expr], ...]:
        return tuple(
            (target.id, node.value)
            for node in self.nodes
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        )

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """Name -> its expression, for names that are assigned exactly once in the whole script."""
        stores = [node.id for node in self.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        times, arguments = Counter(stores), {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        return {name: value for name, value in self._assigned if times[name] == 1 and name not in arguments}

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

    def literal(self, node: ast.AST | None, depth: int = 0) -> object:
        """The value of a constant expression (names assigned once are followed); None if unknown."""
        if node is None or depth > 8 or self._is_tired():
            return None
        if isinstance(node, ast.Name):
            return self.literal(self.values.get(node.id), depth + 1)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.literal(item, depth + 1) for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.literal(node.left, depth + 1), self.literal(node.right, depth + 1)
            if isinstance(left, list) and isinstance(right, list):
                return (left + right)[:MAX_VALUE]
            return (left + right)[:MAX_VALUE] if isinstance(left, str) and isinstance(right, str) else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self.literal(node.operand, depth + 1)
            return -value if isinstance(value, int | float) else None
        return node.value if isinstance(node, ast.Constant) else None

    def _is_tired(self) -> bool:
        """A few hostile lines could be followed for ever (lists of lists of lists); an honest script is far below."""
        self._looked["steps"] += 1
        return self.is_opaque

    @property
    def is_opaque(self) -> bool:
        """Resolving its values was given up, so nothing that was not found means anything."""
        return self._looked["steps"] > MAX_STEPS

    def path(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """A path as text as far as it is known: `UNKNOWN` stands for the rest; None if nothing is known."""
        if node is None or depth > 12 or self._is_tired():
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self.path(self.values.get(node.id), depth + 1)
        if isinstance(node, ast.JoinedStr):
            return "".join(
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else UNKNOWN
                for part in node.values
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
            left, right = self.path(node.left, depth + 1), self.path(node.right, depth + 1)
            return _joined([left, right], "/" if isinstance(node.op, ast.Div) else "")
        if isinstance(node, ast.Call):
            return self._called_path(node, depth)
        return self._picked(node, depth) if isinstance(node, ast.Subscript) else None

    def _picked(self, node: ast.Subscript, depth: int) -> str | None:
        """A text of a list that is written down: NAMES[0]."""
        choice, position = self.literal(node.value, depth + 1), self.literal(node.slice, depth + 1)
        if not isinstance(choice, list) or not isinstance(position, int):
            return None
        found = choice[position] if -len(choice) <= position < len(choice) else None
        return found if isinstance(found, str) else None

    def _called_path(self, node: ast.Call, depth: int) -> str | None:
        origin = self.dotted(node.func) or (node.func.id if isinstance(node.func, ast.Name) else "")
        if origin.removeprefix("pathlib.") in ("Path", "PurePath", "PosixPath", "os.path.join", "str"):
            parts = [self.path(argument, depth + 1) for argument in node.args]
            return _joined(parts) if parts else "."
        if isinstance(node.func, ast.Attribute) and node.func.attr in (
            "joinpath",
            "with_suffix",
            "with_name",
            "resolve",
        ):
            base = self.path(node.func.value, depth + 1)
            more = [self.path(argument, depth + 1) for argument in node.args] if node.func.attr == "joinpath" else []
            return _joined([base, *more]) if base is not None else None
        return None

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


def _joined(parts: list[str | None], separator: str = "/") -> str | None:
    """Paths put together as `pathlib` does it: an absolute part starts anew."""
    if all(part is None for part in parts):
        return None
    text = ""
    for part in (UNKNOWN if part is None else part for part in parts):
        anew = not text or (separator == "/" and part.startswith("/"))
        text = part if anew else f"{text.rstrip('/') if separator else text}{separator}{part}"
    return text[:MAX_VALUE]


def _refuse_cookie(raw: bytes) -> None:
    """Python obeys `# coding: utf-7` when it reads the file, and then the program is not the one that was checked."""
    for number, line in enumerate(raw.splitlines()[:2], start=1):
        found = _COOKIE.match(line)
        if found and found.group(1).decode().lower().replace("_", "-") not in ("utf-8", "utf8", "ascii", "us-ascii"):
            sentence = f"The script says it is written in {found.group(1).decode()!r}; only UTF-8 can be checked."
            raise Unreadable(_syntax(number, sentence, rule="policy:encoding", hard=True))


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
