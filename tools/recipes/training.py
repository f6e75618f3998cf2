"""Train a model: several kinds of it, compared by cross-validation, blended, and improved until the time is up.

Reads inputs/train.parquet; writes outputs/model.joblib (as soon as there is one, then each better one), schema.json and
oof.parquet: what the saved blend says of training rows that it was not fitted on (row, prediction, p_0, p_1, ...).
Run with `python train.py`; lines that start with @@ are progress for whoever watches.
"""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from threadpoolctl import threadpool_limits

from tools.recipes.train_columns import TreeColumns, lasting, tidy
from tools.recipes.train_judging import blend, loss, measure, rule_of
from tools.recipes.train_models import LOADED, Kind, all_kinds, fit_lightgbm
from tools.recipes.train_saved import Ensemble, Member, save, save_out_of_fold
from tools.recipes.train_settings import (
    ABSOLUTE,
    BIG,
    BY_GROUP,
    BY_TIME,
    CATEGORIES,
    CHANCES,
    CLASSES,
    COMPACT,
    DATES,
    FEW,
    HAS_DATES,
    LABELLED,
    LARGE,
    METRIC,
    MODEL,
    MOST_ROWS,
    N_JOBS,
    NUMBERS,
    RANKED,
    REGRESSION,
    SEED,
    SEVERAL,
    STACKED,
    TARGET,
    TEXTS,
    TIME_BUDGET,
    TREES,
    tell,
    used,
)

# ---- work


def make_plan(rows, kinds):
    """How much to do, by the size of the table and the budget alone: the same seed gives the same model.

    About half of the budget on two ordinary cores (constants are seconds there), as others are slower.
    """
    columns = len(NUMBERS) + 2 * len(CATEGORIES) + 7 * len(DATES) + 80 * len(TEXTS)
    outputs = len(CLASSES)  # trees of each round
    folds, boosted = (5 if rows <= 60_000 else 10), [kind for kind in kinds if kind.cost]
    seconds = 0.5 * TIME_BUDGET * N_JOBS / folds / (len(boosted) + 1)  # for one fit
    one_round = outputs * (4e-4 + 48 * columns * min(255, rows / 3) * 3e-9 + rows * columns * 4e-9)
    one_tree = 2e-3 + rows * np.log2(rows + 1) * np.sqrt(columns) * (3e-8 if REGRESSION else 9e-9)
    most = 300 if rows <= 2000 else (int(3000 / outputs) + 60 if SEVERAL else 3060) if COMPACT else 2000
    rounds = {kind.name: int(np.clip(seconds / kind.cost / one_round, 60, most)) for kind in boosted}
    trees = int(np.clip(seconds / one_tree, 25, 200))
    scales = ["quantiles", "standard", "plain"] if BY_TIME and HAS_DATES else ["quantiles", "standard"]
    strengths = [1.0, 10.0, 100.0] if REGRESSION else [1.0, 0.1, 10.0] if rows * columns < 1_000_000 else [1.0]
    plan = {"folds": folds, "rounds": rounds, "trees": trees, "leaf": int(np.clip(rows * trees / 1e6, 1, 5))}
    plan["slowest"] = 0.03 if REGRESSION or rows >= 2000 else 0.1  # learning rate
    plan["styles"] = [(scale, strength) for scale in scales for strength in strengths]
    plan["iterations"] = int(np.clip(3e8 / rows / columns / outputs, 50, 500))
    plan["epochs"] = int(np.clip(1e6 * seconds / rows / (50 + columns), 3, 100))
    if FEW:
        plan["turns"] = 1 if rows > 300 else 2 if rows > 100 else 3
    if LARGE:
        plan["search"] = 0.9  # a share of the budget
    if BIG:  # one fit at a time, with all threads
        big = rows * columns >= 10_000_000
        plan |= {"workers": 1 if big else N_JOBS, "threads": N_JOBS if big else 1}
    return plan


class Search:
    """The rows that are searched, and the kinds of model with what is known of them so far."""

    def __init__(self, table, y, weights, plan, kinds):
        self.frame, self.y, self.weights, self.plan, self.kinds = tidy(table), y, weights, plan, kinds
        if BY_TIME and HAS_DATES:
            self.frame = lasting(self.frame)
        if LARGE:
            self.rows, self.whole = np.arange(len(y)), ()  # their positions in the table, and its parts
        self.guessed, self.guesses = 0.0 * guess(y, len(y)), np.zeros(len(y), dtype=int)
        self.cut = ""  # what the clock has cut

    def folds(self, turn=0):
        """Training and validation rows in pairs, drawn as the sealed rows were."""
        y, count = self.y, self.plan["folds"]
        if BY_TIME:  # the latest first
            return list(TimeSeriesSplit(count).split(y))[::-1]
        elif BY_GROUP:
            groups = pd.read_parquet("inputs/groups.parquet")["group"]
            if LARGE:
                groups = groups.iloc[self.rows]
            return list(
                GroupKFold(min(count, groups.nunique()), shuffle=True, random_state=SEED + turn).split(y, y, groups)
            )
        elif REGRESSION:
            return list(KFold(min(count, len(y)), shuffle=True, random_state=SEED + turn).split(y))
        else:
            return list(
                StratifiedKFold(min(count, np.bincount(y).max()), shuffle=True, random_state=SEED + turn).split(y, y)
            )

    def fit(self, kinds, fold, train, rest, until, seed=SEED):
        """Kinds fitted side by side on training rows: {kind: (member, what it says of the rest)}."""
        inside, outside = self.frame.iloc[train], self.frame.iloc[rest]
        x, columns = {"frame": (inside, outside)}, {"frame": None}
        if TREES:
            columns["trees"] = trees = TreeColumns()
            matrix = trees.fit_transform(inside, self.y[train])
            x["trees"] = matrix, trees.transform(outside) if len(rest) else None
        if STACKED and kinds[0].columns == "stacked":
            columns["stacked"] = trees
            x["stacked"] = [np.hstack([x["trees"][i], self.base[rows]]) for i, rows in enumerate((train, rest))]
        if REGRESSION:
            goal, truth = self.y[train], self.y[rest]
        else:
            known, goal = np.unique(self.y[train], return_inverse=True)
            judged = np.isin(self.y[rest], known)  # a class may be so rare that no training row has it
            truth = np.searchsorted(known, self.y[rest][judged])

        def one(kind):
            began = used()
            kind.begin(self.plan, fold, until, seed)
            if fold == 0 and began > until and kind is not kinds[0]:
                kind.stopped = True
                return None
            inside, outside = x[kind.columns]
            if not REGRESSION and len(known) < 2:
                model = DummyClassifier().fit(inside, goal)
            else:
                valid = (outside if REGRESSION else outside[judged], truth) if len(rest) else None
                model = kind.fit(inside, goal, self.weights[train], valid, kind)
            stacked = kind.columns == "stacked"
            member = Member(columns[kind.columns], model, known, stacked)
            p = member.predict(outside) if len(rest) else None
            kind.seconds.append(used() - began)
            return member, p

        with ThreadPoolExecutor(self.plan["workers"] if BIG else N_JOBS) as pool:
            return {kind: made for kind, made in zip(kinds, pool.map(one, kinds), strict=True) if made}

    def add(self, kind, rest, member, p):
        """Note what a member says of validation rows."""
        if not kind.members:
            kind.sums, kind.counts = np.zeros((len(self.y), p.shape[1])), np.zeros(len(self.y), dtype=int)
        kind.sums[rest] += p
        kind.counts[rest] += 1
        kind.members = [member] if kind.refit else [*kind.members, member]

    def mix(self):
        """The rows that all kinds have predicted: (rows, predictions by kind, the weights of the best blend, it)."""
        rows = np.flatnonzero(np.min([kind.counts for kind in self.kinds], axis=0))
        found = {kind.name: kind.sums[rows] / kind.counts[rows, None] for kind in self.kinds}
        chosen = blend(self.y[rows], found)
        return rows, found, chosen, sum(weight * found[name] for name, weight in chosen.items())

    def keep(self, rows, chosen, mixed):
        """Save a blend, and what it says of rows that it was not fitted on."""
        rule = rule_of(self.y[rows], mixed)
        save(Ensemble([(chosen[kind.name], kind.members) for kind in self.kinds if kind.name in chosen], rule))
        save_out_of_fold(self.rows[rows] if LARGE else rows, mixed, rule)


def first(table, y, weights, plan, kind):
    """A usable model soon, whatever happens later: few rounds on at most 10,000 rows."""
    rows = np.sort(np.random.default_rng(SEED).permutation(len(y))[:10_000])
    quick = plan | {"rounds": {kind.name: 60}, "trees": 50, "iterations": 50, "epochs": 5}
    search = Search(table.iloc[rows], y[rows], weights[rows], quick, [kind])
    member, _ = search.fit([kind], -1, np.arange(len(rows)), [], 0.3 * TIME_BUDGET)[kind]
    rule = (y.min(), y.max()) if REGRESSION else np.ones(len(CLASSES))
    save(Ensemble([(1.0, [member])], rule))
    kind.seconds.clear()
    on = "" if len(rows) == len(y) else f", made of {len(rows):,} of {len(y):,} rows"
    print(f"A first model can be used after {used():.1f} s{on}", flush=True)


def learn(search):
    """Fold by fold, until all have been there or the time is up; after the first one hopeless kinds are left out."""
    everyone, took = search.kinds, 0.0
    splits = [split for turn in range(search.plan["turns"]) for split in search.folds(turn)] if FEW else search.folds()
    for fold, (train, rest) in enumerate(splits):
        begun, again = used(), sum(kind.seconds[-1] for kind in search.kinds if kind.refit and fold)
        if BY_TIME:
            again *= 3
        share = 0.9 if fold else 0.5  # of the budget
        if LARGE and fold:
            share = search.plan["search"]
        until = share * TIME_BUDGET - 1.3 * again / (search.plan["workers"] if BIG else N_JOBS)
        late = fold > 0 and begun + 1.1 * took > until
        made = {} if late else search.fit(search.kinds, fold, train, rest, until)
        if late or any(kind.stopped for kind in search.kinds):
            search.cut = f"{max(fold, 1)} of {len(splits)} folds count"
            if fold:
                break
        elif search.cut:
            search.cut = f"in the first of {len(splits)} folds some models were ended early"
        took = used() - begun
        search.guessed[rest] += guess(search.y if RANKED else search.y[train], len(rest))  # shares are no ranks
        search.guesses[rest] += 1
        for place, (kind, (member, p)) in enumerate(made.items(), 1):
            search.add(kind, rest, member, p)
            value, seconds = round(measure(search.y[rest], p), 5), round(kind.seconds[-1], 2)
            tell("fold", model=kind.name, fold=fold, folds=len(splits), name=METRIC, value=value, seconds=seconds)
            done, text = fold * len(made) + place, f"{kind.name}, fold {fold + 1} of {len(splits)}"
            tell("progress", done=done, total=len(splits) * len(made), text=text)
        if fold == 0:
            search.kinds = list(made)
            rows, _, chosen, mixed = search.mix()
            search.keep(rows, chosen, mixed)
            if LARGE:
                search.survey = rest
            if len(search.y) > 3000:
                search.kinds = promising(search, rest, chosen)
    skipped = [kind.name for kind in everyone if kind not in search.kinds]
    if skipped:
        print(f"Left out after the first fold, as others did better or no time was left: {', '.join(skipped)}")


def promising(search, rest, chosen):
    """The kinds that the blend wants, or that come near the best of them."""
    losses = {kind.name: loss(search.y[rest], kind.sums[rest]) for kind in search.kinds}
    best, worst = min(losses.values()), loss(search.y[rest], guess(search.y, len(rest)))
    limit = best + 0.15 * (worst - best)
    return [kind for kind in search.kinds if kind.name in chosen or losses[kind.name] < limit]


def guess(y, rows):
    """The same answer for every row: what a model has to beat."""
    if ABSOLUTE:
        return np.full((rows, 1), np.median(y))
    elif REGRESSION:
        return np.full((rows, 1), y.mean())
    else:
        return np.tile(np.bincount(y, minlength=len(CLASSES)) / len(y), (rows, 1))


def stack(search, chosen, mixed):
    """Weights and blend with a kind that learns from what the others say, where the loss of unseen rows gains 1 %."""
    search.base = np.hstack([kind.sums / kind.counts[:, None] for kind in search.kinds if kind.name in chosen])
    kind = Kind("stack", fit_lightgbm, "stacked", num_leaves=8, colsample_bytree=0.5)
    search.plan["rounds"]["stack"] = 400
    for fold, (train, rest) in enumerate(search.folds()):
        begun = used()
        member, p = search.fit([kind], fold, train, rest, 0.95 * TIME_BUDGET)[kind]
        if kind.stopped or used() + (used() - begun) > 0.9 * TIME_BUDGET:
            return chosen, mixed
        search.add(kind, rest, member, p)
    tried = {share: (1 - share) * mixed + share * kind.sums for share in (0.0, 0.25, 0.5, 0.75)}
    losses = {share: loss(search.y, p) for share, p in tried.items()}
    share = min(losses, key=losses.get)
    if losses[share] >= 0.99 * losses[0.0]:
        return chosen, mixed
    search.kinds = [*search.kinds, kind]  # the last, as it sees what the others say
    return {name: (1 - share) * weight for name, weight in chosen.items()} | {"stack": share}, tried[share]


def on_all_rows(search, chosen, p):
    """Of a sampled table: boosting on as many rows as the time allows; (kinds, name -> predictions).

    Judged on the rows that the first fold has kept aside, beside the blend of the sample, which predicts p for them.
    """
    whole, rest = Search(*search.whole, search.plan, []), search.rows[search.survey]
    others = np.setdiff1d(np.arange(len(whole.y)), rest)
    kinds, found = [], {"sample": p}
    for kind in [kind for kind in search.kinds if kind.cost and kind.name in chosen]:
        rate = kind.seconds[0] / len(search.y)  # seconds for each row of the sample
        count = min(len(others), int((0.8 * TIME_BUDGET - used()) / (1.5 * rate)))
        if count > 1.3 * len(search.y):
            some = np.sort(np.random.default_rng(SEED).permutation(others)[:count])
            larger = Kind(f"{kind.name}_{count}_rows", kind.fit, **kind.options)
            member, values = whole.fit([kind], -2, some, rest, 0.9 * TIME_BUDGET)[kind]
            larger.members, larger.seconds = [member], [kind.seconds.pop()]
            kinds, found = [*kinds, larger], found | {larger.name: values}
    return kinds, found


def finish(search):
    """Save the best of what is there, with what has to be fitted on all rows; (rows, name -> predictions)."""
    rows, found, chosen, mixed = search.mix()
    if STACKED and LOADED and len(rows) == len(search.y) >= 1000 and not search.cut:
        chosen, mixed = stack(search, chosen, mixed)
    every = np.arange(len(search.y))
    for kind in [kind for kind in search.kinds if kind.name in chosen and kind.refit]:
        if BY_TIME:  # no folds back these up
            seeds = range(SEED, SEED + 3) if kind.cost else [SEED]
            fits = [search.fit([kind], -1, every, [], 0.96 * TIME_BUDGET, seed) for seed in seeds]
            kind.members = [made[kind][0] for made in fits]
        else:
            kind.members = [search.fit([kind], -1, every, [], 0.96 * TIME_BUDGET)[kind][0]]
    if LARGE and not BY_TIME and search.whole:
        place = np.searchsorted(rows, search.survey)
        kinds, heard = on_all_rows(search, chosen, mixed[place])
        shares = blend(search.y[search.survey], heard)
        if set(shares) - {"sample"}:
            rest = shares.pop("sample", 0.0)
            rows, found = search.survey, {name: p[place] for name, p in found.items()} | heard
            mixed = rest * heard["sample"] + sum(share * heard[name] for name, share in shares.items())
            chosen = {name: rest * weight for name, weight in chosen.items() if rest} | shares
            search.kinds = [*search.kinds, *kinds]
    if len(chosen) > 1:
        found["ensemble"] = mixed
    search.keep(rows, chosen, mixed)
    if LABELLED:
        rule = rule_of(search.y[rows], mixed)
        if np.ptp(rule):
            print(f"Labels are decided to suit {METRIC}: {dict(zip(CLASSES, rule.round(3).tolist(), strict=True))}")
    print("The saved model:", ", ".join(f"{name} {weight:.0%}" for name, weight in chosen.items()))
    return rows, found


def report(search, rows, found):
    """The leaderboard on validation rows, their predictions by model, and which columns the model needs."""
    y, found = search.y[rows], found | {"dummy": search.guessed[rows] / search.guesses[rows, None]}
    some = np.sort(np.random.default_rng(SEED).permutation(len(rows))[:20_000])
    scores, seconds = {}, {"dummy": 0.0} | {kind.name: sum(kind.seconds) for kind in search.kinds}
    for name, p in found.items():
        rule = rule_of(y, p)
        scores[name] = measure(y, p * rule) if LABELLED else measure(y, p)
        if name != "dummy":  # so that whoever reads the leaderboard can tell a win from luck
            save_out_of_fold(search.rows[rows[some]] if LARGE else rows[some], p[some], rule, f"oof_{name}")
    order = sorted(scores, key=scores.get, reverse=METRIC == "r2" if REGRESSION else not CHANCES)
    board = [{"model": n, "cv_score": round(scores[n], 5), "seconds": round(seconds.get(n, used()), 2)} for n in order]
    note = f"The clock ran out: {search.cut}; with more time scores may differ."
    tell("leaderboard", rows=board, **({"note": note} if search.cut else {}))
    print(note if search.cut else "All went by the plan.")
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    schema = {"target": TARGET, "features": {name: role for role, names in roles.items() for name in names}}
    if not REGRESSION:
        schema["classes"] = CLASSES
    MODEL.with_name("schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"Done after {used():.1f} of {TIME_BUDGET:g} s")


def main():
    """From the table to a model that is there early and is replaced by better ones."""
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    table = pd.read_parquet("inputs/train.parquet")
    if REGRESSION:
        y = table[TARGET].to_numpy().astype(float)
    else:
        y = table[TARGET].map({label: code for code, label in enumerate(CLASSES)}).to_numpy().astype(int)
    weights = pd.read_parquet("inputs/weights.parquet")["weight"].to_numpy()
    kinds = all_kinds()
    plan = make_plan(min(len(y), MOST_ROWS) if LARGE else len(y), kinds)
    with threadpool_limits(plan["threads"] if BIG else 1):
        first(table, y, weights, plan, kinds[0])
        if LARGE and len(y) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(SEED).permutation(len(y))[:MOST_ROWS])
            print(f"Searched on {len(rows):,} of {len(y):,} rows, drawn at random")
            plan |= {"folds": 5, "search": 0.4}
            search = Search(table.iloc[rows], y[rows], weights[rows], plan, kinds)
            search.rows, search.whole = rows, (table, y, weights)
        else:
            search = Search(table, y, weights, plan, kinds)
        learn(search)
        report(search, *finish(search))


if __name__ == "__main__":
    main()
