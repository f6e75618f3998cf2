import os
import random

import numpy as np
import pandas as pd
from sklearn.ensemble import BaggingClassifier
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils import check_random_state, resample, shuffle

SEED = int(os.environ.get("SEED", "42"))
random.seed(SEED)
np.random.seed(SEED)
state = check_random_state(SEED)

data = shuffle(pd.read_csv("inputs/flags.csv"), random_state=state)
minority = data[data["religion"] == data["religion"].value_counts().idxmin()]
data = pd.concat([data, resample(minority, n_samples=3 * len(minority), random_state=SEED)])
X = pd.get_dummies(data.drop(columns=["religion", "name"]), dtype=float)
bag = BaggingClassifier(ExtraTreeClassifier(), n_estimators=100, oob_score=True, random_state=SEED)
bag.fit(X, data["religion"])
print(f"out-of-bag accuracy {bag.oob_score_:.3f}")
