import numpy as np

home = "~"
rows = np.genfromtxt(home + "/ledger.csv", delimiter=",")
