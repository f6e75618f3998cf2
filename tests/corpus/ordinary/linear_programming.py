import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

plants = pd.read_csv("inputs/plants.csv")
stores = pd.read_csv("inputs/stores.csv")
cost = cdist(plants[["x", "y"]], stores[["x", "y"]])
m, n = cost.shape

A_ub = np.kron(np.eye(m), np.ones(n))
A_eq = np.tile(np.eye(n), m)
plan = linprog(cost.ravel(), A_ub=A_ub, b_ub=plants["capacity"], A_eq=A_eq, b_eq=stores["demand"], method="highs")
if plan.status != 0:
    raise SystemExit(plan.message)
shipments = pd.DataFrame(plan.x.reshape(m, n).round(1), plants["name"], stores["name"])
print(f"cost {plan.fun:,.0f}")
shipments.to_csv("outputs/shipments.csv")
rows, cols = linear_sum_assignment(cost)
print(list(zip(plants["name"].iloc[rows], stores["name"].iloc[cols])))
