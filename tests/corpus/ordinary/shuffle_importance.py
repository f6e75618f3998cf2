import joblib
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import train_test_split

df = pd.read_parquet("inputs/train.parquet").dropna()
target = "yield"
numeric = [c for c in df.columns if c != target and pd.api.types.is_numeric_dtype(df[c])]
X_train, X_test, y_train, y_test = train_test_split(df[numeric], df[target], test_size=0.25, random_state=3)
model = ExtraTreesRegressor(400, n_jobs=2, random_state=3).fit(X_train, y_train)
print(f"R2 {model.score(X_test, y_test):.3f}")

result = permutation_importance(model, X_test, y_test, n_repeats=10, random_state=3)
order = result.importances_mean.argsort()[::-1]
for i in order[:8]:
    print(f"{numeric[i]:24s}{result.importances_mean[i]:8.3f} +- {result.importances_std[i]:.3f}")
display = PartialDependenceDisplay.from_estimator(model, X_train, [numeric[i] for i in order[:4]], n_cols=2)
display.figure_.savefig("outputs/dependence.png")
plt.close()
joblib.dump(model, "outputs/model.joblib", compress=("zlib", 3))
