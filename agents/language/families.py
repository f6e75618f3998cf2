"""The kinds of model that a sentence asks for or rules out: "just a linear model", "no boosting"."""

import re

from agents.language.wish import Wish

_I = re.IGNORECASE
ALL_CANDIDATES = ("linear", "lightgbm", "extra_trees", "xgboost", "catboost", "neural_net")
BOOSTING = ("lightgbm", "xgboost", "catboost")
TREES = (*BOOSTING, "extra_trees")
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    (
        "linear",
        (
            r"(?:simple\s+|plain\s+)?(?:linear|logistic|ridge|lasso|elastic[\s-]?net|ols|glm)(?:\s+(?:and|"
            r"or)\s+(?:logistic|linear))?(?:\s+(?:regressions?|models?|classifiers?|one))?"
        ),
        "",
    ),
    ("lightgbm", r"light[\s_-]?gbm|lgbm|lgb", ""),
    ("xgboost", r"xgboost|xgb", ""),
    ("catboost", r"catboost", ""),
    (
        "neural_net",
        r"(?:a\s+)?(?:(?:small|simple)\s+)?neural\s+net(?:work)?s?|mlp|multi[\s-]?layer\s+perceptrons?",
        "My neural network is a small one of two layers.",
    ),
    (
        "boosting",
        (
            r"gradient[\s-]?boost(?:ing|ed)(?:\s+(?:machine|trees?|model)s?)?|boost(?:ing|"
            r"ed)(?:\s+(?:trees?|model)s?)?|gbm|gbdt|hist\s*gradient\s*boosting"
        ),
        "For boosted trees I use LightGBM, XGBoost and CatBoost.",
    ),
    ("extra_trees", r"extra[\s_-]?trees?|extremely\s+randomi[sz]ed\s+trees", ""),
    (
        "extra_trees",
        r"random[\s_-]?forests?|(?:a\s+)?forests?|decision\s+trees?|rf\s+model|bagged\s+trees",
        "For forests I use extra trees, a close relative of the random forest.",
    ),
    (
        "",
        (
            r"deep\s+(?:neural\s+net(?:work)?s?|learning)|transformers?\s+model|lstm|cnn|svm|"
            r"support\s+vector\s+machines?|k[\s-]?nn|k[\s-]nearest\s+neighbou?rs?|naive\s+bayes|"
            r"gaussian\s+process(?:es)?|tabpfn|autogluon|prophet|arima"
        ),
        "I have no {said}; I try linear models, boosted trees, extra trees and a small neural net.",
    ),
)
_FAMILY_LEAD = (
    r"(?:,?\s*\b(?:and\s+)?(?:(?:by\s+means\s+of|with|using|use|try|train|fit|via|only|just|nothing\s+but|"
    r"and|or|an?|the|me|build|make|as|by|both)\b[\s,]*)+)?"
)
_NEGATED = re.compile(r"\b(?:no|not|without|never|skip|exclud\w+|except|drop|avoid)\b[^.;]{0,12}$", _I)

_NO_TREES = re.compile(
    r"\b(?:no|without|avoid|skip|not?\s+use|do\s+not\s+(?:use|want|try)|never\s+use)\s+(?:any\s+)?"
    r"(?:tree[\s-]*(?:based\s+)?(?:models?|ensembles?|methods?)|trees)\b",
    _I,
)


def candidates(text: str) -> Wish[tuple[str, ...]]:
    """The kinds of model to try, when the user names some; negated ones are taken from all."""
    wanted: list[str] = []
    banned = list(TREES) if _NO_TREES.search(text) else []
    text = _NO_TREES.sub(" ", text)
    said: list[str] = []
    for name, body, sentence in _FAMILIES:
        pattern = re.compile(rf"{_FAMILY_LEAD}\b(?:{body})\b(?:\s+only)?", _I)
        while found := pattern.search(text):
            banned_here = bool(
                _NEGATED.search(text[: found.start()] + re.split(r"\b(?:an?|the|any)\b", found.group())[0])
            )
            (banned if banned_here else wanted).extend(BOOSTING if name == "boosting" else (name,))
            if sentence and not banned_here:
                said.append(
                    sentence.format(said=re.sub(_FAMILY_LEAD, "", found.group(), count=1, flags=_I).strip().lower())
                )
            text = (
                re.sub(
                    r"\b(?:without|no|not|never|skip|drop|avoid)\s*(?:use|using|try)?\s*$",
                    "",
                    text[: found.start()],
                    flags=_I,
                )
                + " "
                + text[found.end() :]
            )
    kept = [name for name in ALL_CANDIDATES if name in wanted and name not in banned]
    if banned and not kept:
        kept = [name for name in ALL_CANDIDATES if name not in banned]
    return Wish(tuple(kept) or None, text.strip(), tuple(dict.fromkeys(said)))
