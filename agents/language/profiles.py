"""How a model is wished to be: as good as possible, small and fast, or so that a person can read it."""

import re

from agents.language.wish import Wish, without

_I = re.IGNORECASE
_LEAD = (
    r"(?:,?\s*\b(?:(?:and|but|that|which|is|it|should|must|has\s+to|be|with|using|use|make|build|give|me|train|want|need|"
    r"i|a|an|the|as|please|keep|just|only|something)\b[\s,]*)+)?"
)
_MODEL = r"(?:\s+(?:models?|one|classifiers?|regressors?|regressions?|predictors?))?"
_READABLE = (
    r"explainable|interpretable|transparent|understandable|white[\s-]box|readable|self[\s-]explanatory|"
    r"(?:that\s+)?(?:people|humans?|a\s+person|one|we|i)\s+can\s+(?:read|understand|explain)"
)
_SMALL = r"small|simple|tiny|compact|light(?:weight)?|lean"
_PROFILES: tuple[tuple[str, str], ...] = (
    ("explainable", rf"(?:(?:very\s+)?(?:{_SMALL}|fast)\s*(?:,|and|but|yet)*\s*(?:and\s+)?)?(?:{_READABLE}){_MODEL}"),
    ("explainable", r"simple\s+(?:models?|one|classifiers?|predictors?)"),
    (
        "compact",
        rf"(?:{_SMALL}|fast|quick)(?:\s*(?:,|and)\s*(?:{_SMALL}|fast|quick))*\s+(?:models?|predictors?|predictions?)",
    ),
    ("compact", r"(?:compact|lightweight)(?:\s+profile)?"),
    ("best", r"(?:the\s+)?best\s+possible(?:\s+(?:models?|one|score|result))?|as\s+(?:good|accurate)\s+as\s+possible"),
    ("best", r"(?:the\s+)?(?:most\s+accurate|strongest)\s+(?:models?|one)"),
)
_NEGATED = re.compile(r"\b(?:no|not|without|never|need\s+not|n't)\b[^.;]{0,12}$", _I)


def profile(text: str) -> Wish[str]:
    """The profile of a contract that the words ask for, and the text without them."""
    for name, body in _PROFILES:
        for found in re.finditer(rf"{_LEAD}\b(?:{body})(?!\w)", text, _I):
            if not _NEGATED.search(text[: found.start()]):
                return Wish(name, without(text, found))
    return Wish(None, text)
