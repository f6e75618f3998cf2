"""Makes a plan of a message of several requests, and shows it before any of it is done."""

import asyncio
from typing import Any

from agents.context import Context
from agents.events import Decided, PlanMade
from agents.language.intents import intent_of
from agents.language.steps import kind_of, sounds_like_several, steps_in
from agents.language.words import normalise
from agents.minds.asking import asker
from agents.minds.supervisor import planned
from agents.plan import MOST_STEPS, Plan, StepKind, drawn_up, plan_of, rearranged
from agents.scribe import Scribe
from agents.state import Pending, State
from tools.schema import Schema

TITLE = "Shall I do these steps, in this order?"


async def drafted(
    state: State, schema: Schema, scribe: Scribe, context: Context, *, several: bool = False
) -> Plan | None:
    """The plan of this message, None where it is one request. The expert splits what is plain, a model the rest.

    `several`: somebody has seen already that these are several requests.
    """
    text, present = state.get("message", "").strip(), plan_of(state)
    reopen = state.get("reopen")
    at = reopen["gate"] if reopen else None
    if present is not None and not present.approved and at is None:
        return present  # the project went back to where it was shown
    if not text or state.get("script_hash") or (present is not None and present.approved) or at not in (None, "plan"):
        return None
    if found := await asyncio.to_thread(steps_in, text, schema):
        plain = drawn_up(found[:MOST_STEPS], "expert")
        return plain if len(found) <= MOST_STEPS else plain.model_copy(update={"reason": _too_many(len(found))})
    changes = present is not None and at == "plan" and intent_of(normalise(text)) is None
    if not context.models.has("reasoning") or not (several or changes or sounds_like_several(text)):
        return None
    steps = present.steps if present is not None and changes else ()
    plan, said = await planned(text, schema, asker(state, context, scribe), steps)
    if plan is None and said:
        await scribe.status("IN_PROGRESS", said)
    if plan is not None and changes and [step.text for step in plan.steps] == [step.text for step in steps]:
        return None
    return plan


def _too_many(requests: int) -> str:
    return f"These are {requests} requests; I do the first {MOST_STEPS}. Say the others again afterwards."


async def submitted(plan: Plan, state: State, scribe: Scribe) -> dict[str, Any]:
    """The plan at its gate, or on its way where the project does not ask."""
    await scribe.say(PlanMade(tuple(step.model_dump(mode="json") for step in plan.steps), plan.by, plan.reason))
    policy = state.get("policy", {})
    asks = policy.get("plan", policy.get("contract", True)) and len(plan.steps) > 1
    if not asks:
        plan = plan.model_copy(update={"approved": True})
        if len(plan.steps) > 1:
            await scribe.say(Decided("", "plan", "approve", "policy"))
    await scribe.status("IN_PROGRESS" if asks else "COMPLETED", f"{len(plan.steps)} steps")
    pending = Pending(gate="plan", title=TITLE) if asks else None
    return {"plan": plan.model_dump(mode="json"), "pending": pending, "reopen": None}


def changed_by_hand(plan: Plan, wanted: list[dict[str, Any]], schema: Schema) -> Plan:
    """The plan as it was edited at the gate; a text that is as it was keeps what is known of it."""
    known = {step.id: step for step in plan.steps}
    steps = list[tuple[str | None, str, StepKind]]()
    for one in wanted:
        text, name = " ".join(str(one["text"]).split()), one.get("id")
        earlier = known.get(str(name)) if name is not None else None
        same = earlier is not None and earlier.text == text
        kind = earlier.kind if earlier is not None and same else kind_of(text, schema) or "other"
        steps.append((None if name is None else str(name), text, kind))
    return rearranged(plan, steps)
