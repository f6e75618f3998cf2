"""The critic's second mind: reads a script that is not our recipe, and each result once. It can add remarks, no more.

A remark on a script has to quote the line that it is about, a remark on a result has to name a figure that the model
was shown and may say no number that is none; the others are left out. Nothing that the expert found is taken back.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import Shown
from agents.llm.endpoint import Role
from agents.llm.veil import Veil
from agents.minds.asking import Asker, in_line
from agents.minds.figures import Figure, unsupported
from prompts.render import render
from tools.contract import Contract
from tools.lint import Finding

MOST_LETTERS = 24_000
"""Of a script that is read; of a longer one the rest goes unread, which is said."""
MOST_REMARKS = 6
AROUND = 4
"""Lines shown before and after a change."""
MUCH_ALIKE = 0.5
"""Share of equal lines from which on only the changes of a script are read."""
MOST_COMPARED = 3000
"""Lines; a longer script is no recipe that was changed."""


class CodeRemark(BaseModel):
    """One remark on one line of the script."""

    model_config = ConfigDict(extra="ignore")

    line: int = Field(description="the number in front of the line")
    quote: str = Field(description="the line itself or a part of it, letter by letter, without its number")
    reason: str = Field(description="in one or two sentences, what happens on this line and why it misleads")
    kind: Literal["leak", "wrong metric", "cheating", "mistake"]
    blocks: bool = Field(description="true only when the model or its score could not be trusted with this line")


class CodeRead(BaseModel):
    """What is wrong with a script; an empty list when nothing is."""

    model_config = ConfigDict(extra="ignore")

    remarks: list[CodeRemark] = Field(description="at most 6, the gravest first")


class ResultRemark(BaseModel):
    """One remark on one figure or chart."""

    model_config = ConfigDict(extra="ignore")

    figure: str = Field(description="its name, exactly as in the list")
    reason: str = Field(description="in one or two sentences, what it could make a reader believe that is not so")
    kind: Literal["leak", "wrong metric", "misleading chart", "weak evidence"]


class ResultRead(BaseModel):
    """What a reader of the result should be warned of; an empty list when nothing."""

    model_config = ConfigDict(extra="ignore")

    remarks: list[ResultRemark] = Field(description="at most 4, the gravest first")


@dataclass(frozen=True)
class Reading:
    """Findings on a script, and in one sentence what was not read or left out; "" when there is nothing to say."""

    findings: tuple[Finding, ...] = ()
    said: str = ""


async def read_code(
    code: str, recipe: str, contract: Contract, values: Sequence[str], columns: Shown, ask: Asker
) -> Reading:
    """Remarks of a model on a script. `recipe`: what we would have written; only changes are read where they are alike.

    `values`: those of cells that may stand in the script; they are stand-ins outside.
    """
    veil = Veil.over(values, [contract.target, *(column.name for column in contract.columns)])
    lines = veil.hide(code).splitlines()
    text, cut = _numbered(lines, _places(lines, veil.hide(recipe).splitlines()))
    prompt = render(
        "critic_code",
        target=json.dumps(contract.target, ensure_ascii=False),
        task=contract.task,
        metric=contract.metric,
    )
    asked = [SystemMessage(prompt), HumanMessage(text)]
    role: Role = "reasoning" if ask.models.has("reasoning") else "code"
    heard = await ask.decide(role, asked, CodeRead, about=columns)
    if heard.value is None:
        return Reading(said=f"{heard.trouble} Only the built-in critic has read the script.")
    return found_in(heard.value, lines, veil, by=heard.who, cut=cut)


def found_in(said: CodeRead, lines: Sequence[str], veil: Veil, *, by: str, cut: bool = False) -> Reading:
    """The remarks that point at a line that is there."""
    findings = []
    for remark in said.remarks[:MOST_REMARKS]:
        line = _line_of(remark, lines)
        if line is not None and remark.reason.strip():
            findings.append(_finding(remark, line, veil, by))
    lost = len(said.remarks[:MOST_REMARKS]) - len(findings)
    parts = [f"{by} has read the first part of the script only; it is long."] if cut else []
    if lost:
        what = "A remark" if lost == 1 else f"{lost} remarks"
        parts.append(f"{what} of {by} pointed at no line of the script and {'was' if lost == 1 else 'were'} left out.")
    return Reading(tuple(findings), " ".join(parts))


def _finding(remark: CodeRemark, line: int, veil: Veil, by: str) -> Finding:
    words = veil.show(f"# {in_line(remark.reason, 300)}")[2:]  # in a comment stand-ins are put back
    return Finding(
        rule=f"model:{remark.kind.replace(' ', '-')}",
        source="model",
        severity="error" if remark.blocks else "warning",
        line=line,
        sentence=f"{words} (says {by}).",
        blocks=remark.blocks,
    )


def _line_of(remark: CodeRemark, lines: Sequence[str]) -> int | None:
    """The line that is quoted: the one that was named, or the only one that says so."""
    quote = _bare(remark.quote)
    if len(quote) < 3:
        return None
    there = [number for number, line in enumerate(lines, start=1) if quote in _bare(line)]
    return remark.line if remark.line in there else there[0] if len(there) == 1 else None


def _bare(text: str) -> str:
    return "".join(text.split())


def _places(lines: Sequence[str], recipe: Sequence[str]) -> list[int]:
    """Which lines are to be read, from 0: all, or those around the changes."""
    every = list(range(len(lines)))
    if not lines or len(lines) > MOST_COMPARED:
        return every
    matcher = difflib.SequenceMatcher(None, recipe, lines, autojunk=False)
    if matcher.ratio() < MUCH_ALIKE:
        return every
    wanted: set[int] = set()
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag != "equal":
            wanted.update(range(max(0, start - AROUND), min(len(lines), end + AROUND)))
    return sorted(wanted)


def _numbered(lines: Sequence[str], places: Sequence[int]) -> tuple[str, bool]:
    """The lines with their numbers, and whether some had to stay unread."""
    text, before = list[str](), -1
    letters = 0
    for place in places:
        row = f"{place + 1}: {lines[place]}"
        letters += len(row) + 1
        if letters > MOST_LETTERS:
            return "\n".join(text), True
        text += ["…"] if place != before + 1 else []
        text.append(row)
        before = place
    return "\n".join(text), False


# ---- the result


@dataclass(frozen=True)
class ResultReading:
    """Remarks on a result, each {figure, kind, sentence, by}, and what was left out in one sentence."""

    remarks: tuple[Mapping[str, Any], ...] = ()
    said: str = ""


async def read_result(
    figures: Sequence[Figure],
    charts: Mapping[str, str],
    comparison: str,
    contract: Contract,
    ask: Asker,
    probes: Sequence[tuple[str, bool | None]] = (),
) -> ResultReading:
    """Remarks of a model on a result. `charts`: name -> title; `probes`: of the audit, each with whether it passed."""
    listed = [json.dumps({one.name: one.text, "is": one.about}, ensure_ascii=False) for one in figures]
    listed += [json.dumps({f"chart_{name}": title}, ensure_ascii=False) for name, title in charts.items()]
    listed += [json.dumps({"audit": probe, "passed": passed}, ensure_ascii=False) for probe, passed in probes]
    prompt = render(
        "critic_result",
        figures="\n".join(listed),
        target=json.dumps(contract.target, ensure_ascii=False),
        task=contract.task,
        metric=contract.metric,
        split=contract.split.rule,
        comparison=comparison,
    )
    columns = [contract.target, *(column.name for column in contract.columns)]
    about = Shown("", columns=1 + sum(one.name.startswith("importance_") for one in figures))
    heard = await ask.decide("reasoning", [SystemMessage(prompt)], ResultRead, about=about)
    if heard.value is None:
        return ResultReading(said=f"{heard.trouble} The verdict is the built-in critic's alone.")
    known = {one.name for one in figures} | {f"chart_{name}" for name in charts}
    return remarks_in(heard.value, figures, known, columns, by=heard.who)


def remarks_in(
    said: ResultRead, figures: Sequence[Figure], known: set[str], columns: Sequence[str], *, by: str
) -> ResultReading:
    """The remarks that name a figure or chart that is there and say no number that the run did not produce."""
    kept = [
        {"figure": one.figure, "kind": one.kind, "sentence": f"{in_line(one.reason, 300)}.", "by": by}
        for one in said.remarks[:MOST_REMARKS]
        if one.figure in known and one.reason.strip() and not unsupported(one.reason, figures, columns)
    ]
    lost = len(said.remarks[:MOST_REMARKS]) - len(kept)
    if not lost:
        return ResultReading(tuple(kept))
    what = "A remark" if lost == 1 else f"{lost} remarks"
    verb = "was" if lost == 1 else "were"
    return ResultReading(
        tuple(kept), f"{what} of {by} named a figure that this result does not have and {verb} left out."
    )
