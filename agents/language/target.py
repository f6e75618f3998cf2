"""Which column a request is about: named, meant by other words, or a target by convention."""

import re
from dataclasses import dataclass

from agents.language.clauses import Clause
from agents.language.columns import ColumnIndex, Match
from agents.language.lists import taken
from agents.language.reading import Reading
from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import ATOM, keys, quoted
from tools.schema import Schema, SchemaColumn

_I = re.IGNORECASE
STRONG = re.compile(
    (
        r"predict|classif|regress|estimat|categori|drives?|driv|influenc|affect|determin|likely|probab|"
        r"likelihood|chance|risk|odds|propensity|factors?|causes?|guess|infer|anticipat|diagnos|detect"
    ),
    _I,
)
"""Cues after which a target must stand."""
_CUT = re.compile(
    (
        r"\b(?:per|for\s+(?:each|every|all|any|the|a|an|me|us|our|my|this|new|some)|of\s+(?:each|every|all|"
        r"any|new|my|our|the|a|this)|in\s+(?:this|the|my|our|each|advance|a)|as\s+(?:well|accurate\w*|good|"
        r"precise\w*|much|best|exact\w*|soon|a\s+function)|so\s+that|because|since|when|while|until|where|"
        r"at\s+(?:the|each|all|an?|any)|please|next|tomorrow|today|now|instead|again|then|here|better|best|depending|"
        r"(?:is|are)\s+(?:it|they|this|that|these)|to\s+(?:see|know|get|find|help|be|have))\b.*$"
    ),
    _I | re.DOTALL,
)
_HINTS = {
    "much": "amount",
    "many": "count",
    "long": "duration",
    "old": "age",
    "expensive": "price",
    "good": "quality",
    "bad": "quality",
    "late": "delay",
    "high": "height",
    "tall": "height",
    "heavy": "weight",
    "fast": "speed",
    "far": "distance",
    "warm": "temperature",
    "strong": "strength",
    "big": "size",
    "large": "size",
    "severe": "severity",
}
"""What is asked for with "how …"."""
_AND = re.compile(r"(?:,|&|\band\b|\bor\b|\bversus\b|\bvs\b|/)", _I)
_SURE_MARGIN = 0.1
_LEAST = 0.5
_SHORT_NAME = 4
"""One word of so short a name is enough when no other column has it ("default": "default payment next month")."""
MOST_CHOICES = 6


@dataclass(frozen=True)
class Target:
    """The answer for one message: a column, several that fit equally well, or words that fit none."""

    column: str | None = None
    choices: tuple[str, ...] = ()
    """Equally good columns, best first."""
    several: bool = False
    """The choices were all asked for; we predict one at a time."""
    said: str = ""
    """The words that fit no column."""
    explicit: bool = False
    """A word that demands a target stood before it."""
    value: str | None = None
    """The words named a value of the column ("malignant")."""
    alternatives: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def target_of(reading: Reading, index: ColumnIndex) -> Target:
    """The target that the words name; `Target()` when they name none."""
    found = [resolved for clause in reading.targets if (resolved := _of_clause(clause, reading, index)) != Target()]
    sure = [target for target in found if target.column and target.explicit and not target.assumptions]
    decided = (
        sure
        or [target for target in found if target.column and target.explicit]
        or [target for target in found if target.column or target.choices]
    )
    if decided:
        best = decided[0]
        value = best.value or next(
            (other.value for other in found if other.column == best.column and other.value), None
        )
        return best if value == best.value else Target(**{**best.__dict__, "value": value})
    lead = _of_lead(reading, index)
    return lead if lead != Target() else found[0] if found else Target()


def _of_clause(clause: Clause, reading: Reading, index: ColumnIndex) -> Target:
    explicit = bool(STRONG.search(clause.cue))
    text = clause.text
    cut = _CUT.sub("", text)
    if re.search(ATOM, text) and not re.search(ATOM, cut):
        cut = text
    hint = next((word for asked, word in _HINTS.items() if clause.cue.startswith(f"how {asked}")), "")
    found = Target()
    if hint and hint not in ("amount", "count") and not re.search(ATOM, cut):
        found = _of_words(f"{clause.cue} {cut}", index, explicit, query=hint)
        if found.choices:
            found = _of_words(f"{clause.cue} {cut}", index, explicit, query=f"{cut} {hint}")
    if found == Target():
        found = _of_phrase(cut, reading, index, explicit)
    if found == Target() and hint:
        found = _of_words(f"{clause.cue} {cut}", index, explicit, query=f"{cut} {hint}")
    return found if found.column or found.choices or explicit else Target()


def _of_phrase(text: str, reading: Reading, index: ColumnIndex, explicit: bool) -> Target:
    signs = list(dict.fromkeys(re.findall(ATOM, text)))
    if not signs:
        return _of_words(text.strip(" .,?!\"'"), index, explicit)
    chosen = _chosen(text, signs)
    if len(chosen) > 1:
        columns = tuple(dict.fromkeys(reading.marked.atoms[sign].columns[0] for sign in chosen))
        return (
            Target(choices=columns, several=True, explicit=explicit)
            if len(columns) > 1
            else Target(columns[0], explicit=explicit)
        )
    atom = reading.marked.atoms[chosen[0]]
    if head := _head(text, chosen[0], atom.columns[0], index):
        return Target(head, explicit=explicit, assumptions=(taken(reading.marked.spoken(text), (head,)),))
    if len(atom.columns) > 1:
        return Target(choices=atom.columns, said=atom.said, explicit=explicit)
    around = re.sub(ATOM, " ", text)
    values = (
        next((match.values for match in index.find(around) if match.column == atom.columns[0]), ())
        if keys(around)
        else ()
    )
    value = values[0] if len(values) == 1 else None
    said = () if atom.sure else (taken(atom.said, atom.columns),)
    return Target(atom.columns[0], value=value, explicit=explicit, assumptions=said)


def _head(text: str, sign: str, column: str, index: ColumnIndex) -> str | None:
    """ "ticket price": where the named column is a label of each row, the noun behind it is what is asked for."""
    named, behind = index.column(column), re.match(r"\s+([^\W\d_]+)", text[text.index(sign) + 1 :])
    if named is None or named.role not in ("id", "text") or behind is None:
        return None
    found = [match for match in index.find(behind.group(1), for_target=True) if match.how in ("words", "synonym")]
    return found[0].column if found and found[0].score >= _LEAST and found[0].column != column else None


def _chosen(text: str, signs: list[str]) -> list[str]:
    """ "a and b": both; "a of b": a; "customer churn": the last; else the first."""
    if len(signs) == 1:
        return signs
    between = text[text.index(signs[0]) + 1 : text.index(signs[1])]
    if _AND.search(between) and not re.sub(_AND, "", between).strip(" the"):
        return signs
    return [signs[-1]] if not between.strip() else [signs[0]]


def _of_words(text: str, index: ColumnIndex, explicit: bool, query: str = "") -> Target:
    said = " ".join(key for key in keys(text) if key not in word_set("stop"))
    every = index.find(query or text, for_target=True) if keys(text) else []
    alone = len(every) == 1 and every[0].how == "words" and len(keys(every[0].column)) <= _SHORT_NAME
    matches = every if alone else [match for match in every if match.score >= _LEAST]
    if not matches:
        return Target(said=text.strip() if said else "", explicit=explicit) if said and explicit else Target()
    return _best(text, matches, explicit)


def _best(text: str, matches: list[Match], explicit: bool) -> Target:
    top = matches[0]
    rivals = [match for match in matches[1:] if match.score > top.score - _SURE_MARGIN]
    if rivals:
        return Target(
            choices=tuple(match.column for match in [top, *rivals])[:MOST_CHOICES], said=text, explicit=explicit
        )
    others = tuple(match.column for match in matches[1:] if match.score > top.score - 0.35)[:MOST_CHOICES]
    if top.how == "value":
        said = (
            f"{quoted(top.values)} {'is a value' if len(top.values) == 1 else 'are values'} of “{top.column}”, so "
            f"I predict that column."
        )
        return Target(
            top.column,
            value=top.values[0] if len(top.values) == 1 else None,
            explicit=explicit,
            alternatives=others,
            assumptions=(said,),
        )
    sure = keys(text) == keys(top.column)
    assumed = () if sure else (taken(text, (top.column,)),)
    return Target(top.column, explicit=explicit, alternatives=others, assumptions=assumed)


def value_target(text: str, index: ColumnIndex) -> Target:
    """The one column that a value in the text belongs to ("who pays by cash": payment)."""
    found = [match for match in index.find(text) if match.how == "value"]
    return _best(text, found, False) if len(found) == 1 else Target()


def _of_lead(reading: Reading, index: ColumnIndex) -> Target:
    """A bare column name, or a few words that mean one."""
    lead = reading.lead.strip(" .,!?\"'")
    signs = list(dict.fromkeys(re.findall(ATOM, lead)))
    content = [
        key for key in keys(re.sub(ATOM, " ", lead)) if key not in word_set("stop") and key not in word_set("filler")
    ]
    if len(signs) == 1:
        atom = reading.marked.atoms[signs[0]]
        if len(atom.columns) > 1:
            return Target(choices=atom.columns, said=atom.said)
        only = f"I take “{atom.columns[0]}” as the column to predict, because it is the only one that you name."
        said = (only,) if len(content) > 1 else () if atom.sure else (taken(atom.said, atom.columns),)
        return Target(atom.columns[0], assumptions=said)
    if signs:
        return Target(
            choices=tuple(dict.fromkeys(reading.marked.atoms[sign].columns[0] for sign in signs))[:MOST_CHOICES],
            several=True,
        )
    if content and len(content) <= 4:
        query = " ".join(key for key in keys(_CUT.sub("", lead)) if key in content)
        found = _of_words(lead, index, False, query=query or " ".join(content))
        return found if found.column or found.choices else Target(said=lead)
    return Target(said=lead)


def conventional(schema: Schema) -> tuple[str | None, str]:
    """The column that is the target by convention and why; (None, "") when there is none or several."""
    names = {column.name: keys(column.name) for column in schema.columns if column.role not in ("constant", "empty")}
    known = vocabulary()
    for kind, reason in (
        (known.generic_targets, "its name says so"),
        (known.named_targets, "that is usually what such a table is used for"),
    ):
        found = [name for name, parts in names.items() if parts in kind or _bare(parts) in kind]
        if len(found) == 1:
            return found[0], f"You named no target, so I predict “{found[0]}”: {reason}."
        if found:
            return None, ""
    last = schema.columns[-1] if schema.columns else None
    if last is not None and names.get(last.name) in known.weak_targets and last.role not in ("id", "text", "date"):
        return (
            last.name,
            (
                f"You named no target, so I predict “{last.name}”: it is the last column and usually what one wants "
                f"to know."
            ),
        )
    return None, ""


def _bare(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for part in parts if part not in ("is", "has", "was", "flag"))


def ranked(schema: Schema, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Columns that are worth offering as a target, likely ones first, at most six."""
    usable = [
        (at, column)
        for at, column in enumerate(schema.columns)
        if column.name not in without and column.role not in ("id", "constant", "empty")
    ]
    usable.sort(key=lambda pair: (-_likelihood(pair[1], pair[0] == len(schema.columns) - 1), pair[0]))
    return tuple(column.name for _, column in usable[:MOST_CHOICES])


def _likelihood(column: SchemaColumn, is_last: bool) -> float:
    parts, known = _bare(keys(column.name)), vocabulary()
    score = 4.0 if parts in known.generic_targets else 3.0 if parts in known.named_targets else 0.0
    score += 2.0 if parts in known.weak_targets else 1.0 if parts and parts[-1:] in known.weak_targets else 0.0
    score += 1.5 if is_last else 0.0
    score += {"boolean": 0.8, "category": 0.6, "number": 0.4, "date": -1.0, "text": -1.5}.get(column.role or "", 0.0)
    return score + (0.5 if column.distinct is not None and 2 <= column.distinct <= 10 else 0.0)


def names_of(columns: tuple[str, ...]) -> str:
    """For a question: “a”, “b” or “c”."""
    return quoted(columns, "or")
