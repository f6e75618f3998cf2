import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Trim(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.clip(X.quantile(0.01), X.quantile(0.99), axis=1)


print([one.__name__ for one in Trim.__mro__], Trim.__bases__)
Trim().fit_transform(pd.read_csv("inputs/m.csv").select_dtypes("number")).to_csv("outputs/m.csv")
