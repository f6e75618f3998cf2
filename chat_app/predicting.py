"""`modelwright predict`: rows of a table through a saved model, which is only ever loaded in the sandbox."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.isolation import open_for
from chat_app.settings import Settings
from tools.answers import ModelFailed
from tools.ingest import ingest
from tools.predict import PredictError, Prediction, check_output, collect, prepare
from tools.predictions import Predictions, PredictionsRefused
from tools.samples import write_sample
from tools.worker import Workers


async def predict_rows(
    model: Path, data: Path | str, out: Path, settings: Settings, tell: Callable[[str], None]
) -> int:
    """Predict a file, or the built-in sample of that name, into `out`; returns the number of rows.

    `tell` hears what the user should know about the fit.

    Raises CommandError, IngestError, SandboxError and OSError.
    """
    if isinstance(data, Path) and out.exists() and out.samefile(data):
        raise CommandError(BAD_INPUT, f"{out} is the table itself; name another file with --out.")
    try:
        check_output(out)
        with tempfile.TemporaryDirectory(prefix="modelwright-") as folder:
            place = Path(folder)
            dataset = ingest(data if isinstance(data, Path) else write_sample(data, place), place / "data")
            ready = prepare(model, dataset)
            for note in (*dataset.account, *ready.notes):
                tell(note)
            found = await _predicted(ready, settings)
            try:
                return collect(ready, found, out)
            except OSError as error:  # the system names no file when the disk becomes full half-way
                raise CommandError(FAILED, f"{out} could not be written: {error.strerror or error}.") from error
    except PredictError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    except ModelFailed as error:
        raise CommandError(FAILED, f"The model could not predict these rows: {error}") from error
    except PredictionsRefused as error:
        raise CommandError(FAILED, f"The model's answer was refused: {error}") from error


async def _predicted(ready: Prediction, settings: Settings) -> Predictions:
    sandbox = open_for(settings)
    workers = Workers(sandbox, settings.limits)
    try:
        return await workers.predict(ready.folder, ready.contract, ready.dataset.path)
    finally:
        await workers.close()
        await sandbox.close()
