"""Which format a file has, by what is in it; its name is asked last."""

import re
import zipfile
from pathlib import Path
from typing import Literal

from tools.ingest.errors import READABLE, IngestError

Format = Literal["delimited", "workbook", "json", "parquet"]

HEAD = 65_536
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM\x00", "an image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "a sound, video or image file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x8b", "a .gz inside a .gz"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ARROW1", "a Feather file"),
    (b"FEA1", "a Feather file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x80\x04\x95", "a pickle (pickles are never opened)"),
    (b"\x80\x05\x95", "a pickle (pickles are never opened)"),
    (b"$FL2", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SHEETS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
JSON_START = re.compile(r"\s*(\{\s*(\"|\}|$)|\[\s*([\[{\"\]\-0-9]|true|false|null|NaN|$))")
MARKUP = re.compile(r"\s*(<!doctype|<html|<\?xml|<[a-z]+[\s>])", re.IGNORECASE)


def binary_format(path: Path, name: str) -> Format | None:
    """The format of a binary file, None when it may be text; IngestError for what cannot be read."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PARE"):
        raise IngestError(f"The Parquet file {name} is encrypted; save it without encryption.")
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip_format(path, name)
    if head.startswith(OLE):
        return _ole_format(path, name)
    for magic, kind in FOREIGN:
        if head.startswith(magic) and not (magic.isascii() and _is_plain_text(head)):
            raise IngestError(f"The file {name} is {kind}, not a table; save the data as {READABLE}.")
    if head[257:262] == b"ustar":
        raise IngestError(f"The file {name} is a tar archive; unpack it and name one file of it ({READABLE}).")
    return None


def text_format(head: str, name: str) -> Format:
    """JSON or delimited; IngestError for markup (often a login or error page saved under a table's name)."""
    if MARKUP.match(head):
        raise IngestError(f"The file {name} is a web page or XML, not a table; save the data as {READABLE}.")
    if JSON_START.match(head):
        return "json"
    if Path(name.lower().removesuffix(".gz")).suffix in {".json", ".ndjson", ".jsonl"}:
        raise IngestError(f"The file {name} is named JSON but does not begin like JSON; check it or rename it to .csv.")
    return "delimited"


def _is_plain_text(head: bytes) -> bool:
    """A CSV may begin with "BM" or "ORC": magic in plain letters counts only when the rest is binary."""
    return b"\x00" not in head and not head.startswith((b"%PDF", b"<stata_dta>"))


def _zip_format(path: Path, name: str) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        kind = "Excel file" if Path(name.lower()).suffix.startswith(".xl") else "archive"
        raise IngestError(f"The {kind} {name} is broken or incomplete; save or download it again.") from None
    if any(sheet in names for sheet in SHEETS):
        return "workbook"
    raise IngestError(f"The file {name} is a zip archive; unpack it and name one file of it ({READABLE}).")


def _ole_format(path: Path, name: str) -> Format:
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise IngestError(f"The Excel file {name} is protected by a password; save it without one.")
    if any(stream.encode("utf-16-le") in content for stream in ("Workbook", "Book")):
        return "workbook"
    raise IngestError(f"The file {name} is an old Office document, not a table; save the data as {READABLE}.")
