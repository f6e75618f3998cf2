import json

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFECV, VarianceThreshold, mutual_info_classif
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

df = pd.read_parquet("inputs/train.parquet").select_dtypes(["number", "bool"]).fillna(-999)
y = df.pop("target")
information = pd.Series(mutual_info_classif(df, y, random_state=0), df.columns).sort_values()
print(information.tail(10))

pipe = Pipeline(
    [
        ("variance", VarianceThreshold(1e-4)),
        ("rfe", RFECV(RandomForestClassifier(100, n_jobs=2, random_state=0), step=2, cv=StratifiedKFold(3))),
    ]
).set_output(transform="pandas")
kept = list(pipe.fit_transform(df, y).columns)
print(len(kept), "of", df.shape[1], "columns kept")
with open("outputs/kept.json", "w") as f:
    json.dump(kept, f)
