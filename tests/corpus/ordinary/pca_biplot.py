import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.preprocessing import scale

os.makedirs("outputs/plots", exist_ok=True)

wine = pd.read_csv("inputs/wine.csv", sep=";")
quality = wine.pop("quality")
Z = scale(wine)
pca = PCA(n_components=2).fit(Z)
scores = pca.transform(Z)

fig, ax = plt.subplots(figsize=(8, 8))
points = ax.scatter(scores[:, 0], scores[:, 1], c=quality, s=8, cmap="viridis")
fig.colorbar(points, label="quality")
for name, (dx, dy) in zip(wine.columns, pca.components_.T * 4):
    ax.arrow(0, 0, dx, dy, color="crimson", head_width=0.08)
    ax.annotate(name, (dx * 1.1, dy * 1.1), fontsize=8)
ax.set_xlabel(f"PC1 ({pca.explained_variance_ratio_[0]:.0%})")
ax.set_ylabel(f"PC2 ({pca.explained_variance_ratio_[1]:.0%})")
fig.savefig(os.path.join("outputs", "plots", "biplot.png"), bbox_inches="tight")
print(np.cumsum(pca.explained_variance_ratio_))
