"""A question that a script of its own answers: its state, what is shown at its gate, what is said of it at the end."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from agents.context import Context
from agents.minds.edits import MOST_LETTERS
from agents.minds.figures import Figure, unsupported
from agents.state import Decision, Pending, Question, Request, State
from tools.analysis import Answer, Table
from tools.lint import Review
from tools.markdown import plain
from tools.vault import Vault

FOLDER = "analysis"
_MONTH = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
MOST_ROWS_SHOWN = 30
NOBODY = (
    "A language model that writes scripts could answer this, and none can be asked: configure one for the role “code” "
    "(MODELWRIGHT_CODE__BASE_URL and MODELWRIGHT_CODE__MODEL, or the settings of the chat), and let the columns' names "
    "leave for it."
)


def for_a_script(request: Request, asks: bool) -> Request:
    """What no expert of ours can answer: a question for a script where a model writes one (`asks`), else the reply with
    what would make it possible."""
    if asks:
        return request.model_copy(update={"kind": "analyse"})
    return request.model_copy(update={"reply": f"{request.reply}\n\n{NOBODY}"})


def begun(state: State, request: Mapping[str, Any]) -> dict[str, Any]:
    """A new analysis; `then` is the gate at which the user was when the question came."""
    return {
        "number": state.get("analyses", 0) + 1,
        "request": dict(request),
        "then": state.get("reopen"),
        "code": None,
        "author": "model",
        "note": "",
        "who": "",
        "review": None,
        "approved": False,
        "wish": "",
        "tries": 0,
        "trouble": "",
        "stderr": "",
        "repair": False,
        "shown": None,
    }


def analysis_wish(understood: Request | Question, state: State) -> dict[str, Any] | None:
    """Words at the gate of an analysis that are about it; None: they are about something else."""
    gate, analysis, text = state.get("reopen"), state.get("analysis"), state.get("message", "").strip()
    if not gate or gate["gate"] != "analysis" or not analysis or not text or not analysis["code"]:
        return None
    if not isinstance(understood, Question) and understood.kind not in ("analyse", "unsupported"):
        return None
    return {"request": analysis["request"], "analysis": {**analysis, "wish": text}, "pending": None, "reopen": None}


def gate(blocked: bool) -> Pending:
    """The question at the gate."""
    title = "The critic objects to this script. What now?" if blocked else "May this script answer your question?"
    return Pending(gate="analysis", title=title)


def payload(state: State, context: Context, runs_in: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the card of the gate needs; the same fields as for a training script."""
    analysis = state.get("analysis") or {}
    found = Review.model_validate(context.vault.get_json(analysis["review"]))
    rows = ", without the sealed rows" if state.get("seal_hash") else ""
    return {
        "code": context.vault.get_text(analysis["code"]),
        "code_hash": analysis["code"],
        "author": analysis["author"],
        "attempt": analysis["number"],
        "note": analysis["note"],
        "diff": _difference(analysis, context.vault),
        "findings": [finding.model_dump() for finding in found.findings],
        "can_approve": not found.security_blocked,
        "effects": {
            "reads": f"inputs/table.parquet: the table{rows}",
            "writes": "outputs/ only",
            "network": "none",
        },
        "runs_in": runs_in,
    }


def _difference(analysis: Mapping[str, Any], vault: Vault) -> str:
    """Against the version that the user has seen before; "" for the first."""
    before, now = analysis.get("shown"), analysis["code"]
    if not before or before == now:
        return ""
    old, new = (vault.get_text(digest).splitlines() for digest in (before, now))
    return "\n".join(difflib.unified_diff(old, new, "shown before", "now", lineterm="", n=2))


def objection(decision: Decision, state: State, vault: Vault) -> str | None:
    """Why a decision cannot be accepted at the gate of an analysis; None when it can."""
    analysis = state.get("analysis") or {}
    if decision.action == "edit":
        if not (decision.code or "").strip():
            return "An edited script cannot be empty."
        if len(decision.code or "") > MOST_LETTERS:
            return f"The script has {len(decision.code or ''):,} characters; {MOST_LETTERS:,} are the most."
    if decision.action in ("approve", "approve_rest"):
        found = Review.model_validate(vault.get_json(analysis["review"]))
        if found.security_blocked:
            worst = next(one for one in found.findings if one.blocks and one.severity == "security")
            return f"This script cannot be approved: {worst.sentence} (line {worst.line}). Edit or reject it."
    return None


def decided(decision: Decision, state: State, vault: Vault) -> dict[str, Any] | None:
    """What the user has said at the gate, as the next state; None: it is over and nothing else waits."""
    analysis = state.get("analysis") or {}
    resumed: dict[str, Any] = {"request": analysis["request"], "pending": None, "reopen": None}
    if decision.action == "edit":
        written = {"code": vault.put_text(decision.code or ""), "author": "user", "note": "edited by you"}
        return {**resumed, "analysis": {**analysis, **written, "review": None, "shown": analysis["code"]}}
    if decision.action == "reject" and not decision.reason.strip():
        if not analysis["then"]:
            return None
        return {"analysis": None, "pending": analysis["then"], "request": state.get("goal") or analysis["request"]}
    if decision.action == "reject":
        return {**resumed, "analysis": {**analysis, "wish": decision.reason.strip()}}
    return {**resumed, "analysis": {**analysis, "approved": True}}


def supported_text(answer: Answer, names: Sequence[str], question: str) -> tuple[str, int]:
    """The sentences whose numbers are among those that were computed, and how many sentences were left out.

    Numbers of the question count as known: whoever asks about 2023 may be told of 2023.
    """
    figures = [Figure(name, value, f"{value:g}", "") for name, value in _numbers(answer, question)]
    figures += [Figure(f"{one.name} as a share", one.value / 100, f"{one.value:g}", "") for one in figures]
    words = sorted((word for word in _texts(answer.table) if _is_a_name(word)), key=len, reverse=True)
    lines, gone = list[str](), 0
    for line in answer.text.splitlines():
        kept = list[str]()
        for sentence in _sentences(line):
            if unsupported(_without(sentence, words), figures, names):
                gone += 1
            else:
                kept.append(sentence)
        lines.append(" ".join(kept))
    return "\n\n".join(line for line in lines if line.strip()), gone


def _numbers(answer: Answer, question: str) -> list[tuple[str, float]]:
    found = list(answer.numbers.items())
    for row in answer.table.rows if answer.table else ():
        found += [("cell", float(cell)) for cell in row if isinstance(cell, int | float) and not isinstance(cell, bool)]
    words = (word.strip(".,;:!?()%") for word in question.split())
    return found + [("question", float(word)) for word in words if word.isascii() and word.isdigit() and len(word) < 16]


def _texts(table: Table | None) -> tuple[str, ...]:
    """Words of the table may hold digits ("ward 7"), and so may its names of columns."""
    if table is None:
        return ()
    return (*table.columns, *(cell for row in table.rows for cell in row if isinstance(cell, str)))


def _is_a_name(word: str) -> bool:
    """A word of the table with a digit in it ("ward 7", "2024-05") is no number that was computed."""
    return any(letter.isdigit() for letter in word) and (
        any(letter.isalpha() for letter in word) or bool(_MONTH.fullmatch(word))
    )


def _without(sentence: str, words: Sequence[str]) -> str:
    for word in words:
        sentence = sentence.replace(word, " ")
    return sentence


def _sentences(line: str) -> list[str]:
    """Split where a sentence ends and another begins; a full stop in a number ends nothing."""
    found, start = list[str](), 0
    for at, letter in enumerate(line):
        if letter in ".!?" and line[at + 1 : at + 2] == " " and line[at + 2 : at + 3].isupper():
            found.append(line[start : at + 1].strip())
            start = at + 1
    return [*found, line[start:].strip()] if line[start:].strip() else found


@dataclass(frozen=True)
class Source:
    """What an answer rests on."""

    who: str
    """Who wrote the script."""
    rows: int
    left_out: int
    """Sealed rows that it did not see."""


def in_markdown(answer: Answer, text: str, gone: int, source: Source, link: str = "") -> str:
    """The answer for the chat and for answer.md; `link` leads to the script, "" for none."""
    parts = ["\n\n".join(plain(part) for part in text.split("\n\n") if part.strip())]
    if not text.strip():
        parts = ["The script computed the table below." if answer.table else "The script computed these numbers."]
    if answer.table is not None and answer.table.rows:
        parts.append(_table(answer.table))
    elif not text.strip():
        parts.append("\n".join(f"- {plain(name)}: {value:,.6g}" for name, value in list(answer.numbers.items())[:30]))
    if gone:
        what = "One sentence was" if gone == 1 else f"{gone} sentences were"
        parts.append(f"*{what} left out: a number in it is none that the script computed.*")
    sealed = f" The {source.left_out:,} sealed rows are not among them." if source.left_out else ""
    by = f"Computed from {source.rows:,} rows by a script that {plain(source.who)} wrote, in the sandbox.{sealed}"
    parts.append(f"*{by}*" + (f" [The script]({link})" if link else ""))
    return "\n\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    lines = ["| " + " | ".join(_cell(name) for name in table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows[:MOST_ROWS_SHOWN]]
    more = len(table.rows) - MOST_ROWS_SHOWN
    return "\n".join(lines) + (f"\n\n*{more:,} more rows are in answer.json.*" if more > 0 else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,.6g}" if isinstance(value, float) else str(value)
    return plain(text[:200])


def artifact_link(project: str, name: str) -> str:
    """Where a file of an analysis can be had; it belongs to no attempt."""
    return f"/api/projects/{project}/artifacts/0/{quote(name)}"
