import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

study = pd.read_csv("inputs/trial.csv")
fig, ax = plt.subplots()
for arm, part in study.groupby("arm"):
    curve = SurvfuncRight(part["months"], part["died"])
    ax.step(curve.surv_times, curve.surv_prob, where="post", label=arm)
    print(arm, "median survival", curve.quantile(0.5))
ax.set_ylim(0, 1)
ax.legend()
fig.savefig("outputs/survival.png")
chi2, p = survdiff(study["months"], study["died"], study["arm"])
print(f"log-rank p={p:.4f}")
cox = PHReg.from_formula("months ~ age + C(arm)", study, status=study["died"]).fit()
print(np.exp(cox.params))
