"""What is done when the user brings rows for the last model: they are read, predicted in the sandbox and kept."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agents.context import Context
from agents.events import Answered, ArtifactAdded
from agents.predicting import answer, fits_the_model, rows_asked, wishes_of
from agents.scribe import Scribe
from agents.state import Request, State
from prompts.render import render
from tools.answers import ModelFailed
from tools.contract import Contract
from tools.ingest import Dataset, ingest
from tools.predict import ColumnsMissing, PredictError, prepare
from tools.predict_rows import Wishes, account, predict_table, summary
from tools.predictions import PredictionsRefused

FOLDER = "predictions"


def rows_along(state: State, context: Context, dataset: Dataset) -> dict[str, Any] | None:
    """The table that came along is for the last model to predict; None: it is a new table to learn from."""
    if not (state.get("report_hash") and state.get("contract_hash")):
        return None
    contract = Contract.model_validate(context.vault.get_json(state["contract_hash"] or ""))
    asked = fits_the_model(state.get("message", ""), dataset.names, contract.target, contract.features)
    return None if asked is None else _request(state, context, dataset)


async def rows_in_words(state: State, context: Context) -> dict[str, Any] | None:
    """A message without a file that asks for predictions: of rows in it, of the rows before, or of none yet."""
    asked = rows_asked(state.get("message", ""))
    if asked is None or not state.get("report_hash"):
        return None
    if asked.rows:
        folder = context.folder / "uploads" / f"rows-{state.get('turn', 0)}"
        dataset = await asyncio.to_thread(_written, asked.rows, folder, context)
        return _request(state, context, dataset)
    update = {"request": Request(kind="predict", text=state.get("message", "")).model_dump(), "pending": None}
    return update if asked.earlier else {**update, "rows_hash": None}


def _written(rows: Any, folder: Path, context: Context) -> Dataset:
    """Rows of a message as a table like any other."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return ingest(folder / "rows.json", context.folder / "data")


def _request(state: State, context: Context, dataset: Dataset) -> dict[str, Any]:
    return {
        "files": [],
        "rows_hash": context.vault.put_json(dataset.to_json()),
        "request": Request(kind="predict", text=state.get("message", "")).model_dump(),
        "pending": None,
    }


async def predicted(state: State, scribe: Scribe, context: Context) -> None:
    """Predict the rows with the model of the last result; the file is an artifact of its attempt."""
    if not state.get("rows_hash"):
        await scribe.say(Answered(render("no_rows"), "help"))
        return
    dataset = Dataset.from_json(context.vault.get_json(state["rows_hash"] or ""))
    wishes = wishes_of((state["request"] or {})["text"])
    await scribe.status("IN_PROGRESS", f"predicting {dataset.rows:,} rows")
    try:
        await _predict(state, scribe, context, dataset, wishes)
    except ColumnsMissing as problem:
        await scribe.say(
            Answered(f"{problem} Or say “predict these rows anyway”: it then counts as missing.", "notice")
        )
    except (PredictError, ModelFailed, PredictionsRefused) as problem:
        await scribe.say(Answered(f"These rows could not be predicted: {problem}", "notice"))
    await scribe.status("COMPLETED")


async def _predict(state: State, scribe: Scribe, context: Context, dataset: Dataset, wishes: Wishes) -> None:
    artifacts = context.folder / "attempts" / str(state["attempt"]) / "artifacts"
    name = f"{FOLDER}/{_stem(dataset.name)}-predictions.csv"
    ready = await asyncio.to_thread(prepare, artifacts / "model", dataset, fill_missing=wishes.fill_missing)
    model = ready.model
    done = await predict_table(
        ready, lambda rows: context.workers.predict(model.folder, model.contract, rows), artifacts / name, wishes
    )
    notes = (*dataset.account, *ready.fit.notes, *account(model, done, wishes.level))
    found = {**summary(model, done, wishes.level, notes), "file": name.partition("/")[2]}
    path = artifacts / name
    digest = await asyncio.to_thread(_digest, path)
    await scribe.say(ArtifactAdded(state["attempt"], name, "data", path.stat().st_size, digest))
    link = f"/api/projects/{context.project}/artifacts/{state['attempt']}/{quote(name)}"
    text = answer(model.schema.target, found, done.first, link, notes)
    await scribe.say(Answered(text, "predictions", found))


def _stem(name: str) -> str:
    """A file name of ours from the one that the table came under."""
    stem = Path(name).name.split(".")[0]
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)[:60] or "rows"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
