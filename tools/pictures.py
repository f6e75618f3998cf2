"""Pictures that people bring: which files are one, and what of them may leave this machine.

A file is a picture by its content, never by its name. Only PNG, JPEG and WebP are opened, with limits on bytes and
pixels that are checked before anything is decoded. What leaves is drawn anew from the pixels: no place, camera, comment
or thumbnail of the file goes along.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000
LEAST_SIDE, MOST_SIDE = 16, 1568
"""Pixels. Smaller shows nothing; models make larger pictures smaller themselves and charge for them."""
MOST_SENT = 1_500_000
"""Bytes of a PNG that leaves; larger ones leave as JPEG."""
FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP")

Kind = Literal["picture", "refused"]
TO_DO = "save it as PNG, JPEG or WebP (a screenshot will do)"


class PictureError(ValueError):
    """This is no picture that can be read; the message says what was seen and what would work."""


@dataclass(frozen=True)
class Picture:
    """A picture as it leaves: pixels and nothing else."""

    data: bytes
    media_type: Literal["image/png", "image/jpeg"]
    width: int
    height: int


def kind_of(path: Path) -> Kind | None:
    """picture: PNG, JPEG or WebP; refused: a picture or a page in a form that is not read; None: something else."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    return "refused" if _refused(head) else None


def refusal(path: Path) -> str:
    """Why a file of kind “refused” is not read, and what would work."""
    with path.open("rb") as file:
        what = _refused(file.read(1024)) or "a picture of a kind that is not read"
    return f"{path.name} is {what}, which is not read: {TO_DO}, or bring the data as a table."


def _refused(head: bytes) -> str:
    if head.startswith(b"%PDF"):
        return "a PDF"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "a GIF"
    if head.startswith((b"II*\x00", b"MM\x00*")):
        return "a TIFF picture"
    if head[4:12] in (b"ftypavif", b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC or AVIF picture"
    if head.startswith(b"BM") and b"\x00" in head[:30]:
        return "a BMP picture"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!doctype svg")) and b"<svg" in text):
        return "an SVG drawing"
    return ""


def read_picture(path: Path) -> Picture:
    """Open, check and draw anew. Raises PictureError; blocking."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    size = path.stat().st_size
    if size > MOST_BYTES:
        raise PictureError(
            f"{path.name} has {size / 1e6:.0f} MB; {MOST_BYTES / 1e6:.0f} MB are the most for a picture."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                _check(path, *opened.size)
                opened.seek(0)  # of a moving picture the first frame
                upright = ImageOps.exif_transpose(opened)
                upright.thumbnail((MOST_SIDE, MOST_SIDE))
                plain = _on_white(upright)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(_too_large(path)) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError(f"{path.name} is damaged and cannot be opened as a picture: {TO_DO}.") from None
    return _encoded(plain)


def _check(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PictureError(_too_large(path))
    if min(width, height) < LEAST_SIDE:
        raise PictureError(f"{path.name} has {width} by {height} pixels, too few to read anything off.")


def _too_large(path: Path) -> str:
    return f"{path.name} has more than {MOST_PIXELS / 1e6:.0f} million pixels; make it smaller."


def _on_white(image: "Image.Image") -> "Image.Image":
    """Transparent parts become white, as on a page; black writing on nothing would be black on black."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _encoded(image: "Image.Image") -> Picture:
    """Of the pixels alone: a new picture holds no metadata."""
    from PIL import Image

    bare = Image.frombytes("RGB", image.size, image.tobytes())
    stream = io.BytesIO()
    bare.save(stream, "PNG", optimize=True)
    if stream.tell() <= MOST_SENT:
        return Picture(stream.getvalue(), "image/png", *image.size)
    stream = io.BytesIO()
    bare.save(stream, "JPEG", quality=88)
    return Picture(stream.getvalue(), "image/jpeg", *image.size)
