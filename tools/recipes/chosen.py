"""Train one kind of model that was chosen by hand: search its parameters if asked, fit the best on all rows, save it.

Reads inputs/train.parquet; writes outputs/model.joblib (predict, for classes also predict_proba and classes_; as soon
as there is one, then each better one), schema.json and oof.parquet: what the saved model's like says of training rows
that it was not fitted on (row, prediction, p_0, p_1, ...). Run with `python train.py`; lines that start with @@ are
progress for whoever watches.
"""

import json
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier as Estimator  # the kind of model that was chosen
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, KFold, ParameterGrid, ParameterSampler, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

TARGET = "target"
CLASSES = ["0", "1"]  # of two classes the second is the positive one; empty: the target is a number
ORDER = ["0", "1"]  # the classes in the order of the columns p_0, p_1, ... of oof.parquet
NUMBERS = []
CATEGORIES = []
DATES = []
TEXTS = []
SPLIT = "random"  # how validation rows are chosen: "random", "time" (rows are in time order) or "group"
METRIC = "roc_auc"
NAME = "random_forest"
PARAMETERS = {"n_estimators": 300}  # as chosen; what is not named has the library's own default
SETTINGS = {"n_jobs": 2, "random_state": 0}  # threads, seed and the like
PREPARATION = {"levels": "codes", "scale": "no", "gaps": False, "words": 80, "ngrams": 1}
SEARCH = "none"  # "none", "grid", "randomised" or "optuna"
SPACE = {}  # parameter -> values to try, or {"low": 1, "high": 9, "log": False}
TRIALS = 30  # candidates of a randomised or Optuna search
FOLDS = 5
TIME_BUDGET = 60.0  # seconds for this whole program
SEED = 0

START = time.monotonic()
TWO = len(CLASSES) == 2
GREATER_IS_BETTER = METRIC not in ("log_loss", "brier", "rmse", "mae", "mape", "median_absolute_error")


def tell(kind, **values):
    """A line of progress: @@ and JSON."""
    print("@@" + json.dumps({"kind": kind, **values}) + "\n", end="", flush=True)


def used():
    """Seconds since the start."""
    return round(time.monotonic() - START, 2)


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
    for name in DATES:
        moment = pd.to_datetime(table[name], errors="coerce", utc=True)
        out[f"{name} (days)"] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
        parts = ("year", "month", "day", "day_of_week", "hour")
        out |= {f"{name} ({part})": getattr(moment.dt, part).astype(float) for part in parts}
    texts = {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in TEXTS}
    out |= {f"{name} (length)": text.str.len().astype(float) for name, text in texts.items()}
    return pd.DataFrame(out | texts, index=table.index).replace([np.inf, -np.inf], np.nan)


def columns_for(frame):
    """How a tidy frame becomes the matrix that this kind of model wants, by PREPARATION; fitted with the model."""
    numbers = [name for name in frame.columns if name not in CATEGORIES and name not in TEXTS]
    texts = [name for name in TEXTS if frame[name].str.contains(r"\w\w").sum() > 5]
    steps = []
    if PREPARATION["gaps"]:
        steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
    if PREPARATION["scale"] == "quantiles":
        size = min(500, len(frame))
        steps.append(QuantileTransformer(n_quantiles=size, output_distribution="normal", random_state=SEED))
    if PREPARATION["scale"] == "standard":
        steps.append(StandardScaler())
    if PREPARATION["levels"] == "one_hot":
        levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, max_categories=200)
    else:  # codes; libraries that know categories themselves ("native") take an unknown one as missing
        unknown = np.nan if PREPARATION["levels"] == "native" else -1
        levels = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown, max_categories=250)
    parts = [("levels", levels, CATEGORIES), ("numbers", make_pipeline(*steps) if steps else "passthrough", numbers)]
    many = [name for name in CATEGORIES if frame[name].nunique() > 20]
    if many and PREPARATION["levels"] == "codes" and (TWO or not CLASSES):
        inner = KFold(5, shuffle=True, random_state=SEED)  # so that no row's mean knows its own target
        means = TargetEncoder(target_type="binary" if TWO else "continuous", cv=inner)
        parts.append(("means", means, many))
    for name in texts:
        found = TfidfVectorizer(sublinear_tf=True, max_features=20_000, ngram_range=(1, PREPARATION["ngrams"]))
        best = SelectKBest(f_classif if CLASSES else f_regression, k=PREPARATION["words"])
        parts.append((name, make_pipeline(found, best), name))
    return ColumnTransformer(parts, sparse_threshold=0.3 if PREPARATION["levels"] == "one_hot" else 0)


def as_matrix(found):
    """For libraries that take categories as they are but want to see whole numbers in their columns."""
    if PREPARATION["levels"] != "whole":
        return found.toarray() if PREPARATION.get("dense") and hasattr(found, "toarray") else found
    return pd.DataFrame(found).astype(dict.fromkeys(range(len(CATEGORIES)), int))


def categories_of(matrix):
    """How this kind of model is told which columns are categories; they come first."""
    known_as, places = PREPARATION.get("categories_as"), list(range(len(CATEGORIES)))
    if not known_as or not places:
        return {}
    if known_as == "feature_types":
        return {known_as: ["c" if column in places else "q" for column in range(matrix.shape[1])]}
    return {known_as: places}


# ---- the model


class Model:
    """The chosen kind of model with its columns: takes a table as it comes, gives numbers."""

    def __init__(self, parameters):
        self.parameters, self.seconds = parameters, 0.0

    def fit(self, frame, y):
        """Columns and model learn from the same rows; classes that are not among them get probability 0."""
        began = used()
        self.known, codes = np.unique(y, return_inverse=True) if CLASSES else (None, y)
        self.columns = columns_for(frame)
        x = as_matrix(self.columns.fit_transform(frame, codes))
        told = categories_of(x)
        at_fit = {name: told.pop(name) for name in list(told) if name == "categorical_feature"}  # as LightGBM wants it
        model = Estimator(**SETTINGS, **self.parameters, **told)
        if PREPARATION.get("calibrate"):  # it has no probabilities of its own
            model = CalibratedClassifierCV(model, ensemble=False, cv=int(np.clip(np.bincount(codes).min(), 2, 5)))
        if PREPARATION.get("scale_target"):
            model = TransformedTargetRegressor(model, transformer=StandardScaler())
        self.model, self.seconds = model.fit(x, codes, **at_fit), used() - began
        if "n_jobs" in SETTINGS and hasattr(model, "n_jobs"):
            model.set_params(n_jobs=1)  # threads add up in any order, and the last digits would differ
        return self

    def output(self, frame):
        """Numbers, or class probabilities in the order of CLASSES, never quite 0 or 1."""
        x = as_matrix(self.columns.transform(frame))
        if not CLASSES:
            return np.asarray(self.model.predict(x), dtype=float).ravel()
        p = np.zeros((len(frame), len(CLASSES)))
        p[:, self.known] = self.model.predict_proba(x)
        if (
            "Forest" in Estimator.__name__ or "Trees" in Estimator.__name__
        ):  # its trees say 0 or 1: one that knows nothing
            trees = len(self.model.estimators_)
            p = (p * trees + 1 / len(CLASSES)) / (trees + 1)
        p = np.clip(np.nan_to_num(p), 1e-6, 1)
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, table):
        return self.output(tidy(table))


class Classifier(Model):
    """The same for classes, with the rule that makes labels of probabilities."""

    factors, classes_ = np.ones(len(CLASSES)), np.array(CLASSES, dtype=object)

    def predict_proba(self, table):
        return self.output(tidy(table))

    def predict(self, table):
        return self.classes_[(self.predict_proba(table) * self.factors).argmax(axis=1)]


def save(model):
    """Whole or not at all: an earlier model stays usable until the next one is complete."""
    joblib.dump(model, "outputs/model.partial", compress=1)
    Path("outputs/model.partial").replace("outputs/model.joblib")


def save_out_of_fold(model, rows, output):
    """What models with these parameters said of the validation rows."""
    out = {"row": rows, "prediction": output}
    if CLASSES:
        out["prediction"] = model.classes_[(output * model.factors).argmax(axis=1)]
        out |= {f"p_{code}": output[:, CLASSES.index(label)] for code, label in enumerate(ORDER)}
    pd.DataFrame(out).to_parquet("outputs/oof.parquet", index=False)


def save_schema():
    """Which columns the model needs."""
    roles = {"number": NUMBERS, "category": CATEGORIES, "date": DATES, "text": TEXTS}
    features = {name: role for role, names in roles.items() for name in names}
    schema = {"target": TARGET, "classes": CLASSES, "features": features}
    Path("outputs/schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8")


# ---- judging


def measure(y, p, name=METRIC):
    """A metric of true codes and probabilities (of several classes the plain mean), or of numbers."""
    if not CLASSES:
        error, known = np.abs(y - p), y != 0
        by_name = {"rmse": np.sqrt((error**2).mean()), "mae": error.mean(), "median_absolute_error": np.median(error)}
        by_name["mape"] = (error[known] / np.abs(y[known])).mean() if known.any() else 0.0
        return float(metrics.r2_score(y, p) if name == "r2" else by_name[name])
    truth, label = np.eye(len(CLASSES))[y], p.argmax(axis=1)
    if name == "log_loss":
        p = p / p.sum(axis=1, keepdims=True)
        return float(-np.log(p[np.arange(len(y)), y]).mean())
    if name == "brier":
        return float(((p - truth) ** 2).sum(axis=1).mean()) / (2 if TWO else 1)
    if name in ("roc_auc", "average_precision"):
        area = metrics.roc_auc_score if name == "roc_auc" else metrics.average_precision_score
        seen = truth.any(axis=0) & ~truth.all(axis=0)  # the others have no curve
        return float(area(y, p[:, 1]) if TWO else np.mean([area(truth[:, c], p[:, c]) for c in np.flatnonzero(seen)]))
    if name in ("accuracy", "balanced_accuracy"):
        return float((metrics.accuracy_score if name == "accuracy" else metrics.balanced_accuracy_score)(y, label))
    beta = {"precision": 0, "f0.5": 0.5, "f1": 1, "f2": 2, "recall": np.inf}[name]
    return float(metrics.fbeta_score(y, label, beta=beta, average="binary" if TWO else "macro", zero_division=0))


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


def scored(y, p):
    """The metric as it will be judged: labels by the best rule."""
    return measure(y, p * decision(y, p) if CLASSES else p)


def make_folds(y):
    """Training and validation rows in pairs: by time (the latest first), by group, or at random (by class)."""
    folds = min(FOLDS, len(y) // 2)
    if SPLIT == "time":
        return list(TimeSeriesSplit(folds).split(y))[::-1]
    if SPLIT == "group" and Path("inputs/groups.parquet").exists():
        groups = pd.read_parquet("inputs/groups.parquet")["group"]
        return list(GroupKFold(min(folds, groups.nunique()), shuffle=True, random_state=SEED).split(y, y, groups))
    if not CLASSES:
        return list(KFold(folds, shuffle=True, random_state=SEED).split(y))
    folds = max(2, min(folds, int(np.bincount(y).max())))
    return list(StratifiedKFold(folds, shuffle=True, random_state=SEED).split(y, y))


def cross_validated(parameters, frame, y, splits, until):
    """(validation rows, what the model says of them); None when the clock would not let it finish."""
    rows, outputs, longest = [], [], 0.0
    for train, rest in splits:
        if CLASSES and len(np.unique(y[train])) < 2:
            continue  # nothing can be learned from one class
        if used() + longest > until:
            return None
        began = used()
        model = (Classifier if CLASSES else Model)(parameters).fit(frame.iloc[train], y[train])
        outputs.append(model.output(frame.iloc[rest]))
        rows.append(rest)
        longest = max(longest, used() - began)
    return (np.concatenate(rows), np.concatenate(outputs)) if rows else None


# ---- searching


def is_whole(found):
    """Whether a range is one of whole numbers."""
    return isinstance(found["low"], int) and isinstance(found["high"], int)


def written(values):
    """Drawn values as they will be used and shown: from a range a whole number, or one of four digits."""
    out = dict(values)
    for name in [name for name, found in SPACE.items() if isinstance(found, dict)]:
        out[name] = round(float(values[name])) if is_whole(SPACE[name]) else float(f"{float(values[name]):.4g}")
    return out


def drawn_by_optuna():
    """Candidates that learn from the scores of those before (tree-structured Parzen estimator, in memory)."""
    import optuna  # only here, as loading it takes a moment

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {}
    for name, found in SPACE.items():
        if isinstance(found, list):
            kinds[name] = optuna.distributions.CategoricalDistribution(found)
        elif is_whole(found):
            kinds[name] = optuna.distributions.IntDistribution(found["low"], found["high"], log=found["log"])
        else:
            kinds[name] = optuna.distributions.FloatDistribution(found["low"], found["high"], log=found["log"])
    sampler = optuna.samplers.TPESampler(seed=SEED)
    study = optuna.create_study(direction="maximize" if GREATER_IS_BETTER else "minimize", sampler=sampler)
    for _ in range(TRIALS):
        trial = study.ask(kinds)
        score = yield written(trial.params)
        study.tell(trial, **({"state": optuna.trial.TrialState.FAIL} if score is None else {"values": score}))


def proposals():
    """Values for the searched parameters, one candidate after the other; is sent each candidate's score in return.

    GridSearchCV and its like know no deadline, so what they would try is drawn here and judged by our clock.
    """
    if SEARCH == "optuna":
        yield from drawn_by_optuna()
    elif SEARCH == "grid":
        yield from ParameterGrid(SPACE)
    elif SEARCH == "randomised":
        kinds = dict(SPACE)
        for name, found in SPACE.items():
            if isinstance(found, dict) and found["log"]:
                kinds[name] = stats.loguniform(found["low"], found["high"])
            elif isinstance(found, dict):
                low, high = found["low"], found["high"]
                kinds[name] = stats.randint(low, high + 1) if is_whole(found) else stats.uniform(low, high - low)
        for values in ParameterSampler(kinds, TRIALS, random_state=SEED):
            yield written(values)


def planned():
    """How many candidates the search is to try."""
    return {"none": 0, "grid": len(ParameterGrid(SPACE)) if SEARCH == "grid" else 0}.get(SEARCH, TRIALS)


def judged(label, parameters, frame, y, splits, until):
    """One candidate with its score on the validation rows; None when the clock would not let it finish."""
    began, found = used(), cross_validated(parameters, frame, y, splits, until)
    if found is None:
        return None
    score, seconds = scored(y[found[0]], found[1]), round(used() - began, 2)
    return {
        "label": label,
        "parameters": parameters,
        "seconds": seconds,
        "rows": found[0],
        "p": found[1],
        "score": score,
    }


def better(one, other):
    """Whether a candidate beats another."""
    return one["score"] > other["score"] if GREATER_IS_BETTER else one["score"] < other["score"]


def keep(best, model, tried, y, note=""):
    """The best so far becomes what is saved, and the leaderboard says so."""
    if CLASSES:
        model.factors = decision(y[best["rows"]], best["p"])
    save(model)
    save_out_of_fold(model, best["rows"], best["p"])
    for one in tried:
        if one is not best:
            one["rows"] = one["p"] = None  # of no use any more
    rows = sorted(tried, key=lambda one: -one["score"] if GREATER_IS_BETTER else one["score"])[:99]
    rows = [{"model": one["label"], "cv_score": round(one["score"], 5), "seconds": one["seconds"]} for one in rows]
    seen = y[best["rows"]]
    guess = np.full(len(seen), np.median(y) if METRIC == "mae" else y.mean())
    if CLASSES:
        guess = np.tile(np.bincount(y, minlength=len(CLASSES)) / len(y), (len(seen), 1))
    rows.append({"model": "dummy", "cv_score": round(scored(seen, guess), 5), "seconds": 0.0})
    tell("leaderboard", rows=rows, **({"note": note} if note else {}))


def search(frame, y, splits, model):
    """Judge what was chosen, then every candidate; each that is better is fitted on all rows and saved at once."""
    best = judged(f"{NAME}, as chosen", PARAMETERS, frame, y, splits, 0.9 * TIME_BUDGET)
    if best is None:
        note = "There was no time, or no two classes, to validate the model on training rows: it was only fitted."
        return tell("leaderboard", rows=[], note=note)
    tried, failed, score, coming, total = [best], 0, None, proposals(), planned()
    tell("fold", model=NAME, fold=0, folds=1, name=METRIC, value=round(best["score"], 5), seconds=best["seconds"])
    keep(best, model, tried, y)
    for number in range(1, total + 1):
        try:
            values = coming.send(score)
        except StopIteration:  # there are fewer different candidates
            total = number - 1
            break
        score, label = None, f"{NAME} {number}: " + ", ".join(f"{name}={value}" for name, value in values.items())
        fit_seconds = max(model.seconds, *(one["seconds"] / len(splits) for one in tried))
        try:
            found = judged(label, PARAMETERS | values, frame, y, splits, 0.93 * TIME_BUDGET - 1.5 * fit_seconds)
        except Exception as problem:  # two values may not go together: that ends a candidate, not the search
            print(f"No model with {values}: {problem}\n", end="", flush=True)
            failed += 1
            continue
        if found is None:
            break
        tried.append(found)
        score = found["score"]
        if better(found, best):
            best, model = found, (Classifier if CLASSES else Model)(found["parameters"]).fit(frame, y)
            keep(best, model, tried, y)
        tell("metric", model=f"{NAME}, best so far", name=METRIC, value=round(best["score"], 5), step=number)
        tell("progress", done=number, total=total, text=f"{NAME}, candidate {number} of {total}")
    if SEARCH != "none":
        note = f"{len(tried) - 1} of {total} candidates were compared with what was chosen"
        note += f"; {failed} could not be trained" if failed else ""
        note += "." if len(tried) - 1 + failed >= total else "; then the time was up."
        keep(best, model, tried, y, note)
        print(note)
    print(f"The saved model: {best['label']}")


def main():
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": the validation rows judge that
    table = pd.read_parquet("inputs/train.parquet")
    if CLASSES:
        y = table[TARGET].map({label: code for code, label in enumerate(CLASSES)}).to_numpy().astype(int)
    else:
        y = table[TARGET].to_numpy().astype(float)
    frame = tidy(table)
    save_schema()
    small = frame.size < 100_000  # then threads cost more than they bring
    SETTINGS.update({name: 1 for name in ("n_jobs", "thread_count") if small and name in SETTINGS})
    with threadpool_limits(1 if small else None):
        model = (Classifier if CLASSES else Model)(PARAMETERS).fit(frame, y)
        save(model)
        print(f"A first model can be used after {used():.1f} s\n", end="", flush=True)
        search(frame, y, make_folds(y), model)
    print(f"Done after {used():.1f} of {TIME_BUDGET:g} s")


if __name__ == "__main__":
    main()
