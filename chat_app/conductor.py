"""One conductor, many doors: start, decide, rewind, stop, subscribe. Runs live here, outside any browser session."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command
from sqlalchemy.exc import SQLAlchemyError

from agents.context import Context
from agents.events import (
    Decided,
    Envelope,
    Failed,
    MessageReceived,
    Rewound,
    StageStatus,
    Stopped,
    TurnEnded,
    WaitingConfirmation,
)
from agents.graph import RECURSION_LIMIT, Graph, build_graph
from agents.halting import Halt
from agents.human import gate_payload, objection, spoken, wants_to_go_on
from agents.llm.spending import Spending
from agents.state import STAGES, Decision, Gate, Pending, Stage, State
from agents.tracing import Tracing
from chat_app.files import ProjectFiles
from chat_app.inbox import Order
from chat_app.isolation import open_for
from chat_app.log import EventLog
from chat_app.model_desk import ModelDesk
from chat_app.model_settings import Metered, ModelSettings, ModelTest
from chat_app.rewind import repaired, rewound, taken_over
from chat_app.settings import Settings
from chat_app.snapshot import LIVE_TYPES, Snapshot, snapshot
from chat_app.store import Door, ProjectInfo, Store, migrate, now, open_store
from chat_app.tracing import tracing_of
from sandbox.base import Sandbox
from tools.chart_images import Renderer
from tools.vault import Vault
from tools.worker import Workers

_logger = logging.getLogger(__name__)

_GATE_STAGE: Mapping[Gate, Stage] = {
    "question": "PARSE_INTENT",
    "plan": "PARSE_INTENT",
    "analysis": "PARSE_INTENT",
    "contract": "PREPROCESS",
    "code": "TRAIN",
    "blocked": "TRAIN",
    "search": "TRAIN",
    "script": "TRAIN",
}


KEEPING = "The training was stopped; the best model so far is kept and judged now. Stop again to end it all."


@dataclass(frozen=True)
class Policy:
    """Which gates ask a person."""

    contract: bool = True
    code: bool = True


@dataclass(frozen=True)
class Reply:
    """Whether a command was taken; if not, one sentence why."""

    accepted: bool
    sentence: str = ""


@dataclass
class _Live:
    """What exists of a project in this process only."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None
    settling: bool = False
    """The graph has stopped; the task only says what it stopped for."""
    control: RunControl | None = None
    halt: Halt = field(default_factory=Halt)

    async def settled(self) -> None:
        """Who acts on the last event at once need not be told that the project is still working."""
        if self.settling and self.task is not None:
            await asyncio.wait([self.task])

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()


class Conductor:
    """Owns every run. Commands of one project are taken one after the other."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        graph: Graph,
        sandbox: Sandbox,
        renderer: Renderer,
        tracing: Tracing | None = None,
    ) -> None:
        self.settings = settings
        self.tracing = tracing or Tracing()
        self.store = store
        self.log = EventLog(store)
        self.sandbox = sandbox
        self.workers = Workers(sandbox, settings.limits)
        self.desk = ModelDesk(settings, store)
        self.desk.models.tracing = self.tracing
        self._graph = graph
        self._renderer = renderer
        self._files = ProjectFiles(settings)
        self._live: dict[str, _Live] = {}
        self._draining = False

    # Commands

    async def new_project(
        self, *, title: str = "", door: Door = "chat", policy: Policy | None = None, project: str | None = None
    ) -> str:
        """Make a project (or find the one with this id) and return its id."""
        name = project or uuid.uuid4().hex
        chosen = policy or Policy(self.settings.ask_contract, self.settings.ask_code)
        at = now()
        await self.store.add_project(ProjectInfo(name, title, door, "idle", vars(chosen), at, at))
        return name

    async def start(
        self,
        project: str,
        message: str,
        files: Sequence[Path | str] = (),
        *,
        script: str | None = None,
        budget_seconds: float | None = None,
        seed: int | None = None,
        costs: str | None = None,
        model: Mapping[str, Any] | None = None,
        split: str | None = None,
        drop: Sequence[str] = (),
        sample_rows: int | None = None,
        profile: str | None = None,
        weight_column: str | None = None,
        improve: float | bool | None = None,
        model_budget: Mapping[str, Any] | None = None,
        send_pictures: bool = False,
    ) -> Reply:
        """Begin a turn. At a question the message is its answer. Refused while a turn is running.

        `improve`: whether a better script is searched for; as a number, so many seconds more than the budget leaves.
        `model_budget`: fields of `Allowance` that bound the language models in this run, instead of the settings'.
        `send_pictures`: it was agreed in advance that a picture leaves for the model that reads it.
        `files`: paths, or names of built-in samples; copied before this returns. Raises OSError when that fails.
        """
        live = self._of(project)
        async with live.lock:
            await live.settled()
            if refusal := await self._cannot_start(project, live):
                return refusal
            if problem := self.desk.objection(model_budget or {}):
                return Reply(False, problem)
            pending = None if files else await self._pending(project)
            if pending and (decision := spoken(message, pending[1]["gate"])):
                return await self._decide(project, live, pending[0], decision)
            if not files and not pending and (order := await self._going_on(project, message)):
                await self._take_up(project, live, order)
                return Reply(True)
            names = [Path(file).name for file in files]
            copies = [str(path) for path in await asyncio.to_thread(self._files.take, project, files)]
            info = await self._info(project)
            state = await self._state(project)
            turn = state.get("turn", 0) + 1
            await self.store.change_project(project, title=info.title or _title(message, names))
            values = State(
                turn=turn,
                message=message,
                request=None,
                pending=None,
                plan=state.get("plan") if pending else None,  # what is said at a gate does not end the rest of a plan
                reopen=Pending(gate=pending[1]["gate"], title=pending[1]["title"]) if pending else None,
                failure=None,
                outcome=None,
                spent=0.0,
                policy=info.policy,
            )
            values["files"] = copies  # also when there are none: a file that could not be read is not tried again
            if budget_seconds is not None:
                values["budget_seconds"] = budget_seconds
            if seed is not None:
                values["seed"] = seed
            if costs is not None:
                values["costs"] = costs
            if model:
                values["model"] = dict(model)
            if split is not None:
                values["split"] = split
            if drop:
                values["drop"] = list(drop)
            if sample_rows is not None:
                values["sample_rows"] = sample_rows
            if profile is not None:
                values["profile"] = profile
            if weight_column is not None:
                values["weight_column"] = weight_column
            if improve is not None:
                values["improve_seconds"] = None if improve is False else float(improve is not True and improve)
            if model_budget is not None:
                values["model_budget"] = dict(model_budget)
            if send_pictures:
                values["send_pictures"] = True
            values["script_hash"] = self.vault(project).put_text(script) if script is not None else None
            said = MessageReceived(message, tuple(names))
            await self._take_up(project, live, Order(f"turn-{turn}-message", said, values=dict(values)))
            return Reply(True)

    async def take_over(self, project: str, message: str, values: State) -> Reply:
        """Begin a turn whose table, contract and seal are there already, as those of a replay."""
        live = self._of(project)
        async with live.lock:
            await live.settled()
            if refusal := await self._cannot_start(project, live):
                return refusal
            turn = (await self._state(project)).get("turn", 0) + 1
            begun = {**values, "turn": turn}
            await self._take_up(project, live, Order(f"turn-{turn}-message", MessageReceived(message), values=begun))
            return Reply(True)

    async def decide(self, project: str, interrupt_id: str, decision: Decision) -> Reply:
        """Answer the gate that waits. A stale, second or unknown click changes nothing and says so."""
        live = self._of(project)
        async with live.lock:
            await live.settled()
            if live.running:
                return Reply(False, "This was decided already; the project is working.")
            return await self._decide(project, live, interrupt_id, decision)

    async def _decide(self, project: str, live: _Live, interrupt_id: str, decision: Decision) -> Reply:
        if self._draining:
            return Reply(False, "The server is shutting down; your decision is still waiting after the restart.")
        pending = await self._pending(project)
        if pending is None:
            return Reply(False, "Nothing is waiting for a decision.")
        waiting, gate = pending
        if waiting != interrupt_id:
            return Reply(False, "This question is not open any more; please look at the newest one.")
        state = await self._state(project)
        vault, templates = self.vault(project), self.settings.template_folder
        if problem := await asyncio.to_thread(objection, decision, state, vault, templates):
            return Reply(False, problem)
        said = Decided(waiting, gate["gate"], decision.action, "user", decision.reason or decision.answer or "")
        if decision.action == "approve_rest":
            await self.store.change_project(project, policy=vars(Policy(False, False)))
        resume = {waiting: decision.model_dump()}
        stage = _GATE_STAGE[gate["gate"]]
        await self._take_up(project, live, Order(f"decided-{waiting}", said, stage, resume=resume))
        return Reply(True)

    async def rewind(
        self, project: str, stage: str, changes: Mapping[str, Any] | None = None, script: str | None = None
    ) -> Reply:
        """Go back to a stage and do it, and what follows, again. The old branch stays in the log and on disk.

        `changes`: fields of the contract, for the stage PREPROCESS; the changed plan is asked about before it runs.
        `script`: SHA-256 of a script of this project that is taken over, for the stage TRAIN; it is checked and asked
        about before it runs.
        """
        if stage not in STAGES:
            return Reply(False, f"There is no stage {stage!r} (the stages are {', '.join(STAGES)}).")
        live = self._of(project)
        async with live.lock:
            await live.settled()
            if live.running:
                return Reply(False, "The project is working; stop it before you go back.")
            if self._draining:
                return Reply(False, "The server is shutting down; please try again after the restart.")
            state = await self._state(project)
            if changes and stage != "PREPROCESS":
                return Reply(False, "Only a plan can be changed: go back to PREPROCESS for that.")
            if script and stage != "TRAIN":
                return Reply(False, "A script is taken over at the stage TRAIN.")
            if changes:
                values, problem = await asyncio.to_thread(repaired, state, changes, self.vault(project))
            elif script:
                values, problem = await asyncio.to_thread(taken_over, state, script, self.vault(project))
            else:
                values, problem = rewound(state, stage)
            if values is None:
                return Reply(False, problem)
            turn = state.get("turn", 0) + 1
            again = {**values, "turn": turn, "spent": 0.0}
            await self._take_up(project, live, Order(f"turn-{turn}-rewound", Rewound(stage), stage, values=again))
            return Reply(True)

    async def stop(self, project: str, *, keep: bool = True) -> Reply:
        """Stop what is running; everything finished so far is kept.

        While a script trains, the first stop ends only the training, and the best model that it has saved is scored and
        reported; the second ends it all, and so does the first without `keep`.
        """
        live = self._of(project)
        if keep and live.halt.waits:
            return Reply(True, KEEPING)  # one press, heard twice
        async with live.lock:
            await live.settled()
            if not live.running or live.task is None:
                return Reply(False, "Nothing is running.")
            if keep and await self._halted(live):
                return Reply(True, KEEPING)
            live.task.cancel()
            await asyncio.wait([live.task])
            state = await self._state(project)
            at = await self._current_stage(project)
            key = f"turn-{state.get('turn', 0)}-stopped-{uuid.uuid4().hex}"
            await self.log.say(project, f"{key}-stage", StageStatus(at, "PENDING", "stopped by you"), at)
            await self.log.say(project, key, Stopped(at), at)
            await self._end(project, f"{key}-end", "stopped")
            return Reply(True)

    async def _halted(self, live: _Live) -> bool:
        """Whether a training run was ended and the work goes on with the model that it has saved."""
        asked = live.halt.ask()
        if asked is None or live.task is None:
            return False
        run, kept = asked
        if not await self.sandbox.stop(run):
            live.halt.settle(False)
            return False
        ends: set[asyncio.Future[Any]] = {live.task, kept}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return kept.result() if kept.done() else live.task.done()

    async def halt(self, project: str) -> bool:
        """End only the training that is going on; False when none is, or when it has saved no model yet."""
        live = self._of(project)
        async with live.lock:
            await live.settled()
            return live.running and await self._halted(live)

    async def configure_model(self, role: str, fields: Mapping[str, Any]) -> Reply:
        """Change who answers for a role, from the next call on; see `RoleStore.change_role` for the fields."""
        problem = await self.desk.configure_role(role, fields)
        return Reply(not problem, problem)

    async def configure_models(self, fields: Mapping[str, Any]) -> Reply:
        """Change the egress mode (`egress`) or budgets (fields of `Budgets`), of all projects."""
        problem = await self.desk.configure(fields)
        return Reply(not problem, problem)

    async def test_model(self, role: str, what: str) -> ModelTest:
        """Ask a role's model for one thing of `TEST_KINDS`; LookupError when there is no such role or test."""
        return await self.desk.test(role, what)

    async def model_settings(self) -> ModelSettings:
        """Who is configured, what may leave, what it may cost and has cost today; never a key."""
        return await self.desk.settings()

    async def model_meter(self, project: str) -> Metered:
        """What has left for language models from one project."""
        return await self.desk.meter(project)

    async def set_policy(self, project: str, policy: Policy) -> None:
        """Which gates ask from the next turn on."""
        await self.store.change_project(project, policy=vars(policy))

    # What doors read

    def subscribe(self, project: str, after_seq: int = 0) -> AsyncIterator[Envelope]:
        """Replay the log from a sequence number, then go on live, without an end."""
        return self.log.subscribe(project, after_seq)

    async def events(self, project: str, after_seq: int = 0) -> list[Envelope]:
        """The log so far."""
        return await self.store.read(project, after_seq)

    async def get_state(self, project: str) -> Snapshot:
        """The present state of a project; LookupError when there is none."""
        info = await self._info(project)
        envelopes = await self.store.read(project, without=LIVE_TYPES)
        return snapshot(project, info.title, info.policy, envelopes)

    async def projects(self) -> list[ProjectInfo]:
        """Newest first."""
        return await self.store.all_projects()

    def vault(self, project: str) -> Vault:
        """Files behind the hashes in this project's events."""
        return self._files.vault(project)

    def artifact_path(self, project: str, attempt: int, name: str) -> Path:
        """A file named by ARTIFACT_ADDED; LookupError when there is none."""
        return self._files.artifact(project, attempt, name)

    async def wait(self, project: str) -> None:
        """Until the running turn ends or stands at a gate."""
        task = self._of(project).task
        if task is not None:
            await asyncio.wait([task])

    # Life

    async def warm(self) -> None:
        """Get sandbox and chart drawing ready, so that the first run starts fast."""
        self._renderer.warm()
        await self.sandbox.warm()

    async def recover(self) -> list[str]:
        """Continue what a crash or a shutdown cut off; returns the projects that go on."""
        resumed = []
        for info in await self.store.all_projects():
            if info.door != "chat":
                continue  # a command line that died has nobody waiting for it
            live = self._of(info.id)
            async with live.lock:
                if live.running or info.status == "idle":
                    continue  # idle with a task left: the user stopped it, or it failed and said so
                if await self._resume(info, live):
                    resumed.append(info.id)
        return resumed

    async def _resume(self, info: ProjectInfo, live: _Live) -> bool:
        """Go on where the log and the checkpoint say; False when the project waits or had ended already."""
        found = await self._graph.aget_state(self._config(info.id))
        if info.inbox is not None:
            last = Order.from_json(info.inbox)
            if not last.was_taken(found):
                await self._take_up(info.id, live, last)
                return True
        # not `next`: it is empty as well when a task has finished and only its successor was not yet written
        if found.tasks and not found.interrupts:
            self._launch(info.id, live, None)
            return True
        await self._announce(info.id)
        return False

    async def drain(self) -> None:
        """Shut down: no new node starts, sandboxes in flight end, state is saved for the next start."""
        self._draining = True
        tasks = [live.task for live in self._live.values() if live.running and live.task is not None]
        for live in self._live.values():
            if live.control is not None:
                live.control.request_drain()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=2.0)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    # Inside

    async def _take_up(self, project: str, live: _Live, order: Order) -> None:
        """Write the command down, say it, do it."""
        await self.store.change_project(project, status="running", inbox=order.to_json())
        await self.log.say(project, order.key, order.event, order.stage)
        self._launch(project, live, Command(resume=order.resume) if order.resume else order.values)

    def _launch(self, project: str, live: _Live, values: Any) -> None:
        live.control, live.settling, live.halt = RunControl(), False, Halt()
        live.task = asyncio.create_task(self._drive(project, values, live.control), name=f"project-{project}")

    async def _drive(self, project: str, values: Any, control: RunControl) -> None:
        try:
            stream = self._graph.astream(
                values,
                self._config(project),
                context=self._context(project, await self._spending(project, values)),
                stream_mode=["updates"],
                durability="sync",
                control=control,
            )
            with self.tracing.span("turn", {"session.id": project}):
                async for _ in stream:
                    pass
            self._of(project).settling = True
            await self._announce(project)
        except GraphDrained:
            return
        except Exception as error:  # whatever it is, the person who waits is told and the next message finds us ready
            _logger.exception("project %s", project)
            self.tracing.report(error)
            with contextlib.suppress(SQLAlchemyError, OSError):  # a full disk: not even this can be written down
                await self._product_failed(project, error)

    async def _announce(self, project: str) -> None:
        """Say what the graph stopped for: a gate, or the end of the turn."""
        pending = await self._pending(project)
        if pending is None:
            state = await self._state(project)
            await self._end(project, f"turn-{state.get('turn', 0)}-end", state.get("outcome") or "done")
            return
        waiting, gate = pending
        state = await self._state(project)
        context = self._context(project, await self._spending(project, None))
        payload = await asyncio.to_thread(gate_payload, state, context)
        stage = _GATE_STAGE[gate["gate"]]
        await self.log.say(project, f"waiting-{waiting}-stage", StageStatus(stage, "WAITING_CONFIRMATION"), stage)
        said = WaitingConfirmation(waiting, gate["gate"], gate["title"], payload)
        await self.log.say(project, f"waiting-{waiting}", said, stage)
        await self.store.change_project(project, status="waiting")

    async def _product_failed(self, project: str, error: Exception) -> None:
        at = await self._current_stage(project)
        key = f"failed-{uuid.uuid4().hex}"
        disk_full = isinstance(error, OSError)
        sentence = (
            f"{error}" if disk_full else f"Something in Modelwright itself failed: {type(error).__name__}: {error}"
        )
        advice = "Nothing is lost: say it again, or go back a stage."
        await self.log.say(project, key, Failed(at, "product", sentence, advice), at)
        await self._end(project, f"{key}-end", "failed")

    async def _end(self, project: str, key: str, outcome: Any) -> None:
        await self.log.say(project, key, TurnEnded(outcome))
        await self.store.change_project(project, status="idle")

    async def _going_on(self, project: str, message: str) -> Order | None:
        """What "go on" means after a stop, a failure of ours or a rejection; None when it means nothing special."""
        if not wants_to_go_on(message):
            return None
        found = await self._graph.aget_state(self._config(project))
        said = MessageReceived(message)
        if found.tasks:
            return Order(f"again-{uuid.uuid4().hex}", said)
        shown = found.values.get("plan") and not found.values["plan"]["approved"]
        if found.values.get("outcome") != "rejected" or not (shown or found.values.get("goal")):
            return None
        turn = found.values["turn"] + 1
        again = {"turn": turn, "outcome": None, "failure": None, "spent": 0.0}
        again["request"] = None if shown else found.values["goal"]
        return Order(f"turn-{turn}-message", said, values=again)

    async def _cannot_start(self, project: str, live: _Live) -> Reply | None:
        if self._draining:
            return Reply(False, "The server is shutting down; please try again after the restart.")
        if live.running:
            return Reply(False, "I am still working on your last message; stop it first, or wait until it is done.")
        if await self.store.project(project) is None:
            return Reply(False, "There is no such project.")
        return None

    async def _info(self, project: str) -> ProjectInfo:
        info = await self.store.project(project)
        if info is None:
            raise LookupError(f"No project {project!r}")
        return info

    async def _state(self, project: str) -> State:
        found = await self._graph.aget_state(self._config(project))
        return cast(State, found.values)

    async def _pending(self, project: str) -> tuple[str, dict[str, Any]] | None:
        found = await self._graph.aget_state(self._config(project))
        for waiting in found.interrupts:
            return waiting.id, waiting.value
        return None

    async def _current_stage(self, project: str) -> Stage:
        envelopes = await self.store.read(project, without=LIVE_TYPES)
        stages = [envelope.stage for envelope in envelopes if envelope.stage]
        return stages[-1] if stages else "DATA_SOURCE"

    def _of(self, project: str) -> _Live:
        return self._live.setdefault(project, _Live())

    def _config(self, project: str) -> RunnableConfig:
        return {"configurable": {"thread_id": project}, "recursion_limit": RECURSION_LIMIT}

    async def _spending(self, project: str, values: Any) -> Spending:
        """The account of the models' work in this turn."""
        state = {**await self._state(project), **(values if isinstance(values, dict) else {})}
        return await self.desk.spending(project, state.get("model_budget") or {})

    def _context(self, project: str, spending: Spending | None = None) -> Context:
        return Context(
            project=project,
            folder=self._files.folder(project),
            vault=self.vault(project),
            journal=self.log.of(project),
            sandbox=self.sandbox,
            workers=self.workers,
            limits=self.settings.limits,
            extra_seconds=self.settings.extra_seconds,
            renderer=self._renderer,
            budget_seconds=self.settings.budget_seconds,
            seed=self.settings.seed,
            blueprints=self.settings.blueprints,
            templates=self.settings.template_folder,
            owner=self.settings.owner,
            models=self.desk.models,
            spending=spending or Spending(),
            improve=self.settings.improve,
            halt=self._of(project).halt,
            tracing=self.tracing,
        )


def _title(message: str, names: Sequence[str]) -> str:
    text = " ".join(message.split()) or ", ".join(names)
    return text if len(text) <= 60 else text[:59] + "…"


@asynccontextmanager
async def open_conductor(settings: Settings, sandbox: Sandbox | None = None) -> AsyncIterator[Conductor]:
    """Open stores and sandbox; on leaving, drain and close them.

    Raises OSError when the home folder cannot be written, SandboxUnavailable when this machine offers no isolation.
    """
    settings.prepare_home()
    await asyncio.to_thread(migrate, settings.database)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.database))
        saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(settings.checkpoints)))
        # strict: a checkpoint holds JSON values only, so no class of anyone is ever built from it
        saver.serde = JsonPlusSerializer(allowed_msgpack_modules=None)
        await saver.setup()
        settings.checkpoints.chmod(0o600)
        tracing = await stack.enter_async_context(tracing_of(settings))
        used = sandbox or open_for(settings)
        stack.push_async_callback(used.close)
        renderer = stack.enter_context(Renderer())
        conductor = Conductor(settings, store, build_graph(saver), used, renderer, tracing)
        try:
            yield conductor
        finally:
            await conductor.drain()
            await conductor.desk.models.close()
            await conductor.workers.close()
