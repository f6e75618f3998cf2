"""The last piece of the runner's work: the scored model and the rows behind it are probed, explained, tried again."""

import asyncio
import json
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from agents.events import Audited
from agents.nodes.data_scientist import dataset_of
from agents.nodes.explainer import FILE as EXPLANATION
from agents.nodes.explainer import explain_result
from agents.nodes.work import Work, finished, write_json
from sandbox.base import Limits
from tools.audit import Probe, assemble, once
from tools.importance import Measured, importance
from tools.lint import Review
from tools.nested import plan_nesting
from tools.probes.batches import Batches, batches
from tools.probes.evidence import read_probe
from tools.recipes import audit_for, learning_for, nested_for, resplit_for, with_budget
from tools.resplit import resplit
from tools.score import Score
from tools.split_report import NESTED, RESPLIT, split_probes

PROBE_SHARE = 0.06
"""Part of the budget that each program of the audit may take."""
IMPORTANCE_SHARE, IMPORTANCE_SECONDS = 0.08, 5.0
"""The same of importance, and how long it may take at least."""
EXPORT_SECONDS = 2.0
"""Kept for the report and its charts."""


class Auditing(Work):
    """Everything that is asked of a result before it is told."""

    async def audit(self) -> dict[str, Any]:
        """What the audit found, as the state holds it; it is told as an event."""
        folder = self._folder("audit")
        if finished(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            await asyncio.gather(
                self._permute(folder),
                self.probe(),
                self._learn(folder),
                self._split_anew(folder),
                self._ask_in_parts(folder),
            )
            await self._explain(folder, self._left() - (time.monotonic() - began))
            await self._nest(folder, self._left() - (time.monotonic() - began) - EXPORT_SECONDS)
            write_json(folder / "done.json", {"kind": "ok"})
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
        write_json(folder / "importance.json", found.model_dump(mode="json"))

    async def _explain(self, folder: Path, left: float) -> None:
        """What moves the answers, with what is left of the budget; nothing here can end the run."""
        seconds = min(PROBE_SHARE * self._contract.budget_seconds, (left - EXPORT_SECONDS) / 2)
        limit = 2 * max(0.0, seconds) + 5
        ask = partial(self._context.workers.predict, self._model_folder(), self._contract, seconds=limit)
        verified = self._state["code_author"] == "recipe"
        await explain_result(
            ask, self._sealed, self._contract, folder / EXPLANATION, seconds=seconds, verified=verified
        )

    async def probe(self) -> None:
        """The probe of the training rows, which needs no model and may run beside the training."""
        folder = self._folder("audit")
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
        write_json(folder / "batches.json", found.model_dump(mode="json"))

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
        write_json(folder / "nesting.json", asdict(plan))
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

    def _probe_seconds(self) -> float:
        return max(1.0, min(PROBE_SHARE * self._contract.budget_seconds, self._left() / 2))

    def _importance_seconds(self) -> float:
        """Long enough for every column of an ordinary table, the start of the model included, if the budget allows."""
        wanted = max(IMPORTANCE_SECONDS, IMPORTANCE_SHARE * self._contract.budget_seconds)
        return max(1.0, min(wanted, self._left() / 2))

    def _probe_limits(self) -> Limits:
        """The programs keep their own time; this stops a model that does not let them."""
        return replace(self._context.limits, seconds=3 * self._probe_seconds() + 5)


def _telling(probe: Path) -> dict[str, float]:
    """How much each column tells alone, where the audit has measured it already."""
    try:
        return read_probe(probe).single
    except (ValueError, OSError):
        return {}
