import warnings

import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.tools.sm_exceptions import ConvergenceWarning

sleep = pd.read_csv("inputs/sleep_study.csv")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    model = smf.mixedlm("reaction ~ days", sleep, groups=sleep["subject"], re_formula="~days")
    fit = model.fit(method=["lbfgs", "powell"])
print(fit.summary())
effects = pd.DataFrame(fit.random_effects).T
effects.columns = ["intercept", "slope"]
print(effects.sort_values("slope"))
logit = smf.logit("slow ~ days + C(shift)", sleep.assign(slow=(sleep["reaction"] > 350).astype(int))).fit(disp=0)
print(logit.get_margeff().summary())
effects.to_csv("outputs/effects.csv")
