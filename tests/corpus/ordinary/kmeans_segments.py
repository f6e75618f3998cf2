import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import PowerTransformer

rfm = pd.read_csv("inputs/rfm.csv").set_index("customer_id")
X = PowerTransformer().fit_transform(rfm[["recency", "frequency", "monetary"]])

best = (-1.0, None)
for k in range(2, 9):
    labels = KMeans(k, n_init=10, random_state=4).fit_predict(X)
    s = silhouette_score(X, labels, sample_size=2000, random_state=4)
    print(k, round(s, 3))
    if s > best[0]:
        best = (s, labels)

rfm["segment"] = best[1]
profile = rfm.groupby("segment").median().assign(size=rfm.groupby("segment").size())
print(profile.round(1))
rfm.to_csv("outputs/segments.csv")
np.savez("outputs/scaled.npz", X=X, labels=best[1])
