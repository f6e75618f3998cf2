"""Calls and names that no training script needs: other programs, code made at run time, pickles, reflection."""

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator

from tools.lint.finding import Finding, security, warning
from tools.lint.program import Program, words

ALLOWED_PARTS = {
    "os": "path makedirs mkdir cpu_count process_cpu_count sched_getaffinity sep linesep listdir scandir walk environ "
    "getcwd name fspath PathLike stat getpid urandom remove unlink rmdir rename replace",
    "sys": "stdout stderr stdin argv exit version version_info maxsize float_info platform getsizeof exc_info "
    "byteorder setrecursionlimit getrecursionlimit flags hexversion implementation __stdout__ __stderr__",
    "pickle": "dump dumps load loads HIGHEST_PROTOCOL DEFAULT_PROTOCOL PickleError PicklingError",
    "multiprocessing": "cpu_count",
    "concurrent": "futures futures.ThreadPoolExecutor futures.as_completed futures.wait futures.Future "
    "futures.TimeoutError",
    "shutil": "copy copy2 copyfile move rmtree copytree disk_usage",
    "signal": "signal alarm setitimer getsignal default_int_handler Signals",
}
"""Modules with harmless and harmful parts: only these parts may be named (paths.py looks further at files)."""

_WHAT = {
    "os": ("process", "steers the operating system"),
    "sys": ("reflection", "reaches into the interpreter"),
    "pickle": ("deserialise", "can run code hidden in a file"),
    "multiprocessing": ("process", "starts other processes; use n_jobs of the estimator"),
    "concurrent": ("process", "starts other processes; use n_jobs of the estimator"),
    "shutil": ("destructive", "changes files beyond this run"),
    "signal": ("process", "sends signals to processes"),
}

FORBIDDEN = {
    "pandas.read_pickle": ("deserialise", "can run code hidden in the file that it reads"),
    "pandas.read_sql": ("network", "talks to a database"),
    "pandas.read_sql_query": ("network", "talks to a database"),
    "pandas.read_sql_table": ("network", "talks to a database"),
    "pandas.read_gbq": ("network", "talks to a database"),
    "pandas.read_html": ("network", "fetches pages"),
    "pandas.read_clipboard": ("environment", "reads what the person copied last"),
    "seaborn.load_dataset": ("network", "downloads a table"),
    "torch.load": ("deserialise", "can run code hidden in the file that it reads"),
    "torch.hub": ("network", "downloads and runs code"),
    "statsmodels.datasets": ("network", "downloads a table"),
    "logging.config": ("dynamic-code", "makes objects from names at run time"),
    "logging.handlers": ("network", "sends log lines elsewhere"),
    "numpy.ctypeslib": ("native", "loads machine code"),
    "numpy.f2py": ("native", "compiles and loads machine code"),
    "scipy.LowLevelCallable": ("native", "calls machine code by address"),
    "types.CodeType": ("dynamic-code", "makes code at run time"),
    "types.FunctionType": ("dynamic-code", "makes code at run time"),
    "typing.get_type_hints": ("dynamic-code", "evaluates text as code"),
    "timeit.timeit": ("dynamic-code", "runs text as code"),
    "timeit.repeat": ("dynamic-code", "runs text as code"),
    "timeit.Timer": ("dynamic-code", "runs text as code"),
    "gc.get_objects": ("reflection", "looks through the memory of the process"),
    "gc.get_referrers": ("reflection", "looks through the memory of the process"),
    "operator.methodcaller": ("reflection", "calls a method by a name made at run time"),
    "pyarrow.fs": ("network", "reaches other file systems"),
    "pyarrow.flight": ("network", "talks to a server"),
    "os.environb": ("environment", "reads the environment"),
    "os.getenv": ("environment", "reads the environment"),
    "os.getlogin": ("environment", "asks who runs the script"),
}

BUILTINS = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "makes code from text",
    "__import__": "imports by a name made at run time",
    "__builtins__": "reaches the built-in functions by a side door",
    "__loader__": "reaches the import machinery",
    "__spec__": "reaches the import machinery",
    "globals": "reaches names by text",
    "breakpoint": "waits for a person who is not there",
    "input": "waits for a person who is not there",
}

_SYSTEM = words(
    """
    os sys subprocess shutil socket ctypes builtins importlib pickle multiprocessing posix
    """
)
_DUNDER = re.compile(
    r"__(subclasses|bases|base|mro|globals|builtins|code|closure|import|loader|spec|reduce|reduce_ex|getattribute|"
    r"self|wrapped|func|func__|traceback)__|\b(f_globals|f_locals|f_builtins|f_back|gi_frame|cr_frame|tb_frame|co_code)\b"
)
_DEFINED = frozenset({"__reduce__", "__reduce_ex__", "__getattribute__"})
_UNPICKLERS = re.compile(r"pickle\.loads?|(\w+\.)*_?joblib\.(\w+\.)*load")
_ENCODED = re.compile(r"[A-Za-z0-9+/=_\-\s]{120,}|(?:\\?x?[0-9a-fA-F]{2}){60,}")


def findings(program: Program) -> Iterator[Finding]:
    """Every such name and call, once per line."""
    for node in program.nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            yield from _unpickler(program, node)
        if isinstance(node, ast.Name):
            yield from _name(program, node)
        elif isinstance(node, ast.Attribute):
            yield from _attribute(program, node)
        elif isinstance(node, ast.Call):
            yield from _call(program, node)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Constant):
            yield from _constant(program, node)
        elif isinstance(node, ast.FunctionDef) and node.name in _DEFINED:
            sentence = f"{node.name} decides what happens when the saved model is loaded; a model never needs it."
            yield security("deserialise", node.lineno, sentence)


def _unpickler(program: Program, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
    """[joblib.load][0](…), map(joblib.load, …), self.load = joblib.load"""
    origin = program.dotted(node)
    if origin and _UNPICKLERS.fullmatch(origin) and program.is_handed_on(node):
        yield security("deserialise", node.lineno, f"{origin} is handed on, so what it reads cannot be checked.")


def _name(program: Program, node: ast.Name) -> Iterator[Finding]:
    if node.id in BUILTINS and isinstance(node.ctx, ast.Load) and node.id not in program.values:
        yield security("dynamic-code", node.lineno, f"{node.id} {BUILTINS[node.id]}.")
    if node.id == "open" and isinstance(node.ctx, ast.Load) and not _is_called(program, node):
        yield security(
            "reflection", node.lineno, "open is handed on under another name, so its paths cannot be checked."
        )
    # A bare module name that is handed on: x = os, f(os), [os], os if …; the parts used later cannot be followed.
    if program.aliases.get(node.id) in ALLOWED_PARTS and isinstance(node.ctx, ast.Load):
        parent = program.parents.get(node)
        renamed = isinstance(parent, ast.Assign | ast.AnnAssign) and _single_name(parent)
        if not isinstance(parent, ast.Attribute) and not renamed:
            yield security(
                "reflection", node.lineno, f"The module {node.id} is handed on, so its use cannot be checked."
            )


def _single_name(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _is_called(program: Program, node: ast.AST) -> bool:
    parent = program.parents.get(node)
    return isinstance(parent, ast.Call) and parent.func is node


def _attribute(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    if _DUNDER.fullmatch(node.attr):
        yield security("reflection", node.lineno, f"{node.attr} reaches behind Python's own protection.")
    origin = program.dotted(node)
    if origin is None:
        return
    yield from _origin(origin, node.lineno)
    if origin == "os.environ":
        yield from _environment(program, node)
    if origin.startswith("sklearn.datasets.fetch_"):
        yield security("network", node.lineno, f"{origin} downloads a table; the data is at inputs/train.parquet.")


def _imported(node: ast.ImportFrom) -> Iterator[Finding]:
    for name in node.names:
        origin = f"{node.module}.{name.name}"
        yield from _origin(origin, node.lineno)
        if origin == "os.environ":
            yield security(
                "environment", node.lineno, "The script reads the environment; nothing there is meant for it."
            )
        if origin.startswith("sklearn.datasets.fetch_"):
            yield security("network", node.lineno, f"{origin} downloads a table; the data is at inputs/train.parquet.")


def _origin(origin: str, line: int) -> Iterator[Finding]:
    """Judge a dotted name such as os.system, pandas.read_pickle or joblib.os."""
    root, _, rest = origin.partition(".")
    if root == "pandas" and "pickle" in rest and not rest.endswith("to_pickle"):
        origin = "pandas.read_pickle"
    for known, (rule, why) in FORBIDDEN.items():
        if origin == known or origin.startswith(f"{known}."):
            yield security(rule, line, f"{origin} {why}.")
            return
    if root in ALLOWED_PARTS and rest and not rest.startswith(("path.", "environ.", "stdout.", "stderr.", "stdin.")):
        allowed = ALLOWED_PARTS[root].split()
        constant = root == "signal" and rest.isupper()
        if rest not in allowed and rest.split(".")[0] not in set(allowed) - {"futures"} and not constant:
            rule, why = _WHAT[root]
            yield security(rule, line, f"{origin} {why}.")
    elif root not in _SYSTEM and (inner := _SYSTEM & set(rest.split("."))):
        yield security("reflection", line, f"{origin} reaches the module {min(inner)} through a library.")


def _environment(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    """Setting a variable (threads, warnings) is ordinary; reading one is not."""
    parent = program.parents.get(node)
    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
        return
    if isinstance(parent, ast.Attribute) and parent.attr in ("setdefault", "update", "putenv"):
        return
    yield security("environment", node.lineno, "The script reads the environment; nothing there is meant for it.")


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr", "delattr", "hasattr"):
        yield from _getattr(program, node)
    if _UNPICKLERS.fullmatch(origin):
        yield from _load(program, node, origin)
    if any(keyword.arg == "allow_pickle" and program.literal(keyword.value) is not False for keyword in node.keywords):
        yield security("deserialise", node.lineno, "allow_pickle can run code hidden in the file that is read.")
    if origin == "pandas.eval" or (isinstance(node.func, ast.Attribute) and node.func.attr in ("eval", "query")):
        yield from _pandas_expression(program, node)
    if isinstance(node.func, ast.Name) and node.func.id in ("vars", "locals") and not node.args:
        yield security("reflection", node.lineno, f"{node.func.id}() reaches names by text.")
    if origin == "sys.stdin" or origin.startswith("sys.stdin."):
        yield warning("policy:input", node.lineno, "Nobody is there to type an answer: the script runs alone.")


def _getattr(program: Program, node: ast.Call) -> Iterator[Finding]:
    name = program.literal(node.args[1]) if len(node.args) > 1 else None
    base = program.dotted(node.args[0]) if node.args else None
    if isinstance(name, str):
        if _DUNDER.fullmatch(name):
            yield security("reflection", node.lineno, f"{name} reaches behind Python's own protection.")
        elif base:
            yield from _origin(f"{base}.{name}", node.lineno)
        return
    if base:
        yield security("reflection", node.lineno, f"A part of {base} is chosen by a text made at run time; name it.")


def _load(program: Program, node: ast.Call, origin: str) -> Iterator[Finding]:
    path = program.path(node.args[0]) if node.args else None
    if origin == "pickle.load" and node.args and isinstance(node.args[0], ast.Call) and node.args[0].args:
        path = program.path(node.args[0].args[0])
    if path is None or not path.startswith("outputs/") or "/../" in path:
        sentence = f"{origin} runs whatever hides in the file; only what this script wrote to outputs/ may be loaded."
        yield security("deserialise", node.lineno, sentence)


def _pandas_expression(program: Program, node: ast.Call) -> Iterator[Finding]:
    if not node.args:
        return
    text = program.path(node.args[0])
    if text is None or "@" in text and "__" in text:
        yield warning("policy:expression", node.lineno, "An expression is made at run time and evaluated by pandas.")


def _constant(program: Program, node: ast.Constant) -> Iterator[Finding]:
    if isinstance(node.value, bytes):
        if len(node.value) > 200:
            yield security(
                "encoded", node.lineno, f"{len(node.value)} raw bytes in the text hide what the script does."
            )
        return
    if not isinstance(node.value, str) or program.is_docstring(node) or program.is_table_word(node):
        return
    if _DUNDER.search(node.value):
        yield security("reflection", node.lineno, "A text names parts of Python that reach behind its own protection.")
    if len(node.value) >= 120 and _ENCODED.fullmatch(node.value) and _is_dense(node.value):
        yield security(
            "encoded", node.lineno, f"A text of {len(node.value)} letters looks encoded and hides what it holds."
        )


def _is_dense(text: str) -> bool:
    """Few blanks and many bits per letter: not a sentence."""
    packed = "".join(text.split())
    if len(packed) < 0.95 * len(text):
        return False
    bits = -sum(n / len(packed) * math.log2(n / len(packed)) for n in Counter(packed).values())
    return bits > 3.2 and any(letter.isdigit() for letter in packed)
