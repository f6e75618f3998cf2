import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor

wages = pd.read_csv("inputs/wages.csv")
wages["log_wage"] = np.log(wages["wage"])
wages["exp2"] = wages["experience"] ** 2

fit = smf.ols("log_wage ~ education + experience + exp2 + C(union) + C(region)", data=wages).fit(cov_type="HC3")
print(fit.summary())

X = sm.add_constant(wages[["education", "experience", "exp2"]])
vif = {name: variance_inflation_factor(X.values, i) for i, name in enumerate(X.columns)}
print(pd.Series(vif).round(2))

lm, p, *_ = het_breuschpagan(fit.resid, fit.model.exog)
print(f"Breusch-Pagan: LM={lm:.2f}, p={p:.4f}")
with open("outputs/ols.txt", "w") as f:
    f.write(fit.summary().as_text())
