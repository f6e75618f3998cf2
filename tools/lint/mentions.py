"""Paths and addresses that stand in a script's text: whether something may open them, or they are only words."""

import ast
import re
from collections.abc import Iterator
from typing import Literal

from tools.lint import places
from tools.lint.access import READERS, WRITERS, called
from tools.lint.finding import Finding, error, warning
from tools.lint.program import Program, words

Use = Literal["opened", "handed out", "given", "unknown", "harmless", "said"]
"""From worst to best; "given" to a part of the script, "unknown": put away where nobody can follow it."""
_RANK: tuple[Use, ...] = ("opened", "handed out", "given", "unknown", "harmless", "said")

_FILE_MODULES = words(
    """
    os shutil pathlib glob io gzip bz2 lzma zipfile tarfile sqlite3 tempfile codecs fileinput linecache joblib pickle
    """
)
"""Whatever these are given is used as a path."""
_ABOUT_PATHS = words(
    """
    os.path.basename os.path.splitext os.path.split os.path.dirname os.path.normpath os.path.isabs os.path.commonprefix
    pathlib.PurePath pathlib.PurePosixPath pathlib.PureWindowsPath
    """
)
"""They look at the text alone."""
_OPENING = words(
    """
    open to_sql read_sql read_sql_query read_sql_table create_engine connect from_uri urlopen urlretrieve get post
    DataSource
    """
)
_OPENING_KEYWORD = re.compile(
    r"(^|_)(file|filename|path|dir|folder|directory|uri|url|dsn|dest|root|con|cache|location)$"
)
_TEXT_MODULES = words("re json urllib html textwrap fnmatch warnings pandas numpy datetime collections string argparse")
"""What these are given is a text to them, unless it is a reader or writer."""
_TEXT_METHODS = words(
    """
    startswith endswith contains match fullmatch search findall replace split rsplit partition rpartition strip lstrip
    rstrip removeprefix removesuffix isin eq ne count index find rfind lower upper format join fillna encode
    set_title set_xlabel set_ylabel set_label title suptitle xlabel ylabel text annotate legend update_layout
    """
)
_SAID = words(
    "print info debug warning error exception critical log ValueError RuntimeError FileNotFoundError SystemExit"
)
_PLAIN_BUILTINS = words("len str repr bool hash ord isinstance set dict list tuple frozenset sorted")
_MAX_STEPS = 6


def findings(program: Program, node: ast.expr, is_dynamic: bool) -> Iterator[Finding]:
    """A text that looks like a place: forbidden where it is opened, asked about where it may be, else a note.

    `is_dynamic`: the script opens files whose names only a run would tell, so this may be one of them.
    """
    if _is_part_of_text(program, node) or program.is_docstring(node) or program.is_table_word(node):
        return
    text = program.path(node)
    if text is None or "\n" in text or not (places.is_address(text) or places.is_outside(text)):
        return
    use = _use(program, node)
    if use == "opened":
        yield from places.outside(text, node)
    elif use == "handed out" or (use in ("given", "unknown") and is_dynamic and not places.is_scratch(text)):
        sentence = f"{places.short(text)!r} leads away, and what is done with it is known only at run time."
        yield error("policy:path", node, sentence)
    elif use != "said":
        known = "is not opened" if use == "harmless" else "nothing was seen that opens it"
        yield warning("policy:mention", node, f"{places.short(text)!r} stands in the text and {known}.")


def _is_part_of_text(program: Program, node: ast.AST) -> bool:
    """The expression around it is looked at as a whole."""
    parent = program.parents.get(node)
    return isinstance(parent, ast.JoinedStr | ast.FormattedValue) or (
        isinstance(parent, ast.BinOp) and program.path(parent) is not None
    )


def _use(program: Program, node: ast.AST, steps: int = 0) -> Use:
    """What is done with a text, at worst."""
    if steps > _MAX_STEPS:
        return "unknown"
    if isinstance(node, ast.Call):
        origin = called(program, node)[0]
        if origin.split(".")[0] in _FILE_MODULES and origin not in _ABOUT_PATHS:
            return "opened"
    inner = node
    for above in program.ancestors(node):
        found = _used_by(program, above, inner, node, steps)
        if found is not None:
            return found
        inner = above
    return "unknown"


def _used_by(program: Program, above: ast.AST, inner: ast.AST, node: ast.AST, steps: int) -> Use | None:
    """What the node around a text does with it; None: it is a part of it, so look further out."""
    match above:
        case ast.keyword(arg=str(name)) if _OPENING_KEYWORD.search(name):
            return "opened"
        case ast.Call(func=func) if inner is not func:
            return _given_to(program, above, inner is node)
        case ast.Compare():
            return "harmless"
        case ast.Subscript(slice=key) if key is inner:
            return "harmless"
        case ast.arguments() | ast.Return() | ast.Yield() | ast.Lambda():
            return "given"
        case ast.For(iter=walked) | ast.comprehension(iter=walked):
            return "given" if walked is inner else None
        case ast.Assign(targets=targets):
            return _stored(program, targets, steps)
        case ast.AnnAssign(target=target) | ast.NamedExpr(target=target) | ast.AugAssign(target=target):
            return _stored(program, [target], steps)
        case ast.Raise() | ast.Assert():
            return "said"
        case ast.Expr() | ast.If() | ast.While() | ast.match_case():
            return "harmless"
        case ast.stmt():
            return "unknown"
        case _:
            return None


def _given_to(program: Program, call: ast.Call, directly: bool = True) -> Use:
    origin, name = called(program, call)
    if name in _SAID:
        return "said"
    if origin in _ABOUT_PATHS or origin.startswith("json."):
        return "harmless"
    if origin.split(".")[0] in _FILE_MODULES or name in READERS or name in WRITERS or name in _OPENING:
        return "opened"
    if origin:
        is_text = origin.split(".")[0] in _TEXT_MODULES
        return "harmless" if is_text else "handed out" if directly else "given"
    if name == "add_argument":
        return "opened" if _opens_itself(call) else "given"
    if isinstance(call.func, ast.Attribute):
        return "harmless" if name in _TEXT_METHODS else "given"
    return "harmless" if name in _PLAIN_BUILTINS else "given"


def _opens_itself(call: ast.Call) -> bool:
    """add_argument("--data", type=FileType(), default="/etc/passwd")"""
    return any(word.arg == "type" and "FileType" in ast.dump(word.value) for word in call.keywords)


def _stored(program: Program, targets: list[ast.expr], steps: int) -> Use:
    """The worst use of the names that it is stored under; what stands in a column is data."""
    uses: list[Use] = []
    for target in targets:
        for one in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            uses += _stored_as(program, one, steps)
    return min(uses, key=_RANK.index, default="harmless")


def _stored_as(program: Program, target: ast.expr, steps: int) -> list[Use]:
    match target:
        case ast.Name(id=name):
            found = [_use(program, load, steps + 1) for load in program.loads.get(name, ())]
            # Where it is opened under its name, that place is judged; here it is one more value that it may have.
            return ["given" if use == "opened" else use for use in found]
        case ast.Subscript(value=ast.Attribute(attr="loc" | "iloc" | "at" | "iat")):
            return ["harmless"]
        case _:
            return ["unknown"]
