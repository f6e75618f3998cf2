"""Node: write the training script of this attempt, or a simpler one after it was sent back."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.code_generator import Script, rewrite, write
from agents.context import Context
from agents.events import CodeWritten
from agents.nodes.data_scientist import contract_of
from agents.scribe import Scribe
from agents.state import State
from tools.seal import Sealed


async def code_generator(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """The user's own script when there is one, else the recipe, simplified once per earlier try."""
    context = runtime.context
    scribe = Scribe(context, config, "code_generator", "TRAIN")
    await scribe.status("IN_PROGRESS", "writing the script")
    script = _script(state, context)
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


def _rows(state: State, context: Context) -> int | None:
    """How many rows there are to train on, once they have been sealed."""
    digest = state.get("seal_hash")
    return Sealed.from_json(context.vault.get_json(digest)).rows_train if digest else None
