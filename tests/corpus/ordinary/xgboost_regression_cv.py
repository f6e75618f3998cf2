import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold

params = {
    "objective": "reg:squarederror",
    "eta": 0.05,
    "max_depth": 6,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "nthread": 2,
    "seed": 1,
}

houses = pd.read_csv("inputs/houses.csv")
y = np.log1p(houses.pop("price"))
X = pd.get_dummies(houses, dummy_na=True).astype("float32")

oof = np.zeros(len(X))
for fold, (tr, va) in enumerate(KFold(5, shuffle=True, random_state=1).split(X)):
    dtrain = xgb.DMatrix(X.iloc[tr], label=y.iloc[tr])
    dvalid = xgb.DMatrix(X.iloc[va], label=y.iloc[va])
    booster = xgb.train(
        params, dtrain, num_boost_round=1500, evals=[(dvalid, "valid")], early_stopping_rounds=60, verbose_eval=False
    )
    oof[va] = booster.predict(dvalid, iteration_range=(0, booster.best_iteration + 1))
    print(f"fold {fold}: {mean_absolute_error(np.expm1(y.iloc[va]), np.expm1(oof[va])):,.0f}")

print("all:", mean_absolute_error(np.expm1(y), np.expm1(oof)))
booster.save_model("outputs/last_fold.json")
