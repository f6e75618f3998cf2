"""The reporter's second mind: says a result in a few sentences. The expert's text stands; these words come beside it.

A model gets the figures of the report under names and never a value of a cell: classes are places that are filled in
here. Each sentence is held against the run: one with a number that the run did not produce (agents/minds/figures.py),
a place that there is not, an address, or the claim that a model is better when it is not, is left out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import Shown
from agents.minds.asking import Asker, in_line, printable
from agents.minds.figures import MOST_COLUMNS, Figure, figures_of, unsupported
from prompts.render import render

MOST_SENTENCES, MOST_LETTERS = 8, 400
MOST_CLASSES = 12
_PLACE = re.compile(r"\{\{?\s*(\w+)\s*\}?\}")
_GLUED = re.compile(
    r"[\w.,+\u2212-]\{\{?\s*\w+\s*\}?\}|\{\{?\s*\w+\s*\}?\}\s*(?:%|per\s?cent\b|percent)|\{\{?\s*\w+\s*\}?\}(?:[\w]|[.,]\d)",
    re.IGNORECASE,
)
"""A figure with something at its side that would make another number of it."""
_ADDRESS = re.compile(r"https?:|www\.|@|\w\.(?:com|net|org|io|ru|cn|info|xyz)\b|<|\]\(", re.IGNORECASE)
_BETTER = re.compile(
    r"\b(?:better|beats?|beating|beaten|outperform\w*|exceed\w*|superior|surpass\w*|improv\w*|ahead of|higher than)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:not|no|never|cannot|neither|nor|hardly|without|n't)\b", re.IGNORECASE)

Comparison = Literal["better", "tie", "worse", "guess"]


class Words(BaseModel):
    """The result in words."""

    model_config = ConfigDict(extra="ignore")

    comparison: Comparison = Field(description="copied from the facts: how the model stands against the baseline")
    sentences: list[str] = Field(description="3 to 6 plain sentences, each with one thought")


@dataclass(frozen=True)
class Told:
    """What stands of a model's words about a result."""

    sentences: tuple[str, ...] = ()
    by: str = ""
    left_out: tuple[Mapping[str, Any], ...] = ()
    """Each {sentence, why}."""
    said: str = ""
    """What was left out, or why there are no words, in one sentence; "" when there is nothing to say."""

    def to_json(self) -> dict[str, Any] | None:
        """For report.json; None when nothing was said."""
        if not self.sentences:
            return None
        return {"by": self.by, "sentences": list(self.sentences), "left_out": [dict(one) for one in self.left_out]}


async def in_words(report: Mapping[str, Any], ask: Asker) -> Told:
    """A model's words about a report."""
    figures = figures_of(report)
    prompt = render("reporter", facts=facts_of(report, figures))
    about = Shown("", columns=1 + min(MOST_COLUMNS, len(report.get("importance") or ())))
    asked = [SystemMessage(prompt), HumanMessage(str(report["request"])[:2000])]
    heard = await ask.decide("reasoning", asked, Words, lambda said: objection(said, report), about)
    if heard.value is None:
        return Told(said=f"{heard.trouble} The result is told in the built-in words.")
    return told(heard.value, report, figures, by=heard.who)


def facts_of(report: Mapping[str, Any], figures: Sequence[Figure]) -> str:
    """What a model is told: JSON lines; classes are places."""
    places = [name for name, _ in class_places(report).items()]
    head = {
        "target": report["target"],
        "task": report["task"],
        "comparison": report["comparison"],
        "classes": places,
        "positive_class": _positive(report),
        "split": report["split"]["rule"],
        "ended_early": bool(report.get("ended_early")),
    }
    failed = [probe["probe"] for probe in report["audit"] if probe["passed"] is False]
    lines = [{key: value for key, value in head.items() if value}, {"audit probes with an alarm": failed}]
    lines += [{one.name: one.text, "is": one.about} for one in figures]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def class_places(report: Mapping[str, Any]) -> dict[str, str]:
    """class_1 -> the label, in the order of the contract."""
    labels = list(report.get("classes") or ())[:MOST_CLASSES]
    return {f"class_{number}": str(label) for number, label in enumerate(labels, start=1)}


def _positive(report: Mapping[str, Any]) -> str:
    label = report.get("positive_class")
    return next((name for name, one in class_places(report).items() if label is not None and one == label), "")


def objection(said: Words, report: Mapping[str, Any]) -> str:
    """What contradicts the run as a whole."""
    if said.comparison != report["comparison"]:
        return f"comparison: the run says “{report['comparison']}”, not “{said.comparison}”"
    return "" if any(one.strip() for one in said.sentences) else "sentences: there are none"


def told(said: Words, report: Mapping[str, Any], figures: Sequence[Figure], *, by: str) -> Told:
    """The sentences that hold, with their places filled, and the others with the reason."""
    names = [report["target"], *(report.get("features") or ())]
    places = {one.name: one.text for one in figures} | {
        name: f"“{label}”" for name, label in class_places(report).items()
    }
    kept, lost = list[str](), list[dict[str, str]]()
    for sentence in said.sentences[:MOST_SENTENCES]:
        line = printable(sentence)
        if not line:
            continue
        why = wrong_with(line, places, figures, names, report["comparison"])
        if why:
            lost.append({"sentence": in_line(line), "why": why})
        else:
            filled = _PLACE.sub(lambda found: places[found.group(1)], line)
            kept.append(filled if filled.endswith((".", "!", "?")) else f"{filled}.")
    return Told(tuple(kept), by, tuple(lost), _left_out(lost, len(kept), by))


def wrong_with(
    line: str, places: Mapping[str, str], figures: Sequence[Figure], names: Sequence[str], comparison: str
) -> str:
    """Why a sentence cannot stand; "" when it can."""
    if len(line) > MOST_LETTERS:
        return "it is too long"
    if _ADDRESS.search(line):
        return "it holds an address or markup"
    if _GLUED.search(line):
        return "a figure in it is changed by what stands beside it"
    unknown = [found.group(1) for found in _PLACE.finditer(line) if found.group(1) not in places]
    bare = _PLACE.sub(" ", line)
    if unknown or "{" in bare or "}" in bare:
        return f"there is no figure “{unknown[0]}”" if unknown else "its places cannot be read"
    if numbers := unsupported(bare, figures, names):
        return f"the run produced no {', '.join(numbers[:3])}"
    if comparison != "better" and _BETTER.search(line) and not _DENIED.search(line):
        return "the run does not say that the model is better"
    return ""


def _left_out(lost: Sequence[Mapping[str, str]], kept: int, by: str) -> str:
    if not lost:
        return ""
    which = f"Of {len(lost) + kept} sentences of {by} {len(lost)} {'was' if len(lost) == 1 else 'were'} left out"
    return f"{which}: {'; '.join(dict.fromkeys(one['why'] for one in lost))}."
