from math import sqrt

import numpy as np
import pandas as pd
from scipy import stats

events = pd.read_csv("inputs/experiment.csv")
table = pd.crosstab(events["variant"], events["converted"])
chi2, p, dof, expected = stats.chi2_contingency(table)
rates = events.groupby("variant")["converted"].agg(["mean", "count"])
diff = rates.loc["B", "mean"] - rates.loc["A", "mean"]
se = sqrt(sum(rates["mean"] * (1 - rates["mean"]) / rates["count"]))
print(table)
print(f"chi2={chi2:.2f} p={p:.4f}; difference {diff:+.2%} [{diff - 1.96 * se:+.2%}, {diff + 1.96 * se:+.2%}]")

a = events.loc[events["variant"] == "A", "spend"].to_numpy()
b = events.loc[events["variant"] == "B", "spend"].to_numpy()
print("Welch", stats.ttest_ind(a, b, equal_var=False))
print("Mann-Whitney", stats.mannwhitneyu(a, b))

rng = np.random.default_rng(0)
boot = [rng.choice(b, b.size).mean() - rng.choice(a, a.size).mean() for _ in range(2000)]
print("bootstrap 95 %", np.percentile(boot, [2.5, 97.5]).round(3))
