import os

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import curve_fit


def logistic(x, top, slope, half):
    return top / (1 + np.exp(-slope * (x - half)))


def fit_one(name, part):
    try:
        (top, slope, half), _ = curve_fit(logistic, part["day"], part["size"], p0=[part["size"].max(), 0.1, 30])
    except RuntimeError:
        return {"plant": name, "ok": False}
    return {"plant": name, "ok": True, "top": top, "slope": slope, "half": half}


plants = pd.read_csv("inputs/plants.csv")
jobs = min(4, os.cpu_count() or 1)
rows = Parallel(n_jobs=jobs)(delayed(fit_one)(name, part) for name, part in plants.groupby("plant"))
result = pd.DataFrame(rows)
print(f"{result['ok'].mean():.0%} converged")
result.to_csv("outputs/curves.csv", index=False)
