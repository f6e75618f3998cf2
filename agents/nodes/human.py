"""Node: the one place where the graph stops for a person. Nothing here has an effect before the interrupt."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents import analysing
from agents.context import Context
from agents.data_scientist import merge
from agents.events import Answered, CodeWritten, ModelCandidates, PreprocessPlan, PromptParsed
from agents.human import objection
from agents.minds.asking import asker
from agents.minds.parser import understand
from agents.nodes.data_scientist import contract_of, dataset_of, profile_of
from agents.nodes.drafting import changed_by_hand, submitted
from agents.nodes.parser import accept, new_attempt
from agents.nodes.pictures import FIELD, agreed
from agents.parser import answer, schema_of, summary
from agents.plan import plan_of
from agents.planning.models import save_wanted
from agents.scribe import Scribe
from agents.search.consent import GATES as SEARCH_GATES
from agents.search.gate import search_said
from agents.state import Decision, Pending, Question, Request, Stage, State
from agents.supervisor import MODELLING
from prompts.render import render
from tools.contract import Contract


async def human(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """Wait for a decision and turn it into the next state."""
    pending = state["pending"]
    assert pending is not None, "the supervisor sends here only what is pending"
    decision = interrupt({"gate": pending["gate"], "title": pending["title"]}, response_schema=Decision)
    context = runtime.context
    if objection(decision, state, context.vault, context.templates):
        return {}  # the conductor has refused it already; asked again
    gate = pending["gate"]
    if gate == "question" and (state.get("question") or {}).get("field") == FIELD:
        return await agreed(decision, state, Scribe(context, config, "human", "DATA_SOURCE"))
    if gate == "question":
        return await _answered(decision, state, Scribe(context, config, "human", "PARSE_INTENT"), context)
    if gate == "plan":
        return await _plan(decision, state, Scribe(context, config, "human", "PARSE_INTENT"), context)
    if gate in SEARCH_GATES:
        return {**search_said(decision, state, context.vault), **_policy(decision, state)}
    if gate == "analysis" and (then := analysing.decided(decision, state, context.vault)) is not None:
        return {**then, **_policy(decision, state)}
    if decision.action == "reject":
        stage: Stage = "PREPROCESS" if gate == "contract" else "TRAIN"
        return await _rejected(decision, state, Scribe(context, config, "human", stage))
    if gate == "contract":
        return await _contract(decision, state, Scribe(context, config, "human", "PREPROCESS"), context)
    return await _code(decision, state, Scribe(context, config, "human", "TRAIN"), context)


async def _answered(decision: Decision, state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    schema = schema_of(profile_of(state, context), dataset_of(state, context))
    question = Question.model_validate(state["question"])
    understood = answer(question, decision.answer or "", schema)
    if isinstance(understood, Question) and question.field == "target" and context.models.has("reasoning"):
        asked = asker(state, context, scribe)
        found = await understand(decision.answer or "", schema, understood, asked, answers=True)
        understood = found.outcome if isinstance(found.outcome, Request) else understood
    if isinstance(understood, Question):
        return {"question": understood.model_dump(), "pending": Pending(gate="question", title=understood.text)}
    await scribe.say(PromptParsed(understood.model_dump(), summary(understood, schema)))
    if understood.kind not in MODELLING:
        return {"request": understood.model_dump(), "pending": None, "reopen": state["pending"]}
    await scribe.status("COMPLETED", understood.kind)
    return accept(understood, state)


async def _rejected(decision: Decision, state: State, scribe: Scribe) -> dict[str, Any]:
    """A reason is read like a follow-up message, and if it asks for nothing the gate opens again; without one the turn
    ends."""
    await scribe.status("PENDING", "rejected")
    if not decision.reason.strip():
        await scribe.say(Answered(render("rejected"), "notice"))
        return {"pending": None, "outcome": "rejected"}
    return {"pending": None, "reopen": state["pending"], "message": decision.reason, "request": None}


async def _plan(decision: Decision, state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    plan = plan_of(state)
    assert plan is not None, "the gate is about a plan"
    if decision.action == "reject":
        return await _rejected(decision, state, scribe)  # the plan stays, for “go on”
    if decision.action == "edit":
        schema = schema_of(profile_of(state, context), dataset_of(state, context))
        return await submitted(changed_by_hand(plan, decision.steps or [], schema), state, scribe)
    await scribe.status("COMPLETED", f"{len(plan.steps)} steps")
    approved = plan.model_copy(update={"approved": True})
    return {"plan": approved.model_dump(mode="json"), "pending": None, **_policy(decision, state)}


async def _contract(decision: Decision, state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    if decision.action == "edit":
        changes, profile = decision.contract or {}, profile_of(state, context)
        contract = merge(contract_of(state, context), changes, profile, context.templates)
        save_wanted(contract, changes.get("model"), context.templates)
        digest = context.vault.put_json(contract.model_dump(mode="json"))
        await scribe.say(
            PreprocessPlan(contract.model_dump(mode="json"), digest),
            ModelCandidates(contract.kinds_of_model, contract.metric),
        )
        edited = {"goal": _as_edited(state, contract), "contract_hash": digest}
        return {**new_attempt(state), **edited, "contract_approved": False, "pending": None}
    return {"contract_approved": True, "pending": None, **_policy(decision, state)}


def _as_edited(state: State, contract: Contract) -> dict[str, Any] | None:
    """The goal with the target that was chosen at the gate; other edits are kept by the contract itself."""
    goal = state.get("goal")
    if not goal or goal.get("target") == contract.target:
        return goal
    return {**goal, "target": contract.target, "task": contract.task, "positive_class": contract.positive_class}


async def _code(decision: Decision, state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    if decision.action == "edit":
        code = decision.code or ""
        digest = context.vault.put_text(code)
        await scribe.say(CodeWritten(state["attempt"], digest, "user", len(code.splitlines()), "edited by you"))
        written = {"code_hash": digest, "code_author": "user", "code_note": "edited by you"}
        return {**written, "review_hash": None, "pending": None, "wish": None}
    return {"code_approved": True, "pending": None, "wish": None, **_policy(decision, state)}


def _policy(decision: Decision, state: State) -> dict[str, Any]:
    if decision.action != "approve_rest":
        return {}
    return {"policy": dict.fromkeys(state.get("policy", {}) or ("contract", "code"), False)}
