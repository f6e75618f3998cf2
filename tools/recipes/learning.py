"""Would more rows help? A light model on growing parts of the training rows, judged on rows left out each time.

Reads inputs/train.parquet, writes outputs/learning.json. The model is small so that this costs seconds; what counts is
how its score grows, not how high it is.
"""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

TARGET = "target"
CLASSES = ["0", "1"]  # empty for numbers
NUMBERS = ["x"]
CATEGORIES = []
DATES = []
SPLIT = "random"  # "time": rows are in order, and the last ones judge
MAX_ROWS = 10_000
PARTS = 5  # each twice the one before
REPEATS = 5
SECONDS = 10.0
SEED = 0

START = time.monotonic()


def columns_of(table):
    """Numbers, days and codes of categories, as one table of floats."""
    out = {name: pd.to_numeric(table[name], errors="coerce").astype(float) for name in NUMBERS}
    for name in DATES:
        moment = pd.to_datetime(table[name], errors="coerce", utc=True)
        out[name] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
    out |= {name: pd.Series(pd.factorize(table[name].astype(str))[0], dtype=float) for name in CATEGORIES}
    columns = [column.replace([np.inf, -np.inf], np.nan).to_numpy() for column in list(out.values())[:200]]
    return np.column_stack(columns)


def cuts(y):
    """(rows to learn from in random order, rows to judge by), several times."""
    if SPLIT == "time":
        edges = np.linspace(0.6, 1.0, REPEATS + 1)
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            at = int(low * len(y))
            yield np.arange(at)[::-1], np.arange(at, int(high * len(y)))  # the latest are the first to be used
        return
    splitter = StratifiedKFold if CLASSES and np.bincount(y).min() >= REPEATS else KFold
    generator = np.random.default_rng(SEED)
    for train, rest in splitter(REPEATS, shuffle=True, random_state=SEED).split(np.zeros(len(y)), y):
        yield generator.permutation(train), rest


def loss(x, y, train, rest):
    """Log-loss, or the mean squared error, of a light model."""
    kind = HistGradientBoostingClassifier if CLASSES else HistGradientBoostingRegressor
    leaf = int(np.clip(len(train) // 20, 2, 20))
    model = kind(max_iter=40, max_leaf_nodes=8, min_samples_leaf=leaf, early_stopping=False, random_state=SEED)
    with threadpool_limits(1):  # as fast at this size, and never waits for a busy core
        model.fit(x[train], y[train])
        if not CLASSES:
            return float(mean_squared_error(y[rest], model.predict(x[rest])))
        chance = np.full((len(rest), len(CLASSES)), 1e-3)
        chance[:, model.classes_] += model.predict_proba(x[rest])
    return float(log_loss(y[rest], chance / chance.sum(axis=1, keepdims=True), labels=np.arange(len(CLASSES))))


if __name__ == "__main__":
    table = pd.read_parquet("inputs/train.parquet")
    if len(table) > MAX_ROWS:
        chosen = np.sort(np.random.default_rng(SEED).choice(len(table), MAX_ROWS, replace=False))
        table = table.iloc[chosen]
    table = table.reset_index(drop=True)
    codes = {label: code for code, label in enumerate(CLASSES)}
    y = table[TARGET].map(codes).to_numpy().astype(int) if CLASSES else table[TARGET].to_numpy().astype(float)
    found = {"rows": [], "losses": [], "finished": True}
    if NUMBERS or CATEGORIES or DATES:
        x = columns_of(table)
        splits = list(cuts(y))
        most = min(len(train) for train, _ in splits)
        measured = {}
        for done, part in enumerate([1, 0, *range(2, PARTS)], start=1):  # the last doubling first: it decides
            size = most // 2**part
            if size < 20 or any(CLASSES and len(np.unique(y[train[:size]])) < 2 for train, _ in splits):
                continue
            began = time.monotonic()
            measured[size] = [loss(x, y, train[:size], rest) for train, rest in splits]
            line = {"kind": "progress", "done": done, "total": PARTS, "text": f"learning from {size} rows"}
            print("@@" + json.dumps(line), flush=True)
            if time.monotonic() - START + 2 * (time.monotonic() - began) > SECONDS and done > 1:
                found["finished"] = False
                break
        found |= {"rows": sorted(measured), "losses": [measured[size] for size in sorted(measured)]}
    Path("outputs/learning.json").write_text(json.dumps(found))
