"""Does one column give the target away? Each is tried alone; the strong ones are weighed against all the others.

A piece of the audit program (tools/recipes/audit.py), which carries it as text.
"""

import numpy as np
import pandas as pd

from tools.recipes.audit_models import (
    by_boosting,
    by_level,
    by_tree,
    folds_of,
    left_over,
    losses,
    matrix_of,
    out_of_fold,
    power,
)

GLANCE = 600
SUSPECTS = 4  # so many columns are weighed against the others
CHARACTERS = 10  # places of a code that are looked at from either end
SURE_OF_IT = 0.97  # probability from which a row counts as given away


def columns_of(table, numbers, categories, dates):
    """Numbers and days as float; categories as they are, a gap is a category."""
    out = {name: pd.to_numeric(table[name], errors="coerce").astype(float) for name in numbers}
    for name in dates:
        moment = pd.to_datetime(table[name], errors="coerce", utc=True)
        out[name] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
    out |= {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in categories}
    return {name: column.replace([np.inf, -np.inf], np.nan).reset_index(drop=True) for name, column in out.items()}


def views(column):
    """The ways in which one column could tell: name of the view -> numbers (float) or level codes (integers)."""
    if column.dtype == float:
        values = column.to_numpy()
        gaps = np.isnan(values)
        found = {"filled or not": gaps.astype(int)} if 0.005 < gaps.mean() < 0.995 else {}
        found["values"] = values
        whole = values[~gaps]
        if len(whole) and np.all(whole == np.floor(whole)) and len(np.unique(whole)) > 50:
            digits = np.where(gaps, 0, np.abs(np.nan_to_num(values)) % 1000).astype(int)
            found |= {"last digit": digits % 10, "last two digits": digits % 100}
        return found
    codes, levels = pd.factorize(column)
    empty = (column == "").to_numpy()
    found = {"filled or not": empty.astype(int)} if 0.005 < empty.mean() < 0.995 else {}
    found["values"] = codes
    if len(levels) > 20:
        found |= {view: part[codes] for view, part in _parts(pd.Series(levels).astype(str)).items()}
    return found


def _parts(levels):
    """What stands at each place of a code, its beginning, the number in it, its length."""
    found = {}
    for place in range(CHARACTERS):
        found[f"character {place + 1}"] = pd.factorize(levels.str[place].fillna(""))[0]
        if place < 4:
            found[f"character {place + 1} from the end"] = pd.factorize(levels.str[-1 - place].fillna(""))[0]
    found["first two characters"] = pd.factorize(levels.str[:2])[0]
    found["first three characters"] = pd.factorize(levels.str[:3])[0]
    found["its number"] = pd.to_numeric(levels.str.extract(r"(\d+)", expand=False), errors="coerce").to_numpy(float)
    found["length"] = levels.str.len().to_numpy(float)
    return {name: part for name, part in found.items() if len(np.unique(part[~pd.isna(part)])) > 1}


def alone(column, y, classes, folds, seed):
    """(view, out-of-fold predictions) of the view from which most can be told; None for a column with one value."""
    best = None
    for view, values in views(column).items():
        if len(np.unique(values[~pd.isna(values)])) < 2 and not np.isnan(values.astype(float)).any():
            continue
        if values.dtype == float:
            predict = lambda y, k, a, b, x=values[:, None]: by_tree(x, y, k, a, b, seed)  # noqa: E731
        else:
            predict = lambda y, k, a, b, codes=values: by_level(codes, y, k, a, b)  # noqa: E731
        out = out_of_fold(y, classes, predict, folds)
        left = left_over(y, classes, out)
        if best is None or left < best[0] - 0.02:  # the plainest view that tells as much
            best = (left, view, out)
    return None if best is None else best[1:]


def each_alone(columns, y, classes, seed, enough):
    """{column: (view, out-of-fold predictions)} for as many columns as there is time for."""
    folds, found = folds_of(y, classes, seed), {}
    for name, column in sorted(columns.items(), key=lambda item: _glance(item[1], y, classes, seed)):
        tried = alone(column, y, classes, folds, seed)
        if tried is not None:
            found[name] = tried
        if enough():
            break
    return found


def _glance(column, y, classes, seed):
    """What a few rows of one fold leave unknown: the order in which columns are tried, should time run out."""
    some = np.random.default_rng(seed).permutation(len(y))[:GLANCE]
    goal, half = y[some], np.arange(len(some)) < len(some) // 2
    train, rest = np.flatnonzero(half), np.flatnonzero(~half)
    if len(rest) < 20 or (classes and len(np.unique(goal[train])) < 2):
        return 0.0
    if column.dtype == float:
        out = by_tree(column.to_numpy()[some][:, None], goal, classes, train, rest, seed)
    else:
        out = by_level(pd.factorize(column.iloc[some])[0], goal, classes, train, rest)
    return float(losses(goal[rest], classes, out).mean())


def suspects(columns, tried, y, classes, seed, enough):
    """The columns that tell most, each weighed against what the others tell without it."""
    left = {name: left_over(y, classes, out) for name, (_, out) in tried.items()}
    ranked = sorted(tried, key=lambda name: _rank(y, classes, tried[name][1], left[name]))
    found = []
    for name in ranked[:SUSPECTS]:
        few = not classes or given_away(y, classes, tried[name][1]).mean() < 0.02
        if enough() or (left[name] > 0.85 and few):
            break
        found.append(weighed(name, columns, tried, y, classes, seed))
    return found


def _rank(y, classes, out, left):
    """What is left unknown; rows that are given away count only where the column is right about them."""
    given = given_away(y, classes, out) if classes else np.zeros(len(y), bool)
    right = given.any() and (out.argmax(axis=1) == y)[given].mean() >= 0.985
    return left - (given.mean() if right else 0.0)


def weighed(name, columns, tried, y, classes, seed, without=None):
    """One column beside all the others: what it tells alone, what they tell without it and its like."""
    view, out = tried[name]
    if without is None:
        without = all_but(columns, _alike(name, tried, y, classes), y, classes, seed)
    given = given_away(y, classes, out)
    mine, theirs = losses(y, classes, out), losses(y, classes, without)
    row = {
        "column": name,
        "view": view,
        "power": power(y, classes, out),
        "others": power(y, classes, without),
        "left": left_over(y, classes, out),
        "others_left": left_over(y, classes, without),
        "rows": len(y),
        "given": int(given.sum()),
        "given_right": float((out.argmax(axis=1) == y)[given].mean()) if classes and given.any() else 0.0,
        "given_gain": float((theirs - mine)[given].mean()) if given.any() else 0.0,
        "one_to_one": one_to_one(columns[name], y) if classes else 0.0,
        "same": 0.0 if classes or columns[name].dtype != float else same(columns[name].to_numpy(), y),
        **({} if classes else in_ranks(out, without, y)),
        **where_filled(columns[name], y, classes, out, without),
    }
    return row | {"classes": per_class(y, classes, out, without) if classes > 2 else []}


def _alike(name, tried, y, classes):
    """The column and those that say the same as it: taken out together, or each would stand in for the other."""
    mine = tried[name][1]
    twins = [other for other, (_, out) in tried.items() if other != name and _agree(mine, out)]
    return [name, *twins[:10]]


def _agree(one, other):
    if one.std() < 1e-12 or other.std() < 1e-12:
        return False
    return abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) > 0.97


def all_but(columns, names, y, classes, seed):
    """Out-of-fold predictions of boosted trees on all columns but these."""
    kept = [name for name in columns if name not in names]
    folds = folds_of(y, classes, seed)
    if not kept:
        constant = lambda y, k, a, b: by_level(np.zeros(len(y), int), y, k, a, b)  # noqa: E731
        return out_of_fold(y, classes, constant, folds)
    x, categories = matrix_of(columns, kept)
    return out_of_fold(y, classes, lambda y, k, a, b: by_boosting(x, y, k, a, b, seed, categories), folds)


def given_away(y, classes, out):
    """Rows whose class the column is sure of, right or wrong; for numbers rows whose value it all but knows."""
    if not classes:
        return losses(y, classes, out) < 0.01
    return out.max(axis=1) >= SURE_OF_IT


def per_class(y, classes, out, without):
    """For several classes: how well the column, and the others without it, tell each class from the rest."""
    found = []
    for code in range(classes):
        is_it = y == code
        if min(is_it.sum(), (~is_it).sum()) < 5:
            continue
        shares = [left_over(is_it.astype(int), 2, _against(one[:, code])) for one in (out, without)]
        found.append({"class": code, "rows": int(is_it.sum()), "left": shares[0], "others_left": shares[1]})
    return found


def _against(chance):
    return np.column_stack([1 - chance, chance])


def one_to_one(column, y):
    """Share of rows in levels that have one class only, where a level has five rows on average."""
    codes, levels = pd.factorize(column)
    counted = pd.crosstab(codes, y).to_numpy() if len(levels) * 5 <= len(y) else np.zeros((0, 1))
    return float(counted.max(axis=1).sum() / len(y)) if len(counted) else 0.0


def where_filled(column, y, classes, out, without):
    """The same comparison on the rows in which the column says something at all, where those are a part only."""
    empty = column.isna() if column.dtype == float else column.eq("")
    common = column[~empty].mode()
    said = ~empty & (column != common.iloc[0]) if len(common) and (column == common.iloc[0]).mean() > 0.3 else ~empty
    rows = np.flatnonzero(said)
    one_answer = len(rows) < 40 or (np.bincount(y[rows]).max() > len(rows) - 5 if classes else _is_flat(y[rows], y))
    if one_answer or len(rows) > 0.95 * len(y):
        return {"filled": 0, "filled_left": 1.0, "filled_others_left": 1.0}
    left = [left_over(y[rows], classes, one[rows]) for one in (out, without)]
    return {"filled": len(rows), "filled_left": left[0], "filled_others_left": left[1]}


def _is_flat(part, y):
    return np.var(part) < 1e-3 * np.var(y)


def in_ranks(out, without, y):
    """Share of the order of the target that stays unknown: with a long tail a few rows decide about the squares."""
    order = [pd.Series(one).rank().to_numpy() for one in (y, out[:, 0], without[:, 0])]
    left = [1 - max(np.corrcoef(order[0], one)[0, 1], 0.0) ** 2 if one.std() > 0 else 1.0 for one in order[1:]]
    return {"rank_left": float(left[0]), "others_rank_left": float(left[1])}


def same(x, y):
    """Share of the target's variance that the bare values explain: near 1 only for a copy in the same unit."""
    there = ~np.isnan(x)
    if there.sum() < 30:
        return 0.0
    spread = float(np.var(y[there]))
    return float(max(-1.0, 1 - np.mean((x[there] - y[there]) ** 2) / max(spread, 1e-300)))
