"""Questions about a finished model: why this row, what would change it, how a column influences it, what drives it."""

import re

from agents.language.columns import ColumnIndex
from agents.language.marking import mark
from agents.language.words import ATOM
from agents.state import Explain
from tools.schema import Schema

_I = re.IGNORECASE
_ROW = re.compile(
    r"\b(?:rows?|line|record|case|example|sample)\s*(?:number|no\.?|nr\.?|#)?\s*(\d[\d,]*)\b|#(\d+)\b", _I
)
_THING = (
    r"(?:row|customer|client|person|patient|passenger|user|case|record|one|prediction|order|house|item|example|line)"
)
_CHANGE = re.compile(
    r"\bwhat\s+(?:would|could|can|must|should|might|will|has\s+to|have\s+to|needs?\s+to)\s+(?:\w+\s+){0,4}?"
    r"(?:chang\w*|be\s+different|flip|turn|make)\b|\bcounterfactual\w*|\bwhat\s+(?:would|could)\s+(?:it|this|that)\s+take\b"
    r"|\bhow\s+(?:could|can|would|do)\s+(?:i|we|they|it|this|that)\b.*\b(?:chang\w+|flip|turn|avoid|different)\b"
    r"|\bwhat\s+if\b",
    _I,
)
_WHY_ROW = re.compile(
    rf"\b(?:why|how\s+come)\b.*\b(?:this|that|the|a)\s+(?:\w+\s+)?{_THING}\b.*\b(?:predict\w*|classif\w*|get|got|said|"
    rf"leav\w*|churn\w*|high|low|so)\b|\b(?:why|explain)\s+(?:for\s+)?(?:this|that|the)\s+(?:single\s+)?{_THING}\b(?!s)"
    rf"|\bwhy\b.*\b{_THING}\s+[\w-]*\d[\w-]*\b|\bwhy\s+(?:is|was|were|did)\b.*\bpredicted\s+(?:to|as)\b",
    _I,
)
_ASKS = re.compile(r"\b(?:why|explain\w*|how\s+come|reasons?|because|contribut\w+|what\s+about|shap)\b", _I)
_COLUMN = re.compile(
    r"\bhow\s+(?:does|do|did|is|much\s+does|strongly\s+does)\b.*\b(?:influenc\w*|affect\w*|impact\w*|matter\w*|driv\w*|"
    r"change\s+(?:it|the|with)|contribut\w*|relate\w*|depend\w*|effect)\b|\b(?:effect|influence|impact|role|dependence)\s+"
    r"of\b|\bpartial\s+dependence\b|\b(?:pdp|ice)\s+(?:of|for|plot)\b|\bwhat\s+(?:role|effect|influence|impact)\s+(?:does|"
    r"has|do)\b|\bhow\s+does\s+(?:it|the\s+(?:model|prediction|answer|score|chance))\s+(?:depend|change|vary)\b",
    _I,
)
_OF = re.compile(r"^.*\b(?:partial\s+)?dependence\s+of\b", _I)
"""A column of dependents is not meant by it."""
_MODEL = re.compile(
    r"^(?:please\s+)?(?:(?:can|could)\s+you\s+)?explain\s+(?:to\s+me\s+)?(?:the|this|that|your|my)\s+"
    r"(?:whole\s+|entire\s+)?model\b|\bshap(?:ley)?(?:\s+values?|\s+summary|\s+plots?)?\b|\bwhat\s+(?:does|is)\s+the\s+model"
    r"\s+(?:rel\w+|look\w*|us\w+|lean\w*|pay\w*)|\bhow\s+does\s+the\s+model\s+(?:work|decide|think)|\bwhat\s+drives\s+(?:the\s+)"
    r"(?:model|predictions?|answers?)\b",
    _I,
)
_ALLOWED = re.compile(
    r"\b(?:only|if|chang(?:e|ing)\s+only|let(?:ting)?|by\s+chang\w+|allow\w*)\b(?P<rest>.*)$",
    _I,
)
_WANTED = re.compile(
    r"\b(?:to\s+(?:get|reach|become|be|have|say)|(?:the\s+)?answer\s+(?:to|into))\s+(?:to\s+|an?\s+|the\s+)?"
    r"[\"“']?([\w.,-]+)[\"”']?",
    _I,
)
_NAMED = re.compile(r"[\"“']([^\"”']{1,80})[\"”']|\b([\w-]*\d[\w-]*)\b")


def explanation(plain: str, schema: Schema, index: ColumnIndex, target: str | None) -> Explain | None:
    """What the message asks to have explained; None when it asks for something else. Expects normalised text."""
    row = _row(plain)
    names = _columns(_OF.sub("", plain), index, target)
    if _CHANGE.search(plain) and not (row is None and _is_other(plain)):
        return Explain(about="change", row=row, who=_who(plain, row), columns=_allowed(plain, index, target),
                       wanted=_wanted(plain, schema, target))  # fmt: skip
    if row is not None and (_ASKS.search(plain) or _ROW.fullmatch(plain.strip(" .?!"))):
        return Explain(about="row", row=row)
    if _COLUMN.search(plain) and names:
        return Explain(about="column", columns=names[:1])
    if _WHY_ROW.search(plain):
        return Explain(about="row", row=row, who=_who(plain, row))
    return Explain(about="model") if _MODEL.search(plain) else None


def _is_other(plain: str) -> bool:
    """ "what if we leave out age", "what should I change in the plan": about the plan, not about a row."""
    return bool(
        re.search(
            r"\b(?:without|leave\s+out|drop|exclude|metric|split|budget|minutes?|seconds?|plan|script|column|predict\s+\w+\s+"
            r"instead|us(?:e|ed|ing)\s+\w+|add|optimi[sz]e|train\w*|improve|better)\b",
            plain,
            _I,
        )
    )


def _row(plain: str) -> int | None:
    found = _ROW.search(plain)
    if found is None:
        return None
    number = int((found[1] or found[2]).replace(",", "") or 0)
    return number if number < 10**15 else None


def _columns(plain: str, index: ColumnIndex, target: str | None) -> tuple[str, ...]:
    """The columns that are named, in order, the target left out."""
    text = mark(plain, index)
    found = [name for sign in re.findall(ATOM, text.text) for name in text.atoms[sign].columns]
    return tuple(name for name in dict.fromkeys(found) if name != target)


def _allowed(plain: str, index: ColumnIndex, target: str | None) -> tuple[str, ...]:
    found = _ALLOWED.search(plain)
    return _columns(found["rest"], index, target) if found else ()


def _wanted(plain: str, schema: Schema, target: str | None) -> str | None:
    """A class of the target, or a number; anything else is no answer that could be wanted."""
    found = _WANTED.search(plain)
    column = schema.get(target) if target else None
    if found is None or column is None:
        return None
    said = found[1].strip(".,")
    label = next((value for value in column.values if value.casefold() == said.casefold()), None)
    return label or (said if column.role == "number" and re.fullmatch(r"-?\d[\d,.]*", said) else None)


def _who(plain: str, row: int | None) -> tuple[str, ...]:
    """Words that may be the id of a row."""
    if row is not None:
        return ()
    return tuple(dict.fromkeys(quoted or bare for quoted, bare in _NAMED.findall(plain)))
