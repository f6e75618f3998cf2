"""Train a classifier: several kinds of model, compared by cross-validation, blended if that pays, and saved.

Reads inputs/train.parquet; writes outputs/model.joblib (predict, predict_proba, classes_) and schema.json.
Run with `python train.py`; lines that start with @@ are progress for whoever watches.
"""

import json
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

try:
    import lightgbm as lgb
except (ImportError, OSError):  # OSError: the system has no OpenMP runtime (libgomp)
    lgb = None

TARGET = "target"
CLASSES = ["0", "1"]  # of two classes the second is the positive one
NUMBERS = []
CATEGORIES = []
DATES = []
TEXTS = []
SPLIT = "random"  # how validation rows are chosen: "random", "time" (rows are in time order) or "group"
METRIC = "roc_auc"
CANDIDATES = ["linear", "lightgbm", "extra_trees"]
TIME_BUDGET = 60.0  # seconds for this whole program
SEED = 0
N_JOBS = 2

START = time.monotonic()
TWO = len(CLASSES) == 2
# Parts of a date, and after how many days they repeat.
PERIODS = {"year": np.inf, "month": 365, "day": 30, "day_of_week": 7, "day_of_year": 365, "hour": 1}


def tell(kind, **values):
    """A line of progress: @@ and JSON; in one piece, as two fits may speak at the same time."""
    print("@@" + json.dumps({"kind": kind, **values}) + "\n", end="", flush=True)


def used():
    """Seconds since the start."""
    return round(time.monotonic() - START, 2)


def late(plan):
    """An emergency: the clock ends this work before the plan does. It is noted, and told in the end."""
    if used() < plan["until"]:
        return False
    plan["stopped"].append(plan["fold"])
    return True


# ---- columns


def as_text(column):
    """Categories as text, one spelling each: 1 and 1.0 are "1"; what is missing is "(missing)"."""
    known = column.dropna().unique()
    names = {v: str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in known}
    return column.map(names).astype(object).where(column.notna(), "(missing)")


def tidy(table):
    """Any table with (more or less) our columns as numbers, date parts, categories, texts. Learns nothing."""
    table = table.reindex(columns=[*NUMBERS, *CATEGORIES, *DATES, *TEXTS])
    out = {name: as_text(table[name]) for name in CATEGORIES}
    out |= {name: pd.to_numeric(table[name], errors="coerce").astype(float) for name in NUMBERS}
    moments = {name: pd.to_datetime(table[name], errors="coerce", utc=True) for name in DATES}
    for name, moment in moments.items():
        out[f"{name} (days)"] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
        out |= {f"{name} ({part})": getattr(moment.dt, part).astype(float) for part in PERIODS}
    for one, other in combinations(list(moments)[:4], 2):
        out[f"{other} - {one} (hours)"] = (moments[other] - moments[one]).dt.total_seconds() / 3600
    texts = {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in TEXTS}
    out |= {f"{name} (length)": text.str.len().astype(float) for name, text in texts.items()}
    return pd.DataFrame(out | texts, index=table.index).replace([np.inf, -np.inf], np.nan)


def lasting(frame):
    """For later rows, without the date parts that training has seen less than twice: they would mislead."""
    for name in DATES if SPLIT == "time" else []:
        span = frame[f"{name} (days)"].max() - frame[f"{name} (days)"].min()
        rare = [part for part, days in PERIODS.items() if span < 1.9 * days]
        frame = frame.drop(columns=[f"{name} ({part})" for part in rare])
    return frame


def parts_of(frame):
    """The names in a tidy frame by kind: (numbers, categories with many levels, texts that have words)."""
    numbers = [name for name in frame.columns if name not in CATEGORIES and name not in TEXTS]
    many = [name for name in CATEGORIES if frame[name].nunique() > 20]
    return numbers, many, [name for name in TEXTS if frame[name].str.contains(r"\w\w").sum() > 5]


def columns_for_trees(frame):
    """Codes for categories (also target means above 20 levels), numbers as they are, telling words."""
    numbers, many, texts = parts_of(frame)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250)
    inner = KFold(5, shuffle=True, random_state=SEED)  # so that no row's mean knows its own target
    means = TargetEncoder(target_type="binary", cv=inner)
    words = make_pipeline(TfidfVectorizer(sublinear_tf=True, max_features=3000), SelectKBest(f_classif, k=80))
    return ColumnTransformer(
        [("codes", codes, CATEGORIES), ("means", means, many if TWO else [])]
        + [("numbers", "passthrough", numbers), *((name, words, name) for name in texts)],
        sparse_threshold=0,
    )


def columns_for_linear(frame, scale):
    """Scaled numbers (dates as days alone if "plain"), one column per common category, words by TF-IDF."""
    numbers, _, texts = parts_of(frame)
    if scale == "plain":
        parts = [f"{name} ({part})" for name in DATES for part in PERIODS]
        numbers = [name for name in numbers if name not in parts]
    quantiles = QuantileTransformer(n_quantiles=min(500, len(frame)), output_distribution="normal", random_state=SEED)
    gaps = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, max_categories=200)
    return ColumnTransformer(
        [("numbers", make_pipeline(gaps, quantiles if scale == "quantiles" else StandardScaler()), numbers)]
        + [("levels", levels, CATEGORIES)]
        + [(name, TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=10_000), name) for name in texts]
    )


# ---- models: (rows, their y, validation rows and y or None, ...) -> a fitted pipeline


class Kind:
    """One kind of model: how it is fitted, and what the folds find out about it."""

    def __init__(self, name, fit, **options):
        self.name, self.fit, self.options = name, fit, options
        # Fits on all rows in the end: for forests, which are large, and after a split by time, as the latest rows
        # matter. Of the others the models of the folds are kept.
        self.copies = (3 if fit is boosting else 1) if SPLIT == "time" else int(fit is forest)
        self.style, self.rounds, self.longest, self.seconds, self.kept, self.p = None, [], 0.0, 0.0, {}, {}


def linear(frame, y, valid, plan, kind):
    """Regularised logistic regression; the first fold decides on the scaling of numbers and on the strength."""
    tried = {}
    for scale, strength in [kind.style] if kind.style else plan["styles"]:
        model = LogisticRegression(C=strength, max_iter=plan["iterations"])
        tried[scale, strength] = make_pipeline(columns_for_linear(frame, scale), model).fit(frame, y)
        if not kind.style and len(tried) == 1:
            save(Ensemble([(1.0, tried[scale, strength])], np.ones(len(CLASSES))))
            print(f"A first model can be used after {used():.1f} s\n", end="", flush=True)
        if not kind.style and late(plan):
            break
    kind.style = kind.style or min(tried, key=lambda style: loss(valid[1], predict(tried[style], valid[0])))
    return tried[kind.style]


def boosting(frame, y, valid, plan, kind):
    """Gradient boosting; with validation rows it stops when they no longer gain."""
    columns = columns_for_trees(frame)
    x, categories = columns.fit_transform(frame, y), list(range(len(CATEGORIES)))
    if lgb is None:
        options = {"learning_rate": plan["rate"], "max_iter": plan["rounds"], "early_stopping": True}
        model = HistGradientBoostingClassifier(categorical_features=categories, random_state=SEED, **options)
        return make_pipeline(columns, model.fit(x, y))

    def watch(env):
        results, step = env.evaluation_result_list or [], env.iteration + 1
        if results and step % max(5, plan["rounds"] // 40) == 0:
            values = {"name": "log_loss", "value": round(float(results[0][2]), 5), "step": step}
            tell("metric", model=kind.name, fold=plan["fold"], seconds=used(), **values)
        if late(plan):
            raise lgb.callback.EarlyStopException(env.iteration, results)

    options = kind.options | {"subsample": 0.9, "subsample_freq": 1, "reg_lambda": 1.0, "verbose": -1}
    options |= {"deterministic": True, "force_col_wise": True, "n_jobs": plan["threads"]}
    options |= {"min_child_samples": int(np.clip(len(y) / 100, 3, 20)), "learning_rate": plan["rate"]}
    rounds = plan["rounds"] if valid else int(1.1 * max(kind.rounds)) + 1
    extras, watchers = {}, [watch]
    model = lgb.LGBMClassifier(n_estimators=rounds, random_state=plan["seed"], **options)
    if valid:
        known = np.isin(valid[1], y)  # a class may be so rare that no training row has it
        extras = {"eval_X": columns.transform(valid[0][known]), "eval_y": valid[1][known]}
        watchers.append(lgb.early_stopping(int(np.clip(rounds / 10, 20, 60)), verbose=False))
    model.fit(x, y, categorical_feature=categories, callbacks=watchers, **extras)
    if valid:
        kind.rounds.append(model.best_iteration_ or rounds)
    return make_pipeline(columns, model)


def forest(frame, y, valid, plan, kind):
    """Extremely randomised trees."""
    options = {"min_samples_leaf": plan["leaf"], "random_state": SEED, "n_jobs": plan["threads"]}
    model = ExtraTreesClassifier(plan["trees"], criterion="entropy", **options)
    pipeline = make_pipeline(columns_for_trees(frame), model).fit(frame, y)
    model.set_params(n_jobs=1)  # adds the trees up in one order; else the last digits differ from run to run
    return pipeline


def predict(pipeline, frame):
    """Class probabilities in the order of CLASSES, never quite 0 or 1."""
    p, model = np.zeros((len(frame), len(CLASSES))), pipeline[-1]
    p[:, model.classes_] = pipeline.predict_proba(frame)
    if isinstance(model, ExtraTreesClassifier):  # trees say 0 or 1: one more that knows nothing
        p = (p * len(model.estimators_) + 1 / len(CLASSES)) / (len(model.estimators_) + 1)
    p = np.clip(p, 1e-6, 1)
    return p / p.sum(axis=1, keepdims=True)


class Ensemble:
    """What is saved: fitted pipelines with their weights, and the rule that makes labels of probabilities."""

    def __init__(self, parts, factors):
        self.parts, self.factors, self.classes_ = parts, factors, np.array(CLASSES, dtype=object)

    def predict_proba(self, table):
        frame = tidy(table)
        return sum(weight * predict(pipeline, frame) for weight, pipeline in self.parts)

    def predict(self, table):
        return self.classes_[(self.predict_proba(table) * self.factors).argmax(axis=1)]


def save(ensemble):
    """Whole or not at all: an earlier model stays usable until the next one is complete."""
    joblib.dump(ensemble, "outputs/model.partial", compress=1)
    Path("outputs/model.partial").replace("outputs/model.joblib")


# ---- judging


def loss(y, p):
    """Log-loss: boosting, style and blend are chosen by it, as it is the steadiest."""
    return float(-np.log(p[np.arange(len(y)), y]).mean())


def measure(y, p, name=METRIC):
    """A metric of true codes and probabilities; of several classes the plain mean."""
    truth, label = np.eye(len(CLASSES))[y], p.argmax(axis=1)
    if name == "log_loss":
        return loss(y, p)
    if name == "brier":
        return float(((p - truth) ** 2).sum(axis=1).mean()) / (2 if TWO else 1)
    if name in ("roc_auc", "average_precision"):
        area = metrics.roc_auc_score if name == "roc_auc" else metrics.average_precision_score
        return area(y, p[:, 1]) if TWO else area(truth, p)
    if name in ("accuracy", "balanced_accuracy"):
        return (metrics.accuracy_score if name == "accuracy" else metrics.balanced_accuracy_score)(y, label)
    beta = {"precision": 0, "f0.5": 0.5, "f1": 1, "f2": 2, "recall": np.inf}[name]
    return metrics.fbeta_score(y, label, beta=beta, average="binary" if TWO else "macro", zero_division=0)


def decision(y, p):
    """Factors for the probabilities before the largest wins, chosen on validation rows if labels are judged.

    Recall alone calls every row positive, precision alone only the surest one: F2 and F0.5 decide for them.
    """
    if METRIC in ("roc_auc", "average_precision", "log_loss", "brier"):
        return np.ones(len(CLASSES))
    if TWO:
        cuts = np.clip(np.quantile(p[:, 1], np.linspace(0.01, 0.99, 99)), 1e-6, 1 - 1e-6)
        tried = [np.array([1.0, (1 - cut) / cut]) for cut in [0.5, *cuts]]
    else:
        shares = np.bincount(y, minlength=len(CLASSES)) / len(y) + 1e-6
        tried = [shares**-power for power in (0, 0.25, 0.5, 0.75, 1)]
    aim = {"recall": "f2", "precision": "f0.5"}.get(METRIC, METRIC)
    return max(tried, key=lambda factors: measure(y, p * factors, aim))


def blend(y, found):
    """Weights by greedy selection with replacement (Caruana et al. 2004); less than a tenth is left out."""
    chosen, total = [], 0.0
    for size in range(1, 51):
        losses = {name: loss(y, (total + p) / size) for name, p in found.items()}
        chosen.append(min(losses, key=losses.get))
        total = total + found[chosen[-1]]
    chosen = [name for name in chosen if chosen.count(name) >= 5]
    return {name: chosen.count(name) / len(chosen) for name in found if name in chosen}


# ---- work


def make_plan(rows):
    """How much to do, by the size of the table and the budget alone: the same seed gives the same model.

    Up to two fifths of the budget on two ordinary cores (constants are seconds there), as others are slower.
    """
    columns = len(NUMBERS) + 2 * len(CATEGORIES) + 7 * len(DATES) + 80 * len(TEXTS)
    outputs, folds, work = 1 if TWO else len(CLASSES), 5 if rows <= 60_000 else 10, 0.36 * TIME_BUDGET
    one_round = outputs * (4e-4 + 48 * columns * min(255, rows / 3) * 3e-9 + rows * columns * 4e-9)
    one_tree = 2e-3 + rows * np.log2(rows) * np.sqrt(columns) * 9e-9
    rounds = int(np.clip(0.6 * work / folds / 1.5 / one_round, 60, 1500))
    trees = int(np.clip(0.2 * work / folds / one_tree, 25, 200))
    scales = ["quantiles", "standard"] + (["plain"] if SPLIT == "time" and DATES else [])
    strengths = [1.0, 0.1, 10.0] if rows * columns < 1_000_000 else [1.0]
    plan = {"folds": folds, "rounds": rounds, "trees": trees, "leaf": int(np.clip(rows * trees / 1e6, 1, 5))}
    plan["rate"] = float(np.clip(50 / rounds, 0.1 if rows < 2000 else 0.04, 0.15))
    plan["styles"] = [(scale, strength) for scale in scales for strength in strengths]
    plan["iterations"] = int(np.clip(3e8 / rows / columns / outputs, 50, 500))
    large = rows * columns >= 10_000_000  # then one fit at a time, with all threads
    plan |= {"workers": 1 if large else N_JOBS, "threads": N_JOBS if large else 1, "seed": SEED}
    return plan | {"stopped": []}  # the folds that the clock has stopped, -1 for the last fits on all rows


def make_folds(y, folds):
    """Training and validation rows in pairs: by time (the latest first), by group or at random by class."""
    if SPLIT == "time":
        return list(TimeSeriesSplit(folds).split(y))[::-1]
    if SPLIT == "group" and Path("inputs/groups.parquet").exists():
        groups = pd.read_parquet("inputs/groups.parquet")["group"]
        folds = min(folds, groups.nunique())
        return list(GroupKFold(folds, shuffle=True, random_state=SEED).split(y, y, groups))
    folds = min(folds, np.bincount(y).max())
    return list(StratifiedKFold(folds, shuffle=True, random_state=SEED).split(y, y))


def cross_validate(frame, y, plan, kinds):
    """Every kind on the same folds: (validation rows, name -> predictions); in need without the last folds."""
    splits = make_folds(y, plan["folds"])

    def work(fold, kind):
        (train, rest), began = splits[fold], used()
        refits = 1.3 * sum(other.copies * other.longest for other in kinds) / plan["workers"]
        until = 0.9 * TIME_BUDGET - refits if fold else 0.5 * TIME_BUDGET
        settings = plan | {"fold": fold, "until": until}
        ahead = kind.longest if kind.fit is forest else 0.0  # a forest cannot be stopped half-way
        if fold and late(settings | {"until": until - ahead}):
            return
        pipeline = kind.fit(frame.iloc[train], y[train], (frame.iloc[rest], y[rest]), settings, kind)
        p, took = predict(pipeline, frame.iloc[rest]), round(used() - began, 2)
        if fold and late(settings):
            return
        kind.p[fold], kind.kept[fold] = p, None if kind.copies else pipeline
        kind.seconds, kind.longest = kind.seconds + took, max(kind.longest, took)
        value, text = round(measure(y[rest], p), 5), f"{kind.name}, fold {fold + 1} of {len(splits)}"
        tell("fold", model=kind.name, fold=fold, folds=len(splits), name=METRIC, value=value, seconds=took)
        tell("progress", done=sum(len(k.p) for k in kinds), total=len(splits) * len(kinds), text=text)

    with ThreadPoolExecutor(plan["workers"]) as pool:
        for folds in ([0], range(1, len(splits))):  # the first fold decides on the style of the linear model
            for future in [pool.submit(work, fold, kind) for fold in folds for kind in kinds]:
                future.result()
    done = range(min([fold for fold in plan["stopped"] if fold > 0], default=len(splits)))
    for kind in kinds:
        kind.kept, kind.p = ({fold: found[fold] for fold in done} for found in (kind.kept, kind.p))
    rows = np.concatenate([splits[fold][1] for fold in done])
    return rows, {kind.name: np.concatenate([kind.p[fold] for fold in done]) for kind in kinds}


def fit_once_more(frame, y, plan, kinds):
    """The kinds that are fitted on all rows; boosting with several seeds, as no folds back it up."""
    last = plan | {"fold": -1, "until": 0.97 * TIME_BUDGET}
    with ThreadPoolExecutor(plan["workers"]) as pool:
        for kind in [kind for kind in kinds if kind.copies]:
            settings = [last | {"seed": SEED + copy} for copy in range(kind.copies)]
            kind.kept = {i: pool.submit(kind.fit, frame, y, None, each, kind) for i, each in enumerate(settings)}
    for kind in [kind for kind in kinds if kind.copies]:
        kind.kept = {copy: fit.result() for copy, fit in kind.kept.items()}


def report(y, found, kinds, weights, plan):
    """The leaderboard on validation rows, what was saved, and which columns it needs."""
    guess = np.tile(np.bincount(y, minlength=len(CLASSES)) / len(y), (len(y), 1))
    scores = {name: measure(y, p * decision(y, p)) for name, p in (found | {"dummy": guess}).items()}
    seconds = {"dummy": 0.0, "ensemble": used()} | {kind.name: kind.seconds for kind in kinds}
    order = sorted(scores, key=scores.get, reverse=METRIC not in ("log_loss", "brier"))
    rows = [{"model": n, "cv_score": round(scores[n], 5), "seconds": round(seconds[n], 2)} for n in order]
    note = f"The clock ran out: {len(kinds[0].p)} of {plan['folds']} folds count; with more time scores may differ."
    tell("leaderboard", rows=rows, **({"note": note} if plan["stopped"] else {}))
    print(note if plan["stopped"] else "All went by the plan.")
    print("The saved model:", ", ".join(f"{name} {weight:.0%}" for name, weight in weights.items()))
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    features = {name: role for role, names in roles.items() for name in names}
    schema = {"target": TARGET, "classes": CLASSES, "features": features}
    Path("outputs/schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"Done after {used():.1f} of {TIME_BUDGET:g} s")


def main():
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    if lgb is None:
        print("LightGBM cannot be loaded (is libgomp installed?): scikit-learn's boosting takes its place.")
    table = pd.read_parquet("inputs/train.parquet")
    y = table[TARGET].map({label: code for code, label in enumerate(CLASSES)}).to_numpy().astype(int)
    frame, plan = lasting(tidy(table)), make_plan(len(y))
    small = Kind("lightgbm_small", boosting, num_leaves=16, colsample_bytree=0.45)
    large = Kind("lightgbm", boosting, num_leaves=48, colsample_bytree=0.8)
    kinds = [Kind("linear", linear), large, Kind("extra_trees", forest), small]
    kinds = [kind for kind in kinds if kind.name.removesuffix("_small") in CANDIDATES]
    with threadpool_limits(plan["threads"]):
        rows, found = cross_validate(frame, y, plan, kinds)
        weights = blend(y[rows], found)
        chosen = [kind for kind in kinds if kind.name in weights]
        fit_once_more(frame, y, plan, chosen)
    mixed = sum(weight * found[name] for name, weight in weights.items())
    factors = decision(y[rows], mixed)
    parts = [(weights[kind.name] / len(kind.kept), model) for kind in chosen for model in kind.kept.values()]
    save(Ensemble(parts, factors))
    if np.ptp(factors):
        print(f"Labels are decided to suit {METRIC}: {dict(zip(CLASSES, factors.round(3).tolist(), strict=True))}")
    report(y[rows], found | ({"ensemble": mixed} if len(weights) > 1 else {}), kinds, weights, plan)


if __name__ == "__main__":
    main()
