"""Environment variables: a script may set what steers threads and warnings; what others left there is not for it."""

import ast
import re
from collections.abc import Iterator

from tools.lint.finding import Finding, Place, error, security, warning
from tools.lint.program import Program

_OWN = re.compile(
    r"(RANDOM_?)?SEED|DEBUG|VERBOSE|CI|N_?JOBS|(N_)?(EPOCHS|FOLDS|TRIALS|WORKERS)|LOG_?LEVEL|PYTHONHASHSEED|\w+_THREADS"
)
"""Names with which a script is steered, and nobody keeps a secret in."""
_PRIVATE = re.compile(
    r".*(KEY|TOKEN|SECRET|PASS|PWD|CRED|AUTH|PRIVATE|SESSION|COOKIE|DSN|AWS|AZURE|GCP|GOOGLE|OPENAI|SSH|SUDO|DATABASE|URL"
    r"|HOME|USER|LOGNAME|MAIL|HOST|DISPLAY|ACCOUNT|PROXY).*|PATH|SHELL|PS1",
    re.IGNORECASE,
)
"""Names that hold secrets, or tell whose machine it is."""
_SECRET = re.compile(
    r"(\w*_)?\w*(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|PWD|CRED|CREDENTIALS?|AUTH|COOKIE|DSN)(_\w*)?"
    r"|(AWS|AZURE|GCP|GOOGLE|OPENAI|SSH|SUDO)_\w+|DATABASE_URL|\w*PROXY"
    r"|HOME|USER|USERNAME|LOGNAME|MAIL|HOSTNAME|DISPLAY|PATH|SHELL|PS1",
    re.IGNORECASE,
)
"""Names that are asked for secrets even where a default stands beside them."""
_STEERING = re.compile(r"LD_\w+|DYLD_\w+|PYTHON(?!HASHSEED|WARNINGS|UNBUFFERED)\w*|PATH|HOME|IFS|BASH_ENV|ENV|SHELL")
"""Names that decide which code other programs run."""


def findings(program: Program) -> Iterator[Finding]:
    """Each use of the environment but a setting of one harmless variable."""
    for node in program.nodes:
        is_read = isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load)
        if is_read and program.dotted(node) in ("os.environ", "os.getenv"):
            yield from _use(program, node)


def _use(program: Program, node: ast.AST) -> Iterator[Finding]:
    parent = program.parents.get(node)
    match parent:
        case ast.Subscript(slice=key, ctx=ast.Store()):
            yield from _set(program.literal(key), node)
        case ast.Attribute(attr="setdefault" | "putenv") if call := _call_of(program, parent):
            yield from _set(program.literal(call.args[0]) if call.args else None, node)
        case ast.Attribute(attr="update") if call := _call_of(program, parent):
            yield from _updated(program, call, node)
        case ast.Subscript(slice=key):
            yield from _read(program.literal(key), node)
        case ast.Attribute(attr="get") if call := _call_of(program, parent):
            yield from _asked(program, call, node)
        case ast.Call(args=[_, *_]) if parent.func is node:
            yield from _asked(program, parent, node)
        case ast.Compare(left=ast.Constant(value=str(name))):
            yield from _read(name, node)
        case ast.Assign(targets=[ast.Name()], value=value) if value is node:
            return  # another name for it: its uses are looked at
        case _:
            yield _all_of_it(node)


def _asked(program: Program, call: ast.Call, at: Place) -> Iterator[Finding]:
    """environ.get(name, default), the name perhaps given by the calls of the function that it stands in."""
    for name in program.each(call.args[0] if call.args else None) or (None,):
        yield from _read(name, at, _has_default(call))


def _has_default(call: ast.Call) -> bool:
    return len(call.args) > 1 or any(keyword.arg == "default" for keyword in call.keywords)


def _call_of(program: Program, function: ast.AST) -> ast.Call | None:
    parent = program.parents.get(function)
    return parent if isinstance(parent, ast.Call) and parent.func is function else None


def _updated(program: Program, call: ast.Call, at: Place) -> Iterator[Finding]:
    for given in call.args:
        keys = given.keys if isinstance(given, ast.Dict) else [None]
        for key in keys:
            yield from _set(program.literal(key), at)
    for keyword in call.keywords:
        yield from _set(keyword.arg, at)


def _set(name: object, at: Place) -> Iterator[Finding]:
    if not isinstance(name, str):
        yield security("environment", at, "An environment variable is set whose name is known only at run time.")
    elif _STEERING.fullmatch(name):
        yield security("environment", at, f"Setting {name} decides which code other programs run.")


def _read(name: object, at: Place, has_default: bool = False) -> Iterator[Finding]:
    private = _SECRET if has_default else _PRIVATE
    if not isinstance(name, str) or (private.fullmatch(name) and not _OWN.fullmatch(name)):
        yield _all_of_it(at)
    elif has_default or _OWN.fullmatch(name):
        sentence = f"{name} is not set in the sandbox, so its default counts; a constant on top says it better."
        yield warning("policy:environment", at, sentence)
    else:
        yield error(
            "policy:environment", at, f"{name} is not set in the sandbox; write the value as a constant on top."
        )


def _all_of_it(at: Place) -> Finding:
    return security("environment", at, "The script reads the environment; nothing there is meant for it.")
