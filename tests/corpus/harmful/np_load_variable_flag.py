import numpy as np

flag = True
np.load("inputs/x.npy", allow_pickle=flag)
