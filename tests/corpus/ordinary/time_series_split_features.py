import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.model_selection import TimeSeriesSplit

sales = pd.read_parquet("inputs/train.parquet").sort_values(["shop", "date"])
by_shop = sales.groupby("shop")["units"]
for lag in (1, 7, 14, 28):
    sales[f"lag_{lag}"] = by_shop.shift(lag)
for window in (7, 28):
    sales[f"mean_{window}"] = by_shop.transform(lambda s, w=window: s.shift(1).rolling(w).mean())
sales["dow"] = sales["date"].dt.dayofweek
sales["month"] = sales["date"].dt.month
sales = sales.dropna().sort_values("date")
features = [c for c in sales if c.startswith(("lag_", "mean_"))] + ["dow", "month"]

errors = []
for train, test in TimeSeriesSplit(4).split(sales):
    model = lgb.LGBMRegressor(n_estimators=300, learning_rate=0.05, verbose=-1)
    model.fit(sales.iloc[train][features], sales.iloc[train]["units"])
    predicted = model.predict(sales.iloc[test][features])
    errors.append(np.mean(np.abs(predicted - sales.iloc[test]["units"])))
print("MAE per fold:", np.round(errors, 2))
joblib.dump(model, "outputs/model.joblib")
