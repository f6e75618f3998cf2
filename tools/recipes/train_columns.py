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
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler, TargetEncoder

from tools.recipes.train_settings import (
    CATEGORIES,
    DATES,
    HAS_CATEGORIES,
    HAS_DATES,
    HAS_TEXTS,
    LARGE,
    MOST_ROWS,
    NUMBERS,
    PERIODS,
    REGRESSION,
    SEED,
    SEVERAL,
    TEXTS,
)

# ---- columns


def as_text(column):
    """Categories as text, one spelling each: 1 and 1.0 are "1"; what is missing is "(missing)"."""
    places, values = pd.factorize(column)
    names = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    return np.array(["(missing)", *names], dtype=object)[places + 1]


def as_number(column):
    """Numbers; words, gaps and what is too large for single precision are missing."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    if LARGE and len(values) > MOST_ROWS:  # half the memory
        values = values.clip(-1e38, 1e38).astype(np.float32)
    return np.where(np.abs(values) < 1e30, values, np.nan)


def tidy(table):
    """Any table with (more or less) our columns as plain numbers and texts, so that the rest need not look again."""
    table = table.reindex(columns=[*NUMBERS, *CATEGORIES, *DATES, *TEXTS])
    out = {name: as_text(table[name]) for name in CATEGORIES}
    out |= {name: as_number(table[name]) for name in NUMBERS}
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


class TreeColumns:
    """One matrix for trees: codes of categories, numbers, target means above 20 levels, telling words."""

    def fit_transform(self, frame, y):
        """The matrix of training rows, whose levels and words are kept for others."""
        self.numbers = numbers_of(frame) if HAS_DATES or HAS_TEXTS else NUMBERS
        self.codes, self.makers = {}, []
        if HAS_CATEGORIES:
            for name in CATEGORIES:  # the 250 most frequent; what is rarer or new counts as missing
                self.codes[name] = {level: code for code, level in enumerate(frame[name].value_counts().index[:250])}
            if not SEVERAL:
                many = [name for name in CATEGORIES if frame[name].nunique() > 20]
                inner = KFold(5, shuffle=True, random_state=SEED)  # so that no row's mean knows its own target
                means = TargetEncoder(target_type="continuous" if REGRESSION else "binary", cv=inner)
                self.makers += [(means, many)] if many else []
        if HAS_TEXTS:
            for name in with_words(frame):
                best = SelectKBest(f_regression if REGRESSION else f_classif, k=80)
                words = make_pipeline(TfidfVectorizer(sublinear_tf=True, max_features=3000), best)
                self.makers.append((words, name))
        more = [maker.fit_transform(frame[names], y) for maker, names in self.makers]
        return self.matrix(frame, more)

    def transform(self, frame):
        """The same columns of other rows."""
        more = [maker.transform(frame[names]) for maker, names in self.makers]
        return self.matrix(frame, more)

    def matrix(self, frame, more):
        """All parts beside each other, categories first."""
        codes = [frame[name].map(codes).to_numpy(np.float32)[:, None] for name, codes in self.codes.items()]
        if HAS_TEXTS:
            more = [part.toarray() if hasattr(part, "toarray") else part for part in more]
        return np.hstack([*codes, frame[self.numbers].to_numpy(np.float32), *more]).astype(np.float32)


def linear_columns(frame, scale):
    """Scaled numbers, and one column for each common category or word: what linear models and networks need."""
    numbers = numbers_of(frame) if HAS_DATES or HAS_TEXTS else NUMBERS
    if HAS_DATES and scale == "plain":  # dates as days alone
        parts = [f"{name} ({part})" for name in DATES for part in PERIODS]
        numbers = [name for name in numbers if name not in parts]
    quantiles = QuantileTransformer(n_quantiles=min(500, len(frame)), output_distribution="normal", random_state=SEED)
    gaps = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    columns = [("numbers", make_pipeline(gaps, quantiles if scale == "quantiles" else StandardScaler()), numbers)]
    if HAS_CATEGORIES:
        levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, max_categories=200)
        columns.append(("levels", levels, CATEGORIES))
    if HAS_TEXTS:
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=10_000)
        columns += [(name, words, name) for name in with_words(frame)]
    return ColumnTransformer(columns)
