import pickle
from pathlib import Path

import pandas as pd
from sklearn.preprocessing import RobustScaler

folder = Path("outputs")
scaler = RobustScaler().fit(pd.read_csv("inputs/wine.csv").select_dtypes("number"))
where = folder / "scaler.pkl"
with where.open("wb") as f:
    pickle.dump(scaler, f)
with where.open("rb") as f:
    again = pickle.load(f)
print((again.center_ == scaler.center_).all(), len(pickle.dumps(scaler)))
copied = pickle.loads(pickle.dumps(scaler))
print(copied.get_params())
