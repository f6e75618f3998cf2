"""Node: answer a question about the data by a script of its own: written by a model, read by the critic, approved, run.

The script reads the table without the sealed rows and leaves an answer and charts as data (tools/analysis.py). What it
says is shown with the numbers that it computed and is no score: nothing here is judged on sealed rows.
"""

import asyncio
import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.analysing import (
    FOLDER,
    NOBODY,
    Source,
    artifact_link,
    begun,
    gate,
    in_markdown,
    supported_text,
)
from agents.context import Context
from agents.events import Answered, ArtifactAdded, ChartReady, Decided
from agents.live import MAX_STDERR, run_and_tell
from agents.llm.egress import shown
from agents.minds.analyst import Asked, write
from agents.minds.asking import asker
from agents.nodes.code_generator import values_of
from agents.nodes.data_scientist import contract_of, dataset_of, profile_of
from agents.nodes.work import finished, forget, sealed_of, write_json
from agents.sampling import rows_to_show
from agents.scribe import Scribe
from agents.state import Failure, State
from sandbox.base import Job, Metric, Output
from tools.analysis import AnalysisError, Found, read_analysis
from tools.chart_images import ChartError
from tools.ingest.errors import counted
from tools.lint import Review, check
from tools.schema import schema_of
from tools.seal import sealed_rows

MAX_TRIES = 2
"""Scripts for one question: the first and one repair."""


async def analyst(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step: write the script, check it, or run it and say what it found."""
    context = runtime.context
    scribe = Scribe(context, config, "code_generator", "PARSE_INTENT")
    request = state["request"] or {}
    analysis = state.get("analysis")
    if not analysis or analysis["request"] != request:
        if not context.models.has("code"):
            await scribe.say(Answered(NOBODY, "unsupported"))
            return _over(state, {"then": state.get("reopen")})
        return {"analysis": begun(state, request), "analyses": state.get("analyses", 0) + 1, "reopen": None}
    if not analysis["code"] or analysis["wish"] or analysis["repair"]:
        return await _write(state, analysis, scribe, context)
    if not analysis["review"]:
        return await _check(state, analysis, scribe, context)
    return await _run(state, analysis, scribe, context)


def _may_hear_of_pictures(context: Context) -> bool:
    """What was seen in a picture goes only where the picture was allowed to go, or where values may leave."""
    seeing, writing = (context.models.roles.get(role, ()) for role in ("vision", "code"))
    agreed = {one.base_url for one in seeing[:1]}
    return context.models.egress == "sample" or {one.base_url for one in writing} <= agreed


def _over(state: State, analysis: dict[str, Any]) -> dict[str, Any]:
    """The question is answered, or cannot be; the gate at which it was asked opens again."""
    if analysis["then"]:
        goal = state.get("goal") or state["request"]
        return {"analysis": None, "pending": analysis["then"], "reopen": None, "request": goal}
    return {"analysis": None, "outcome": "done"}


async def _write(state: State, analysis: dict[str, Any], scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS", "writing a script that answers")
    profile = profile_of(state, context)
    schema = schema_of(profile, dataset_of(state, context))
    picture = state.get("picture") or {}
    asked = Asked(
        question=analysis["request"]["text"],
        columns=shown(schema, rows=rows_to_show(state, context)),
        names=schema.names,
        rows=profile.rows,
        values=values_of(profile),
        script=context.vault.get_text(analysis["code"]) if analysis["code"] else "",
        wish=analysis["wish"],
        stderr=analysis["stderr"],
        trouble=analysis["trouble"],
        picture=str(picture.get("description", "")) if _may_hear_of_pictures(context) else "",
    )
    found = await write(asked, _asker(state, analysis, context, scribe))
    if not found.code and analysis["wish"] and analysis["code"]:
        said = found.trouble or f"{found.who} finds that this table cannot give it: {found.missing}."
        await scribe.say(Answered(f"{said} The script is as it was.", "notice"))
        return {"analysis": {**analysis, "wish": ""}, "pending": gate(_blocked(analysis, context))}
    if not found.code:
        return await _without_script(state, analysis, found.trouble, found.missing, scribe, context)
    digest = context.vault.put_text(found.code)
    note = f"written by {found.who}: {found.reason}"
    lines = len(found.code.splitlines())
    await scribe.status("IN_PROGRESS", f"script of {counted(lines, 'line')}, {note}")
    fresh = {
        "code": digest,
        "author": "model",
        "note": note,
        "who": found.who,
        "review": None,
        "wish": "",
        "repair": False,
    }
    return {"analysis": {**analysis, **fresh, "approved": False, "shown": analysis["code"]}}


def _asker(state: State, analysis: dict[str, Any], context: Context, scribe: Scribe) -> Any:
    one = asker(state, context, scribe)
    return replace(one, kept=one.kept / f"analysis-{analysis['number']}") if one.kept else one


def _blocked(analysis: dict[str, Any], context: Context) -> bool:
    return bool(analysis["review"]) and Review.model_validate(context.vault.get_json(analysis["review"])).blocked


async def _without_script(
    state: State, analysis: dict[str, Any], trouble: str, missing: str, scribe: Scribe, context: Context
) -> dict[str, Any]:
    """Nobody wrote one that holds: what the table lacks, or what went wrong."""
    if missing:
        text = f"This table cannot answer that: {missing}."
        await scribe.say(Answered(text, "unsupported", {"missing": missing}))
        await scribe.status("COMPLETED", "analyse")
        over = _over(state, analysis)  # a plan is told by its request what came of a step
        return {"request": {**analysis["request"], "kind": "unsupported", "reply": text}, **over}
    return await _failed(state, analysis, f"No script could be written: {trouble}", scribe)


async def _failed(state: State, analysis: dict[str, Any], sentence: str, scribe: Scribe) -> dict[str, Any]:
    """At a gate of a model the failed question is a notice; alone it is how the turn ends."""
    if analysis["then"]:
        await scribe.say(Answered(sentence, "notice"))
        return _over(state, analysis)
    advice = "Ask it in other words, or configure another model for the role “code”."
    failure = Failure(stage="PARSE_INTENT", culprit="script", sentence=sentence, advice=advice)
    return {"analysis": None, "failure": failure}


async def _check(state: State, analysis: dict[str, Any], scribe: Scribe, context: Context) -> dict[str, Any]:
    """On to the gate; the findings are on its card."""
    code = context.vault.get_text(analysis["code"])
    names = [column.name for column in profile_of(state, context).columns]
    findings = await asyncio.to_thread(lambda: check(code, features=names))
    found = Review(code_hash=analysis["code"], findings=findings)
    digest = context.vault.put_json(found.model_dump(mode="json"))
    checked = {**analysis, "review": digest}
    if state.get("policy", {}).get("code", True):
        return {"analysis": checked, "pending": gate(found.blocked)}
    if found.blocked:  # nobody is there to be asked
        worst = next(finding for finding in findings if finding.blocks)
        sentence = f"The script was not run: {worst.sentence.rstrip('.')} (line {worst.line}, {worst.rule})."
        return await _failed(state, checked, sentence, scribe)
    await scribe.say(Decided("", "analysis", "approve", "policy", ""))
    return {"analysis": {**checked, "approved": True}}


async def _run(state: State, analysis: dict[str, Any], scribe: Scribe, context: Context) -> dict[str, Any]:
    if not analysis["approved"]:
        return {"pending": gate(_blocked(analysis, context))}
    await scribe.status("IN_PROGRESS", f"running the script ({context.sandbox.isolation})")
    table, rows, left_out = await asyncio.to_thread(_table, state, context)
    folder = context.folder / "analyses" / f"{analysis['number']}-{analysis['code'][:16]}"
    done = finished(folder) or await _run_now(analysis, folder, table, scribe, context)
    trouble = "" if done["kind"] == "ok" else _how_it_ended(done)
    try:
        if trouble:
            raise AnalysisError(trouble)
        found = await asyncio.to_thread(read_analysis, folder / "outputs", f"analysis-{analysis['number']}")
    except AnalysisError as problem:
        tries = analysis["tries"] + 1
        if tries < MAX_TRIES and analysis["author"] == "model" and context.models.has("code"):
            again = {
                "tries": tries,
                "trouble": str(problem),
                "stderr": done["stderr"],
                "review": None,
                "approved": False,
            }
            return {"analysis": {**analysis, **again, "repair": True}}
        return await _failed(state, analysis, f"The script gave no answer: {done.get('told') or problem}.", scribe)
    await _answer(state, analysis, found, rows, left_out, scribe, context)
    await scribe.status("COMPLETED", "analyse")
    return _over(state, analysis)


def _how_it_ended(done: dict[str, Any]) -> str:
    """For the model: the sandbox's own sentence about an error quotes the script's last words, so it is left out."""
    return "the script ended with an error" if done["kind"] == "error" else str(done["told"]).rstrip(".")


async def _run_now(
    analysis: dict[str, Any], folder: Path, table: Path, scribe: Scribe, context: Context
) -> dict[str, Any]:
    outputs = folder / "outputs"
    forget(outputs)
    outputs.mkdir(parents=True)
    script = context.vault.get_text(analysis["code"])
    job = Job(
        f"analysis-{analysis['number']}-{uuid.uuid4().hex}", script, {"table.parquet": table}, outputs, context.limits
    )
    said = [""]

    def hear(item: Metric | Output) -> None:
        if isinstance(item, Output) and item.stream == "stderr":
            said[0] = (said[0] + item.text)[-MAX_STDERR:]

    outcome = await run_and_tell(context.sandbox, job, scribe, hear)
    done = {"kind": outcome.kind, "told": outcome.message, "stderr": said[0], "seconds": outcome.seconds}
    write_json(folder / "done.json", done)
    return done


def _table(state: State, context: Context) -> tuple[Path, int, int]:
    """The table for the script, its rows, and how many sealed rows were left out of it."""
    dataset = dataset_of(state, context)
    if not (state.get("seal_hash") and state.get("contract_hash")):
        return dataset.path, dataset.rows, 0
    sealed = sealed_of(state, context)
    path = context.folder / "analyses" / f"table-{sealed.hash[:16]}.parquet"
    left_out = sealed_rows(dataset.path, dataset.id, contract_of(state, context))
    if not path.is_file():
        whole = pq.read_table(dataset.path)
        kept = np.ones(whole.num_rows, dtype=bool)
        kept[left_out] = False
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        pq.write_table(whole.filter(kept), partial)
        partial.replace(path)
    return path, dataset.rows - len(left_out), len(left_out)


async def _answer(
    state: State,
    analysis: dict[str, Any],
    found: Found,
    rows: int,
    left_out: int,
    scribe: Scribe,
    context: Context,
) -> None:
    names = [column.name for column in profile_of(state, context).columns]
    text, gone = supported_text(found.answer, names, analysis["request"]["text"])
    place = f"{FOLDER}-{analysis['number']}"
    by = analysis["who"] if analysis["author"] == "model" else "you"
    source = Source(by, rows, left_out)
    saved = in_markdown(found.answer, text, gone, source)
    files = await asyncio.to_thread(_files, place, analysis, found, saved, context)
    charts = [
        ChartReady(0, chart.name, chart.title, context.vault.put_json(chart.spec), chart.alt) for chart in found.charts
    ]
    await scribe.say(*charts, *files)
    link = artifact_link(context.project, f"{place}/analysis.py")
    shown_charts = [
        {"name": one.name, "title": one.title, "spec_hash": one.spec_hash, "alt": one.alt} for one in charts
    ]
    told = {"numbers": found.answer.numbers, "code_hash": analysis["code"], "sentences_left_out": gone}
    said = in_markdown(found.answer, text, gone, source, link)
    await scribe.say(Answered(said, "analysis", {**told, **vars(source), "charts": shown_charts}))


def _files(
    place: str, analysis: dict[str, Any], found: Found, text: str, context: Context
) -> tuple[ArtifactAdded, ...]:
    """What can be taken along: the answer, its numbers, the script, the charts as pictures."""
    folder = context.folder / "attempts" / "0" / "artifacts" / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answer.md").write_text(f"{text}\n", encoding="utf-8")
    (folder / "answer.json").write_text(found.answer.model_dump_json(indent=1), encoding="utf-8")
    (folder / "analysis.py").write_text(context.vault.get_text(analysis["code"]), encoding="utf-8")
    for chart in found.charts:
        (folder / f"{chart.name}.vl.json").write_text(json.dumps(chart.spec), encoding="utf-8")
        try:
            (folder / f"{chart.name}.png").write_bytes(context.renderer.png(chart.spec))
        except (ChartError, OSError):  # the specification is there, and the chat draws it by itself
            continue
    return tuple(_file(path, place) for path in sorted(folder.iterdir()))


def _file(path: Path, place: str) -> ArtifactAdded:
    kinds = {".py": "code", ".png": "chart", ".md": "report"}
    content = path.read_bytes()
    kind: Any = kinds.get(path.suffix, "data")
    return ArtifactAdded(0, f"{place}/{path.name}", kind, len(content), hashlib.sha256(content).hexdigest())
