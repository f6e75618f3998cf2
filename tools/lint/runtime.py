"""What a script may ask of the running interpreter: harmless questions are told from doors by what they are given."""

import ast
import re
from collections.abc import Iterator

from tools.lint import places
from tools.lint.access import READERS, WRITERS
from tools.lint.finding import Finding, error, security, warning
from tools.lint.parts import ALLOWED, SYSTEM
from tools.lint.program import UNKNOWN, Program, words

_RUNS_TEXT = words("timeit.timeit timeit.repeat timeit.Timer")
_ONLY_CALLED = _RUNS_TEXT | words("importlib.import_module operator.methodcaller torch.load os.chdir")
_METHODS = READERS | WRITERS | words("system popen kill unlink remove rmdir rmtree rename open eval exec connect spawn")
_LOOKING = words("get keys items values copy")
_LOADERS = words("load_module exec_module create_module source_to_code")
_HIDDEN_PARTS = SYSTEM | words("environ system popen globals")
_FIELD_PARTS = re.compile(r"\{\w*((?:\.\w+|\[\w+\])+)[^{}]*\}")
_SHELL_IN_TEX = re.compile(r"\\write18|\\input\s*\{?\s*[/|]|\\openout|\\openin")


def findings(program: Program) -> Iterator[Finding]:
    """Every such question."""
    for node in program.nodes:
        match node:
            case ast.Call():
                yield from _call(program, node)
            case ast.Attribute():
                yield from _attribute(program, node)
            case ast.MatchClass(kwd_attrs=names):
                if hidden := _HIDDEN_PARTS & set(names):
                    sentence = f"A pattern takes {min(hidden)} out of an object, so its use cannot be checked."
                    yield security("reflection", node, sentence)
            case ast.Constant(value=str(text)) if not program.is_docstring(node) and not program.is_table_word(node):
                yield from _text(node, text)


def _attribute(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    origin = program.dotted(node) or ""
    if origin in _ONLY_CALLED and program.is_handed_on(node):
        yield security("reflection", node, f"{origin} is handed on, so what it is given cannot be checked.")
    if origin == "sys.modules" and not _is_asked_for_a_name(program, node):
        yield security("reflection", node, "sys.modules reaches into the interpreter.")
    elif origin == "sys.path":
        yield from _import_path(program, node)
    elif node.attr in _LOADERS:
        yield security("dynamic-code", node, f"{node.attr} runs a file as a module, out of sight.")
    elif node.attr.startswith("_Printer__"):
        yield security("reflection", node, f"{node.attr} reaches into the interpreter.")


def _is_asked_for_a_name(program: Program, node: ast.AST) -> bool:
    """ "google.colab" in sys.modules"""
    match program.parents.get(node):
        case ast.Compare(left=ast.Constant(), ops=[ast.In() | ast.NotIn()]):
            return True
        case _:
            return False


def _import_path(program: Program, node: ast.Attribute) -> Iterator[Finding]:
    """sys.path.insert(0, "inputs"): modules of the user's own; what the script writes itself it may not import."""
    method = program.parents.get(node)
    call = program.parents.get(method) if isinstance(method, ast.Attribute) else method
    if isinstance(call, ast.Call) and getattr(method, "attr", "") in ("insert", "append") and call.args:
        path = program.path(call.args[-1])
        if path is not None and UNKNOWN not in path and not places.leaves(path) and not places.is_own(path):
            sentence = f"Modules are looked for in {places.short(path)!r} too; the script runs alone, as one file."
            yield warning("policy:reflection", node, sentence)
            return
    if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "print":
        return
    yield security("reflection", node, "sys.path reaches into the interpreter.")


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("locals", "globals", "vars") and not node.args and name not in program.values:
        yield from _names_by_text(program, node, name)
    elif origin in _RUNS_TEXT:
        yield from _timed(program, node, origin)
    elif origin == "operator.methodcaller":
        yield from _method(program, node)
    elif origin == "os.chdir":
        yield from _moved(program, node)
    elif origin in ("multiprocessing.Process", "multiprocessing.get_context"):
        yield from _multiplies(program, node)
    elif origin == "argparse.ArgumentParser" and any(word.arg == "fromfile_prefix_chars" for word in node.keywords):
        yield error("policy:path", node, "Arguments are read from any file that is named; give them plainly.")
    elif origin == "signal.signal" and len(node.args) == 2 and _does_nothing(node.args[1]):
        yield error("policy:process", node, "The script refuses to be stopped.")


def _names_by_text(program: Program, node: ast.Call, name: str) -> Iterator[Finding]:
    """locals().get("params"), "x" in globals(): a name of its own is asked for; modules are not to be had that way."""
    rule = "dynamic-code" if name == "globals" else "reflection"
    shown = name if name == "globals" else f"{name}()"
    asked = _asked_name(program, node)
    if asked is None:
        yield security(rule, node, f"{shown} reaches names by text.")
    elif asked in program.aliases and program.aliases[asked].split(".")[0] in ALLOWED.keys() | SYSTEM:
        yield security(rule, node, f"{shown} reaches the module {asked} by text.")
    elif asked == "*" and any(module.split(".")[0] in SYSTEM for module in program.modules):
        yield error(f"policy:{rule}", node, f"{shown} holds every module that is imported; name what is needed.")
    else:
        yield warning(f"policy:{rule}", node, f"{shown} reaches names by text; the name itself says it better.")


def _asked_name(program: Program, node: ast.Call) -> str | None:
    """The one name that is asked for; "*": all are looked through; None: it is used in another way."""
    parent = program.parents.get(node)
    match parent:
        case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
            return name
        case ast.Subscript(slice=key, ctx=ast.Load()):
            found = program.literal(key)
            return found if isinstance(found, str) and not found.startswith("__") else None
        case ast.Attribute(attr="get") if isinstance(call := program.parents.get(parent), ast.Call) and call.args:
            found = program.literal(call.args[0])
            return found if isinstance(found, str) and not found.startswith("__") else None
        case ast.Attribute(attr=name) if name in _LOOKING:
            return "*"
        case ast.For(iter=walked) | ast.comprehension(iter=walked) if walked is node:
            return "*"
        case ast.Call(func=ast.Name(id="dict" | "list" | "sorted" | "len" | "set" | "print")):
            return "*"
        case _:
            return None


def _timed(program: Program, node: ast.Call, origin: str) -> Iterator[Finding]:
    """timeit(lambda: f(x)) measures; a text is code."""
    given = [*node.args[:2], *(word.value for word in node.keywords if word.arg in ("stmt", "setup"))]
    functions = {one.name for one in program.nodes if isinstance(one, ast.FunctionDef)}
    for one in given:
        is_function = isinstance(one, ast.Lambda) or (isinstance(one, ast.Name) and one.id in functions)
        if not is_function and not isinstance(program.literal(one), int):
            yield security("dynamic-code", node, f"{origin} runs text as code; give it a function.")
            return


def _method(program: Program, node: ast.Call) -> Iterator[Finding]:
    name = program.literal(node.args[0]) if node.args else None
    if not isinstance(name, str) or name.startswith("_") or name in ("system", "popen"):
        yield security("reflection", node, "operator.methodcaller calls a method by a name made at run time.")
    elif name in _METHODS:
        yield error("policy:reflection", node, f"methodcaller calls {name}, so what that is given cannot be checked.")


def _moved(program: Program, node: ast.Call) -> Iterator[Finding]:
    path = program.path(node.args[0]) if node.args else None
    if path is None or UNKNOWN in path:
        yield error("policy:path", node, "os.chdir makes relative paths mean something else.")
    elif places.leaves(path) and not places.is_scratch(path):
        yield security("path", node, f"os.chdir leads to {places.short(path)!r}, outside the working folder.")
    else:
        yield warning("policy:path", node, "os.chdir makes relative paths mean something else; write them in full.")


def _multiplies(program: Program, node: ast.Call) -> Iterator[Finding]:
    """Process(target=f) inside f itself, or without end."""
    target = next((word.value for word in node.keywords if word.arg == "target"), None)
    for above in program.ancestors(node):
        if isinstance(above, ast.While) or (
            isinstance(above, ast.FunctionDef) and isinstance(target, ast.Name) and above.name == target.id
        ):
            yield error("policy:process", node, "Processes are started without an end in sight.")
            return


def _does_nothing(handler: ast.expr) -> bool:
    return isinstance(handler, ast.Lambda) and isinstance(handler.body, ast.Constant)


def _text(node: ast.Constant, text: str) -> Iterator[Finding]:
    """ "{0.io.common.os.environ}".format(pandas), and TeX that runs programs."""
    for parts in _FIELD_PARTS.findall(text):
        if hidden := _HIDDEN_PARTS & set(re.findall(r"\w+", parts)):
            yield security("reflection", node, f"A template takes {min(hidden)} out of what it is given.")
    if _SHELL_IN_TEX.search(text):
        yield security("process", node, "TeX is told to run another program or read another file.")
