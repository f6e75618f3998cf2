"""Node: run the approved script, score what it made on the sealed rows, probe it. Every run is a sandbox run.

Each piece of work has a folder named by attempt and code hash, and is complete when its `done.json` is there: a node
that runs again after a crash finds what was finished and repeats only what was not.
"""

import asyncio
import json
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.code_generator import can_be_simpler, training_limits
from agents.context import Context
from agents.events import Audited, Leaderboard, RunEnded, RunStarted, Scored
from agents.halting import kept_early
from agents.live import LiveRun, run_and_tell
from agents.nodes.critic import MAX_TRIES, code_gate
from agents.nodes.data_scientist import contract_of, dataset_of
from agents.nodes.explainer import FILE as EXPLANATION
from agents.nodes.explainer import explain_result
from agents.scribe import Scribe
from agents.state import Failure, Scoring, State
from sandbox.base import Job, Limits, Outcome, SandboxBroken
from tools.answers import ModelFailed
from tools.audit import Probe, assemble, once
from tools.contract import Contract
from tools.finite import finite
from tools.importance import Measured, importance
from tools.lint import Review
from tools.nested import plan_nesting
from tools.predictions import PredictionsRefused, write_predictions
from tools.probes.batches import Batches, batches
from tools.probes.evidence import read_probe
from tools.recipes import audit_for, baseline_for, learning_for, nested_for, resplit_for, with_budget
from tools.resplit import resplit
from tools.score import Score, score
from tools.seal import Sealed
from tools.split_report import NESTED, RESPLIT, split_probes

Purpose = Literal["train", "score", "audit"]
MAX_EARLIER = 5
"""Earlier attempts that a new one is compared with."""
PROBE_SHARE = 0.06
"""Part of the budget that each program of the audit may take."""
IMPORTANCE_SHARE, IMPORTANCE_SECONDS = 0.08, 5.0
"""The same of importance, and how long it may take at least."""
EXPORT_SECONDS = 2.0
"""Kept for the report and its charts."""
SCORING_SECONDS = 60.0
"""For predicting the sealed rows, beside what is left of the budget."""


async def runner(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: train, score or audit, whichever is missing."""
    context = runtime.context
    work = _Work(state, context, Scribe(context, config, "runner", "TRAIN"))
    if not state.get("run_hash"):
        return await work.train()
    if not state.get("score_hash"):
        return await work.score()
    return await work.audit()


def sealed_of(state: State, context: Context) -> Sealed:
    """Where the sealed parts of this attempt are."""
    return Sealed.from_json(context.vault.get_json(state["seal_hash"] or ""))


def attempt_folder(state: State, context: Context) -> Path:
    """Everything that this attempt made."""
    return context.folder / "attempts" / str(state["attempt"])


def work_folder(state: State, context: Context, purpose: Purpose) -> Path:
    """What one piece of work of this very script made."""
    return attempt_folder(state, context) / f"{purpose}-{(state['code_hash'] or '')[:16]}"


def predictions_of(state: State, context: Context) -> Path:
    """What the model of this attempt said about the sealed rows, as far as it was accepted."""
    return work_folder(state, context, "score") / "model" / "predictions.parquet"


class _Work:
    """The three pieces of work of one attempt."""

    def __init__(self, state: State, context: Context, scribe: Scribe) -> None:
        self._state = state
        self._context = context
        self._scribe = scribe
        self._contract = contract_of(state, context)
        self._sealed = sealed_of(state, context)

    async def train(self) -> dict[str, Any]:
        folder = self._folder("train")
        found = _finished(folder)
        if found is None:
            found = await self._train_now(folder)
        await self._ended(found)
        if found["kind"] == "ok" and not (folder / "outputs" / "model.joblib").is_file():
            found = {**found, "kind": "error", "message": "The script ended well but left no outputs/model.joblib."}
        if found["kind"] != "ok" and not found.get("kept"):
            return self._after_failure(found)
        await self._scribe.status("IN_PROGRESS", "scoring the sealed rows")
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
        await self._scribe.status("IN_PROGRESS", "training")
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
        found = _finish(folder, outcome, run, live, kept)
        halt.settle(True)
        return found

    async def _aside(self) -> None:
        """What needs no model is done while the model is trained: the baselines and the probe of the training rows."""
        await self._baselines(self._folder("score"))
        await self._probe(self._folder("audit"))

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
        if not own and tries < MAX_TRIES and can_be_simpler(self._contract, tries):
            return {**void, "code_hash": None}
        if own and self._state.get("policy", {}).get("code", True):
            _forget(self._folder("train"))
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
        folder = self._folder("score")
        if _finished(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            await asyncio.gather(self._predict(), self._baselines(folder))
            _write_json(folder / "done.json", {"kind": "ok"})
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
        return {name: path for name, path in paths.items() if path.is_file()}

    async def _predict(self) -> None:
        if self._predictions.is_file():
            return
        rows, seconds = self._sealed.holdout_features, SCORING_SECONDS + max(0.0, self._left())
        try:
            found = await self._context.workers.predict(self._model_folder(), self._contract, rows, seconds=seconds)
        except ModelFailed as problem:
            raise PredictionsRefused(f"{self._unusable()} cannot predict the sealed rows: {problem}") from problem
        await asyncio.to_thread(write_predictions, found, self._contract, self._predictions)

    def _unusable(self) -> str:
        found = self._context.vault.get_json(self._state["run_hash"] or "")
        return "The model that was kept when the script was ended" if found.get("kept") else "The saved model"

    async def _baselines(self, folder: Path) -> None:
        if (folder / "baseline" / "linear.parquet").is_file():
            return
        inputs = {"train.parquet": self._sealed.train, "holdout_features.parquet": self._sealed.holdout_features}
        await self._quietly("score", baseline_for(self._contract), inputs, folder / "baseline")

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

    async def audit(self) -> dict[str, Any]:
        folder = self._folder("audit")
        if _finished(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            await asyncio.gather(
                self._permute(folder),
                self._probe(folder),
                self._learn(folder),
                self._split_anew(folder),
                self._ask_in_parts(folder),
            )
            await self._explain(folder, self._left() - (time.monotonic() - began))
            await self._nest(folder, self._left() - (time.monotonic() - began) - EXPORT_SECONDS)
            _write_json(folder / "done.json", {"kind": "ok"})
        probes = await asyncio.to_thread(self._probes, folder)
        measured = Measured.model_validate_json((folder / "importance.json").read_bytes())
        await self._scribe.say(Audited(self._state["attempt"], tuple(probe.model_dump() for probe in probes)))
        await self._scribe.status("COMPLETED")
        found = {
            "probes": [probe.model_dump(mode="json") for probe in probes],
            "importance": [column.model_dump(mode="json") for column in measured.columns],
            "groups": [group.model_dump(mode="json") for group in measured.groups],
            "note": measured.note,
        }
        return {"audit_hash": self._context.vault.put_json(found)}

    async def _permute(self, folder: Path) -> None:
        """What the model relies on; it keeps its own time, and an answer that does not come is not waited for."""
        model, contract, seconds = self._model_folder(), self._contract, self._importance_seconds()
        async with self._context.workers.apart(model, contract, seconds=2 * seconds + 5) as ask:
            found = await importance(
                ask,
                self._sealed.holdout_labels,
                self._sealed.holdout_features,
                self._predictions,
                contract,
                seconds=seconds,
                verified=self._state["code_author"] == "recipe",
                telling=_telling(folder / "probe" / "probe.json"),
            )
        _write_json(folder / "importance.json", found.model_dump(mode="json"))

    async def _explain(self, folder: Path, left: float) -> None:
        """What moves the answers, with what is left of the budget; nothing here can end the run."""
        seconds = min(PROBE_SHARE * self._contract.budget_seconds, (left - EXPORT_SECONDS) / 2)
        limit = 2 * max(0.0, seconds) + 5
        ask = partial(self._context.workers.predict, self._model_folder(), self._contract, seconds=limit)
        verified = self._state["code_author"] == "recipe"
        await explain_result(
            ask, self._sealed, self._contract, folder / EXPLANATION, seconds=seconds, verified=verified
        )

    async def _probe(self, folder: Path) -> None:
        if (folder / "probe" / "probe.json").is_file():
            return
        script = audit_for(self._contract, seconds=self._probe_seconds())
        inputs = {"train.parquet": self._sealed.train, "holdout_features.parquet": self._sealed.holdout_features}
        if self._sealed.own_train is not None:
            inputs["own.parquet"] = self._sealed.own_train
        await self._quietly("audit", script, inputs, folder / "probe", self._probe_limits())

    async def _ask_in_parts(self, folder: Path) -> None:
        """Does the answer to a row depend on which others are asked about with it?"""
        model, contract, seconds = self._model_folder(), self._contract, self._probe_seconds()
        async with self._context.workers.apart(model, contract, seconds=2 * seconds + 5) as ask:
            found = await batches(ask, self._sealed.holdout_features, self._predictions, contract)
        _write_json(folder / "batches.json", found.model_dump(mode="json"))

    async def _learn(self, folder: Path) -> None:
        """Would more rows help? On training rows alone."""
        if (folder / "learning" / "learning.json").is_file():
            return
        script = learning_for(self._contract, seconds=self._probe_seconds())
        inputs = {"train.parquet": self._sealed.train}
        await self._quietly("audit", script, inputs, folder / "learning", self._probe_limits())

    async def _split_anew(self, folder: Path) -> None:
        """What another split would have promised, where rows have an order or entities repeat; on training rows."""
        order = self._sealed.order
        if order is None or (folder / RESPLIT / "done.json").is_file():
            return
        script = resplit_for(self._contract, seconds=self._probe_seconds())
        inputs = {"train.parquet": self._sealed.own.train, "order.parquet": order}
        await self._quietly("audit", script, inputs, folder / RESPLIT, self._probe_limits())

    async def _nest(self, folder: Path, left: float) -> None:
        """The whole recipe on outer folds, where few rows choose among several models and there is time."""
        if self._state["code_author"] != "recipe":
            return
        trained = json.loads((self._folder("train") / "done.json").read_text(encoding="utf-8"))
        if trained.get("kept"):  # whoever has pressed Stop does not want to wait
            return
        plan = plan_nesting(self._sealed.rows_train, len(trained["leaderboard"]) - 1, trained["seconds"], left)
        _write_json(folder / "nesting.json", asdict(plan))
        if plan.folds == 0 or (folder / NESTED / "nested.parquet").is_file():
            return
        script = self._context.vault.get_text(self._state["code_hash"] or "")
        again = folder / "train.py"
        again.write_text(with_budget(script, plan.seconds), encoding="utf-8")
        inputs = {"train.parquet": self._sealed.train, "train.py": again, **self._groups()}
        program = nested_for(self._contract, folds=plan.folds, seconds=left)
        await self._quietly("audit", program, inputs, folder / NESTED, replace(self._context.limits, seconds=left + 5))

    def _probes(self, folder: Path) -> tuple[Probe, ...]:
        vault = self._context.vault
        audited = assemble(
            folder / "probe" / "probe.json",
            self._contract,
            self._sealed,
            predictions=self._predictions,
            score=Score.model_validate(vault.get_json(self._state["score_hash"] or "")["score"]),
            batches=Batches.model_validate_json((folder / "batches.json").read_bytes()),
            findings=Review.model_validate(vault.get_json(self._state["review_hash"] or "")).findings,
        )
        by_the_split = split_probes(
            dataset_of(self._state, self._context).path,
            dataset_of(self._state, self._context).id,
            self._contract,
            self._sealed,
            resplit(folder / RESPLIT, self._contract, self._sealed.own),
        )
        return once((*audited, *by_the_split))

    @property
    def _predictions(self) -> Path:
        return predictions_of(self._state, self._context)

    def _probe_seconds(self) -> float:
        return max(1.0, min(PROBE_SHARE * self._contract.budget_seconds, self._left() / 2))

    def _importance_seconds(self) -> float:
        """Long enough for every column of an ordinary table, the start of the model included, if the budget allows."""
        wanted = max(IMPORTANCE_SECONDS, IMPORTANCE_SHARE * self._contract.budget_seconds)
        return max(1.0, min(wanted, self._left() / 2))

    def _left(self) -> float:
        """Seconds of the budget."""
        return self._contract.budget_seconds - self._state.get("spent", 0.0)

    def _probe_limits(self) -> Limits:
        """The programs keep their own time; this stops a model that does not let them."""
        return replace(self._context.limits, seconds=3 * self._probe_seconds() + 5)

    async def _quietly(
        self, purpose: Purpose, script: str, inputs: dict[str, Path], outputs: Path, limits: Limits | None = None
    ) -> Outcome:
        """A run of a program of ours; its words are of no interest, its outcome is."""
        job = self._job(purpose, script, inputs, outputs, limits or self._context.limits)
        return await run_and_tell(self._context.sandbox, job, self._scribe, lambda _: None)

    def _job(self, purpose: Purpose, script: str, inputs: dict[str, Path], outputs: Path, limits: Limits) -> Job:
        _forget(outputs)
        outputs.mkdir(parents=True)
        return Job(f"{purpose}-{self._state['attempt']}-{uuid.uuid4().hex}", script, inputs, outputs, limits)

    def _folder(self, purpose: Purpose) -> Path:
        return work_folder(self._state, self._context, purpose)

    def _groups(self) -> dict[str, Path]:
        beside = {"groups.parquet": self._sealed.groups, "weights.parquet": self._sealed.weights}
        return {name: path for name, path in beside.items() if path is not None}

    def _contract_file(self, folder: Path) -> Path:
        path = folder / "contract.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._contract.model_dump_json(indent=1), encoding="utf-8")
        return path

    def _model_folder(self) -> Path:
        """The model as the script left it, with the script beside it for the classes that its pickle names."""
        folder = self._folder("score") / "input"
        folder.mkdir(parents=True, exist_ok=True)
        if not _same(self._folder("train") / "outputs" / "model.joblib", folder / "model.joblib"):
            script = self._context.vault.get_text(self._state["code_hash"] or "")
            (folder / "train.py").write_text(script, encoding="utf-8")
            shutil.copy2(self._folder("train") / "outputs" / "model.joblib", folder / "model.joblib")
        return folder


def _telling(probe: Path) -> dict[str, float]:
    """How much each column tells alone, where the audit has measured it already."""
    try:
        return read_probe(probe).single
    except (ValueError, OSError):
        return {}


def _advice(contract: Contract, own: bool) -> str:
    if own:
        return "Edit the script."
    if contract.model is not None:
        return "Choose other parameters or another kind of model, or give it more time."
    return "Give it more time, or leave out a column."


def _finished(folder: Path) -> dict[str, Any] | None:
    done = folder / "done.json"
    return json.loads(done.read_text(encoding="utf-8")) if done.is_file() else None


def _finish(folder: Path, outcome: Outcome, run: str, live: LiveRun, kept: str | None) -> dict[str, Any]:
    facts = ("kind", "message", "isolation", "exit_code", "seconds", "cpu_seconds", "peak_memory_mb")
    said = {"leaderboard": [dict(row) for row in live.leaderboard], "note": live.note, "kept": kept is not None}
    done = {name: getattr(outcome, name) for name in facts} | {"run": run} | said | ({"message": kept} if kept else {})
    _write_json(folder / "done.json", done)
    return done


def _write_json(path: Path, value: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


def _same(source: Path, copy: Path) -> bool:
    """Whether the copy was made of this very file; a model that is loaded already need not be loaded again."""
    if not copy.is_file():
        return False
    there, here = source.stat(), copy.stat()
    return (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


def _forget(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
