"""Lists of columns in a sentence: "a, b and the c columns", "the ids", "everything that starts with s", "it"."""

import re
from dataclasses import dataclass

from agents.language.clauses import parts
from agents.language.columns import ColumnIndex
from agents.language.marking import Marked
from agents.language.words import ATOM, quoted

_I = re.IGNORECASE
_EVERYTHING = re.compile(
    (
        r"^(?:the\s+)?(?:everything|all(?:\s+(?:of\s+)?(?:the\s+)?(?:other\s+|remaining\s+)?(?:columns?|"
        r"features?|variables?|ones?|others?|data|them|it|fields?))?|(?:the\s+)?rest|"
        r"(?:all\s+)?(?:the\s+)?others?|whole\s+table|every\s+(?:column|feature)|.*\b(?:we|i|"
        r"you)\s+have)(?:\s+(?:else|again|of\s+the\s+\w+|in\s+the\s+\w+|available))*$"
    ),
    _I,
)
_CUT = re.compile(
    (
        r"\b(?:because|since|so\s+that|which|that\s+(?:is|are|was|were)|as\s+(?:it|they)\s+(?:is|are)|"
        r"for\s+(?:now|this)|in\s+order|if\s+possible|when\s+you|to\s+(?:predict|get|see|find|classify)|"
        r"(?:it|they|this|that)\s+(?:is|are|was|were|leaks?|has|have|does|do|will|would|contains?|says?|knows?))\b.*"
    ),
    _I | re.DOTALL,
)
_GROUPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            (
                r"^(?:all\s+)?(?:the\s+)?(?:ids?|identifiers?|id\s+(?:columns?|numbers?)|keys?|row\s+(?:ids?|"
                r"numbers?))$"
            ),
            _I,
        ),
        "id",
    ),
    (
        re.compile(r"^(?:all\s+)?(?:the\s+)?(?:dates?|times?|timestamps?|date\s+columns?|datetimes?)$", _I),
        "date",
    ),
    (
        re.compile(
            r"^(?:all\s+)?(?:the\s+)?(?:texts?|free\s+texts?|text\s+(?:columns?|fields?|features?)|strings?)$", _I
        ),
        "text",
    ),
    (
        re.compile(
            r"^(?:all\s+)?(?:the\s+)?(?:numbers|numeric(?:al)?(?:\s+(?:columns?|features?|ones?|values?))?)$", _I
        ),
        "number",
    ),
    (
        re.compile(
            r"^(?:all\s+)?(?:the\s+)?(?:categor(?:y|ies|ical)(?:\s+(?:columns?|features?|ones?|values?))?)$", _I
        ),
        "category",
    ),
)
_AFFIX = re.compile(
    (
        r"(?:all|everything|every\s+\w+|any\w*|columns?|features?|those|the\s+ones)?\s*(?:that\s+|"
        r"which\s+)?(start|begin|end|contain)(?:s|ing)?(?:with)?\s+[\"'`]?([\w ]+?)[\"'`]?(?:\s+in\s+(?:the|"
        r"their)\s+names?)?$"
    ),
    _I,
)
_ABOUT = re.compile(
    (
        r"^(?:(?:all|any|every|everything|anything|stuff|things?|columns?|features?|information|data)\s+)*(?:(?:that\s+(?:is|has|have)|"
        r"about|on|of|with|concerning|regarding|related\s+to|relating\s+to|(?:to\s+)?do\s+with|around)\s+)*(?:the\s+)?|"
        r"\s+(?:related|measurements?|measures|values|sizes|readings|info|information|details|stuff|things|ones)$"
    ),
    _I,
)
"""What stands around the word that several columns share: "anything about payment", "sepal measurements"."""
IT = re.compile(r"^(?:it|that|this|that\s+(?:one|column)|this\s+(?:one|column))$", _I)
THEM = re.compile(r"^(?:them|those|these|those\s+columns|all\s+of\s+them|both)$", _I)


@dataclass(frozen=True)
class Columns:
    """What a list of columns came to."""

    names: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    everything: bool = False
    it: bool = False
    them: bool = False

    def __add__(self, other: "Columns") -> "Columns":
        return Columns(
            tuple(dict.fromkeys((*self.names, *other.names))),
            (*self.assumptions, *other.assumptions),
            (*self.unknown, *other.unknown),
            self.everything or other.everything,
            self.it or other.it,
            self.them or other.them,
        )


def columns_in(text: str, marked: Marked, index: ColumnIndex, lenient: bool = False) -> Columns:
    """The columns of a list; `lenient`: what is no column is passed over (for cues as weak as "with")."""
    pointed = text.strip(" .,")
    total = Columns(it=bool(IT.match(pointed)), them=bool(THEM.match(pointed)))
    for part in parts(_CUT.sub("", text)):
        total += _part(part, marked, index, lenient)
    if not total.names and _EVERYTHING.match(text.strip(" .,")):
        total += Columns(everything=True)
    return total


def _part(part: str, marked: Marked, index: ColumnIndex, lenient: bool) -> Columns:
    if atom := marked.atoms.get(part):
        return _atom_columns(atom.said, atom.columns, atom.sure)
    if signs := re.findall(ATOM, part):
        total = Columns()
        for sign in signs:
            total += _atom_columns(marked.atoms[sign].said, marked.atoms[sign].columns, marked.atoms[sign].sure)
        return total
    if _EVERYTHING.match(part):
        return Columns(everything=True)
    return _group(part, index) or _affix(part, index) or _looked_up(part, index, lenient)


def _atom_columns(said: str, columns: tuple[str, ...], sure: bool) -> Columns:
    return Columns(columns, () if sure and len(columns) == 1 else (taken(said, columns),))


def taken(said: str, columns: tuple[str, ...]) -> str:
    """The sentence that tells which columns a word was taken for."""
    return f"I take “{said.strip(' .,;?!')}” to mean {'the column ' if len(columns) == 1 else ''}{quoted(columns)}."


def _group(part: str, index: ColumnIndex) -> Columns | None:
    for pattern, role in _GROUPS:
        if pattern.match(part):
            found = tuple(column.name for column in index.schema.columns if column.role == role)
            return Columns(found, (taken(part, found),)) if found else None
    return None


def _affix(part: str, index: ColumnIndex) -> Columns | None:
    found = _AFFIX.match(part)
    if not found:
        return None
    how, piece = found.group(1).lower(), found.group(2).strip().casefold()
    test = {"start": str.startswith, "begin": str.startswith, "end": str.endswith}.get(how, str.__contains__)
    names = tuple(name for name in index.schema.names if test(name.casefold(), piece))
    return Columns(names, (taken(part, names),)) if names else Columns(unknown=(part,))


def _looked_up(part: str, index: ColumnIndex, lenient: bool) -> Columns:
    about = _ABOUT.sub("", part).strip()
    related = index.containing(about)
    if len(related) > 1 or (related and about != part):
        return Columns(related, (taken(part, related),))
    if not lenient and (begun := index.beginning(part)):
        return Columns(begun, (taken(part, begun),))
    least = 0.7 if lenient else 0.5
    found = [match for match in index.find(part) if match.how != "value" and match.score >= least]
    if not found or (lenient and len(part.split()) > 3):
        return Columns() if lenient else Columns(unknown=(part,))
    best = tuple(match.column for match in found if match.score >= found[0].score - 0.02)
    return Columns(best[:8], (taken(part, best[:8]),))
