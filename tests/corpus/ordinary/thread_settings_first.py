import os

os.environ["OMP_NUM_THREADS"] = "2"
os.environ.setdefault("MKL_NUM_THREADS", "2")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

shops = pd.read_csv("inputs/shops.csv")
homes = pd.read_csv("inputs/homes.csv")
tree = NearestNeighbors(n_neighbors=3, metric="haversine", algorithm="ball_tree")
tree.fit(np.radians(shops[["lat", "lon"]]))
distance, index = tree.kneighbors(np.radians(homes[["lat", "lon"]]))
homes["nearest_shop"] = shops["name"].to_numpy()[index[:, 0]]
homes["km"] = distance[:, 0] * 6371
homes["mean_km_3"] = distance.mean(axis=1) * 6371
print(homes["km"].describe())
homes.to_csv("outputs/homes.csv", index=False)
