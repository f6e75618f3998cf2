"""A piece of the training program: from any table to what models take. See training.py."""

from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from tools.recipes.train_settings import (
    CATEGORIES,
    DATES,
    HAS_CATEGORIES,
    HAS_DATES,
    HAS_TEXTS,
    LARGE,
    NUMBERS,
    PERIODS,
    REGRESSION,
    SEED,
    SEVERAL,
    TEXTS,
)


def as_text(column):
    """Categories as text, one spelling each: 1 and 1.0 are "1"; what is missing is "(missing)"."""
    places, values = pd.factorize(column)
    names = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    return np.array(["(missing)", *names], dtype=object)[places + 1]


def tidy(table):
    """Any table with (more or less) our columns as plain numbers and texts, so that the rest need not look again."""
    table = table.reindex(columns=[*NUMBERS, *CATEGORIES, *DATES, *TEXTS])
    out = {name: as_text(table[name]) for name in CATEGORIES}
    for name in NUMBERS:  # what is too large for single precision is missing, like words
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan)
        out[name] = np.where(np.abs(values) < 1e30, values, np.nan)
    if LARGE:  # half the memory
        out |= {name: out[name].astype(np.float32) for name in NUMBERS}
    if HAS_DATES:
        moments = {name: pd.to_datetime(table[name], errors="coerce", utc=True) for name in DATES}
        for name, moment in moments.items():
            out[f"{name} (days)"] = (moment - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86400
            out |= {f"{name} ({part})": getattr(moment.dt, part).astype(float) for part in PERIODS}
        for one, other in combinations(list(moments)[:4], 2):
            out[f"{other} - {one} (hours)"] = (moments[other] - moments[one]).dt.total_seconds() / 3600
    if HAS_TEXTS:
        texts = {name: table[name].astype(object).where(table[name].notna(), "").map(str) for name in TEXTS}
        out |= {f"{name} (length)": text.str.len().astype(float) for name, text in texts.items()} | texts
    return pd.DataFrame(out, index=table.index)


def lasting(frame):
    """For later rows, without the date parts that training has seen less than twice: they would mislead."""
    for name in DATES:
        span = frame[f"{name} (days)"].max() - frame[f"{name} (days)"].min()
        rare = [part for part, days in PERIODS.items() if span < 1.9 * days]
        frame = frame.drop(columns=[f"{name} ({part})" for part in rare])
    return frame


def numbers_of(frame):
    """The names of the columns that are neither categories nor texts."""
    return [name for name in frame.columns if name not in (*CATEGORIES, *TEXTS)]


def with_words(frame):
    """The names of the texts that have words."""
    return [name for name in TEXTS if frame[name].str.contains(r"\w\w").sum() > 5]


def for_trees(frame):
    """Codes of categories (the 250 most frequent), numbers, target means above 20 levels, telling words."""
    numbers = [name for name in frame if name not in (*CATEGORIES, *TEXTS)]
    if HAS_CATEGORIES:
        levels = [frame[name].value_counts().index[:250] for name in CATEGORIES]
        codes = OrdinalEncoder(categories=levels, handle_unknown="use_encoded_value", unknown_value=np.nan)
        parts = [
            ("codes", make_pipeline(FunctionTransformer(pd.DataFrame.to_numpy), codes), CATEGORIES),
            ("numbers", "passthrough", numbers),
        ]
        if not SEVERAL:
            inner = KFold(5, shuffle=True, random_state=SEED)  # so that no row's mean knows its own target
            means = TargetEncoder(target_type="continuous" if REGRESSION else "binary", cv=inner)
            parts.append(("means", means, [name for name in CATEGORIES if frame[name].nunique() > 20]))
    else:
        parts = [("numbers", "passthrough", numbers)]
    if HAS_TEXTS:
        for name in with_words(frame):
            best = SelectKBest(f_regression if REGRESSION else f_classif, k=80)
            parts.append((name, make_pipeline(TfidfVectorizer(sublinear_tf=True, max_features=3000), best), name))
    return ColumnTransformer(parts, sparse_threshold=0)


def for_linear(frame, quantiles=False):
    """Scaled numbers, and one column for each common category or word: what linear models and networks need."""
    if quantiles:
        scale = QuantileTransformer(n_quantiles=min(500, len(frame)), output_distribution="normal", random_state=SEED)
    else:
        scale = StandardScaler()
    gaps = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    parts = [("numbers", make_pipeline(gaps, scale), numbers_of(frame) if HAS_DATES or HAS_TEXTS else NUMBERS)]
    if HAS_CATEGORIES:
        levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, max_categories=200)
        parts.append(("levels", make_pipeline(FunctionTransformer(pd.DataFrame.to_numpy), levels), CATEGORIES))
    if HAS_TEXTS:
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=10_000)
        parts += [(name, words, name) for name in with_words(frame)]
    return ColumnTransformer(parts)


def for_normal(frame):
    """The same with numbers that are normally distributed."""
    return for_linear(frame, quantiles=True)
