"""`modelwright predict`: rows of a table through a saved model, which is only ever loaded in the sandbox."""

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.isolation import open_for
from chat_app.settings import Settings
from tools.answers import ModelFailed
from tools.ingest import ingest
from tools.predict import ColumnsMissing, Model, PredictError, check_level, check_output, open_model, prepare
from tools.predict_rows import Ask, Predicted, Wishes, account, predict_rows, predict_table, rows_of, summary
from tools.predictions import PredictionsRefused
from tools.samples import write_sample
from tools.worker import Workers

Tell = Callable[[str], None]


@dataclass(frozen=True)
class PredictOrder:
    """What was typed: a table (or the name of a sample) and where the predictions go, or rows as JSON."""

    model: Path
    data: Path | str | None = None
    out: Path | None = None
    rows: Sequence[str] = ()
    wishes: Wishes = field(default_factory=Wishes)


async def predict(order: PredictOrder, settings: Settings, tell: Tell) -> dict[str, Any]:
    """Predict; returns the summary for programs, for rows given as JSON with the `predictions` themselves.

    `tell` hears what the user should know. Raises CommandError, IngestError, SandboxError and OSError.
    """
    data, out = order.data, order.out
    if isinstance(data, Path) and out is not None and out.exists() and out.samefile(data):
        raise CommandError(BAD_INPUT, f"{out} is the table itself; name another file with --out.")
    began = time.monotonic()
    try:
        check_level(order.wishes.level)
        if out is not None:
            check_output(out)
        found = await (_of_rows(order, settings, tell) if data is None else _of_table(order, settings, tell))
        return {**found, "seconds": round(time.monotonic() - began, 2)}
    except ColumnsMissing as error:
        raise CommandError(BAD_INPUT, f"{error} With --fill-missing, what is not there counts as missing.") from error
    except PredictError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    except ModelFailed as error:
        raise CommandError(FAILED, f"The model could not predict these rows: {error}") from error
    except PredictionsRefused as error:
        raise CommandError(FAILED, f"The model's answer was refused: {error}") from error


async def predict_file(model: Path, data: Path | str, out: Path, settings: Settings, tell: Tell) -> int:
    """A table into a file with nothing special; returns the number of rows. Raises like `predict`."""
    found = await predict(PredictOrder(model, data, out), settings, tell)
    return int(found["rows"])


async def _of_table(order: PredictOrder, settings: Settings, tell: Tell) -> dict[str, Any]:
    assert order.data is not None, "asked by the caller"
    assert order.out is not None, "the command line asks for it"
    with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
        place = Path(folder)
        source = order.data if isinstance(order.data, Path) else write_sample(order.data, place)
        dataset = ingest(source, place / "data")
        ready = prepare(order.model, dataset, fill_missing=order.wishes.fill_missing)
        said = (*dataset.account, *ready.fit.notes)
        _tell_all(said, tell)
        try:
            async with _asked(ready.model, settings) as ask:
                done = await predict_table(ready, ask, order.out, order.wishes)
        except OSError as error:  # the system names no file when the disk becomes full half-way
            raise CommandError(FAILED, f"{order.out} could not be written: {error.strerror or error}.") from error
    return {"out": str(order.out), **_summed(ready.model, done, order, said, tell)}


async def _of_rows(order: PredictOrder, settings: Settings, tell: Tell) -> dict[str, Any]:
    model = open_model(order.model)
    rows = [row for text in order.rows for row in rows_of(text)]
    async with _asked(model, settings) as ask:
        done, notes = await predict_rows(model, rows, ask, order.wishes, order.out)
    _tell_all(notes, tell)
    found = _summed(model, done, order, notes, tell)
    return {"out": str(order.out) if order.out else None, **found, "predictions": done.first}


def _summed(model: Model, done: Predicted, order: PredictOrder, said: Sequence[str], tell: Tell) -> dict[str, Any]:
    told = account(model, done, order.wishes.level)
    _tell_all(told, tell)
    return summary(model, done, order.wishes.level, (*said, *told))


def row_lines(found: dict[str, Any]) -> list[str]:
    """Rows that were given as JSON, a line for each: what was predicted and what stands beside it."""
    added = found["columns_added"]
    lines = []
    for number, record in enumerate(found.get("predictions", ()), 1):
        parts = [f"{name} {_short(record[name])}" for name in added if record[name] not in (None, "")]
        lines.append(f"row {number}: {', '.join(parts)}")
    return lines


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _tell_all(sentences: Sequence[str], tell: Tell) -> None:
    for sentence in sentences:
        tell(sentence)


@asynccontextmanager
async def _asked(model: Model, settings: Settings) -> AsyncIterator[Ask]:
    """The model, ready to be asked in a sandbox that goes with the block."""
    sandbox = open_for(settings)
    workers = Workers(sandbox, settings.limits)
    try:
        yield lambda rows: workers.predict(model.folder, model.contract, rows)
    finally:
        await workers.close()
        await sandbox.close()
