"""A saved model's folder, read without loading the model, and how a table fits it.

The model is a pickle that we do not trust, so it is only ever loaded in the sandbox (tools/worker.py). What is done
with rows that fit is in tools/predict_rows.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rapidfuzz import fuzz, process

from tools.conformal import FILE as CONFORMAL
from tools.conformal import HIGHEST, LOWEST, Conformal, ConformalError, read_conformal
from tools.contract import Contract
from tools.ingest import Dataset
from tools.model_folder import ModelSchema
from tools.reference import FILE as REFERENCE
from tools.reference import ReferenceError, read_reference
from tools.row_files import FORMATS

SIMILAR = 70.0
"""Of 100: a column of the table with a name like this is asked about when one is missing."""
MAX_SCHEMA_BYTES = 5_000_000


class PredictError(ValueError):
    """The model folder, the table or the output file does not fit; the message is a sentence for the user."""


class ColumnsMissing(PredictError):
    """Columns that the model needs are not there; they can be taken as missing when the user says so."""


@dataclass(frozen=True)
class Model:
    """A model folder, as far as it can be read without loading the model."""

    folder: Path
    schema: ModelSchema
    contract: Contract
    known: tuple[Mapping[str, Any], ...]
    """The features in reference.json; empty for a folder without it."""
    conformal: Conformal | None
    """None: no intervals."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that the model was trained on."""
        return tuple(feature.name for feature in self.schema.features)


@dataclass(frozen=True)
class Fit:
    """How the columns of a table and those of a model go together."""

    notes: tuple[str, ...]
    """What the user should know, a sentence each."""
    filled: tuple[str, ...] = ()
    """Columns that the table lacks and that count as missing."""
    extra: tuple[str, ...] = ()
    """Columns that the model does not use."""


@dataclass(frozen=True)
class Prediction:
    """A prediction that is ready to run."""

    model: Model
    dataset: Dataset
    fit: Fit


def open_model(model_dir: Path) -> Model:
    """The model folder, or the result folder around it; raises `PredictError`."""
    folder = find_model(model_dir)
    schema = read_schema(folder / "schema.json")
    try:
        held = read_conformal(folder / CONFORMAL) if (folder / CONFORMAL).is_file() else None
        known = read_reference(folder / REFERENCE).columns if (folder / REFERENCE).is_file() else ()
    except (ConformalError, ReferenceError) as problem:
        raise PredictError(str(problem)) from problem
    if held is not None and (held.task, held.classes) != (schema.task, schema.classes):
        raise PredictError(f"{CONFORMAL} of the model belongs to another model; take the model folder from the run.")
    features = {feature.name for feature in schema.features}
    described = tuple(column.model_dump(mode="json") for column in known if column.name in features)
    return Model(folder, schema, schema.contract(), described, held)


def find_model(folder: Path) -> Path:
    """The folder with model.joblib: the one named, or its model/."""
    for place in (folder, folder / "model"):
        if (place / "model.joblib").is_file() and (place / "schema.json").is_file():
            return place
    if not folder.is_dir():
        raise PredictError(f"There is no model folder {str(folder)!r}; give the model/ that a run has written.")
    raise PredictError(
        f"{str(folder)!r} holds no model.joblib and schema.json; give the model/ that a run has written."
    )


def read_schema(path: Path) -> ModelSchema:
    """schema.json, checked; raises `PredictError`."""
    if path.stat().st_size > MAX_SCHEMA_BYTES:
        raise PredictError("schema.json of the model is far larger than a schema can be.")
    try:
        return ModelSchema.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError, RecursionError) as problem:  # ValueError: no text, no JSON, endless digits
        raise PredictError(
            "schema.json of the model is damaged; take the model folder from the run again."
        ) from problem


def prepare(model_dir: Path, dataset: Dataset, *, fill_missing: bool = False) -> Prediction:
    """How `dataset` is predicted with the model in `model_dir`.

    Raises `PredictError` for a folder without a model, and when columns that the model needs are missing.
    """
    model = open_model(model_dir)
    fitted = fit(model, [column.name for column in dataset.columns], dataset.name, fill_missing=fill_missing)
    if not model.known:
        fitted = replace(fitted, notes=(*_odd_types(model, dataset), *fitted.notes))
    return Prediction(model, dataset, fitted)


def fit(model: Model, given: Sequence[str], name: str, *, fill_missing: bool = False) -> Fit:
    """How a table with the columns `given` fits; raises `PredictError` when columns are missing and must not be."""
    missing = _missing(model, given, name, fill_missing=fill_missing)
    needed = {*model.needed, model.schema.target}
    extra = tuple(column for column in given if column not in needed)
    notes = [_filled_sentence(model, column) for column in missing]
    if extra:
        notes.append(f"The model does not use {_listed(extra)}.")
    return Fit(tuple(notes), tuple(missing), extra)


def _missing(model: Model, given: Sequence[str], name: str, *, fill_missing: bool) -> list[str]:
    missing = [feature for feature in model.needed if feature not in given]
    if len(missing) == len(model.needed):
        raise PredictError(f"{name} has none of the columns that the model needs ({_listed(missing)}).")
    if missing and not fill_missing:
        others = [column for column in given if column not in model.needed]
        raise ColumnsMissing(_missing_sentence(missing, others, name))
    return missing


def _odd_types(model: Model, dataset: Dataset) -> list[str]:
    """For a folder that does not say what training was like."""
    given = {column.name: column.type for column in dataset.columns}
    there = [feature for feature in model.schema.features if feature.name in given]
    numbers = [f.name for f in there if f.role == "number" and given[f.name] not in ("integer", "number", "boolean")]
    dates = [f.name for f in there if f.role == "date" and given[f.name] not in ("date", "datetime")]
    pairs = ((numbers, "numbers"), (dates, "dates"))
    return [f"{_listed(names)} should hold {kind}; what is none counts as missing." for names, kind in pairs if names]


def _filled_sentence(model: Model, name: str) -> str:
    """A column that counts as missing, and what that is likely to cost."""
    drops = {one.name: one.importance for one in model.schema.features if one.importance is not None}
    said = f"'{name}' is not in the table and counts as missing in every row"
    drop = drops.get(name)
    if drop is None:
        return f"{said}; how much the model needs it is not known."
    place = sum(other > drop for other in drops.values()) + 1
    measure = model.schema.measure or "the score"
    if drop <= 0:
        return f"{said}; the model hardly needs it (shuffling it did not make {measure} worse)."
    if len(drops) < len(model.schema.features):
        return f"{said}; shuffling it makes {measure} worse by {drop:.3g}, so expect worse predictions."
    rank = "the most important column" if place == 1 else f"number {place} of {len(drops)} columns by importance"
    return f"{said}; it is {rank} (shuffling it makes {measure} worse by {drop:.3g}), so expect worse predictions."


def _missing_sentence(missing: list[str], given: list[str], name: str) -> str:
    hints = []
    lower = {column.casefold().strip(): column for column in given}
    for column in missing[:3]:
        near = process.extractOne(column, given, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=SIMILAR)
        close = lower.get(column.casefold().strip()) or (near[0] if near else None)
        if close:
            hints.append(f"is {close!r} meant to be {column!r}?")
    word = "column" if len(missing) == 1 else "columns"
    asked = f" ({' '.join(hints)})" if hints else ""
    them = "it" if len(missing) == 1 else "them"
    return (
        f"{name} lacks the {word} {_listed(missing)} that the model needs{asked}; add or rename {them} and try again."
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(f"'{' '.join(name.split())[:60]}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def check_output(out: Path) -> None:
    """Raises `PredictError` before any work is done when the file cannot be of this kind."""
    if out.suffix.lower() not in FORMATS:
        raise PredictError(f"{out.name!r} should end in one of {', '.join(FORMATS)}.")
    if out.is_dir():
        raise PredictError(f"{str(out)!r} is a folder; name a file such as predictions.csv.")


def check_level(level: float) -> None:
    """Raises `PredictError` for a level that conformal.json does not know."""
    if not LOWEST <= level <= HIGHEST:
        raise PredictError(f"The level {level:g} is not between {LOWEST:g} and {HIGHEST:g}; 0.9 is usual.")
