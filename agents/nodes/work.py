"""What every piece of work of an attempt stands on: its folders, its runs in the sandbox, the time that is left.

Each piece of work has a folder named by attempt and code hash, and is complete when its `done.json` is there: a node
that runs again after a crash finds what was finished and repeats only what was not.
"""

import asyncio
import json
import shutil
import uuid
from pathlib import Path
from typing import Any, Literal

from agents.context import Context
from agents.live import LiveRun, run_and_tell
from agents.nodes.data_scientist import contract_of
from agents.scribe import Scribe
from agents.state import State
from sandbox.base import Job, Limits, Outcome
from tools.answers import ModelFailed
from tools.predictions import PredictionsRefused, write_predictions
from tools.recipes import baseline_for
from tools.seal import Sealed

Purpose = Literal["train", "score", "audit"]
SCORING_SECONDS = 60.0
"""For predicting the sealed rows, beside what is left of the budget."""


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


class Work:
    """One attempt, as a node works at it."""

    def __init__(self, state: State, context: Context, scribe: Scribe) -> None:
        self._state = state
        self._context = context
        self._scribe = scribe
        self._contract = contract_of(state, context)
        self._sealed = sealed_of(state, context)

    @property
    def _predictions(self) -> Path:
        return predictions_of(self._state, self._context)

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

    def _left(self) -> float:
        """Seconds of the budget; what was added for the improvement search is first charged with what that took."""
        added = min(self._state.get("search_seconds") or 0.0, self._contract.improve_seconds or 0.0)
        return self._contract.budget_seconds + added - self._state.get("spent", 0.0)

    async def _quietly(
        self, purpose: Purpose, script: str, inputs: dict[str, Path], outputs: Path, limits: Limits | None = None
    ) -> Outcome:
        """A run of a program of ours; its words are of no interest, its outcome is."""
        job = self._job(purpose, script, inputs, outputs, limits or self._context.limits)
        return await run_and_tell(self._context.sandbox, job, self._scribe, lambda _: None)

    def _job(self, purpose: Purpose, script: str, inputs: dict[str, Path], outputs: Path, limits: Limits) -> Job:
        forget(outputs)
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


def finished(folder: Path) -> dict[str, Any] | None:
    """What a finished piece of work has left."""
    done = folder / "done.json"
    return json.loads(done.read_text(encoding="utf-8")) if done.is_file() else None


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


def _same(source: Path, copy: Path) -> bool:
    """Whether the copy was made of this very file; a model that is loaded already need not be loaded again."""
    if not copy.is_file():
        return False
    there, here = source.stat(), copy.stat()
    return (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


def forget(folder: Path) -> None:
    """Make room for a new run."""
    if folder.exists():
        shutil.rmtree(folder)


def note_end(folder: Path, outcome: Outcome, run: str, live: LiveRun, kept: str | None) -> dict[str, Any]:
    """How a training run ended, as a later step finds it; from here on it is finished."""
    facts = ("kind", "message", "isolation", "exit_code", "seconds", "cpu_seconds", "peak_memory_mb")
    said = {"leaderboard": [dict(row) for row in live.leaderboard], "note": live.note, "kept": kept is not None}
    said["stderr"] = live.stderr
    done = {name: getattr(outcome, name) for name in facts} | {"run": run} | said | ({"message": kept} if kept else {})
    write_json(folder / "done.json", done)
    return done
