"""Node: check a script before it may be approved; judge a result after it was scored."""

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.code_generator import write
from agents.context import Context
from agents.critic import result_facts, review, verdict, with_remarks
from agents.events import CodeChecked, Decided, Reviewed
from agents.llm.egress import Shown
from agents.minds.asking import asker
from agents.minds.critic import read_code, read_result
from agents.minds.figures import figures_of
from agents.nodes.code_generator import values_of
from agents.nodes.data_scientist import contract_of, profile_of
from agents.scribe import Scribe
from agents.state import Failure, Pending, State
from tools.audit import Probe
from tools.contract import Contract
from tools.lint import Review
from tools.result_charts import titles
from tools.score import Score

MAX_TRIES = 3


async def critic(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """Before the run: findings, and on to the gate or back to the generator. After it: the verdict in words."""
    context = runtime.context
    if state.get("audit_hash"):
        return await _judge(state, Scribe(context, config, "critic", "REVIEW_EDIT"), context)
    scribe = Scribe(context, config, "critic", "TRAIN")
    if not state.get("review_hash"):
        return await _check(state, scribe, context)
    return await _submit(state, scribe, context)


async def _check(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    code, contract = context.vault.get_text(state["code_hash"] or ""), contract_of(state, context)
    found = await asyncio.to_thread(review, code, contract, context.vault)
    found = await _second_reading(found, code, contract, state, scribe, context)
    findings = tuple(finding.model_dump() for finding in found.findings)
    await scribe.say(CodeChecked(state["attempt"], found.code_hash, findings, found.blocked))
    return {"review_hash": context.vault.put_json(found.model_dump(mode="json"))}


async def _second_reading(
    found: Review, code: str, contract: Contract, state: State, scribe: Scribe, context: Context
) -> Review:
    """A model reads what is not our recipe and could run; its remarks come beside the others."""
    asks = context.models.has("reasoning") or context.models.has("code")
    if state["code_author"] == "recipe" or found.security_blocked or not asks:
        return found
    recipe = await asyncio.to_thread(lambda: write(contract).code)
    values, told = values_of(profile_of(state, context), contract), Shown("", columns=len(contract.columns) + 1)
    reading = await read_code(code, recipe, contract, values, told, asker(state, context, scribe))
    if reading.said:
        await scribe.status("IN_PROGRESS", reading.said)
    return with_remarks(found, reading.findings)


async def _submit(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    found = Review.model_validate(context.vault.get_json(state["review_hash"] or ""))
    tries = state.get("tries", 0)
    if found.blocked and state["code_author"] != "user" and tries + 1 < MAX_TRIES:
        trouble = next(finding.sentence for finding in found.findings if finding.blocks)
        return {"tries": tries + 1, "code_hash": None, "trouble": trouble}
    asks = state.get("policy", {}).get("code", True) or found.blocked_by_model
    unreadable = any(finding.blocks and finding.source == "syntax" for finding in found.findings)
    if (found.security_blocked or unreadable) and not asks:
        return {"failure": _refused(found)}
    if asks:
        return code_gate(state, found, _objection(found))
    blocking = [finding.sentence for finding in found.findings if finding.blocks]
    reason = f"approved in advance, although the critic objects: {blocking[0]}" if blocking else ""
    await scribe.say(Decided("", "code", "approve", "policy", reason))
    return {"code_approved": True}


def _objection(found: Review) -> str:
    """The gate's title; what a model objects to is said in it, since only a person can weigh that."""
    if not found.blocked:
        return ""
    remark = next((one for one in found.findings if one.blocks and one.source == "model"), None)
    if remark is None or any(one.blocks and one.source != "model" for one in found.findings):
        return "The critic objects to this script. What now?"
    return f"A language model objects to line {remark.line}: {remark.sentence} What now?"


def code_gate(state: State, found: Review, title: str = "") -> dict[str, Any]:
    """Ask for the script; the card shows what changed since the version that was shown before."""
    pending = Pending(gate="blocked" if found.blocked else "code", title=title or "May this script run?")
    shown, now = state.get("code_shown"), state.get("code_hash")
    return {"pending": pending} if shown == now else {"pending": pending, "code_shown": now, "code_shown_before": shown}


def _refused(found: Review) -> Failure:
    grave = [one for one in found.findings if one.blocks and (one.severity == "security" or one.source == "syntax")]
    return Failure(
        stage="TRAIN",
        culprit="user",
        sentence=f"The script was not run: {grave[0].sentence.rstrip('.')} (line {grave[0].line}, {grave[0].rule}).",
        advice="Change the script; this finding cannot be approved.",
    )


async def _judge(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS")
    scored = context.vault.get_json(state["score_hash"] or "")
    probes = [Probe.model_validate(item) for item in context.vault.get_json(state["audit_hash"] or "")["probes"]]
    score = Score.model_validate(scored["score"])
    text = verdict(score, probes, scored["looks"])
    remarks = await _second_verdict(score, probes, scored["looks"], state, scribe, context)
    await scribe.say(Reviewed(state["attempt"], score.verdict, text, remarks))
    await scribe.status("COMPLETED", score.verdict)
    return {"review_text": text, "remarks_hash": context.vault.put_json([dict(one) for one in remarks])}


async def _second_verdict(
    score: Score, probes: list[Probe], looks: int, state: State, scribe: Scribe, context: Context
) -> tuple[Mapping[str, Any], ...]:
    """What a model would warn of, where there is one; the expert's verdict stands beside it as it is."""
    if not context.models.has("reasoning"):
        return ()
    contract, audited = contract_of(state, context), context.vault.get_json(state["audit_hash"] or "")
    run = context.vault.get_json(state["run_hash"] or "")
    board = run["leaderboard"] if state["code_author"] == "recipe" else ()
    target = profile_of(state, context).column(contract.target)
    facts = result_facts(score, probes, looks, contract, audited["importance"], board, target)
    reading = await read_result(
        figures_of(facts),
        titles(contract),
        score.comparison,
        contract,
        asker(state, context, scribe),
        [(probe.probe, probe.passed) for probe in probes],
    )
    if reading.said:
        await scribe.status("IN_PROGRESS", reading.said)
    return reading.remarks
