"""A piece of the training program: the kinds of model, and how one of them is fitted. See training.py."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor, Pool
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from tools.recipes.train_judging import loss
from tools.recipes.train_settings import (
    ABSOLUTE,
    BIG,
    CATBOOST,
    CATEGORIES,
    EPOCHS,
    FOREST,
    HAS_CATEGORIES,
    KINDS,
    LEAF,
    LIGHTGBM,
    LINEAR,
    N_JOBS,
    NEURAL,
    REGRESSION,
    STEPS,
    STRENGTHS,
    TREES,
    XGBOOST,
    tell,
    used,
)

if LIGHTGBM or XGBOOST:
    try:
        if LIGHTGBM:
            import lightgbm as lgb
        if XGBOOST:
            import xgboost as xgb
    except (ImportError, OSError):  # OSError: the system has no OpenMP runtime (libgomp)
        print("LightGBM and XGBoost cannot be loaded (is libgomp installed?): the others go without them.")
        KINDS = [kind for kind in KINDS if not kind.startswith(("lightgbm", "xgboost"))]


def fit_one(kind, x, y, weights, valid, fold, until, rounds, rate, seed):
    """A model of one kind. Boosting ends where the loss on validation rows no longer falls, or when time is up."""

    def ends(step, log):  # asked after every round; the last of the losses is that on validation rows
        losses = [values[-1] for part in log.values() for values in part.values()]
        if losses and fold >= 0 and step % max(5, rounds // 30) == 0:
            name, value = "mae" if ABSOLUTE else "mse" if REGRESSION else "log_loss", round(float(losses[-1]), 5)
            tell("metric", model=kind, fold=fold, step=step, seconds=used(), name=name, value=value)
        return used() > until

    if not REGRESSION and len(np.unique(y)) < 2:
        return DummyClassifier().fit(x, y)
    patience, codes, threads = int(np.clip(rounds / 10, 20, 60)), list(range(len(CATEGORIES))), N_JOBS if BIG else 1
    options = {"n_estimators": rounds, "learning_rate": rate, "random_state": seed}
    if LIGHTGBM and kind in ("lightgbm", "lightgbm_small", "stack"):  # grows leaves

        def watch(env):
            if ends(env.iteration + 1, {"valid": {one[1]: [one[2]] for one in env.evaluation_result_list or []}}):
                raise lgb.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

        leaves, share = {"lightgbm": (48, 0.8), "lightgbm_small": (16, 0.45), "stack": (8, 0.5)}[kind]
        options |= {"num_leaves": leaves, "colsample_bytree": share, "subsample": 0.9, "subsample_freq": 1}
        options |= {"min_child_samples": int(np.clip(len(y) / 100, 3, 20)), "reg_lambda": 1.0, "n_jobs": threads}
        if ABSOLUTE:
            options["objective"] = "regression_l1"
        options |= {"deterministic": True, "force_col_wise": True, "verbose": -1}
        judged = {"eval_X": valid[0], "eval_y": valid[1]} if valid else {}
        calls = [watch, lgb.early_stopping(patience, verbose=False)] if valid else [watch]
        model = (lgb.LGBMRegressor if REGRESSION else lgb.LGBMClassifier)(**options)
        model.fit(x, y, sample_weight=weights, categorical_feature=codes, callbacks=calls, **judged)
    elif XGBOOST and kind == "xgboost":  # stronger regularisation: errs elsewhere

        class Watch(xgb.callback.TrainingCallback):
            def after_iteration(self, model, step, log):
                return ends(step + 1, log)

        options |= {"max_depth": 6, "min_child_weight": 2, "subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 2.0}
        options |= {"early_stopping_rounds": patience if valid else None, "callbacks": [Watch()], "n_jobs": threads}
        if HAS_CATEGORIES:
            types = ["c" if place < len(codes) else "q" for place in range(x.shape[1])]
            options |= {"enable_categorical": True, "feature_types": types}
        if ABSOLUTE:
            options["objective"] = "reg:absoluteerror"
        model = (xgb.XGBRegressor if REGRESSION else xgb.XGBClassifier)(**options)
        model.fit(x, y, sample_weight=weights, eval_set=[valid] if valid else None, verbose=False)
        model.set_params(callbacks=None)  # they cannot be saved
    elif CATBOOST and kind == "catboost":  # symmetric trees overfit less
        options |= {"learning_rate": 1.5 * rate, "boosting_type": "Plain", "max_ctr_complexity": 1}
        options |= {"leaf_estimation_iterations": 1, "thread_count": threads, "allow_writing_files": False}
        if ABSOLUTE:
            options["loss_function"] = "MAE"
        model = (CatBoostRegressor if REGRESSION else CatBoostClassifier)(verbose=False, **options)
        if HAS_CATEGORIES:
            x, valid = for_catboost(x), (for_catboost(valid[0]), valid[1]) if valid else None
        judging = {"eval_set": Pool(*valid, cat_features=codes), "early_stopping_rounds": patience} if valid else {}
        watch = SimpleNamespace(after_iteration=lambda info: not ends(info.iteration, info.metrics))
        model.fit(Pool(x, y, weight=weights, cat_features=codes), callbacks=[watch], **judging)
    elif FOREST and kind == "extra_trees":
        options = {"n_estimators": TREES, "min_samples_leaf": LEAF, "random_state": seed, "n_jobs": threads}
        if REGRESSION:
            model = ExtraTreesRegressor(max_features=0.8, **options)
        else:
            model = ExtraTreesClassifier(criterion="entropy", **options)
        model.fit(x, y, sample_weight=weights).set_params(n_jobs=1)  # more would add the trees up in any order
    elif LINEAR and kind.startswith("linear"):
        if REGRESSION:
            model = RidgeCV([1.0, 10.0, 100.0]).fit(x, y, sample_weight=weights)
        else:
            strengths = STRENGTHS[kind] if valid else STRENGTHS[kind][:1]
            tried = {c: LogisticRegression(C=c, max_iter=STEPS).fit(x, y, sample_weight=weights) for c in strengths}
            if len(tried) > 1:  # the first fold decides
                STRENGTHS[kind] = [min(tried, key=lambda c: loss(valid[1], tried[c].predict_proba(valid[0])))]
            model = tried[STRENGTHS[kind][0]]
    elif NEURAL:
        options = {"hidden_layer_sizes": (96, 48), "learning_rate_init": 2e-3, "alpha": 1e-3, "random_state": seed}
        options |= {"max_iter": EPOCHS, "early_stopping": True, "n_iter_no_change": 6}
        if REGRESSION:
            model = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
        else:
            model = MLPClassifier(**options)
        model.fit(x, y, sample_weight=weights)
    return model


def for_catboost(x):
    """CatBoost makes its own target means of categories, and wants them as whole numbers."""
    codes = range(len(CATEGORIES))
    return pd.DataFrame(x).fillna(dict.fromkeys(codes, -1)).astype(dict.fromkeys(codes, int))
