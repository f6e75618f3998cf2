"""Node: write the training script of this attempt, change it by the user's words, or repair what was sent back."""

from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.code_generator import Script, rewrite, said_now, training_seconds, write
from agents.context import Context
from agents.events import Answered, CodeWritten
from agents.llm.egress import shown
from agents.minds.asking import Asker, asker
from agents.minds.code_generator import Rewritten, Task
from agents.minds.code_generator import rewrite as ask_to_rewrite
from agents.nodes.data_scientist import contract_of, dataset_of, profile_of
from agents.sampling import rows_to_show
from agents.scribe import Scribe
from agents.state import State
from tools.contract import Contract
from tools.lint import Review
from tools.profile import Profile
from tools.schema import schema_of
from tools.seal import Sealed

REPAIRS = 1
"""How often a model may repair its own script before the recipe takes its place."""
TO_COMPARE = "the recipe is trained beside it, and only a script that beats it on the same sealed rows takes its place"
NOT_OF_THE_SCRIPT = "That is nothing that a change of the script could do. The script is as it was."


async def code_generator(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """The user's own script when there is one, else the recipe; changed by a model where somebody asks for it."""
    context = runtime.context
    scribe = Scribe(context, config, "code_generator", "TRAIN")
    if state.get("wish"):
        return await _by_wish(state, scribe, context)
    await scribe.status("IN_PROGRESS", "writing the script")
    if state.get("tries") and state.get("code_author") == "model":
        return await _repaired(state, scribe, context)
    return await _written(_script(state, context), state, scribe, context)


async def _by_wish(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    """A change that the user asked for; the gate opens again in any case, with the new script or with the old one."""
    await scribe.status("IN_PROGRESS", "changing the script")
    task = _task(state, context, state["code_hash"] or "", wish=state.get("wish") or "")
    found = await ask_to_rewrite(task, _asker(state, context, scribe))
    done = {"wish": None, "wishes": state.get("wishes", 0) + 1}
    if found.about == "plan":
        return {**done, "request": None, "wish_declined": said_now(state)}
    if not found.code:
        said = f"{found.trouble} The script is as it was." if found.trouble else NOT_OF_THE_SCRIPT
        await scribe.say(Answered(said, "notice"))
        return {**done, "pending": state.get("reopen"), "reopen": None}
    rival = _rival(state, context)
    note = f"changed by {found.who}: {found.reason}" + (f"; {TO_COMPARE}" if rival else "")
    update = await _written(Script(found.code, "model", note), state, scribe, context)
    # a script that the user waved through in advance was another one
    return {**update, **done, "reopen": None, "tries": 0, "recipe_hash": rival, "contest": None, "failed_hash": None}


def _rival(state: State, context: Context) -> str | None:
    """The recipe that a model's script has to beat; none where the user's own script was to be used."""
    if state.get("code_author") == "model":
        return state.get("recipe_hash")
    if state.get("code_author") == "user":
        return None
    return context.vault.put_text(write(contract_of(state, context), _rows(state, context)).code)


async def _repaired(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    """The model's script after it was blocked or has failed: repaired by a model once, then the recipe takes over."""
    before = Review.model_validate(context.vault.get_json(state["review_hash"] or "")).code_hash
    trouble = state.get("trouble", "")
    if state["tries"] <= REPAIRS and context.models.has("code"):
        found = await ask_to_rewrite(_task(state, context, before), _asker(state, context, scribe))
        if found.code and found.about == "script":
            return await _written(_as_repaired(found), state, scribe, context)
        trouble = found.trouble or trouble
    recipe = write(contract_of(state, context), _rows(state, context))
    said = f"the recipe, as the model's script did not hold: {trouble}" if trouble else "the recipe again"
    update = await _written(Script(recipe.code, recipe.author, said), state, scribe, context)
    return {**update, "tries": 0, "recipe_hash": None, "failed_hash": None}


def _as_repaired(found: Rewritten) -> Script:
    return Script(found.code, "model", f"repaired by {found.who}: {found.reason}")


async def _written(script: Script, state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    digest = context.vault.put_text(script.code)
    await scribe.say(CodeWritten(state["attempt"], digest, script.author, len(script.code.splitlines()), script.note))
    return {
        "code_hash": digest,
        "code_author": script.author,
        "code_note": script.note,
        "code_approved": False,
        "review_hash": None,
    }


def _script(state: State, context: Context) -> Script:
    own = state.get("script_hash")
    if own:
        return Script(context.vault.get_text(own), "user", "the script that you brought along")
    contract, rows = contract_of(state, context), _rows(state, context)
    if not state.get("tries"):
        return write(contract, rows)
    return rewrite(contract, state["tries"], state.get("trouble", ""), rows)


def _task(state: State, context: Context, script: str, wish: str = "") -> Task:
    """What a model is told: the script, what blocks it, how its last run ended."""
    contract, profile = contract_of(state, context), profile_of(state, context)
    reviewed = state.get("review_hash")
    review = Review.model_validate(context.vault.get_json(reviewed)) if reviewed else None
    failed = context.vault.get_json(state.get("failed_hash") or "") if state.get("failed_hash") else {}
    if failed.get("code") != script:
        failed = {}
    blocking = [finding for finding in review.findings if finding.blocks] if review else []
    ended = failed.get("message", "") if failed.get("kind") != "error" else "The script ended with an error."
    return Task(
        script=context.vault.get_text(script),
        contract=contract,
        columns=shown(schema_of(profile, dataset_of(state, context)), [contract.target], rows_to_show(state, context)),
        seconds=training_seconds(contract.budget_seconds),
        values=values_of(profile, contract),
        wish=wish,
        findings=tuple(blocking) if review and review.code_hash == script else (),
        stderr=failed.get("stderr", ""),
        ended=ended,
    )


def values_of(profile: Profile, contract: Contract | None = None) -> tuple[str, ...]:
    """Values of cells that could stand in a script: classes, and what the profile has counted of words."""
    words = [one.value for column in profile.columns if column.type == "text" for one in column.top]
    classes = (*contract.classes, contract.positive_class or "") if contract else ()
    return tuple(dict.fromkeys([*classes, *words]))


def _asker(state: State, context: Context, scribe: Scribe) -> Asker:
    """Answers are kept for each wish: whoever says the same again wants it asked again."""
    one = asker(state, context, scribe)
    return replace(one, kept=one.kept / f"wish-{state.get('wishes', 0)}") if one.kept else one


def _rows(state: State, context: Context) -> int | None:
    """How many rows there are to train on, once they have been sealed."""
    digest = state.get("seal_hash")
    return Sealed.from_json(context.vault.get_json(digest)).rows_train if digest else None
