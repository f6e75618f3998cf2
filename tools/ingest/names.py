"""Column names that people wrote, made unique and printable."""

import re
from collections.abc import Sequence

from tools.ingest.errors import counted, named

LONGEST = 200
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\s]+")


def clean_names(headers: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One unique name per header (case aside), and what had to be changed, in sentences."""
    tidy = [UNPRINTABLE.sub(" ", header).strip()[:LONGEST] for header in headers]
    named_all = [name or f"column_{position}" for position, name in enumerate(tidy, 1)]
    unique = _unique(named_all)
    return tuple(unique), tuple(_account(headers, tidy, named_all, unique))


def _unique(names: list[str]) -> list[str]:
    """A repeated name gets _2, _3, …; the first one keeps it. Engines compare names without case."""
    reserved = {name.lower() for name in names}
    seen: set[str] = set()
    found = []
    for name in names:
        candidate, number = name, 1
        while candidate.lower() in seen or (number > 1 and candidate.lower() in reserved):
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate.lower())
        found.append(candidate)
    return found


def _account(headers: Sequence[str], tidy: list[str], named_all: list[str], unique: list[str]) -> list[str]:
    said = []
    empty = [new for new, name in zip(unique, tidy, strict=True) if not name]
    if empty and len(empty) < len(headers):
        said.append(f"{counted(len(empty), 'column')} without a name called {named(empty)}.")
    repeated = [new for new, name in zip(unique, named_all, strict=True) if new != name]
    if repeated:
        said.append(f"{counted(len(repeated), 'column')} with a repeated name renamed to {named(repeated)}.")
    return said
