import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


class RareGrouper(BaseEstimator, TransformerMixin):
    """Categories seen less often than `min_count` become 'other'."""

    def __init__(self, min_count=30):
        self.min_count = min_count

    def fit(self, X, y=None):
        self.keep_ = {c: set(X[c].value_counts().loc[lambda s: s >= self.min_count].index) for c in X}
        return self

    def transform(self, X):
        check_is_fitted(self)
        X = X.copy()
        for c, keep in self.keep_.items():
            X[c] = X[c].where(X[c].isin(keep), "other")
        return pd.get_dummies(X).reindex(columns=self._columns(), fill_value=0).to_numpy(dtype=np.float32)

    def _columns(self):
        return [f"{c}_{v}" for c, keep in self.keep_.items() for v in sorted([*keep, "other"])]


if __name__ == "__main__":
    df = pd.read_parquet("inputs/train.parquet")
    features = df.select_dtypes(exclude="number").columns.drop("label", errors="ignore")
    pipe = Pipeline([("rare", RareGrouper()), ("forest", RandomForestClassifier(300, n_jobs=-1, random_state=0))])
    pipe.fit(df[features], df["label"])
    joblib.dump(pipe, "outputs/model.joblib")
