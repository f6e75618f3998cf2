"""A finished project as `modelwright run` left it: the contract, the script, the model and what it was trained on.

It is only ever read. The model is a file that nobody but the sandbox loads.
"""

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from tools.contract import Contract
from tools.predict import PredictError, find_model
from tools.reference import FILE, Reference, ReferenceError, read_reference, reference_of

MAX_TEXT_BYTES = 20_000_000
MAX_BUNDLE_BYTES = 20 * 2**30
_ID = re.compile(r"[0-9a-f]{6,32}")


class OriginalError(ValueError):
    """There is no such project, or it has no finished model; the message is a sentence for the user."""


@dataclass(frozen=True)
class Original:
    """What replay needs of a project."""

    name: str
    """As people know it."""
    model: Path
    """The folder with model.joblib and train.py."""
    contract: Contract
    script: str
    reference: Reference
    train: Path | None = None
    """The training rows, where they are at hand."""
    groups: Path | None = None
    holdout_features: Path | None = None
    holdout_labels: Path | None = None

    @property
    def has_rows(self) -> bool:
        """The training rows themselves are at hand, not only what they were like."""
        return self.train is not None


def open_original(named: str, projects: Path, scratch: Path) -> Original:
    """The project `named`: a result folder, its model/, its bundle.zip, or the id of a project below `projects`.

    A bundle is unpacked into `scratch`. Raises `OriginalError`.
    """
    path = Path(named).expanduser()
    if path.is_file():
        return _read(_unpacked(path, scratch / "bundle"), path.name)
    if path.is_dir():
        return _read(path, path.resolve().name)
    return _read(_of_project(named, projects), f"project {named}")


def _of_project(named: str, projects: Path) -> Path:
    """The files of the last attempt that was finished."""
    found = []
    if _ID.fullmatch(named) and projects.is_dir():
        found = [folder for folder in projects.iterdir() if folder.name.startswith(named)]
    if not found:
        raise OriginalError(
            f"There is no folder, bundle or project {named!r}; give what `modelwright run` has written."
        )
    if len(found) > 1:
        raise OriginalError(f"{len(found)} projects begin with {named!r}; give more of the id.")
    attempts = sorted((found[0] / "attempts").glob("*/artifacts/model"), key=lambda path: int(path.parts[-3]))
    if not attempts:
        raise OriginalError(f"Project {named} has no finished model yet, so there is nothing to replay.")
    return attempts[-1].parent


def _unpacked(bundle: Path, into: Path) -> Path:
    """A bundle.zip as a folder; what leads out of it, links and bombs are refused."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            entries = archive.infolist()
            if any(_leads_out(entry) for entry in entries) or sum(e.file_size for e in entries) > MAX_BUNDLE_BYTES:
                raise OriginalError(f"{bundle.name} is no bundle that `modelwright run` has written.")
            archive.extractall(into)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as problem:
        raise OriginalError(f"{bundle.name} is no bundle.zip; give what `modelwright run` has written.") from problem
    return into


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    place = PurePosixPath(entry.filename)
    return place.is_absolute() or ".." in place.parts or stat.S_ISLNK(entry.external_attr >> 16)


def _read(folder: Path, name: str) -> Original:
    try:
        model = find_model(folder)
    except PredictError as problem:
        raise OriginalError(
            f"{name} holds no finished model (model.joblib and schema.json); give what `modelwright run` has written."
        ) from problem
    whole = folder if model != folder else folder.parent if folder.name == "model" else folder
    contract = _contract(model / "contract.json", name)
    train = _there(whole / "inputs" / "train.parquet")
    script = _text(model / "train.py", name)
    return Original(
        name=name,
        model=model.resolve(),
        contract=contract,
        script=script,
        reference=_reference(model, train, contract, name),
        train=train,
        groups=_there(whole / "inputs" / "groups.parquet"),
        holdout_features=_there(whole / "inputs" / "holdout_features.parquet"),
        holdout_labels=_there(whole / "holdout" / "labels.parquet"),
    )


def _there(path: Path) -> Path | None:
    return path if path.is_file() and not path.is_symlink() else None


def _text(path: Path, name: str) -> str:
    try:
        if path.stat().st_size <= MAX_TEXT_BYTES:
            return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise OriginalError(f"{name} has no readable {path.name}, so its model cannot be made again.") from problem
    raise OriginalError(f"{path.name} of {name} is far larger than it can be.")


def _contract(path: Path, name: str) -> Contract:
    try:
        return Contract.model_validate_json(_text(path, name))
    except ValidationError as problem:
        raise OriginalError(f"contract.json of {name} is damaged; take the folder from the run again.") from problem


def _reference(model: Path, train: Path | None, contract: Contract, name: str) -> Reference:
    """What the run wrote down; of an older run it is counted from the training rows."""
    try:
        if (model / FILE).is_file():
            return read_reference(model / FILE)
        if train is not None:
            return reference_of(train, contract)
    except ReferenceError as problem:
        raise OriginalError(str(problem)) from problem
    except (pa.ArrowException, KeyError, OSError) as problem:
        raise OriginalError(
            f"The training rows of {name} are damaged; take the folder from the run again."
        ) from problem
    raise OriginalError(
        f"{name} has neither inputs/train.parquet nor {FILE}, so nothing is known of the rows it was trained on."
    )


def training_rows(original: Original) -> pa.Table | None:
    """Features and target of the training rows, as the script got them; None where they are not at hand."""
    return None if original.train is None else pq.read_table(original.train)


def sealed_rows(original: Original) -> pa.Table | None:
    """The same of the rows that the old model was judged by."""
    if original.holdout_features is None or original.holdout_labels is None:
        return None
    labels = pq.read_table(original.holdout_labels, columns=["row", "target"]).sort_by("row")
    features = pq.read_table(original.holdout_features)
    return features.append_column(original.contract.target, labels.column("target"))
