import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

visits = pd.read_parquet("inputs/train.parquet")
groups, y = visits.pop("patient_id"), visits.pop("readmitted").eq("yes").to_numpy()
X = visits.assign(**{c: visits[c].astype("category").cat.codes for c in visits.select_dtypes(exclude="number")})

rows = []
for fold, (train, test) in enumerate(StratifiedGroupKFold(5, shuffle=True, random_state=2).split(X, y, groups)):
    assert not set(groups.iloc[train]) & set(groups.iloc[test])
    model = HistGradientBoostingClassifier(random_state=fold).fit(X.iloc[train], y[train])
    p = model.predict_proba(X.iloc[test])[:, 1]
    rows.append({"fold": fold, "auc": roc_auc_score(y[test], p), "ap": average_precision_score(y[test], p)})
scores = pd.DataFrame(rows).set_index("fold")
print(scores.round(3), scores.mean().round(3), sep="\n")
np.savetxt("outputs/scores.txt", scores.to_numpy(), fmt="%.5f", header="auc ap")
