"""Node: everything that is said to the user at the end of a turn, and the files that they can take along."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents.context import Context
from agents.events import Answered, ArtifactAdded, ChartReady, Failed, NotebookReady
from agents.minds.asking import asker
from agents.minds.reporter import in_words
from agents.nodes.contest import contest_note
from agents.nodes.data_scientist import contract_of, dataset_of, profile_of
from agents.nodes.explainer import FILE as EXPLANATION
from agents.nodes.explainer import explain_again, kept_result
from agents.nodes.predicting import predicted
from agents.nodes.work import attempt_folder, predictions_of, sealed_of, work_folder
from agents.plan import plan_of
from agents.planning.blueprints import offer
from agents.preparing import contract_ahead, preparation
from agents.reporter import describe, why
from agents.scribe import Scribe
from agents.search.results import scripts_to_take, searched
from agents.state import State
from prompts.render import render
from tools.audit import Probe
from tools.blueprints.outcome import outcome
from tools.blueprints.shelf import shelf
from tools.candidates import candidates
from tools.charts import Chart
from tools.curves import curves
from tools.export import export
from tools.formulas import computed
from tools.honest import honest
from tools.importance import Importance
from tools.lint import Review
from tools.markdown import plain
from tools.report import answer_text, report_json
from tools.result_charts import result_charts
from tools.schema import schema_of
from tools.score import Score
from tools.split_charts import split_charts
from tools.split_report import study


async def reporter(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    """A failure, an answer in words, or the result with its files; then the turn is over."""
    context = runtime.context
    failure = state.get("failure")
    if failure:
        scribe = Scribe(context, config, "reporter", failure["stage"])
        await scribe.say(Failed(**failure))
        await scribe.status("FAILED", failure["sentence"])
        return {"outcome": "failed"}
    scribe = Scribe(context, config, "reporter", "EXPORT")
    if (state["request"] or {}).get("kind") not in ("model", "revise"):
        update: dict[str, Any] = {}
        if (state["request"] or {}).get("kind") == "predict":
            await predicted(state, scribe, context)
        elif (state["request"] or {}).get("kind") == "explain":
            update = await explain_again(state, scribe, context)
        else:
            await scribe.say(_answer(state, context))
        reopen = state.get("reopen")
        if not reopen:
            return {**update, "outcome": "done"}
        return {**update, "pending": reopen, "reopen": None, "request": state.get("goal") or state["request"]}
    return await _result(state, scribe, context)


def _answer(state: State, context: Context) -> Answered:
    request = state["request"] or {}
    match request["kind"]:
        case "why" if state.get("report_hash"):
            report = context.vault.get_json(state["report_hash"] or "")
            return Answered(why(report), "why", {"report_hash": state["report_hash"]})
        case "why":
            columns = profile_of(state, context).columns
            return Answered(render("nothing_yet", example=f"predict {columns[-1].name}"), "why")
        case "profile":
            seen = profile_of(state, context)
            offered = plain(offer(seen, shelf(context.blueprints)))
            described = describe(seen, dataset_of(state, context).name)
            return Answered("\n\n".join(part for part in (described, offered) if part), "profile")
        case "prepare":
            seen = profile_of(state, context)
            ahead = contract_ahead(plan_of(state), seen, schema_of(seen, dataset_of(state, context)))
            return Answered(preparation(seen, ahead), "profile")
        case kind:
            return Answered(request["reply"], "unsupported" if kind == "unsupported" else "help")


async def _result(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    await scribe.status("IN_PROGRESS")
    report, pictures = await asyncio.to_thread(_report_and_charts, state, context)
    report["words"] = await _words(report, state, scribe, context)
    report["language_model"] = context.spending.account()
    await scribe.say(*(_chart_event(state, chart, context) for chart in pictures))
    files = await asyncio.to_thread(
        export,
        report=report,
        contract=contract_of(state, context),
        script=context.vault.get_text(state["code_hash"] or ""),
        sealed=sealed_of(state, context),
        model=work_folder(state, context, "train") / "outputs" / "model.joblib",
        charts=pictures,
        into=attempt_folder(state, context) / "artifacts",
        renderer=context.renderer,
        table=dataset_of(state, context).path,
        predictions=predictions_of(state, context),
        scripts=scripts_to_take(state, context),
        explanation=kept_result(work_folder(state, context, "audit") / EXPLANATION)[2],
    )
    await scribe.say(*(ArtifactAdded(state["attempt"], f.name, f.kind, f.bytes, f.sha256) for f in files))
    await scribe.say(NotebookReady(state["attempt"], "notebook.ipynb"))
    digest = context.vault.put_json(report)
    facts = {"report_hash": digest} | ({"words": report["words"]} if report["words"] else {})
    await scribe.say(Answered(answer_text(report), "result", facts))
    await scribe.status("COMPLETED", f"{len(files)} files")
    return {"report_hash": digest, "outcome": "done"}


async def _words(report: Mapping[str, Any], state: State, scribe: Scribe, context: Context) -> dict[str, Any] | None:
    """A model's words about the result, where there is one; the built-in words stand beside them."""
    if not context.models.has("reasoning"):
        return None
    told = await in_words(report, asker(state, context, scribe))
    if told.said:
        await scribe.status("IN_PROGRESS", told.said)
    return told.to_json()


def _report_and_charts(state: State, context: Context) -> tuple[dict[str, Any], tuple[Chart, ...]]:
    contract, sealed = contract_of(state, context), sealed_of(state, context)
    scored = context.vault.get_json(state["score_hash"] or "")
    audited = context.vault.get_json(state["audit_hash"] or "")
    run = context.vault.get_json(state["run_hash"] or "")
    score = Score.model_validate(scored["score"])
    verified = state["code_author"] == "recipe"
    review = Review.model_validate(context.vault.get_json(state["review_hash"] or ""))
    importance = [Importance.model_validate(item) for item in audited["importance"]]
    trained = work_folder(state, context, "train") / "outputs"
    shown = run["leaderboard"] if verified else ()
    splits = study(trained, work_folder(state, context, "audit"), contract, sealed, score.metric)
    closer = honest(
        sealed.holdout_labels,
        sealed.holdout_features,
        predictions_of(state, context),
        contract,
        score=score,
        leaderboard=shown,
        learned=work_folder(state, context, "audit") / "learning" / "learning.json",
        rivals=candidates(trained, sealed.train, contract, shown, sealed.groups),
        own=splits.own,
    )
    report = report_json(
        contract=contract,
        score=score,
        probes=[Probe.model_validate(item) for item in audited["probes"]],
        looks=scored["looks"],
        rows_train=sealed.rows_train,
        leaderboard=run["leaderboard"],
        verified=verified,
        importance=importance,
        seconds=state.get("spent", 0.0),
        hashes={
            "data": dataset_of(state, context).id,
            "code": state["code_hash"] or "",
            "contract": state["contract_hash"] or "",
            "sealed": sealed.hash,
        },
        split_rule=sealed.rule,
        notes=tuple(
            note
            for note in (
                *sealed.notes,
                _early(run),
                run["note"],
                contest_note(state),
                audited["note"],
                *_waved_through(review),
            )
            if note
        ),
        findings=review.findings,
        author=state["code_author"],
        attempt=state["attempt"],
        isolation=run["isolation"],
        closer=closer,
    )
    facts, told, _, note = kept_result(work_folder(state, context, "audit") / EXPLANATION)
    report["explanation"] = facts
    report["importance_groups"] = audited.get("groups", [])
    report["notes"] += [note] if note else []
    report["ended_early"] = _early(run) or None
    report["splits"] = splits.model_dump(mode="json")
    said = [probe["detail"] for probe in report["audit"] if not probe["passed"]]
    said += [splits.own.sentence] if splits.own and closer.optimism else []
    report["closer"] += [sentence for sentence in splits.sentences if sentence not in said]
    report["made"] = _made(state, context)
    report["search"] = searched(state, context)
    if report["search"]:
        report["budget_seconds"] += contract.improve_seconds or 0.0
    report["plan"] = _place_in_plan(state)
    remarks = state.get("remarks_hash")
    report["remarks"] = context.vault.get_json(remarks) if remarks else []
    report["computed"] = computed(contract, context.vault.get_text(state["code_hash"] or ""))
    report["blueprint"] = outcome(
        contract,
        table=dataset_of(state, context).path,
        dataset_id=dataset_of(state, context).id,
        labels=sealed.holdout_labels,
        predictions=predictions_of(state, context),
        script=context.vault.get_text(state["code_hash"] or ""),
    )
    shapes = curves(sealed.holdout_labels, predictions_of(state, context), contract)
    leaderboard = run["leaderboard"] if verified else []
    pictures = result_charts(contract, profile_of(state, context), score, shapes, leaderboard, importance, closer)
    return report, (*pictures, *split_charts(splits.resplit), *told)


def _early(run: Mapping[str, Any]) -> str:
    """Why the training did not come to its own end, of a model that was kept all the same; "" when it did."""
    return str(run["message"]) if run.get("kept") else ""


def _place_in_plan(state: State) -> dict[str, Any] | None:
    """Which step of a message of several requests it is; None: it is all that was asked for."""
    plan = plan_of(state)
    step = plan.current if plan else None
    return {"step": plan.number(step), "of": len(plan.steps), "text": step.text} if plan and step else None


def _made(state: State, context: Context) -> dict[str, Any]:
    """Whose model it is, from when and from what, for its card."""
    dataset = dataset_of(state, context)
    size = {"rows": dataset.rows, "columns": len(dataset.columns)}
    return {"owner": context.owner, "date": datetime.now(UTC).date().isoformat(), "data": dataset.name, **size}


def _waved_through(review: Review) -> tuple[str, ...]:
    """What blocked and was approved all the same stands in every report."""
    return tuple(
        f"The script ran although the critic objected (line {finding.line}, {finding.rule}): {finding.sentence}"
        for finding in review.findings
        if finding.blocks
    )


def _chart_event(state: State, chart: Chart, context: Context) -> ChartReady:
    return ChartReady(state["attempt"], chart.name, chart.title, context.vault.put_json(chart.spec), chart.alt)
