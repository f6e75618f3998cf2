"""A private copy of the file, so that nothing can change under the reader."""

import gzip
import os
import shutil
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from tools.ingest.errors import READABLE, IngestError
from tools.ingest.limits import Limits

CHUNK = 4 * 1024 * 1024
GZIP = b"\x1f\x8b"


def take_snapshot(source: Path, folder: Path, limits: Limits) -> Path:
    """Copy `source` into `folder` (unpacked when it is .gz); IngestError when it cannot be read whole and unchanged."""
    before = _checked_stat(source, limits)
    copy = folder / "snapshot"
    try:
        with source.open("rb") as original, copy.open("wb") as out:
            shutil.copyfileobj(original, out, CHUNK)
            after = os.fstat(original.fileno())
        last = source.stat()
    except PermissionError:
        raise IngestError(f"The file {source.name} may not be read: its permissions forbid it.") from None
    except FileNotFoundError:
        raise IngestError(f"The file {source.name} was deleted while it was being read.") from None
    if not _state(before) == _state(after) == _state(last) or copy.stat().st_size != after.st_size:
        raise IngestError(f"The file {source.name} changed while it was being read; try again when it is complete.")
    return _unpacked(copy, source.name, limits)


def _checked_stat(source: Path, limits: Limits) -> os.stat_result:
    if not source.exists():
        raise IngestError(f"There is no file {source}.")
    if source.is_dir():
        raise IngestError(f"{source} is a folder; name one file in it ({READABLE}).")
    seen = source.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise IngestError(f"{source} is not a regular file; save the data as {READABLE} first.")
    if seen.st_size == 0:
        raise IngestError(f"The file {source.name} is empty (0 bytes).")
    if seen.st_size > limits.file:
        raise IngestError(f"The file {source.name} has {_mb(seen.st_size)}; at most {_mb(limits.file)} can be read.")
    return seen


def _state(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_size, seen.st_mtime_ns, seen.st_ino


def _unpacked(copy: Path, name: str, limits: Limits) -> Path:
    with copy.open("rb") as packed:
        if packed.read(2) != GZIP:
            return copy
    target = copy.with_name("unpacked")
    try:
        with gzip.open(copy, "rb") as packed_stream, target.open("wb") as out:
            _bounded_copy(packed_stream, out, copy.stat().st_size, name, limits)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise IngestError(f"The file {name} is a broken or incomplete .gz; pack or download it again.") from None
    copy.unlink()
    if target.stat().st_size == 0:
        raise IngestError(f"The file {name} is empty: nothing is packed in it.")
    return target


def _bounded_copy(source: "gzip.GzipFile", out: BinaryIO, packed: int, name: str, limits: Limits) -> None:
    total = 0
    while chunk := source.read(CHUNK):
        total += len(chunk)
        if total > limits.unpacked or is_bomb(packed, total, limits):
            raise IngestError(f"The file {name} unpacks to more than {_mb(total)} from {_mb(packed)}; unpack it first.")
        out.write(chunk)


def is_bomb(packed: int, unpacked: int, limits: Limits) -> bool:
    """More growth than real tables have."""
    return unpacked > limits.ratio_from and unpacked > packed * limits.ratio


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
