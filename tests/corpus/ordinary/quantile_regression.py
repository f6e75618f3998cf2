import joblib
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split

delivery = pd.read_parquet("inputs/train.parquet")
y = delivery["minutes"].astype(float)
X = delivery.drop(columns=["minutes"]).select_dtypes("number")
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

models = {}
for q in (0.1, 0.5, 0.9):
    models[q] = HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=200, random_state=0)
    models[q].fit(X_train, y_train)
    print(q, round(mean_pinball_loss(y_test, models[q].predict(X_test), alpha=q), 3))
inside = (models[0.1].predict(X_test) <= y_test) & (y_test <= models[0.9].predict(X_test))
print(f"coverage of the 80 % band: {inside.mean():.1%}")
slow = GradientBoostingRegressor(loss="quantile", alpha=0.5, random_state=0).fit(X_train.fillna(0), y_train)
print("sklearn GBM median", round(mean_pinball_loss(y_test, slow.predict(X_test.fillna(0)), alpha=0.5), 3))
joblib.dump(models[0.5], "outputs/model.joblib")
