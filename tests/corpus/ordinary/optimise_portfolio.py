import numpy as np
import pandas as pd
from scipy.optimize import minimize

prices = pd.read_csv("inputs/prices.csv", index_col=0, parse_dates=True)
returns = np.log(prices).diff().dropna()
mu, cov = returns.mean() * 252, returns.cov() * 252
n = len(mu)


def negative_sharpe(w):
    return -(w @ mu - 0.01) / np.sqrt(w @ cov @ w)


best = minimize(
    negative_sharpe, np.full(n, 1 / n), bounds=[(0, 0.4)] * n, constraints={"type": "eq", "fun": lambda w: w.sum() - 1}
)
if not best.success:
    raise RuntimeError(best.message)
weights = pd.Series(best.x.round(4), prices.columns)
print(weights[weights > 0.001].sort_values(ascending=False))
print("Sharpe", -best.fun)
weights.to_csv("outputs/weights.csv", header=["weight"])
