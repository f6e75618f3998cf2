"""The measure that a sentence asks for: "optimise recall", "by F1", "do not miss any case"."""

import re

from agents.language.wish import Wish, without
from agents.language.words import ATOM

_I = re.IGNORECASE
_METRIC_LEAD = (
    r"(?:\b(?:and\s+)?(?:optimi[sz](?:e|ing)|maximi[sz](?:e|ing)|minimi[sz](?:e|ing)|improv(?:e|ing)|(?:i|"
    r"we)\s+(?:only\s+|mostly\s+|really\s+)?(?:care|want)(?:\s+(?:most(?:ly)?|mainly|more|only))?"
    r"(?:\s+about)?|focus(?:ing|sed)?(?:\s+on)?|judg(?:e|ed|ing)(?:\s+it)?|evaluat(?:e|ed|ing)(?:\s+it)?|"
    r"measur(?:e|ed|ing)(?:\s+it)?|scor(?:e|ed|ing)(?:\s+it)?|report|use|using|in\s+terms\s+of|"
    r"according\s+to|"
    r"by|with|on|for|of|as|to|get|the|a|an|best|high(?:est)?|good|max(?:imum)?|low(?:est)?|small(?:est)?|"
    r"min(?:imum)?|metrics?|measure|most|is|has|possible|important|matters|tune)\b[\s:=]*)*"
)
_METRICS: tuple[tuple[str, str], ...] = (
    (
        "average_precision",
        (
            r"(?:pr|precision[\s-]recall)[\s_-]?(?:auc|curve)|au(?:c[\s_-]?)?prc?|average[\s_]precision|"
            r"auc[\s_-]pr"
        ),
    ),
    (
        "roc_auc",
        (
            r"(?:roc[\s_-]*auc|auc[\s_-]*roc|auroc|auc|roc(?:\s+curve)?|area\s+under\s+the\s+(?:roc\s+)?curve|"
            r"c[\s-]statistic|gini)(?:\s+score)?"
        ),
    ),
    ("log_loss", r"log(?:arithmic)?[\s_-]?loss|cross[\s-]?entropy|log[\s-]likelihood"),
    ("balanced_accuracy", r"balanced[\s_]accuracy|macro[\s-]recall"),
    ("accuracy", r"(?:classification\s+|overall\s+)?accuracy|error\s+rate|share\s+of\s+right\s+answers"),
    ("f1", r"(?:macro[\s-]|weighted[\s-])?f[\s_-]?1(?:[\s_-]?(?:score|measure))?|f[\s-](?:score|measure)"),
    (
        "precision",
        (
            r"precision(?:\s+score)?|positive\s+predictive\s+value|(?:few(?:est|er)?|avoid(?:ing)?|no|less|"
            r"minimal|reduce)\s+false\s+(?:positives?|alarms?)|false\s+(?:positives?|alarms?)"
        ),
    ),
    (
        "recall",
        r"recall(?:\s+score)?|sensitivity|true\s+positive\s+rate|hit\s+rate|(?:few(?:est|er)?|avoid(?:ing)?|"
        r"no|less|minimal|reduce)\s+false\s+negatives?|false\s+negatives?|"
        r"(?:do\s+not|never)\s+miss(?:\s+(?:a|any)(?:\s+\w+)?)?|catch(?:ing)?\s+as\s+many(?:\s+\w+){0,"
        r"3}?\s+as\s+possible|catch(?:ing)?\s+(?:all|every)(?:\s+\w+)?",
    ),
    ("brier", r"brier(?:[\s_-](?:score|loss))?|(?:well[\s-])?calibrated\s+probabilities|calibration"),
    ("median_absolute_error", r"median[\s_](?:absolute[\s_])?error|medae"),
    ("mape", r"mape|mean[\s_]absolute[\s_]percent(?:age)?[\s_]error|percent(?:age)?\s+error|relative\s+error"),
    ("mae", r"mae|mean[\s_]absolute[\s_](?:error|deviation)|absolute\s+error|l1(?:\s+(?:loss|error))?"),
    (
        "rmse",
        (
            r"r\.?m\.?s\.?e\.?|root[\s_]mean[\s_]squared?[\s_]error|mse|mean[\s_]squared?[\s_]error|"
            r"squared?\s+error|l2(?:\s+(?:loss|error))?"
        ),
    ),
    (
        "r2",
        (
            r"r[\s_-]?2(?:[\s_-]score)?|r\s?\^\s?2|r²|r[\s_-]?squared?|explained\s+variance|"
            r"coefficient\s+of\s+determination"
        ),
    ),
)
_METRIC_PATTERNS = tuple(
    (
        name,
        re.compile(
            (
                rf"{_METRIC_LEAD}\b(?:{body})(?![\w{ATOM[1:-1]}])(?:\s+(?:as\s+)?(?:the\s+)?metric|\s+please|"
                rf"\s+instead)?"
            ),
            _I,
        ),
    )
    for name, body in _METRICS
)
_EXACT_MEAN = {
    "mse": (
        "The squared error (MSE) ranks models as its root (RMSE) does, so I report RMSE, in the unit of the target."
    ),
    "gini": "The Gini coefficient is twice the ROC-AUC minus one, so I report ROC-AUC.",
    "error rate": "The error rate is one minus the accuracy, so I report accuracy.",
}
_IMPLIED = {
    "false": "You want few {said}, so I judge by {name}.",
    "miss": "You do not want to miss any, so I judge by recall.",
    "catch": "You want to catch as many as possible, so I judge by recall.",
    "calibr": "You want probabilities that can be trusted, so I judge by the Brier score.",
}


def metric(text: str) -> Wish[str]:
    """A measure by one of its usual names, as tools/metrics.py calls it."""
    hits = [
        (found, name) for name, pattern in _METRIC_PATTERNS if (found := pattern.search(text)) and found.group().strip()
    ]
    if not hits:
        return Wish(None, text)
    hits.sort(key=lambda hit: (hit[0].end() - len(hit[0].group().split()[-1]), -len(hit[0].group())))
    found, name = hits[0]
    rest = without(text, found)
    said = _metric_assumptions(found.group().lower(), name)
    others = [other for _, other in hits[1:] if other != name and metric(rest).value == other]
    if others:
        second = metric(rest)
        said = (*said, f"One measure has to decide, so I take the first that you named: {name}.")
        rest = second.rest
    return Wish(name, rest, said)


def _metric_assumptions(said: str, name: str) -> tuple[str, ...]:
    for word, sentence in _EXACT_MEAN.items():
        if re.search(rf"\b{word}\b", said) or (
            word == "mse" and name == "rmse" and re.search(r"\bmean\s+squared", said) and "root" not in said
        ):
            return (sentence,)
    for word, sentence in _IMPLIED.items():
        if word in said and "rate" not in said:
            kind = "false alarms" if name == "precision" else "false negatives"
            return (sentence.format(said=kind, name=name),)
    return ()
