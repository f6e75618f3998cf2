import numpy as np

np.savez("../" * 4 + "root.npz", a=1)
