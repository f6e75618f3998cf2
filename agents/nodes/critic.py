"""Node: check a script before it may be approved; judge a result after it was scored."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context
from agents.critic import review, verdict
from agents.events import CodeChecked, Decided, Reviewed
from agents.nodes.data_scientist import contract_of
from agents.scribe import Scribe
from agents.state import Failure, Pending, State
from tools.audit import Probe
from tools.lint import Review
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
    code = context.vault.get_text(state["code_hash"] or "")
    found = await asyncio.to_thread(review, code, contract_of(state, context), context.vault)
    findings = tuple(finding.model_dump() for finding in found.findings)
    await scribe.say(CodeChecked(state["attempt"], found.code_hash, findings, found.blocked))
    return {"review_hash": context.vault.put_json(found.model_dump(mode="json"))}


async def _submit(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    found = Review.model_validate(context.vault.get_json(state["review_hash"] or ""))
    tries = state.get("tries", 0)
    if found.blocked and state["code_author"] != "user" and tries + 1 < MAX_TRIES:
        trouble = next(finding.sentence for finding in found.findings if finding.blocks)
        return {"tries": tries + 1, "code_hash": None, "trouble": trouble}
    asks = state.get("policy", {}).get("code", True)
    unreadable = any(finding.blocks and finding.source == "syntax" for finding in found.findings)
    if (found.security_blocked or unreadable) and not asks:
        return {"failure": _refused(found)}
    if asks:
        return code_gate(state, found, "The critic objects to this script. What now?" if found.blocked else "")
    blocking = [finding.sentence for finding in found.findings if finding.blocks]
    reason = f"approved in advance, although the critic objects: {blocking[0]}" if blocking else ""
    await scribe.say(Decided("", "code", "approve", "policy", reason))
    return {"code_approved": True}


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
    await scribe.say(Reviewed(state["attempt"], score.verdict, text))
    await scribe.status("COMPLETED", score.verdict)
    return {"review_text": text}
