import json

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix, precision_recall_curve
from sklearn.model_selection import cross_val_predict

COST = {"false_alarm": 5.0, "missed": 120.0}
claims = pd.read_parquet("inputs/train.parquet")
y = claims.pop("fraud").eq("yes").astype(int)
X = claims.select_dtypes("number").fillna(claims.median(numeric_only=True))
model = RandomForestClassifier(400, min_samples_leaf=3, class_weight="balanced_subsample", n_jobs=2, random_state=0)
p = cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1]
precision, recall, cuts = precision_recall_curve(y, p)
costs = [COST["false_alarm"] * ((p >= c) & (y == 0)).sum() + COST["missed"] * ((p < c) & (y == 1)).sum() for c in cuts]
best = int(np.argmin(costs))
print(f"threshold {cuts[best]:.3f}: precision {precision[best]:.2f}, recall {recall[best]:.2f}")
print(confusion_matrix(y, p >= cuts[best]))
joblib.dump(model.fit(X, y), "outputs/model.joblib")
with open("outputs/threshold.json", "w") as f:
    json.dump({"threshold": float(cuts[best]), "cost": float(costs[best])}, f)
