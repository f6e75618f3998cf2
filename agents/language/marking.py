"""Marks the columns in a sentence before its grammar is read: "time in hospital" is one thing then, not three words."""

import re
from dataclasses import dataclass

from agents.language.columns import ColumnIndex
from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import ATOM, FIRST_ATOM, Word, words

_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<![\w'])'([^'\n]+)'(?!\w)|\[([^\]\n]+)\]")
_BETWEEN = re.compile(r"^(?:the|a|an|my|our|its|column|feature|variable|field|called|named|of)$", re.IGNORECASE)
_NAMED_AFTER = re.compile(r"\s+(?:columns?|features?|fields?|variables?)\b", re.IGNORECASE)
_LIST_SIGN = re.compile(rf"{ATOM}\s*(?:,|;|&|\+|\band\b|\bor\b|,\s*and\b)\s*(?:the\s+)?$", re.IGNORECASE)
_PHRASE_ENDS = re.compile(
    (
        r"\s*(?:$|[.,;!?)]|(?:using|from|with|without|and|or|on|in|by|please|exclud\w+|ignor\w+|but|except|"
        r"instead|given|based)\b)"
    ),
    re.IGNORECASE,
)


MOST_ATOMS = 6_000
"""The private area has room for 6,400."""


@dataclass(frozen=True)
class Atom:
    """A column recognised in a text; more than one name when the text fits several equally."""

    said: str
    columns: tuple[str, ...]
    sure: bool
    """The text is the name itself, apart from case and separators."""


@dataclass(frozen=True)
class Marked:
    """A text in which each recognised column is one private character; `atoms` tells which."""

    text: str
    atoms: dict[str, Atom]

    def spoken(self, text: str) -> str:
        """A piece of the marked text as the user wrote it."""
        return re.sub(ATOM, lambda found: self.atoms[found.group()].said, text)


def mark(text: str, index: ColumnIndex) -> Marked:
    """Replace quoted names, then names and forms of names, longest first."""
    atoms: dict[str, Atom] = {}
    text = _QUOTED.sub(lambda found: _quoted(found, index, atoms), text)
    pieces: list[str] = []
    done = 0
    found = words(text)
    at = 0
    while at < len(found):
        size, atom = _longest(text, found, at, index, "".join([*pieces, text[done : found[at].start]]))
        if atom is None or len(atoms) >= MOST_ATOMS:
            at += 1
            continue
        pieces += [text[done : found[at].start], _remember(atom, atoms)]
        done = found[at + size - 1].end
        at += size
    return Marked("".join([*pieces, text[done:]]), atoms)


def _quoted(found: re.Match[str], index: ColumnIndex, atoms: dict[str, Atom]) -> str:
    inner = next(group for group in found.groups() if group is not None)
    columns = index.spelt(inner) or index.formed(inner)
    return _remember(Atom(inner, columns, True), atoms) if columns else found.group()


def _remember(atom: Atom, atoms: dict[str, Atom]) -> str:
    sign = chr(ord(FIRST_ATOM) + len(atoms))
    atoms[sign] = atom
    return sign


def _longest(text: str, found: list[Word], at: int, index: ColumnIndex, before: str) -> tuple[int, Atom | None]:
    """The longest run of words from here that names a column, and how many words it has."""
    for size in range(min(index.longest + 2, len(found) - at), 0, -1):
        start, end = found[at].start, found[at + size - 1].end
        said = text[start:end]
        if "\n" in said or not _whole(text, start, end) or re.search(r"[.!?,;]\s", said):
            continue
        exact = index.spelt(said)
        columns = exact or index.formed(said)
        single = size == 1 or not re.search(r"[\W_]", said)
        if not columns or (size > 1 and _only_little(found[at : at + size])):
            continue
        if single and found[at].key in vocabulary().reserved and not _meant(text, start, end, columns, before):
            continue
        return size, Atom(said, columns, bool(exact))
    return 0, None


def _whole(text: str, start: int, end: int) -> bool:
    """The run is not a part of a longer word such as the "bill" of bill_length."""
    left = text[start - 1] if start else " "
    right = text[end] if end < len(text) else " "
    return not (left.isalnum() or left == "_" or right.isalnum() or right == "_")


def _only_little(found: list[Word]) -> bool:
    return all(word.key in word_set("little") for word in found)


def _meant(text: str, start: int, end: int, columns: tuple[str, ...], before: str) -> bool:
    """A word that requests use for themselves: is the column meant here?"""
    said = text[start:end]
    if not text[:start].strip(" \"'`") and not text[end:].strip(" .!?\"'`"):
        return True
    if said in columns and not said.islower() and before.strip() and not before.rstrip().endswith((".", "!", "?")):
        return True
    if _NAMED_AFTER.match(text, end):
        return True
    if said.casefold() in word_set("little") and not _PHRASE_ENDS.match(text, end):
        return False
    if re.match(r"\s+of\b", text[end:]):
        return False
    return bool(_LIST_SIGN.search(before)) or _after_slot(before)


def _after_slot(before: str) -> bool:
    said = re.findall(r"[^\W_]+", before.rstrip())
    while said and _BETWEEN.match(said[-1]) and said[-1].casefold() != "of":
        said.pop()
    return bool(said) and before.rstrip()[-1:].isalnum() and said[-1].casefold() in vocabulary().slots
