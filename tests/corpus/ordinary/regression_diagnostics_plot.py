import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import HuberRegressor, LinearRegression, RANSACRegressor

concrete = pd.read_csv("inputs/concrete.csv")
X, y = concrete[["cement", "water", "age"]].copy(), concrete["strength"]
X["log_age"] = np.log1p(X.pop("age"))

fig, axes = plt.subplots(3, 2, figsize=(9, 11))
for row, model in zip(axes, [LinearRegression(), HuberRegressor(max_iter=1000), RANSACRegressor(random_state=0)]):
    model.fit(X, y)
    fitted = model.predict(X)
    residuals = y - fitted
    row[0].scatter(fitted, residuals, s=5)
    row[0].axhline(0, c="k", lw=0.5)
    row[0].set_title(type(model).__name__)
    stats.probplot(residuals, plot=row[1])
    print(type(model).__name__, "R2", round(model.score(X, y), 3), "skew", round(stats.skew(residuals), 2))
fig.tight_layout()
fig.savefig("outputs/residuals.pdf")
