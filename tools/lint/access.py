"""Which files a script touches: calls that read, write, remove or list, with the path as far as it is known."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from tools.lint.program import Program, words
from tools.lint.values import UNKNOWN

How = Literal["read", "write", "remove", "list"]

READERS = words(
    """
    read_csv read_parquet read_json read_excel read_feather read_table read_fwf read_orc read_text read_bytes read_html
    read_xml read_hdf read_sas read_spss read_stata read_ndjson read_ipc read_avro read_lines load loadtxt genfromtxt
    fromfile load_npz loadmat scan_parquet scan_csv scan_ndjson scan_ipc ParquetFile read_schema read_metadata imread
    load_workbook load_model FileIO ExcelFile fileinput.input getlines open_dataset
    """
)
WRITERS = words(
    """
    to_csv to_parquet to_json to_excel to_feather to_pickle to_html to_markdown to_string to_hdf to_stata to_xml
    write_text write_bytes write_parquet write_csv write_ndjson write_ipc write_excel sink_parquet sink_csv save savez
    savez_compressed savetxt savefig imsave imwrite save_model write_table dump makedirs mkdir touch write_html
    write_image write_json save_raw export_model tofile ExcelWriter save_npz savemat FileHandler RotatingFileHandler
    make_archive extractall
    """
)
LISTERS = words("os.listdir os.scandir os.walk glob.glob glob.iglob")
_LISTING_METHODS = words("iterdir glob rglob walk")
_REMOVERS = words("remove unlink rmdir rmtree removedirs rename replace move symlink_to hardlink_to chmod")
_COPIERS = words("copy copy2 copyfile copytree unpack_archive")
_OPENERS = words("open ZipFile TarFile memmap GzipFile BZ2File LZMAFile")
_ARCHIVES = ("zipfile.", "tarfile.", "h5py.", "duckdb.", "sqlite3.")
_PATH_SECOND = frozenset({"dump", "write_table"})
"""The object comes first, then the path."""
_ON_PATH = words("write_text write_bytes read_text read_bytes mkdir touch")
"""Methods of a path itself."""
_NAMES = words("path path_or_buf fname filename file filepath_or_buffer io excel_writer where name fp")


@dataclass(frozen=True)
class Access:
    """One touch of a file or folder."""

    how: How
    path: str | None
    """With `UNKNOWN` for what only a run would tell; None: nothing is known of it."""
    node: ast.Call
    what: str
    """The function's name, for a sentence."""
    mode: int = 0
    """Of chmod."""
    is_number: bool = False
    """Opened by the number of a descriptor."""
    is_certain: bool = True
    """False: one of several values that a name in it may have."""

    @property
    def is_dynamic(self) -> bool:
        """Which file it is, only a run would tell."""
        return self.path is None or self.path.startswith(UNKNOWN)


def accesses(program: Program) -> Iterator[Access]:
    """Every touch of a file, in no order."""
    for node in program.nodes:
        if isinstance(node, ast.Call):
            worlds = program.worlds(partial(_all_of, program, node))
            for access in dict.fromkeys(access for world in worlds for access in world):
                yield access if len(worlds) == 1 else replace(access, is_certain=False)


def _all_of(program: Program, node: ast.Call) -> tuple[Access, ...]:
    return tuple(_call(program, node))


def called(program: Program, node: ast.Call) -> tuple[str, str]:
    """The imported origin of what is called, or "", and its own name."""
    origin = program.dotted(node.func) or ""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return origin, origin.rpartition(".")[2] or name


def _call(program: Program, node: ast.Call) -> Iterator[Access]:
    origin, name = called(program, node)
    maker = program.made_by(node.func.value) if isinstance(node.func, ast.Attribute) and not origin else ""
    if maker == "configparser.ConfigParser" and name == "read":
        yield from _one("read", program, node, name)
    elif maker.startswith(_ARCHIVES):
        yield from _archive(program, node, name)
    elif origin in LISTERS or (name in _LISTING_METHODS and not origin):
        yield from _listed(program, node, origin)
    elif name in _OPENERS:
        yield _opened(program, node, name)
    elif name in _REMOVERS and _is_file_operation(program, node, origin):
        yield from _removed(program, node, origin or name)
    elif name in _COPIERS and origin.startswith("shutil."):
        yield from _copied(program, node, name)
    elif name in WRITERS or origin == "sqlite3.connect":
        yield from _one("write" if name in WRITERS else "read", program, node, name)
    elif name in READERS or origin in ("xml.etree.ElementTree.parse", "duckdb.connect", "pyarrow.dataset.dataset"):
        yield from _one("read", program, node, name)


def _one(how: How, program: Program, node: ast.Call, name: str) -> Iterator[Access]:
    given = _path_argument(program, node, name)
    if given is not None and not _is_open_file(given):
        yield Access(how, program.path(given), node, name)


def _path_argument(program: Program, node: ast.Call, name: str) -> ast.expr | None:
    """The path that a reader or writer is given; for methods of a path, the path itself."""
    if isinstance(node.func, ast.Attribute) and name in _ON_PATH and program.dotted(node.func) is None:
        return node.func.value
    position = 1 if name in _PATH_SECOND and len(node.args) > 1 else 0
    if len(node.args) > position and not (name in _PATH_SECOND and len(node.args) == 1):
        return node.args[position]
    return next((keyword.value for keyword in node.keywords if keyword.arg in _NAMES), None)


def _is_open_file(node: ast.expr) -> bool:
    """An open file is judged where it is opened."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "open"


def _archive(program: Program, node: ast.Call, name: str) -> Iterator[Access]:
    """Files put into an archive, and the folder that one is unpacked to."""
    given = node.args[0] if node.args else None
    if name in ("add", "write"):
        yield Access("read", program.path(given), node, name)
    elif name in ("extractall", "extract"):
        position = 1 if name == "extract" else 0
        named = next((keyword.value for keyword in node.keywords if keyword.arg == "path"), None)
        where = node.args[position] if len(node.args) > position else named
        yield Access("write", program.path(where) if where is not None else ".", node, name)


def _opened(program: Program, node: ast.Call, name: str) -> Access:
    method = isinstance(node.func, ast.Attribute) and program.dotted(node.func) is None
    if method and isinstance(node.func, ast.Attribute):
        path, mode = program.path(node.func.value), node.args[0] if node.args else None
    else:
        first = node.args[0] if node.args else next((one.value for one in node.keywords if one.arg in _NAMES), None)
        path, mode = program.path(first), node.args[1] if len(node.args) > 1 else None
    mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), mode)
    how = (
        "r"
        if mode is None or name == "memmap" and not isinstance(program.literal(mode), str)
        else program.literal(mode)
    )
    reads = isinstance(how, str) and not set(how.partition(":")[0].partition("|")[0]) & set("wax+")
    return Access("read" if reads else "write", path, node, name, is_number=not method and _is_number(program, node))


def _is_number(program: Program, node: ast.Call) -> bool:
    """open(3), for n in range(99): open(n)"""
    given = node.args[0] if node.args else None
    counted = program.walked(given) if given is not None else None
    counts = isinstance(counted, ast.Call) and isinstance(counted.func, ast.Name) and counted.func.id == "range"
    return counts or isinstance(program.literal(given), int)


def _listed(program: Program, node: ast.Call, origin: str) -> Iterator[Access]:
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
    if origin:
        yield Access("list", _folder(program, node), node, origin)
        return
    folder = program.path(receiver)
    if folder is not None or getattr(node.func, "attr", "") != "walk":  # many things can be walked
        yield Access("list", folder, node, "glob")


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


def _is_file_operation(program: Program, node: ast.Call, origin: str) -> bool:
    """`df.rename`, `text.replace`, `items.remove` are ordinary; the same words on files are not."""
    if origin:
        return origin.startswith(("os.", "shutil.", "pathlib."))
    attribute = node.func
    if not isinstance(attribute, ast.Attribute):
        return False
    if program.made_by(attribute.value).startswith("multiprocessing."):
        return False
    if attribute.attr in ("unlink", "rmdir", "symlink_to", "hardlink_to", "chmod", "rmtree"):
        return True
    return program.made_by(attribute.value) == "pathlib.Path"


def _removed(program: Program, node: ast.Call, what: str) -> Iterator[Access]:
    """Every path that is named in a call that removes, moves or links: all of them must be the script's own."""
    given = [argument for argument in node.args if not isinstance(argument, ast.Constant) or argument.value is not None]
    if isinstance(node.func, ast.Attribute) and program.dotted(node.func) is None:
        given = [node.func.value, *(one for one in given if what not in ("chmod", "unlink", "rmdir"))]
    modes = [program.literal(one) for one in node.args]
    mode = next((one for one in modes if isinstance(one, int)), 0)
    for one in given:
        yield Access("remove", program.path(one), node, what, mode)


def _copied(program: Program, node: ast.Call, name: str) -> Iterator[Access]:
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    source = node.args[0] if node.args else named.get("src", named.get("filename"))
    target = node.args[1] if len(node.args) > 1 else named.get("dst", named.get("extract_dir"))
    yield Access("read", program.path(source), node, name)
    here = name == "unpack_archive" and target is None
    yield Access("write", "." if here else program.path(target), node, name)
