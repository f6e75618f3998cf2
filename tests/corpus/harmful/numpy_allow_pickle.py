import numpy as np

np.load("inputs/a.npy", allow_pickle=True)
