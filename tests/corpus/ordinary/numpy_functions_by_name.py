import numpy as np
import pandas as pd

STATISTICS = ("mean", "median", "std", "ptp", "nanmax")

lab = pd.read_csv("inputs/lab.csv").select_dtypes("number")
table = pd.DataFrame({name: [getattr(np, name)(lab[c].to_numpy()) for c in lab] for name in STATISTICS}, index=lab.columns)
for name in ("skew", "kurt", "sem"):
    table[name] = getattr(lab, name)()
table["cv"] = table["std"] / table["mean"]
print(table.round(3).to_string())
table.to_csv("outputs/statistics.csv")
