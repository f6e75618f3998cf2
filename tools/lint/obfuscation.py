"""Text that hides what it says: encoded payloads, letters put together from numbers, characters that nobody sees."""

import ast
import base64
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from tools.lint.finding import Finding, error, security, warning
from tools.lint.program import Program, words

MAX_BYTES_SHOWN = 200
"""More raw bytes than that are no separator, header or key."""
MAX_LETTERS = 4_000
"""One line of text, without a break."""
MAX_PICTURE = 2_000
_PICTURES = (
    (b"\x89PNG\r\n", b"IEND\xaeB`\x82"),
    (b"GIF8", b";"),
    (b"\xff\xd8\xff", b"\xff\xd9"),
)
_ENCODED = re.compile(r"[A-Za-z0-9+/=_\-\s]{120,}|(?:\\?x?[0-9a-fA-F]{2}){60,}")
_PROGRAMS = (b"\x7fELF", b"MZ\x90", b"#!/", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")
_DECODERS = words(
    """
    base64.b64decode base64.standard_b64decode base64.urlsafe_b64decode base64.b32decode base64.b32hexdecode
    base64.b16decode base64.a85decode base64.b85decode base64.decodebytes base64.decode binascii.unhexlify
    binascii.a2b_hex binascii.a2b_base64 binascii.a2b_qp binascii.a2b_uu quopri.decodestring zlib.decompress
    zlib.decompressobj gzip.decompress bz2.decompress lzma.decompress codecs.decode codecs.getdecoder
    """
)
_CIPHERS = re.compile(r"rot_?13|hex(_codec)?|base_?64(_codec)?|zlib(_codec)?|bz2(_codec)?|uu(_codec)?", re.IGNORECASE)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSEEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\U000e0000-\U000e007f]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
_FAR_RIGHT = re.compile(r"\S\s*;?[ \t]{40,};?[ \t]*$")
_TWINS = str.maketrans(
    "аеорсухіјѕԁԛԝвкмнтАВЕКМНОРСТУХІЈЅοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdqwbkmhtABEKMHOPCTYXIJSoABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters that look like Latin ones."""


def findings(program: Program) -> Iterator[Finding]:
    """Everything of this kind, in the order of the rules."""
    yield from _unseen(program)
    yield from _twins(program)
    for node in program.nodes:
        if isinstance(node, ast.Constant):
            yield from _constant(program, node)
        elif isinstance(node, ast.Call):
            yield from _call(program, node)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp):
            yield from _spelled(program, node)
        elif isinstance(node, ast.BinOp):
            yield from _put_together(program, node)
        elif isinstance(node, ast.stmt):
            yield from _far_right(program, node)


def _unseen(program: Program) -> Iterator[Finding]:
    """Characters in the text itself that an editor does not show, or that turn the order of what it shows."""
    if program.code.isascii() and not _CONTROL.search(program.code):
        return
    for number, line in enumerate(program.lines, start=1):
        if _BIDI.search(line) or _CONTROL.search(line):
            sentence = "Characters that steer how the line is shown make it look different from what it does."
            yield security("hidden-text", number, sentence)
        elif len(_UNSEEN.findall(line)) >= 4:
            yield security("hidden-text", number, "The line holds characters that nobody sees.")
        elif _UNSEEN.search(line.removeprefix("\ufeff")):
            yield warning("policy:hidden-text", number, "The line holds a character that nobody sees.")


def _twins(program: Program) -> Iterator[Finding]:
    """A name with a letter of another alphabet that looks like a Latin one."""
    seen = {name: node for node in program.nodes for name in _names(node)}
    for name, node in seen.items():
        latin = name.translate(_TWINS)
        if latin != name and (latin in seen or (latin.isascii() and _is_mixed(name))):
            sentence = f"The name {ascii(name)[1:-1]} looks like {latin} and is another one."
            yield security("hidden-text", node, sentence)


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name


def _is_mixed(name: str) -> bool:
    alphabets = {unicodedata.name(letter, "").split(" ")[0] for letter in name if letter.isalpha()}
    return "LATIN" in alphabets and "CYRILLIC" in alphabets


def _constant(program: Program, node: ast.Constant) -> Iterator[Finding]:
    if isinstance(node.value, bytes):
        yield from _raw(node, node.value)
    elif isinstance(node.value, str) and not program.is_docstring(node) and not program.is_table_word(node):
        text = node.value
        if len(text) >= 120 and _ENCODED.fullmatch(text) and _is_dense(text):
            sentence = f"A text of {len(text)} letters looks encoded and hides what it holds."
            yield (
                warning("policy:encoded", node, sentence) if _is_picture(text) else security("encoded", node, sentence)
            )
        elif len(text) > MAX_LETTERS and "\n" not in text:
            yield error("policy:encoded", node, f"A line of {len(text):,} letters: data belongs in a file in inputs/.")


def _is_picture(text: str | bytes) -> bool:
    """A whole small picture in base64, from its first bytes to its last."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(raw) <= MAX_PICTURE and any(raw.startswith(first) and raw.endswith(last) for first, last in _PICTURES)


def _raw(node: ast.AST, raw: bytes) -> Iterator[Finding]:
    if raw.startswith(_PROGRAMS):
        yield security("encoded", node, "The raw bytes of a program stand in the text.")
    elif len(raw) > MAX_BYTES_SHOWN:
        yield security("encoded", node, f"{len(raw)} raw bytes in the text hide what the script does.")


def _is_dense(text: str) -> bool:
    """Few blanks and many bits per letter: not a sentence."""
    packed = "".join(text.split())
    if len(packed) < 0.95 * len(text):
        return False
    bits = -sum(n / len(packed) * math.log2(n / len(packed)) for n in Counter(packed).values())
    return bits > 3.2 and any(letter.isdigit() for letter in packed)


def _call(program: Program, node: ast.Call) -> Iterator[Finding]:
    origin = program.dotted(node.func) or ""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if origin in _DECODERS:
        yield from _decoded(program, node, origin)
    elif isinstance(node.func, ast.Name) and node.func.id in ("map", "bytes", "bytearray"):
        yield from _spelled(program, node)
    elif method == "fromhex" and isinstance(program.literal(node), bytes):
        yield _hides(node, "fromhex")
    elif method in ("encode", "decode") and any(_is_cipher(program, one) for one in node.args[:1]):
        yield _hides(node, "a cipher")
    elif method == "translate" and isinstance(program.literal(getattr(node.func, "value", None)), str | bytes):
        yield _hides(node, "translate")
    elif method == "to_bytes" and _is_large(program.literal(getattr(node.func, "value", None))):
        yield _hides(node, "to_bytes")


def _is_cipher(program: Program, node: ast.expr) -> bool:
    name = program.literal(node)
    return isinstance(name, str) and _CIPHERS.fullmatch(name) is not None


def _is_large(value: object) -> bool:
    return isinstance(value, int) and value >= 2**64


def _decoded(program: Program, node: ast.Call, origin: str) -> Iterator[Finding]:
    given = node.args[0] if node.args else None
    text = program.literal(given)
    if origin == "base64.b64decode" and isinstance(text, str | bytes) and _is_picture(text):
        yield warning("policy:encoded", node, "A small picture stands in the text.")
    elif given is None or isinstance(text, str | bytes) or program.path(given) is not None:
        yield _hides(node, origin)
    else:
        yield warning("policy:encoded", node, f"{origin} unpacks what is known only at run time.")


def _spelled(program: Program, node: ast.expr) -> Iterator[Finding]:
    """ "".join(chr(c) for c in [...]), bytes([...]), map(chr, [...]): words written as numbers."""
    value = program.literal(node)
    if isinstance(value, bytes):
        value = list(value.decode("latin-1")) if isinstance(node, ast.Call) and len(value) >= 4 else None
    if isinstance(value, list) and len(value) >= 2 and all(isinstance(one, str) and len(one) == 1 for one in value):
        if "".join(value).isprintable() and _uses_numbers(node):
            yield _hides(node, "a list of letter numbers")
    elif isinstance(node, ast.ListComp | ast.GeneratorExp) and _calls_chr(node.elt):
        numbers = program.literal(node.generators[0].iter)
        if isinstance(numbers, list | bytes | str) and len(numbers) >= 8:
            yield _hides(node, "a list of letter numbers")


def _uses_numbers(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and one.id in ("chr", "bytes", "bytearray") for one in ast.walk(node))


def _calls_chr(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "chr"


def _put_together(program: Program, node: ast.BinOp) -> Iterator[Finding]:
    """chr(111) + chr(115), or a few bytes times a hundred."""
    if isinstance(program.parents.get(node), ast.BinOp):
        return
    pieces = [one for one in ast.walk(node) if isinstance(one, ast.Call) and _calls_chr(one)]
    if len(pieces) >= 2 and all(isinstance(program.literal(one), str) for one in pieces):
        yield _hides(node, "a list of letter numbers")
    if isinstance(node.op, ast.Mult) and isinstance(raw := program.literal(node), bytes) and len(set(raw)) > 16:
        yield from _raw(node, raw)


def _hides(node: ast.AST, what: str) -> Finding:
    return security("encoded", node, f"The script holds a text that only {what} makes readable.")


def _far_right(program: Program, node: ast.stmt) -> Iterator[Finding]:
    """A statement behind so many blanks that an editor does not show it."""
    line = program.lines[node.lineno - 1] if node.lineno <= len(program.lines) else ""
    before = line.encode()[: node.col_offset].decode(errors="replace")
    if before.strip() and _FAR_RIGHT.search(before):
        yield error("policy:hidden-text", node, "A statement stands far to the right, where nobody looks.")
