import numpy as np
from scipy.stats import norm

rng = np.random.default_rng(2024)
S0, K, T, r, sigma = 100.0, 105.0, 1.0, 0.02, 0.25
n_paths, n_steps = 100_000, 252

dt = T / n_steps
log_s = np.full(n_paths, np.log(S0))
running = np.zeros(n_paths)
for _ in range(n_steps):
    log_s += (r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * rng.standard_normal(n_paths)
    running += np.exp(log_s)

call = np.exp(-r * T) * np.maximum(np.exp(log_s) - K, 0)
asian = np.exp(-r * T) * np.maximum(running / n_steps - K, 0)

d1 = (np.log(S0 / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
d2 = d1 - sigma * np.sqrt(T)
exact = S0 * norm.cdf(d1) - K * np.exp(-r * T) * norm.cdf(d2)
for name, pay in (("european", call), ("asian", asian)):
    print(f"{name:9s} {pay.mean():.3f} +- {1.96 * pay.std() / np.sqrt(n_paths):.3f}")
print(f"black-scholes {exact:.3f}")
np.save("outputs/payoffs.npy", np.vstack([call, asian]))
