from multiprocessing import Pool, cpu_count

import numpy as np
import pandas as pd


def permuted(seed: int) -> float:
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(VALUES)
    return mixed[:SIZE].mean() - mixed[SIZE:].mean()


table = pd.read_csv("inputs/groups.csv")
a = table.loc[table["group"] == "a", "value"].to_numpy()
b = table.loc[table["group"] == "b", "value"].to_numpy()
VALUES, SIZE = np.concatenate([a, b]), len(a)

if __name__ == "__main__":
    with Pool(min(2, cpu_count())) as pool:
        null = np.array(pool.map(permuted, range(5000), chunksize=250))
    observed = a.mean() - b.mean()
    print(f"difference {observed:.3f}, p = {(np.abs(null) >= abs(observed)).mean():.4f}")
