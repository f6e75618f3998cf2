"""Node: profile the table, draft the contract, seal the hold-out once the contract is approved."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context
from agents.data_scientist import merge, propose, revise
from agents.events import Decided, ModelCandidates, PreprocessPlan, ProfileSummary, TargetDistributionReady
from agents.minds.asking import asker
from agents.minds.data_scientist import advised
from agents.nodes.parser import new_attempt
from agents.planning.advice import carried
from agents.planning.blueprints import OFF, attached, choose, with_defaults
from agents.planning.costs import read_costs
from agents.planning.models import kept, save_wanted, with_model
from agents.planning.split import read_split
from agents.scribe import Scribe
from agents.search.wanted import with_search
from agents.state import Pending, Request, State
from tools.blueprints.shelf import shelf
from tools.charts import target_distribution
from tools.contract import Contract
from tools.ingest import Dataset
from tools.profile import Profile, profile
from tools.seal import seal


async def data_scientist(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: the profile, the contract, or the seal, whichever is missing."""
    context = runtime.context
    if not state.get("profile_hash"):
        return await _profile(state, Scribe(context, config, "data_scientist", "PROFILE_DATA"), context)
    scribe = Scribe(context, config, "data_scientist", "PREPROCESS")
    if not state.get("contract_hash"):
        return await _draft(state, scribe, context)
    if not state.get("contract_approved"):
        return await _submit(state, scribe)
    return await _seal(state, scribe, context)


def dataset_of(state: State, context: Context) -> Dataset:
    """The table of this project."""
    return Dataset.from_json(context.vault.get_json(state["dataset_hash"] or ""))


def contract_of(state: State, context: Context) -> Contract:
    """The contract in force."""
    return Contract.model_validate(context.vault.get_json(state["contract_hash"] or ""))


def profile_of(state: State, context: Context) -> Profile:
    """The profile of this project's table."""
    return Profile.model_validate(context.vault.get_json(state["profile_hash"] or ""))


async def _profile(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS")
    found = await asyncio.to_thread(profile, dataset_of(state, context))
    digest = context.vault.put_json(found.model_dump(mode="json"))
    await scribe.say(
        ProfileSummary(digest, found.rows, len(found.columns), found.quality, tuple(str(w) for w in found.warnings))
    )
    await scribe.status("COMPLETED", f"quality {found.quality:.0f} of 100")
    return {"profile_hash": digest}


async def _draft(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS")
    found = profile_of(state, context)
    contract = await asyncio.to_thread(_plan, state, found, context)
    contract = await _second_mind(contract, state, found, scribe, context)
    digest = context.vault.put_json(contract.model_dump(mode="json"))
    await _show(contract, digest, found, scribe, context)
    return {**new_attempt(state), "contract_hash": digest, "attempt": state.get("attempt", 0) + 1, "changes": None}


async def _second_mind(contract: Contract, state: State, found: Profile, scribe: Scribe, context: Context) -> Contract:
    """A fresh plan is read by a model, where there is one; a follow-up keeps what was advised then."""
    base = state.get("base")
    if not context.models.has("reasoning"):
        return contract
    if base and Request.model_validate(base["goal"]).target == contract.target:
        return contract
    request = Request.model_validate(state["request"])
    asks = bool(state.get("policy", {}).get("contract", True))
    reading = await advised(contract, request, found, asker(state, context, scribe), asks_user=asks)
    if reading.said:
        await scribe.status("IN_PROGRESS", reading.said)
    return reading.contract


def _plan(state: State, found: Profile, context: Context) -> Contract:
    """A fresh contract, or for a follow-up the earlier one with what was said changed."""
    request, base = Request.model_validate(state["request"]), state.get("base")
    earlier, previous = None, None
    if base and (changes := state.get("changes")):
        return merge(Contract.model_validate(context.vault.get_json(base["contract_hash"])), changes, found)
    if base:
        earlier = Contract.model_validate(context.vault.get_json(base["contract_hash"]))
        previous = Request.model_validate(base["goal"])
        if earlier.blueprint is None and request.blueprint is None and earlier.target == request.target:
            request = request.model_copy(update={"blueprint": OFF})  # it was switched off at the gate, or never fitted
    matched, said = choose(request, found, shelf(context.blueprints))
    if previous is None or request.blueprint != previous.blueprint:
        request = with_defaults(request, matched, found)
    if said:
        request = request.model_copy(update={"assumptions": (*request.assumptions, *said)})
    if earlier is not None:
        contract = revise(earlier, request, found, previous=previous)
    else:
        budget = state.get("budget_seconds") or context.budget_seconds
        contract = propose(request, found, budget_seconds=budget, seed=state.get("seed", context.seed))
    if state.get("drop") and earlier is None:
        contract = merge(contract, {"exclude": state["drop"]}, found)
    if state.get("split") and earlier is None:
        contract = merge(contract, {"split": read_split(state["split"])}, found)
    if (kept := state.get("sample_rows")) is not None:
        contract = merge(contract, {"sample_rows": kept}, found)
    beside = {name: state.get(name) for name in ("profile", "weight_column")}
    if earlier is None and any(beside.values()):
        contract = merge(contract, {name: value for name, value in beside.items() if value}, found)
    costs = request.costs if previous is None or request.costs != previous.costs else None
    if costs := costs or (state.get("costs") if earlier is None else None):
        contract = contract.model_copy(update={"costs": read_costs(costs, contract)})
    contract = attached(contract, matched, request, found, dataset_of(state, context).path, earlier)
    contract = _with_model(contract, request, previous, earlier, state, found, context)
    contract = contract if earlier is None else carried(earlier, contract, request)
    return with_search(contract, state, context, earlier)


def _with_model(
    contract: Contract,
    request: Request,
    previous: Request | None,
    earlier: Contract | None,
    state: State,
    found: Profile,
    context: Context,
) -> Contract:
    """A model that was chosen by hand: the earlier one, what the sentence says, then what was said beside it."""
    compared = previous is not None and request.candidates != previous.candidates  # "without boosting" is about ours
    contract = kept(None if compared or earlier is None else earlier.model, contract, found)
    orders = [request.model] if previous is None or request.model != previous.model else []
    for order in [*orders, None if earlier else state.get("model")]:
        if order:
            said = request.metric is not None
            contract = with_model(contract, order, found, context.templates, metric_said=said)
            save_wanted(contract, order, context.templates)
    return contract


async def _show(contract: Contract, digest: str, found: Profile, scribe: Scribe, context: Context) -> None:
    chart = await asyncio.to_thread(target_distribution, found.column(contract.target), contract)
    await scribe.say(
        TargetDistributionReady(contract.target, context.vault.put_json(chart.spec)),
        PreprocessPlan(contract.model_dump(mode="json"), digest),
        ModelCandidates(contract.kinds_of_model, contract.metric),
    )


async def _submit(state: State, scribe: Scribe) -> dict[str, Any]:
    if state.get("policy", {}).get("contract", True):
        return {"pending": Pending(gate="contract", title="Is this the right plan?")}
    await scribe.say(Decided("", "contract", "approve", "policy"))
    return {"contract_approved": True}


async def _seal(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    contract = contract_of(state, context)
    into = context.folder / "seals" / (state["contract_hash"] or "")[:16]
    sealed = await asyncio.to_thread(seal, dataset_of(state, context), contract, into)
    await scribe.status(
        "COMPLETED", f"{sealed.rows_holdout:,} rows sealed, {sealed.rows_train:,} to train on ({sealed.rule} split)"
    )
    await scribe.status("COMPLETED", ", ".join(contract.kinds_of_model).replace("_", " "), stage="MODEL_SELECT")
    return {"seal_hash": context.vault.put_json(sealed.to_json())}
