"""The runner's work between training and scoring: the improvement search, one script or one question a step.

A model's script gets a part of the training rows, its model is asked in a sandbox about the rest, and the measure is
computed here from labels that never entered: what a script prints, claims or reads gains it nothing. Each script's
folder is named by its hash and finished with its `done.json`, and the journal is in the vault, so a search that was cut
off goes on where it was. Only a script that is ahead of the recipe there is trained on all rows and meets the recipe on
the sealed ones, once (agents/nodes/contest.py).
"""

import asyncio
import math
import time
from dataclasses import replace
from typing import Any

from agents.code_generator import training_limits, training_seconds
from agents.context import Context
from agents.events import CodeChecked, CodeWritten, Decided, SearchEnded, SearchStep
from agents.halting import OUT_OF_TIME
from agents.live import LiveRun, run_and_tell
from agents.llm.egress import shown
from agents.minds.asking import asker
from agents.minds.improver import Asked, propose
from agents.nodes.data_scientist import dataset_of, profile_of
from agents.nodes.trying import START_SECONDS, Trying, unheard
from agents.nodes.work import attempt_folder, finished, note_end, write_json
from agents.sampling import rows_to_show
from agents.scribe import Scribe
from agents.search.consent import asks_for, once_allowed
from agents.search.journal import Journal, Node, Verdict, kind_of, parents
from agents.search.page import begun_in_words, came_of, ended_in_words
from agents.search.wanted import may_search
from agents.state import State
from sandbox.base import Limits, SandboxError
from tools.lint import Review
from tools.recipes import parameters
from tools.schema import Schema, schema_of
from tools.score import Difference, Scalar
from tools.seal import SealError

DRAFTS, CHANGES = 3, 2
"""Scripts that are asked for in the first round, and in later ones."""
FEWEST_SECONDS = 3.0
"""For a training script, as at the beginning of a run (agents.code_generator.training_seconds)."""
STOPPED = "You stopped it."


class Improving(Trying):
    """The search, step by step."""

    def __init__(self, state: State, context: Context, scribe: Scribe) -> None:
        super().__init__(state, context, scribe)
        self._began = time.monotonic()
        digest = state.get("search_hash")
        self._journal = Journal.model_validate(context.vault.get_json(digest)) if digest else None

    async def step(self) -> dict[str, Any] | None:
        """One step; None when there is none, or none any more."""
        journal = self._journal
        if journal is None:
            if not may_search(self._state, self._contract, self._sealed, self._context):
                return None
            journal = await self._begin()
            if not journal.over and not self._state.get("policy", {}).get("code", True):
                await self._scribe.say(Decided("", "search", "approve", "policy"))
        if journal.verdict is not None:
            return None
        if journal.over:
            return await self._end(journal)
        waiting = journal.waiting
        if (pending := asks_for(journal, self._state, self._blocked)) is not None:
            return {**self._noted(journal), "pending": pending}
        if not once_allowed(self._state):
            return self._noted(journal.ended("You said no to it."))
        return self._noted(await (self._ask(journal) if waiting is None else self._try(waiting, journal)))

    def _noted(self, journal: Journal) -> dict[str, Any]:
        return {"search_hash": self._context.vault.put_json(journal.model_dump(mode="json"))}

    # Time

    def _left(self) -> float:
        """Seconds for the search: what the budget leaves after the result is judged, and what was added for it."""
        budget = self._contract.budget_seconds
        kept = budget - training_seconds(budget)
        spent = self._state.get("spent", 0.0) + time.monotonic() - self._began
        return budget + (self._contract.improve_seconds or 0.0) - spent - kept

    def _took(self) -> float:
        """Seconds of the recipe's training on all rows."""
        return float(self._run["seconds"])

    @property
    def _run(self) -> dict[str, Any]:
        found: dict[str, Any] = self._context.vault.get_json(self._state["run_hash"] or "")
        return found

    def _one(self, journal: Journal) -> float:
        """Seconds that one script is expected to take."""
        return min(1.1 * self._took(), journal.node_seconds) + START_SECONDS

    def _needed(self, journal: Journal, scripts: int) -> float:
        """Seconds for so many scripts and the last training on all rows."""
        return scripts * self._one(journal) + 1.2 * self._took() + START_SECONDS

    def _room(self, journal: Journal, scripts: int) -> bool:
        """Whether they would end in time."""
        return self._left() >= self._needed(journal, scripts)

    def _no_room(self, journal: Journal) -> str:
        """Why there is no search, and what would do."""
        more = (self._contract.improve_seconds or 0.0) + self._needed(journal, 1 + DRAFTS) - self._left()
        return f"The budget left no time for it; with {math.ceil(more / 10) * 10} s added (--improve-seconds) it would."

    # Steps

    async def _begin(self) -> Journal:
        code = self._state["code_hash"] or ""
        recipe = parameters(self._context.vault.get_text(code))["TIME_BUDGET"]
        seconds = round(max(FEWEST_SECONDS, min(float(recipe), self._left() / 4)), 1)
        first = Node(id=0, parent=None, kind="recipe", code_hash=code)
        began = self._state.get("spent", 0.0)
        journal = Journal(recipe=code, nodes=(first,), node_seconds=seconds, began=began)
        if not self._room(journal, 2):
            return journal.ended(self._no_room(journal))
        try:
            await asyncio.to_thread(self._inner)
        except SealError as problem:
            return journal.ended(str(problem))
        return journal

    async def _ask(self, journal: Journal) -> Journal:
        """A round is over, or none has begun yet: is another one worth it, and what is tried in it?"""
        journal = journal.counted() if journal.rounds else journal
        if why := journal.enough:
            return journal.ended(why)
        if not self._room(journal, 1):
            return journal.ended("The time for it was used up.")
        await self._scribe.status("IN_PROGRESS", "asking for better scripts")
        chosen = parents(journal)
        most = min(DRAFTS if not journal.rounds else CHANGES, journal.most_more)
        asked = await asyncio.to_thread(self._asked, journal, chosen, most)
        try:
            async with asyncio.timeout(max(1.0, self._left() - self._took())):
                found, who, trouble = await propose(asked, journal, asker(self._state, self._context, self._scribe))
        except TimeoutError:
            return journal.ended("The language model had not answered when the time for it was over.")
        if not found:
            return journal.ended(trouble)
        for draft in found:
            parent = journal.node(draft.parent)
            repaired = parent.repaired + 1 if parent.value is None else 0
            node = Node(
                id=len(journal.nodes),
                parent=parent.id,
                kind=kind_of(parent),
                code_hash=self._context.vault.put_text(draft.code),
                idea=draft.idea,
                hint=draft.hint,
                repaired=repaired,
            )
            journal = journal.with_node(node)
        return journal.model_copy(update={"rounds": journal.rounds + 1, "author": who})

    def _asked(self, journal: Journal, chosen: tuple[Node, ...], most: int) -> Asked:
        contract, profile = self._contract, profile_of(self._state, self._context)
        schema = schema_of(profile, dataset_of(self._state, self._context))
        used = {contract.target, *contract.features}
        told = Schema(tuple(column for column in schema.columns if column.name in used), schema.rows)
        return Asked(
            contract=contract,
            rows=self._sealed.rows_train,
            columns=shown(told, [contract.target], rows_to_show(self._state, self._context)),
            scripts={node.id: self._context.vault.get_text(node.code_hash) for node in journal.nodes},
            veil=self._veil(),
            parents=chosen,
            most=most,
        )

    async def _try(self, node: Node, journal: Journal) -> Journal:
        """One script: checked, run on a part of the training rows, asked about the rest, measured."""
        if node.id and not self._room(journal, 1):
            return journal.ended("The time for it was used up.")
        await self._tell(node, journal, running=True)
        await self._scribe.status("IN_PROGRESS", begun_in_words(node))
        folder = self._place(node.code_hash[:16])
        found = finished(folder)
        if found is None:
            folder.mkdir(parents=True, exist_ok=True)
            found = await self._outcome(node, folder, journal)
            if self._context.halt.asked:
                found = {**found, "status": "failed", "trouble": STOPPED, "told": STOPPED}
            write_json(folder / "done.json", found)
        node = await asyncio.to_thread(self._measured, node, found, folder, journal)
        journal = journal.with_node(node)
        await self._tell(node, journal)
        if node.trouble == STOPPED:
            return journal.ended(STOPPED)
        if node.id == 0 and node.value is None:
            return journal.ended(f"The recipe itself could not be measured on a part of its rows: {node.trouble}")
        return journal

    # The end

    async def _end(self, journal: Journal) -> dict[str, Any]:
        """The candidate, if there is one, is trained on all rows and meets the recipe; then it is said what came of it.

        What `contest` finds is in the state when this is reached the second time.
        """
        candidate = journal.candidate if journal.over != STOPPED else None
        held = self._state.get("contest")
        if candidate is None:
            return await self._said(journal, Verdict(better=False, sentence=""))
        if held is None:
            if finished(self._with(candidate)._folder("train")) is None and not self._room(journal, 0):
                late = (
                    f"Script {candidate.id} was ahead, but no time was left to train it on all rows; the recipe stands."
                )
                return await self._said(journal, Verdict(better=False, sentence=late, candidate=candidate.id))
            if (update := await self._train_on_all(candidate, journal)) is not None:
                return update
            lost = f"Script {candidate.id} was ahead, but its training on all rows did not end well; the recipe stands."
            return await self._said(journal, Verdict(better=False, sentence=lost, candidate=candidate.id))
        verdict = Verdict(
            better=held["winner"] == "script",
            sentence=held["sentence"],
            candidate=candidate.id,
            looks=held.get("looks", 0),
            gain=Difference.model_validate(held["difference"]) if held.get("difference") else None,
        )
        return await self._said(journal, verdict)

    async def _train_on_all(self, node: Node, journal: Journal) -> dict[str, Any] | None:
        """The state in which the candidate stands against the recipe; None when its training failed."""
        context = self._context
        await self._scribe.status("IN_PROGRESS", f"training script {node.id} on all training rows")
        other = self._with(node)
        try:
            found = finished(other._folder("train")) or await other._train_now(node)
        except SandboxError:
            return None
        if found["kind"] != "ok" and not found["kept"]:
            return None
        done = finished(self._place(node.code_hash[:16])) or {}
        reviewed = Review.model_validate(context.vault.get_json(done["review"]))
        code = context.vault.get_text(node.code_hash)
        note = f"script {node.id} of the improvement search, by {journal.author}: {node.idea}"
        findings = tuple(finding.model_dump() for finding in reviewed.findings)
        await self._scribe.say(
            CodeWritten(self._state["attempt"], node.code_hash, "model", len(code.splitlines()), note),
            CodeChecked(self._state["attempt"], node.code_hash, findings, reviewed.blocked),
        )
        return {
            "code_hash": node.code_hash,
            "code_author": "model",
            "code_note": note,
            "review_hash": done["review"],
            "run_hash": context.vault.put_json(found),
            "recipe_hash": self._state["code_hash"],
            "contest": None,
        }

    def _with(self, node: Node) -> "Improving":
        """The same with a script of the search in the place of the recipe."""
        state = State(**{**self._state, "code_hash": node.code_hash, "code_author": "model"})
        return Improving(state, self._context, self._scribe)

    async def _train_now(self, node: Node) -> dict[str, Any]:
        """As the recipe was trained, on all training rows, but not beyond the time for judging the result."""
        folder, context = self._folder("train"), self._context
        job = self._job(
            "train",
            context.vault.get_text(node.code_hash),
            {"train.parquet": self._sealed.train, **self._groups(), "contract.json": self._contract_file(folder)},
            folder / "outputs",
            self._last_limits(),
        )
        live = LiveRun(job.id, self._contract.metric, verified=False)
        with context.halt.possible(job.id):
            outcome = await run_and_tell(context.sandbox, job, self._scribe, unheard(live))
        context.halt.settle(True)
        left = (folder / "outputs" / "model.joblib").is_file()
        if outcome.ok and not left:
            outcome = replace(outcome, kind="error", message="The script ended well but left no outputs/model.joblib.")
        kept = outcome.message if left and outcome.kind in OUT_OF_TIME else None
        return note_end(folder, outcome, job.id, live, kept)

    def _last_limits(self) -> Limits:
        usual = training_limits(self._context.limits, self._contract.budget_seconds, self._context.extra_seconds)
        return replace(usual, seconds=min(usual.seconds, max(self._left(), 1.2 * self._took()) + START_SECONDS))

    async def _said(self, journal: Journal, verdict: Verdict) -> dict[str, Any]:
        journal = journal.model_copy(update={"verdict": verdict})
        gain = verdict.gain
        await self._scribe.say_as(
            self._key("end"),
            SearchEnded(
                attempt=self._state["attempt"],
                chosen=verdict.candidate if verdict.better else 0,
                candidate=verdict.candidate,
                sentence=ended_in_words(journal),
                tried=journal.tried,
                looks=verdict.looks,
                gain=gain.value if gain else None,
                gain_low=gain.ci_low if gain else None,
                gain_high=gain.ci_high if gain else None,
            ),
        )
        took = self._state.get("spent", 0.0) + time.monotonic() - self._began - journal.began
        return {**self._noted(journal), "search_seconds": round(took, 3)}

    # Words

    async def _tell(self, node: Node, journal: Journal, *, running: bool = False) -> None:
        """Each node is told twice, whatever step it happens in and however often that step runs."""
        value: Scalar | None = node.value
        gain, first = node.gain, next(iter(journal.ranked), None)
        event = SearchStep(
            attempt=self._state["attempt"],
            node=node.id,
            parent=node.parent,
            kind=node.kind,
            code_hash=node.code_hash,
            status="running" if running or node.status == "planned" else node.status,
            idea=node.idea,
            sentence="" if running else came_of(node, self._contract),
            metric=self._contract.metric,
            value=value.value if value else None,
            ci_low=value.ci_low if value else None,
            ci_high=value.ci_high if value else None,
            gain=gain.value if gain else None,
            gain_low=gain.ci_low if gain else None,
            gain_high=gain.ci_high if gain else None,
            best=first is not None and first.id == node.id,
            seconds=node.seconds,
        )
        await self._scribe.say_as(self._key(f"{node.id}/{'running' if running else 'done'}"), event)

    def _key(self, what: str) -> str:
        """Of an event of this search, whatever step it is said in."""
        code = self._journal.recipe if self._journal else self._state["code_hash"] or ""
        trained = finished(attempt_folder(self._state, self._context) / f"train-{code[:16]}") or {}
        return f"search/{trained.get('run', code)}/{what}"
