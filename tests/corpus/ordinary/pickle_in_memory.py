import io
import pickle
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import SGDRegressor

model = SGDRegressor().fit(np.eye(4), np.arange(4))
buffer = io.BytesIO()
pickle.dump(model, buffer)
buffer.seek(0)
print(pickle.load(buffer).coef_)
with tempfile.TemporaryDirectory() as folder:
    place = Path(folder) / "m.joblib"
    joblib.dump(model, place)
    print(joblib.load(place).coef_, place.stat().st_size)
