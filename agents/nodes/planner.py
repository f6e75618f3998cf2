"""Node: works a plan of several requests off. Between two steps it says what came of one and begins the next."""

import re
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context
from agents.events import Answered, StepChanged
from agents.plan import Plan, Step, StepStatus, begun, ended, plan_of, without_hopeless
from agents.scribe import Scribe
from agents.state import State, TurnOutcome
from agents.supervisor import MODELLING
from tools.markdown import plain
from tools.report import amount, interval

SAID_NO = "you said no to it"
MOST_CHARACTERS = 300
"""Of what is said about one step."""
CAME_TO: dict[StepStatus, str] = {
    "done": "done",
    "failed": "failed",
    "skipped": "not done",
    "waiting": "not begun",
    "running": "under way",
}


async def planner(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: close the request that has ended, then begin the next one or say what came of them all."""
    context = runtime.context
    scribe = Scribe(context, config, "supervisor", "PARSE_INTENT")
    plan = plan_of(state)
    assert plan is not None, "the supervisor sends here only when there is a plan"
    if (step := plan.current) is not None:
        plan = ended(plan, *what_came(state, context))
        await _say(scribe, plan, step.id)
    plan, hopeless = without_hopeless(plan)
    for lost in hopeless:
        await _say(scribe, plan, lost.id)
    plan = begun(plan)
    if plan.current is None:
        await scribe.say(Answered(told(plan), "plan", {"steps": [step.model_dump(mode="json") for step in plan.steps]}))
        return {"plan": plan.model_dump(mode="json"), "outcome": outcome(plan)}
    await _say(scribe, plan, plan.current.id)
    return {**_afresh(plan.current), "plan": plan.model_dump(mode="json")}


def _afresh(step: Step) -> dict[str, Any]:
    """The state in which a step begins: like a turn, but the table, the models and the choices beside it stay."""
    gone = ("request", "base", "question", "pending", "reopen", "failure", "outcome", "changes", "analysis", "wish")
    return {"message": step.text, "spent": 0.0, **dict.fromkeys(gone)}


async def _say(scribe: Scribe, plan: Plan, name: str) -> None:
    step = next(one for one in plan.steps if one.id == name)
    changed = StepChanged(step.id, step.status, step.text, plan.number(step), len(plan.steps), step.note)
    await scribe.say(changed)


def what_came(state: State, context: Context) -> tuple[StepStatus, str]:
    """Of the request that has ended: how, and one sentence."""
    failure, request = state.get("failure"), state.get("request") or {}
    if failure:
        return "failed", _short(failure["sentence"])
    if state.get("outcome") == "rejected":
        return "skipped", SAID_NO
    if request.get("kind") == "unsupported":
        return "skipped", _short(_first_sentence(request.get("reply", "")))
    if request.get("kind") in MODELLING and state.get("report_hash"):
        return "done", _result(context.vault.get_json(state["report_hash"] or ""))
    return "done", ""


def outcome(plan: Plan) -> TurnOutcome:
    """Of the turn: done as soon as anything was done."""
    came = {step.status for step in plan.steps}
    if "done" in came:
        return "done"
    if "failed" in came:
        return "failed"
    return "rejected" if any(step.note == SAID_NO for step in plan.steps) else "done"


def told(plan: Plan) -> str:
    """What came of each step (Markdown)."""
    lines = [
        f"{number}. {plain(step.text)}: **{CAME_TO[step.status]}**{f', {plain(step.note)}' if step.note else ''}"
        for number, step in enumerate(plan.steps, start=1)
    ]
    return "\n".join(["What came of the steps:", "", *lines])


def _result(report: Any) -> str:
    metric = report["metric"]
    value = amount(metric["name"], metric["value"])
    verdict = str(report["verdict"]).partition(":")[0]
    return _short(f"{metric['label']} {value} (95 % interval {interval(metric)}): {verdict}")


def _first_sentence(text: str) -> str:
    """Of a reply: what cannot be done; what can stands in the answer itself."""
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"
