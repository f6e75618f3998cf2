import json

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, TargetEncoder

with open("inputs/contract.json") as f:
    contract = json.load(f)
target = contract["target"]
df = pd.read_parquet("inputs/train.parquet")
X, y = df.drop(columns=[target]), df[target]
wide = [c for c in X.select_dtypes(exclude="number") if X[c].nunique() > 10]
rest = [c for c in X if c not in wide]
pipe = Pipeline(
    [
        ("columns", ColumnTransformer([("te", TargetEncoder(), wide), ("keep", "passthrough", rest)])),
        ("model", HistGradientBoostingClassifier(random_state=0)),
    ]
)
cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
scores = cross_val_score(pipe, X, y, cv=cv, scoring="neg_log_loss")
print("@@" + json.dumps({"kind": "leaderboard", "rows": [{"model": "te+hgb", "cv_score": float(np.mean(scores))}]}))
print(KBinsDiscretizer.__name__, "not needed")
pipe.fit(X, y)
joblib.dump(pipe, "outputs/model.joblib")
