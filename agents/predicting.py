"""Decides whether a message asks for predictions of rows by the last model, and says what came of it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.conformal import HIGHEST, LOWEST, USUAL
from tools.markdown import plain
from tools.predict_rows import Wishes

_I = re.IGNORECASE
_NOUN = r"(?:rows?|records?|lines?|cases?|customers?|people|data|file|table|csv|ones?|observations?|entries|samples?)"
_ROWS = (
    rf"(?:(?:these|those)\b(?:\s+{_NOUN})?|(?:this|the|(?:the\s+|my\s+)?(?:new|attached|following|uploaded))\s+{_NOUN}|"
    rf"them\s+(?:anyway|all\s+the\s+same))\b"
)
_MODEL = r"(?:the|this|that|your)\s+(?:last\s+|saved\s+)?model\s+(?:to|on|for)\b"
_ASKS = re.compile(
    rf"\b(?:predict|score)\s+(?:for\s+)?(?:all\s+)?{_ROWS}|\b(?:apply|use|run)\s+{_MODEL}|"
    rf"\bpredictions?\s+(?:for|of|on)\s+{_ROWS}|\b(?:predict|score)\s+rows?\b",
    _I,
)
_VERB = re.compile(r"\b(?:predict\w*|score|apply|estimate)\b", _I)
_ANYWAY = re.compile(r"\b(?:anyway|all\s+the\s+same|regardless|without\s+(?:them|it)|fill[\s-]missing)\b", _I)
_EARLIER = re.compile(r"\b(?:these|those|them|again|anyway)\b", _I)
_STRICT = re.compile(r"\bstrict(?:ly)?\b", _I)
_LEVEL = re.compile(r"\b(\d{2}(?:\.\d+)?)\s*(?:%|percent\b)", _I)
SHOWN_ROWS, SHOWN_COLUMNS = 5, 8


@dataclass(frozen=True)
class Asked:
    """What a message wants of the last model."""

    rows: tuple[Mapping[str, Any], ...]
    """Rows that stand in the message itself as JSON."""
    wishes: Wishes
    earlier: bool = False
    """Without rows of its own it means those that were brought before."""


def rows_asked(text: str) -> Asked | None:
    """The message as it stands asks for predictions of rows; None: it does not."""
    rows = _json_rows(text)
    asks = _ASKS.search(text) is not None or (rows and _VERB.search(text) is not None)
    return Asked(rows, wishes_of(text), _EARLIER.search(text) is not None) if asks else None


def fits_the_model(text: str, given: Sequence[str], target: str, needed: Sequence[str]) -> Asked | None:
    """A table comes along: the last model's rows, when the words say so or it has everything but the target.

    A table with the target in it and “predict churn” is a new table to learn from.
    """
    if asked := rows_asked(text):
        return asked
    lacks = target not in given and set(needed) <= set(given)
    names_another = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, _I) for name in given)
    return Asked((), wishes_of(text)) if lacks and not names_another and _VERB.search(text) else None


def wishes_of(text: str) -> Wishes:
    """ "… at 95 %, strictly, anyway": the level, whether unusual rows stop it, whether columns may be missing."""
    said = _LEVEL.search(text)
    level = float(said[1]) / 100 if said else USUAL
    fits = LOWEST <= level <= HIGHEST
    return Wishes(level if fits else USUAL, bool(_STRICT.search(text)), bool(_ANYWAY.search(text)))


def _json_rows(text: str) -> tuple[Mapping[str, Any], ...]:
    """The first JSON object or list of objects in a text."""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return ()
    try:
        found, _ = json.JSONDecoder().raw_decode(text[min(starts) :])
    except (ValueError, RecursionError):
        return ()
    rows = found if isinstance(found, list) else [found]
    return tuple(rows) if rows and all(isinstance(row, dict) and row for row in rows) else ()


def answer(
    target: str, found: Mapping[str, Any], first: Sequence[Mapping[str, Any]], link: str, notes: Sequence[str]
) -> str:
    """The predictions in Markdown: the first rows, where the file is, what has to be known."""
    rows = found["rows"]
    said = (
        f"I predicted **{plain(target)}** for {rows:,} row{'s' if rows != 1 else ''}: [{plain(found['file'])}]({link})"
    )
    parts = [said, _preview(first, found["columns_added"])]
    parts += ["\n".join(f"- {plain(note)}" for note in notes)] if notes else []
    return "\n\n".join(part for part in parts if part)


def _preview(first: Sequence[Mapping[str, Any]], added: Sequence[str]) -> str:
    if not first:
        return ""
    own = [name for name in first[0] if name not in added]
    names = [*added[:SHOWN_COLUMNS], *own[: max(0, SHOWN_COLUMNS - len(added))]]
    lines = [_line([plain(name[:40]) for name in names]), _line(["---"] * len(names))]
    lines += [_line([_cell(row[name]) for name in names]) for row in first[:SHOWN_ROWS]]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return plain(text if len(text) <= 80 else f"{text[:79]}…")
