"""One script of the improvement search: trained on a part of the training rows, asked about the rest, measured here."""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from agents.critic import review
from agents.halting import OUT_OF_TIME
from agents.live import LiveRun, run_and_tell
from agents.llm.traces import masked
from agents.llm.veil import Veil
from agents.nodes.data_scientist import profile_of
from agents.nodes.work import Work, attempt_folder, finished, forget, write_json
from agents.search.consent import may_run
from agents.search.journal import Journal, Node
from agents.search.telling import objections
from sandbox.base import Outcome, SandboxError
from tools.answers import ModelFailed
from tools.inner import inner_split, measured
from tools.predictions import PredictionsRefused, write_predictions
from tools.recipes import with_budget
from tools.seal import Sealed

START_SECONDS = 1.5
"""Of a run in the sandbox and the first answer of its model, beside the training itself."""
ANSWER_SECONDS = 30.0
"""In which a model has to answer about the rows kept aside."""


class Trying(Work):
    """What a script comes to, on training rows alone."""

    def _place(self, name: str) -> Path:
        return attempt_folder(self._state, self._context) / "search" / name

    def _inner(self) -> Sealed:
        """The training rows divided once more; made when it is first asked for."""
        folder = self._place("inner")
        done = finished(folder)
        if done is None:
            sealed = inner_split(self._sealed, self._contract, folder)
            write_json(folder / "done.json", sealed.to_json())
            return sealed
        return Sealed.from_json(done)

    def _veil(self) -> Veil:
        """Over class labels and the values that the profile has counted."""
        profile, contract = profile_of(self._state, self._context), self._contract
        words = [one.value for column in profile.columns if column.type == "text" for one in column.top]
        return Veil.over([*contract.classes, *words], [contract.target, *profile.names])

    def _blocked(self, node: Node) -> bool:
        """Whether the critic objects; nobody need be asked about such a script."""
        script = self._context.vault.get_text(node.code_hash)
        return review(script, self._contract, self._context.vault).blocked

    async def _outcome(self, node: Node, folder: Path, journal: Journal) -> dict[str, Any]:
        """What came of it: {"status", "trouble", "told", "seconds", "review"}; its predictions lie in `folder`."""
        script = self._context.vault.get_text(node.code_hash)
        checked = await asyncio.to_thread(review, script, self._contract, self._context.vault)
        found = {"review": self._context.vault.put_json(checked.model_dump(mode="json")), "seconds": 0.0}
        if checked.blocked and node.id:
            first = next(finding for finding in checked.findings if finding.blocks)
            said = f"The critic objects: {first.sentence} (line {first.line})"
            told = self._veil().hide_in_words(objections(checked.findings))
            return found | {"status": "blocked", "trouble": said, "told": told}
        if node.id and not may_run(node, self._state):
            return found | {"status": "refused", "trouble": "You said no to it.", "told": "The user said no to it."}
        try:
            outcome, stderr = await self._train_inside(script, folder, journal.node_seconds)
            found["seconds"] = round(outcome.seconds, 2)
            if problem := self._unusable_end(outcome, folder):
                told = masked(stderr, self._veil().hide(script), self._contract.features).text
                return found | {"status": "failed", "trouble": problem, "told": told or _plainly(outcome)}
            await self._predict_inside(folder, script)
        except (ModelFailed, PredictionsRefused) as problem:
            told = "Its saved model could not predict the rows kept aside."
            return found | {"status": "failed", "trouble": str(problem), "told": told}
        except SandboxError as problem:
            return found | {"status": "failed", "trouble": str(problem), "told": "The sandbox failed."}
        finally:
            forget(folder / "outputs")
            forget(folder / "model")
        return found | {"status": "scored", "trouble": "", "told": ""}

    async def _train_inside(self, script: str, folder: Path, seconds: float) -> tuple[Outcome, str]:
        """Run it on the inner training rows; (how it ended, what it said on stderr)."""
        inner, context = self._inner(), self._context
        beside = {"groups.parquet": inner.groups, "weights.parquet": inner.weights}
        inputs = {"train.parquet": inner.train, **{name: path for name, path in beside.items() if path is not None}}
        limits = replace(context.limits, seconds=1.5 * seconds + 2 * START_SECONDS)
        job = self._job("train", with_budget(script, seconds), inputs, folder / "outputs", limits)
        live = LiveRun(job.id, self._contract.metric, verified=False)
        with context.halt.possible(job.id):
            outcome = await run_and_tell(context.sandbox, job, self._scribe, unheard(live))
        if context.halt.asked:
            context.halt.settle(True)
        return outcome, live.stderr

    def _unusable_end(self, outcome: Outcome, folder: Path) -> str:
        """Why nothing can be asked of what a run has left; "" when something can."""
        there = (folder / "outputs" / "model.joblib").is_file()
        if there and (outcome.ok or outcome.kind in OUT_OF_TIME):
            return ""
        return outcome.message if not outcome.ok else "It left no outputs/model.joblib."

    async def _predict_inside(self, folder: Path, script: str) -> None:
        """What the model says of the inner rows that it has not seen, asked in a sandbox of its own."""
        place = folder / "model"
        forget(place)
        place.mkdir()
        shutil.copy2(folder / "outputs" / "model.joblib", place / "model.joblib")
        (place / "train.py").write_text(script, encoding="utf-8")
        rows = await asyncio.to_thread(pq.read_table, self._inner().holdout_features)
        async with self._context.workers.apart(place, self._contract, seconds=ANSWER_SECONDS) as ask:
            said = await ask(rows)
        await asyncio.to_thread(write_predictions, said, self._contract, folder / "predictions.parquet")

    def _measured(self, node: Node, found: dict[str, Any], folder: Path, journal: Journal) -> Node:
        told = {name: found[name] for name in ("status", "trouble", "told", "seconds")}
        if found["status"] == "scored":
            own = folder / "predictions.parquet"
            recipe = self._place(journal.recipe[:16]) / own.name if node.id else None
            try:
                value, gain = measured(self._inner(), own, self._contract, recipe)
            except PredictionsRefused as problem:
                unfit = "Its predictions for the rows kept aside could not be measured."
                told |= {"status": "failed", "trouble": str(problem), "told": unfit}
            else:
                told |= {"value": value, "gain": gain}
        return node.model_copy(update=told)


def unheard(live: LiveRun) -> Any:
    """What a script of the search says is not told: it would be taken for the result's own."""

    def tell(item: Any) -> None:
        with suppress(Exception):
            live.tell(item)

    return tell


def _plainly(outcome: Outcome) -> str:
    """How a run ended, where it left no traceback: our own words, without the line that the script wrote."""
    return "It stopped with an error." if outcome.kind == "error" else outcome.message
