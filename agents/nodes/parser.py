"""Node: read the table of this turn, then understand the sentence: as one request, or as a plan of several."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.analysing import analysis_wish, for_a_script
from agents.code_generator import script_wish
from agents.context import Context
from agents.data_scientist import ContractError, problems, propose
from agents.events import Asked, DatasetSampleReady, PromptParsed
from agents.language.intents import ANALYSES, NO_ANALYSES
from agents.language.replies import suggestion
from agents.minds.asking import asker
from agents.minds.parser import in_doubt, understand
from agents.nodes.drafting import drafted, submitted
from agents.nodes.pictures import account_of, assumption_of, is_picture, read_off
from agents.nodes.predicting import rows_along, rows_in_words
from agents.parser import parse, schema_of, summary
from agents.plan import Plan, Step, plan_of
from agents.planning.blueprints import settled
from agents.scribe import Scribe
from agents.state import Pending, Question, Request, State
from agents.supervisor import MODELLING
from prompts.render import render
from tools.blueprints.shelf import shelf
from tools.ingest import Dataset, ingest
from tools.profile import Profile
from tools.samples import SAMPLES, is_sample, write_sample
from tools.schema import Schema

PREVIEW_ROWS = 20
MAX_CELL = 200


async def parser(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: a table if one was brought along, else the sentence."""
    context = runtime.context
    if state.get("files"):
        return await _read_table(state, Scribe(context, config, "parser", "DATA_SOURCE"), context)
    scribe = Scribe(context, config, "parser", "PARSE_INTENT")
    if not state.get("profile_hash"):
        return await _ask_for_a_table(state, scribe, context)
    return await _understand(state, scribe, context)


async def _read_table(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    source = Path(state["files"][-1])
    if await asyncio.to_thread(is_picture, source):
        return await read_off(state, source, scribe, context)
    await scribe.status("IN_PROGRESS", f"reading {source.name}")
    dataset = await asyncio.to_thread(ingest, source, context.folder / "data")
    if (asked := rows_along(state, context, dataset)) is not None:
        await scribe.status("COMPLETED", f"{dataset.name}: {dataset.rows:,} rows to predict")
        return asked
    head = await asyncio.to_thread(dataset.head, PREVIEW_ROWS)
    dataset = replace(dataset, account=(*account_of(state, source), *dataset.account))
    account = list(dataset.account)
    if len(state["files"]) > 1:
        account.insert(0, f"I work with one table at a time and took {source.name}.")
    await scribe.say(
        DatasetSampleReady(
            name=dataset.name,
            dataset_id=dataset.id,
            rows=dataset.rows,
            columns=tuple({"name": column.name, "type": column.type} for column in dataset.columns),
            head=tuple(tuple(_cell(value) for value in row.values()) for row in head),
            account=tuple(account),
        )
    )
    await scribe.status("COMPLETED", f"{dataset.name}: {dataset.rows:,} rows, {len(dataset.columns):,} columns")
    forgotten = {**_forget_the_old_table(), "analysis": None}
    picture = state.get("picture") if account_of(state, source) else None
    return {**forgotten, "picture": picture, "dataset_hash": context.vault.put_json(dataset.to_json())}


def _cell(value: Any) -> str:
    text = "" if value is None or value != value else str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _forget_the_old_table() -> dict[str, Any]:
    gone = (
        "profile_hash",
        "goal",
        "base",
        "contract_hash",
        "seal_hash",
        "code_hash",
        "review_hash",
        "run_hash",
        "score_hash",
        "rows_hash",
    )
    return {"files": [], **dict.fromkeys((*gone, "audit_hash", "review_text", "report_hash"))}


async def _ask_for_a_table(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    words = {word.strip(".,;:!?\"'()").lower() for word in state.get("message", "").replace("_", " ").split()}
    text = state.get("message", "").lower().replace("_", " ")
    named = [name for name in SAMPLES if is_sample(name) and (name in words or name.replace("_", " ") in text)]
    if named:
        path = await asyncio.to_thread(write_sample, named[0], context.folder / "uploads")
        return {"files": [str(path)]}
    await scribe.say(Asked(render("no_table"), tuple(SAMPLES)))
    return {"outcome": "done"}


async def _understand(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS")
    dataset = Dataset.from_json(context.vault.get_json(state["dataset_hash"] or ""))
    profile = Profile.model_validate(context.vault.get_json(state["profile_hash"] or ""))
    schema = schema_of(profile, dataset)
    if (plan := await drafted(state, schema, scribe, context)) is not None:
        return await submitted(plan, state, scribe)
    if (asked := await rows_in_words(state, context)) is not None:
        await scribe.status("COMPLETED", "predict")
        return asked
    text = state.get("message", "").strip()
    step = _step(state)
    goal = state.get("goal") if step is None or step.kind != "model" else None
    earlier = Request.model_validate(goal) if goal else None
    if not text:
        understood: Request | Question = Request(kind="profile", text="")
    elif step is not None and step.kind in ("prepare", "analyse"):
        understood = _by_kind(step, schema)
    else:
        understood = await asyncio.to_thread(parse, text, schema, earlier)
        if (wish := script_wish(understood, state, asks=context.models.has("code"))) is not None:
            return wish
        if (wish := analysis_wish(understood, state)) is not None:
            return wish
        if context.models.has("reasoning") and await asyncio.to_thread(in_doubt, understood, text, schema):
            found = await _second_mind(state, schema, profile, understood, earlier, scribe, context)
            if isinstance(found, Plan):
                return await submitted(found, state, scribe)
            understood = found
        understood = settled(understood, profile, await asyncio.to_thread(shelf, context.blueprints))
    if isinstance(understood, Question):
        await scribe.say(Asked(understood.text, understood.choices))
        return {
            "question": understood.model_dump(),
            "reopen": None,
            "pending": Pending(gate="question", title=understood.text),
        }
    if understood.kind == "unsupported" and understood.reply.startswith(ANALYSES):
        understood = for_a_script(understood, context.models.has("code"))
    if understood.kind in MODELLING and (said := assumption_of(state)):
        assumptions = tuple(dict.fromkeys([*said, *understood.assumptions]))
        understood = understood.model_copy(update={"assumptions": assumptions})
    await scribe.say(PromptParsed(understood.model_dump(), summary(understood, schema)))
    await scribe.status("COMPLETED", understood.kind)
    return accept(understood, state)


def _step(state: State) -> Step | None:
    """The step of a plan that the message is; None for a message of the user, one at a gate in its middle too."""
    plan = plan_of(state)
    step = plan.current if plan and not state.get("reopen") else None
    return step if step is not None and step.text == state.get("message") else None


def _by_kind(step: Step, schema: Schema) -> Request:
    """What a plan says already and no words of the step have to say again."""
    if step.kind == "prepare":
        return Request(kind="prepare", text=step.text)
    reply = render("unsupported", cannot=NO_ANALYSES, example=suggestion(schema))
    return Request(kind="unsupported", text=step.text, reply=reply)


async def _second_mind(
    state: State,
    schema: Schema,
    profile: Profile,
    understood: Request | Question,
    earlier: Request | None,
    scribe: Scribe,
    context: Context,
) -> Request | Question | Plan:
    """What a model makes of a message that the expert is in doubt about; the log says why where it is nothing."""

    def can_be_planned(request: Request) -> bool:
        try:
            return not problems(propose(request, profile, budget_seconds=context.budget_seconds, seed=0), profile)
        except ContractError:
            return False

    text = state.get("message", "").strip()
    asked = asker(state, context, scribe)
    found = await understand(text, schema, understood, asked, earlier, can_be_planned=can_be_planned)
    if found.several and (plan := await drafted(state, schema, scribe, context, several=True)) is not None:
        return plan
    if found.said:
        await scribe.status("IN_PROGRESS", found.said)
    return found.outcome


def accept(request: Request, state: State) -> dict[str, Any]:
    """A request that asks for a model starts a new attempt; any other leaves the attempt alone."""
    update: dict[str, Any] = {"request": request.model_dump(), "pending": None}
    if request.kind not in MODELLING:
        return update
    update = {**update, "question": None, "reopen": None}
    planned = state.get("contract_hash") or (state.get("base") or {}).get("contract_hash")
    base = {"contract_hash": planned, "goal": state.get("goal")} if request.kind == "revise" and planned else None
    update = {**update, "goal": request.model_dump(), "base": base, **new_attempt(state), "contract_hash": None}
    reopen = state.get("reopen")
    at_the_plan = reopen is not None and reopen["gate"] == "plan"
    return {**update, "plan": None} if at_the_plan else update  # said instead of the plan that was shown


def new_attempt(state: State) -> dict[str, Any]:
    """What a changed contract makes void."""
    void = (
        "seal_hash",
        "code_hash",
        "review_hash",
        "run_hash",
        "search_hash",
        "search_seconds",
        "search_allowed",
        "score_hash",
        "audit_hash",
        "review_text",
        "report_hash",
        "wish",
        "failed_hash",
        "recipe_hash",
        "contest",
    )
    return {"contract_approved": False, "code_approved": False, "tries": 0, **dict.fromkeys(void)}
