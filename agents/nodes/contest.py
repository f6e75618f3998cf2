"""A model's training script against the recipe that it was made from: on the same sealed rows, or it does not count.

The recipe is trained as well, both models are asked about the sealed rows, and the trusted scorer compares them in
pairs. Only when the interval of the difference lies above zero does the model's script stand; in a tie, and wherever
rows are too few to tell, the recipe's result stands. Both have looked at the sealed rows, and both looks are counted.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agents.context import Context
from agents.critic import review
from agents.events import Answered, CodeWritten
from agents.nodes.data_scientist import contract_of
from agents.nodes.work import sealed_of, work_folder
from agents.scribe import Scribe
from agents.state import State
from sandbox.base import SandboxError
from tools.contract import Contract
from tools.intervals import Information, corrected
from tools.predictions import PredictionsRefused
from tools.score import Difference, read_truth, score
from tools.seal import Sealed
from tools.versus import too_few

RECIPE, SCRIPT = "the recipe", "the model's script"


class Training(Protocol):
    """A script that can be trained and asked (agents/nodes/runner.py)."""

    async def train(self) -> dict[str, Any]:
        """What to remember: `run_hash` when it came to its end."""
        ...

    async def predictions(self) -> Path:
        """Of the sealed rows; raises PredictionsRefused."""
        ...


async def contest(
    state: State, context: Context, scribe: Scribe, training: Callable[[State], Training]
) -> dict[str, Any]:
    """Train the recipe beside the model's script; returns the state with whichever stands."""
    await scribe.status("IN_PROGRESS", "training the recipe, to compare")
    digest = state.get("recipe_hash") or ""
    recipe = State(**{**state, "code_hash": digest, "code_author": "recipe", "run_hash": None})
    trained = await training(recipe).train()
    if not trained.get("run_hash"):
        return await _script_stands(state, scribe, "The recipe did not come to its end, so there is nothing to beat.")
    recipe["run_hash"] = trained["run_hash"]
    try:
        rival = await training(recipe).predictions()
    except PredictionsRefused as problem:
        return await _script_stands(state, scribe, f"The recipe cannot be compared with: {problem}")
    try:
        own = await training(state).predictions()
    except (PredictionsRefused, SandboxError) as problem:
        return await _recipe_stands(recipe, context, scribe, f"The model's script does not count: {problem}", None)
    contract, sealed = contract_of(state, context), sealed_of(state, context)
    looks = 0
    for code in (digest, state["code_hash"]):
        looks = await context.journal.look(sealed.hash, f"{state['attempt']}/{code}")
    comparisons = max(1, looks - 1)
    found = await asyncio.to_thread(_difference, sealed, own, rival, contract, _baselines(recipe, context), comparisons)
    few = await asyncio.to_thread(lambda: too_few(read_truth(sealed.holdout_labels, contract), contract))
    said = in_words(found, few, comparisons)
    if found.ci_low > 0 and not few:
        update = await _script_stands(state, scribe, said, _relative(rival, context))
    else:
        update = await _recipe_stands(recipe, context, scribe, said, _relative(own, context))
    figures = {"difference": found.model_dump(mode="json"), "looks": looks}
    return {**update, "contest": {**update["contest"], **figures}}


def in_words(found: Difference, few: str, comparisons: int = 1) -> str:
    """One sentence: how the script compares with the recipe, and which of the two stands."""
    low, high = found.ci_low, found.ci_high
    apart = f"{found.value:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}, more is better"
    if comparisons > 1:
        apart += f", held to the level that {comparisons} comparisons on these rows need"
    if few:
        return f"The model's script cannot be told from the recipe, as {few} ({apart}); the recipe's result stands."
    if low > 0:
        return f"The model's script beats the recipe on the same sealed rows ({apart}); its result stands."
    word = "is worse than" if high < 0 else "is a tie with"
    return f"The model's script {word} the recipe on the same sealed rows ({apart}); the recipe's result stands."


def rival_of(state: State, context: Context) -> dict[str, Path]:
    """Predictions of the one that does not stand, by its name, to be compared with in the report."""
    held = state.get("contest") or {}
    path = context.folder / held["predictions"] if held.get("predictions") else None
    return {held["against"]: path} if path is not None and path.is_file() else {}


def contest_note(state: State) -> str:
    """For the report; "" where there was no contest."""
    return str((state.get("contest") or {}).get("sentence", ""))


def _difference(
    sealed: Sealed, own: Path, rival: Path, contract: Contract, baselines: dict[str, Path], comparisons: int
) -> Difference:
    """Paired, on the sealed rows; wider the more often scripts were compared on them (Bonferroni)."""
    found = score(sealed.holdout_labels, own, contract, baselines=baselines, earlier={RECIPE: rival}).earlier[0]
    units = len(np.unique(read_truth(sealed.holdout_labels, contract).unit))
    known = Information(units, units, units)
    low, high = corrected(found.value, (found.ci_low, found.ci_high), comparisons, known)
    return found.model_copy(update={"ci_low": low, "ci_high": high})


def _baselines(recipe: State, context: Context) -> dict[str, Path]:
    folder = work_folder(recipe, context, "score") / "baseline"
    return {name: folder / f"{name}.parquet" for name in ("dummy", "linear") if (folder / f"{name}.parquet").is_file()}


def _relative(path: Path, context: Context) -> str:
    return str(path.relative_to(context.folder))


async def _script_stands(state: State, scribe: Scribe, said: str, rival: str | None = None) -> dict[str, Any]:
    await scribe.say(Answered(said, "notice"))
    return {"contest": {"winner": "script", "sentence": said, "against": RECIPE, "predictions": rival}}


async def _recipe_stands(
    recipe: State, context: Context, scribe: Scribe, said: str, rival: str | None
) -> dict[str, Any]:
    """The recipe takes the place of the script as if it had been run alone; the critic reads it like any other."""
    code = context.vault.get_text(recipe["code_hash"] or "")
    found = await asyncio.to_thread(review, code, contract_of(recipe, context), context.vault)
    await scribe.say(CodeWritten(recipe["attempt"], recipe["code_hash"] or "", "recipe", len(code.splitlines()), said))
    await scribe.say(Answered(said, "notice"))
    return {
        "code_hash": recipe["code_hash"],
        "code_author": "recipe",
        "code_note": said,
        "review_hash": context.vault.put_json(found.model_dump(mode="json")),
        "run_hash": recipe["run_hash"],
        "contest": {"winner": "recipe", "sentence": said, "against": SCRIPT, "predictions": rival},
    }
