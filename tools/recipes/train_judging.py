"""A piece of the training program: losses, the metric, the blend. See training.py."""

import numpy as np
from sklearn import metrics

from tools.recipes.train_settings import ABSOLUTE, BY_TIME, CLASSES, COMPACT, LABELLED, METRIC, REGRESSION, SEVERAL


def loss(y, p):
    """What models are chosen and blended by, as it is smoother than most metrics."""
    if ABSOLUTE:
        return np.abs(y - p[:, 0]).mean()
    elif REGRESSION:
        return ((y - p[:, 0]) ** 2).mean()
    else:
        return -np.log(np.clip(p[np.arange(len(y)), y], 1e-9, 1)).mean()


if REGRESSION:

    def measure(y, p):
        """The metric of true and predicted numbers, for the leaderboard."""
        if METRIC == "rmse":
            return metrics.root_mean_squared_error(y, p[:, 0])
        elif METRIC == "mae":
            return metrics.mean_absolute_error(y, p[:, 0])
        elif METRIC == "r2":
            return metrics.r2_score(y, p[:, 0])
        elif METRIC == "median_absolute_error":
            return metrics.median_absolute_error(y, p[:, 0])
        else:
            return (np.abs(y - p[:, 0])[y != 0] / np.abs(y[y != 0])).mean()

    def rule_of(y, p):
        """The range in which predictions stay: near what training has seen."""
        room = np.ptp(y) * (1.0 if BY_TIME else 0.25)  # in later rows a trend goes on
        return y.min() - room, y.max() + room

elif LABELLED:

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

else:

    def measure(y, p):
        """The metric of true codes and probabilities, for the leaderboard."""
        if METRIC == "log_loss":
            return loss(y, p)
        elif METRIC == "brier":
            return ((p - np.eye(len(CLASSES))[y]) ** 2).sum(axis=1).mean() / (1 if SEVERAL else 2)
        elif METRIC == "roc_auc":
            return metrics.roc_auc_score(np.eye(len(CLASSES))[y] if SEVERAL else y, p if SEVERAL else p[:, 1])
        else:
            return metrics.average_precision_score(np.eye(len(CLASSES))[y] if SEVERAL else y, p if SEVERAL else p[:, 1])


def blend(y, said):
    """Weights by greedy selection with replacement (Caruana et al. 2004), less than a tenth is left out; the blend."""
    if COMPACT:  # one model
        best = min(said, key=lambda kind: loss(y, said[kind]))
        return {best: 1.0}, said[best]
    else:
        picks, total = [], 0.0
        for size in range(1, 51):
            picks.append(min(said, key=lambda kind: loss(y, (total + said[kind]) / size)))
            total = total + said[picks[-1]]
        picks = [kind for kind in picks if picks.count(kind) >= 3]
        shares = {kind: picks.count(kind) / len(picks) for kind in said if kind in picks}
        return shares, sum(share * said[kind] for kind, share in shares.items())
