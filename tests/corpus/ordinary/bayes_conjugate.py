"""Beta-binomial comparison of conversion rates, no sampler needed."""
import numpy as np
import pandas as pd
from scipy.stats import beta

rng = np.random.default_rng()
data = pd.read_csv("inputs/variants.csv")
draws = {}
for row in data.itertuples():
    posterior = beta(1 + row.conversions, 1 + row.visitors - row.conversions)
    draws[row.variant] = posterior.rvs(50_000, random_state=rng)
    low, high = posterior.interval(0.95)
    print(f"{row.variant}: {posterior.mean():.3%} [{low:.3%}, {high:.3%}]")

samples = pd.DataFrame(draws)
best = samples.idxmax(axis=1).value_counts(normalize=True)
loss = samples.max(axis=1).to_numpy()[:, None] - samples
print("probability to be best:", best.round(3).to_dict())
print("expected loss:", loss.mean().round(5).to_dict())
best.to_json("outputs/best.json")
