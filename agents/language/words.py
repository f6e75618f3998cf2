"""Words in a sentence and in a column name, in one form: "MonthlyCharges" and "monthly charge" have the same words."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

FIRST_ATOM, LAST_ATOM = "\ue000", "\uf8ff"
"""A column that was recognised in a text is replaced by one character of Unicode's private area."""
ATOM = f"[{FIRST_ATOM}-{LAST_ATOM}]"

_FIRM_ENDS = frozenset("abfhjkopquvwx")
"""No suffix that the English stemmer removes ends in one of these; asking it would cost 20 microseconds a word."""
_PARAGRAPH = re.compile(r"\s*\n\s*\n\s*|\s*\n\s*[-*•]\s+")
_LINE = re.compile(r"(?<!\n)\n(?!\n)")
_REPEATED = re.compile(r"\b(\w+)(?:\s+\1\b){2,}", re.IGNORECASE)
MOST_CHARACTERS = 1_500
"""A longer message is read up to here: grammars are slow on walls of text, and a request is said in less."""
_LETTERS = re.compile(r"[^\W_]+")
_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"', "\u00b4": "'"}
)
_CONTRACTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\bw/\s?o(?:ut)?\b", "without"),
        (r"\bw/(?=\s?\w)", "with "),
        (r"\bcan'?t\b", "cannot"),
        (r"\bwon'?t\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|would|could|should|must)n'?t\b", r"\1 not"),
        (r"\blet'?s\b", "let us"),
        (r"\b(what|that|it|who|there|here|how)'?s\b(?!\s+in\b|\w)", r"\1 is"),
        (r"\b(what|that|it|who|there|here|how)'s\b", r"\1 is"),
        (r"\b(i|you|we|they)'(ll|d)\b", r"\1 will"),
        (r"\b(i|you|we|they)'(m|re)\b", r"\1 are"),
        (r"\b(i|you|we|they)'ve\b", r"\1 have"),
    )
)


@dataclass(frozen=True)
class Word:
    """One word of a text with its place; `key` is the form in which words are compared."""

    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """Lower case."""
        return self.text.casefold()


def normalise(text: str) -> str:
    """The text in one Unicode form: plain quotes, no contractions, no private characters, no single line breaks."""
    text = text[: MOST_CHARACTERS * 2]
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = "".join(" " if _is_unwanted(char) else char for char in text)
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    text = _LINE.sub(" ", _PARAGRAPH.sub("\n\n", text.strip())).replace("\n\n", "\n")
    return _REPEATED.sub(r"\1", text)[:MOST_CHARACTERS]


def _is_unwanted(char: str) -> bool:
    return FIRST_ATOM <= char <= LAST_ATOM or (unicodedata.category(char) == "Cc" and char != "\n")


def words(text: str) -> list[Word]:
    """The words of a text, camelCase and snake_case taken apart."""
    return [
        Word(run.group()[start:end], run.start() + start, run.start() + end)
        for run in _LETTERS.finditer(text)
        for start, end in _humps(run.group())
    ]


def _humps(run: str) -> list[tuple[int, int]]:
    """Where the parts of a camelCase run begin and end; an acronym stays whole (customerID, PDFPages, IDs)."""
    if run.islower() or run.isdigit():
        return [(0, len(run))]
    cuts = [0]
    for at in range(1, len(run)):
        before, here, after = run[at - 1], run[at], run[at + 1 : at + 2]
        rises = before.islower() and here.isupper()
        acronym_ends = before.isupper() and here.isupper() and after.islower() and run[at + 1 :] != "s"
        if rises or acronym_ends:
            cuts.append(at)
    return list(zip(cuts, [*cuts[1:], len(run)], strict=True))


@lru_cache(maxsize=50_000)
def keys(text: str) -> tuple[str, ...]:
    """The words of a text or column name in lower case."""
    return tuple(word.key for word in words(text))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=50_000)
def stem(key: str) -> str:
    """The stem of a lower-case English word (Snowball, Porter 2); anything else comes back as it is."""
    if len(key) < 3 or key[-1] in _FIRM_ENDS or not key.isascii() or not key.isalpha():
        return key
    found: str = _stemmer().stemWord(key)
    return found


def stems(text: str) -> tuple[str, ...]:
    """The stems of the words of a text."""
    return tuple(stem(key) for key in keys(text))


def quoted(names: Sequence[str], last: str = "and") -> str:
    """“a”, “b” and “c”, for sentences."""
    shown = [f"“{name}”" for name in names]
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}" if len(shown) > 1 else "".join(shown)
