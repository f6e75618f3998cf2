"""What the last model relies on: a first answer with every result, and answers to questions about it.

The model is asked in the sandbox, about features and never about a label.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agents.context import Context
from agents.events import Answered
from agents.events import Explained as Told
from agents.nodes.data_scientist import contract_of, dataset_of, profile_of
from agents.scribe import Scribe
from agents.state import Explain, State
from prompts.render import render
from tools.answers import ModelFailed
from tools.charts import Chart
from tools.contract import Contract
from tools.explaining.asking import Ask, ExplainError, Model, features_in
from tools.explaining.background import background_of
from tools.explaining.explanation import Explained, Query, explained
from tools.importance import UNVERIFIED
from tools.markdown import plain
from tools.measuring import positive
from tools.predictions import PredictionsRefused, read_predictions
from tools.seal import Sealed, sealed_rows

SECONDS = 15.0
"""For an answer to a question, the start of the model's sandbox not counted."""
FILE = "explanation.json"
NO_TIME = "There was no time left to take the answers apart; “explain the model” does it now."


async def explain_result(
    ask: Ask, sealed: Sealed, contract: Contract, path: Path, *, seconds: float, verified: bool
) -> None:
    """The model as a whole, within so many seconds, kept in `path`; what goes wrong is a note in it."""
    kept: dict[str, Any] = {"note": NO_TIME}
    if seconds >= 0.5:
        try:
            rows = await asyncio.to_thread(_features, sealed.holdout_features, contract)
            background = await asyncio.to_thread(lambda: background_of(_features(sealed.train, contract), contract))
            model = Model(ask, contract, time.monotonic() + seconds)
            kept = _kept(await explained(model, Query("model"), None, rows, background), verified)
        except (ExplainError, ModelFailed, PredictionsRefused) as problem:
            kept = {"note": f"The answers could not be taken apart: {problem}"}
    partial_ = path.with_suffix(".partial")
    partial_.write_text(json.dumps(kept), encoding="utf-8")
    partial_.replace(path)


def _features(path: Path, contract: Contract) -> pa.Table:
    return features_in(pq.read_table(path), contract)


def _kept(found: Explained, verified: bool) -> dict[str, Any]:
    charts = [{"name": c.name, "title": c.title, "spec": c.spec, "alt": c.alt} for c in found.charts]
    note = "" if verified else UNVERIFIED.replace("Importance was", "What the answers rest on was")
    return {"text": found.text, "facts": found.facts, "charts": charts, "tables": dict(found.tables), "note": note}


def kept_result(path: Path) -> tuple[dict[str, Any] | None, tuple[Chart, ...], Mapping[str, str], str]:
    """(facts for the report, charts, CSV files, note) of what `explain_result` left, if anything."""
    if not path.is_file():
        return None, (), {}, ""
    kept = json.loads(path.read_text(encoding="utf-8"))
    charts = tuple(Chart(one["name"], one["title"], one["spec"], one["alt"]) for one in kept.get("charts", []))
    facts = {**kept["facts"], "text": kept["text"]} if "facts" in kept else None
    return facts, charts, kept.get("tables", {}), kept["note"]


async def explain_again(state: State, scribe: Scribe, context: Context) -> dict[str, Any]:
    """Answer a question about the last result; returns what to remember."""
    if not state.get("report_hash"):
        example = f"predict {profile_of(state, context).columns[-1].name}"
        await scribe.say(Answered(render("nothing_yet", example=example), "why"))
        return {}
    asked = Explain.model_validate((state["request"] or {})["explain"])
    await scribe.status("IN_PROGRESS", "asking the model")
    update: dict[str, Any] = {}
    try:
        row, said = None, ""
        if asked.about in ("row", "change"):
            row, said = await asyncio.to_thread(_row, asked, state, context)
            update = {"explained": row}
        found = await _answer(asked, row, state, context)
        await scribe.say(_told(found, said, asked, state, context))
    except (ExplainError, ModelFailed, PredictionsRefused) as problem:
        await scribe.say(Answered(plain(f"That cannot be explained: {problem}"), "notice"))
    await scribe.status("COMPLETED")
    return update


async def _answer(asked: Explain, row: int | None, state: State, context: Context) -> Explained:
    contract, sealed = contract_of(state, context), _sealed(state, context)
    folder = context.folder / "attempts" / str(state["attempt"]) / "artifacts" / "model"
    ask = partial(context.workers.predict, folder, contract)
    rows = await asyncio.to_thread(_features, sealed.holdout_features, contract)
    background = await asyncio.to_thread(lambda: background_of(_features(sealed.train, contract), contract))
    one = None
    if row is not None:
        table = await asyncio.to_thread(_features, dataset_of(state, context).path, contract)
        one = table.slice(row - 1, 1)
    await ask(rows.slice(0, 1))  # the start of the sandbox is not time of the explanation
    column = asked.columns[0] if asked.about == "column" and asked.columns else None
    may_change = asked.columns if asked.about == "change" else ()
    query = Query(asked.about, row, column, may_change, asked.wanted)
    return await explained(Model(ask, contract, time.monotonic() + SECONDS), query, one, rows, background)


def _told(found: Explained, said: str, asked: Explain, state: State, context: Context) -> Told:
    charts = tuple(
        {"name": c.name, "title": c.title, "spec_hash": context.vault.put_json(c.spec), "alt": c.alt}
        for c in found.charts
    )
    note = "" if state["code_author"] == "recipe" else UNVERIFIED.replace("Importance was", "This was")
    text = "\n\n".join(part for part in (plain(said), found.text, note) if part)
    features = contract_of(state, context).features if asked.about in ("row", "change") else ()
    row = found.facts.get("row")
    return Told(state["attempt"], found.about, text, row, charts, features, asked.columns)


def _sealed(state: State, context: Context) -> Sealed:
    return Sealed.from_json(context.vault.get_json(state["seal_hash"] or ""))


def _row(asked: Explain, state: State, context: Context) -> tuple[int, str]:
    """The row that is meant, from 1, and what is to be said about the choice."""
    dataset = dataset_of(state, context)
    if asked.row is not None:
        if not 1 <= asked.row <= dataset.rows:
            raise ExplainError(f"There is no row {asked.row:,}; the table has rows 1 to {dataset.rows:,}.")
        return asked.row, ""
    if asked.who and (row := _by_id(asked.who, dataset.path)) is not None:
        return row[0], f"{row[1]} is row {row[0]:,}."
    last = state.get("explained")
    if last:
        return last, ""
    said = f"I find no row called {' or '.join(asked.who[:3])}. " if asked.who else ""
    row_, why = _striking(state, context)
    return row_, f"{said}You named no row that I know, so I take {why}; “why row 17?” asks about another."


def _by_id(words: tuple[str, ...], path: Path) -> tuple[int, str] | None:
    """The row (from 1) with one of the words in a column whose values name single rows, and the word."""
    schema = pq.read_schema(path)
    names = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_integer(one.type)]
    for name in names:
        column = pq.read_table(path, columns=[name]).column(0)
        if len(column.unique()) < 0.95 * len(column):
            continue
        values = {str(value).casefold(): place for place, value in enumerate(column.to_pylist())}
        for word in words:
            if word.casefold() in values:
                return values[word.casefold()] + 1, f"“{word}”"
    return None


def _striking(state: State, context: Context) -> tuple[int, str]:
    """The sealed row that the model is most sure of (two classes: the positive one; numbers: the highest)."""
    contract, dataset, sealed = contract_of(state, context), dataset_of(state, context), _sealed(state, context)
    folder = context.folder / "attempts" / str(state["attempt"]) / f"score-{(state['code_hash'] or '')[:16]}"
    said = read_predictions(folder / "model" / "predictions.parquet", contract, sealed.rows_holdout)
    if not contract.classes:
        place, why = int(np.argmax(said.values)), f"with the highest predicted {contract.target}"
    elif said.probabilities is None:
        place, why = 0, "that comes first"
    elif contract.task == "binary":
        code = positive(contract)
        place, why = (
            int(np.argmax(said.probabilities[:, code])),
            f"with the highest chance of “{contract.classes[code]}”",
        )
    else:
        place, why = int(np.argmax(said.probabilities.max(axis=1))), "that the model is most sure of"
    rows = sealed_rows(dataset.path, dataset.id, contract)
    row = int(rows[place]) + 1
    return row, f"row {row:,}, the sealed row {why}"
