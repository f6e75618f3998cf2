"""Names and calls that no script needs: other programs, code made at run time, reflection."""

import ast
import re
from collections.abc import Iterator

from tools.lint.finding import Finding, error, security, warning
from tools.lint.parts import ALLOWED, SYSTEM, judged
from tools.lint.program import Program, words

BUILTINS = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "makes code from text",
    "__import__": "imports by a name made at run time",
    "__builtins__": "reaches the built-in functions by a side door",
    "__loader__": "reaches the import machinery",
    "__spec__": "reaches the import machinery",
    "globals": "reaches names by text",
}

DUNDER = re.compile(
    r"__(subclasses|bases|base|mro|globals|builtins|code|closure|import|loader|spec|reduce|reduce_ex|getattribute|"
    r"self|wrapped|func|func__|traceback)__|\b(f_globals|f_locals|f_builtins|f_back|gi_frame|cr_frame|tb_frame|co_code)\b"
)
_OF_MODULES = words("__file__ __path__ __loader__ __spec__ __dict__")
_OF_CLASSES = words("__bases__ __base__ __mro__ __wrapped__")
_OF_PROCESSES = words("kill terminate suspend send_signal environ parent parents cmdline open_files net_connections")
_OF_LOOPS = words(
    """
    create_connection create_datagram_endpoint create_server create_unix_connection create_unix_server sock_connect
    subprocess_exec subprocess_shell connect_read_pipe connect_write_pipe getaddrinfo getnameinfo
    """
)
_STOPS = words("signal.SIGTERM signal.SIGINT signal.SIGHUP signal.SIGXCPU")


def findings(program: Program) -> Iterator[Finding]:
    """Every such name and call."""
    for node in program.nodes:
        if isinstance(node, ast.Name):
            yield from _name(program, node)
        elif isinstance(node, ast.Attribute):
            yield from _attribute(program, node)
        elif isinstance(node, ast.Call):
            yield from _call(program, node)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield from judged(f"{node.module}.{name.name}", node)
        elif isinstance(node, ast.Constant):
            yield from _constant(program, node)
        elif isinstance(node, ast.BinOp) and not isinstance(program.parents.get(node), ast.BinOp):
            yield from _put_together(program, node)


def _name(program: Program, node: ast.Name) -> Iterator[Finding]:
    if not isinstance(node.ctx, ast.Load):
        return
    judged_by_use = node.id == "globals" and _is_called(program, node)
    if node.id in BUILTINS and node.id not in program.values and not judged_by_use:
        yield security("dynamic-code", node, f"{node.id} {BUILTINS[node.id]}.")
    if node.id in ("input", "breakpoint") and node.id not in program.values:
        yield error("policy:input", node, f"{node.id} waits for a person who is not there: the script runs alone.")
    if node.id == "open" and not _is_called(program, node):
        yield security("reflection", node, "open is handed on under another name, so its paths cannot be checked.")
    # A bare module name that is handed on: x = os, f(os), [os], os if …; the parts used later cannot be followed.
    if program.aliases.get(node.id) in ALLOWED:
        parent = program.parents.get(node)
        renamed = isinstance(parent, ast.Assign | ast.AnnAssign) and _single_name(parent)
        if not isinstance(parent, ast.Attribute) and not renamed:
            yield security("reflection", node, f"The module {node.id} is handed on, so its use cannot be checked.")


def _dunder(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    """Most are doors; the classes above a class of its own, and an error that is printed, are not."""
    parent = program.parents.get(node)
    if node.attr == "__traceback__" and isinstance(parent, ast.Call) and node in parent.args:
        shown = (program.dotted(parent.func) or "").startswith("traceback.")
        if shown or getattr(parent.func, "attr", "") == "with_traceback":
            return
    plain = isinstance(node.value, ast.Name) and node.value.id not in program.aliases
    if plain and node.attr in _OF_CLASSES:
        yield warning("policy:reflection", node, f"{node.attr} looks behind a class or a decorator.")
    else:
        yield security("reflection", node, f"{node.attr} reaches behind Python's own protection.")


def _is_shown(program: Program, node: ast.AST) -> bool:
    """print(pd.__file__)"""
    parent = program.parents.get(node)
    return isinstance(parent, ast.FormattedValue) or (
        isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "print"
    )


def _single_name(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _is_called(program: Program, node: ast.AST) -> bool:
    parent = program.parents.get(node)
    return isinstance(parent, ast.Call) and parent.func is node


def _attribute(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    if DUNDER.fullmatch(node.attr):
        yield from _dunder(program, node)
    if node.attr in _OF_PROCESSES and program.made_by(node.value).startswith("psutil."):
        yield security("process", node, f"{node.attr} of psutil reaches other processes.")
    if node.attr in ("load_extension", "enable_load_extension"):
        yield security("native", node, f"{node.attr} loads machine code into the database.")
    if node.attr in _OF_LOOPS and program.made_by(node.value).startswith("asyncio."):
        yield security("network", node, f"{node.attr} of asyncio talks to the network or to other programs.")
    origin = program.dotted(node)
    if origin is None:
        return
    if not origin.startswith(("sys.path", "sys.modules")):
        yield from judged(origin, node)
    if node.attr == "__file__" and _is_shown(program, node):
        yield warning("policy:reflection", node, f"{origin} says where the package is installed.")
    elif node.attr in _OF_MODULES and program.dotted(node.value) in program.modules:
        yield error("policy:reflection", node, f"{origin} leads into the installed package, not to data.")


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr", "delattr", "hasattr"):
        yield from _getattr(program, node)
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("eval", "query"):
        yield from _pandas_expression(program, node)
    if origin == "operator.attrgetter":
        yield from _attrgetter(program, node)
    if origin == "signal.signal" and _refuses_to_stop([program.dotted(one) for one in node.args]):
        yield error("policy:process", node, "The script refuses to be stopped.")
    if origin == "sys.stdin" or origin.startswith("sys.stdin."):
        yield warning("policy:input", node, "Nobody is there to type an answer: the script runs alone.")


def _refuses_to_stop(given: list[str | None]) -> bool:
    return len(given) == 2 and given[0] in _STOPS and given[1] == "signal.SIG_IGN"


def _getattr(program: Program, node: ast.Call) -> Iterator[Finding]:
    base = program.dotted(node.args[0]) if node.args else None
    names = program.each(node.args[1]) if len(node.args) > 1 else ()
    for name in names:
        if DUNDER.fullmatch(name):
            yield security("reflection", node, f"{name} reaches behind Python's own protection.")
        elif base:
            yield from judged(f"{base}.{name}", node)
        if base and (name == "open" or f"{base}.{name}" == "importlib.import_module"):
            yield security("reflection", node, f"{name} is taken by its name, so its use cannot be checked.")
    if names:
        return
    if base and (base.split(".")[0] in ALLOWED or SYSTEM & set(base.split("."))):
        yield security("reflection", node, f"A part of {base} is chosen by a text made at run time; name it.")
    elif base in program.modules and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        yield error(
            "policy:reflection", node, f"A part of {base} is chosen by a text made at run time; list the names."
        )


def _attrgetter(program: Program, node: ast.Call) -> Iterator[Finding]:
    names = [program.literal(one) for one in node.args]
    for name in names:
        if (
            not isinstance(name, str)
            or DUNDER.search(name)
            or SYSTEM & set(name.split("."))
            or name in ("system", "popen")
        ):
            yield security("reflection", node, "attrgetter reaches a part that is not for data work.")


def _pandas_expression(program: Program, node: ast.Call) -> Iterator[Finding]:
    """df.query("a > @limit") is ordinary; a text made at run time, or one that climbs from a module, is not."""
    if not node.args or not isinstance(node.func, ast.Attribute):
        return
    text = program.path(node.args[0])
    if text is None:
        if not program.made_by(node.func.value).startswith(("duckdb", "sqlite3")):
            yield warning("policy:expression", node, "An expression is made at run time and evaluated by pandas.")
        return
    for name, rest in re.findall(r"@(\w+)((?:\.\w+)*)", text):
        if name in program.aliases:
            yield from judged(f"{program.aliases[name]}{rest}", node)
    if "@" in text and "__" in text:
        yield security("dynamic-code", node, "An expression for pandas reaches behind Python's own protection.")


def _put_together(program: Program, node: ast.BinOp) -> Iterator[Finding]:
    """ "(1).__cla" + "ss__" """
    text = program.literal(node)
    if isinstance(text, str) and DUNDER.search(text):
        yield security("reflection", node, "A text is put together that reaches behind Python's own protection.")


def _constant(program: Program, node: ast.Constant) -> Iterator[Finding]:
    if not isinstance(node.value, str) or program.is_docstring(node) or program.is_table_word(node):
        return
    if DUNDER.search(node.value):
        yield security("reflection", node, "A text names parts of Python that reach behind its own protection.")
