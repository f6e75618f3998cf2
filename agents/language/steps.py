"""Several requests in one message: "clean it, then predict churn". Splits only what is plain; in doubt it is one."""

import re

from agents.language.columns import ColumnIndex, index_of
from agents.language.explaining import explanation
from agents.language.intents import intent_of
from agents.language.marking import Marked, mark
from agents.language.words import ATOM, normalise
from agents.parser import parse
from agents.plan import StepKind
from agents.predicting import rows_asked
from agents.state import Request
from tools.schema import Schema

_I = re.IGNORECASE
Piece = tuple[str, StepKind]

MOST_PIECES = 40
"""More is no list of requests; reading each of them takes time."""
_THEN = re.compile(
    r"\s*[,;.!]?\s*(?:\b(?:and|but)\s+)?\b(?:then|after\s+that|afterwards|thereafter|finally|lastly|at\s+the\s+end|"
    r"next(?=\s*,)|as\s+(?:a|the)\s+(?:second|third|last|next)\s+step)\b(?:\s+(?:please|also))*\s*[,:]?\s*",
    _I,
)
_NUMBERED = re.compile(r"(?:^|(?<=[\s:]))(?:step\s+)?(\d{1,2})[.):]\s+", _I)
_BULLET = re.compile(r"^\s*[-*•–]\s+", re.MULTILINE)
_WITHIN = re.compile(r"\s*(?:[,;.!]\s+(?:and\s+)?|\s+and\s+(?:also\s+)?)\s*", _I)
_OPENING = re.compile(
    r"^(?:(?:ok(?:ay)?|please|now|also|and|so|well|first(?:ly)?|first\s+of\s+all|to\s+begin\s+with|secondly|thirdly|"
    r"(?:can|could|would|will)\s+you|i\s+(?:want|would\s+like)\s+(?:you\s+)?to|i'?d\s+like\s+(?:you\s+)?to|you\s+should|"
    r"let\s+us|let's)\b[\s,:]*)+",
    _I,
)
_IT = (
    r"(?:it|this|that|them|everything|(?:all\s+(?:of\s+)?)?(?:the|this|my|our)?\s*(?:raw\s+)?"
    r"(?:data(?:\s*set)?|table|file|columns?|values?|csv))"
)
_PREPARE = re.compile(
    rf"^(?:(?:clean|tidy)(?:\s+up)?|prepare|pre-?process|fix|repair|sanitise|sanitize)\s+{_IT}(?:\s+up)?"
    r"(?:\s+(?:first|properly|well|for\s+(?:me|modelling|modeling|training|the\s+model)))*$"
    rf"|^(?:fill|impute|handle|treat)\s+(?:in\s+)?(?:the\s+|all\s+)?(?:missing(?:\s+values?)?|gaps)(?:\s+in\s+{_IT})?$"
    rf"|^(?:data\s+)?(?:cleaning|preparation|preprocessing)$",
    _I,
)
_ANALYSE = re.compile(
    r"^(?:compare|plot|draw|chart|graph|visuali[sz]e|count|correlate|compute|calculate|cluster|segment|rank|average|"
    r"list|group|tabulate|aggregate|break\s+down|test\s+(?:if|whether)|find\s+(?:outliers|groups|segments|anomalies)|"
    r"show\s+(?:me\s+)?(?:a|an|the)\s+(?:chart|plot|histogram|distribution|correlation|average|mean)|"
    r"tell\s+me\s+(?:how\s+many|the\s+(?:average|mean|median|sum|total|number|share)))\b\s*\S",
    _I,
)
_PREDICT = re.compile(
    r"^(?:predict|classify|estimate|regress|(?:train|fit|build|make|learn)\s+(?:me\s+)?(?:a|an|the|another)\s+(?:\S+\s+)?"
    r"(?:model|classifier|regressor))\b\s*\S",
    _I,
)
_CHANGE = re.compile(
    r"^(?:(?:try|run|do|train|repeat)\b(?:\s+(?:it|that|this))?(?:\s+(?:again|once\s+more))?\s+(?:again|without|with|by|only)"
    r"|(?:try\s+)?without\b|optimi[sz]e\b|give\s+it\b|(?:drop|remove|leave\s+out|exclude)\s+\S)",
    _I,
)
_BARE = re.compile(rf"(?:the\s+)?{ATOM}", _I)
_SHARED_VERB = re.compile(rf"^(predict|classify|estimate)\s+(?:the\s+)?{ATOM}$", _I)
_MARKS = " \t\r\n,;.!:"

SOUNDS_LIKE_SEVERAL = re.compile(
    r"\b(?:then|after\s+that|afterwards|finally|first(?:ly)?|secondly|dann|danach|anschließend|anschliessend|zuerst|zuletzt|"
    r"puis|ensuite|enfin|d'abord|luego|después|despues|primero|finalmente|poi|dopo|infine|prima|depois|primeiro|potem|"
    r"następnie|daarna|vervolgens|затем|потом|сначала|наконец|ardından|sonra)\b|然后|接着|最后|その後|それから|次に|그다음|그리고\s*나서",
    _I,
)
"""Words of several languages that put one request after another."""


def steps_in(text: str, schema: Schema) -> tuple[Piece, ...]:
    """The requests of a message and what kind each is, at least two; () when it is one, or nobody can be sure."""
    index = index_of(schema)
    marked = mark(normalise(text), index)
    bullets = len(_BULLET.findall(text))
    for pieces in (_numbered(marked.text), _with_bullets(marked.text, bullets), _in_sequence(marked.text)):
        if 1 < len(pieces) <= MOST_PIECES:
            found = _recognised(_with_verbs(pieces), marked, schema, index)
            if len(found) > 1:
                return tuple(found)
    return ()


def sounds_like_several(text: str) -> bool:
    """Whether somebody who knows more languages should look whether these are several requests."""
    plain = normalise(text)
    return bool(SOUNDS_LIKE_SEVERAL.search(plain)) or len(_numbers(plain)) > 1 or len(_BULLET.findall(text)) > 1


def kind_of(text: str, schema: Schema, after: Request | None = None) -> StepKind | None:
    """What a piece of a message asks for when it stands alone; None when it cannot stand alone for sure.

    `after`: the request for the model that comes before it.
    """
    plain = _OPENING.sub("", normalise(text).strip(_MARKS)).strip(_MARKS)
    index = index_of(schema)
    if _PREPARE.match(plain):
        return "prepare"
    if after is not None and rows_asked(plain) is not None:
        return "predict"
    if after is not None and explanation(plain, schema, index, after.target) is not None:
        return "explain"
    match intent_of(plain):
        case "profile":
            return "profile"
        case "why" if after is not None:
            return "why"
        case None:
            return _work(plain, schema, index, after)
        case _:
            return None


def _work(plain: str, schema: Schema, index: ColumnIndex, after: Request | None) -> StepKind | None:
    if _PREDICT.match(mark(plain, index).text):
        found = parse(plain, schema)
        return "model" if not isinstance(found, Request) or found.kind == "model" else None
    if after is not None and _CHANGE.match(plain):
        found = parse(plain, schema, after)
        return "revise" if isinstance(found, Request) and found.kind == "revise" else None
    return "analyse" if _ANALYSE.match(plain) else None


def _numbered(text: str) -> list[str]:
    """The items of a numbered list, on lines or within one; [] when it is none."""
    numbers = _numbers(text)
    if len(numbers) < 2:
        return []
    ends = [*(hit.start() for hit in numbers[1:]), len(text)]
    items = [text[hit.end() : end] for hit, end in zip(numbers, ends, strict=True)]
    return _after_intro(text[: numbers[0].start()], items)


def _with_bullets(text: str, bullets: int) -> list[str]:
    """The last lines, as many as had a bullet before they were made plain; [] without such a list."""
    lines = [line for line in text.splitlines() if line.strip()]
    if bullets < 2 or bullets > len(lines):
        return []
    return _after_intro(" ".join(lines[:-bullets]), lines[-bullets:])


def _numbers(text: str) -> list[re.Match[str]]:
    """The signs "1.", "2." … of a list that counts from one."""
    found = list(_NUMBERED.finditer(text))
    return found if [int(hit.group(1)) for hit in found] == list(range(1, len(found) + 1)) else []


def _after_intro(intro: str, items: list[str]) -> list[str]:
    """What stands before a list must be nothing but its announcement."""
    said = intro.strip()
    return items if not said or (said.endswith(":") and not re.search(ATOM, said)) else []


def _in_sequence(text: str) -> list[str]:
    return [piece for piece in _THEN.split(text) if piece.strip(_MARKS)]


def _with_verbs(pieces: list[str]) -> list[str]:
    """ "predict a, then b": the second is to be predicted as well."""
    found = list[str]()
    for piece in pieces:
        shared = _SHARED_VERB.match(found[-1].strip(_MARKS)) if found else None
        bare = shared and _BARE.fullmatch(piece.strip(_MARKS))
        found.append(f"{shared.group(1)} {piece.strip(_MARKS)}" if shared and bare else piece)
    return found


def _recognised(pieces: list[str], marked: Marked, schema: Schema, index: ColumnIndex) -> list[Piece]:
    """Every piece with its kind, those that are themselves several taken apart; [] when one cannot be recognised."""
    found, model = list[Piece](), None
    for piece in pieces:
        parts = [part for part in _WITHIN.split(piece) if part.strip(_MARKS)]
        taken = _each(parts, marked, schema, model) if len(parts) > 1 else []
        taken = taken or _each([piece], marked, schema, model)
        if not taken:
            return []
        found += taken
        for text, kind in taken:
            model = _model(text, schema) if kind == "model" else model
    return found


def _each(parts: list[str], marked: Marked, schema: Schema, model: Request | None) -> list[Piece]:
    found = list[Piece]()
    for part in parts:
        text = _OPENING.sub("", marked.spoken(part).strip(_MARKS)).strip(_MARKS)
        kind = kind_of(text, schema, model) if text else None
        if kind is None:
            return []
        found.append((text, kind))
        model = _model(text, schema) if kind == "model" else model
    return found


def _model(text: str, schema: Schema) -> Request | None:
    """What is asked for, as far as the words alone say it: enough to know what a later piece changes."""
    found = parse(text, schema)
    request = found if isinstance(found, Request) else found.so_far
    return (
        request if request.target else request.model_copy(update={"target": schema.names[0] if schema.names else None})
    )
