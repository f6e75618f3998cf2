"""The code generator's second mind: changes a training script by the user's words, by findings, or after a failure.

What it gives is held against the script before (its edits must fit, the parameters of the plan must stay, the model
must be saved) and read by the critic; a script that does not hold is sent back once with what is wrong, and then
nothing of it is used. Values of cells that stand in a script are stand-ins outside (agents/llm/veil.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import Shown
from agents.llm.traces import masked
from agents.llm.veil import Veil
from agents.minds.asking import Asker, in_line
from agents.minds.edits import Edit, EditError, applied, objection
from prompts.render import render
from tools.contract import Contract
from tools.lint import Finding, check

MOST_WISH = 4000
MOST_FINDINGS = 10


class Changed(BaseModel):
    """A change of the script."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one sentence, what is changed and why")
    about: Literal["script", "plan", "neither"] = Field(description="what the wish is about")
    edits: list[Edit] = Field(description="search and replace, in order; empty when script is given")
    script: str = Field(description="the whole new script where edits would not do; otherwise empty")


@dataclass(frozen=True)
class Task:
    """A script and what is wanted of it."""

    script: str
    contract: Contract
    columns: Shown
    seconds: float
    """That a run may take."""
    values: tuple[str, ...] = ()
    """Values of cells that may stand in the script."""
    wish: str = ""
    """The user's own words."""
    findings: tuple[Finding, ...] = ()
    """What blocks the script."""
    stderr: str = ""
    """Of a run that failed."""
    ended: str = ""
    """How that run ended, in our own words."""


@dataclass(frozen=True)
class Rewritten:
    """A script that holds, or why there is none."""

    code: str = ""
    who: str = ""
    reason: str = ""
    about: Literal["script", "plan", "neither"] = "script"
    trouble: str = ""
    """One sentence; "" when there is a script, or when the wish is not about it."""


async def rewrite(task: Task, asker: Asker) -> Rewritten:
    """The changed script; never raises for what a model says."""
    veil = Veil.over(task.values, [column.name for column in task.contract.columns] + [task.contract.target])
    hidden = veil.hide(task.script)
    heard = await asker.decide(
        "code",
        _asked(task, hidden, veil),
        Changed,
        check=lambda said: problem_with(said, task, hidden, veil),
        about=task.columns,
    )
    if heard.value is None:
        return Rewritten(trouble=heard.trouble)
    said = heard.value
    code = made_of(said, hidden, veil) if said.about == "script" else ""
    return Rewritten(code, heard.who, in_line(veil.show(said.reason)), said.about)


def _asked(task: Task, hidden: str, veil: Veil) -> Sequence[HumanMessage | SystemMessage]:
    contract = task.contract
    rules = render(
        "code_generator",
        seconds=f"{task.seconds:.0f}",
        target=repr(contract.target),
        task=contract.task,
        metric=contract.metric,
        columns=task.columns.text,
    )
    return [
        SystemMessage(rules),
        HumanMessage(render("script_wish", script=hidden, problem=_problem(task, hidden, veil))),
    ]


def _problem(task: Task, hidden: str, veil: Veil) -> str:
    """What is wanted, what blocks, and how the last run ended."""
    said = []
    if task.findings:
        lines = [f"- line {one.line}: {veil.hide_in_words(one.sentence)}" for one in task.findings[:MOST_FINDINGS]]
        said.append("\n".join(["It is blocked by its review. Repair this and nothing else:", *lines]))
    if task.ended:
        names = [column.name for column in task.contract.columns]
        trace = masked(task.stderr, hidden, names).text
        ended = veil.hide_in_words(_plainly(task.ended, trace))
        said.append("\n".join(part for part in ("It was run and did not come to its end. Repair it.", ended) if part))
    if task.wish:
        said.append(f"The user says:\n\n{task.wish[:MOST_WISH]}")
    return "\n\n".join(said) or "Read it and repair what is wrong with it."


def _plainly(ended: str, trace: str) -> str:
    """The masked trace where there is one; the sandbox's own sentence may quote the last line of stderr."""
    return trace or (ended if "Error" not in ended else "The script ended with an error.")


def made_of(said: Changed, hidden: str, veil: Veil) -> str:
    """The script that an answer means, values put back; raises EditError."""
    if said.script.strip():
        return veil.show(said.script.strip("\n") + "\n")
    if not said.edits:
        raise EditError("edits: give at least one edit, or the whole script in script")
    return veil.show(applied(hidden, said.edits))


def problem_with(said: Changed, task: Task, hidden: str, veil: Veil) -> str:
    """Why an answer cannot be used, "" when it can. Takes about a second: the critic reads."""
    if not said.reason.strip():
        return "reason: say in one sentence what is changed and why"
    if said.about != "script":
        return "" if task.wish else "about: nobody has asked for another plan; repair the script"
    try:
        code = made_of(said, hidden, veil)
    except EditError as error:
        return str(error)
    if unknown := veil.unknown("\n".join([said.script, *(edit.replace for edit in said.edits)])):
        return f"{unknown} stands for nothing; use only stand-ins that the script holds"
    if problem := objection(task.script, code):
        return veil.hide_in_words(problem)
    contract = task.contract
    found = check(code, target=contract.target, features=contract.features, classes=contract.classes)
    blocking = [finding for finding in found if finding.blocks]
    return "\n".join(f"line {one.line}: {veil.hide_in_words(one.sentence)}" for one in blocking[:MOST_FINDINGS])
