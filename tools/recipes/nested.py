"""Nested cross-validation: the whole training script, its choices included, run again without each outer fold.

Reads inputs/train.parquet, inputs/train.py (the script) and, for groups, inputs/groups.parquet; writes
outputs/nested.parquet: what each run's model says of the rows that it has never had. Where few rows choose among many
models, the score of the winner on the rows that chose it is too good; these rows have chosen nothing.
"""

import contextlib
import io
import json
import os
import runpy
import shutil
import sys
import tempfile
import time
import types
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

TARGET = "target"
CLASSES = ["0", "1"]  # empty for numbers
SPLIT = "random"  # "time": rows are in order; "group": rows of a group stay together
FOLDS = 5
SECONDS = 60.0
SEED = 0

START = time.monotonic()


def outer_folds(y, groups):
    """(rows to train with, rows to judge by), as the sealed rows were chosen."""
    if SPLIT == "time":
        return list(TimeSeriesSplit(FOLDS).split(y))
    if groups is not None:
        return list(GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(y, y, groups))
    by_class = CLASSES and y.value_counts().min() >= FOLDS
    splitter = StratifiedKFold if by_class else KFold
    return list(splitter(FOLDS, shuffle=True, random_state=SEED).split(y, y))


def trained(table, groups, train, place):
    """The model that the script makes of these rows, in a folder of its own."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "inputs").mkdir(parents=True)
    (place / "outputs").mkdir()
    table.iloc[train].reset_index(drop=True).to_parquet(place / "inputs" / "train.parquet", index=False)
    if groups is not None:
        pd.DataFrame({"group": groups[train]}).to_parquet(place / "inputs" / "groups.parquet", index=False)
    home = Path.cwd()
    os.chdir(place)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress is not ours
            names = runpy.run_path(str(home / "inputs" / "train.py"), run_name="__main__")
        return loaded("outputs/model.joblib", names)
    finally:
        os.chdir(home)


def loaded(path, names):
    """The saved model; its pickle looks for the script's classes in the main program, which this is not."""
    script, own = types.ModuleType("__main__"), sys.modules["__main__"]
    vars(script).update(names)
    sys.modules["__main__"] = script
    try:
        return joblib.load(path)
    finally:
        sys.modules["__main__"] = own


def said(model, rest):
    """The model's predictions, and probabilities in the order of CLASSES."""
    found = {"prediction": model.predict(rest)}
    if CLASSES:
        p = model.predict_proba(rest)
        where = {label: place for place, label in enumerate(model.classes_)}
        found |= {f"p_{i}": p[:, where[label]] for i, label in enumerate(CLASSES)}
    return pd.DataFrame(found)


if __name__ == "__main__":
    table = pd.read_parquet("inputs/train.parquet")
    there = Path("inputs/groups.parquet")
    groups = pd.read_parquet(there)["group"].to_numpy() if SPLIT == "group" and there.exists() else None
    folds, parts = outer_folds(table[TARGET], groups), []
    place = Path(tempfile.mkdtemp()) / "fold"
    for done, (train, rest) in enumerate(folds, start=1):
        model = trained(table, groups, train, place)
        out = said(model, table.iloc[rest].drop(columns=TARGET).reset_index(drop=True))
        out.insert(0, "row", rest.astype(np.int64))
        parts.append(out)
        line = {"kind": "progress", "done": done, "total": len(folds), "text": "the whole recipe on outer folds"}
        print("@@" + json.dumps(line), flush=True)
        if time.monotonic() - START > SECONDS * done / (done + 1):
            break  # another one would take as long as these on average
    pd.concat(parts).to_parquet("outputs/nested.parquet", index=False)
