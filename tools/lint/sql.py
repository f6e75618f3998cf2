"""Queries for DuckDB and SQLite: in them a text in quotes may be a file or an address."""

import ast
import re
from collections.abc import Iterator

from tools.lint import places
from tools.lint.finding import Finding, error, security
from tools.lint.program import UNKNOWN, Program

_RUNS = frozenset(
    {"sql", "query", "execute", "executemany", "executescript", "from_query", "read_sql", "read_sql_query"}
)
_READ = re.compile(
    r"(?:\b(?:from|join|attach(?:\s+database)?(?:\s+if\s+not\s+exists)?|import)\s+|\(\s*\[?\s*|,\s*)'([^']+)'",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"\b(?:to|vacuum\s+into)\s+'([^']+)'", re.IGNORECASE)
_GIVEN = re.compile(r"\b(attach(\s+database)?|vacuum\s+into)\s+[?:$@]", re.IGNORECASE)
_EXTENSION = re.compile(r"(^|;)\s*(install|load)\s+\w+", re.IGNORECASE)
_ENGINES = frozenset({"sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine"})
_FILE_DATABASE = re.compile(r"(sqlite(?:\+\w+)?|duckdb)://(?:/(.*))?$")
_LOOKS_LIKE_SQL = re.compile(
    r"\b(select|from|copy|attach|install|load|create|insert|pragma|set|vacuum)\b", re.IGNORECASE
)


def findings(program: Program) -> Iterator[Finding]:
    """Files that a query reads or writes, and extensions that it loads."""
    for node in program.nodes:
        if isinstance(node, ast.Call) and program.dotted(node.func) in _ENGINES:
            yield from _engine(program, node)
        elif isinstance(node, ast.Call) and node.args and _is_query(node):
            text = program.path(node.args[0])
            if text is not None and _LOOKS_LIKE_SQL.search(text):
                yield from _query(text, node)


def _engine(program: Program, node: ast.Call) -> Iterator[Finding]:
    """create_engine("sqlite:///inputs/shop.db"): a file; anything else is a server."""
    given = node.args[0] if node.args else next((word.value for word in node.keywords if word.arg == "url"), None)
    text = program.path(given)
    if text is None or text.startswith(UNKNOWN):
        yield error("policy:network", node, "Which database is opened is known only at run time; write its address.")
    elif (found := _FILE_DATABASE.match(text)) is None:
        yield security("network", node, f"{places.short(text)!r} is an address; a script has no network.")
    elif places.leaves(found.group(2) or ""):
        yield from places.outside(found.group(2), node)


def _is_query(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in _RUNS


def _query(text: str, at: ast.Call) -> Iterator[Finding]:
    if _EXTENSION.search(text):
        yield security("network", at, "A query that installs or loads an extension downloads and runs machine code.")
    if _GIVEN.search(text):
        yield error("policy:path", at, "Which file the database opens is known only at run time; write its path.")
    for path in _WRITTEN.findall(text):
        yield from places.written(path, at)
    for path in _READ.findall(text):
        if places.leaves(path):  # any other text in quotes may be data
            yield from places.read(path, at)
