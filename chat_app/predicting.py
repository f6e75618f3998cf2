"""`modelwright predict`: rows of a table through a saved model, which is only ever loaded in the sandbox."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from chat_app.exits import BAD_INPUT, FAILED, CommandError
from chat_app.settings import Settings
from sandbox.base import Job, Limits, Outcome
from sandbox.choose import open_sandbox
from tools.ingest import ingest
from tools.predict import PredictError, check_output, collect, prepare
from tools.predictions import PredictionsRefused
from tools.samples import write_sample


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
            outputs = place / "outputs"
            outputs.mkdir()
            ready = prepare(model, dataset, outputs=outputs, limits=_limits(settings))
            for note in (*dataset.account, *ready.notes):
                tell(note)
            await _run(ready.job)
            try:
                return collect(ready, outputs / "predictions.parquet", out)
            except OSError as error:  # the system names no file when the disk becomes full half-way
                raise CommandError(FAILED, f"{out} could not be written: {error.strerror or error}.") from error
    except PredictError as error:
        raise CommandError(BAD_INPUT, str(error)) from error
    except PredictionsRefused as error:
        raise CommandError(FAILED, f"The model's answer was refused: {error}") from error


def _limits(settings: Settings) -> Limits:
    s = settings
    return Limits(s.cpus, s.memory_mb, s.extra_seconds, s.processes, s.written_mb, s.output_mb)


async def _run(job: Job) -> None:
    sandbox = open_sandbox()
    try:
        items = [item async for item in sandbox.run(job)]
    finally:
        await sandbox.close()
    outcome = items[-1]
    assert isinstance(outcome, Outcome), "a sandbox ends with its outcome"
    if not outcome.ok:
        raise CommandError(FAILED, f"The model could not predict these rows: {outcome.message}")
