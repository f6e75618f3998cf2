"""Node: run the approved script, score what it made on the sealed rows, probe it. Every run is a sandbox run.

What all of it stands on is work.py, the search for a better script is improving.py, the probes are auditing.py.
"""

import asyncio
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.code_generator import can_be_simpler, training_limits
from agents.context import Context
from agents.events import Leaderboard, RunEnded, RunStarted, Scored
from agents.halting import kept_early
from agents.live import LiveRun, run_and_tell
from agents.nodes.auditing import Auditing
from agents.nodes.contest import contest, rival_of
from agents.nodes.critic import MAX_TRIES, code_gate
from agents.nodes.improving import Improving
from agents.nodes.work import Work, finished, forget, note_end, write_json
from agents.scribe import Scribe
from agents.state import Failure, Scoring, State
from sandbox.base import Outcome, SandboxBroken
from tools.contract import Contract
from tools.finite import finite
from tools.lint import Review
from tools.score import Score, score

MAX_EARLIER = 5
"""Earlier attempts that a new one is compared with."""


async def runner(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: train, search for a better script, score or audit, whichever is missing."""
    context = runtime.context
    scribe = Scribe(context, config, "runner", "TRAIN")
    if not state.get("run_hash"):
        return await _Training(state, context, scribe).train()
    if state["code_author"] == "model" and state.get("recipe_hash") and not state.get("contest"):
        return await contest(state, context, scribe, lambda one: _Training(one, context, scribe))
    if not state.get("score_hash"):
        if (searched := await Improving(state, context, scribe).step()) is not None:
            return searched
        return await _Training(state, context, scribe).score()
    return await Auditing(state, context, scribe).audit()


class _Training(Work):
    """The script is run, then what it made is scored."""

    async def train(self) -> dict[str, Any]:
        folder = self._folder("train")
        found = finished(folder)
        await self._scribe.status("IN_PROGRESS", "training")  # also when it runs again: events are told by their number
        if found is None:
            found = await self._train_now(folder)
        await self._ended(found)
        if found["kind"] == "ok" and not (folder / "outputs" / "model.joblib").is_file():
            found = {**found, "kind": "error", "message": "The script ended well but left no outputs/model.joblib."}
        if found["kind"] != "ok" and not found.get("kept"):
            return self._after_failure(found)
        return {"run_hash": self._context.vault.put_json(found)}

    async def _train_now(self, folder: Path) -> dict[str, Any]:
        context, contract = self._context, self._contract
        job = self._job(
            "train",
            context.vault.get_text(self._state["code_hash"] or ""),
            {"train.parquet": self._sealed.train, **self._groups(), "contract.json": self._contract_file(folder)},
            folder / "outputs",
            training_limits(context.limits, contract.budget_seconds, context.extra_seconds),
        )
        limits = {name: float(value) for name, value in asdict(job.limits).items() if value is not None}
        await self._scribe.say_live(
            job.id, [RunStarted(self._state["attempt"], job.id, "train", context.sandbox.isolation, limits)]
        )
        live = LiveRun(job.id, contract.metric, verified=self._state["code_author"] == "recipe")
        aside = asyncio.create_task(self._aside())
        try:
            with context.halt.possible(job.id):
                outcome = await run_and_tell(context.sandbox, job, self._scribe, live.tell)
            found = await self._settled(folder, outcome, job.id, live)
            with suppress(SandboxBroken):  # what is missing is done again when it is needed; the training is kept
                await aside
        finally:
            aside.cancel()
        return found

    async def _settled(self, folder: Path, outcome: Outcome, run: str, live: LiveRun) -> dict[str, Any]:
        """The end of the run written down, or, when it was stopped with nothing to keep, no end at all."""
        halt, left = self._context.halt, (folder / "outputs" / "model.joblib").is_file()
        kept = kept_early(outcome.kind, outcome.seconds, asked=halt.asked, left_model=left)
        if halt.asked and kept is None and not outcome.ok:
            halt.settle(False)
            await asyncio.Event().wait()  # whoever asked ends the turn
        found = note_end(folder, outcome, run, live, kept)
        halt.settle(True)
        return found

    async def _aside(self) -> None:
        """What needs no model is done while the model is trained: the baselines and the probe of the training rows."""
        await self._baselines(self._folder("score"))
        await Auditing(self._state, self._context, self._scribe).probe()

    async def _ended(self, found: dict[str, Any]) -> None:
        kept = bool(found.get("kept"))
        event = RunEnded(found["run"], found["kind"], found["message"], found["seconds"], found["peak_memory_mb"], kept)
        await self._scribe.say(event)
        if not found["leaderboard"] and (found["kind"] == "ok" or kept):
            name = "your script" if self._state["code_author"] == "user" else "the best model so far"
            row = {"model": name, "cv_score": None, "seconds": round(found["seconds"], 2)}
            await self._scribe.say(Leaderboard(found["run"], self._contract.metric, (row,), verified=False))

    def _after_failure(self, found: dict[str, Any]) -> dict[str, Any]:
        """A recipe is simplified and tried again; the user's own script goes back to the user."""
        tries = self._state.get("tries", 0) + 1
        void = {"run_hash": None, "tries": tries, "trouble": found["message"], "code_approved": False}
        own = self._state["code_author"] == "user"
        void["failed_hash"] = self._context.vault.put_json({**found, "code": self._state["code_hash"]})
        if self._state["code_author"] == "model":  # repaired once, then the recipe takes its place
            return {**void, "code_hash": None}
        if not own and tries < MAX_TRIES and can_be_simpler(self._contract, tries):
            return {**void, "code_hash": None}
        if own and self._state.get("policy", {}).get("code", True):
            forget(self._folder("train"))
            review = Review.model_validate(self._context.vault.get_json(self._state["review_hash"] or ""))
            return {**void, **code_gate(self._state, review, f"The script failed: {found['message']}")}
        failure = Failure(
            stage="TRAIN",
            culprit="script",
            sentence=found["message"],
            advice=_advice(self._contract, own),
        )
        return {**void, "failure": failure}

    async def score(self) -> dict[str, Any]:
        await self._scribe.status("IN_PROGRESS", "scoring the sealed rows")
        folder = self._folder("score")
        if finished(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            await asyncio.gather(self._predict(), self._baselines(folder))
            write_json(folder / "done.json", {"kind": "ok"})
        look = f"{self._state['attempt']}/{self._state['code_hash']}"
        looks = await self._context.journal.look(self._sealed.hash, look)
        result = await self._judge(folder, looks)
        await self._scribe.say(Scored(self._state["attempt"], result.model_dump(mode="json"), looks))
        await self._scribe.status("IN_PROGRESS", "probing the result")
        digest = self._context.vault.put_json({"score": result.model_dump(mode="json"), "looks": looks})
        return {"score_hash": digest, "scored": [*self._others(), self._scoring()]}

    def _scoring(self) -> Scoring:
        """This attempt, as a later one finds it."""
        return Scoring(
            attempt=self._state["attempt"],
            sealed=self._sealed.hash,
            metric=self._contract.metric,
            predictions=str(self._predictions.relative_to(self._context.folder)),
        )

    def _others(self) -> list[Scoring]:
        return [one for one in self._state.get("scored", []) if one["attempt"] != self._state["attempt"]]

    def _earlier(self) -> dict[str, Path]:
        """Predictions of the last attempts on these very rows by this very metric."""
        mine = self._scoring()
        same = [one for one in self._others() if all(one[key] == mine[key] for key in ("sealed", "metric"))]
        paths = {f"attempt {one['attempt']}": self._context.folder / one["predictions"] for one in same[-MAX_EARLIER:]}
        paths |= rival_of(self._state, self._context)
        return {name: path for name, path in paths.items() if path.is_file()}

    async def predictions(self) -> Path:
        """What the trained model says about the sealed rows; raises PredictionsRefused."""
        await asyncio.gather(self._predict(), self._baselines(self._folder("score")))
        return self._predictions

    async def _judge(self, folder: Path, looks: int) -> Score:
        named = {name: folder / "baseline" / f"{name}.parquet" for name in ("dummy", "linear")}
        there = {name: path for name, path in named.items() if path.is_file()}
        found = await asyncio.to_thread(
            score,
            self._sealed.holdout_labels,
            self._predictions,
            self._contract,
            baselines=there,
            earlier=self._earlier(),
            looks=looks,
        )
        return finite(found)


def _advice(contract: Contract, own: bool) -> str:
    if own:
        return "Edit the script."
    if contract.model is not None:
        return "Choose other parameters or another kind of model, or give it more time."
    return "Give it more time, or leave out a column."
