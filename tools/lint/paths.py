"""Where a script reads and writes: inputs/ and outputs/, by exactly these relative names."""

import ast
import re
from collections.abc import Iterator

from tools.lint.finding import Finding, error, security, warning
from tools.lint.program import UNKNOWN, Program, words

_OUTSIDE = re.compile(
    r"^(~|[A-Za-z]:[\\/]|\\\\|/(etc|home|root|usr|var|tmp|proc|sys|dev|opt|mnt|srv|boot|run|bin|lib|data|Users|Volumes"
    r"|workspace)(/|$))|(^|[\\/])\.\.([\\/]|$)"
)
_URL = re.compile(
    r"^(https?|ftps?|s3a?|gs|gcs|file|abfss?|hdfs|hf|ssh|sftp|jdbc|postgres(ql)?|mysql)://", re.IGNORECASE
)
_SEALED = re.compile(
    r"hold[-_ ]?out|(^|[/_-])(y_?test|labels?|answers?|solution|ground[-_]?truth)([._-]|$)", re.IGNORECASE
)

READERS = words(
    """
    read_csv read_parquet read_json read_excel read_feather read_table read_fwf read_orc read_text read_bytes
    load loadtxt genfromtxt fromfile memmap scan_parquet scan_csv ParquetFile read_schema read_metadata
    """
)
WRITERS = words(
    """
    to_csv to_parquet to_json to_excel to_feather to_pickle to_html to_markdown to_string to_hdf to_stata to_xml
    write_text write_bytes write_parquet write_csv sink_parquet save savez savez_compressed savetxt savefig
    imsave save_model write_table dump makedirs mkdir touch write_html write_image write_json save_raw
    export_model tofile ExcelWriter
    """
)
LISTERS = words("os.listdir os.scandir os.walk glob.glob glob.iglob")
_LISTING_METHODS = words("iterdir glob rglob walk")
REMOVERS = words(
    """
    remove unlink rmdir rmtree removedirs rename replace move copytree symlink_to hardlink_to chmod
    """
)
_PATH_SECOND = frozenset({"dump", "write_table"})
"""The object comes first, then the path."""
_ON_PATH = words("write_text write_bytes read_text read_bytes mkdir touch")
"""Methods of a path itself."""


def findings(program: Program) -> Iterator[Finding]:
    """Paths that leave the working folder, writing outside outputs/, reading what is not there or is sealed."""
    for node in program.nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            yield from _text(program, node)
        elif isinstance(node, ast.Call):
            yield from _call(program, node)
        elif isinstance(node, ast.Name) and node.id == "__file__":
            yield warning(
                "policy:path",
                node.lineno,
                "__file__ is not known in the sandbox; use inputs/ and outputs/ as they are.",
            )
        elif isinstance(node, ast.Attribute):
            yield from _attribute(program, node)
        if (
            isinstance(node, ast.Name | ast.Attribute)
            and program.dotted(node) in LISTERS
            and program.is_handed_on(node)
        ):
            sentence = f"{program.dotted(node)} is handed on, so the folders that it looks through cannot be checked."
            yield warning("policy:listing", node.lineno, sentence)


def _text(program: Program, node: ast.Constant | ast.JoinedStr) -> Iterator[Finding]:
    text = program.path(node)
    if text is None or "\n" in text or program.is_docstring(node) or _is_said(program, node):
        return
    if program.is_table_word(node):
        return
    if _URL.match(text):
        yield _address(text, node.lineno)
    elif _OUTSIDE.search(text) and " " not in text.strip():
        yield _outside(text, node.lineno)


def _attribute(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    origin = program.dotted(node) or ""
    if (
        origin in ("pathlib.Path.home", "os.path.expanduser", "os.path.expandvars", "os.pardir")
        or node.attr == "expanduser"
    ):
        yield security("path", node.lineno, f"{origin or node.attr} leads out of the working folder.")
    elif node.attr == "parents" or (
        node.attr == "parent" and isinstance(node.value, ast.Attribute) and node.value.attr == "parent"
    ):
        yield security("path", node.lineno, "Climbing to parent folders leads out of the working folder.")


def _is_said(program: Program, node: ast.AST) -> bool:
    """The text is printed or logged, or part of an f-string that was looked at as a whole."""
    for above in program.ancestors(node):
        if isinstance(above, ast.JoinedStr):
            return True
        if isinstance(above, ast.Call):
            name = above.func.id if isinstance(above.func, ast.Name) else getattr(above.func, "attr", "")
            return name in (
                "print",
                "info",
                "debug",
                "warning",
                "error",
                "exception",
                "log",
                "ValueError",
                "RuntimeError",
            )
        if isinstance(above, ast.stmt):
            return isinstance(above, ast.Raise | ast.Assert)
    return False


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    name = origin.rpartition(".")[2] or name
    if origin in LISTERS or (name in _LISTING_METHODS and not origin):
        yield from _listed(program, node, origin)
    elif name == "open" and not _is_archive(origin):
        yield from _open(program, node)
    elif name in REMOVERS and _is_file_operation(program, node, origin):
        yield from _removal(program, node, origin or name)
    elif name in WRITERS:
        path = _path_argument(program, node, name)
        if path is not None:
            yield from _written(path, node.lineno)
    elif name in READERS:
        path = _path_argument(program, node, name)
        if path is not None:
            yield from _read(path, node.lineno)


def _listed(program: Program, node: ast.Call, origin: str) -> Iterator[Finding]:
    """Looking for files anywhere but in inputs/ and outputs/."""
    if not origin and getattr(node.func, "attr", "") == "walk" and program.path(_receiver(node)) is None:
        return  # many things can be walked
    where = _folder(program, node) if origin else program.path(_receiver(node))
    if where is None or where.startswith(UNKNOWN):
        sentence = "Which folder is looked through is known only at run time; a script has inputs/ and outputs/."
        yield warning("policy:listing", node.lineno, sentence)
    elif where.strip("./*") == "" and not _leaves(where):
        yield warning("policy:listing", node.lineno, "Looking around is not needed; the table is inputs/train.parquet.")
    else:
        yield from _read(where, node.lineno)


def _receiver(node: ast.Call) -> ast.expr | None:
    return node.func.value if isinstance(node.func, ast.Attribute) else None


def _folder(program: Program, node: ast.Call) -> str | None:
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    first = (
        node.args[0] if node.args else next((named[key] for key in ("path", "top", "pathname") if key in named), None)
    )
    if first is None:
        return "."
    path, root = program.path(first), named.get("root_dir")
    if root is None or path is None or path.startswith("/"):
        return path
    return f"{program.path(root) or UNKNOWN}/{path}"


def _is_archive(origin: str) -> bool:
    return origin.startswith(("PIL.", "zipfile."))


def _open(program: Program, node: ast.Call) -> Iterator[Finding]:
    method = isinstance(node.func, ast.Attribute) and program.dotted(node.func) is None
    if method and isinstance(node.func, ast.Attribute):
        path, mode = program.path(node.func.value), node.args[0] if node.args else None
    else:
        path, mode = program.path(node.args[0]) if node.args else None, node.args[1] if len(node.args) > 1 else None
    mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), mode)
    how = "r" if mode is None else program.literal(mode)
    if path is None:
        return
    if isinstance(how, str) and not set(how) & set("wax+"):
        yield from _read(path, node.lineno)
    else:
        yield from _written(path, node.lineno)


def _path_argument(program: Program, node: ast.Call, name: str) -> str | None:
    """The path that a reader or writer is given; for methods of a path, the path itself."""
    if isinstance(node.func, ast.Attribute) and name in _ON_PATH and program.dotted(node.func) is None:
        return program.path(node.func.value)
    position = 1 if name in _PATH_SECOND and len(node.args) > 1 else 0
    if len(node.args) > position and not (name in _PATH_SECOND and len(node.args) == 1):
        return _real_path(program, node.args[position])
    named = ("path", "path_or_buf", "fname", "filename", "file", "filepath_or_buffer", "io", "excel_writer", "where")
    return next((_real_path(program, keyword.value) for keyword in node.keywords if keyword.arg in named), None)


def _real_path(program: Program, node: ast.expr) -> str | None:
    """A path; an open file is judged where it is opened."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "open":
        return None
    return program.path(node)


def _written(path: str, line: int) -> Iterator[Finding]:
    if path.startswith(UNKNOWN):
        return
    if _leaves(path):
        yield _outside(path, line)
    elif not _below(path, "outputs"):
        yield error(
            "policy:write",
            line,
            f"{_short(path)!r} would be written outside outputs/, the one place a script may write to.",
        )


def _read(path: str, line: int) -> Iterator[Finding]:
    if path.startswith(UNKNOWN):
        return
    if _URL.match(path):
        yield _address(path, line)
    elif _leaves(path):
        yield _outside(path, line)
    elif _SEALED.search(path):
        yield error(
            "policy:sealed",
            line,
            f"{_short(path)!r}: the rows that judge the model are sealed, no script may read them.",
        )
    elif path not in (".", "./") and not _below(path, "inputs") and not _below(path, "outputs"):
        yield error("policy:read", line, f"{_short(path)!r} is not there; the table is at inputs/train.parquet.")


def _is_file_operation(program: Program, node: ast.Call, origin: str) -> bool:
    """`df.rename`, `text.replace`, `items.remove` are ordinary; the same words on files are not."""
    if origin:
        return origin.startswith(("os.", "shutil.", "pathlib."))
    attribute = node.func
    if not isinstance(attribute, ast.Attribute):
        return False
    if attribute.attr in ("unlink", "rmdir", "symlink_to", "hardlink_to", "chmod", "rmtree"):
        return True
    return isinstance(attribute.value, ast.Call) and program.dotted(attribute.value.func) == "pathlib.Path"


def _removal(program: Program, node: ast.Call, what: str) -> Iterator[Finding]:
    paths = [program.path(argument) for argument in node.args]
    if isinstance(node.func, ast.Attribute) and program.dotted(node.func) is None:
        paths.append(program.path(node.func.value))
    if not all(path is not None and _below(path, "outputs") for path in paths):
        sentence = (
            f"{what} removes, moves or changes files; only files that the script made in outputs/ may be touched."
        )
        yield security("destructive", node.lineno, sentence)


def _leaves(path: str) -> bool:
    return path.startswith("/") or bool(_OUTSIDE.search(path)) or bool(_URL.match(path))


def _below(path: str, folder: str) -> bool:
    plain = path.removeprefix("./")
    return (plain == folder or plain.startswith(f"{folder}/")) and ".." not in plain.split("/")


def _address(text: str, line: int) -> Finding:
    return security("network", line, f"{_short(text)!r} is an address; a script has no network.")


def _outside(path: str, line: int) -> Finding:
    return security("path", line, f"{_short(path)!r} is outside the working folder; read inputs/ and write outputs/.")


def _short(text: str) -> str:
    shown = text.replace(UNKNOWN, "…")
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
