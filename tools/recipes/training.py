"""Train a model: several kinds of it, compared by cross-validation, blended, and improved until the time is up.

Reads inputs/train.parquet; writes outputs/model.joblib (as soon as there is one, then each better one), schema.json and
oof.parquet: what the saved blend says of training rows that it was not fitted on (row, prediction, p_0, p_1, ...).
Run with `python train.py`; lines that start with @@ are progress for whoever watches.
"""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoost
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, RepeatedKFold, RepeatedStratifiedKFold, TimeSeriesSplit
from threadpoolctl import threadpool_limits

from tools.recipes.train_columns import for_linear, for_normal, for_trees, lasting, tidy
from tools.recipes.train_judging import blend, loss, measure, rule_of
from tools.recipes.train_models import fit_one, for_catboost
from tools.recipes.train_settings import (
    ABSOLUTE,
    BIG,
    BY_GROUP,
    BY_TIME,
    CATBOOST,
    CATEGORIES,
    CLASSES,
    COMPACT,
    DATES,
    FOLDS,
    FOREST,
    HAS_CATEGORIES,
    HAS_DATES,
    KINDS,
    LABELLED,
    LARGE,
    LESS_IS_BETTER,
    METRIC,
    MODEL,
    MOST_ROWS,
    N_JOBS,
    NUMBERS,
    ORDER,
    RANKED,
    RATE,
    REGRESSION,
    ROUNDS,
    SEED,
    SIEVED,
    STACKED,
    TARGET,
    TEXTS,
    TIME_BUDGET,
    TREES,
    TURNS,
    tell,
    used,
)

# ---- what is saved


def answers(member, x):
    """What a member (columns, model, the classes that it knows) says: numbers, or probabilities never quite 0 or 1."""
    _, model, known = member
    if CATBOOST and HAS_CATEGORIES and isinstance(model, CatBoost):
        x = for_catboost(x)
    if REGRESSION:
        return np.asarray(model.predict(x), dtype=float)[:, None]
    else:
        p = np.zeros((x.shape[0], len(CLASSES)))
        p[:, known] = model.predict_proba(x)
        if FOREST and isinstance(model, ExtraTreesClassifier):  # it says 0 or 1: one tree more knows nothing
            p = (p * TREES + 1 / len(CLASSES)) / (TREES + 1)
        p = p.clip(1e-6, 1)
        return p / p.sum(axis=1, keepdims=True)


class Ensemble:
    """What is saved: kind -> (weight, members), and the rule that makes the answer of what they say."""

    def __init__(self, parts, rule):
        self.parts, self.rule, self.classes_ = parts, rule, np.array(CLASSES, dtype=object)

    def mixed(self, table):
        """The weighted mean of what all members say of the rows of any table."""
        frame, x, said = tidy(table), {}, {}
        for kind, (_, members) in self.parts.items():
            if STACKED and kind == "stack":  # the last, as it sees what the others say
                frame, x = beside(frame, said), {}
            x |= {columns: columns.transform(frame) for columns, _, _ in members if columns not in x}
            said[kind] = sum(answers(member, x[member[0]]) for member in members) / len(members)
        return sum(weight * said[kind] for kind, (weight, _) in self.parts.items())

    if REGRESSION:

        def predict(self, table):
            return self.mixed(table)[:, 0].clip(*self.rule)

    else:
        predict_proba = mixed

        def predict(self, table):
            return self.classes_[(self.mixed(table) * self.rule).argmax(axis=1)]


def beside(frame, said):
    """Rows with what kinds of model say of them."""
    values = np.hstack(list(said.values()))
    return frame.assign(**{f"said {place}": values[:, place] for place in range(values.shape[1])})


def save(parts, rule):
    """The model, whole or not at all: an earlier one stays usable until the next one is complete."""
    joblib.dump(Ensemble(parts, rule), MODEL.with_suffix(".partial"), compress=1)
    MODEL.with_suffix(".partial").replace(MODEL)


def save_out_of_fold(name, rows, p, rule):
    """What a model says of training rows (by position) that it was not fitted on."""
    if REGRESSION:
        out = {"row": rows, "prediction": p[:, 0].clip(*rule)}
    else:
        out = {"row": rows, "prediction": np.array(CLASSES, dtype=object)[(p * rule).argmax(axis=1)]}
        out |= {f"p_{place}": p[:, CLASSES.index(label)] for place, label in enumerate(ORDER)}
    pd.DataFrame(out).to_parquet(MODEL.with_name(f"{name}.parquet"), index=False)


# ---- work; data are a tidy frame, the answers y and the weights of its rows


def split(frame, y):
    """Training and validation rows in pairs, drawn as the sealed rows were."""
    if BY_TIME:  # the latest first
        return list(TimeSeriesSplit(FOLDS).split(y))[::-1]
    elif BY_GROUP:
        groups = pd.read_parquet("inputs/groups.parquet")["group"].iloc[frame.index]
        folds = GroupKFold(min(FOLDS, groups.nunique()), shuffle=True, random_state=SEED)
        return list(folds.split(y, y, groups))
    elif REGRESSION:
        return list(RepeatedKFold(n_splits=min(FOLDS, len(y)), n_repeats=TURNS, random_state=SEED).split(y))
    else:
        count = min(FOLDS, np.bincount(y).max())
        return list(RepeatedStratifiedKFold(n_splits=count, n_repeats=TURNS, random_state=SEED).split(y, y))


def fit(data, kinds, train, rest, fold, until, rounds=ROUNDS, rate=RATE, seed=SEED):
    """Kinds side by side on training rows: kind -> (member, what it says of the rest, seconds)."""
    frame, y, weights = data
    makers = {"linear": for_linear, "linear_quantiles": for_normal, "neural_net": for_normal}
    wanted = {kind: makers.get(kind, for_trees) for kind in kinds}
    columns = {make: make(frame.iloc[train]) for make in dict.fromkeys(wanted.values())}
    x = {make: one.fit_transform(frame.iloc[train], y[train]) for make, one in columns.items()}
    others = {make: one.transform(frame.iloc[rest]) for make, one in columns.items() if len(rest)}
    if REGRESSION:
        known, goal, judged, truth = [], y[train], slice(None), y[rest]
    else:
        known, goal = np.unique(y[train], return_inverse=True)
        judged = np.isin(y[rest], known)  # a class may be so rare that no training row has it
        truth = np.searchsorted(known, y[rest][judged])

    def one(kind):
        began, make = used(), wanted[kind]
        if began > until and kind != kinds[0]:
            return None
        valid = (others[make][judged], truth) if len(rest) else None
        model = fit_one(kind, x[make], goal, weights[train], valid, fold, until, rounds, rate, seed)
        member = columns[make], model, known
        return member, answers(member, others[make]) if len(rest) else None, used() - began

    with ThreadPoolExecutor(1 if BIG else N_JOBS) as pool:
        return {kind: made for kind, made in zip(kinds, pool.map(one, kinds), strict=True) if made}


def learn(data, kinds):
    """Fold by fold until all have been there or time is up; after the first one hopeless kinds are left out."""
    frame, y = data[:2]
    splits, took, cut, found = split(frame, y), 0.0, "", {}
    counts, dummy = np.zeros((len(y), 1)), np.zeros((len(y), 1 if REGRESSION else len(CLASSES)))
    for fold, (train, rest) in enumerate(splits):
        begun = used()
        until = ((0.4 if LARGE else 0.85) if fold else 0.5) * TIME_BUDGET  # what is left is for fits on all rows
        if BY_TIME:  # three seeds
            until -= 4 * took
        elif COMPACT:
            until -= took
        made = {} if fold and begun + 1.1 * took > until else fit(data, kinds, train, rest, fold, until)
        if len(made) < len(kinds) or used() > until:
            cut = f"{max(fold, 1)} of {len(splits)} folds count"
            if fold:
                break
        took = used() - begun
        counts[rest] += 1
        if ABSOLUTE:
            dummy[rest] += np.median(y[train])
        elif REGRESSION:
            dummy[rest] += y[train].mean()
        elif RANKED:  # the same for all, as shares are no ranks
            dummy[rest] += np.bincount(y, minlength=len(CLASSES)) / len(y)
        else:
            dummy[rest] += np.bincount(y[train], minlength=len(CLASSES)) / len(train)
        for place, (kind, (member, p, seconds)) in enumerate(made.items(), 1):
            one = found.setdefault(kind, SimpleNamespace(members=[], rounds=[], seconds=[], sums=0.0 * dummy))
            one.sums[rest] += p
            one.seconds.append(seconds)
            one.members = [member] if BY_TIME or COMPACT or kind == "extra_trees" else [*one.members, member]
            if BY_TIME or COMPACT:  # how many rounds were best, counted from 0 or 1
                one.rounds.append(getattr(member[1], "best_iteration_", 0) or getattr(member[1], "best_iteration", 0))
            value, total = round(float(measure(y[rest], p)), 5), len(splits)
            tell("fold", model=kind, fold=fold, folds=total, name=METRIC, value=value, seconds=round(seconds, 2))
            text = f"{kind}, fold {fold + 1} of {total}"
            tell("progress", done=fold * len(made) + place, total=total * len(made), text=text)
        kinds = list(made)
        if fold == 0:
            said = {kind: one.sums[rest] for kind, one in found.items()}
            chosen, mixed = blend(y[rest], said)
            rule = rule_of(y[rest], mixed)
            save({kind: (weight, found[kind].members) for kind, weight in chosen.items()}, rule)
            save_out_of_fold("oof", frame.index[rest], mixed, rule)
            if SIEVED:
                losses = {kind: loss(y[rest], p) for kind, p in said.items()}
                limit = 0.85 * min(losses.values()) + 0.15 * loss(y[rest], dummy[rest])
                kinds = [kind for kind in kinds if kind in chosen or losses[kind] < limit]
    if gone := [kind for kind in KINDS if kind not in kinds]:
        print(f"Left out after the first fold, as others did better or no time was left: {', '.join(gone)}")
    rows = np.flatnonzero(counts)
    said = {kind: found[kind].sums[rows] / counts[rows] for kind in kinds}
    return found, rows, said, dummy[rows] / counts[rows], cut


def stack(data, parts, said, mixed):
    """Parts and blend with a model that learns from what they say, too, if the loss on unseen rows gains 1 %."""
    frame, y, weights = data
    wider, members, p = (beside(frame, {kind: said[kind] for kind in parts}), y, weights), [], 0.0 * mixed
    for fold, (train, rest) in enumerate(split(frame, y)):
        begun, until = used(), 0.9 * TIME_BUDGET
        member, p[rest], _ = fit(wider, ["stack"], train, rest, fold, until, rounds=400, rate=0.125)["stack"]
        members.append(member)
        if 2 * used() - begun > until:
            return parts, mixed
    shares, both = blend(y, {"others": mixed, "stack": p})
    if loss(y, both) >= 0.99 * loss(y, mixed):
        return parts, mixed
    others = {kind: (shares.get("others", 0.0) * weight, one) for kind, (weight, one) in parts.items()}
    return others | {"stack": (shares["stack"], members)}, both


def on_all_rows(whole, parts, found, sample, rest, p):
    """Of a sampled table: boosting on as many rows as time allows joins in; (parts, blend, kind -> predictions).

    It is weighed on rows that the first fold kept aside, of which the blend of the sample says p.
    """
    table, y, weights = whole
    data, others, said, made = (tidy(table), y, weights), np.setdiff1d(np.arange(len(y)), rest), {"sample": p}, {}
    for kind in parts:
        if kind in ("lightgbm", "lightgbm_small", "xgboost", "catboost"):
            a_row = found[kind].seconds[0] / sample  # seconds
            count = min(len(others), int((0.8 * TIME_BUDGET - used()) / (1.5 * a_row)))
            if count > 1.3 * sample:
                rows, name = np.sort(np.random.default_rng(SEED).permutation(others)[:count]), f"{kind}_{count}_rows"
                made[name], said[name], _ = fit(data, [kind], rows, rest, -2, 0.9 * TIME_BUDGET)[kind]
    shares, mixed = blend(y[rest], said)
    old = shares.pop("sample", 0.0)
    parts = {kind: (old * weight, members) for kind, (weight, members) in parts.items() if old}
    return parts | {kind: (share, [made[kind]]) for kind, share in shares.items()}, mixed, said


def finish(data, whole, found, rows, said, dummy, cut):
    """Save the best blend of what the folds have found, and say how good each kind of model was on unseen rows."""
    frame, y = data[:2]
    chosen, mixed = blend(y[rows], said)
    every, until = np.arange(len(y)), 0.96 * TIME_BUDGET
    if BY_TIME:  # the latest rows matter; three seeds, as no folds back these up
        for kind in chosen:
            how = {"rounds": int(1.1 * max(found[kind].rounds)) + 1, "fold": -1, "until": until}
            made = [fit(data, [kind], every, [], seed=SEED + turn, **how)[kind] for turn in range(3)]
            found[kind].members = [member for member, *_ in made]
    elif COMPACT:
        for kind in chosen:
            how = {"rounds": int(1.1 * np.mean(found[kind].rounds)) + 1, "fold": -1, "until": until}
            found[kind].members = [fit(data, [kind], every, [], **how)[kind][0]]
    elif FOREST and "extra_trees" in chosen:  # once, as it is large
        found["extra_trees"].members = [fit(data, ["extra_trees"], every, [], -1, until)["extra_trees"][0]]
    parts = {kind: (weight, found[kind].members) for kind, weight in chosen.items()}
    if STACKED and "lightgbm" in KINDS and len(rows) == len(y) and not cut:
        parts, mixed = stack(data, parts, said, mixed)
    if LARGE and not BY_TIME:
        rest = split(frame, y)[0][1]
        at = np.searchsorted(rows, rest)
        parts, mixed, heard = on_all_rows(whole, parts, found, len(y), frame.index[rest], mixed[at])
        rows, said, dummy = rest, {kind: p[at] for kind, p in said.items()} | heard, dummy[at]
    if len(parts) > 1:
        said["ensemble"] = mixed
    y, rows = y[rows], frame.index[rows]
    rule = rule_of(y, mixed)
    save(parts, rule)
    save_out_of_fold("oof", rows, mixed, rule)
    if LABELLED:
        factors = dict(zip(CLASSES, rule.round(3).tolist(), strict=True))
        print(f"Labels are decided to suit {METRIC}: {factors}")
    print("The saved model:", ", ".join(f"{kind} {weight:.0%}" for kind, (weight, _) in parts.items()))
    board, some = [], np.sort(np.random.default_rng(SEED).permutation(len(y))[:20_000])
    for kind, p in (said | {"dummy": dummy}).items():
        rule = rule_of(y, p)
        value = round(float(measure(y, p * rule) if LABELLED else measure(y, p)), 5)
        seconds = round(sum(found[kind].seconds), 2) if kind in found else 0.0
        board.append({"model": kind, "cv_score": value, "seconds": seconds})
        if kind != "dummy":  # so that whoever reads the leaderboard can tell a win from luck
            save_out_of_fold(f"oof_{kind}", rows[some], p[some], rule)
    board.sort(key=lambda row: row["cv_score"], reverse=not LESS_IS_BETTER)
    note = f"The clock ran out: {cut}; with more time scores may differ." if cut else "All went by the plan."
    tell("leaderboard", rows=board, **({"note": note} if cut else {}))
    print(f"{note} Done after {used():.1f} of {TIME_BUDGET:g} s")


def main():
    """From the table to a model that is there early and is replaced by better ones."""
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    table = pd.read_parquet("inputs/train.parquet").reset_index(drop=True)
    if REGRESSION:
        y = table[TARGET].to_numpy().astype(float)
    else:
        y = table[TARGET].map({label: code for code, label in enumerate(CLASSES)}).to_numpy().astype(int)
    weights = pd.read_parquet("inputs/weights.parquet")["weight"].to_numpy()
    threadpool_limits(N_JOBS if BIG else 1)
    drawn = np.random.default_rng(SEED).permutation(len(y))

    # A usable model soon, whatever happens later: few rounds on at most 10,000 rows.
    some = np.sort(drawn[:10_000])
    data = tidy(table.iloc[some]), y[some], weights[some]
    made = fit(data, KINDS[:1], np.arange(len(some)), [], -1, 0.3 * TIME_BUDGET, rounds=60, rate=0.15)
    rule = (y.min(), y.max()) if REGRESSION else np.ones(len(CLASSES))
    save({KINDS[0]: (1.0, [made[KINDS[0]][0]])}, rule)
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    schema = {"target": TARGET, "features": {name: role for role, names in roles.items() for name in names}}
    if not REGRESSION:
        schema["classes"] = CLASSES
    MODEL.with_name("schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"A first model can be used after {used():.1f} s, made of {len(some):,} of {len(y):,} rows", flush=True)

    if LARGE:
        some = np.sort(drawn[:MOST_ROWS])
        print(f"Searched on {len(some):,} of {len(y):,} rows, drawn at random")
        data = tidy(table.iloc[some]), y[some], weights[some]
    else:
        data = tidy(table), y, weights
    if BY_TIME and HAS_DATES:
        data = lasting(data[0]), *data[1:]
    whole = table, y, weights
    finish(data, whole, *learn(data, KINDS))


if __name__ == "__main__":
    main()
