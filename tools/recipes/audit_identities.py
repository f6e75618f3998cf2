"""Is the target a sum, a product or a share of a few columns? Linear identities on the raw and on the log scale.

Columns are added one by one, each time the one that fits best to what is left (orthogonal matching pursuit, Pati et al.
1993). A piece of the audit program (tools/recipes/audit.py), which carries it as text.
"""

import numpy as np

from tools.recipes.audit_columns import all_but
from tools.recipes.audit_models import left_over, power

MOST_PARTS = 14
MOST_CLASSES = 10
FEWEST_ROWS = 60
WORTH_A_LOOK = 0.75  # R2 below which nothing is an identity
MATTERS = 0.02  # rise of what is left over when the part is taken away, in variances of the target


def identities(columns, y, classes, seed, labels=None, enough=lambda: False):
    """The best identity on each scale: its columns, their weights, R2 on rows that did not make it, and the rest.

    `labels`: the number that each class label stands for; of other classes each is 1 where it is and 0 elsewhere.
    """
    numbers = {name: column.to_numpy() for name, column in columns.items() if column.dtype == float}
    numbers = {name: values for name, values in numbers.items() if np.isnan(values).mean() < 0.5}
    found = []
    for scale, goal in _goals(y, classes, labels):
        if enough():
            break
        there = _logs(numbers, goal) if scale == "log" else (numbers, goal)
        one = there and _pursued(*there, seed, 1.0 if classes else 0.95)
        if one and one["r2"] >= WORTH_A_LOOK:
            out = all_but(columns, one["columns"], y, classes, seed)
            rest = {"others": power(y, classes, out), "others_left": left_over(y, classes, out)}
            found.append({"scale": scale, **one, **rest})
    return sorted(found, key=lambda one: -one["r2"])[:4]


def _goals(y, classes, labels):
    """(scale, numbers) that could be a sum or a product."""
    if not classes or labels is not None:
        goal = np.asarray(labels, dtype=float)[y] if classes else y
        yield "raw", goal
        yield "log", goal
    if classes == 2 and labels is None:
        yield "raw", y.astype(float)
    if classes > 2:
        for code in np.argsort(-np.bincount(y, minlength=classes))[:MOST_CLASSES]:
            yield "raw", (y == code).astype(float)


def _logs(numbers, goal):
    """Logarithms of what is positive; None where the target is not."""
    if (goal > 0).mean() < 0.9:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {n: np.where(v > 0, np.log(v), np.nan) for n, v in numbers.items() if np.nanmean(v > 0) > 0.9}
        return logs, np.where(goal > 0, np.log(goal), np.nan)


def _pursued(numbers, goal, seed, trust):
    """Parts chosen on one half of the rows, judged on the other; `trust`: share of the rows, those that fit best."""
    names = [name for name, values in numbers.items() if np.nanstd(values) > 0]
    if not names:
        return None
    x = np.column_stack([numbers[name] for name in names])
    whole = ~np.isnan(x).any(axis=1) & ~np.isnan(goal)
    if whole.sum() < FEWEST_ROWS:
        gaps = np.isnan(x).mean(axis=0)
        few = np.flatnonzero(gaps <= np.median(gaps))
        x, names = x[:, few], [names[place] for place in few]
        whole = ~np.isnan(x).any(axis=1) & ~np.isnan(goal)
        if whole.sum() < FEWEST_ROWS:
            return None
    x, y = x[whole], goal[whole]
    order = np.random.default_rng(seed).permutation(len(y))
    fit, check = order[::2], order[1::2]
    spread, middle = x.std(axis=0), x.mean(axis=0)
    usable = np.flatnonzero(spread > 1e-12 * np.maximum(1.0, np.abs(middle)))
    z = (x[:, usable] - middle[usable]) / spread[usable]
    chosen = _chosen(z[fit], y[fit], trust)
    if not chosen:
        return None
    chosen = _needed(z, y, fit, check, chosen, trust)
    weights = _solved(z[fit][:, chosen], y[fit], trust)
    r2 = _judged(z[check][:, chosen], y[check], weights, trust)
    alone = [_judged(z[check][:, [one]], y[check], _solved(z[fit][:, [one]], y[fit], trust), trust) for one in chosen]
    raw = weights[1:] / spread[usable][chosen]
    parts = [names[place] for place in usable[chosen]]
    return {"columns": parts, "weights": raw.tolist(), "r2": r2, "alone": alone, "rows": len(y)}


def _chosen(z, y, trust):
    """Orthogonal matching pursuit, until nothing is left or nothing fits."""
    chosen, rest = [], y - y.mean()
    total = float((rest**2).mean())
    for _ in range(min(MOST_PARTS, z.shape[1], len(y) // 5)):
        fits = np.abs(z.T @ rest)
        fits[chosen] = -1
        place = int(fits.argmax())
        chosen.append(place)
        weights = _solved(z[:, chosen], y, trust)
        rest = y - weights[0] - z[:, chosen] @ weights[1:]
        if total <= 0 or float((rest**2).mean()) < 1e-9 * total:
            break
    return chosen


def _needed(z, y, fit, check, chosen, trust):
    """Without the parts that change nothing."""
    whole = _judged(z[check][:, chosen], y[check], _solved(z[fit][:, chosen], y[fit], trust), trust)
    for place in list(reversed(chosen)):
        rest = [one for one in chosen if one != place]
        if not rest:
            break
        r2 = _judged(z[check][:, rest], y[check], _solved(z[fit][:, rest], y[fit], trust), trust)
        if whole - r2 < MATTERS * max(1 - whole, 0.02):
            chosen = rest
    return chosen


def _solved(z, y, trust):
    """Intercept and weights by least squares, then again on the rows that fit best."""
    design = np.column_stack([np.ones(len(y)), z])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    off = np.abs(y - design @ weights)
    kept = off <= np.quantile(off, trust)
    return np.linalg.lstsq(design[kept], y[kept], rcond=None)[0]


def _judged(z, y, weights, trust):
    """R2 on the rows that fit best."""
    off = (y - weights[0] - z @ weights[1:]) ** 2
    kept = off <= np.quantile(off, trust)
    spread = float(np.var(y))
    return float(1 - off[kept].mean() / spread) if spread > 0 else 0.0
