"""A piece of the training program: the kinds of model, each a function that fits one. See training.py."""

import numpy as np
from catboost import CatBoostClassifier, CatBoostRegressor, FeaturesData, Pool
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tools.recipes.train_columns import linear_columns
from tools.recipes.train_judging import loss
from tools.recipes.train_settings import (
    ABSOLUTE,
    BIG,
    BY_TIME,
    CATBOOST,
    CATEGORIES,
    COMPACT,
    FOREST,
    HAS_CATEGORIES,
    LIGHTGBM,
    LINEAR,
    NEURAL,
    REGRESSION,
    XGBOOST,
    tell,
    used,
)

try:
    if LIGHTGBM:
        import lightgbm as lgb
    if XGBOOST:
        import xgboost as xgb
    LOADED = True
except (ImportError, OSError):  # OSError: the system has no OpenMP runtime (libgomp)
    LOADED = False

# ---- models: each function takes rows, their y, validation rows with their y (or None) and the kind


class Kind:
    """One kind of model: how it is fitted, how much of it, and what the folds find out about it."""

    def __init__(self, name, fit, columns="trees", cost=0.0, **options):
        self.name, self.fit, self.columns, self.options = name, fit, columns, options
        self.cost = cost  # of a round of boosting, beside one of LightGBM
        # Fitted on all rows in the end: forests, which are large, and after a split by time, as the latest rows
        # matter. Of the others the models of the folds are kept.
        self.refit = BY_TIME or COMPACT or name == "extra_trees"
        self.members, self.needed, self.seconds, self.style = [], [], [], None

    def begin(self, plan, fold, until, seed):
        """How the next fit goes, as fits know neither the plan nor the clock."""
        self.plan, self.fold, self.until, self.seed, self.stopped = plan, fold, until, seed, False
        self.rounds = plan["rounds"].get(self.name, 0)
        self.rate = float(np.clip(50 / max(self.rounds, 1), plan["slowest"], 0.15))
        self.patience = int(np.clip(self.rounds / 10, 20, 60))
        if fold < 0 and self.needed:  # nothing to stop by: a little more than the folds needed, as there are more rows
            self.rounds = int(1.1 * (max(self.needed) if BY_TIME else np.mean(self.needed))) + 1

    def watch(self, step, value):
        """Called after every round of boosting; True ends it: the clock is an emergency, it is told in the end."""
        if value is not None and step % max(5, self.rounds // 30) == 0:
            judged = {
                "name": "mae" if ABSOLUTE else "mse" if REGRESSION else "log_loss",
                "value": round(float(value), 5),
            }
            tell("metric", model=self.name, fold=self.fold, step=step, seconds=used(), **judged)
        self.stopped = used() > self.until
        return self.stopped


def fit_lightgbm(x, y, weights, valid, kind):
    """Gradient boosting that grows leaves; it stops when the validation rows no longer gain."""

    def watch(env):
        results = env.evaluation_result_list or []
        if kind.watch(env.iteration + 1, results[0][2] if results else None):
            raise lgb.callback.EarlyStopException(env.iteration, results)

    options = {"learning_rate": kind.rate, "min_child_samples": int(np.clip(len(y) / 100, 3, 20)), "subsample": 0.9}
    options |= {"subsample_freq": 1, "reg_lambda": 1.0, "deterministic": True, "force_col_wise": True, "verbose": -1}
    options |= {"n_jobs": kind.plan["threads"] if BIG else 1, "random_state": kind.seed} | kind.options
    if ABSOLUTE:
        options["objective"] = "regression_l1"
    model = (lgb.LGBMRegressor if REGRESSION else lgb.LGBMClassifier)(n_estimators=kind.rounds, **options)
    judging = {"eval_X": valid[0], "eval_y": valid[1]} if valid else {}
    watchers = [watch, lgb.early_stopping(kind.patience, verbose=False)] if valid else [watch]
    codes = list(range(len(CATEGORIES)))
    model.fit(x, y, sample_weight=weights, categorical_feature=codes, callbacks=watchers, **judging)
    kind.needed += [model.best_iteration_ or kind.rounds] if valid else []
    return model


def fit_xgboost(x, y, weights, valid, kind):
    """Gradient boosting with stronger regularisation, which errs elsewhere."""

    class Watch(xgb.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            values = [values[-1] for found in evals_log.values() for values in found.values()]
            return kind.watch(epoch + 1, values[0] if values else None)

    types = ["c" if place < len(CATEGORIES) else "q" for place in range(x.shape[1])]
    options = {"learning_rate": kind.rate, "max_depth": 6, "min_child_weight": 2, "subsample": 0.8, "reg_lambda": 2.0}
    options |= {"colsample_bytree": 0.6, "enable_categorical": True, "feature_types": types, "random_state": kind.seed}
    if ABSOLUTE:
        options["objective"] = "reg:absoluteerror"
    if valid:
        options["early_stopping_rounds"] = kind.patience
    options |= {"callbacks": [Watch()], "n_jobs": kind.plan["threads"] if BIG else 1}
    model = (xgb.XGBRegressor if REGRESSION else xgb.XGBClassifier)(n_estimators=kind.rounds, **options)
    model.fit(x, y, sample_weight=weights, eval_set=[valid] if valid else None, verbose=False)
    kind.needed += [getattr(model, "best_iteration", 0) + 1] if valid else []  # the clock may end it at once
    return model.set_params(callbacks=None)  # they cannot be saved


def for_catboost(x):
    """CatBoost makes its own target means of categories; it wants them as bytes beside the numbers."""
    codes = np.nan_to_num(x[:, : len(CATEGORIES)], nan=-1).astype(int).astype("S").astype(object)
    numbers = np.ascontiguousarray(x[:, len(CATEGORIES) :], dtype=np.float32)
    return FeaturesData(numbers if numbers.shape[1] else None, codes)


def fit_catboost(x, y, weights, valid, kind):
    """Gradient boosting of symmetric trees, which overfit less."""

    class Watch:
        def after_iteration(self, info):
            values = list((info.metrics or {}).get("validation", {}).values())
            return not kind.watch(info.iteration, values[0][-1] if values else None)

    options = {"depth": 6, "boosting_type": "Plain", "max_ctr_complexity": 1, "leaf_estimation_iterations": 1}
    options |= {"learning_rate": kind.rate * 1.5, "allow_writing_files": False, "verbose": False}
    options |= {"thread_count": kind.plan["threads"] if BIG else 1, "random_seed": kind.seed}
    if ABSOLUTE:
        options["loss_function"] = "MAE"
    if valid:
        options |= {"od_type": "Iter", "od_wait": kind.patience, "use_best_model": True}
    model = (CatBoostRegressor if REGRESSION else CatBoostClassifier)(iterations=kind.rounds, **options)
    if HAS_CATEGORIES:
        x, valid = for_catboost(x), (for_catboost(valid[0]), valid[1]) if valid else None
    judging = Pool(*valid) if valid else None
    model.fit(Pool(x, y, weight=weights), eval_set=judging, callbacks=[Watch()])
    kind.needed += [model.tree_count_] if valid else []
    return model


def fit_forest(x, y, weights, valid, kind):
    """Extremely randomised trees: quick, and unlike boosting."""
    options = {
        "min_samples_leaf": kind.plan["leaf"],
        "random_state": kind.seed,
        "n_jobs": kind.plan["threads"] if BIG else 1,
    }
    if REGRESSION:
        model = ExtraTreesRegressor(kind.plan["trees"], max_features=0.8, **options)
    else:
        model = ExtraTreesClassifier(kind.plan["trees"], criterion="entropy", **options)
    if BIG:
        return model.fit(x, y, sample_weight=weights).set_params(n_jobs=1)  # more add the trees up in any order
    else:
        return model.fit(x, y, sample_weight=weights)


def fit_linear(frame, y, weights, valid, kind):
    """Regularised regression; the first fold decides on the scaling of numbers and on the strength."""
    tried = {}
    for scale, strength in [kind.style] if kind.style else kind.plan["styles"]:
        model = Ridge(strength) if REGRESSION else LogisticRegression(C=strength, max_iter=kind.plan["iterations"])
        steps = Pipeline([("columns", linear_columns(frame, scale)), ("model", model)])
        tried[scale, strength] = steps.fit(frame, y, model__sample_weight=weights)
        if valid is None or used() > kind.until:
            break
    if valid and not kind.style:
        if REGRESSION:
            losses = {style: loss(valid[1], model.predict(valid[0])) for style, model in tried.items()}
        else:
            losses = {style: loss(valid[1], model.predict_proba(valid[0])) for style, model in tried.items()}
        kind.style = min(losses, key=losses.get)
    return tried[kind.style or (scale, strength)]


def fit_neural(frame, y, weights, valid, kind):
    """A small neural network on the columns of the linear model."""
    options = {"hidden_layer_sizes": (96, 48), "early_stopping": True, "n_iter_no_change": 6, "alpha": 1e-3}
    options |= {"max_iter": kind.plan["epochs"], "learning_rate_init": 2e-3, "random_state": kind.seed}
    if REGRESSION:
        model = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
    else:
        model = MLPClassifier(**options)
    steps = Pipeline([("columns", linear_columns(frame, "quantiles")), ("model", model)])
    return steps.fit(frame, y, model__sample_weight=weights)


def all_kinds():
    """The kinds of model that can be loaded here; the first of them makes the first model."""
    kinds = []
    if LIGHTGBM:
        kinds.append(Kind("lightgbm", fit_lightgbm, cost=1.0, num_leaves=48, colsample_bytree=0.8))
    if LINEAR:
        kinds.append(Kind("linear", fit_linear, "frame"))
    if FOREST:
        kinds.append(Kind("extra_trees", fit_forest))
    if LIGHTGBM:
        kinds.append(Kind("lightgbm_small", fit_lightgbm, cost=0.5, num_leaves=16, colsample_bytree=0.45))
    if XGBOOST:
        kinds.append(Kind("xgboost", fit_xgboost, cost=1.0))
    if CATBOOST:
        kinds.append(Kind("catboost", fit_catboost, cost=1.0))
    if NEURAL:
        kinds.append(Kind("neural_net", fit_neural, "frame"))
    if (LIGHTGBM or XGBOOST) and not LOADED:
        print("LightGBM and XGBoost cannot be loaded (is libgomp installed?): the others go without them.")
        kinds = [kind for kind in kinds if not kind.name.startswith(("lightgbm", "xgboost"))]
        if not kinds:
            raise SystemExit("No kind of model can be loaded: choose others, or install libgomp.")
    return kinds
