"""Train a regressor: several kinds of model, compared by cross-validation, blended if that pays, and saved.

Reads inputs/train.parquet; writes outputs/model.joblib (predict) and outputs/schema.json.
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
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

try:
    import lightgbm as lgb
except (ImportError, OSError):  # OSError: the system has no OpenMP runtime (libgomp)
    lgb = None

TARGET = "target"
NUMBERS = []
CATEGORIES = []
DATES = []
TEXTS = []
SPLIT = "random"  # how validation rows are chosen: "random", "time" (rows are in time order) or "group"
METRIC = "rmse"
CANDIDATES = ["linear", "lightgbm", "extra_trees"]
TIME_BUDGET = 60.0  # seconds for this whole program
SEED = 0
N_JOBS = 2

START = time.monotonic()
ABSOLUTE = METRIC in ("mae", "mape", "median_absolute_error")  # far-off rows count once, not squared
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
    means = TargetEncoder(target_type="continuous", cv=inner)
    words = make_pipeline(TfidfVectorizer(sublinear_tf=True, max_features=3000), SelectKBest(f_regression, k=80))
    return ColumnTransformer(
        [("codes", codes, CATEGORIES), ("means", means, many)]
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
    """Ridge regression; the first fold decides on the scaling of numbers and on the strength."""
    tried = {}
    for scale, strength in [kind.style] if kind.style else plan["styles"]:
        tried[scale, strength] = make_pipeline(columns_for_linear(frame, scale), Ridge(strength)).fit(frame, y)
        if not kind.style and len(tried) == 1:
            save(Ensemble([(1.0, tried[scale, strength])], y))
            print(f"A first model can be used after {used():.1f} s\n", end="", flush=True)
        if not kind.style and late(plan):
            break
    kind.style = kind.style or min(tried, key=lambda style: loss(valid[1], tried[style].predict(valid[0])))
    return tried[kind.style]


def boosting(frame, y, valid, plan, kind):
    """Gradient boosting; with validation rows it stops when they no longer gain."""
    columns = columns_for_trees(frame)
    x, categories = columns.fit_transform(frame, y), list(range(len(CATEGORIES)))
    if lgb is None:
        options = {"learning_rate": plan["rate"], "max_iter": plan["rounds"], "early_stopping": True}
        options["loss"] = "absolute_error" if ABSOLUTE else "squared_error"
        model = HistGradientBoostingRegressor(categorical_features=categories, random_state=SEED, **options)
        return make_pipeline(columns, model.fit(x, y))

    def watch(env):
        results, step = env.evaluation_result_list or [], env.iteration + 1
        if results and step % max(5, plan["rounds"] // 40) == 0:
            values = {
                "name": "mae" if ABSOLUTE else "mse",
                "value": round(float(results[0][2]), 5),
                "step": step,
            }
            tell("metric", model=kind.name, fold=plan["fold"], seconds=used(), **values)
        if late(plan):
            raise lgb.callback.EarlyStopException(env.iteration, results)

    options = kind.options | {"subsample": 0.9, "subsample_freq": 1, "reg_lambda": 1.0, "verbose": -1}
    options |= {"deterministic": True, "force_col_wise": True, "n_jobs": plan["threads"]}
    options |= {"min_child_samples": int(np.clip(len(y) / 100, 3, 20)), "learning_rate": plan["rate"]}
    options["objective"] = "regression_l1" if ABSOLUTE else "regression"
    rounds = plan["rounds"] if valid else int(1.1 * max(kind.rounds)) + 1
    extras, watchers = {}, [watch]
    model = lgb.LGBMRegressor(n_estimators=rounds, random_state=plan["seed"], **options)
    if valid:
        extras = {"eval_X": columns.transform(valid[0]), "eval_y": valid[1]}
        watchers.append(lgb.early_stopping(int(np.clip(rounds / 10, 20, 60)), verbose=False))
    model.fit(x, y, categorical_feature=categories, callbacks=watchers, **extras)
    if valid:
        kind.rounds.append(model.best_iteration_ or rounds)
    return make_pipeline(columns, model)


def forest(frame, y, valid, plan, kind):
    """Extremely randomised trees."""
    options = {"min_samples_leaf": plan["leaf"], "random_state": SEED, "n_jobs": plan["threads"]}
    model = ExtraTreesRegressor(plan["trees"], max_features=0.8, **options)
    pipeline = make_pipeline(columns_for_trees(frame), model).fit(frame, y)
    model.set_params(n_jobs=1)  # adds the trees up in one order; else the last digits differ from run to run
    return pipeline


class Ensemble:
    """What is saved: fitted pipelines with their weights; predictions stay near what training has seen."""

    def __init__(self, parts, y):
        self.parts, room = parts, np.ptp(y) * (1.0 if SPLIT == "time" else 0.25)  # a trend goes on
        self.low, self.high = y.min() - room, y.max() + room

    def predict(self, table):
        frame = tidy(table)
        return sum(weight * pipeline.predict(frame) for weight, pipeline in self.parts).clip(self.low, self.high)


def save(ensemble):
    """Whole or not at all: an earlier model stays usable until the next one is complete."""
    joblib.dump(ensemble, "outputs/model.partial", compress=1)
    Path("outputs/model.partial").replace("outputs/model.joblib")


# ---- judging


def loss(y, p):
    """What style and blend are chosen by: squared error, or absolute error where that is what counts."""
    return float(np.abs(y - p).mean() if ABSOLUTE else ((y - p) ** 2).mean())


def measure(y, p):
    """The metric of true and predicted numbers."""
    if METRIC == "mape":
        return float((np.abs(y - p)[y != 0] / np.abs(y[y != 0])).mean())
    scores = {"rmse": metrics.root_mean_squared_error, "mae": metrics.mean_absolute_error}
    scores |= {"r2": metrics.r2_score, "median_absolute_error": metrics.median_absolute_error}
    return scores[METRIC](y, p)


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
    folds, work = 5 if rows <= 60_000 else 10, 0.36 * TIME_BUDGET
    one_round = 4e-4 + 48 * columns * min(255, rows / 3) * 3e-9 + rows * columns * 4e-9
    one_tree = 2e-3 + rows * np.log2(rows) * columns * 1e-8
    rounds = int(np.clip(0.6 * work / folds / 1.5 / one_round, 60, 1500))
    trees = int(np.clip(0.2 * work / folds / one_tree, 25, 120))
    scales = ["quantiles", "standard"] + (["plain"] if SPLIT == "time" and DATES else [])
    plan = {"folds": folds, "rounds": rounds, "trees": trees, "leaf": int(np.clip(rows * trees / 1e6, 1, 5))}
    plan["rate"] = float(np.clip(50 / rounds, 0.1 if rows < 2000 else 0.04, 0.15))
    plan["styles"] = [(scale, strength) for scale in scales for strength in (1.0, 10.0, 100.0)]
    large = rows * columns >= 10_000_000  # then one fit at a time, with all threads
    plan |= {"workers": 1 if large else N_JOBS, "threads": N_JOBS if large else 1, "seed": SEED}
    return plan | {"stopped": []}  # the folds that the clock has stopped, -1 for the last fits on all rows


def make_folds(y, folds):
    """Training and validation rows in pairs: by time (the latest first), by group or at random."""
    if SPLIT == "time":
        return list(TimeSeriesSplit(folds).split(y))[::-1]
    if SPLIT == "group" and Path("inputs/groups.parquet").exists():
        groups = pd.read_parquet("inputs/groups.parquet")["group"]
        folds = min(folds, groups.nunique())
        return list(GroupKFold(folds, shuffle=True, random_state=SEED).split(y, y, groups))
    return list(KFold(min(folds, len(y)), shuffle=True, random_state=SEED).split(y))


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
        p, took = pipeline.predict(frame.iloc[rest]), round(used() - began, 2)
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
    guess = np.full(len(y), np.median(y) if ABSOLUTE else y.mean())
    scores = {name: measure(y, p) for name, p in (found | {"dummy": guess}).items()}
    seconds = {"dummy": 0.0, "ensemble": used()} | {kind.name: kind.seconds for kind in kinds}
    order = sorted(scores, key=scores.get, reverse=METRIC == "r2")
    rows = [{"model": n, "cv_score": round(scores[n], 5), "seconds": round(seconds[n], 2)} for n in order]
    note = f"The clock ran out: {len(kinds[0].p)} of {plan['folds']} folds count; with more time scores may differ."
    tell("leaderboard", rows=rows, **({"note": note} if plan["stopped"] else {}))
    print(note if plan["stopped"] else "All went by the plan.")
    print("The saved model:", ", ".join(f"{name} {weight:.0%}" for name, weight in weights.items()))
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    features = {name: role for role, names in roles.items() for name in names}
    schema = {"target": TARGET, "features": features}
    Path("outputs/schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"Done after {used():.1f} of {TIME_BUDGET:g} s")


def main():
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    if lgb is None:
        print("LightGBM cannot be loaded (is libgomp installed?): scikit-learn's boosting takes its place.")
    table = pd.read_parquet("inputs/train.parquet")
    y = table[TARGET].to_numpy().astype(float)
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
    parts = [(weights[kind.name] / len(kind.kept), model) for kind in chosen for model in kind.kept.values()]
    save(Ensemble(parts, y))
    report(y[rows], found | ({"ensemble": mixed} if len(weights) > 1 else {}), kinds, weights, plan)


if __name__ == "__main__":
    main()
