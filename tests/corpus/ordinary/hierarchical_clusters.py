import matplotlib.pyplot as plt
import pandas as pd
from scipy.cluster.hierarchy import cophenet, dendrogram, fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.manifold import TSNE

states = pd.read_csv("inputs/states.csv", index_col="state")
Z = (states - states.mean()) / states.std(ddof=0)
tree = linkage(Z, method="ward")
c, _ = cophenet(tree, pdist(Z))
print(f"cophenetic correlation {c:.2f}")

fig, ax = plt.subplots(figsize=(6, 12))
dendrogram(tree, labels=Z.index.to_list(), orientation="left", ax=ax, color_threshold=8)
fig.tight_layout()
fig.savefig("outputs/dendrogram.png")

groups = pd.Series(fcluster(tree, 4, "maxclust"), Z.index, name="group")
flat = TSNE(perplexity=12, init="pca", random_state=0).fit_transform(Z)
pd.DataFrame(flat, Z.index, ["x", "y"]).join(groups).to_csv("outputs/map.csv")
print(states.groupby(groups).mean().round(1))
