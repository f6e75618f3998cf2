"""What any model has to beat: a guess that ignores the features, and a simple linear model with standard preprocessing.

Reads inputs/train.parquet and inputs/holdout_features.parquet; writes outputs/dummy.parquet and outputs/linear.parquet.
"""

import json
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TARGET = "target"
CLASSES = ["0", "1"]  # in the order of the columns p_0, p_1, ...; empty for numbers
NUMBERS = ["x"]
CATEGORIES = []
DATES = []
TEXTS = []
METRIC = "roc_auc"
MAX_ROWS = 20_000  # the linear model learns from at most this many rows
SEED = 0


def tidy(table):
    """Numbers (dates as days), categories and texts, each of one type."""
    table = table.reindex(columns=[*NUMBERS, *CATEGORIES, *DATES, *TEXTS])
    out = {name: pd.to_numeric(table[name], errors="coerce").astype(float) for name in NUMBERS}
    for name in DATES:
        moment = pd.to_datetime(table[name], errors="coerce", utc=True)
        out[name] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
    out |= {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in [*CATEGORIES, *TEXTS]}
    return pd.DataFrame(out, index=table.index).replace([np.inf, -np.inf], np.nan)


def linear(frame):
    """Median for gaps, standardised numbers, one column per common category, words by TF-IDF."""
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=100)
    words = [
        (name, TfidfVectorizer(max_features=300, token_pattern=r"\w+|^$"), name)  # an empty text counts as a word
        for name in TEXTS
    ]
    columns = ColumnTransformer([("numbers", numbers, [*NUMBERS, *DATES]), ("categories", one_hot, CATEGORIES), *words])
    last = LogisticRegression(max_iter=100) if CLASSES else Ridge(alpha=1.0)
    return make_pipeline(columns, last)


def predictions(model, frame):
    """row, prediction and, for classes, p_0 ... in the order of CLASSES."""
    out = {"row": np.arange(len(frame), dtype=np.int64), "prediction": model.predict(frame)}
    if CLASSES:
        given = dict(zip(model.classes_, model.predict_proba(frame).T, strict=True))
        out |= {f"p_{code}": given.get(label, np.zeros(len(frame))) for code, label in enumerate(CLASSES)}
    return pd.DataFrame(out)


def guess():
    """The best constant answer for the metric: the most common class and the shares, or the mean or median."""
    if CLASSES:
        return DummyClassifier(strategy="prior")
    return DummyRegressor(strategy="median" if METRIC in ("mae", "mape", "median_absolute_error") else "mean")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="sklearn")  # "not converged": a baseline may be rough
    train, holdout = pd.read_parquet("inputs/train.parquet"), pd.read_parquet("inputs/holdout_features.parquet")
    sample = train if len(train) <= MAX_ROWS else train.sample(MAX_ROWS, random_state=SEED)
    frame, rest = tidy(sample), tidy(holdout)
    for number, (name, model) in enumerate({"dummy": guess(), "linear": linear(frame)}.items(), start=1):
        predictions(model.fit(frame, sample[TARGET]), rest).to_parquet(f"outputs/{name}.parquet", index=False)
        print(
            "@@" + json.dumps({"kind": "progress", "done": number, "total": 2, "text": f"baseline: {name}"}), flush=True
        )
