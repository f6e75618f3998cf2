"""What would another split have promised? A quick model judged on random rows, on later rows, on unseen entities.

Reads inputs/train.parquet and inputs/order.parquet (`moment` and/or `entity` of each row); writes predictions for rows
that the model had not seen: outputs/random_1.parquet, later_1.parquet, ... (one pair per origin: as many rows to learn
from and to judge by, drawn at random or cut by time) and outputs/mixed.parquet, unseen.parquet (folds at random, folds
by entity). Scores are computed by whoever reads them.
"""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

TARGET = "target"
CLASSES = ["0", "1"]  # empty for numbers
NUMBERS = ["x"]
CATEGORIES = []
DATES = []
ORIGINS = [0.5, 0.6, 0.7, 0.8, 0.9]  # shares of the rows after which time is cut
FOLDS = 5
MAX_ROWS = 10_000
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


def predicted(x, y, train, rest):
    """Class probabilities (never quite 0) or numbers for the rows `rest`, learned from the rows `train`."""
    kind = HistGradientBoostingClassifier if CLASSES else HistGradientBoostingRegressor
    leaf = int(np.clip(len(train) // 20, 2, 20))
    model = kind(max_iter=60, max_leaf_nodes=12, min_samples_leaf=leaf, early_stopping=False, random_state=SEED)
    with threadpool_limits(1):  # as fast at this size, and never waits for a busy core
        model.fit(x[train], y[train])
        if not CLASSES:
            return model.predict(x[rest])
        chance = np.full((len(rest), len(CLASSES)), 1e-4)
        chance[:, model.classes_] += model.predict_proba(x[rest])
    return chance / chance.sum(axis=1, keepdims=True)


def write(name, rows, p):
    """Predictions of these rows of inputs/train.parquet, in their order."""
    found = {"row": rows.astype(np.int64)}
    if CLASSES:
        labels = np.array(CLASSES, dtype=object)[p.argmax(axis=1)]
        found |= {"prediction": labels} | {f"p_{i}": p[:, i] for i in range(len(CLASSES))}
    else:
        found["prediction"] = p.astype(float)
    pd.DataFrame(found).to_parquet(f"outputs/{name}.parquet", index=False)


def by_time(x, y, place, moment):
    """At each origin the same work twice: the rows after it from those before, and random rows from others."""
    order, shuffled = np.argsort(moment, kind="stable"), np.random.default_rng(SEED).permutation(len(y))
    edges = [round(share * len(y)) for share in [*ORIGINS, 1.0]]
    for number in range(len(ORIGINS), 0, -1):  # the latest first: it says most if there is no time for all
        at, end = edges[number - 1 : number + 1]
        while at < end and moment[order[at]] == moment[order[at - 1]]:
            at += 1  # rows of one moment stay together
        rest, before = order[at:end], order[:at]
        drawn = shuffled[edges[number - 1] : edges[number - 1] + len(rest)]
        others = np.setdiff1d(shuffled, drawn)
        others = np.random.default_rng(SEED + number).choice(others, len(before), replace=False)
        if len(rest) < 5 or any(CLASSES and len(np.unique(y[rows])) < 2 for rows in (before, others)):
            continue
        write(f"later_{number}", place[rest], predicted(x, y, before, rest))
        write(f"random_{number}", place[drawn], predicted(x, y, others, drawn))
        tell(len(ORIGINS) + 1 - number, len(ORIGINS), "later rows against random rows")
        if time.monotonic() - START > SECONDS:
            return


def by_entity(x, y, place, entity):
    """Every row is judged twice: by a model that may know its entity, and by one that cannot."""
    splitter = StratifiedKFold if CLASSES and np.bincount(y).min() >= FOLDS else KFold
    mixed = splitter(FOLDS, shuffle=True, random_state=SEED).split(x, y)
    apart = GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y, entity)
    for name, folds in (("mixed", list(mixed)), ("unseen", list(apart))):
        if any(CLASSES and len(np.unique(y[train])) < 2 for train, _ in folds):
            return
        p = np.concatenate([predicted(x, y, train, rest) for train, rest in folds])
        write(name, place[np.concatenate([rest for _, rest in folds])], p)


def tell(done, total, text):
    """A line of progress for whoever watches."""
    print("@@" + json.dumps({"kind": "progress", "done": done, "total": total, "text": text}), flush=True)


if __name__ == "__main__":
    table, told = pd.read_parquet("inputs/train.parquet"), pd.read_parquet("inputs/order.parquet")
    place = np.arange(len(table))
    if len(table) > MAX_ROWS:
        place = np.sort(np.random.default_rng(SEED).choice(len(table), MAX_ROWS, replace=False))
    table, told = table.iloc[place].reset_index(drop=True), told.iloc[place].reset_index(drop=True)
    codes = {label: code for code, label in enumerate(CLASSES)}
    y = table[TARGET].map(codes).to_numpy().astype(int) if CLASSES else table[TARGET].to_numpy().astype(float)
    if NUMBERS or CATEGORIES or DATES:
        x = columns_of(table)
        if "moment" in told:
            known = np.flatnonzero(told["moment"].notna())
            by_time(x[known], y[known], place[known], told["moment"].to_numpy()[known])
        if "entity" in told and told["entity"].nunique() >= FOLDS:
            by_entity(x, y, place, told["entity"].to_numpy())
    Path("outputs/done.json").write_text(json.dumps({"seconds": round(time.monotonic() - START, 2)}))
