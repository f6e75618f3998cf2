"""Two probes on the training rows: is there signal where there can be none, and does one column give the target away?

Reads inputs/train.parquet, writes outputs/probe.json. Small models on a few thousand rows: a smoke alarm, not a model.
"""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

TARGET = "target"
CLASSES = ["0", "1"]  # empty for numbers
NUMBERS = ["x"]
CATEGORIES = []
DATES = []
MAX_ROWS = 4000
SHUFFLES = 3
SECONDS = 10.0
SEED = 0

START = time.monotonic()


def columns_of(table):
    """Numbers and days as float; categories as they are."""
    out = {name: pd.to_numeric(table[name], errors="coerce").astype(float) for name in NUMBERS}
    for name in DATES:
        moment = pd.to_datetime(table[name], errors="coerce", utc=True)
        out[name] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
    out |= {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in CATEGORIES}
    return {name: column.replace([np.inf, -np.inf], np.nan).reset_index(drop=True) for name, column in out.items()}


def folds(y):
    """Three folds, by class where every class is large enough."""
    splitter = StratifiedKFold if CLASSES and np.bincount(y).min() >= 3 else KFold
    return list(splitter(3, shuffle=True, random_state=SEED).split(np.zeros(len(y)), y))


def truth(y):
    """The target as columns to average: one per class, or the number itself."""
    return np.eye(len(CLASSES))[y] if CLASSES else y[:, None]


def by_level(column, y, train, rest):
    """For a category: the mean of the target per value, drawn to the overall mean where there are few rows."""
    overall = truth(y[train]).mean(axis=0)
    grouped = pd.DataFrame(truth(y[train])).groupby(column.iloc[train].to_numpy())
    means = (grouped.sum() + 2 * overall).div(grouped.size() + 2, axis=0)
    return means.reindex(column.iloc[rest].to_numpy()).fillna(dict(enumerate(overall))).to_numpy()


def by_tree(x, y, train, rest):
    """For numbers: a small tree."""
    kind = DecisionTreeClassifier if CLASSES else DecisionTreeRegressor
    tree = kind(max_depth=8, min_samples_leaf=max(3, len(y) // 200), random_state=SEED).fit(x[train], y[train])
    if not CLASSES:
        return tree.predict(x[rest])[:, None]
    out = np.zeros((len(rest), len(CLASSES)))
    out[:, tree.classes_] = tree.predict_proba(x[rest])
    return out


def judged(y, predict):
    """Cross-validated score of `predict(y, train, rest)`: ROC-AUC, balanced accuracy or R2."""
    out = np.zeros((len(y), max(len(CLASSES), 1)))
    for train, rest in folds(y):
        out[rest] = predict(y, train, rest)
    if not CLASSES:
        return float(r2_score(y, out[:, 0]))
    if len(CLASSES) == 2:
        return float(roc_auc_score(y, out[:, 1]))
    return float(balanced_accuracy_score(y, out.argmax(axis=1)))


def alone(column, y):
    """How well one column predicts the target on its own."""
    if column.dtype == float:
        return judged(y, lambda y, train, rest: by_tree(column.to_numpy()[:, None], y, train, rest))
    return judged(y, lambda y, train, rest: by_level(column, y, train, rest))


def together(columns, y):
    """A small tree on all columns, categories as codes."""
    x = np.column_stack([c if c.dtype == float else pd.factorize(c)[0] for c in list(columns.values())[:200]])
    return judged(y, lambda y, train, rest: by_tree(x, y, train, rest))


if __name__ == "__main__":
    table = pd.read_parquet("inputs/train.parquet")
    if len(table) > MAX_ROWS:
        table = table.sample(MAX_ROWS, random_state=SEED).sort_index()
    codes = {label: code for code, label in enumerate(CLASSES)}
    y = table[TARGET].map(codes).to_numpy().astype(int) if CLASSES else table[TARGET].to_numpy().astype(float)
    columns = columns_of(table)
    generator = np.random.default_rng(SEED)
    probe = {
        "metric": "r2" if not CLASSES else "roc_auc" if len(CLASSES) == 2 else "balanced_accuracy",
        "rows": len(y),
        "real": together(columns, y) if columns else None,
        "shuffled": [together(columns, generator.permutation(y)) for _ in range(SHUFFLES)] if columns else [],
        "single": {},
    }
    for done, (name, column) in enumerate(columns.items(), start=1):
        probe["single"][name] = alone(column, y)
        print("@@" + json.dumps({"kind": "progress", "done": done, "total": len(columns), "text": "audit"}), flush=True)
        if time.monotonic() - START > SECONDS:
            break
    Path("outputs/probe.json").write_text(json.dumps(probe))
