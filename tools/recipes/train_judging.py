"""A piece of the training program: losses, the metric, the blend. See training.py."""

import numpy as np
from sklearn import metrics

from tools.recipes.train_settings import (
    ABSOLUTE,
    BY_TIME,
    CHANCES,
    CLASSES,
    COMPACT,
    LABELLED,
    METRIC,
    RANKED,
    REGRESSION,
    SEVERAL,
)

# ---- judging


def loss(y, p):
    """What models are chosen and blended by, as it is smoother than most metrics."""
    if ABSOLUTE:
        return float(np.abs(y - p.ravel()).mean())
    elif REGRESSION:
        return float(((y - p.ravel()) ** 2).mean())
    else:
        return float(-np.log(np.clip(p[np.arange(len(y)), y], 1e-9, 1)).mean())


if REGRESSION:

    def measure(y, p):
        """The metric of true and predicted numbers, for the leaderboard."""
        if METRIC == "mape":
            return float((np.abs(y - p[:, 0])[y != 0] / np.abs(y[y != 0])).mean())
        scores = {"rmse": metrics.root_mean_squared_error, "mae": metrics.mean_absolute_error}
        scores |= {"r2": metrics.r2_score, "median_absolute_error": metrics.median_absolute_error}
        return scores[METRIC](y, p[:, 0])

    def rule_of(y, p):
        """The range in which predictions stay: near what training has seen."""
        room = np.ptp(y) * (1.0 if BY_TIME else 0.25)  # in later rows a trend goes on
        return y.min() - room, y.max() + room

elif RANKED:

    def measure(y, p):
        """The metric of true codes and probabilities, for the leaderboard."""
        area = {"roc_auc": metrics.roc_auc_score, "average_precision": metrics.average_precision_score}[METRIC]
        return area(np.eye(len(CLASSES))[y], p) if SEVERAL else area(y, p[:, 1])

elif CHANCES:

    def measure(y, p):
        """The metric of true codes and probabilities, for the leaderboard."""
        squares = ((p - np.eye(len(CLASSES))[y]) ** 2).sum(axis=1).mean()
        return {"log_loss": loss(y, p), "brier": float(squares) / (1 if SEVERAL else 2)}[METRIC]

else:

    def measure(y, p, name=METRIC):
        """The metric of true codes and of the labels that win, for the leaderboard."""
        label = p.argmax(axis=1)
        if name in ("accuracy", "balanced_accuracy"):
            return (metrics.accuracy_score if name == "accuracy" else metrics.balanced_accuracy_score)(y, label)
        beta = {"precision": 0, "f0.5": 0.5, "f1": 1, "f2": 2, "recall": np.inf}[name]
        return metrics.fbeta_score(y, label, beta=beta, average="macro" if SEVERAL else "binary", zero_division=0)

    def rule_of(y, p):
        """Factors for the probabilities before the largest wins, chosen on validation rows to suit the metric.

        Recall alone calls every row positive, precision alone only the surest one: F2 and F0.5 decide for them.
        """
        if SEVERAL:
            shares = np.bincount(y, minlength=len(CLASSES)) / len(y) + 1e-6
            tried = [shares**-power for power in (0, 0.25, 0.5, 0.75, 1)]
        else:
            cuts = np.clip(np.quantile(p[:, 1], np.linspace(0.01, 0.99, 99)), 1e-6, 1 - 1e-6)
            tried = [np.array([1.0, (1 - cut) / cut]) for cut in [0.5, *cuts]]
        aim = {"recall": "f2", "precision": "f0.5"}.get(METRIC, METRIC)
        return max(tried, key=lambda factors: measure(y, p * factors, aim))


def score(y, p, rule):
    """The metric of what the rule makes of predictions."""
    return measure(y, p * rule) if LABELLED else measure(y, p)


def blend(y, found):
    """Weights by greedy selection with replacement (Caruana et al. 2004); less than a tenth is left out."""
    if COMPACT:  # one model
        return {min(found, key=lambda name: loss(y, found[name])): 1.0}
    else:
        chosen, total = [], 0.0
        for size in range(1, 51):
            losses = {name: loss(y, (total + p) / size) for name, p in found.items()}
            chosen.append(min(losses, key=losses.get))
            total = total + found[chosen[-1]]
        chosen = [name for name in chosen if chosen.count(name) >= 3]
        return {name: chosen.count(name) / len(chosen) for name in found if name in chosen}
