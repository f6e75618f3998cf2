"""Everything a user leaves with, written at once or not at all: report, code, charts, notebook, model, data, a zip.

    report.json report.md leaderboard.csv contract.json train.py notebook.ipynb requirements.txt README.md
    charts/<name>.png
    search/      the scripts of the improvement search, where there was one
    model/       model.joblib (bytes copied, never unpickled) schema.json train.py predict.py contract.json
                 reference.json (the training rows in aggregate) conformal.json (its intervals, where it can have some)
                 background.parquet (a sample of training rows, unless switched off) explain.py
                 requirements.txt README.md
    inputs/      train.parquet contract.json holdout_features.parquet (groups.parquet)
    holdout/     labels.parquet: for the owner of the data; no sandbox ever had this folder
    bundle.zip   all of the above

In this folder `python train.py` trains again and the notebook ends at the report's number.
"""

import csv
import errno
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from tools import conformal, explained, reference
from tools.chart_images import Renderer
from tools.charts import Chart
from tools.contract import Contract
from tools.explaining import background
from tools.markdown import plain
from tools.model_folder import explain_program, model_card, predict_program, requirements, schema_text
from tools.notebook import notebook_text
from tools.report import report_md
from tools.seal import Sealed

Kind = Literal["report", "code", "chart", "notebook", "model", "bundle", "data"]
BUNDLE = "bundle.zip"
_PACKED = frozenset({".png", ".parquet", ".joblib"})
"""Compressed already: stored in the zip as they are."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The zip's date for every file, so that equal files make an equal zip."""
_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EROFS: "it is read-only"}


class ExportError(OSError):
    """The files could not be written and nothing was left behind; the message is a sentence for the user."""


@dataclass(frozen=True)
class ArtifactInfo:
    """One delivered file; `name` is relative to the folder, with forward slashes."""

    name: str
    kind: Kind
    path: Path
    bytes: int
    sha256: str


def export(
    *,
    report: Mapping[str, Any],
    contract: Contract,
    script: str,
    sealed: Sealed,
    model: Path,
    charts: Sequence[Chart],
    into: Path,
    renderer: Renderer | None = None,
    table: Path | None = None,
    predictions: Path | None = None,
    explanation: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> tuple[ArtifactInfo, ...]:
    """Write the folder `into` whole (an earlier one is replaced); raises `ExportError` when it cannot be written.

    `model` is the model.joblib that the training sandbox left; `renderer` a warm one (else one is started);
    `table` the whole table, of which only the latest moment is asked (split by time); `predictions` what the model said
    about the sealed rows, for its intervals; `explanation` the tables of the explanations, by file name;
    `scripts` other scripts that were tried, by their name relative to the folder.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with _explained(into), _beside(into) as folder:
        _write_texts(folder, report, contract, script, charts)
        _write_data(folder, contract, sealed)
        held = conformal.conformal(sealed.holdout_labels, predictions, sealed.train, contract) if predictions else None
        _write_model(folder / "model", report, contract, script, model, held)
        _text(folder / "model" / reference.FILE, reference.reference_text(sealed.train, contract, table))
        background.write_background(sealed.train, contract, folder / "model" / background.FILE)
        (folder / "charts").mkdir(exist_ok=True)
        for name, text in (explanation or {}).items():
            _text(folder / "charts" / name, text)
        for name, text in (scripts or {}).items():
            (folder / name).parent.mkdir(exist_ok=True)
            _text(folder / name, text)
        _draw(charts, folder / "charts", renderer)
        _zip(folder, folder / BUNDLE)
        _replace(folder, into)
    return tuple(_info(path, into) for path in sorted(into.rglob("*")) if path.is_file())


@contextmanager
def _explained(into: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        why = _FULL.get(problem.errno or 0) or problem.strerror or str(problem)
        # Only the name: the folder's path may say more about the machine than the reader should know.
        raise ExportError(
            f"The result could not be written to “{into.name}”: {why}. Nothing was left behind."
        ) from problem


@contextmanager
def _beside(into: Path) -> Iterator[Path]:
    """A hidden folder on the same disk that is gone afterwards unless it was renamed."""
    folder = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(folder: Path, into: Path) -> None:
    """Put the finished folder in place; an earlier one stays until then."""
    old = into.with_name(f".{into.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if into.exists():
        into.rename(old)
    try:
        folder.rename(into)
    except OSError:
        if old.exists():
            old.rename(into)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_texts(
    folder: Path, report: Mapping[str, Any], contract: Contract, script: str, charts: Sequence[Chart]
) -> None:
    _text(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _text(folder / "report.md", report_md(report, charts))
    _text(folder / "leaderboard.csv", _leaderboard(report["leaderboard"]))
    _text(folder / "contract.json", _contract_text(contract))
    _text(folder / "train.py", script)
    _text(folder / "notebook.ipynb", notebook_text(report, contract, script))
    _text(folder / "requirements.txt", requirements(script, notebook=True))
    _text(folder / "README.md", _readme(report, contract))


def _contract_text(contract: Contract) -> str:
    return json.dumps(contract.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def _leaderboard(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, ["model", "cv_score", "seconds"], extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def _write_data(folder: Path, contract: Contract, sealed: Sealed) -> None:
    inputs, holdout = folder / "inputs", folder / "holdout"
    inputs.mkdir()
    holdout.mkdir()
    (folder / "outputs").mkdir()
    shutil.copyfile(sealed.train, inputs / "train.parquet")
    shutil.copyfile(sealed.holdout_features, inputs / "holdout_features.parquet")
    if sealed.groups is not None:
        shutil.copyfile(sealed.groups, inputs / "groups.parquet")
    if sealed.weights is not None:
        shutil.copyfile(sealed.weights, inputs / "weights.parquet")
    _text(inputs / "contract.json", _contract_text(contract))
    labels = pq.read_table(sealed.holdout_labels, columns=["row", "target"])
    pq.write_table(labels, holdout / "labels.parquet", compression="zstd")


def _write_model(
    folder: Path,
    report: Mapping[str, Any],
    contract: Contract,
    script: str,
    model: Path,
    held: conformal.Conformal | None,
) -> None:
    if model.is_symlink() or not model.is_file():
        raise FileNotFoundError(errno.ENOENT, "the training left no model.joblib")
    folder.mkdir()
    shutil.copyfile(model, folder / "model.joblib")
    _text(folder / "schema.json", schema_text(contract, report))
    _text(folder / "train.py", script)
    _text(folder / "predict.py", predict_program(contract))
    _text(folder / "explain.py", explain_program(contract))
    _text(folder / "contract.json", _contract_text(contract))
    _text(folder / "requirements.txt", requirements(script))
    _text(folder / "README.md", model_card(report, contract, held.promise(conformal.USUAL) if held else ""))
    for name in (explained.PAGE, explained.DATA):
        if explained.readable(model.with_name(name)):
            shutil.copyfile(model.with_name(name), folder / name)
    if held is not None:
        _text(folder / conformal.FILE, conformal.conformal_text(held))


def _draw(charts: Sequence[Chart], folder: Path, renderer: Renderer | None) -> None:
    if renderer is not None:
        renderer.render_all(charts, folder)
        return
    with Renderer() as started:
        started.render_all(charts, folder)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _zip(folder: Path, target: Path) -> None:
    """Sorted names, one date, one mode: equal files give equal bytes."""
    files = sorted(path for path in folder.rglob("*") if path != target)
    with zipfile.ZipFile(target, "w") as bundle:
        for path in files:
            name = path.relative_to(folder).as_posix()
            entry = zipfile.ZipInfo(f"{name}/" if path.is_dir() else name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = (0o40755 if path.is_dir() else 0o100644) << 16
            if path.is_dir():
                bundle.writestr(entry, b"")
                continue
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in _PACKED else zipfile.ZIP_DEFLATED
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, bundle.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 1 << 20)


def _info(path: Path, folder: Path) -> ArtifactInfo:
    name = path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ArtifactInfo(name, _kind(name), path, path.stat().st_size, digest)


def _kind(name: str) -> Kind:
    if name == BUNDLE:
        return "bundle"
    match name.split("/")[0]:
        case "charts":
            return "chart"
        case "model":
            return "model"
        case "inputs" | "holdout" | "leaderboard.csv":
            return "data"
        case "notebook.ipynb":
            return "notebook"
        case "train.py" | "requirements.txt" | "search":
            return "code"
        case _:
            return "report"


def _readme(report: Mapping[str, Any], contract: Contract) -> str:
    metric = report["metric"]
    return f"""# {plain(contract.target)}: a model, its score and the code that made it

{metric["label"]} {metric["value"]:.4g} on {report["rows_holdout"]:,} sealed rows; see report.md.

| | |
|---|---|
| report.md, report.json | what was found, for people and for programs |
| charts/ | the pictures of the report |
| train.py | the training program: reads inputs/, writes outputs/model.joblib |
| notebook.ipynb | trains again and ends at the same number |
| model/ | the model with a program to predict (model/README.md) |
| inputs/, holdout/ | the rows to learn from, and the sealed rows with their answers: your data, keep it as safe |
| contract.json | what is predicted from what, and how it is judged |

## Run it again (Python 3.11 or newer)

    python -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt
    mkdir -p outputs && python train.py
    jupyter nbconvert --to notebook --execute --inplace notebook.ipynb

## Predict

    python model/predict.py table.csv predictions.csv
    python model/explain.py table.csv --row 1
"""
