import os
import tempfile

import numpy as np

shape = (20_000, 512)
fd, name = tempfile.mkstemp(suffix=".dat")
os.close(fd)
big = np.memmap(name, dtype="float32", mode="w+", shape=shape)
rng = np.random.default_rng(1)
for start in range(0, shape[0], 2_000):
    big[start : start + 2_000] = rng.standard_normal((2_000, shape[1]), dtype="float32")
big.flush()

view = np.memmap(name, dtype="float32", mode="r", shape=shape)
gram = np.zeros((shape[1], shape[1]))
for start in range(0, shape[0], 2_000):
    block = np.asarray(view[start : start + 2_000], dtype="float64")
    gram += block.T @ block
values = np.linalg.eigvalsh(gram / shape[0])
print(values[:3], values[-3:])
np.save("outputs/eigenvalues.npy", values)
os.remove(name)
