"""A piece of the training program: what is saved. See training.py."""

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoost
from sklearn.ensemble import ExtraTreesClassifier

from tools.recipes.train_columns import tidy
from tools.recipes.train_models import for_catboost
from tools.recipes.train_settings import (
    CATBOOST,
    CLASSES,
    FOREST,
    HAS_CATEGORIES,
    MODEL,
    ORDER,
    REGRESSION,
    STACKED,
)

# ---- what is saved


class Member:
    """A fitted model with the columns that it wants (None: a tidy frame) and, of classes, those that it knows."""

    def __init__(self, columns, model, known, stacked):
        self.columns, self.model, self.known, self.stacked = columns, model, known, stacked

    def predict(self, x):
        """Numbers, or class probabilities in the order of CLASSES, never quite 0 or 1."""
        if not REGRESSION:
            p = np.zeros((len(x), len(CLASSES)))
        if CATBOOST and HAS_CATEGORIES and isinstance(self.model, CatBoost):
            x = for_catboost(x)
        if REGRESSION:
            return np.asarray(self.model.predict(x), dtype=float)[:, None]
        else:
            p[:, self.known] = self.model.predict_proba(x)
            if FOREST and isinstance(self.model, ExtraTreesClassifier):  # it says 0 or 1: one tree more knows nothing
                p = (p * len(self.model.estimators_) + 1 / len(CLASSES)) / (len(self.model.estimators_) + 1)
            p = np.clip(p, 1e-6, 1)
            return p / p.sum(axis=1, keepdims=True)


class Ensemble:
    """What is saved: the members of each kind with its weight, and the rule that makes the answer of what they say."""

    def __init__(self, parts, rule):
        self.parts, self.rule, self.classes_ = parts, rule, np.array(CLASSES, dtype=object)

    def mixed(self, table):
        """The weighted mean of what all members say of the rows of any table."""
        frame, total = tidy(table), 0.0
        wanted = {member.columns for _, members in self.parts for member in members} - {None}
        x, said = {None: frame} | {columns: columns.transform(frame) for columns in wanted}, []
        for weight, members in self.parts:
            if STACKED:  # a stacked kind follows those whose words it has learned from
                seen = {columns: np.hstack([x[columns], *said]) for columns in wanted} if members[0].stacked else x
                mean = sum(member.predict(seen[member.columns]) / len(members) for member in members)
            else:
                mean = sum(member.predict(x[member.columns]) / len(members) for member in members)
            if STACKED:
                said.append(mean)
            total = total + weight * mean
        return total

    if REGRESSION:

        def predict(self, table):
            return self.mixed(table)[:, 0].clip(*self.rule)

    else:

        def predict_proba(self, table):
            return self.mixed(table)

        def predict(self, table):
            return self.classes_[(self.mixed(table) * self.rule).argmax(axis=1)]


def save(ensemble):
    """Whole or not at all: an earlier model stays usable until the next one is complete."""
    joblib.dump(ensemble, MODEL.with_suffix(".partial"), compress=1)
    MODEL.with_suffix(".partial").replace(MODEL)


def save_out_of_fold(rows, p, rule, name="oof"):
    """Predictions for training rows (by position) by models that have not seen them."""
    if REGRESSION:
        out = {"row": rows, "prediction": p[:, 0].clip(*rule)}
    else:
        out = {"row": rows, "prediction": np.array(CLASSES, dtype=object)[(p * rule).argmax(axis=1)]}
        out |= {f"p_{place}": p[:, CLASSES.index(label)] for place, label in enumerate(ORDER)}
    pd.DataFrame(out).to_parquet(MODEL.with_name(f"{name}.parquet"), index=False)
