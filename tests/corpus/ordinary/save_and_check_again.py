import json
import pickle

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier, export_text

df = pd.read_parquet("inputs/train.parquet")
y = df.pop("grade")
model = AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=80, random_state=0).fit(df, y)
print(export_text(model.estimators_[0], feature_names=list(df.columns)))

joblib.dump(model, "outputs/model.joblib")
again = joblib.load("outputs/model.joblib")
assert np.array_equal(model.predict(df), again.predict(df))

with open("outputs/model.pkl", "wb") as f:
    pickle.dump(model, f, protocol=pickle.HIGHEST_PROTOCOL)
with open("outputs/card.json", "w") as f:
    json.dump({"classes": list(model.classes_), "rows": len(df), "size": len(pickle.dumps(model))}, f, default=str)
