import importlib.util
import sys

import pandas as pd
from sklearn import ensemble, linear_model
from sklearn.model_selection import cross_val_score

print(sys.version.split()[0], "lightgbm installed:", importlib.util.find_spec("lightgbm") is not None)
CANDIDATES = {
    "ridge": (linear_model, "Ridge", {"alpha": 10}),
    "lasso": (linear_model, "LassoCV", {"cv": 3}),
    "forest": (ensemble, "RandomForestRegressor", {"n_estimators": 200, "random_state": 0}),
    "boost": (ensemble, "GradientBoostingRegressor", {"random_state": 0}),
}
df = pd.read_csv("inputs/bikes.csv").select_dtypes("number").dropna()
y = df.pop("rentals")
for label, (module, name, settings) in CANDIDATES.items():
    model = getattr(module, name)(**settings)
    scores = cross_val_score(model, df, y, cv=5, scoring="r2")
    print(f"{label:8s} {scores.mean():.3f}")
