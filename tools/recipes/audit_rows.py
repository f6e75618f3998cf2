"""What the rows have to do with each other: order in time, entities, near twins, wrong labels, two different parts.

A piece of the audit program (tools/recipes/audit.py), which carries it as text.
"""

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from tools.recipes.audit_models import by_boosting, folds_of, losses, matrix_of, out_of_fold, power

ORIGINS = [0.5, 0.75]  # shares of the rows after which the later ones begin
BLOCKS = 20
MOST_NEIGHBOURS = 20_000
ASKED = 600


def boosted(columns, y, classes, folds, seed):
    """Out-of-fold predictions of boosted trees on all columns."""
    x, categories = matrix_of(columns, list(columns))
    return out_of_fold(y, classes, lambda y, k, a, b: by_boosting(x, y, k, a, b, seed, categories), folds)


def in_order(columns, y, classes, moment, at_random, seed):
    """Later rows, told from all earlier ones at two moments, beside the same rows told from a random part of all."""
    there = np.flatnonzero(~np.isnan(moment))
    order = there[np.argsort(moment[there], kind="stable")]
    if len(order) < 120 or moment[order[len(order) // 2]] == moment[order[0]]:
        return None
    x, categories = matrix_of(columns, list(columns))
    said, rows = [], []
    for begin, end in zip(ORIGINS, [*ORIGINS[1:], 1.0], strict=True):
        early, late = order[: int(begin * len(order))], order[int(begin * len(order)) : int(end * len(order))]
        if classes and len(np.unique(y[early])) < classes:
            continue
        said.append(by_boosting(x, y, classes, early, late, seed, categories))
        rows.append(late)
    if not rows or (classes and len(np.unique(y[np.concatenate(rows)])) < classes):
        return None
    late, later = np.concatenate(rows), np.vstack(said)
    gaps = losses(y[late], classes, later) - losses(y[late], classes, at_random[late])
    found = [power(y[late], classes, later), power(y[late], classes, at_random[late])]
    return {
        "later": found[0],
        "random": found[1],
        "z": _z(gaps, np.arange(len(late)) * BLOCKS // len(late)),
        "rows": len(late),
    }


def by_entity(columns, y, classes, entity, seed):
    """Rows of entities that training has not seen, beside the same rows told at random; both on the same columns."""
    codes = pd.factorize(entity)[0]
    if codes.max() < 9:
        return None
    groups = folds_of(y, classes, seed, codes)
    if classes and any(len(np.unique(y[train])) < classes for train, _ in groups):
        return None
    new, known = (boosted(columns, y, classes, folds, seed) for folds in (groups, folds_of(y, classes, seed)))
    gaps = losses(y, classes, new) - losses(y, classes, known)
    found = {"new": power(y, classes, new), "known": power(y, classes, known), "z": _z(gaps, codes)}
    return found | {"entities": int(codes.max() + 1), "rows": len(y)}


def _z(gaps, units):
    """Mean over its standard error, where whole units are drawn."""
    sums = np.bincount(units, weights=gaps - gaps.mean())
    error = float(np.sqrt((sums**2).sum())) / len(gaps)
    return float(np.clip(gaps.mean() / error, -999, 999)) if error > 0 else 0.0


def near_twins(train, holdout, seed):
    """Hold-out rows that stand far nearer to one training row than rows do: [[hold-out row, training row]].

    None where rows have too few numbers for nearness to mean anything.
    """
    numbers = [name for name in train if train[name].dtype == float and _is_fine(train[name])]
    if len(numbers) < 3:
        return None
    generator = np.random.default_rng(seed)
    known = np.sort(generator.permutation(len(train[numbers[0]]))[:MOST_NEIGHBOURS])
    asked = np.sort(generator.permutation(len(holdout[numbers[0]]))[:ASKED])
    here, there = [], []
    for name in numbers:
        values, others = train[name].to_numpy()[known], holdout[name].to_numpy()[asked]
        middle, spread = np.nanmedian(values), np.nanstd(values) or 1.0
        for kept, part in ((here, values), (there, others)):
            kept.append(np.nan_to_num(np.clip((part - middle) / spread, -8, 8), nan=9.0))
    a, b = (np.column_stack(part).astype(np.float32) for part in (here, there))
    if len(a) < 20 or len(b) < 20:
        return None
    distance, place = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(a).kneighbors(b)
    usual = float(np.median(distance[:, 1]))
    # Square roots of rounded differences, so nothing below 1e-3 of a spread is a distance.
    close = (distance[:, 0] < 0.06 * usual) & (distance[:, 0] < 0.2 * distance[:, 1]) & (usual > 0.05)
    pairs = np.column_stack([asked[close], known[place[close, 0]]])
    return {"asked": len(asked), "pairs": pairs.tolist()}


def _is_fine(column):
    """A number with so many values that two rows rarely share one."""
    values = column.dropna()
    return len(values) > 0.8 * len(column) and values.nunique() > max(30, 0.05 * len(values))


def wrong_labels(y, classes, out):
    """Confident learning (Northcutt et al. 2021): rows that are surely another class than their label says.

    A row counts when its probability of another class is above that class's mean among its own rows, and the
    probability of its own label is below a third of that. {"rows", "suspicious"}; None for numbers.
    """
    if not classes:
        return None
    own = [out[y == code, code].mean() if (y == code).any() else 2.0 for code in range(classes)]
    above = np.where(out >= np.array(own), out, -1.0)
    best = above.argmax(axis=1)
    sure = above.max(axis=1)
    mine = out[np.arange(len(y)), y]
    wrong = (sure > 0) & (best != y) & (mine < sure / 3)
    return {"rows": len(y), "suspicious": int(wrong.sum())}


def apart(train, holdout, seed):
    """ROC-AUC of telling hold-out rows from training rows, and how far beyond chance that is."""
    rows = [len(next(iter(part.values()))) for part in (train, holdout)]
    is_new = np.repeat([0, 1], rows)
    both = {
        name: pd.concat([train[name], holdout[name]], ignore_index=True)
        for name in train
        if name in holdout and train[name].dtype == holdout[name].dtype
    }
    if not both or min(rows) < 30:
        return None
    found = power(is_new, 2, boosted(both, is_new, 2, folds_of(is_new, 2, seed), seed))
    spread = np.sqrt((sum(rows) + 1) / (12 * rows[0] * rows[1]))
    return {"auc": found, "z": float((found - 0.5) / spread)}
