"""Impute gaps in three ways and compare on values that were hidden on purpose."""
import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

rng = np.random.default_rng(9)
complete = pd.read_csv("inputs/soil.csv").select_dtypes("number").dropna()
hidden = rng.random(complete.shape) < 0.1
holes = complete.mask(hidden)

methods = {
    "median": SimpleImputer(strategy="median"),
    "neighbours": KNNImputer(n_neighbors=7, weights="distance"),
    "iterative": IterativeImputer(max_iter=20, random_state=0),
}
for name, imputer in methods.items():
    filled = pd.DataFrame(imputer.fit_transform(holes), index=complete.index, columns=complete.columns)
    error = ((filled - complete)[hidden].pow(2).mean() ** 0.5) / complete.std()
    print(f"{name:11s}", error.round(2).to_dict())
