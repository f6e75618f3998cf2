"""Node: read the table of this turn, then understand the sentence."""

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context
from agents.events import Asked, DatasetSampleReady, PromptParsed
from agents.minds.parser import in_doubt, understand
from agents.nodes.predicting import rows_along, rows_in_words
from agents.parser import parse, schema_of, summary
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
    await scribe.status("IN_PROGRESS", f"reading {source.name}")
    dataset = await asyncio.to_thread(ingest, source, context.folder / "data")
    if (asked := rows_along(state, context, dataset)) is not None:
        await scribe.status("COMPLETED", f"{dataset.name}: {dataset.rows:,} rows to predict")
        return asked
    head = await asyncio.to_thread(dataset.head, PREVIEW_ROWS)
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
    return {**_forget_the_old_table(), "dataset_hash": context.vault.put_json(dataset.to_json())}


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
    if (asked := await rows_in_words(state, context)) is not None:
        await scribe.status("COMPLETED", "predict")
        return asked
    text = state.get("message", "").strip()
    goal = state.get("goal")
    earlier = Request.model_validate(goal) if goal else None
    dataset = Dataset.from_json(context.vault.get_json(state["dataset_hash"] or ""))
    profile = Profile.model_validate(context.vault.get_json(state["profile_hash"] or ""))
    schema = schema_of(profile, dataset)
    if not text:
        understood: Request | Question = Request(kind="profile", text="")
    else:
        understood = await asyncio.to_thread(parse, text, schema, earlier)
        understood = await _second_mind(text, schema, understood, scribe, context)
        understood = settled(understood, profile, await asyncio.to_thread(shelf, context.blueprints))
    if isinstance(understood, Question):
        await scribe.say(Asked(understood.text, understood.choices))
        return {
            "question": understood.model_dump(),
            "reopen": None,
            "pending": Pending(gate="question", title=understood.text),
        }
    await scribe.say(PromptParsed(understood.model_dump(), summary(understood, schema)))
    await scribe.status("COMPLETED", understood.kind)
    return accept(understood, state)


async def _second_mind(
    text: str, schema: Schema, understood: Request | Question, scribe: Scribe, context: Context
) -> Request | Question:
    """Where the expert is in doubt and a model is configured, it is asked."""
    if not context.models.has("reasoning") or not in_doubt(understood):
        return understood
    found, expert = await understand(text, schema, understood, context.models, context.spending, scribe.called)
    if expert:
        await scribe.status("IN_PROGRESS", expert)
    return found


def accept(request: Request, state: State) -> dict[str, Any]:
    """A request that asks for a model starts a new attempt; any other leaves the attempt alone."""
    update: dict[str, Any] = {"request": request.model_dump(), "pending": None}
    if request.kind not in MODELLING:
        return update
    update = {**update, "question": None, "reopen": None}
    planned = state.get("contract_hash") or (state.get("base") or {}).get("contract_hash")
    base = {"contract_hash": planned, "goal": state.get("goal")} if request.kind == "revise" and planned else None
    return {**update, "goal": request.model_dump(), "base": base, **new_attempt(state), "contract_hash": None}


def new_attempt(state: State) -> dict[str, Any]:
    """What a changed contract makes void."""
    void = (
        "seal_hash",
        "code_hash",
        "review_hash",
        "run_hash",
        "score_hash",
        "audit_hash",
        "review_text",
        "report_hash",
    )
    return {"contract_approved": False, "code_approved": False, "tries": 0, **dict.fromkeys(void)}
