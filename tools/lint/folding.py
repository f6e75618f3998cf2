"""What small functions of Python make of values that are written down: letters from numbers, paths from parts."""

import ast

from tools.lint.bindings import NOT_KNOWN

MAX_TEXT = 20_000
"""Longer texts are cut: a few letters times a billion are a line of program."""
UNKNOWN = NOT_KNOWN.id


def parent(path: str) -> str:
    """As pathlib has it; above the working folder is outside."""
    if path in (".", ""):
        return ".."
    return path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else ".")


def built(name: str, node: ast.Call, given: list[object]) -> object:
    """chr(47), bytes([...]), map(chr, [...]) and the like; None for anything else."""
    match name, given:
        case "chr", [int(code)]:
            return character(code)
        case "str", [str(text)]:
            return text
        case "bytes" | "bytearray", [list(numbers)]:
            if all(isinstance(one, int) and 0 <= one < 256 for one in numbers):
                return bytes(numbers)
        case "list" | "tuple", [list(items)]:
            return items
        case "list" | "tuple", [str(text)]:
            return list(text)
        case "reversed", [str() | list() as items]:
            return list(reversed(items))
        case "map", [_, list(numbers)] if isinstance(node.args[0], ast.Name) and node.args[0].id == "chr":
            return characters(numbers)
    return None


def character(code: object) -> str | None:
    """The letter of a number."""
    return chr(code) if isinstance(code, int) and 0 <= code < 0x110000 else None


def characters(numbers: object) -> list[str | None] | None:
    """The letters of numbers."""
    return [character(number) for number in numbers] if isinstance(numbers, list) else None


def from_hex(text: object) -> bytes | None:
    """What bytes.fromhex makes of it."""
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def joined(parts: list[str | None], separator: str = "/") -> str | None:
    """Paths put together as `pathlib` does it: an absolute part starts anew."""
    if all(part is None for part in parts):
        return None
    text = ""
    for part in (UNKNOWN if part is None else part for part in parts):
        anew = not text or (separator == "/" and part.startswith("/"))
        text = part if anew else f"{text.rstrip('/') if separator else text}{separator}{part}"
    return text[:MAX_TEXT]
