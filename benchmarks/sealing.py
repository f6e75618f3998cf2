"""One table audited as in the product, but in this process: sealed, measured by the audit program, judged."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.leaking import Planted
from tools.audit import Probe, assemble
from tools.contract import ColumnPlan, Contract, Role, Split
from tools.recipes import audit_for
from tools.score import score
from tools.seal import Sealed, class_counts, seal

SECONDS = 60.0
"""Far more than the program needs: what a busy machine cannot do in time is no question of this benchmark."""


@dataclass(frozen=True)
class _File:
    path: Path
    id: str


def audited(planted: Planted, target: str, folder: Path, seed: int) -> tuple[Probe, ...]:
    """Every probe of the table, with a quick model's predictions and their score."""
    frame = planted.frame
    table = pa.Table.from_pandas(frame, preserve_index=False)
    path = folder / "table.parquet"
    pq.write_table(table, path)
    contract = contract_of(table, target, planted, seed)
    sealed = seal(_File(path, hashlib.sha256(path.read_bytes()).hexdigest()), contract, folder / "sealed")
    probe = measured(contract, sealed, folder)
    predictions, dummy = _predicted(contract, sealed, folder)
    result = score(sealed.holdout_labels, predictions, contract, baselines={"dummy": dummy}, resamples=200)
    return assemble(probe, contract, sealed, predictions=predictions, score=result)


def contract_of(table: pa.Table, target: str, planted: Planted, seed: int) -> Contract:
    """Every column is a feature, but those that the scene leaves beside."""
    regression = pa.types.is_floating(table.schema.field(target).type)
    classes = () if regression else tuple(class_counts(table.column(target)))
    task = "regression" if regression else "binary" if len(classes) == 2 else "multiclass"
    plans = [
        ColumnPlan(name=field.name, role=_role(field.type), use=field.name not in planted.beside)
        for field in table.schema
        if field.name != target
    ]
    return Contract(
        request="",
        row_unit="one row",
        task=task,  # type: ignore[arg-type]  # one of the three
        target=target,
        positive_class=classes[-1] if task == "binary" else None,
        classes=classes,
        columns=tuple(plans),
        split=planted.split or Split(rule="random" if regression else "stratified", holdout_fraction=0.25),
        metric={"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}[task],
        seed=seed,
    )


def _role(kind: pa.DataType) -> Role:
    if pa.types.is_temporal(kind):
        return "date"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "category"


def measured(contract: Contract, sealed: Sealed, folder: Path) -> Path:
    """The program's own text, as the sandbox would get it, run up to its last block; outputs/probe.json."""
    text = audit_for(contract, seconds=SECONDS).partition('\nif __name__ == "__main__":')[0]
    program: dict[str, Any] = {"__name__": "audit"}
    exec(compile(text, "audit", "exec"), program)  # our own text
    about = {name: value for name, value in program.items() if name.isupper()}
    train, holdout = (pd.read_parquet(path) for path in (sealed.train, sealed.holdout_features))
    found = program["Audit"](train, holdout, about=about, seconds=SECONDS).run()
    path = folder / "probe.json"
    path.write_text(json.dumps(found))
    return path


def _predicted(contract: Contract, sealed: Sealed, folder: Path) -> tuple[Path, Path]:
    """Predictions of the sealed rows by boosted trees that have time to remember, and by nothing at all."""
    train, holdout = pd.read_parquet(sealed.train), pd.read_parquet(sealed.holdout_features)
    names = list(contract.features)
    both = pd.concat([train[names], holdout[names]], ignore_index=True)
    x = np.column_stack([_numbers(both[name]) for name in names])
    known, asked = x[: len(train)], x[len(train) :]
    settings: dict[str, Any] = {
        "num_leaves": 31,
        "min_child_samples": 5,
        "n_estimators": 60,
        "n_jobs": 1,
        "verbosity": -1,
    }
    rows = {"row": np.arange(len(asked))}
    if contract.task == "regression":
        model = lgb.LGBMRegressor(**settings).fit(known, train[contract.target])
        columns = {"prediction": np.asarray(model.predict(asked), dtype=float)}
        nothing = {"prediction": np.full(len(asked), float(train[contract.target].mean()))}
    else:
        codes = train[contract.target].map({label: code for code, label in enumerate(contract.classes)}).to_numpy(int)
        settings["n_estimators"] = 60 if len(contract.classes) == 2 else 25
        classifier = lgb.LGBMClassifier(**settings).fit(known, codes)
        columns = _chances(np.asarray(classifier.predict_proba(asked)), np.asarray(classifier.classes_), contract)
        shares = np.bincount(codes, minlength=len(contract.classes)) / len(codes)
        nothing = _chances(np.tile(shares, (len(asked), 1)), np.arange(len(shares)), contract)
    paths = folder / "predictions.parquet", folder / "dummy.parquet"
    for path, content in zip(paths, (columns, nothing), strict=True):
        pq.write_table(pa.table({**rows, **content}), path)
    return paths


def _numbers(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(column):
        return (column - pd.Timestamp("2000-01-01")).dt.total_seconds().to_numpy(dtype=float)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float)
    return pd.factorize(column)[0].astype(float)


def _chances(found: np.ndarray, known: np.ndarray, contract: Contract) -> dict[str, Any]:
    chances = np.full((len(found), len(contract.classes)), 1e-6)
    chances[:, known.astype(int)] += found
    chances /= chances.sum(axis=1, keepdims=True)
    said = [contract.classes[code] for code in chances.argmax(axis=1)]
    return {"prediction": said} | {f"p_{code}": column for code, column in enumerate(chances.T)}
