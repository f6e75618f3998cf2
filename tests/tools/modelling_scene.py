"""Scenes for the modelling tests: small tables with known answers, sealed by a contract; programs in the sandbox."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import Job, Limits, Metric, Outcome, Output, Sandbox
from tools.contract import ColumnPlan, Contract, Role, Split
from tools.seal import Sealed, class_counts, seal


@dataclass(frozen=True)
class Table:
    """What sealing needs of a dataset."""

    path: Path
    id: str


@dataclass
class Ran:
    """A program that has run."""

    outcome: Outcome
    folder: Path
    text: str = ""
    errors: str = ""
    metrics: list[Mapping[str, Any]] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        """The progress lines of one kind."""
        return [values for values in self.metrics if values.get("kind") == kind]


def table_of(columns: Mapping[str, Any], folder: Path) -> Table:
    """Write columns as the typed Parquet that ingestion would leave."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "table.parquet"
    pq.write_table(pa.table(dict(columns)), path)
    return Table(path, hashlib.sha256(path.read_bytes()).hexdigest())


def contract_for(
    columns: Mapping[str, Any],
    target: str,
    *,
    metric: str | None = None,
    roles: Mapping[str, Role] | None = None,
    without: Sequence[str] = (),
    positive: str | None = None,
    split: Split | None = None,
    seed: int = 0,
    also: tuple[str, ...] = (),
) -> Contract:
    """A plain contract: numbers are numbers, text is a category, text or few-valued targets are classes."""
    values = pa.table({target: columns[target]}).column(0)
    regression = pa.types.is_floating(values.type)
    classes = () if regression else tuple(class_counts(values))
    task = "regression" if regression else "binary" if len(classes) == 2 else "multiclass"
    default = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}[task]
    plans = []
    for name, column in columns.items():
        if name != target:
            kind = pa.table({name: column}).column(0).type
            role: Role = "category" if pa.types.is_string(kind) else "date" if pa.types.is_temporal(kind) else "number"
            plans.append(ColumnPlan(name=name, role=(roles or {}).get(name, role), use=name not in without))
    return Contract(
        request=f"predict {target}",
        row_unit="one row",
        task=task,  # type: ignore[arg-type]
        target=target,
        positive_class=(positive or classes[-1]) if task == "binary" else None,
        classes=classes,
        columns=tuple(plans),
        split=split or Split(rule="random" if regression else "stratified"),
        metric=metric or default,
        also=also,
        candidates=("linear", "lightgbm", "extra_trees"),
        seed=seed,
    )


def sealed_scene(columns: Mapping[str, Any], contract: Contract, folder: Path) -> Sealed:
    """The table written and sealed."""
    return seal(table_of(columns, folder), contract, folder / "sealed")


async def run(sandbox: Sandbox, script: str, inputs: Mapping[str, Path], folder: Path, *, seconds: float = 120) -> Ran:
    """One program in the real sandbox."""
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(folder.name + hashlib.sha256(str(folder).encode()).hexdigest()[:8], script, dict(inputs), folder)
    ran: Ran | None = None
    text, errors, metrics = [], [], []
    limited = Job(job.id, job.script, job.inputs, job.outputs, Limits(seconds=seconds))
    async for item in sandbox.run(limited):
        match item:
            case Output(stream="stdout"):
                text.append(item.text)
            case Output():
                errors.append(item.text)
            case Metric():
                metrics.append(item.values)
            case Outcome():
                ran = Ran(item, folder)
    assert ran is not None
    ran.text, ran.errors, ran.metrics = "".join(text), "".join(errors), metrics
    return ran


def model_folder(trained: Path, script: str) -> Path:
    """The folder of a model as the product lays it out: what training left, and the script beside it."""
    folder = trained.parent / "model"
    folder.mkdir(exist_ok=True)
    (folder / "model.joblib").write_bytes((trained / "model.joblib").read_bytes())
    (folder / "train.py").write_text(script, encoding="utf-8")
    return folder


def two_classes(rows: int = 300, seed: int = 0) -> dict[str, Any]:
    """A table where "age" and "colour" decide "answer" (yes/no) with some noise."""
    generator = np.random.default_rng(seed)
    age, colour = generator.normal(40, 10, rows), generator.choice(["red", "green", "blue"], rows)
    odds = (age - 40) / 6 + 1.5 * (colour == "red") + generator.normal(0, 1, rows)
    return {
        "age": age,
        "colour": colour.tolist(),
        "noise": generator.normal(size=rows),
        "answer": np.where(odds > 0.5, "yes", "no").tolist(),
    }


def numbers(rows: int = 300, seed: int = 0) -> dict[str, Any]:
    """A table where "price" follows "size" and "place"."""
    generator = np.random.default_rng(seed)
    size, place = generator.uniform(20, 200, rows), generator.choice(["town", "village"], rows)
    price = 1000 * size + 50_000 * (place == "town") + generator.normal(0, 5_000, rows)
    return {"size": size, "place": place.tolist(), "noise": generator.normal(size=rows), "price": price}


def write_predictions(path: Path, **columns: Any) -> Path:
    """A predictions file as a program would leave it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path
