"""`modelwright explain`: what a saved model relies on, for the model as a whole, a column, or one row of a table.

The model is only ever loaded in the sandbox; it is asked about rows without their labels.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.isolation import open_for
from chat_app.settings import Settings
from tools.answers import ModelFailed
from tools.chart_images import Renderer
from tools.contract import Contract
from tools.explaining.asking import ExplainError, Model, features_in
from tools.explaining.background import FEWEST, FILE, Background, background_of, read_background
from tools.explaining.explanation import Explained, Query, explained
from tools.ingest import Dataset, ingest
from tools.original import Original, OriginalError, open_original
from tools.predict import PredictError, prepare
from tools.predictions import PredictionsRefused
from tools.samples import write_sample
from tools.worker import Workers

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ExplainOrder:
    """What was typed."""

    project: str
    data: Path | str | None
    """A file or a sample; None: the sealed rows of the project."""
    query: Query
    out: Path | None = None
    background: Path | None = None
    seconds: float = 30.0


async def explain(order: ExplainOrder, settings: Settings, tell: Tell) -> Explained:
    """Answer, and write the files where they are wanted.

    Raises CommandError, IngestError, SandboxError and OSError.
    """
    with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
        try:
            return await _explain(order, settings, tell, Path(folder))
        except (OriginalError, PredictError, ExplainError) as error:
            raise CommandError(BAD_INPUT, str(error)) from error
        except ModelFailed as error:
            raise CommandError(FAILED, f"The model could not answer: {error}") from error
        except PredictionsRefused as error:
            raise CommandError(FAILED, f"The model's answer was refused: {error}") from error


async def _explain(order: ExplainOrder, settings: Settings, tell: Tell, scratch: Path) -> Explained:
    original = open_original(order.project, settings.home / "projects", scratch)
    rows = _rows(order, original, tell, scratch)
    row = _chosen(rows, order.query.row)
    background = _background(order, original, rows, tell, scratch)
    sandbox = open_for(settings)
    workers = Workers(sandbox, settings.limits)
    try:
        ask = partial(workers.predict, original.model, original.contract)
        await ask(rows.slice(0, 1))  # the start of the sandbox is not time of the explanation
        model = Model(ask, original.contract, time.monotonic() + order.seconds)
        found = await explained(model, order.query, row, rows, background)
    finally:
        await workers.close()
        await sandbox.close()
    if order.out is not None:
        tell(f"Files: {write_files(found, order.out)}")
    return found


def _rows(order: ExplainOrder, original: Original, tell: Tell, scratch: Path) -> pa.Table:
    """The features of the rows that are asked about."""
    if order.data is None:
        if original.holdout_features is None:
            raise CommandError(BAD_INPUT, f"{original.name} has no sealed rows at hand; name a table after it.")
        tell(f"No table was named, so the sealed rows of {original.name} are taken.")
        return features_in(pq.read_table(original.holdout_features), original.contract)
    dataset = _read(order.data, scratch / "data")
    ready = prepare(original.model, dataset)
    for note in (*dataset.account, *ready.fit.notes):
        tell(note)
    rows = features_in(pq.read_table(ready.dataset.path), original.contract)
    if not len(rows):
        raise CommandError(BAD_INPUT, f"{dataset.name} has no rows, so there is nothing to explain.")
    return rows


def _read(data: Path | str, into: Path) -> Dataset:
    return ingest(data if isinstance(data, Path) else write_sample(data, into.parent), into)


def _chosen(rows: pa.Table, number: int | None) -> pa.Table | None:
    if number is None:
        return None
    if not 1 <= number <= len(rows):
        raise CommandError(BAD_INPUT, f"There is no row {number:,}; the table has rows 1 to {len(rows):,}.")
    return rows.slice(number - 1, 1)


def _background(order: ExplainOrder, original: Original, rows: pa.Table, tell: Tell, scratch: Path) -> Background:
    """The named table, the training rows, the sample of them that lies beside the model, or the rows themselves."""
    contract: Contract = original.contract
    if order.background is not None:
        dataset = _read(order.background, scratch / "background")
        table = pq.read_table(prepare(original.model, dataset).dataset.path)
        return background_of(features_in(table, contract), contract, f"rows of {dataset.name}")
    if original.train is not None:
        return background_of(pq.read_table(original.train, columns=list(contract.features)), contract)
    if (original.model / FILE).is_file():
        return read_background(original.model / FILE, contract)
    if len(rows) < FEWEST:
        raise ExplainError(
            "No training rows lie beside this model and the table has too few rows to compare with; give some with "
            "--background FILE."
        )
    tell("No training rows lie beside this model, so the rows of the table are what is compared with.")
    return background_of(rows, contract, "rows of the table")


def write_files(found: Explained, folder: Path) -> Path:
    """explanation.md, explanation.json, the charts and tables; files of these names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.md").write_text(found.text + "\n", encoding="utf-8")
    (folder / "explanation.json").write_text(json_text(found), encoding="utf-8")
    for name, text in found.tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    with Renderer() as renderer:
        renderer.render_all(found.charts, folder)
    return folder


def json_text(found: Explained) -> str:
    """explanation.json"""
    return json.dumps({"about": found.about, **found.facts}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
