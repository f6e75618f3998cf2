"""Writes the scripts of the improvement search: a language model alone, as no expert of ours knows a better recipe.

What it says is held against the script: edits that do not apply, and scripts that lose what a training script has to
have, are sent back once and then dropped. Whether a script is better is decided by nobody here.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import Shown
from agents.llm.veil import Veil
from agents.minds.asking import Asker, in_line
from agents.minds.edits import Edit, EditError, applied
from agents.minds.edits import objection as script_objection
from agents.search.journal import Journal, Node
from agents.search.telling import difference, outline
from prompts.render import render
from tools.contract import Contract
from tools.metrics import METRICS
from tools.recipes import parameters, with_budget
from tools.syntax import tree_of


class Proposal(BaseModel):
    """One script, told by what is different."""

    model_config = ConfigDict(extra="ignore")

    idea: str = Field(description="in one sentence: what is changed, and why unseen rows should gain")
    changes: int = Field(description="the number of the script that is changed")
    edits: list[Edit] = Field(description="the changes of that script; empty when a whole script is given")
    script: str = Field(default="", description="a whole new script; empty when edits are given")


class Proposals(BaseModel):
    """What to try next."""

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(description="in one or two sentences: what the results so far say about this table")
    proposals: list[Proposal] = Field(description="the scripts to try, the most promising first")


@dataclass(frozen=True)
class Draft:
    """A script that may be tried."""

    parent: int
    idea: str
    code: str
    hint: str = ""
    """The idea as the model wrote it, with stand-ins for values: for the model to read again."""


@dataclass(frozen=True)
class Asked:
    """What there is to be known for a change."""

    contract: Contract
    rows: int
    """Of training."""
    columns: Shown
    scripts: Mapping[int, str]
    """Number of a node -> its script."""
    veil: Veil
    """Over the values of cells that may stand in a script."""
    parents: Sequence[Node]
    """Whose scripts may be changed, the best first."""
    most: int
    """Scripts that are wanted."""

    def hidden(self, number: int) -> str:
        """The script as it is told."""
        return self.veil.hide(self.scripts[number])


async def propose(asked: Asked, journal: Journal, asker: Asker) -> tuple[tuple[Draft, ...], str, str]:
    """(scripts to try, who wrote them, why there are none in one sentence or "")."""
    messages = [SystemMessage(question(asked, journal)), HumanMessage("Give the changes.")]
    heard = await asker.decide("code", messages, Proposals, lambda said: objection(said, asked), asked.columns)
    if heard.value is None:
        return (), "", heard.trouble
    return drafts(heard.value, asked)[0], heard.who, ""


def question(asked: Asked, journal: Journal) -> str:
    """The prompt: names and figures, never a value of a cell."""
    contract, metric = asked.contract, METRICS[asked.contract.metric]
    numbers = [str(parent.id) for parent in asked.parents]
    return render(
        "improver",
        task=f"{json.dumps(contract.target, ensure_ascii=False)} ({contract.task})",
        target=json.dumps(contract.target, ensure_ascii=False),
        metric=metric.label,
        way="higher is better" if metric.greater_is_better else "lower is better",
        rows=f"{asked.rows:,}",
        columns=asked.columns.text,
        outline=outline(asked.hidden(0)),
        history=_history(asked, journal),
        most=str(asked.most),
        parents=f"script {numbers[0]}" if len(numbers) == 1 else f"the scripts {' and '.join(numbers)}",
    )


def _history(asked: Asked, journal: Journal) -> str:
    """What was tried, and how the scripts that are to be changed differ from the recipe."""
    lines = [json.dumps(_came_of(node), ensure_ascii=False) for node in journal.nodes if node.over]
    parts = ["So far, on rows kept aside (gain: against script 0, with its 95 % interval):\n" + "\n".join(lines)]
    for parent in asked.parents:
        if parent.id:
            changed, whole = difference(asked.hidden(0), asked.hidden(parent.id)), outline(asked.hidden(parent.id))
            if len(whole) < 2 * len(changed):
                parts.append(f"Script {parent.id}:\n\n```python\n{whole}\n```")
            else:
                parts.append(f"Script {parent.id} is script 0 with these lines changed:\n\n```diff\n{changed}\n```")
    return "\n\n".join(parts)


def _came_of(node: Node) -> dict[str, object]:
    found: dict[str, object] = {"script": node.id}
    if node.parent is not None:
        found |= {"changed": node.parent, "idea": node.hint}
    if node.value is not None:
        found |= {node.value.name: round(node.value.value, 5)}
        if node.gain is not None:
            found |= {"gain": [round(x, 5) for x in (node.gain.value, node.gain.ci_low, node.gain.ci_high)]}
        return found
    return found | {node.status: node.told}


def objection(said: Proposals, asked: Asked) -> str:
    """What is wrong with all of the proposals, "" when one can be tried."""
    if not said.proposals:
        return "proposals: there are none; give at least one change"
    usable, problem = drafts(said, asked)
    return "" if usable else problem


def drafts(said: Proposals, asked: Asked) -> tuple[tuple[Draft, ...], str]:
    """The scripts that can be tried, each once, and what is wrong with the first of the others."""
    found: dict[str, Draft] = {}
    known = set(asked.scripts.values())
    problems = []
    for number, proposal in enumerate(said.proposals[: asked.most], start=1):
        try:
            code = _script(proposal, asked)
        except EditError as error:
            problems.append(f"proposal {number}: {error}")
            continue
        if code not in known and code not in found:
            idea = in_line(asked.veil.show(proposal.idea)) or "no reason was given"
            found[code] = Draft(proposal.changes, idea, code, in_line(proposal.idea))
        else:
            problems.append(f"proposal {number}: this script was tried already")
    return tuple(found.values()), next(iter(problems), "")


def _script(proposal: Proposal, asked: Asked) -> str:
    """The whole script of a proposal, with the recipe's own seconds to work in. Raises EditError."""
    allowed = sorted({0, *(parent.id for parent in asked.parents)})
    if proposal.changes not in allowed:
        raise EditError(f"changes: {proposal.changes} is none of the scripts {', '.join(map(str, allowed))}")
    before = asked.scripts[proposal.changes]
    if proposal.script.strip() and not proposal.edits:
        code = _with_parameters(asked.veil.show(proposal.script), asked.scripts[0])
    else:
        code = asked.veil.show(applied(asked.hidden(proposal.changes), proposal.edits))
    if unknown := asked.veil.unknown(code):
        raise EditError(f"{unknown} stands for nothing; use only stand-ins that are shown")
    if problem := script_objection(before, code):
        raise EditError(problem)
    return with_budget(code, parameters(asked.scripts[0])["TIME_BUDGET"])


def _with_parameters(script: str, recipe: str) -> str:
    """A whole new script with the recipe's parameters below its imports. Raises EditError."""
    script = script.strip("\n")
    try:
        body = tree_of(script).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EditError(f"script: it is no Python: {error}") from error
    at = 0
    for node in body:
        if not (isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node)):
            break
        at = node.end_lineno or at
    lines = script.split("\n")  # as the parser counts them
    values = [f"{name} = {value!r}" for name, value in parameters(recipe).items()]
    return "\n".join([*lines[:at], "", *values, *lines[at:]]) + "\n"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
