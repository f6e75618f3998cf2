import json
import time

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

SEED = 13
TARGET = "default"

df = pd.read_parquet("inputs/train.parquet")
X = df.drop(columns=[TARGET])
y = (df[TARGET] == "yes").astype(int)
cat = X.select_dtypes(exclude="number").columns
X[cat] = X[cat].astype("category")

X_tr, X_va, y_tr, y_va = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
start = time.perf_counter()
model = lgb.LGBMClassifier(n_estimators=2000, learning_rate=0.03, num_leaves=31, subsample=0.8, random_state=SEED)
model.fit(
    X_tr,
    y_tr,
    eval_set=[(X_va, y_va)],
    eval_metric="auc",
    callbacks=[lgb.early_stopping(50, verbose=False), lgb.log_evaluation(100)],
)
auc = roc_auc_score(y_va, model.predict_proba(X_va)[:, 1])
took = time.perf_counter() - start
print("@@" + json.dumps({"kind": "metric", "model": "lightgbm", "name": "roc_auc", "value": float(auc), "seconds": took}))
gain = pd.Series(model.booster_.feature_importance("gain"), index=X.columns).sort_values()
print(np.round(gain.tail(10), 1))
joblib.dump(model, "outputs/model.joblib")
