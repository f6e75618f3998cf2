from pathlib import Path

import pandas as pd
from catboost import CatBoostClassifier, Pool
from sklearn.model_selection import train_test_split

data = pd.read_parquet(Path("inputs") / "train.parquet")
target = data.pop("outcome")
cats = [c for c in data if data[c].dtype == object or str(data[c].dtype) in ("string", "str", "category")]
data[cats] = data[cats].fillna("missing").astype(str)

a, b, ya, yb = train_test_split(data, target, random_state=0, stratify=target)
train_pool = Pool(a, ya, cat_features=cats)
valid_pool = Pool(b, yb, cat_features=cats)
model = CatBoostClassifier(
    iterations=800, depth=6, learning_rate=0.06, loss_function="MultiClass", random_seed=0,
    allow_writing_files=False, verbose=100, thread_count=2,
)
model.fit(train_pool, eval_set=valid_pool, early_stopping_rounds=50)
print(model.get_best_score())
importance = pd.Series(model.get_feature_importance(), index=data.columns)
importance.sort_values(ascending=False).to_csv("outputs/importance.csv")
model.save_model("outputs/model.cbm")
