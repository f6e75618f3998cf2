import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import Ridge

WINDOW, HORIZON = 48, 6
series = pd.read_csv("inputs/load.csv")["mw"].to_numpy(np.float64)
windows = sliding_window_view(series, WINDOW + HORIZON)
X, Y = windows[:, :WINDOW], windows[:, WINDOW:]
cut = int(len(X) * 0.8)
mean, std = X[:cut].mean(), X[:cut].std()
model = Ridge(1.0).fit((X[:cut] - mean) / std, Y[:cut])
prediction = model.predict((X[cut:] - mean) / std)
naive = np.repeat(X[cut:, -1:], HORIZON, axis=1)
for step in range(HORIZON):
    ours = np.abs(prediction[:, step] - Y[cut:, step]).mean()
    last = np.abs(naive[:, step] - Y[cut:, step]).mean()
    print(f"t+{step + 1}: {ours:.1f} MW (naive {last:.1f})")
np.savez_compressed("outputs/ridge.npz", coef=model.coef_, intercept=model.intercept_, mean=mean, std=std)
