"""One kind of model that a sentence chooses by hand: "a random forest with 500 trees", "tune XGBoost with Optuna"."""

import re
from collections.abc import Mapping
from typing import Any

from agents.language.wish import Wish, without
from tools.models.catalogue import Estimator, estimators

_I = re.IGNORECASE
OFF: dict[str, Any] = {"estimator": "off"}
"""The wish for our own selection of models."""
_NAMES: tuple[tuple[str, str], ...] = (
    ("hist_gradient_boosting", r"hist(?:ogram)?[\s_-]*(?:based[\s_-]*)?gradient[\s_-]*boosting|histgb"),
    ("random_forest", r"random[\s_-]?forests?"),
    ("extra_trees", r"extra[\s_-]?trees?|extremely\s+randomi[sz]ed\s+trees"),
    (
        "decision_tree",
        r"(?:(?:very\s+)?(?:shallow|small|tiny|simple|single|plain)\s+)?decision[\s_-]?trees?|"
        r"(?<=\ba\s)(?:very\s+)?(?:shallow|small|tiny|simple|single)\s+tree"
        r"(?=\s*(?:$|[,.;!?)]|\b(?:models?|classifiers?|regress\w+|only|please|of|with|in|and|that|instead)\b))",
    ),
    ("lightgbm", r"light[\s_-]?gbm|lgbm|lgb"),
    ("xgboost", r"xg[\s_-]?boost|xgb"),
    ("catboost", r"cat[\s_-]?boost"),
    ("gradient_boosting", r"gradient[\s_-]?boosting|gbm"),
    ("elastic_net", r"elastic[\s_-]?net|lasso"),
    ("linear", r"(?:linear|logistic|ridge)\s+(?:regressions?|models?|classifiers?)|ridge"),
    ("knn", r"(?:k[\s_-]?)?nearest[\s_-]neighbou?rs?|k[\s_-]?nn"),
    ("svm", r"svms?|support[\s_-]vector[\s_-]machines?"),
    ("naive_bayes", r"na[iï]ve[\s_-]?bayes"),
    ("mlp", r"mlp|multi[\s-]?layer\s+perceptron|neural\s+net(?:work)?s?"),
)
_SHALLOW = re.compile(r"\b(?:shallow|small|tiny|simple)\s", _I)
SHALLOW = 3
"""Questions in a row that a person can still follow."""
_ALONE = frozenset({"hist_gradient_boosting", "random_forest", "decision_tree", "knn", "svm", "naive_bayes"})
"""Naming one of these is enough; the others stand in our own selection too, and need a parameter or a search."""
_LEAD = (
    r"(?:,?\s*\b(?:and\s+)?(?:(?:by\s+means\s+of|with|using|use|try|train|fit|via|only|just|nothing\s+but|an?|the|me|"
    r"build|make|as|by|tuned?|tuning|optimi[sz]ed?|simple|plain|please)\b[\s,]*)+)?"
)
_TAIL = r"(?:\s+(?:models?|classifiers?|regressors?|regressions?|estimators?|algorithms?))?(?:\s+only)?"
_NEGATED = re.compile(r"\b(?:no|not|without|never|skip|exclud\w+|except|drop|avoid|than|like|but)\b[^.;]{0,12}$", _I)
_COMPARED = re.compile(r"\b(?:compar\w+|versus|vs)\b", _I)

_SEARCHES: tuple[tuple[str, str], ...] = (
    ("optuna", r"optuna|bayesian\s+(?:search|optimi[sz]ation|tuning)"),
    ("grid", r"grid[\s-]*search(?:\s*cv)?|(?:parameter|hyper-?parameter)\s+grid"),
    ("randomised", r"random(?:i[sz]ed)?[\s-]*search(?:\s*cv)?|random(?:ised)?\s+tuning"),
)
_TUNE = re.compile(
    r"\b(?:tun(?:e|ed|ing)|optimi[sz](?:e|ed|ing)|search(?:ing)?)\s+(?:for\s+)?(?:(?:the|its|all|best|model|model's)\s+)*"
    r"(?:hyper-?\s?parameters?|parameters?)(?:\s+of\b)?|\bhyper-?\s?parameter\s+(?:tuning|search|optimi[sz]ation)\b",
    _I,
)
_TUNE_IT = re.compile(r"\btun(?:e|ed|ing)\b", _I)
_TRIALS = re.compile(
    r"(?:\b(?:with|in|using|for|and|of)\s+|,\s*|\()?\b(\d{1,6})\s+(?:trials?|candidates?|settings|combinations)\b\)?",
    _I,
)
_TEMPLATE = re.compile(
    r"(?:,?\s*\b(?:and|please|with|use|using|apply|from|by|take)\b\s*)+(?:the\s+|my\s+|a\s+)?"
    r"(?:template\s+[\"“']?(?P<after>[\w .-]{2,40}?)[\"”']?(?=[,.;!]|$)|"
    r"[\"“']?(?P<before>[\w-]+(?:\s[\w-]+){0,2}?)[\"”']?\s+template\b)",
    _I,
)
_BACK = re.compile(
    r"[,;.]?\s*\b(?:(?:use|try|compare|take|go\s+back\s+to)\s+(?:all|your\s+(?:own|usual)|the\s+usual|the\s+automatic)\s+"
    r"(?:of\s+(?:the|your)\s+)?(?:kinds\s+of\s+)?(?:models?|selection|recipe|choice)(?:\s+again|\s+instead)?|"
    r"(?:choose|pick)\s+the\s+model\s+(?:yourself|for\s+me|automatically))[\s.!]*",
    _I,
)
_BEFORE = r"(?:\s*(?:,|\(|\b(?:with|and|of|at|using|to|where|a|an|the|at\s+most)\b))*\s*"
_NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?|\.\d+)"
_PHRASES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("n_estimators", "iterations"), rf"{_NUMBER}\s+(?:trees|estimators|rounds|iterations|boosting\s+rounds)"),
    (("n_neighbors",), rf"{_NUMBER}\s+neighbou?rs"),
    (("n_neighbors",), rf"k\s*(?:=|of|is)\s*{_NUMBER}"),
    (
        ("max_depth", "depth"),
        rf"(?:max(?:imum|imal)?[\s_-]*)?depth\s*(?:=|:|of|is|at\s+most)?\s*{_NUMBER}|{_NUMBER}\s+levels(?:\s+deep)?",
    ),
    (("learning_rate", "learning_rate_init"), rf"learning[\s_-]*rate\s*(?:=|:|of|is)?\s*{_NUMBER}"),
    (("num_leaves", "max_leaf_nodes"), rf"{_NUMBER}\s+leaves"),
    (("min_samples_leaf", "min_child_samples"), rf"{_NUMBER}\s+(?:rows|samples)\s+(?:per|in\s+each|in\s+every)\s+leaf"),
    (("hidden_layer_sizes",), rf"{_NUMBER}\s+(?:neurons|hidden\s+units)"),
)
_BALANCED = re.compile(rf"{_BEFORE}\b(?:balanced\s+(?:class(?:es)?\s*)?weights?|balanced\s+classes)\b", _I)


def model(text: str) -> Wish[dict[str, Any]]:
    """An order for tools.models.reading; None where nobody speaks of one kind of model, of a search or a template.

    Two kinds, or a kind that is ruled out, are a wish for our own selection (`agents.language.families`).
    """
    if found := _BACK.search(text):
        return Wish(OFF, without(text, found))
    order: dict[str, Any] = {}
    if found := _TEMPLATE.search(text):
        order["template"] = (found["before"] or found["after"]).strip()
        text = without(text, found)
    named = [(name, found) for name, pattern in _NAMES if (found := _mention(text, pattern))]
    named = [(name, found) for name, found in named if not any(_inside(found, other) for _, other in named)]
    if len(named) > 1 or (named and (_NEGATED.search(text[: named[0][1].start()]) or _COMPARED.search(text))):
        return Wish(order or None, text)
    one = estimators()[named[0][0]] if named else None
    search, rest = _search(text, one is not None)
    parameters, rest = _parameters(rest, one) if one else ({}, rest)
    if one is not None and one.name == "decision_tree" and _SHALLOW.search(named[0][1][0]) and not search:
        parameters = {"max_depth": str(SHALLOW), **parameters}
    if one is not None and not (search or parameters or one.name in _ALONE):
        return Wish(order or None, text)
    if one is not None:
        order["estimator"] = one.name
        mention = re.compile(rf"{_LEAD}\b(?:{dict(_NAMES)[one.name]})\b{_TAIL}", _I).search(rest)
        rest = without(rest, mention) if mention else rest
        rest = re.sub(r"\b(?:tune|tuned|tuning)\b\s*", "", rest, flags=_I) if search else rest
    order |= {**search, **({"parameters": parameters} if parameters else {})}
    return Wish(order or None, rest.strip() if order else text)


def with_words(order: Mapping[str, Any] | None) -> str:
    """The wish in a summary: "with a random forest (n_estimators=500), tuned with optuna"."""
    if not order or order == OFF:
        return ""
    given = order.get("parameters") or {}
    named = f"with {estimators()[order['estimator']].title}" if "estimator" in order else ""
    named += f" ({', '.join(f'{name}={value}' for name, value in given.items())})" if given else ""
    template = f"by the template “{order['template']}”" if "template" in order else ""
    tried = f" over {order['trials']} candidates" if "trials" in order else ""
    how = {
        "optuna": "tuned with Optuna",
        "grid": "tuned by a grid search",
        "randomised": "tuned by a randomised search",
    }
    search = f"{how[order['search']]}{tried}" if "search" in order else ""
    return ", ".join(part for part in (named, template, search) if part)


def _mention(text: str, pattern: str) -> re.Match[str] | None:
    return re.search(rf"\b(?:{pattern})\b", text, _I)


def _inside(found: re.Match[str], other: re.Match[str]) -> bool:
    """ "gradient boosting" stands in "histogram gradient boosting"."""
    return found is not other and other.start() <= found.start() and found.end() <= other.end()


def _search(text: str, named: bool) -> tuple[dict[str, Any], str]:
    """How parameters are searched. "tune" alone counts beside a kind of model; "optimise recall" never does."""
    order: dict[str, Any] = {}
    for search, pattern in _SEARCHES:
        lead = r"(?:,?\s*\b(?:and|with|using|use|by|via|do|run|a|an|the|in)\b\s*)*"
        if found := re.compile(rf"{lead}\b(?:{pattern})\b(?:\s+(?:over|of)\b)?", _I).search(text):
            order["search"], text = search, without(text, found)
            break
    tune = _TUNE.search(text)
    if tune:
        text = without(text, tune)
    if not order and (tune or (named and _TUNE_IT.search(text))):
        order["search"] = "randomised"
    if order and (trials := _TRIALS.search(text)):
        order["trials"], text = int(trials[1]), without(text, trials)
    return order, text


def _parameters(text: str, one: Estimator) -> tuple[dict[str, Any], str]:
    """Values that are named in words, or as name=value."""
    order: dict[str, Any] = {}
    for name in one.parameters:
        spelt = re.escape(name).replace("_", r"[\s_]")
        direct = re.compile(rf"{_BEFORE}\b{spelt}\s*(?:=|:)\s*([\w.+-]*\w)\)?", _I)
        if found := direct.search(text):
            order[name], text = found[1], without(text, found)
    for names, pattern in _PHRASES:
        known = next((name for name in names if name in one.parameters), None)
        if known is None or known in order:
            continue
        if found := re.compile(rf"{_BEFORE}\b(?:{pattern})\b\)?", _I).search(text):
            order[known], text = next(group for group in found.groups() if group), without(text, found)
    weights = next((name for name in ("class_weight", "auto_class_weights") if name in one.parameters), None)
    if weights and (found := _BALANCED.search(text)):
        order[weights], text = one.parameters[weights].choices[0], without(text, found)
    return order, text
