"""The small models of the audit: one column alone, all columns together, and how well each does.

A piece of the audit program (tools/recipes/audit.py), which carries it as text.
"""

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

FOLDS = 3
MOST_LEVELS = 60  # a category with more is a number to the model of all columns: how frequent each level is
SURE = 1e-3  # no probability is nearer to 0 or 1 than this


def folds_of(y, classes, seed, groups=None):
    """Three folds, by class where every class is large enough, or whole groups."""
    if groups is not None:
        return list(GroupKFold(FOLDS).split(np.zeros(len(y)), y, groups))
    splitter = StratifiedKFold if classes and np.bincount(y).min() >= FOLDS else KFold
    return list(splitter(FOLDS, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))


def truth_of(y, classes):
    """The target as columns to average: one per class, or the number itself."""
    return np.eye(classes)[y] if classes else y[:, None].astype(float)


def by_level(codes, y, classes, train, rest):
    """For a category: the mean of the target per level, drawn to the overall mean where there are few rows."""
    truth, levels = truth_of(y[train], classes), int(codes.max()) + 1
    overall = truth.mean(axis=0)
    sums = np.column_stack([np.bincount(codes[train], weights=column, minlength=levels) for column in truth.T])
    rows = np.bincount(codes[train], minlength=levels)[:, None]
    return ((sums + 2 * overall) / (rows + 2))[codes[rest]] if classes else _shrunk(sums, rows, overall)[codes[rest]]


def _shrunk(sums, rows, overall):
    """A number needs less caution: one row of a level says more than the mean of all."""
    return (sums + 0.2 * overall) / (rows + 0.2)


def by_tree(x, y, classes, train, rest, seed):
    """For numbers: a small tree."""
    size = {"max_depth": 8, "min_samples_leaf": max(3, len(y) // 200), "random_state": seed}
    if not classes:
        return DecisionTreeRegressor(**size).fit(x[train], y[train]).predict(x[rest])[:, None]
    tree = DecisionTreeClassifier(**size).fit(x[train], y[train])
    out = np.zeros((len(rest), classes))
    out[:, tree.classes_] = tree.predict_proba(x[rest])
    return out


def by_boosting(x, y, classes, train, rest, seed, categories=()):
    """For many columns: boosted trees."""
    settings = {"num_leaves": 15, "learning_rate": 0.15, "min_data_in_leaf": max(3, min(20, len(train) // 40))}
    settings |= {"num_threads": 1, "verbosity": -1, "seed": seed, "deterministic": True, "max_bin": 63}
    settings |= {"max_cat_to_onehot": 8, "cat_smooth": 20.0, "feature_pre_filter": False}
    settings |= {"objective": "regression" if not classes else "binary" if classes == 2 else "multiclass"}
    settings |= {"num_class": classes} if classes > 2 else {}
    data = lgb.Dataset(x[train], y[train], categorical_feature=list(categories), params={"verbosity": -1})
    found = lgb.train(settings, data, num_boost_round=25 if classes > 2 else 50).predict(x[rest])
    if classes == 2:
        return np.column_stack([1 - found, found])
    return found if classes else found[:, None]


def out_of_fold(y, classes, predict, folds):
    """What `predict(y, classes, train, rest)` says about each row when it has not seen it: one column per class."""
    out = np.zeros((len(y), max(classes, 1)))
    for train, rest in folds:
        out[rest] = predict(y, classes, train, rest)
    return out


def power(y, classes, out):
    """ROC-AUC, balanced accuracy or R2 of out-of-fold predictions."""
    if not classes:
        return float(r2_score(y, out[:, 0]))
    if classes == 2:
        return float(roc_auc_score(y, out[:, 1]))
    return float(balanced_accuracy_score(y, out.argmax(axis=1)))


def losses(y, classes, out):
    """Loss per row: minus the logarithm of the true class's probability, or the squared error in target variances."""
    if not classes:
        return (y - out[:, 0]) ** 2 / max(float(np.var(y)), 1e-300)
    chances = np.clip(out, SURE, 1 - SURE)
    return -np.log(chances[np.arange(len(y)), y] / chances.sum(axis=1))


def left_over(y, classes, out):
    """Mean loss as a share of what always giving the same answer loses: 0 knows all, 1 knows nothing."""
    if not classes:
        return float(losses(y, classes, out).mean())
    shares = np.bincount(y, minlength=classes) / len(y)
    shares = shares[shares > 0]
    return float(losses(y, classes, out).mean() / -(shares * np.log(shares)).sum())


def matrix_of(columns, names):
    """(numbers, places of the categories) of the named columns, for `by_boosting`."""
    made, categories = [], []
    for name in names:
        column = columns[name]
        if column.dtype != float:
            codes, levels = pd.factorize(column)
            if len(levels) <= MOST_LEVELS:
                categories.append(len(made))
                column = codes
            else:
                column = np.bincount(codes)[codes]
        made.append(np.asarray(column, dtype=np.float32))
    return (np.column_stack(made) if made else np.zeros((0, 0), np.float32)), categories
