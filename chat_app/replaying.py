"""`modelwright replay`: new rows under an old contract, from the checks to the verdict; no model's help anywhere.

The old project is only read. Retraining is a project of its own, driven by the same graph as any other run: the same
critic, sandbox, seal and scorer, with the contract and the script that are there already.
"""

import asyncio
import hashlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from agents.code_generator import rewrite, write
from agents.events import Audited, CodeWritten, Envelope, Failed, Scored, TurnEnded
from agents.nodes.critic import MAX_TRIES
from agents.state import Request, State
from chat_app.asking import Interrupted
from chat_app.command import cancel_on_sigterm, followed, forget_untrained
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.delivery import Destination, deliver
from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.handing_over import failure_sentence
from chat_app.predicting import predict_file
from chat_app.printable import printable
from chat_app.settings import Settings
from chat_app.terminal import open_screen
from tools.answers import ModelFailed
from tools.chart_images import Renderer
from tools.contract import Contract
from tools.drift import Drift, drift
from tools.fresh import with_old_rows, write_fresh
from tools.ingest import Dataset, ingest
from tools.ingest.errors import counted
from tools.original import Original, OriginalError, open_original
from tools.predictions import PredictionsRefused, write_predictions
from tools.profile import profile
from tools.replay import Finding, Fresh, ReplayError, fit, fresh_rows, judgeable
from tools.replay_report import Json, json_text, replay_charts, replay_json, replay_md
from tools.samples import write_sample
from tools.seal import Sealed, SealError, seal
from tools.versus import Versus, versus

TrainOn = Literal["both", "new"]
MARKS = {"blocks": "✗", "warning": "!", "note": "·"}
REPORT = "replay.json"


@dataclass(frozen=True)
class ReplayOrder:
    """What was typed."""

    project: str
    data: Path | str
    destination: Destination
    yes: bool = False
    train_on: TrainOn = "both"
    budget_seconds: float | None = None


@dataclass
class _Compared:
    """What came of the second half; without a `versus` there is a reason."""

    versus: Versus | None = None
    why_not: str = ""
    training: dict[str, Any] | None = None
    sealed_hash: str = ""
    files: dict[str, Path] = field(default_factory=dict)
    log: Sequence[Envelope] = ()
    findings: tuple[Finding, ...] = ()
    failed: str = ""
    """The retraining or the old model broke down: the rest is delivered all the same, then the command fails."""


@dataclass(frozen=True)
class _Scene:
    """One replay under way."""

    order: ReplayOrder
    settings: Settings
    console: Console
    scratch: Path

    def tell(self, line: str) -> None:
        """One line on the terminal."""
        self.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


async def replay(order: ReplayOrder, settings: Settings, console: Console, read: Callable[[str], str]) -> Json:
    """Do it, show it, write the files; returns replay.json.

    Raises CommandError for everything that a user has to be told, `Interrupted` and CancelledError after a clean stop.
    """
    cancel_on_sigterm()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
        scene = _Scene(order, settings, console, Path(folder))
        try:
            return await _replay(scene, read, began)
        except (OriginalError, ReplayError) as error:
            raise CommandError(BAD_INPUT, str(error)) from error


async def _replay(scene: _Scene, read: Callable[[str], str], began: float) -> Json:
    original, dataset, fresh, findings = await asyncio.to_thread(_examined, scene)
    moved = await asyncio.to_thread(drift, original.reference, fresh.table, original.contract.target)
    _tell_drift(scene, moved)
    compared = await _compared(scene, original, fresh, read)
    if compared.versus is None and not compared.failed:
        compared.files |= await _predicted(scene, original)
    verdict = compared.versus.sentence if compared.versus else compared.why_not
    scene.tell(f"Verdict: {verdict}")
    report = replay_json(
        project=original.name,
        contract=original.contract,
        data=_data(dataset, fresh),
        findings=(*findings, *compared.findings),
        drift=moved,
        versus=compared.versus,
        why_not=compared.why_not,
        training=compared.training,
        hashes=await asyncio.to_thread(_hashes, original, dataset, compared),
        seconds=time.monotonic() - began,
    )
    folder = await asyncio.to_thread(_delivered, scene, report, moved, compared)
    if compared.failed:
        raise CommandError(FAILED, f"{compared.failed} What was found before that is in {folder}.")
    scene.tell(f"Files: {folder}")
    return report


def _examined(scene: _Scene) -> tuple[Original, Dataset, Fresh, tuple[Finding, ...]]:
    """Both tables read, the new one checked, known rows left out; every finding told."""
    order = scene.order
    original = open_original(order.project, scene.settings.home / "projects", scene.scratch)
    scene.tell(f"Replaying {original.name}: predict {original.contract.target} ({original.contract.task}).")
    path = order.data if isinstance(order.data, Path) else write_sample(order.data, scene.scratch)
    dataset = ingest(path, scene.scratch / "data")
    size = f"{counted(dataset.rows, 'row')}, {counted(len(dataset.columns), 'column')}"
    scene.tell(f"Read {dataset.name}: {size}.")
    for line in dataset.account:
        scene.tell(f"  · {line}")
    fitted = fit(original, dataset)
    fresh = fresh_rows(original, fitted)
    findings = (*fitted.findings, *fresh.findings)
    scene.tell(f"Checked against the contract: {counted(len(findings), 'remark') if findings else 'it fits'}.")
    for finding in findings:
        scene.tell(f"  {MARKS[finding.level]} {finding.sentence}")
    return original, dataset, fresh, findings


def _tell_drift(scene: _Scene, found: Drift) -> None:
    scene.tell(f"Drift: {found.sentence}")
    for column in found.moved:
        scene.tell(f"  · {column.sentence}")


async def _compared(scene: _Scene, original: Original, fresh: Fresh, read: Callable[[str], str]) -> _Compared:
    """Both models on fresh sealed rows, or why not."""
    contract = _contract(original, scene.order)
    if contract.target not in fresh.table.column_names:
        return _Compared(why_not=f"The new rows have no “{contract.target}”, so no model can be judged on them.")
    table, findings = judgeable(fresh.table, contract)
    for finding in findings:
        scene.tell(f"  {MARKS[finding.level]} {finding.sentence}")
    project = uuid.uuid4().hex
    try:
        found = await _judged(scene, original, contract, table, project, read)
    except BaseException:
        await forget_untrained(scene.settings, project)
        raise
    if not found.log:  # nothing was trained: the rows that were set apart for it go
        await asyncio.to_thread(shutil.rmtree, scene.settings.project_folder(project), ignore_errors=True)
    found.findings = tuple(findings)
    return found


async def _judged(
    scene: _Scene, original: Original, contract: Contract, table: Any, project: str, read: Callable[[str], str]
) -> _Compared:
    try:
        dataset, sealed = await asyncio.to_thread(_sealed, scene, table, contract, project)
    except SealError as error:
        return _Compared(why_not=f"The models cannot be compared: {error}")
    scene.tell(f"Sealed {counted(sealed.rows_holdout, 'fresh row')} ({sealed.rule} split).")
    if not scene.order.yes and not _agreed(read):
        return _Compared(why_not="You chose not to retrain, so the models were not compared.")
    return await _retrained(scene, original, contract, dataset, sealed, project)


def _contract(original: Original, order: ReplayOrder) -> Contract:
    """The old one; only the time may be another, and no other script than the old one is looked for."""
    budget = order.budget_seconds or original.contract.budget_seconds
    return original.contract.model_copy(update={"budget_seconds": budget, "improve_seconds": None})


def _sealed(scene: _Scene, table: Any, contract: Contract, project: str) -> tuple[Dataset, Sealed]:
    scene.settings.prepare_home()
    folder = scene.settings.project_folder(project)
    dataset = write_fresh(table, Path(scene.order.data).name, folder / "data")
    return dataset, seal(dataset, contract, folder / "seals" / "replay")


def _agreed(read: Callable[[str], str]) -> bool:
    try:
        answer = read("Train again in the sandbox with the same contract and script, and compare? [y]es, [n]o: ")
    except (EOFError, KeyboardInterrupt):
        raise Interrupted from None
    return answer.strip().casefold() in ("y", "yes")


async def _retrained(
    scene: _Scene, original: Original, contract: Contract, dataset: Dataset, sealed: Sealed, project: str
) -> _Compared:
    """A project of its own for the retrained model; the old one predicts first, since that can fail sooner."""
    both = scene.order.train_on == "both" and original.has_rows
    learns = await asyncio.to_thread(_training_part, scene, original, sealed, project, both=both)
    own = _own_script(original)
    script = "the script of the old project" if own else "the recipe of the old project, unmodified"
    rows = f"{sealed.rows_train:,} new" + (f" and {learns.rows_train - sealed.rows_train:,} old" if both else "")
    scene.tell(f"Training on {rows} rows with {script}.")
    training = {"rows": learns.rows_train, "from": f"{rows} rows", "script": script, "project": project}
    async with open_conductor(scene.settings) as conductor:
        folder = scene.settings.project_folder(project)
        try:
            found = await conductor.workers.predict(original.model, contract, sealed.holdout_features)
            await asyncio.to_thread(write_predictions, found, contract, folder / "old" / "predictions.parquet")
        except (ModelFailed, PredictionsRefused) as error:
            why = f"The old model could not predict the fresh rows: {error}"
            return _Compared(why_not=why, failed=why)
        log = await _train(scene, conductor, project, contract, dataset, learns, own)
        return await asyncio.to_thread(_outcome, conductor, project, log, contract, sealed, training)


def _training_part(scene: _Scene, original: Original, sealed: Sealed, project: str, *, both: bool) -> Sealed:
    return (
        with_old_rows(sealed, original, scene.settings.project_folder(project) / "seals" / "both") if both else sealed
    )


def _own_script(original: Original) -> str | None:
    """The script, unless it is word for word what the recipe of this contract is: only that counts as ours."""
    contract, rows = original.contract, original.reference.rows
    recipes = [write(contract, rows), *(rewrite(contract, n, "", rows) for n in range(1, MAX_TRIES))]
    return None if original.script in {recipe.code for recipe in recipes} else original.script


async def _train(
    scene: _Scene,
    conductor: Conductor,
    project: str,
    contract: Contract,
    dataset: Dataset,
    sealed: Sealed,
    script: str | None,
) -> list[Envelope]:
    """The graph from the seal on; returns the log of the turn."""
    policy = Policy(contract=False, code=False)
    title = f"Replay: {contract.request or contract.target}"[:60]
    await conductor.new_project(title=title, door="cli", policy=policy, project=project)
    values = await asyncio.to_thread(_state, conductor, project, contract, dataset, sealed, script)
    try:
        reply = await conductor.take_over(project, title, values)
        if not reply.accepted:
            raise CommandError(FAILED, reply.sentence)
        with open_screen(scene.console) as screen:
            async with aclosing(followed(conductor, project)) as log:
                async for envelope in log:
                    screen.show(envelope)
                    if isinstance(envelope.event, TurnEnded):
                        break
    except (Interrupted, asyncio.CancelledError):
        await conductor.stop(project, keep=False)
        raise
    return await conductor.events(project)


def _state(
    conductor: Conductor, project: str, contract: Contract, dataset: Dataset, sealed: Sealed, script: str | None
) -> State:
    """Everything up to the seal is done: the table is read, the contract approved, the rows are set apart."""
    vault = conductor.vault(project)
    request = Request(kind="model", text=contract.request, target=contract.target).model_dump()
    return State(
        message=contract.request,
        files=[],
        policy={"contract": False, "code": False},
        spent=0.0,
        dataset_hash=vault.put_json(dataset.to_json()),
        profile_hash=vault.put_json(profile(dataset).model_dump(mode="json")),
        request=request,
        goal=request,
        contract_hash=vault.put_json(contract.model_dump(mode="json")),
        contract_approved=True,
        seal_hash=vault.put_json(sealed.to_json()),
        script_hash=vault.put_text(script) if script is not None else None,
        attempt=1,
        tries=0,
        pending=None,
        failure=None,
        outcome=None,
    )


def _outcome(
    conductor: Conductor,
    project: str,
    log: list[Envelope],
    contract: Contract,
    sealed: Sealed,
    training: dict[str, Any],
) -> _Compared:
    events = [envelope.event for envelope in log]
    failed = next((event for event in reversed(events) if isinstance(event, Failed)), None)
    scored = next((event for event in reversed(events) if isinstance(event, Scored)), None)
    if failed is not None or scored is None:
        why = failure_sentence(failed, events) if failed else "The retraining ended without a model."
        return _Compared(why_not=f"The retraining failed: {why}", failed=f"The retraining failed: {why}", log=log)
    audited = next((event.probes for event in reversed(events) if isinstance(event, Audited)), ())
    training["alarms"] = [_alarm(probe) for probe in audited if probe["passed"] is False]
    folder = conductor.settings.project_folder(project)
    code = next(event.code_hash for event in reversed(events) if isinstance(event, CodeWritten))
    work = folder / "attempts" / "1" / f"score-{code[:16]}"
    named = {name: work / "baseline" / f"{name}.parquet" for name in ("dummy", "linear")}
    found = versus(
        sealed,
        folder / "old" / "predictions.parquet",
        work / "model" / "predictions.parquet",
        contract,
        {name: path for name, path in named.items() if path.is_file()},
        looks=scored.looks,
    )
    made = folder / "attempts" / "1" / "artifacts"
    files = {f"retrained/{path.relative_to(made).as_posix()}": path for path in made.rglob("*") if path.is_file()}
    return _Compared(versus=found, training=training, sealed_hash=sealed.hash, files=files, log=log)


def _alarm(probe: Mapping[str, Any]) -> str:
    """What the audit found about the retrained model, and what it means in use."""
    return " ".join(text for text in (str(probe["detail"]), str(probe.get("in_use") or "")) if text)


async def _predicted(scene: _Scene, original: Original) -> dict[str, Path]:
    """Where nothing can be compared, what the old model says about the new rows is all there is."""
    out = scene.scratch / "predictions.csv"
    rows = await predict_file(original.model, scene.order.data, out, scene.settings, lambda _: None)
    scene.tell(f"The old model predicted {counted(rows, 'row')}.")
    return {out.name: out}


def _data(dataset: Dataset, fresh: Fresh) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "rows": dataset.rows,
        "fresh": fresh.table.num_rows,
        "known_from_training": fresh.in_training,
        "known_from_holdout": fresh.in_holdout,
        "account": list(dataset.account),
    }


def _hashes(original: Original, dataset: Dataset, compared: _Compared) -> Mapping[str, str]:
    """SHA-256 of what went in."""
    with (original.model / "model.joblib").open("rb") as model:
        digest = hashlib.file_digest(model, "sha256").hexdigest()
    return {
        "data": dataset.id,
        "old_model": digest,
        "old_code": hashlib.sha256(original.script.encode()).hexdigest(),
        "contract": hashlib.sha256(original.contract.model_dump_json().encode()).hexdigest(),
        "sealed": compared.sealed_hash,
    }


def _delivered(scene: _Scene, report: Json, moved: Drift, compared: _Compared) -> Path:
    pictures = replay_charts(moved, compared.versus)
    with Renderer() as renderer:
        drawn = renderer.render_all(pictures, scene.scratch / "charts")
    (scene.scratch / REPORT).write_text(json_text(report), encoding="utf-8")
    (scene.scratch / "replay.md").write_text(replay_md(report, pictures), encoding="utf-8")
    own = {name: scene.scratch / name for name in (REPORT, "replay.md")}
    files = {**own, **{f"charts/{path.name}": path for path in drawn}, **compared.files}
    return deliver(scene.order.destination, files, compared.log)
