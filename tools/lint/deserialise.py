"""Reading objects back: a pickle runs what its writer wished, so only what the script wrote itself may be loaded."""

import ast
import re
from collections.abc import Iterator

from tools.lint import places
from tools.lint.finding import Finding, error, security
from tools.lint.program import Program

_UNPICKLERS = re.compile(
    r"pickle\.loads?|(\w+\.)*_?joblib\.(\w+\.)*load|torch\.load"
    r"|statsmodels\.(\w+\.)*load_pickle|statsmodels\.(\w+\.)*api\.load"
)
_MODELS = re.compile(r"gensim\.(\w+\.)*load|(tensorflow\.)?keras\.(\w+\.)*load_model")
"""Models that their libraries unpickle, or that may hold functions."""
_DEFINED = frozenset({"__reduce__", "__reduce_ex__", "__getattribute__"})
_SAFE_YAML = frozenset({"yaml.SafeLoader", "yaml.CSafeLoader"})
_OPENERS = re.compile(r"open|(gzip|bz2|lzma|io|codecs)\.open|gzip\.GzipFile|bz2\.BZ2File|lzma\.LZMAFile")
_WRITERS_OF_PICKLES = frozenset({"pickle.dump", "joblib.dump", "torch.save"})


def findings(program: Program) -> Iterator[Finding]:
    """Every load that may run code, and classes that decide what happens when a model is loaded."""
    for node in program.nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            yield from _handed_on(program, node)
        elif isinstance(node, ast.Call):
            yield from _call(program, node)
        elif isinstance(node, ast.FunctionDef) and node.name in _DEFINED:
            sentence = f"{node.name} decides what happens when the saved model is loaded; a model never needs it."
            yield security("deserialise", node, sentence)


def _handed_on(program: Program, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
    """[joblib.load][0](…), map(joblib.load, …), self.load = joblib.load"""
    origin = program.dotted(node)
    if origin and _UNPICKLERS.fullmatch(origin) and program.is_handed_on(node):
        yield security("deserialise", node, f"{origin} is handed on, so what it reads cannot be checked.")


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    named = {keyword.arg: program.literal(keyword.value) for keyword in node.keywords}
    if _UNPICKLERS.fullmatch(origin) and not (origin == "torch.load" and named.get("weights_only") is True):
        yield from _load(program, node, origin)
    elif _MODELS.fullmatch(origin) and not _is_own(program, node.args[0] if node.args else None):
        yield error(
            "policy:deserialise", node, f"{origin} can run code hidden in a model that the script did not make."
        )
    if origin in ("yaml.load", "yaml.load_all") and not _is_safe_yaml(program, node):
        yield security(
            "deserialise", node, f"{origin} can run code hidden in the file that it reads; use yaml.safe_load."
        )
    if "allow_pickle" in named and named["allow_pickle"] is not False or _allows_pickle(program, node, origin):
        yield security("deserialise", node, "allow_pickle can run code hidden in the file that is read.")
    if "safe_mode" in named and named["safe_mode"] is not True and origin.endswith(("load_model", "from_config")):
        yield security("deserialise", node, "safe_mode=False runs functions hidden in the model that is read.")


def _allows_pickle(program: Program, node: ast.Call, origin: str) -> bool:
    """np.load(path, None, True): the third one is allow_pickle."""
    is_load = re.fullmatch(r"numpy\.(\w+\.)*load", origin) is not None
    return is_load and len(node.args) > 2 and program.literal(node.args[2]) is not False


def _is_safe_yaml(program: Program, node: ast.Call) -> bool:
    loaders = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "Loader")]
    return bool(loaders) and program.dotted(loaders[0]) in _SAFE_YAML


def _load(program: Program, node: ast.Call, origin: str) -> Iterator[Finding]:
    given = node.args[0] if node.args else None
    if not _is_own(program, given) and not _is_pickled_here(program, given):
        sentence = f"{origin} runs whatever hides in the file; only what this script wrote to outputs/ may be loaded."
        yield security("deserialise", node, sentence)


def _is_own(program: Program, given: ast.expr | None) -> bool:
    """Every place that it may be read from is one that the script alone writes to."""
    if given is None:
        return False
    paths = program.worlds(lambda: program.path(_place(program, given)), through_calls=True)
    return all(path is not None and places.is_own(path) and not places.is_scratch(path) for path in paths)


def _place(program: Program, given: ast.expr) -> ast.expr:
    """Where what is loaded lies: a path, open(path), path.open(), or a file that was opened under a name."""
    if isinstance(given, ast.Name):
        given = _opened_around(program, given) or program.values.get(given.id, given)
    match given:
        case ast.Call(func=ast.Attribute(value=base, attr="open" | "read_bytes")) if not program.dotted(given.func):
            return _place(program, base) if isinstance(base, ast.Call) else base
        case ast.Call(func=ast.Attribute(value=ast.Call() as opened, attr="read")):
            return _place(program, opened)
        case ast.Call(func=func, args=[first, *_]):
            name = program.dotted(func) or (func.id if isinstance(func, ast.Name) else "")
            return first if _OPENERS.fullmatch(name) else given
        case _:
            return given


def _opened_around(program: Program, name: ast.Name) -> ast.expr | None:
    """with open(path) as f: pickle.load(f); the innermost `with` of that name."""
    for above in program.ancestors(name):
        if isinstance(above, ast.With):
            for item in above.items:
                if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name.id:
                    return item.context_expr
    return None


def _is_pickled_here(program: Program, given: ast.expr | None) -> bool:
    """pickle.loads(pickle.dumps(model)), and a buffer in memory that was dumped into and nothing else."""
    if isinstance(given, ast.Name):
        values = program.options(given)
        if values and all(_is_dumped(program, value) for value in values):
            return True
        return (
            bool(values) and all(_is_empty_buffer(program, value) for value in values) and _only_dumped(program, given)
        )
    return given is not None and _is_dumped(program, given)


def _is_dumped(program: Program, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and program.dotted(value.func) == "pickle.dumps"


def _is_empty_buffer(program: Program, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and program.dotted(value.func) == "io.BytesIO" and not value.args


def _moves_pickles(origin: str) -> bool:
    return origin in _WRITERS_OF_PICKLES or _UNPICKLERS.fullmatch(origin) is not None


def _only_dumped(program: Program, buffer: ast.Name) -> bool:
    """Nobody else writes into it."""
    for load in program.loads.get(buffer.id, ()):
        match program.parents.get(load):
            case ast.Attribute(attr="seek" | "tell" | "getvalue" | "getbuffer" | "close" | "truncate"):
                continue
            case ast.Call(func=func) if _moves_pickles(program.dotted(func) or ""):
                continue
            case _:
                return False
    return True
