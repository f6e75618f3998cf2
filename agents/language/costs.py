""" "A false alarm costs 1, a missed one 20", "FP=1, FN=5": what errors cost is taken out of a sentence and kept."""

import re

_I = re.IGNORECASE
_UNIT = r"(?:[€$£]|eur|euros?|usd|dollars?|gbp|pounds?)?"
_NUMBER = rf"(?:(?:us|me)\s+)?(?:about\s+)?{_UNIT}\s*(?P<number>\d+(?:,\d{{3}})*(?:\.\d+)?)\s*{_UNIT}(?![\w%])"
_A = r"(?:(?:an?|each|every|one|the)\s+)?"
_COSTS = r"\s+(?:costs?|is|are|=|:)\s+(?:worth\s+)?"
_BRINGS = r"\s+(?:brings?|earns?|gains?|saves?|is\s+worth|are\s+worth)\s+(?:in\s+)?"
_WHO = r"(?:\s+(?!costs?\b|is\b|are\b|and\b)[\w“”\"'-]+)?"
_WAYS = {
    "FP": rf"{_A}false\s+(?:alarms?|positives?){_COSTS}{_NUMBER}",
    "FN": rf"{_A}(?:miss(?:es)?|missed{_WHO}|missing{_WHO}{_WHO}|false\s+negatives?|overlooked{_WHO}){_COSTS}{_NUMBER}",
    "TP": rf"{_A}(?:hits?|true\s+positives?|caught{_WHO}|catching{_WHO}{_WHO}){_BRINGS}{_NUMBER}",
}
_PATTERNS = {name: re.compile(rf"\b{way}", _I) for name, way in _WAYS.items()}
_SHORT = re.compile(
    r"(?:\bcosts?\s*(?::|of|are|is)?\s*)?\b(?P<name>FP|FN|TP)\s*[=:]\s*(?P<number>\d+(?:\.\d+)?)(?!\w)", _I
)
_LEFT = re.compile(r"(?:[\s,;:]|\b(?:and|but|where|when|while|if|with|given\s+that|as|since|because|costs?)\b)+$", _I)


def costs_in(text: str) -> tuple[str | None, str]:
    """(costs as agents/planning/costs.py reads them, or None; the rest of the sentence).

    A single figure says nothing about a threshold, so it is left where it is.
    """
    found: dict[str, str] = {}
    spans: list[tuple[int, int]] = []
    for match in _SHORT.finditer(text):
        found.setdefault(match["name"].upper(), match["number"])
        spans.append(match.span())
    for name, pattern in _PATTERNS.items():
        if (said := pattern.search(text)) and name not in found:
            found[name] = said["number"].replace(",", "")
            spans.append(said.span())
    if "FP" not in found or len(found) < 2:
        return None, text
    return ",".join(f"{name}={found[name]}" for name in ("FP", "FN", "TP") if name in found), _without(text, spans)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The pieces between, without the words that only led to what was taken out."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        pieces.append(text[at : max(at, start)])
        at = max(at, end)
    pieces.append(text[at:])
    kept = [_LEFT.sub("", piece).strip(" ,;:") for piece in pieces[:-1]]
    last = re.sub(r"^(?:[\s,;:.]|\band\b)+", "", pieces[-1])
    return ", ".join(piece for piece in (*kept, last.strip()) if piece.strip(" ,;:."))
