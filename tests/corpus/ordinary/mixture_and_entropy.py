import numpy as np
import pandas as pd
from scipy.stats import entropy, gaussian_kde
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

eruptions = pd.read_csv("inputs/faithful.csv")[["eruptions", "waiting"]]
bic = {k: GaussianMixture(k, n_init=5, random_state=0).fit(eruptions).bic(eruptions) for k in range(1, 7)}
k = min(bic, key=bic.get)
print("BIC", {n: round(v) for n, v in bic.items()}, "->", k)
mixture = BayesianGaussianMixture(n_components=k, random_state=0).fit(eruptions)
eruptions["cluster"] = mixture.predict(eruptions)
grid = np.linspace(eruptions["waiting"].min(), eruptions["waiting"].max(), 200)
density = gaussian_kde(eruptions["waiting"])(grid)
print("entropy of the waiting time:", entropy(density).round(3))
pd.DataFrame({"waiting": grid, "density": density}).to_csv("outputs/density.csv", index=False)
