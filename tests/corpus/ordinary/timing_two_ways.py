import timeit
from operator import methodcaller

import numpy as np
import pandas as pd

values = pd.read_csv("inputs/long.csv")["v"]


def slow():
    return sum(v * v for v in values)


print(timeit.timeit(lambda: np.square(values).sum(), number=20), timeit.timeit(slow, number=2))
print(list(map(methodcaller("upper"), ["a", "b"])), min(timeit.repeat(slow, number=1, repeat=3)))
