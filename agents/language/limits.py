"""Wishes that are understood but not kept: each is taken out of the text and said in one sentence, never dropped."""

import re
from dataclasses import dataclass

from agents.language.columns import ColumnIndex
from agents.language.marking import Marked
from agents.language.vocabulary import word_set
from agents.language.words import ATOM, keys, quoted

_I = re.IGNORECASE
NO_FILTER = "I do not filter rows yet, so every row is used."


@dataclass(frozen=True)
class Limited:
    """The text without what was taken out, and a sentence for each."""

    text: str
    said: tuple[str, ...] = ()


_FIGURE = re.compile(
    r"\b(?:(?:with(?:in)?|at\s+(?:least|most)|reach(?:ing)?|get|over|above|below|under|up\s+to|a|an|the|of|and)\s+)*"
    r"(?P<figure>\d+(?:\.\d+)?\s*(?:%|percent)\s+(?:of\s+)?(?P<what>recall|precision|sensitivity|accuracy|f1|auc|errors?|"
    r"error\s+rate|margin|tolerance|confidence|certainty|right|correct))\b",
    _I,
)
_FIGURE_AFTER = re.compile(
    r"\b(?:with\s+)?(?P<what>recall|precision|sensitivity|accuracy|f1|auc|errors?)\s*(?:>=?|<=?|of\s+at\s+(?:least|most)|"
    r"above|over|below|under|of)\s*(?P<figure>0?\.\d+|\d+(?:\.\d+)?\s*(?:%|percent))",
    _I,
)
_MEASURES = frozenset(["recall", "precision", "sensitivity", "accuracy", "f1", "auc"])


def figures(text: str) -> Limited:
    """ "95% recall", "accuracy above 90%", "within 10% error": the measure stays, the figure is no promise."""
    for pattern in (_FIGURE, _FIGURE_AFTER):
        if found := pattern.search(text):
            what = found.group("what").lower()
            kept = f" metric {what} " if what in _MEASURES else " "
            figure = re.sub(r"\s+", " ", found.group("figure").strip())
            said = figure if what in figure.lower() else f"{what} {figure}"
            sentence = f"I do not train towards a figure such as “{said}”; the report says what is reached."
            return Limited(f"{text[: found.start()]}{kept}{text[found.end() :]}", (sentence,))
    return Limited(text)


_YEAR = r"(?:the\s+)?(?:years?\s+)?(?:19|20)\d\d(?:\s*(?:-|–|to|and)\s*(?:19|20)\d\d)?(?:\s+data)?"
_YEARS = re.compile(
    rf"(?:,\s*)?\b(?:and\s+|then\s+)*(?:(?:train|fit|learn)(?:ed|ing)?(?:\s+(?:it|a\s+model))?|test(?:ed|ing)?|validat\w+|"
    rf"evaluat\w+|judg\w+|hold(?:ing)?[\s-]?out)\s+(?:it\s+)?(?:on|with|in|from|until|till|up\s+to|before|after|since|through)?"
    rf"\s*{_YEAR}(?!\s*(?:rows|samples|records|examples|s\b|secs?\b|seconds|minutes|h\b|hours|ms\b))",
    _I,
)


def years(text: str, index: ColumnIndex) -> Limited:
    """ "train on 2011 and test on 2012": the rows are split by time, but not at exactly that year."""
    found = _YEARS.search(text)
    if not found or any(index.spelt(year) for year in re.findall(r"\d{4}", found.group())):
        return Limited(text)
    said = "I do not split at an exact year yet: the newest share of the rows is held out."
    return Limited(f"{_YEARS.sub(' ', text)}. split by time. ", (said,))


_TREATED = re.compile(
    rf"(?:,\s*)?\b(?:and\s+|but\s+|please\s+)*(?:treat|consider|handle|interpret|regard|encode)(?:ing)?\s+(?:the\s+)?"
    rf"(?:column\s+)?(?P<atom>{ATOM})\s+(?:columns?\s+)?(?:as|like)\s+(?:an?\s+)?(?P<kind>categor\w+|class(?:es)?|factor|numbers?|"
    rf"numeric(?:al)?|continuous|text|dates?|ordinal|boolean)\b(?:\s+(?:feature|column|variable|value))?",
    _I,
)


def treated(text: str, marked: Marked) -> Limited:
    """ "treat zip as a category": a feature's role is set in the contract; of the target it is a task (see wishes)."""
    found = _TREATED.search(text)
    if not found:
        return Limited(text)
    column = marked.atoms[found.group("atom")].columns[0]
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    others = [marked.atoms[sign].columns for sign in re.findall(ATOM, rest)]
    if not others or any(column in columns for columns in others):
        return Limited(text)
    role = _role(found.group("kind"))
    said = f"I do not change from a sentence how “{column}” is read; set its role to {role} in the contract."
    return Limited(rest, (said,))


def _role(said: str) -> str:
    start = said.lower()[:4]
    return {"numb": "number", "nume": "number", "cont": "number", "text": "text", "date": "date"}.get(start, "category")


_FILTER = re.compile(
    rf"\b(?:where\s+(?=[^.;!?]*(?:{ATOM}|[<>=]))|only\s+(?:for\s+)?(?:the\s+)?rows|for\s+(?:rows|those|the\s+ones)|"
    rf"filter(?:ed)?(?:\s+\w+)?)\b[^.;!?]*|{ATOM}\s*(?:[<>]=?|!=|(?:is\s+)?(?:greater|less|more|older|"
    rf"younger|higher|lower|above|below)\b)[^.;!?)]*",
    _I,
)
_ROWS = r"(?:(?!\b(?:using|use|from|with|without|based|by|but|given|in|excluding|ignoring)\b)[^.;,!?])"
_ONLY_FOR = re.compile(
    r"(?:,\s*)?\b(?:(?:but\s+)?(?:only|just|solely|exclusively)\s+(?:for|among|within)\s+(?!now\b|me\b|us\b|fun\b|this\b|rows\b)"
    rf"{_ROWS}+|for\s+(?!now\b|me\b|us\b|this\b){_ROWS}+?\s+(?:only|alone)\b|"
    rf"(?:restrict|limit)(?:ed)?(?:\s+(?:it|this|the\s+(?:data|rows)))?\s+to\s+{_ROWS}+)",
    _I,
)
_THRESHOLD = re.compile(rf"^(?P<atom>{ATOM})\s*(?:[<>]=?|(?:is\s+)?(?:greater|more|higher|above|less|lower|below))", _I)


def row_filters(text: str, marked: Marked, index: ColumnIndex) -> Limited:
    """ "only for red wines", "where age > 30", "houses near the ocean": no rows are filtered."""
    if found := _FILTER.search(text):
        rest = f"{text[: found.start()]} {text[found.end() :]}"
        if (threshold := _THRESHOLD.match(found.group())) and not _names_something(rest, index):
            said = marked.spoken(found.group()).strip()
            column = marked.atoms[threshold["atom"]].columns[0]
            sentence = f"I do not make classes of “{said}” yet, so I predict “{column}” itself."
            return Limited(f"predict {threshold['atom']}. {_without_question(rest)}", (sentence,))
        return Limited(rest, (NO_FILTER,))
    if found := _ONLY_FOR.search(text):
        rest = f"{text[: found.start()]} {text[found.end() :]}"
        if _names_something(rest, index):
            return Limited(rest, (NO_FILTER,))
    return _group_of_rows(text, index)


def _without_question(rest: str) -> str:
    return re.sub(r"^[^.;!?()]*[(]?\s*[)]?", "", rest)


def _names_something(text: str, index: ColumnIndex) -> bool:
    """A column stands in the text, or words that mean one."""
    words = " ".join(key for key in keys(text) if key not in word_set("stop"))
    return bool(re.search(ATOM, text)) or any(
        match.score >= 0.5 and match.how != "value" for match in index.find(words, for_target=True)
    )


_GROUP = re.compile(
    rf"\s(?:for|among|of(?=\s+(?:the\s+)?\w+s\b))\s+(?P<group>(?:(?!\b(?:using|with|without|from|in|by|and|but|is|are|a|an)\b|{ATOM})"
    r"[\w'-]+\s*){1,5})",
    _I,
)


def _group_of_rows(text: str, index: ColumnIndex) -> Limited:
    """ "house value for houses near the ocean": NEAR OCEAN is a value of another column than the one before it."""
    for found in _GROUP.finditer(text):
        values = [match for match in index.find(found.group("group")) if match.how == "value"]
        people = any(key in word_set("kinds_of_people") for key in keys(found.group("group")))
        if (values or people) and _names_something(text[: found.start()], index):
            kind = quoted(values[0].values[:1]) if values else f"“{found.group('group').strip()}”"
            said = f"I do not filter rows yet, so rows other than {kind} are used too."
            return Limited(f"{text[: found.start()]} {text[found.end() :]}", (said,))
    return Limited(text)


_COUNTED = re.compile(
    rf"^\s*how\s+many\s+(?:of\s+the\s+)?(?P<who>[\w'-]+(?:\s+[\w'-]+)?)\s+(?:have\s+|had\s+|were\s+|are\s+)?{ATOM}", _I
)


def counts_some_rows(text: str, index: ColumnIndex) -> bool:
    """ "how many women survived?" asks for one number of some rows; "how many passengers survived?" is about all."""
    found = _COUNTED.match(text)
    if not found:
        return False
    said = keys(found.group("who"))
    return any(key in word_set("kinds_of_people") for key in said) or any(
        match.how == "value" for match in index.find(found.group("who"))
    )


_FOR_CLASS = re.compile(
    r"\b(?:for|of|on)\s+(?:the\s+)?(?:class\s+)?(?:[\"']([^\"'\n]{1,60})[\"']|(yes|no|true|false|0|1)\b)", _I
)


_NOT_PREDICTED = re.compile(
    rf"\b(?:not|never)\s+(?:try\s+to\s+)?(?:predict|classify|estimate|regress|model|guess)(?:ing)?\s+(?:the\s+)?({ATOM})",
    _I,
)


def unwanted(text: str, marked: Marked) -> tuple[str, ...]:
    """Columns that are not to be predicted: "do not predict churn"."""
    return tuple(name for sign in _NOT_PREDICTED.findall(text) for name in marked.atoms[sign].columns)


def class_of_measure(text: str, measure: str | None) -> str:
    """ "F1 for "Yes"": the class for which the measure counts is the positive one."""
    if measure not in ("f1", "recall", "precision", "average_precision"):
        return text
    return _FOR_CLASS.sub(lambda found: f". positive class is {found.group(1) or found.group(2)}. ", text, count=1)
