"""Train a model that a person can read: a sparse linear model, a shallow tree or a sum of one curve per column.

Reads inputs/train.parquet; the best of the three by cross-validation is fitted on all rows. Writes
outputs/model.joblib, schema.json, explanation.json and explanation.md (the whole model, to be read), oof.parquet
(what it says of training rows that it was not fitted on: row, prediction, p_0, p_1, ...) and the same of a model that
is not readable, oof_boosted_trees.parquet: what readability costs. Run with `python train.py`; lines that start with
@@ are progress.
"""

import json
import warnings

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text

from tools.recipes.train_columns import numbers_of, tidy
from tools.recipes.train_judging import loss, measure, rule_of
from tools.recipes.train_settings import (
    ABSOLUTE,
    BY_GROUP,
    BY_TIME,
    CATEGORIES,
    CLASSES,
    DATES,
    LABELLED,
    METRIC,
    MODEL,
    N_JOBS,
    NUMBERS,
    ORDER,
    PERIODS,
    REGRESSION,
    SEED,
    TARGET,
    TEXTS,
    TIME_BUDGET,
    tell,
    used,
)

# ---- columns that can be named in a sentence


class Readable:
    """Numbers with their gaps filled and one column of 0 and 1 for each frequent level; dates as days, no words."""

    def fit(self, frame):
        parts = {f"{name} ({part})" for name in DATES for part in PERIODS}
        self.numbers = [name for name in numbers_of(frame) if name not in parts]
        self.gaps = {name: float(np.nan_to_num(frame[name].median())) for name in self.numbers}
        self.levels = [(name, level) for name in CATEGORIES for level in frame[name].value_counts().index[:15]]
        self.codes = {
            name: {lev: n for n, lev in enumerate(frame[name].value_counts().index[:60])} for name in CATEGORIES
        }
        self.names = [*self.numbers, *(f"{name} = {level}" for name, level in self.levels)]
        values = self.plain(frame)
        self.middle, self.spread = values.mean(axis=0), values.std(axis=0) + 1e-12
        return self

    def plain(self, frame):
        """In their own units."""
        numbers = [frame[name].fillna(self.gaps[name]).to_numpy(float) for name in self.numbers]
        return np.column_stack([*numbers, *((frame[name] == level).to_numpy(float) for name, level in self.levels)])

    def coded(self, frame):
        """Each column once: codes of categories, then numbers."""
        codes = [frame[name].map(self.codes[name]).to_numpy(float) for name in CATEGORIES]
        return np.column_stack([*codes, *(frame[name].to_numpy(float) for name in self.numbers)])


class Linear:
    """Lasso, or logistic regression with an L1 penalty (Tibshirani 1996): most weights are exactly zero."""

    def __init__(self, strength):
        self.strength = strength

    def fit(self, columns, frame, y, weights):
        self.columns, values = columns, (columns.plain(frame) - columns.middle) / columns.spread
        if REGRESSION:
            self.model = Lasso(self.strength * np.std(y) + 1e-12, max_iter=5000)
        else:
            options = {"l1_ratio": 1.0, "solver": "saga", "max_iter": 80, "tol": 1e-3, "random_state": SEED}
            self.model = LogisticRegression(C=1 / (self.strength * len(y)), **options)
        self.model.fit(values, y, sample_weight=weights)
        return self

    def answers(self, frame):
        values = (self.columns.plain(frame) - self.columns.middle) / self.columns.spread
        return self.model.predict(values)[:, None] if REGRESSION else self.model.predict_proba(values)

    def explanation(self, frame, y):
        """Weights in the units of the table: what one more of a column adds to the answer or to the log-odds."""
        slopes = np.atleast_2d(self.model.coef_) / self.columns.spread
        start = np.atleast_1d(self.model.intercept_) - slopes @ self.columns.middle
        terms = []
        for place, name in enumerate(self.columns.names):
            if np.any(slopes[:, place] != 0):
                terms.append({"column": name, "weights": [float(f"{slope:.4g}") for slope in slopes[:, place]]})
        terms.sort(key=lambda term: -max(map(abs, term["weights"])))
        return {"kind": "linear", "start": [float(f"{one:.4g}") for one in start], "terms": terms}


class Tree:
    """A tree of at most four questions."""

    def __init__(self, depth):
        self.depth = depth

    def fit(self, columns, frame, y, weights):
        options = {"max_depth": self.depth, "min_samples_leaf": max(5, len(y) // 100), "random_state": SEED}
        self.columns = columns
        if ABSOLUTE:
            options["criterion"] = "absolute_error"
        self.model = (DecisionTreeRegressor if REGRESSION else DecisionTreeClassifier)(**options)
        self.model.fit(columns.plain(frame), y, sample_weight=weights)
        return self

    def answers(self, frame):
        values = self.columns.plain(frame)
        return self.model.predict(values)[:, None] if REGRESSION else self.model.predict_proba(values)

    def explanation(self, frame, y):
        names = [" ".join(str(name).split()) for name in self.columns.names]
        options = {} if REGRESSION else {"class_names": [CLASSES[code] for code in self.model.classes_]}
        return {"kind": "tree", "rules": export_text(self.model, feature_names=names, decimals=3, **options)}


class Additive:
    """One curve per column, added up: boosted trees that may not mix columns (Lou et al. 2012; Nori et al. 2019)."""

    def __init__(self, rounds):
        self.rounds = rounds

    def fit(self, columns, frame, y, weights):
        x, self.columns = columns.coded(frame), columns
        options = {"num_leaves": 4, "learning_rate": 0.06, "min_child_samples": max(5, min(50, len(y) // 50))}
        options |= {"interaction_constraints": [[place] for place in range(x.shape[1])], "n_jobs": threads(y)}
        options |= {"verbose": -1, "deterministic": True, "force_col_wise": True, "random_state": SEED}
        if ABSOLUTE:
            options["objective"] = "regression_l1"
        self.model = (lgb.LGBMRegressor if REGRESSION else lgb.LGBMClassifier)(n_estimators=self.rounds, **options)
        self.model.fit(x, y, sample_weight=weights, categorical_feature=list(range(len(CATEGORIES))))
        return self

    def answers(self, frame):
        x = self.columns.coded(frame)
        return self.model.predict(x)[:, None] if REGRESSION else self.model.predict_proba(x)

    def explanation(self, frame, y):
        """Each curve as a table: what a value adds to the answer or to the log-odds of each class."""
        frame = frame.sample(min(len(frame), 5000), random_state=SEED)
        x, names = self.columns.coded(frame), [*CATEGORIES, *self.columns.numbers]
        added = self.model.predict(x, pred_contrib=True).reshape(len(x), -1, len(names) + 1)
        curves = []
        for place, name in enumerate(names):
            if place < len(CATEGORIES):
                groups = frame[name].to_numpy()
            else:
                groups = pd.qcut(frame[name], 10, duplicates="drop").astype(str).to_numpy()
            rows = []
            for value in dict.fromkeys(groups[np.argsort(x[:, place], kind="stable")]):
                effect = added[groups == value][:, :, place].mean(axis=0)
                rows.append({"value": str(value), "adds": [float(f"{one:.4g}") for one in effect]})
            size = float(np.abs(added[:, :, place]).mean())
            curves.append({"column": name, "size": float(f"{size:.4g}"), "values": rows[:40]})
        curves.sort(key=lambda curve: -curve["size"])
        start = [float(f"{one:.4g}") for one in added[0, :, -1]]
        return {"kind": "additive", "start": start, "curves": [curve for curve in curves if curve["size"] > 0]}


class Boosted(Additive):
    """The same trees with all columns free to mix and more leaves: not readable, here to compare with."""

    def fit(self, columns, frame, y, weights):
        x, self.columns = columns.coded(frame), columns
        options = {
            "verbose": -1,
            "deterministic": True,
            "force_col_wise": True,
            "random_state": SEED,
            "n_jobs": threads(y),
        }
        if ABSOLUTE:
            options["objective"] = "regression_l1"
        model = lgb.LGBMRegressor if REGRESSION else lgb.LGBMClassifier
        self.model = model(n_estimators=self.rounds, num_leaves=16, learning_rate=0.06, **options)
        self.model.fit(x, y, sample_weight=weights, categorical_feature=list(range(len(CATEGORIES))))
        return self


class Saved:
    """What is saved: one readable model, and the rule that makes the answer of what it says."""

    def __init__(self, model, known, rule):
        self.model, self.known, self.rule, self.classes_ = model, known, rule, np.array(CLASSES, dtype=object)

    if REGRESSION:

        def predict(self, table):
            return self.model.answers(tidy(table))[:, 0].clip(*self.rule)

    else:

        def predict_proba(self, table):
            return all_classes(self.model.answers(tidy(table)), self.known)

        def predict(self, table):
            return self.classes_[(self.predict_proba(table) * self.rule).argmax(axis=1)]


def all_classes(p, known):
    """Probabilities in the order of CLASSES, never quite 0 or 1."""
    if REGRESSION:
        return p
    else:
        whole = np.zeros((len(p), len(CLASSES)))
        whole[:, known] = p
        whole = np.clip(whole, 1e-6, 1)
        return whole / whole.sum(axis=1, keepdims=True)


def threads(y):
    """Two threads that wait for each other are slower than one where there is little to do."""
    return N_JOBS if len(y) > 20_000 else 1


def save(model):
    """Whole or not at all: an earlier model stays usable until the next one is complete."""
    joblib.dump(model, MODEL.with_suffix(".partial"), compress=1)
    MODEL.with_suffix(".partial").replace(MODEL)


def save_out_of_fold(rows, p, rule, name="oof"):
    """Predictions for training rows (by position) by models that have not seen them."""
    if REGRESSION:
        out = {"row": rows, "prediction": p[:, 0].clip(*rule)}
    else:
        out = {"row": rows, "prediction": np.array(CLASSES, dtype=object)[(p * rule).argmax(axis=1)]}
        out |= {f"p_{place}": p[:, CLASSES.index(label)] for place, label in enumerate(ORDER)}
    pd.DataFrame(out).to_parquet(MODEL.with_name(f"{name}.parquet"), index=False)


# ---- work


def folds_of(y):
    """Training and validation rows in pairs: by time (the latest first), by group or at random by class."""
    if BY_TIME:
        return list(TimeSeriesSplit(5).split(y))[::-1]
    if BY_GROUP:
        groups = pd.read_parquet("inputs/groups.parquet")["group"]
        return list(GroupKFold(min(5, groups.nunique()), shuffle=True, random_state=SEED).split(y, y, groups))
    if REGRESSION:
        return list(KFold(min(5, len(y)), shuffle=True, random_state=SEED).split(y))
    return list(StratifiedKFold(min(5, np.bincount(y).max()), shuffle=True, random_state=SEED).split(y, y))


def fitted(make, frame, y, weights, rows):
    """(model, the classes that it knows) for some rows."""
    part = frame.iloc[rows]
    if REGRESSION:
        return make().fit(Readable().fit(part), part, y[rows], weights[rows]), None
    else:
        known, goal = np.unique(y[rows], return_inverse=True)
        return make().fit(Readable().fit(part), part, goal, weights[rows]), known


def compare(frame, y, weights, makers):
    """Every maker on the same folds, the simplest first: (rows, name -> predictions of them, name -> seconds)."""
    splits, found, seconds, rows = folds_of(y), {name: [] for name in makers}, dict.fromkeys(makers, 0.0), []
    for fold, (train, rest) in enumerate(splits):
        if fold and used() * (fold + 1) / fold > 0.8 * TIME_BUDGET:
            print(f"The clock ran out: {fold} of {len(splits)} folds count")
            break
        for name, make in makers.items():
            began = used()
            model, known = fitted(make, frame, y, weights, train)
            p = all_classes(model.answers(frame.iloc[rest]), known)
            found[name].append(p)
            took, value = round(used() - began, 2), round(measure(y[rest], p), 5)
            seconds[name] += took
            tell("fold", model=name, fold=fold, folds=len(splits), name=METRIC, value=value, seconds=took)
        tell("progress", done=fold + 1, total=len(splits), text=f"fold {fold + 1} of {len(splits)}")
        rows.append(rest)
    return np.concatenate(rows), {name: np.concatenate(p) for name, p in found.items()}, seconds


def page(explanation, name):
    """The model in Markdown."""
    lines = [f"# How the model decides ({name.replace('_', ' ')})", ""]
    unit = (
        TARGET if REGRESSION else f"the log-odds of {CLASSES[-1]}" if len(CLASSES) == 2 else "the score of each class"
    )
    if explanation["kind"] == "tree":
        return "\n".join(
            [*lines, "Follow the answers from the left:", "", "```", explanation["rules"].rstrip(), "```", ""]
        )
    start = ", ".join(map(str, explanation["start"]))
    lines += [f"Start from {start} and add what each line says, in units of {unit}.", ""]
    if explanation["kind"] == "linear":
        lines += ["| one more of | adds |", "|---|---:|"]
        lines += [f"| {cell(t['column'])} | {', '.join(map(str, t['weights']))} |" for t in explanation["terms"]]
        return "\n".join([*lines, ""])
    for curve in explanation["curves"]:
        lines += [f"## {cell(curve['column'])}", "", "| value | adds |", "|---|---:|"]
        lines += [f"| {cell(row['value'])} | {', '.join(map(str, row['adds']))} |" for row in curve["values"]] + [""]
    return "\n".join(lines)


def cell(text):
    """Text of the table, on one line, that cannot end a cell."""
    return " ".join(str(text).split()).replace("|", "/").replace("<", "‹")


def main():
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    table = pd.read_parquet("inputs/train.parquet")
    if REGRESSION:
        y = table[TARGET].to_numpy().astype(float)
    else:
        y = table[TARGET].map({label: code for code, label in enumerate(CLASSES)}).to_numpy().astype(int)
    weights = pd.read_parquet("inputs/weights.parquet")["weight"].to_numpy()  # where there are some
    frame, every = tidy(table), np.arange(len(y))
    some = np.sort(np.random.default_rng(SEED).permutation(len(y))[:10_000])
    model, known = fitted(lambda: Tree(3), frame, y, weights, some)
    rule = (y.min(), y.max()) if REGRESSION else np.ones(len(CLASSES))
    save(Saved(model, known, rule))
    print(f"A first model can be used after {used():.1f} s", flush=True)
    rounds = int(np.clip(TIME_BUDGET * 4e6 / len(y) / (len(frame.columns) + 5), 40, 300))
    makers = {"sparse_linear": lambda: Linear(0.02), "linear": lambda: Linear(0.003), "tree": lambda: Tree(4)}
    makers |= {"additive": lambda: Additive(rounds), "boosted_trees": lambda: Boosted(rounds)}
    rows, found, seconds = compare(frame, y, weights, makers)
    losses = {name: loss(y[rows], p) for name, p in found.items() if name != "boosted_trees"}
    best = min(losses, key=losses.get)
    rule = rule_of(y[rows], found[best])
    model, known = fitted(makers[best], frame, y, weights, every)
    save(Saved(model, known, rule))
    save_out_of_fold(rows, found[best], rule)
    explanation = model.explanation(frame, y) | {"target": TARGET, "classes": [] if REGRESSION else CLASSES}
    MODEL.with_name("explanation.json").write_text(json.dumps(explanation, indent=1, ensure_ascii=False), "utf-8")
    MODEL.with_name("explanation.md").write_text(page(explanation, best), "utf-8")
    board = []
    for name, p in found.items():
        rule = rule_of(y[rows], p)
        score = measure(y[rows], p * rule) if LABELLED else measure(y[rows], p)
        board.append({"model": name, "cv_score": round(score, 5), "seconds": round(seconds[name], 2)})
        save_out_of_fold(rows, p, rule, f"oof_{name}")
    less = METRIC in ("log_loss", "brier", "rmse", "mae", "mape", "median_absolute_error")  # less is better
    board.sort(key=lambda row: row["cv_score"], reverse=not less)
    tell("leaderboard", rows=board)
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    schema = {"target": TARGET, "features": {name: role for role, names in roles.items() for name in names}}
    if not REGRESSION:
        schema["classes"] = CLASSES
    MODEL.with_name("schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), "utf-8")
    print(f"The saved model: {best}; boosted_trees is there to compare with")
    print(f"Done after {used():.1f} of {TIME_BUDGET:g} s")


if __name__ == "__main__":
    main()
