"""Text in any encoding to clean UTF-8."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

import chardet

from tools.ingest.errors import READABLE, IngestError

CHUNK = 1024 * 1024
SAMPLE = 200_000
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("cp932", "gb18030", "big5", "cp949", "euc-jp", "koi8-r", "mac-roman", "cp850"),
)
LATIN = {"Windows-1250", "Windows-1254", "Windows-1257", "Windows-1258", "MacRoman", "cp850"}
WESTERN_SHARE = 0.7
"""A Latin guess has to beat Windows-1252 by this much: the two differ in few characters and 1252 is far more common."""
MANY_BYTES = {"CP932", "GB18030", "Big5", "CP949", "EUC-JP", "euc_jis_2004", "Shift_JIS", "EUC-KR"}
LONE_LETTER = re.compile(rb"(?<![\x80-\xff])[\xc0-\xd6\xd8-\xf6\xf8-\xff](?![\x80-\xff])")
"""An accented letter of Windows-1252 alone between ASCII characters, as Latin text has them and Asian text has not."""
HIGH = re.compile(rb"[\x80-\xff]")
LONE_SHARE = 0.9
MIXED = "UTF-8 and Windows-1252"
"""Some lines are the one, some the other: files that were put together from several sources."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x7f\x80-\x84\x86-\x9f]")
MAX_CONTROL_SHARE = 0.01


@dataclass(frozen=True)
class TextFile:
    """A file that is UTF-8 without a byte order mark."""

    path: Path
    encoding: str
    """What it was in the file."""
    head: str
    """The first megabyte or so, ending at a line's end when there is more."""
    mixed_newlines: bool
    account: tuple[str, ...] = ()


def as_utf8(path: Path, name: str) -> TextFile:
    """The same text as UTF-8, rewritten beside `path` only when needed; IngestError when it is not text."""
    encoding = _encoding(path)
    exact, mixed = _inspect(path, encoding) if encoding == "utf-8" else (False, False)
    if exact:
        return TextFile(path, "UTF-8", _head(path, name), mixed)
    if encoding == "utf-8":
        encoding = _guess(path)
    target = path.with_name("utf8")
    if encoding == MIXED:
        legacy = _transcode_lines(path, target)
        _, mixed = _inspect(target, "utf-8")
        return TextFile(target, MIXED, _head(target, name), mixed, (_of_lines(legacy),))
    replaced = _transcode(path, target, encoding, name)
    _, mixed = _inspect(target, "utf-8")
    label = encoding.removesuffix("-sig").upper()
    return TextFile(target, label, _head(target, name), mixed, tuple(_account(encoding, replaced)))


def _account(encoding: str, replaced: int) -> list[str]:
    marked = encoding in {"utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"}
    guess = [] if marked else [f"The text is not UTF-8; it was read as {encoding}, the likeliest encoding."]
    lost = [f"Bytes that are no text in {encoding} were replaced by \ufffd in {replaced:,} places."] if replaced else []
    return guess + lost


def _of_lines(legacy: int) -> str:
    lines = "1 line was" if legacy == 1 else f"{legacy:,} lines were"
    return f"The text is UTF-8 in part only; {lines} read as Windows-1252, the likeliest encoding."


def _encoding(path: Path) -> str:
    """From the byte order mark or, without one, from the pattern of zero bytes; "utf-8" when nothing speaks against."""
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * len(head[1::2]) and even == 0:
        return "utf-16-le"
    if even > 0.4 * len(head[0::2]) and odd == 0:
        return "utf-16-be"
    return "utf-8"


def _inspect(path: Path, encoding: str) -> tuple[bool, bool]:
    """Whether all bytes decode, and whether lines end in more than one way."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    pairs = feeds = returns = 0
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return False, False
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            last = chunk[-1:]
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False, False
    return True, sum(kind > 0 for kind in (pairs, feeds - pairs, returns - pairs)) > 1


def _guess(path: Path) -> str:
    """The likeliest encoding of bytes that are not UTF-8, from the lines that hold other than ASCII."""
    sample, modern = b"", False
    with path.open("rb") as file:
        while len(sample) < SAMPLE and (chunk := file.read(CHUNK)):
            foreign = [line for line in re.split(rb"[\r\n]+", chunk) if not line.isascii()]
            legacy = [line for line in foreign if not _is_utf8(line)]
            modern |= len(legacy) < len(foreign)
            sample += b"\n".join(legacy)
    best = _likeliest(sample[:SAMPLE])
    return MIXED if modern and (best in LATIN or best == "Windows-1252") else best


def _likeliest(sample: bytes) -> str:
    ranked = chardet.detect_all(sample, include_encodings=CANDIDATES)
    confidence = {str(found["encoding"]): float(found["confidence"]) for found in ranked if found["encoding"]}
    best = max(confidence, key=lambda encoding: confidence[encoding], default="Windows-1252")
    western = confidence.get("Windows-1252", 0.0)
    if best in LATIN and western >= WESTERN_SHARE * confidence[best]:
        best = "Windows-1252"
    if best in MANY_BYTES and len(LONE_LETTER.findall(sample)) > LONE_SHARE * len(HIGH.findall(sample)):
        best = "Windows-1252"
    return best


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _transcode_lines(path: Path, target: Path) -> int:
    """Write UTF-8, each line from its own encoding; how many lines were no UTF-8."""
    legacy = 0
    with path.open("rb") as file, target.open("wb") as out:
        while line := file.readline(CHUNK):
            if _is_utf8(line):
                out.write(line)
                continue
            legacy += 1
            out.write(line.decode("cp1252", "replace").encode())
    return legacy


def _transcode(path: Path, target: Path, encoding: str, name: str) -> int:
    """Write UTF-8; how many characters had to be replaced."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    replaced = 0
    with path.open("rb") as file, target.open("w", encoding="utf-8", newline="") as out:
        while True:
            chunk = file.read(CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            replaced += text.count("\ufffd")
            out.write(text)
            if not chunk:
                break
    if replaced > MAX_CONTROL_SHARE * max(target.stat().st_size, 1):
        raise _binary(name)
    return replaced


def _head(path: Path, name: str) -> str:
    with path.open("rb") as file:
        raw = file.read(CHUNK)
        more = bool(file.read(1))
    head = raw.decode("utf-8", "ignore")
    if "\x00" in head or len(CONTROL.findall(head)) > MAX_CONTROL_SHARE * len(head):
        raise _binary(name)
    if not head.strip():
        raise IngestError(f"The file {name} is empty: it holds only blank space.")
    if more:
        cut = max(head.rfind("\n"), head.rfind("\r"))
        head = head[: cut + 1] if cut > 0 else head
    return head


def _binary(name: str) -> IngestError:
    return IngestError(f"The file {name} holds binary data, not a table; save the data as {READABLE}.")
